//! Station 5: what happened, and which message says so?
//!
//! Takes [`Verified`]. Gives [`Extracted`]: the message ID and the event type, each marked as signed or not,
//! and the data. Refuses nothing: sending a genuine request again would not change it, so what can't be
//! read becomes a [`Defect`], which goes to the dead-letter topic.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::source::Ticket;
use super::verify::Verified;
use crate::expression::Expression;
use crate::json::{self, Found, Pointer, Value};
use crate::signature::Coverage;

/// The longest message ID and event type, in octets.
pub const MAX_NAME_OCTETS: usize = 256;

/// The type of events whose provider names none.
pub const UNNAMED_TYPE: &str = "webhook";

/// A value, and whether the signature covers it. What is not covered can be altered by whoever has seen one
/// genuine request and sends it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The signer wrote it.
    Signed(ByteString),
    /// Anybody may have written it.
    Unsigned(ByteString),
}

impl Field {
    fn new(text: ByteString, signed: bool) -> Self {
        if signed { Self::Signed(text) } else { Self::Unsigned(text) }
    }

    /// The text, whoever wrote it.
    #[must_use]
    pub fn text(&self) -> &ByteString {
        match self {
            Self::Signed(text) | Self::Unsigned(text) => text,
        }
    }

    /// Whether the signature covers it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Signed(_))
    }
}

/// One event.
#[derive(Debug)]
pub struct Event {
    pub(super) message_id: Field,
    pub(super) event_type: Field,
    /// The exact octets that were signed.
    pub(super) data: Bytes,
}

impl Event {
    /// The message ID: what the record's key is made of.
    #[must_use]
    pub fn message_id(&self) -> &Field {
        &self.message_id
    }

    /// The event type: what the topic is chosen by.
    #[must_use]
    pub fn event_type(&self) -> &Field {
        &self.event_type
    }
}

/// A genuine request that can't be read as an event.
#[derive(Debug)]
pub struct Defect {
    /// Found before the defect was, or the body's hash.
    pub(super) message_id: Field,
    pub(super) event_type: Option<Field>,
    pub(super) data: Bytes,
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Defect {
    /// What is wrong, for machines.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Writes the log line.
    pub(super) fn log(&self, source: &str) {
        let (error_type, reason) = (self.reason.as_str(), self.detail.as_str());
        let message_id = &**self.message_id.text();
        tracing::warn!(source, error.type = error_type, reason, message_id, "event goes to the dead-letter topic");
    }
}

/// Why an event is a dead letter: the value of the header `hookbridge_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The body is not JSON, or names the event twice.
    UnreadableBody,
    /// The message ID is there and can't be one.
    UnusableMessageId,
    /// The event has no type.
    MissingEventType,
    /// The event type is there and can't be one.
    UnusableEventType,
    /// The type would name one topic more than the source may bring into being.
    TooManyTopics,
}

impl Reason {
    /// The text that consumers of the dead-letter topic match on.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableBody => "unreadable_body",
            Self::UnusableMessageId => "unusable_message_id",
            Self::MissingEventType => "missing_event_type",
            Self::UnusableEventType => "unusable_event_type",
            Self::TooManyTopics => "too_many_topics",
        }
    }
}

/// What a request holds.
#[derive(Debug)]
#[must_use]
pub struct Extracted {
    pub(super) ticket: Ticket,
    pub(super) headers: HeaderMap,
    pub(super) found: Result<Event, Box<Defect>>,
}

/// Reads the event.
pub fn extract(verified: Verified) -> Extracted {
    let request = verified.into_request();
    let source = &request.ticket.source;
    let signed = source.authentication.coverage();
    let provider = &source.provider;
    let found = read(&provider.message_id, &provider.event_type, &request.headers, &request.body, signed);
    Extracted { ticket: request.ticket, headers: request.headers, found }
}

