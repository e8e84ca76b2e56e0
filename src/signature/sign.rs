//! A request, signed as a provider signs it: for `send`, `dev` and tests.
//!
//! Takes what [`Scheme::verify`] takes. Gives the headers, query parameters and values in the body that it will look
//! for. Public-key schemes are left to those who have the private keys.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::content::Pieces;
use super::key::{Key, Material};
use super::message::Message;
use super::native::{self, Native};
use super::presented::SignatureEncoding;
use super::query::QueryRule;
use super::scheme::{Proof, Scheme, SignaturePlace, Variant};
use super::timestamp::{TimestampPlace, UnixSeconds};
use crate::json::Pointer;

/// What is to be put into a request so that it is genuine.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// Headers.
    pub headers: Vec<(HeaderName, String)>,
    /// Query parameters, undecoded.
    pub query: Vec<(String, String)>,
    /// Values in the body. The body must be a JSON document.
    pub body: Vec<(Pointer, String)>,
}

impl Scheme {
    /// Signs a request with the message ID `id`, sent at `now`. `headers` are those that it has already. A timestamp
    /// that the scheme reads from the body must stand there: [`Scheme::body_timestamp`].
    ///
    /// # Errors
    /// A sentence: the scheme needs a private key, or something that the request does not have.
    pub fn sign(
        &self,
        key: &Key,
        id: &str,
        now: UnixSeconds,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Signed, String> {
        let variant = self.variants.get(key.variant).ok_or("the scheme has no algorithm")?;
        let mut signed = Signed::default();
        let mut complete = headers.clone();
        let mut put = |signed: &mut Signed, name: &HeaderName, value: String| {
            let value_of =
                HeaderValue::from_str(&value).map_err(|_| format!("`{value}` can't be a header's value"))?;
            complete.insert(name.clone(), value_of);
            signed.headers.push((name.clone(), value));
            Ok::<_, String>(())
        };
        if let Some(name) = self.id_headers.first() {
            put(&mut signed, name, id.to_owned())?;
        }
        let timestamp = self.timestamp.as_ref().map(|rule| rule.unit.write(now)).unwrap_or_default();
        let mut entries = Vec::new();
        match self.timestamp.as_ref().map(|rule| &rule.place) {
            Some(TimestampPlace::Header(names)) => {
                let name = names.first().ok_or("the scheme names no header for the timestamp")?;
                put(&mut signed, name, timestamp.clone())?;
            }
            Some(TimestampPlace::Entry(prefix)) => entries.push(format!("{prefix}{timestamp}")),
            _ => {}
        }
        let text = match (&self.proof, &key.material) {
            (_, Material::Public(_)) => {
                return Err("only the provider can sign for this scheme: it has the private key".to_owned());
            }
            (Proof::Jwt(jwt), _) => jwt.sign(key, body, self.timestamp.as_ref(), now)?,
            (Proof::Token, Material::Text(secret)) => {
                String::from_utf8(secret.to_vec()).map_err(|_| "the token is no text".to_owned())?
            }
            (Proof::Basic, Material::Text(secret)) => {
                format!("Basic {}", SignatureEncoding::Base64.encode(secret))
            }
            _ => self.mac(variant, key, &mut signed, &complete, id, &timestamp, body)?,
        };
        let text = match (&self.proof, &variant.presented.label) {
            (Proof::Token | Proof::Jwt(_), super::presented::Label::Prefix(prefix)) => {
                format!("{prefix}{text}")
            }
            _ => text,
        };
        entries.push(text);
        let separator = variant.presented.separators.first().map_or(",", String::as_str);
        let text = entries.join(separator);
        match &self.place {
            SignaturePlace::Header(names) | SignaturePlace::Headers(names) => {
                let name = names.first().ok_or("the scheme names no header")?;
                signed.headers.push((name.clone(), text));
            }
            SignaturePlace::Json(pointer) => signed.body.push((pointer.clone(), text)),
            SignaturePlace::Query(name) => signed.query.push((name.clone(), text)),
        }
        Ok(signed)
    }

    /// Where in the body a timestamp must stand, and its text at `now`.
    #[must_use]
    pub fn body_timestamp(&self, now: UnixSeconds) -> Option<(&Pointer, String)> {
        match self.timestamp.as_ref().map(|rule| (&rule.place, rule.unit)) {
            Some((TimestampPlace::Json(pointer), unit)) => Some((pointer, unit.write(now))),
            _ => None,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that a signature can be over")]
    fn mac<'a>(
        &'a self,
        variant: &Variant,
        key: &Key,
        signed: &mut Signed,
        headers: &'a HeaderMap,
        id: &'a str,
        timestamp: &'a str,
        body: &'a [u8],
    ) -> Result<String, String> {
        let query = match &self.query {
            Some(QueryRule::Is(query)) => Some(query.as_str()),
            _ => None,
        };
        let message = Message { headers, query, body };
        let pieces: Pieces<'a> = match &self.proof {
            Proof::Content(content) => content
                .fill(&message, id.as_bytes(), timestamp.as_bytes())
                .map_err(|error| format!("the request can't be signed: {error}"))?,
            Proof::Native(Native::Twilio { public_url }) => {
                use sha2::Digest as _;
                let hash = hex::encode(sha2::Sha256::digest(body));
                let separator = if public_url.contains('?') { '&' } else { '?' };
                let url = format!("{public_url}{separator}bodySHA256={hash}");
                signed.query.push(("bodySHA256".to_owned(), hash));
                std::iter::once(Cow::Owned(url.into_bytes())).collect()
            }
            Proof::Native(Native::Adyen) => {
                let mut items =
                    native::adyen(body).map_err(|error| format!("the request can't be signed: {error}"))?;
                match (items.pop(), items.is_empty()) {
                    (Some((_, content)), true) => std::iter::once(Cow::Owned(content)).collect(),
                    _ => return Err("a notification of one item can be signed".to_owned()),
                }
            }
            Proof::Native(Native::Sns { .. } | Native::Ebay) => {
                return Err("only the provider can sign for this scheme".to_owned());
            }
            Proof::Token | Proof::Basic | Proof::Jwt(_) => return Err("the scheme signs nothing".to_owned()),
        };
        let mac = key.mac(&pieces).ok_or("the key makes no signatures")?;
        Ok(variant.presented.write(&mac))
    }
}
