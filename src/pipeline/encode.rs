//! Station 8: the record, as consumers will see it.
//!
//! Takes [`Routed`]. Gives [`Records`], for each event topic, key, the exact octets as the value, and headers:
//! CloudEvents 1.0 in the Kafka binding's binary mode or, if the source says so, in its structured mode, `traceparent`, the provider's own signature headers (whoever
//! has the secret can verify the record again; not so an element of a batch), and what hookbridge has to say. Refuses with
//! `RegistryUnavailable`, if an event's schema can't be had.
//!
//! Sources: CloudEvents 1.0.2 and its Kafka Protocol Binding, section 3.2, and JSON Event Format; W3C Trace Context, section 3.2.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use bytestring::ByteString;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use rdkafka::message::{Header, OwnedHeaders};
use sha2::{Digest as _, Sha256};

use super::Rejection;
use super::cloudevents::{self, Attributes};
use super::dead_letter;
use super::decode;
use super::extract::{Defect, Element, Event, Field};
use super::route::{Content, Placed, Routed, report_defects};
use super::schemas::{self, Fitted, Framed};
use super::several::Several;
use super::source::Ticket;
use crate::app::App;
use crate::config::{CloudEventsMode, KeyFrom};
use crate::telemetry::current::{self, Ids};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::w3c::{self, TRACEPARENT};
use crate::topic::TopicName;

/// The `ce_type` of a dead letter whose own type is not known.
pub const DEAD_LETTER_TYPE: &str = "hookbridge.dead_letter";

const CLOUDEVENTS_BATCH: &str = "application/cloudevents-batch+json";

/// The header of a record that holds the signed query of its request.
pub(crate) const QUERY: &str = "hookbridge_query";

/// The longest value of a request header that is copied to the record, in octets.
pub(crate) const MAX_COPIED_HEADER: usize = 8 * 1024;

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
    /// What is wrong with those that became dead letters because they do not fit their schema.
    pub(super) misfits: Vec<Defect>,
}

impl Records {
    /// Logs and counts what became a dead letter because it does not fit its schema.
    pub(super) fn report(&self, metrics: &Metrics) {
        report_defects(metrics, &self.ticket.source.name, self.misfits.iter());
    }

    /// The same with one more header each.
    pub(super) fn with_header(self, key: &str, value: &str) -> Self {
        let Self { ticket, records, misfits } = self;
        let records = records.map(|mut record| {
            record.headers = record.headers.insert(header(key, value));
            record
        });
        Self { ticket, records, misfits }
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
    /// Whether a repeat of it is to be counted: it is of a genuine event, and not the second one of that.
    pub(super) is_remembered: bool,
}

/// Makes the records. Waits only for a schema that is not known yet.
///
/// # Errors
/// `RegistryUnavailable`.
pub async fn encode(app: &App, routed: Routed) -> Result<Records, Rejection> {
    let Routed { mut ticket, uri, headers, body, is_undone, events, .. } = routed;
    let (events, misfits) = match events.as_slice().iter().any(|placed| placed.schema.is_some()) {
        true => schemas::fit(app, &ticket, &body, events).await?,
        false => (events.map(Fitted::as_it_is), Vec::new()),
    };
    // What a schema makes of an event stands beside the body, and takes room of its own.
    let added = events.as_slice().iter().map(|fitted| fitted.added(body.len())).sum::<usize>();
    if added > 0 && !ticket.permit.grow(added) {
        return Err(Rejection::Overloaded);
    }
    let common = Common { is_undone, ..Common::of(&ticket, &headers, uri.query()) };
    let records = match events {
        // The usual case, and no list.
        Several::One(Fitted { placed, framed: None }) => Several::One(record(&common, placed, None, &body)),
        events => {
            let mut records = Vec::new();
            for Fitted { placed, framed } in events.into_vec() {
                let twin = twin(&common, &placed, &body);
                let record = record(&common, placed, framed, &body);
                // One message, one key, also where that is the hash of octets that one of them has without their encoding.
                records.extend(twin.map(|twin| Record { key: record.key.clone(), ..twin }));
                records.push(record);
            }
            Several::Many(records)
        }
    };
    Ok(Records { ticket, records, misfits })
}

/// What was signed, as a record of its own, if the route says so.
fn twin(common: &Common<'_>, placed: &Placed, body: &Bytes) -> Option<Record> {
    let topic = placed.schema.as_ref()?.raw_topic.as_ref()?;
    let Content::Event(event) = &placed.content else { return None };
    let is_element = placed.element.is_some();
    let data = if is_element { event.data.clone() } else { body.clone() };
    let raw = Event { data, ..event.clone() };
    let placed =
        Placed { topic: topic.clone(), schema: None, content: Content::Event(raw), element: placed.element };
    let twin = record(&Common { is_undone: false, ..common.clone() }, placed, None, body);
    Some(Record { is_remembered: false, ..twin })
}

/// What all records of a request have in common.
#[derive(Clone)]
pub(super) struct Common<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) request: &'a HeaderMap,
    /// As it was sent, whether it is signed or not.
    pub(super) whole_query: Option<&'a str>,
    /// Where it is signed.
    pub(super) query: Option<&'a str>,
    /// The request's content-encoding.
    encoding: Option<HeaderValue>,
    /// Whether that of a body which is one event has been undone.
    is_undone: bool,
    received_at: String,
    /// Where the request brings no trace of its own.
    new_trace: Option<String>,
}

