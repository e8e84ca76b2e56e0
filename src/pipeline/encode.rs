//! Station 7: the record, as consumers will see it.
//!
//! Takes [`Routed`]. Gives [`Records`], for each event topic, key, the exact octets as the value, and headers:
//! CloudEvents 1.0 in the Kafka binding's binary mode, `traceparent`, the provider's own signature headers (whoever
//! has the secret can verify the record again; not so an element of a batch), and what hookbridge has to say. Refuses
//! nothing yet: schemas will.
//!
//! Sources: CloudEvents 1.0.2 and its Kafka Protocol Binding, section 3.2, and JSON Event Format; W3C Trace Context, section 3.2.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use bytestring::ByteString;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderName};
use rdkafka::message::{Header, OwnedHeaders};
use sha2::{Digest as _, Sha256};

use super::dead_letter;
use super::extract::{Element, Field};
use super::route::{Content, Placed, Routed};
use super::several::Several;
use super::source::Ticket;
use crate::config::KeyFrom;
use crate::topic::TopicName;

/// The `ce_type` of a dead letter whose own type is not known.
pub const DEAD_LETTER_TYPE: &str = "hookbridge.dead_letter";

const CLOUDEVENTS_BATCH: &str = "application/cloudevents-batch+json";

const TRACEPARENT: &str = "traceparent";

/// The header of a record that holds the signed query of its request.
pub(super) const QUERY: &str = "hookbridge_query";

/// The longest value of a request header that is copied to the record, in octets.
pub(super) const MAX_COPIED_HEADER: usize = 8 * 1024;

/// The longest media type that is copied, in octets. Nobody signs it, and every element of a batch repeats it, within
/// [`crate::budget::ELEMENT_OVERHEAD_BYTES`].
const MAX_CONTENT_TYPE: usize = 256;

/// The records of a request, which are acknowledged all or not at all.
#[derive(Debug)]
#[must_use]
pub struct Records {
    pub(super) ticket: Ticket,
    /// Never empty.
    pub(super) records: Several<Record>,
}

impl Records {
    /// The same with one more header each.
    pub(super) fn with_header(self, key: &str, value: &str) -> Self {
        let Self { ticket, records } = self;
        let records = records.map(|mut record| {
            record.headers = record.headers.insert(header(key, value));
            record
        });
        Self { ticket, records }
    }

    /// Topic and key of each, in their order.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&TopicName, &ByteString)> {
        self.records.as_slice().iter().map(|record| (&record.topic, &record.key))
    }
}

/// One record.
#[derive(Debug)]
#[must_use]
pub struct Record {
    pub(super) topic: TopicName,
    pub(super) key: ByteString,
    pub(super) value: Bytes,
    pub(super) timestamp_ms: i64,
    pub(super) headers: OwnedHeaders,
}

/// Makes the records.
pub fn encode(routed: Routed) -> Records {
    let Routed { ticket, uri, headers, events, .. } = routed;
    let common = Common::of(&ticket, &headers, uri.query());
    let records = events.map(|placed| record(&common, placed));
    Records { ticket, records }
}

/// What all records of a request have in common.
pub(super) struct Common<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) request: &'a HeaderMap,
    /// As it was sent, whether it is signed or not.
    pub(super) whole_query: Option<&'a str>,
    /// Where it is signed.
    pub(super) query: Option<&'a str>,
    pub(super) time: String,
    /// Where the request brings no trace of its own.
    new_trace: Option<String>,
}

impl<'a> Common<'a> {
    pub(super) fn of(ticket: &'a Ticket, request: &'a HeaderMap, query: Option<&'a str>) -> Self {
        let trace = request.get(TRACEPARENT).filter(|value| is_traceparent(value.as_bytes()));
        Self {
            ticket,
            request,
            whole_query: query,
            query: signed_query(ticket, query),
            time: humantime::format_rfc3339_millis(ticket.arrived.wall).to_string(),
            new_trace: trace.is_none().then(new_traceparent),
        }
    }
}

fn record(common: &Common<'_>, placed: Placed) -> Record {
    let Placed { topic, content, element } = placed;
    let (message_id, event_type, data, defect) = match &content {
        Content::Event(event) => (&event.message_id, Some(&event.event_type), &event.data, None),
        Content::DeadLetter(defect) => {
            (&defect.message_id, defect.event_type.as_ref(), &defect.data, Some(defect))
        }
    };
    let ticket = common.ticket;
    let mut headers = cloud_event(common, message_id, event_type)
        .insert(header::<str>("hookbridge_source", &ticket.source.name));
    if let Some(Element { index, count }) = element {
        headers = headers.insert(header("hookbridge_batch", &format!("{index}/{count}")));
    }
    if let Some(names) = unsigned_names(message_id, event_type) {
        headers = headers.insert(header("hookbridge_unsigned", names));
    }
    if !ticket.source.authentication.coverage().body {
        headers = headers.insert(header("hookbridge_body", "unsigned"));
    }
    headers = copied(common, element.is_some(), headers);
    if let Some(defect) = defect {
        headers = dead_letter::headers(common, defect, element.is_some(), headers);
    }
    Record {
        key: key(ticket, message_id, data),
        value: data.clone(),
        timestamp_ms: received_ms(ticket),
        topic,
        headers,
    }
}

pub(super) fn header<'a, V: ?Sized>(key: &'a str, value: &'a V) -> Header<'a, &'a V> {
    Header { key, value: Some(value) }
}

