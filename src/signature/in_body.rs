//! Schemes whose signatures stand in the body, among the values that they are over: SNS and Adyen.
//!
//! Takes the body. Gives what proves all of it, as [`Scheme::prove`] does.

use std::borrow::Cow;

use super::error::SignatureError;
use super::key::{Key, Material};
use super::message::Message;
use super::scheme::{NO_SIGNATURE, Proven, Scheme};
use super::timestamp::UnixSeconds;
use super::{native, sns};

impl Scheme {
    /// A message of SNS: the signature first, since only what is signed has a meaning, then its topic and time; these
    /// alone where there is no key yet, since none need be asked for if they rule the message out.
    pub(super) fn verify_sns<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key> + Clone,
        message: &Message<'_>,
        topic_arns: &[String],
        now: UnixSeconds,
    ) -> Result<Proven, SignatureError> {
        let sns = sns::read(message.body)?;
        let candidates = self.first()?.presented.read(&[sns.signature.as_bytes()], |_| true);
        if candidates.is_empty() {
            return Err(NO_SIGNATURE);
        }
        let proves = |key: &Key| match &key.material {
            Material::Public(key) => {
                candidates.iter().any(|signature| key.verifies_by(sns.algorithm, &sns.content, signature))
            }
            _ => false,
        };
        let mismatch = || SignatureError::Mismatch { keys: keys.clone().count() };
        let in_force = self.in_force(&sns, topic_arns, now);
        match (keys.clone().position(proves), keys.clone().next()) {
            (Some(key), _) => in_force.map(|signed| Proven { key, signed }),
            (None, Some(_)) => Err(mismatch()),
            (None, None) => Err(in_force.err().unwrap_or_else(mismatch)),
        }
    }

    /// When a message of SNS was signed; or what speaks against it though it be genuine.
    fn in_force(
        &self,
        sns: &sns::Sns,
        topic_arns: &[String],
        now: UnixSeconds,
    ) -> Result<Option<UnixSeconds>, SignatureError> {
        if !topic_arns.is_empty() && !topic_arns.contains(&sns.topic_arn) {
            return Err(SignatureError::Malformed(
                "the message is of an SNS topic that is not among the source's topic_arns",
            ));
        }
        self.timestamp.as_ref().map(|rule| rule.check(sns.timestamp.as_bytes(), now)).transpose()
    }

    /// A body whose items are each signed: one key must prove all of them.
    pub(super) fn verify_items<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key> + Clone,
        message: &Message<'_>,
    ) -> Result<Proven, SignatureError> {
        let contents = native::adyen(message.body)?;
        let variant = self.first()?;
        let mut signatures = Vec::new();
        for (signature, _) in &contents {
            let fits = |length| variant.key_use.fits(length);
            let candidates = variant.presented.read(&[signature.as_bytes()], fits);
            if candidates.is_empty() {
                return Err(NO_SIGNATURE);
            }
            signatures.push(candidates);
        }
        let proves = |key: &Key| {
            contents.iter().zip(&signatures).fold(true, |all, ((_, content), signature)| {
                all & key.mac(&[Cow::Borrowed(content)]).is_some_and(|mac| signature.contain(&mac))
            })
        };
        let mismatch = || SignatureError::Mismatch { keys: keys.clone().count() };
        let key = keys.clone().position(proves).ok_or_else(mismatch)?;
        Ok(Proven { key, signed: None })
    }
}
