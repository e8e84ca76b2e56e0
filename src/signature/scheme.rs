//! A provider's scheme, and the one decision: is this request genuine?
//!
//! Takes the headers, the body's exact octets, the configured keys and a clock value. Gives the index of
//! the key that matched. The algorithm and every name come from the scheme, never from the request.

use http::{HeaderMap, HeaderName};

use super::content::{Content, Coverage, Values};
use super::error::SignatureError;
use super::key::Key;
use super::presented::Presented;
use super::timestamp::{TimestampRule, UnixSeconds};

/// The longest message ID that a header may bring, in octets.
pub const MAX_ID_OCTETS: usize = 256;

/// How a provider signs its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// The header with the signature; several names if the provider uses one or another.
    pub signature_headers: Vec<HeaderName>,
    /// How signatures stand in it.
    pub presented: Presented,
    /// What is signed.
    pub content: Content,
    /// The header with the message ID, if the content has it; several names if the provider uses one or
    /// another.
    pub id_headers: Vec<HeaderName>,
    /// The signed time, if the scheme has one.
    pub timestamp: Option<TimestampRule>,
}

impl Scheme {
    /// What a signature of this scheme covers.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.content.coverage()
    }

    /// Checks a request. Gives the index in `keys` of the key that signed it.
    ///
    /// The work is bounded by the body's length times the number of keys, whatever the headers hold.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Key>,
        headers: &HeaderMap,
        body: &[u8],
        now: UnixSeconds,
    ) -> Result<usize, SignatureError> {
        let mut family = None;
        let mut the_one = |names| the_one_header(headers, names, &mut family);
        let presented = the_one(&self.signature_headers)?;
        let id = match self.coverage().id {
            true => check_id(the_one(&self.id_headers)?, self.content.border_after_id())?,
            false => b"",
        };
        let timestamp = match &self.timestamp {
            Some(rule) => {
                let value = the_one(&rule.headers)?;
                rule.check(value, now)?;
                value
            }
            None => b"",
        };
        let candidates = self.presented.read(presented)?;
        let values = Values { id, timestamp, body };
        let mut tried = 0;
        for key in keys {
            if candidates.contain(&key.sign(&self.content, &values)) {
                return Ok(tried);
            }
            tried += 1;
        }
        Err(SignatureError::Mismatch { keys: tried })
    }

    /// Signs a request: the headers that [`Scheme::verify`] will look for.
    #[must_use]
    pub fn sign(&self, key: &Key, id: &str, now: UnixSeconds, body: &[u8]) -> Vec<(HeaderName, String)> {
        let timestamp = now.0.to_string();
        let values = Values { id: id.as_bytes(), timestamp: timestamp.as_bytes(), body };
        let signature = self.presented.write(&key.sign(&self.content, &values));
        let mut headers = Vec::new();
        if let (true, Some(name)) = (self.coverage().id, self.id_headers.first()) {
            headers.push((name.clone(), id.to_owned()));
        }
        if let Some(name) = self.timestamp.as_ref().and_then(|rule| rule.headers.first()) {
            headers.push((name.clone(), timestamp));
        }
        if let Some(name) = self.signature_headers.first() {
            headers.push((name.clone(), signature));
        }
        headers
    }
}

/// The value of the one header among `names`. Where a scheme knows its headers by two families of names
/// (`svix-*` and `webhook-*`), all must be of the `family` of the first that was read.
fn the_one_header<'a>(
    headers: &'a HeaderMap,
    names: &[HeaderName],
    family: &mut Option<usize>,
) -> Result<&'a [u8], SignatureError> {
    match (at_most_one_header(headers, names)?, names.first()) {
        (Some((index, value)), _) => {
            if names.len() > 1 && *family.get_or_insert(index) != index {
                return Err(SignatureError::Repeated(names[index].clone()));
            }
            Ok(value)
        }
        (None, Some(name)) => Err(SignatureError::Missing(name.clone())),
        (None, None) => Err(SignatureError::Malformed("the scheme names no header")),
    }
}

/// The value of the one header among `names`, and which name it has, if it is there. Two of them, even if
/// equal, are refused: what one reader takes for signed another may not.
///
/// # Errors
/// [`SignatureError::Repeated`].
pub fn at_most_one_header<'a>(
    headers: &'a HeaderMap,
    names: &[HeaderName],
) -> Result<Option<(usize, &'a [u8])>, SignatureError> {
    let mut found = None;
    for (index, name) in names.iter().enumerate() {
        for value in headers.get_all(name) {
            if found.replace((index, value.as_bytes())).is_some() {
                return Err(SignatureError::Repeated(name.clone()));
            }
        }
    }
    Ok(found)
}

/// What follows a signed ID must not be in it, or the border between ID and timestamp could be moved; Standard
/// Webhooks forbids the dot for this reason. The rest keeps logs and record headers clean.
fn check_id<'a>(id: &'a [u8], border: Option<&str>) -> Result<&'a [u8], SignatureError> {
    if id.is_empty() || id.len() > MAX_ID_OCTETS {
        return Err(SignatureError::Malformed("the message ID is empty or too long"));
    }
    if !id.iter().all(u8::is_ascii_graphic) {
        return Err(SignatureError::Malformed("the message ID has a space or an unprintable character"));
    }
    let border = border.unwrap_or_default().as_bytes();
    if !border.is_empty() && id.windows(border.len()).any(|window| window == border) {
        return Err(SignatureError::Malformed(
            "the message ID has in it what follows it in the signed content",
        ));
    }
    Ok(id)
}

#[cfg(test)]
#[path = "scheme_tests.rs"]
mod tests;
