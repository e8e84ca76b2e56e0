//! The values that an answer is made of.
//!
//! Takes what a provider's file says, the request, and what the source has configured. Gives the text, within a
//! limit, or the reason why there is none. Only here is anything signed for whoever asks: see [`super::token`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use sha2::{Digest as _, Sha256};

use super::Refusal;
use super::request::{Places, Request, Text};
use super::token::{Token, is_token};
use crate::json::{Pointer, Value as Found};
use crate::signature::Key;

/// The longest value of a request that an answer repeats, in octets. Challenges have some tens.
pub const MAX_ECHO_OCTETS: usize = 4096;

/// A value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A parameter of the query string, decoded.
    Query(String),
    /// A header.
    Header(HeaderName),
    /// The text or number at a place in the body.
    Json(Pointer),
    /// A text of the provider's file.
    Text(String),
    /// A number of the provider's file.
    Number(u64),
    /// What the source says under `parameters`.
    Parameter(String),
    /// The source's `public_url`.
    PublicUrl,
    /// The source's `handshake_token`. The configuration allows it only inside a [`Value::Hash`].
    Token,
    /// The HMAC-SHA256 of a token.
    Hmac(Box<Value>, Written),
    /// The SHA-256 of several values, one after the other.
    Hash(Vec<Value>, Written),
}

/// How a hash is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// In base64; in lower-case hexadecimal otherwise.
    pub base64: bool,
    /// What stands before it.
    pub prefix: String,
}

/// What the source has configured, as far as answers need it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The first of its keys.
    pub key: Option<&'a Key>,
    /// Its `handshake_token`.
    pub token: Option<&'a Token>,
    /// Its `parameters`.
    pub parameters: &'a BTreeMap<String, String>,
    /// Its `public_url`.
    pub public_url: Option<&'a str>,
}

impl Written {
    fn write(&self, octets: &[u8]) -> String {
        let hash = if self.base64 { STANDARD.encode(octets) } else { hex::encode(octets) };
        format!("{}{hash}", self.prefix)
    }
}

impl Value {
    /// This value and those in it.
    pub fn visit<'v>(&'v self, look: &mut dyn FnMut(&'v Self)) {
        look(self);
        match self {
            Self::Hmac(inner, _) => inner.visit(look),
            Self::Hash(parts, _) => parts.iter().for_each(|part| part.visit(look)),
            _ => {}
        }
    }

    pub(super) fn of<'a>(
        &'a self,
        request: &Request<'a>,
        places: &Places<'a, '_>,
        facts: &Facts<'a>,
    ) -> Result<Text<'a>, Refusal> {
        let nothing = |what: &str| Refusal::Unusable { place: what.to_owned(), why: "is not configured" };
        Ok(match self {
            Self::Query(name) => {
                let place = || format!("query parameter `{name}`");
                Text::new(bounded(request.query(name)?, place)?)
            }
            Self::Header(name) => {
                let place = || format!("header `{name}`");
                Text::new(bounded(request.header(name)?.map(Cow::Borrowed), place)?)
            }
            Self::Json(pointer) => of_json(places.get(pointer), pointer)?,
            Self::Text(text) => Text::new(text.as_str()),
            Self::Number(number) => Text { text: number.to_string().into(), is_number: true },
            Self::Parameter(name) => {
                let value = facts.parameters.get(name).ok_or_else(|| nothing("the parameter"))?;
                Text::new(value.as_str())
            }
            Self::PublicUrl => Text::new(facts.public_url.ok_or_else(|| nothing("the public URL"))?),
            Self::Token => Text::new(facts.token.ok_or_else(|| nothing("the handshake token"))?.text()),
            Self::Hmac(inner, written) => {
                let value = inner.of(request, places, facts)?;
                if !is_token(value.text.as_bytes()) {
                    return Err(Refusal::NotAToken);
                }
                let mac = facts.key.and_then(|key| key.hmac_sha256(&[value.text.as_bytes()]));
                Text::new(written.write(&mac.ok_or_else(|| nothing("a secret to sign the answer with"))?))
            }
            Self::Hash(parts, written) => {
                let mut hash = Sha256::new();
                for part in parts {
                    hash.update(part.of(request, places, facts)?.text.as_bytes());
                }
                Text::new(written.write(&hash.finalize()))
            }
        })
    }
}

fn of_json<'a>(found: Option<&Found<'a>>, pointer: &Pointer) -> Result<Text<'a>, Refusal> {
    let place = || format!("value at {pointer}");
    let (text, is_number) = match found {
        None | Some(Found::Null) => (None, false),
        Some(Found::Text(text)) => (Some(text.clone()), false),
        Some(Found::Number(text)) => (Some(Cow::Borrowed(*text)), true),
        Some(Found::Other) => {
            return Err(Refusal::Unusable { place: place(), why: "is neither text nor a number" });
        }
    };
    Ok(Text { text: bounded(text, place)?, is_number })
}

fn bounded<'a>(text: Option<Cow<'a, str>>, place: impl Fn() -> String) -> Result<Cow<'a, str>, Refusal> {
    match text {
        None => Err(Refusal::Unusable { place: place(), why: "is not there" }),
        Some(text) if text.len() > MAX_ECHO_OCTETS => {
            Err(Refusal::Unusable { place: place(), why: "is longer than an answer repeats" })
        }
        Some(text) => Ok(text),
    }
}