/// The pure part: octets and headers in, an event or a defect out.
pub(crate) fn read(
    id_places: &[Expression],
    type_places: &[Expression],
    headers: &HeaderMap,
    body: &Bytes,
    signed: &Coverage,
) -> Result<Event, Box<Defect>> {
    let pointers: Vec<&Pointer> =
        id_places.iter().chain(type_places).filter_map(Expression::pointer).collect();
    let scanned = if pointers.is_empty() { Ok(Found::default()) } else { json::scan(body, &pointers) };
    let request = Places { headers, body, signed, pointers: &pointers, found: scanned.as_ref().ok() };

    let hash = || Field::new(ByteString::from(hex::encode(Sha256::digest(body))), signed.body);
    let message_id = request.first(id_places);
    let event_type = match type_places {
        [] => Ok(Some(Field::Signed(ByteString::from_static(UNNAMED_TYPE)))),
        places => request.first(places),
    };
    let defect = |message_id: Option<&Field>, event_type: Option<&Field>, reason, detail: String| {
        Box::new(Defect {
            message_id: message_id.cloned().unwrap_or_else(hash),
            event_type: event_type.cloned(),
            data: body.clone(),
            reason,
            detail,
        })
    };
    let known_id = message_id.as_ref().ok().and_then(Option::as_ref);
    let known_type = event_type.as_ref().ok().and_then(Option::as_ref);
    match (&scanned, message_id.as_ref(), event_type.as_ref()) {
        (Err(error), ..) => Err(defect(known_id, known_type, Reason::UnreadableBody, error.to_string())),
        (_, Err(why), _) => Err(defect(None, known_type, Reason::UnusableMessageId, why.clone())),
        (_, _, Err(why)) => Err(defect(known_id, None, Reason::UnusableEventType, why.clone())),
        (_, _, Ok(None)) => {
            let places: Vec<String> = type_places.iter().map(Expression::to_string).collect();
            let detail = format!("nothing stands at {}", places.join(" or "));
            Err(defect(known_id, None, Reason::MissingEventType, detail))
        }
        (Ok(_), Ok(message_id), Ok(Some(event_type))) => Ok(Event {
            message_id: message_id.clone().unwrap_or_else(hash),
            event_type: event_type.clone(),
            data: body.clone(),
        }),
    }
}

/// The places of one request.
struct Places<'a> {
    headers: &'a HeaderMap,
    body: &'a Bytes,
    signed: &'a Coverage,
    pointers: &'a [&'a Pointer],
    found: Option<&'a Found<'a>>,
}

impl Places<'_> {
    /// The first of `places` that has a value, or what is wrong with it. An empty text is no value.
    fn first(&self, places: &[Expression]) -> Result<Option<Field>, String> {
        for place in places {
            let field = match place {
                Expression::Header(names) => self.header(names)?,
                Expression::Json(pointer) => self.json(pointer)?,
            };
            if field.is_some() {
                return Ok(field);
            }
        }
        Ok(None)
    }

    fn header(&self, names: &[HeaderName]) -> Result<Option<Field>, String> {
        // That there is no second one has been seen to by `verify`.
        let mut values = names.iter().filter_map(|name| Some((name, self.headers.get(name)?)));
        let Some((name, value)) = values.find(|(_, value)| !value.is_empty()) else { return Ok(None) };
        let text =
            std::str::from_utf8(value.as_bytes()).map_err(|_| format!("the header {name} is not UTF-8"))?;
        check_name(text).map_err(|why| format!("the header {name} {why}"))?;
        Ok(Some(Field::new(ByteString::from(text), self.signed.header(name))))
    }

    fn json(&self, pointer: &Pointer) -> Result<Option<Field>, String> {
        let slot = self.pointers.iter().position(|other| *other == pointer);
        let value = slot.and_then(|slot| self.found?.get(slot)?.as_ref());
        let text = match value {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Text(text)) if text.is_empty() => return Ok(None),
            Some(Value::Text(Cow::Borrowed(text)) | Value::Number(text)) => self.slice(text),
            Some(Value::Text(Cow::Owned(text))) => ByteString::from(text.as_str()),
            Some(Value::Other) => {
                return Err(format!("what stands at {pointer} is neither text nor a number"));
            }
        };
        check_name(&text).map_err(|why| format!("what stands at {pointer} {why}"))?;
        Ok(Some(Field::new(text, self.signed.json(pointer))))
    }

    /// `text` is part of the body: its octets are shared, not copied.
    fn slice(&self, text: &str) -> ByteString {
        let octets = self.body.slice_ref(text.as_bytes());
        ByteString::try_from(octets).unwrap_or_else(|_| ByteString::from(text))
    }
}

fn check_name(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_NAME_OCTETS {
        return Err("is too long");
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character");
    }
    Ok(())
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
