//! A provider that hands the signing key over in the first request it sends.
//!
//! Takes such a request. Gives the secret and the answer. The secret is never kept: hookbridge has no state, so
//! the operator must store it, and a request that brings one is welcome only while the source says so
//! (`show_offered_secret`). It is wiped from memory when dropped, and never shown but on purpose.

use std::fmt;

use http::HeaderName;
use zeroize::Zeroizing;

use super::Refusal;
use super::answer::Answer;
use super::request::{Places, Request};
use crate::json::{Pointer, Value};

/// The longest secret that is taken, in octets. Providers send 32 to 64.
const MAX_SECRET_OCTETS: usize = 256;

/// Where a provider's first request holds the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The place.
    pub place: OfferPlace,
    /// Whether the answer repeats the header.
    pub echo: bool,
}

/// The place of an offered secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferPlace {
    /// A header.
    Header(HeaderName),
    /// A place in the body: a list of one, as the scan wants it.
    Json([Pointer; 1]),
}

/// A secret that a request has brought.
pub struct OfferedSecret(Zeroizing<String>);

impl OfferedSecret {
    /// For the operator's eyes.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OfferedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfferedSecret([REDACTED])")
    }
}

impl Offer {
    /// Whether the request brings a secret. What is in its place need not be usable.
    #[must_use]
    pub fn is_in(&self, request: &Request<'_>) -> bool {
        match &self.place {
            OfferPlace::Header(name) => request.headers.contains_key(name),
            OfferPlace::Json(pointer) => {
                Places::scan(request.body, pointer).is_some_and(|places| places.get(&pointer[0]).is_some())
            }
        }
    }

    /// The secret, and the answer that takes it.
    ///
    /// # Errors
    /// It is repeated, too long, or not visible ASCII.
    pub fn take(&self, request: &Request<'_>) -> Result<(OfferedSecret, Answer), Refusal> {
        let unusable = |why| Refusal::Unusable { place: "offered secret".to_owned(), why };
        let text = match &self.place {
            OfferPlace::Header(name) => {
                Zeroizing::new(request.header(name)?.ok_or_else(|| unusable("is empty"))?.to_owned())
            }
            OfferPlace::Json(pointer) => {
                let places = Places::scan(request.body, pointer);
                match places.as_ref().and_then(|places| places.get(&pointer[0])) {
                    Some(Value::Text(text)) => Zeroizing::new(text.to_string()),
                    _ => return Err(unusable("is no text")),
                }
            }
        };
        if text.len() > MAX_SECRET_OCTETS || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(unusable("is too long, or not visible ASCII"));
        }
        let echo = match &self.place {
            OfferPlace::Header(name) if self.echo => Some((name.clone(), text.as_str())),
            _ => None,
        };
        let answer = Answer::echo(echo)?;
        Ok((OfferedSecret(text), answer))
    }
}
