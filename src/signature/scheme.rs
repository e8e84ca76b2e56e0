//! A provider's scheme, and the one decision: is this request genuine?
//!
//! Takes a request, the configured keys and a clock value. Gives the index of the key that proves it. The
//! algorithm and every name come from the scheme, never from the request.

use std::borrow::Cow;

use http::HeaderName;
use http::header::AUTHORIZATION;
use smallvec::{SmallVec, smallvec};
use subtle::ConstantTimeEq as _;

use super::content::{Content, Pieces};
use super::coverage::Coverage;
use super::ebay;
use super::error::SignatureError;
use super::jwt::Jwt;
use super::key::{HmacAlgorithm, Key, KeyFormat, KeyUse, Material};
use super::message::{Message, header_place, json_place};
use super::native::{self, Native};
use super::presented::{Candidates, Label, Presented, SignatureEncoding};
use super::public_key::PublicAlgorithm;
use super::query::QueryRule;
use super::timestamp::{TimestampPlace, TimestampRule, UnixSeconds};
use crate::json::Pointer;

/// The longest message ID that a header may bring, in octets.
pub const MAX_ID_OCTETS: usize = 256;

/// Public-key signatures of one request that are tried: each costs as much as a thousand MACs.
const MAX_PUBLIC_TRIED: usize = 4;

/// How a provider proves its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// Where the signature, or the token, stands.
    pub place: SignaturePlace,
    /// How signatures are made and written. The first is the ordinary one; a further one is chosen by a secret that
    /// begins with its prefix. All of them stand in one list.
    pub variants: Vec<Variant>,
    /// What is signed, or what stands for a signature.
    pub proof: Proof,
    /// The header with the message ID, if it is signed by name; several names if the provider uses one or another.
    pub id_headers: Vec<HeaderName>,
    /// The signed time, if the scheme has one.
    pub timestamp: Option<TimestampRule>,
    /// What the query must be, where the URL is signed.
    pub query: Option<QueryRule>,
    /// What a signature covers.
    pub coverage: Coverage,
}

/// Where a signature stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignaturePlace {
    /// In a header; several names if the provider uses one or another.
    Header(Vec<HeaderName>),
    /// In all of these headers that are there: any of them may match.
    Headers(Vec<HeaderName>),
    /// In the body.
    Json(Pointer),
    /// In the query.
    Query(String),
}

/// One way to make signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// What its secrets begin with; none for the ordinary variant.
    pub secret_prefix: Option<String>,
    /// How its secrets are written.
    pub key_format: KeyFormat,
    /// What its keys are for.
    pub key_use: KeyUse,
    /// How its signatures stand in the header.
    pub presented: Presented,
}

/// What proves a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A signature over a template's content.
    Content(Content),
    /// A signature over content that a template cannot say.
    Native(Native),
    /// The secret itself: nothing is signed.
    Token,
    /// The secret as `user:password` (RFC 7617): nothing is signed.
    Basic,
    /// A JSON Web Token.
    Jwt(Jwt),
}

/// What has proved a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// The index of the key that did.
    pub key: usize,
    /// The signed time, if the scheme has one.
    pub signed: Option<UnixSeconds>,
}

pub(super) const NO_SIGNATURE: SignatureError =
    SignatureError::Malformed("there is no signature of the scheme's version and form");

type Entries<'a> = SmallVec<[&'a [u8]; 4]>;

impl Scheme {
    /// Reads a secret, for the variant that it is of.
    ///
    /// # Errors
    /// A sentence that never holds the secret or a part of it.
    pub fn key(&self, secret: &str) -> Result<Key, String> {
        let of_prefix = |variant: &Variant| {
            variant.secret_prefix.as_deref().is_some_and(|prefix| secret.starts_with(prefix))
        };
        let index = self.variants.iter().position(of_prefix).unwrap_or(0);
        let variant = self.variants.get(index).ok_or("the scheme has no algorithm")?;
        let mut key = Key::parse(secret, &variant.key_format, variant.key_use)?;
        key.variant = index;
        Ok(key)
    }

    /// Whether what is signed has the body in it, octet for octet.
    #[must_use]
    pub fn signs_verbatim_body(&self) -> bool {
        matches!(&self.proof, Proof::Content(content) if content.has_verbatim_body())
    }

