//! Schemes whose signatures stand in the body, among the values that they are over: SNS and Adyen.
//!
//! Takes the body. Gives the index of the key that proves all of it, as [`Scheme::verify`] does.

use std::borrow::Cow;

use super::error::SignatureError;
use super::key::{Key, Material};
use super::message::Message;
use super::scheme::{NO_SIGNATURE, Scheme};
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
    ) -> Result<usize, SignatureError> {
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
        let ruled_out = self.rules_out(&sns, topic_arns, now);
        match (keys.clone().position(proves), keys.clone().next()) {
            (Some(matched), _) => ruled_out.map_or(Ok(matched), Err),
            (None, Some(_)) => Err(mismatch()),
            (None, None) => Err(ruled_out.unwrap_or_else(mismatch)),
        }
    }

    /// What speaks against a message of SNS though it be genuine.
    fn rules_out(&self, sns: &sns::Sns, topic_arns: &[String], now: UnixSeconds) -> Option<SignatureError> {
        if !topic_arns.is_empty() && !topic_arns.contains(&sns.topic_arn) {
            return Some(SignatureError::Malformed(
                "the message is of an SNS topic that is not among the source's topic_arns",
            ));
        }
        self.timestamp.as_ref().and_then(|rule| rule.check(sns.timestamp.as_bytes(), now).err())
    }

    /// A body whose items are each signed: one key must prove all of them.
    pub(super) fn verify_items<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key> + Clone,
        message: &Message<'_>,
    ) -> Result<usize, SignatureError> {
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
        keys.clone().position(proves).ok_or_else(mismatch)
    }
}
