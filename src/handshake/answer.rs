//! The answer to a handshake: a few lines of plain text or JSON that nothing can be smuggled into.
//!
//! Takes what a provider's file says, and the values. Gives an [`Answer`], which only this file makes: text is
//! always `text/plain`, JSON is written by a JSON writer, a header's value is visible ASCII, the status is a 2xx.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::Refusal;
use super::request::{Places, Request, Text};
use super::value::{Facts, Value};

/// A status from 200 to 299.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuccessStatus(StatusCode);

impl SuccessStatus {
    /// 200.
    pub const OK: Self = Self(StatusCode::OK);

    /// The status of this number, if it is a success.
    #[must_use]
    pub fn from_u16(code: u16) -> Option<Self> {
        StatusCode::from_u16(code).ok().filter(StatusCode::is_success).map(Self)
    }

    /// As HTTP knows it.
    #[must_use]
    pub fn code(self) -> StatusCode {
        self.0
    }
}

/// What a provider's file says of an answer.
#[derive(Debug, Clone)]
pub struct Template {
    /// The status.
    pub status: SuccessStatus,
    /// The body.
    pub body: Body,
    /// Further headers.
    pub headers: Vec<(HeaderName, Value)>,
}

/// What a provider's file says of an answer's body.
#[derive(Debug, Clone)]
pub enum Body {
    /// There is none.
    Empty,
    /// Plain text.
    Text(Value),
    /// A JSON object.
    Json(Vec<(String, Value)>),
}

/// An answer, complete.
#[derive(Debug, Clone)]
pub struct Answer {
    status: SuccessStatus,
    content_type: Option<HeaderValue>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    /// Nothing but a status and one header, which repeats what the request brought.
    pub(super) fn echo(header: Option<(HeaderName, &str)>) -> Result<Self, Refusal> {
        let headers = header.map(|(name, text)| header_value(&name, text).map(|value| (name, value)));
        let headers = headers.transpose()?.into_iter().collect();
        Ok(Self { status: SuccessStatus::OK, content_type: None, headers, body: Bytes::new() })
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> SuccessStatus {
        self.status
    }

    /// The body's media type, if there is a body.
    #[must_use]
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.as_ref()
    }

    /// The headers that the provider asks for.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Template {
    /// Every value there is, with those inside others.
    pub fn visit<'t>(&'t self, look: &mut dyn FnMut(&'t Value)) {
        match &self.body {
            Body::Empty => {}
            Body::Text(value) => value.visit(look),
            Body::Json(entries) => entries.iter().for_each(|(_, value)| value.visit(look)),
        }
        self.headers.iter().for_each(|(_, value)| value.visit(look));
    }

    pub(super) fn fill<'a>(
        &'a self,
        request: &Request<'a>,
        places: &Places<'a, '_>,
        facts: &Facts<'a>,
    ) -> Result<Answer, Refusal> {
        let (content_type, body) = match &self.body {
            Body::Empty => (None, Bytes::new()),
            Body::Text(value) => {
                let text = value.of(request, places, facts)?.text.into_owned();
                (Some(HeaderValue::from_static("text/plain; charset=utf-8")), Bytes::from(text))
            }
            Body::Json(entries) => {
                let of_one =
                    |(key, value): &'a (String, Value)| Ok((key.as_str(), value.of(request, places, facts)?));
                let object = Object(entries.iter().map(of_one).collect::<Result<_, Refusal>>()?);
                let text = serde_json::to_vec(&object).map_err(|_| Refusal::Unusable {
                    place: "answer".to_owned(),
                    why: "can't be written as JSON",
                })?;
                (Some(HeaderValue::from_static("application/json")), Bytes::from(text))
            }
        };
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let text = value.of(request, places, facts)?;
            headers.push((name.clone(), header_value(name, &text.text)?));
        }
        Ok(Answer { status: self.status, content_type, headers, body })
    }
}

/// A header's value that is visible ASCII and nothing else: no second header fits into it.
fn header_value(name: &HeaderName, text: &str) -> Result<HeaderValue, Refusal> {
    let unusable = || Refusal::Unusable {
        place: format!("answer's header `{name}`"),
        why: "would not be visible ASCII",
    };
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(unusable());
    }
    HeaderValue::from_str(text).map_err(|_| unusable())
}

/// Written in the order of the file.
struct Object<'a>(Vec<(&'a str, Text<'a>)>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            match value.is_number {
                // As it was written, to the last digit.
                true => {
                    let number: &RawValue = serde_json::from_str(&value.text).map_err(S::Error::custom)?;
                    map.serialize_entry(key, number)?;
                }
                false => map.serialize_entry(key, &value.text)?,
            }
        }
        map.end()
    }
}

impl fmt::Display for SuccessStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_u16())
    }
}