    /// Whether the query of a request is part of what is signed, and not known beforehand: who verifies the request again
    /// needs it.
    #[must_use]
    pub fn signs_query(&self) -> bool {
        matches!(self.query, Some(QueryRule::Any))
            || matches!(self.proof, Proof::Native(Native::Twilio { .. }))
    }

    /// Whether what proves a request may be kept beside it, so that it can be verified again: it is no credential, and does
    /// not stand where credentials do.
    #[must_use]
    pub fn can_be_kept(&self) -> bool {
        let among_credentials =
            matches!(&self.place, SignaturePlace::Header(names) if names.contains(&AUTHORIZATION));
        !among_credentials && !self.presents_credential()
    }

    /// Whether the proof is a credential that must not be passed on: whoever reads it can use it.
    #[must_use]
    pub fn presents_credential(&self) -> bool {
        match &self.proof {
            Proof::Token | Proof::Basic => true,
            Proof::Jwt(jwt) => jwt.body_hash.is_none(),
            Proof::Content(_) | Proof::Native(_) => false,
        }
    }

    /// Checks a request, as [`Scheme::prove`] does. Gives the index among `keys` of the key that proves it.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key> + Clone,
        message: &Message<'_>,
        now: UnixSeconds,
    ) -> Result<usize, SignatureError> {
        self.prove(keys, message, now).map(|proven| proven.key)
    }

    /// Checks a request. Gives the key among `keys` that proves it, and the signed time.
    ///
    /// The work is bounded by the body's length times the number of keys, whatever the headers hold.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn prove<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key> + Clone,
        message: &Message<'_>,
        now: UnixSeconds,
    ) -> Result<Proven, SignatureError> {
        if let Some(rule) = &self.query {
            rule.check(message)?;
        }
        if let Proof::Native(Native::Adyen) = self.proof {
            return self.verify_items(keys, message);
        }
        let mut family = None;
        if let Proof::Native(Native::Sns { topic_arns }) = &self.proof {
            return self.verify_sns(keys, message, topic_arns, now);
        }
        let mut presented = self.presented(message, &mut family)?;
        if let Proof::Native(Native::Ebay) = self.proof {
            for value in &mut presented {
                *value = Cow::Owned(ebay::read(value)?.signature.into_owned().into_bytes());
            }
        }
        let mut entries = Entries::new();
        for value in &presented {
            entries.extend(self.first()?.presented.entries(value)?);
        }
        let mismatch = || SignatureError::Mismatch { keys: keys.clone().count() };
        match &self.proof {
            Proof::Content(_) | Proof::Native(_) => {
                let id = self.id(message, &mut family)?;
                let (timestamp, signed) = self.timestamp(message, &mut family, &entries, now)?;
                let pieces = self.pieces(message, id, &timestamp, keys.clone().count())?;
                let key = self.matching(keys.clone(), &entries, &pieces)?.ok_or_else(mismatch)?;
                // Only of a right signature does it matter what it could be over as well.
                if let Proof::Content(content) = &self.proof {
                    content.check_borders(&pieces)?;
                }
                Ok(Proven { key, signed })
            }
            Proof::Token => {
                let key = self.token(keys.clone(), &entries, |entry| Some(Cow::Borrowed(entry)))?;
                key.map(Proven::untimed).ok_or_else(mismatch)
            }
            Proof::Basic => {
                let key = self.token(keys.clone(), &entries, basic_credentials)?;
                key.map(Proven::untimed).ok_or_else(mismatch)
            }
            Proof::Jwt(jwt) => self.jwt(jwt, keys.clone(), &entries, message, now)?.ok_or_else(mismatch),
        }
    }

    pub(super) fn first(&self) -> Result<&Variant, SignatureError> {
        self.variants.first().ok_or(SignatureError::Malformed("the scheme has no algorithm"))
    }

    /// What stands where the signature should.
    fn presented<'a>(
        &self,
        message: &Message<'a>,
        family: &mut Option<usize>,
    ) -> Result<SmallVec<[Cow<'a, [u8]>; 1]>, SignatureError> {
        Ok(match &self.place {
            SignaturePlace::Header(names) => smallvec![Cow::Borrowed(message.header(names, family)?)],
            SignaturePlace::Headers(names) => {
                let mut values = SmallVec::new();
                for name in names {
                    match message.header(std::slice::from_ref(name), &mut None) {
                        Ok(value) => values.push(Cow::Borrowed(value)),
                        Err(SignatureError::Missing(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                match (values.is_empty(), names.first()) {
                    (true, Some(name)) => return Err(SignatureError::Missing(header_place(name))),
                    _ => values,
                }
            }
            SignaturePlace::Json(pointer) => {
                let value = message.json(&[pointer])?.into_iter().next().flatten();
                let value = value.ok_or_else(|| SignatureError::Missing(json_place(pointer)))?;
                smallvec![octets(value)]
            }
            SignaturePlace::Query(name) => smallvec![octets(message.query_value(name)?)],
        })
    }

    fn id<'a>(&self, message: &Message<'a>, family: &mut Option<usize>) -> Result<&'a [u8], SignatureError> {
        match (&self.proof, self.id_headers.is_empty()) {
            (Proof::Content(_), false) => check_id(message.header(&self.id_headers, family)?),
            _ => Ok(b""),
        }
    }

    /// The signed time's text and what it says, near enough to the clock.
    fn timestamp<'a>(
        &self,
        message: &Message<'a>,
        family: &mut Option<usize>,
        entries: &[&[u8]],
        now: UnixSeconds,
    ) -> Result<(Cow<'a, [u8]>, Option<UnixSeconds>), SignatureError> {
        let Some(rule) = &self.timestamp else { return Ok((Cow::Borrowed(b""), None)) };
        let value = match &rule.place {
            TimestampPlace::Header(names) => Cow::Borrowed(message.header(names, family)?),
            TimestampPlace::Entry(prefix) => {
                let place = || format!("the entry `{prefix}` of the signature");
                let mut values = entries.iter().filter_map(|entry| entry.strip_prefix(prefix.as_bytes()));
                let value = values.next().ok_or_else(|| SignatureError::Missing(place()))?;
                if values.any(|other| other != value) {
                    return Err(SignatureError::Repeated(place()));
                }
                Cow::Owned(value.to_vec())
            }
            TimestampPlace::Json(pointer) => {
                let value = message.json(&[pointer])?.into_iter().next().flatten();
                octets(value.ok_or_else(|| SignatureError::Missing(json_place(pointer)))?)
            }
            // Seen to with the token.
            TimestampPlace::Claim(_) => return Ok((Cow::Borrowed(b""), None)),
        };
        let signed = rule.check(&value, now)?;
        Ok((value, Some(signed)))
    }

    fn pieces<'a>(
        &'a self,
        message: &Message<'a>,
        id: &'a [u8],
        timestamp: &'a [u8],
        keys: usize,
    ) -> Result<Pieces<'a>, SignatureError> {
        match &self.proof {
            Proof::Content(content) => content.fill(message, id, timestamp),
            Proof::Native(Native::Twilio { public_url }) => native::twilio(public_url, message, keys),
            Proof::Native(Native::Ebay) => Ok(smallvec![Cow::Borrowed(message.body)]),
            _ => Ok(Pieces::new()),
        }
    }

    /// The first key whose signature over `pieces` is presented.
    fn matching<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key> + Clone,
        entries: &[&[u8]],
        pieces: &Pieces<'_>,
    ) -> Result<Option<usize>, SignatureError> {
        let read = |variant: &Variant| variant.presented.read(entries, |length| variant.key_use.fits(length));
        let candidates: SmallVec<[Candidates; 1]> = self.variants.iter().map(read).collect();
        let presented = |key: &Key| candidates.get(key.variant);
        if keys.clone().count() > 0 && keys.clone().all(|key| presented(key).is_none_or(Candidates::is_empty))
        {
            return Err(NO_SIGNATURE);
        }
        let mut message = None;
        Ok(keys.clone().position(|key| {
            let Some(candidates) = presented(key) else { return false };
            match &key.material {
                Material::Public(public) => {
                    let message = message.get_or_insert_with(|| pieces.concat());
                    candidates
                        .iter()
                        .take(MAX_PUBLIC_TRIED)
                        .any(|signature| public.verifies(message, signature))
                }
                _ => key.mac(pieces).is_some_and(|mac| candidates.contain(&mac)),
            }
        }))
    }

    /// What follows the label of a credential. In `Authorization` the label is the name of a scheme, which has no case (RFC
    /// 9110, section 11.1).
    fn credential<'a>(&self, presented: &Presented, entry: &'a [u8]) -> Option<&'a [u8]> {
        match (&self.place, &presented.label) {
            (SignaturePlace::Header(names), Label::Prefix(prefix)) if names[..] == [AUTHORIZATION] => {
                let (label, credential) = entry.split_at_checked(prefix.len())?;
                label.eq_ignore_ascii_case(prefix.as_bytes()).then_some(credential)
            }
            _ => presented.unlabelled(entry),
        }
    }

    /// The first key that is the presented text itself. Every key is compared, each in constant time.
    fn token<'k, 'a>(
        &self,
        keys: impl Iterator<Item = &'k Key> + Clone,
        entries: &[&'a [u8]],
        read: impl Fn(&'a [u8]) -> Option<Cow<'a, [u8]>>,
    ) -> Result<Option<usize>, SignatureError> {
        let presented = &self.first()?.presented;
        let tokens: SmallVec<[Cow<'a, [u8]>; 2]> =
            entries.iter().filter_map(|entry| read(self.credential(presented, entry)?)).collect();
        if tokens.iter().all(|token| token.is_empty()) {
            return Err(SignatureError::Malformed("there is no credential of the scheme's form"));
        }
        let is = |key: &Key| match &key.material {
            Material::Text(secret) => {
                tokens.iter().fold(false, |found, token| found | bool::from(secret.ct_eq(token)))
            }
            _ => false,
        };
        Ok(keys.enumerate().fold(None, |found, (index, key)| match (found, is(key)) {
            (None, true) => Some(index),
            (found, _) => found,
        }))
    }

    fn jwt<'k>(
        &self,
        jwt: &Jwt,
        keys: impl Iterator<Item = &'k Key>,
        entries: &[&[u8]],
        message: &Message<'_>,
        now: UnixSeconds,
    ) -> Result<Option<Proven>, SignatureError> {
        let presented = &self.first()?.presented;
        let tokens: SmallVec<[&[u8]; 1]> =
            entries.iter().filter_map(|entry| self.credential(presented, entry)).take(1).collect();
        let token = tokens.first().filter(|token| !token.is_empty());
        let token = token.ok_or(SignatureError::Malformed("there is no token of the scheme's form"))?;
        for (index, key) in keys.enumerate() {
            match jwt.verify(key, token, message.body, self.timestamp.as_ref(), now) {
                Ok(signed) => return Ok(Some(Proven { key: index, signed })),
                Err(Some(error)) => return Err(error),
                Err(None) => {}
            }
        }
        Ok(None)
    }
}

impl Proven {
    fn untimed(key: usize) -> Self {
        Self { key, signed: None }
    }
}

impl Variant {
    /// Whether the signature rests on SHA-1.
    #[must_use]
    pub fn is_sha1(&self) -> bool {
        matches!(
            self.key_use,
            KeyUse::Hmac(HmacAlgorithm::Sha1)
                | KeyUse::Public(PublicAlgorithm::RsaSha1 | PublicAlgorithm::EcdsaP256Sha1)
        )
    }
}

impl KeyUse {
    /// Whether a signature can have `length` octets.
    pub(super) fn fits(self, length: usize) -> bool {
        match self {
            Self::Hmac(algorithm) => length == algorithm.octets(),
            Self::Public(algorithm) => algorithm.signature_octets().is_none_or(|octets| octets == length),
            Self::Token | Self::JwtHmac => false,
        }
    }
}

fn octets(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// `Basic` and the base64 of `user:password`, as RFC 7617 has it: the scheme's name in either case.
fn basic_credentials(entry: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (scheme, credentials) = entry.split_at_checked("Basic ".len())?;
    let decoded = SignatureEncoding::Base64.decode(credentials)?;
    scheme.eq_ignore_ascii_case(b"Basic ").then(|| Cow::Owned(decoded.into_vec()))
}

/// What keeps logs and record headers clean. Where an ID ends in the signed content is seen to with the content.
fn check_id(id: &[u8]) -> Result<&[u8], SignatureError> {
    if id.is_empty() || id.len() > MAX_ID_OCTETS {
        return Err(SignatureError::Malformed("the message ID is empty or too long"));
    }
    match id.iter().all(u8::is_ascii_graphic) {
        true => Ok(id),
        false => Err(SignatureError::Malformed("the message ID has a space or an unprintable character")),
    }
}

#[cfg(test)]
#[path = "fetched_tests.rs"]
mod fetched_tests;

#[cfg(test)]
#[path = "scheme_tests.rs"]
mod tests;