pub(super) fn received_ms(ticket: &Ticket) -> i64 {
    let since = ticket.arrived.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn key(ticket: &Ticket, message_id: &Field, data: &Bytes) -> ByteString {
    let key = match ticket.source.key {
        KeyFrom::MessageId => message_id.text().clone(),
        KeyFrom::BodySha256 => ByteString::from(hex::encode(Sha256::digest(data))),
    };
    match &ticket.source.namespace {
        Some(namespace) => ByteString::from(format!("{namespace}:{key}")),
        None => key,
    }
}

/// The attributes that CloudEvents requires, and the time of receipt: no provider's own time is known to
/// mean when the event happened.
pub(super) fn cloud_event(
    common: &Common<'_>,
    message_id: &Field,
    event_type: Option<&Field>,
) -> OwnedHeaders {
    let event_type = event_type.map_or(DEAD_LETTER_TYPE, |event_type| event_type.text());
    OwnedHeaders::new_with_capacity(16)
        .insert(header("ce_specversion", "1.0"))
        .insert(header::<str>("ce_id", message_id.text()))
        .insert(header("ce_source", common.ticket.source.path.as_str()))
        .insert(header("ce_type", event_type))
        .insert(header("ce_time", &common.time))
}

/// The names of what the signature does not cover.
fn unsigned_names(message_id: &Field, event_type: Option<&Field>) -> Option<&'static str> {
    match (message_id.is_signed(), event_type.is_none_or(Field::is_signed)) {
        (true, true) => None,
        (false, true) => Some("message_id"),
        (true, false) => Some("event_type"),
        (false, false) => Some("message_id,event_type"),
    }
}

/// What is taken over from the request: only what is named here or by the scheme, never anything a sender
/// makes up. The signature covers the whole body, so it is of no use beside an element of it, and stays out.
pub(super) fn copied(common: &Common<'_>, is_element: bool, mut headers: OwnedHeaders) -> OwnedHeaders {
    let request = common.request;
    if let Some(value) = content_type(request, is_element) {
        headers = headers.insert(header("content-type", value));
    }
    headers = match (&common.new_trace, request.get(TRACEPARENT)) {
        (None, Some(value)) => headers.insert(header(TRACEPARENT, value.as_bytes())),
        (new_trace, _) => headers.insert(Header { key: TRACEPARENT, value: new_trace.as_ref() }),
    };
    if is_element {
        return headers;
    }
    for name in common.ticket.source.proof_headers().filter(|name| !is_credential(name)) {
        if let Some(value) = request.get(name).filter(|value| value.len() <= MAX_COPIED_HEADER) {
            headers = headers.insert(header(name.as_str(), value.as_bytes()));
        }
    }
    if let Some(query) = common.query {
        headers = headers.insert(header(QUERY, query));
    }
    headers
}

/// The request's query, if the signature is over it: without it nobody could verify the record again.
pub(super) fn signed_query<'a>(ticket: &Ticket, query: Option<&'a str>) -> Option<&'a str> {
    query.filter(|query| query.len() <= MAX_COPIED_HEADER && ticket.source.authentication.signs_query())
}

fn content_type(request: &HeaderMap, is_element: bool) -> Option<&[u8]> {
    let value = request.get(CONTENT_TYPE)?.as_bytes();
    (value.len() <= MAX_CONTENT_TYPE).then_some(if is_element { of_element(value) } else { value })
}

/// Whether the header is known to hold a credential: no provider file can name it, and no record ever has it.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE].contains(name)
}

/// The media type of a batch's element. CloudEvents has one for the batch and one for the event (JSON Event Format,
/// sections 3 and 4); elsewhere they are the same.
fn of_element(content_type: &[u8]) -> &[u8] {
    let is_batch = content_type
        .get(..CLOUDEVENTS_BATCH.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(CLOUDEVENTS_BATCH.as_bytes()));
    if is_batch { b"application/cloudevents+json" } else { content_type }
}

/// A trace that begins here, not sampled. Its ids must be unlike others, not hard to guess: the seeds of the
/// standard library's hash maps are that.
fn new_traceparent() -> String {
    let random = || RandomState::new().build_hasher().finish().max(1);
    format!("00-{:016x}{:016x}-{:016x}-00", random(), random(), random())
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, lower case, neither ID all zero.
fn is_traceparent(value: &[u8]) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    let is_id = |part: &[u8]| is_hex(part) && part.iter().any(|b| *b != b'0');
    value.len() == 55
        && value.starts_with(b"00-")
        && is_id(&value[3..35])
        && value[35] == b'-'
        && is_id(&value[36..52])
        && value[52] == b'-'
        && is_hex(&value[53..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_media_type_is_not_copied_to_every_element() {
        let with = |value: String| HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]);
        for (length, is_copied) in [(256, true), (257, false), (8 * 1024, false)] {
            let headers = with("x".repeat(length));
            for is_element in [true, false] {
                assert_eq!(content_type(&headers, is_element).is_some(), is_copied, "{length}");
            }
        }
    }

    #[test]
    fn an_element_of_a_cloudevents_batch_is_a_cloudevent() {
        let of_element = |value: &'static str| of_element(value.as_bytes());
        assert_eq!(
            of_element("Application/CloudEvents-batch+json; charset=utf-8"),
            b"application/cloudevents+json"
        );
        assert_eq!(of_element("application/json; charset=utf-8"), b"application/json; charset=utf-8");
        assert_eq!(of_element(""), b"");
    }

    #[test]
    fn a_new_traceparent_is_one_and_unlike_the_last() {
        let (one, other) = (new_traceparent(), new_traceparent());
        assert!(is_traceparent(one.as_bytes()) && is_traceparent(other.as_bytes()));
        assert_ne!(one, other);
    }

    #[test]
    fn a_traceparent_is_passed_on_only_if_it_is_one() {
        assert!(is_traceparent(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for wrong in [
            &b""[..],
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(wrong));
        }
    }
}