impl<'a> Common<'a> {
    pub(super) fn of(ticket: &'a Ticket, request: &'a HeaderMap, query: Option<&'a str>) -> Self {
        Self {
            ticket,
            request,
            whole_query: query,
            query: signed_query(ticket, query),
            encoding: decode::header_of(request),
            is_undone: false,
            received_at: humantime::format_rfc3339_millis(ticket.arrived.wall).to_string(),
            new_trace: w3c::parent(request).is_none().then(new_trace),
        }
    }

    /// Whose event it is, and when it came.
    pub(super) fn told(&self, headers: OwnedHeaders) -> OwnedHeaders {
        headers
            .insert(header::<str>("hookbridge_source", &self.ticket.source.name))
            .insert(header("hookbridge_received_at", &self.received_at))
    }
}

fn record(common: &Common<'_>, placed: Placed, framed: Option<Framed>, body: &Bytes) -> Record {
    let Placed { topic, schema, content, element } = placed;
    let is_element = element.is_some();
    let (named, data, defect) = match &content {
        Content::Event(event) => (Named::of(event), &event.data, None),
        Content::DeadLetter(defect) => {
            let named = Named::only(&defect.message_id, defect.event_type.as_ref());
            (named, &defect.data, Some(defect))
        }
    };
    let ticket = common.ticket;
    let attributes = attributes(common, &named);
    let envelope = match (&defect, &framed) {
        (None, None) => envelope(common, &attributes, data, is_element),
        _ => None,
    };
    let mut headers = common.told(attributes.headers());
    if let Some(Element { index, count }) = element {
        headers = headers.insert(header("hookbridge_batch", &format!("{index}/{count}")));
    }
    if let Some(names) = named.unsigned() {
        headers = headers.insert(header("hookbridge_unsigned", &*names));
    }
    if !ticket.source.authentication.coverage().body {
        headers = headers.insert(header("hookbridge_body", "unsigned"));
    }
    let value = match (envelope, framed) {
        (Some(envelope), _) => {
            headers = with_media_type(common, Shape { is_element, form: Form::Envelope }, headers);
            envelope
        }
        (None, Some(framed)) => {
            let form = Form::Framed(framed.media_type);
            headers = with_media_type(common, Shape { is_element, form }, headers)
                .insert(header::<str>("ce_dataschema", &framed.schema_url));
            if schema.is_some_and(|schema| schema.raw_header) {
                let raw = if is_element { data } else { body };
                headers = headers.insert(header("hookbridge_raw", raw.as_ref()));
            }
            framed.value
        }
        (None, None) => {
            let form = if defect.is_some() { Form::Sent } else { Form::Data };
            headers = with_media_type(common, Shape { is_element, form }, headers);
            data.clone()
        }
    };
    headers = copied(common, is_element, headers);
    if let Some(defect) = defect {
        headers = dead_letter::headers(common, defect, is_element, headers);
    }
    Record {
        key: key(ticket, named.message_id, data),
        value,
        timestamp_ms: received_ms(ticket),
        topic,
        headers,
        is_remembered: true,
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

/// The trace of the log's lines, if there are any, or a new one. Nobody has sampled it.
fn new_trace() -> String {
    let ids = current::ids().unwrap_or_else(w3c::new_ids);
    w3c::text(Ids { sampled: false, ..ids })
}

/// What is known of an event by name.
pub(super) struct Named<'a> {
    message_id: &'a Field,
    event_type: Option<&'a Field>,
    /// Where it is a time.
    time: Option<(&'a Field, Cow<'a, str>)>,
    subject: Option<&'a Field>,
}

impl<'a> Named<'a> {
    fn of(event: &'a Event) -> Self {
        let time = event.time.as_ref();
        Self {
            time: time.and_then(|time| Some((time, cloudevents::time(time.text())?))),
            subject: event.subject.as_ref(),
            ..Self::only(&event.message_id, Some(&event.event_type))
        }
    }

    pub(super) fn only(message_id: &'a Field, event_type: Option<&'a Field>) -> Self {
        Self { message_id, event_type, time: None, subject: None }
    }

    /// The names of what the signature does not cover, as they are called in a provider's file.
    fn unsigned(&self) -> Option<Cow<'static, str>> {
        let time = self.time.as_ref().map(|(time, _)| *time);
        let is_unsigned = |field: Option<&Field>| field.is_some_and(|field| !field.is_signed());
        // The usual cases allocate nothing.
        if !is_unsigned(time) && !is_unsigned(self.subject) {
            return match (self.message_id.is_signed(), !is_unsigned(self.event_type)) {
                (true, true) => None,
                (false, true) => Some(Cow::Borrowed("message_id")),
                (true, false) => Some(Cow::Borrowed("event_type")),
                (false, false) => Some(Cow::Borrowed("message_id,event_type")),
            };
        }
        let fields = [
            ("message_id", Some(self.message_id)),
            ("event_type", self.event_type),
            ("event_time", time),
            ("subject", self.subject),
        ];
        let names: Vec<&str> =
            fields.into_iter().filter(|(_, field)| is_unsigned(*field)).map(|(name, _)| name).collect();
        Some(Cow::Owned(names.join(",")))
    }
}

