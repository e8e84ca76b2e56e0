//! A request, as far as handshakes look at it.
//!
//! Takes the query string, the headers and the body's octets. Gives single values, decoded, each of which must be
//! there once: of a value that is given twice nobody can say which one counts.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use super::Refusal;
use crate::json::{self, Found, Pointer, Value};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The query string, if there is one, as it was sent.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body's exact octets; empty where it is not read.
    pub body: &'a [u8],
}

/// A text, and whether it is a number in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) is_number: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), is_number: false }
    }
}

impl<'a> Request<'a> {
    /// A parameter of the query string. Empty is not there.
    pub(super) fn query(&self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let parameters = form_urlencoded::parse(self.query.unwrap_or_default().as_bytes());
        let mut values = parameters.filter(|(other, _)| other == name).map(|(_, value)| value);
        let value = values.next();
        if values.next().is_some() {
            return Err(Refusal::Repeated(format!("query parameter `{name}`")));
        }
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// A header. Empty is not there.
    pub(super) fn header(&self, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next();
        if values.next().is_some() {
            return Err(Refusal::Repeated(format!("header `{name}`")));
        }
        match value.map(|value| value.to_str()) {
            None | Some(Ok("")) => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(Refusal::Unusable {
                place: format!("header `{name}`"),
                why: "has octets that are not visible ASCII",
            }),
        }
    }
}

/// What was found in the body at a handshake's pointers.
#[derive(Debug)]
pub(super) struct Places<'a, 'p> {
    pointers: &'p [Pointer],
    found: Found<'a>,
}

impl<'a, 'p> Places<'a, 'p> {
    /// Scans the body, if there is anything to look for. `None` if it is no JSON in which the pointers are
    /// unambiguous.
    pub(super) fn scan(body: &'a [u8], pointers: &'p [Pointer]) -> Option<Self> {
        let wanted: Vec<&Pointer> = pointers.iter().collect();
        let found = if wanted.is_empty() { Found::default() } else { json::scan(body, &wanted).ok()? };
        Some(Self { pointers, found })
    }

    /// What stands at one of the pointers. `null` and an empty text are not there.
    pub(super) fn get(&self, pointer: &Pointer) -> Option<&Value<'a>> {
        let slot = self.pointers.iter().position(|other| other == pointer)?;
        self.found.get(slot)?.as_ref().filter(|value| match value {
            Value::Null => false,
            Value::Text(text) => !text.is_empty(),
            Value::Number(_) | Value::Other => true,
        })
    }
}