/// The event's attributes. Its time is the provider's, where one is known and can be read, and that of receipt
/// otherwise.
pub(super) fn attributes<'a>(common: &'a Common<'_>, named: &'a Named<'_>) -> Attributes<'a> {
    Attributes {
        id: named.message_id.text(),
        source: &common.ticket.source.path,
        event_type: named.event_type.map_or(DEAD_LETTER_TYPE, |event_type| event_type.text()),
        time: named.time.as_ref().map_or(&common.received_at, |(_, time)| time),
        subject: named.subject.map(|subject| &**subject.text()),
    }
}

/// The event in one piece, if the source says `cloudevents: structured`, and it is not sent so already.
fn envelope(
    common: &Common<'_>,
    attributes: &Attributes<'_>,
    data: &Bytes,
    is_element: bool,
) -> Option<Bytes> {
    if common.ticket.source.cloudevents == CloudEventsMode::Binary {
        return None;
    }
    let content_type = content_type(common.request, is_element).and_then(|value| str::from_utf8(value).ok());
    if cloudevents::is_envelope(content_type) {
        return None;
    }
    Some(attributes.envelope(content_type, data))
}

/// What a record's value is.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) is_element: bool,
    pub(super) form: Form,
}

/// What has been made of what was sent.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Nothing.
    Sent,
    /// What the source says: its content-encoding may have been undone.
    Data,
    /// A CloudEvent in one piece.
    Envelope,
    /// What a schema makes of it, which has a media type of its own, or is that of the data.
    Framed(Option<&'static str>),
}

/// The value's media type, and its encoding, or that this has been undone.
pub(super) fn with_media_type(common: &Common<'_>, shape: Shape, mut headers: OwnedHeaders) -> OwnedHeaders {
    let Shape { is_element, form } = shape;
    let own = match form {
        Form::Envelope => Some(cloudevents::STRUCTURED),
        Form::Framed(media_type) => media_type,
        Form::Sent | Form::Data => None,
    };
    if let Some(value) = own.map(str::as_bytes).or_else(|| content_type(common.request, is_element)) {
        headers = headers.insert(header("content-type", value));
    }
    let Some(encoding) = &common.encoding else { return headers };
    // Elements of a batch were cut out of what is without.
    let is_encoded = !is_element
        && match form {
            Form::Sent => true,
            Form::Data => !common.is_undone,
            Form::Envelope | Form::Framed(_) => false,
        };
    let name = if is_encoded { "content-encoding" } else { "hookbridge_decoded" };
    headers.insert(header(name, encoding.as_bytes()))
}

/// What is taken over from the request: only what is named here or by the scheme, never anything a sender
/// makes up. The signature covers the whole body, so it is of no use beside an element of it, and stays out.
pub(super) fn copied(common: &Common<'_>, is_element: bool, mut headers: OwnedHeaders) -> OwnedHeaders {
    let request = common.request;
    headers = match (&common.new_trace, request.get(TRACEPARENT)) {
        // The span of the record begins with its way to Kafka.
        _ if common.ticket.trace.is_followed() => headers,
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
pub(crate) fn is_credential(name: &HeaderName) -> bool {
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
}
