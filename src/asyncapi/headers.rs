//! The headers of a record, as a schema: which are always there, which may be, and what stands in them.
//!
//! Takes a source, and what kind of record it is. Gives [`Headers`]. The rules are those of [`crate::pipeline`]'s stations `encode`,
//! `dead_letter`, `report_only`, `quarantine` and `again`, and a test holds real records against them.

use serde_json::{Map, Value, json};

use super::types::Types;
use crate::batch::MAX_ELEMENTS;
use crate::config::{Config, RouteSchema, Source};
use crate::expression::Expression;
use crate::kafka::clusters::CLUSTER_HEADER;
use crate::pipeline::extract::{MAX_NAME_OCTETS, Reason};
use crate::pipeline::{again, encode, kept_with_dead_letters, report_only};
use crate::signature::Coverage;
use crate::telemetry::{trace, w3c};

/// The longest media type that a record has, in octets.
const MAX_CONTENT_TYPE: usize = 256;

/// A time, for examples.
pub(super) const EXAMPLE_TIME: &str = "2026-01-01T12:00:00.000Z";

/// What kind of record it is.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    /// An event.
    Event(&'a Types, Form<'a>),
    /// What can't be read.
    DeadLetter,
    /// A request whose signature fails, published as such.
    ReportOnly,
    /// A request that was refused, and is kept.
    Quarantined,
}

/// What the value of an event's record is.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    /// What the source says: what was signed, or that without its content-encoding.
    Data,
    /// What was signed, whatever the source says.
    AsSigned,
    /// A CloudEvent in one piece.
    Envelope,
    /// What a schema makes of it.
    Framed(&'a RouteSchema),
}

/// A header.
struct Header {
    name: String,
    schema: Value,
    is_required: bool,
    example: Option<String>,
}

/// The headers of one kind of record.
#[derive(Default)]
pub(super) struct Headers(Vec<Header>);

impl Headers {
    /// All of them.
    pub(super) fn of(config: &Config, source: &Source, kind: Kind<'_>) -> Self {
        let mut headers = Self::default();
        match kind {
            Kind::Event(types, form) => headers.event(config, source, types, form),
            Kind::DeadLetter => headers.dead_letter(source),
            Kind::ReportOnly => headers.report_only(source),
            Kind::Quarantined => headers.quarantined(source),
        }
        if config.standby.is_some() {
            let said = "The record went to the second cluster, since the first one was away.";
            headers.may(CLUSTER_HEADER, json!({ "type": "string", "const": "standby", "description": said }));
        }
        headers
    }

    fn event(&mut self, config: &Config, source: &Source, types: &Types, form: Form<'_>) {
        let is_element = source.split.is_some();
        self.attributes(source, types.schema());
        if !source.provider.subject.is_empty() {
            self.may("ce_subject", name("What the event is about."));
        }
        self.told(source);
        if is_element {
            self.must("hookbridge_batch", batch(), Some("0/1"));
        }
        let provider = &source.provider;
        let fields = [
            ("message_id", &provider.message_id, true),
            ("event_type", &provider.event_type, true),
            ("event_time", &provider.event_time, false),
            ("subject", &provider.subject, false),
        ];
        self.unsigned(source, &fields);
        self.body_unsigned(source);
        match form {
            Form::Envelope => {
                let schema =
                    json!({ "type": "string", "const": "application/cloudevents+json; charset=UTF-8" });
                self.must("content-type", schema, Some("application/cloudevents+json; charset=UTF-8"));
            }
            Form::Framed(RouteSchema { kind: crate::schema::Kind::Json, .. })
            | Form::Data
            | Form::AsSigned => {
                self.content_type();
            }
            Form::Framed(RouteSchema { kind, .. }) => {
                let media_type = super::payloads::media_type(*kind);
                self.must("content-type", json!({ "type": "string", "const": media_type }), Some(media_type));
            }
        }
        let is_encoded = !is_element
            && match form {
                Form::AsSigned => true,
                Form::Data => !source.decompress,
                Form::Envelope | Form::Framed(_) => false,
            };
        self.encoding(is_encoded, !is_encoded);
        if let Form::Framed(schema) = form {
            self.schema_id(config, schema);
        }
        self.copied(source, is_element);
        self.replayed();
    }

    fn dead_letter(&mut self, source: &Source) {
        let may_be_element = source.split.is_some();
        let event_type =
            name(&format!("The event's type, or `{}` where it is not known.", encode::DEAD_LETTER_TYPE));
        self.attributes(source, event_type);
        self.told(source);
        if may_be_element {
            self.may("hookbridge_batch", batch());
        }
        let provider = &source.provider;
        // Of a dead letter either may be missing, and the ID is then the data's hash.
        let fields =
            [("message_id", &provider.message_id, false), ("event_type", &provider.event_type, false)];
        self.unsigned(source, &fields);
        self.body_unsigned(source);
        self.content_type();
        self.encoding(true, may_be_element);
        self.copied(source, false);
        let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        let schema = json!({ "type": "string", "enum": reasons, "description": "Why it is a dead letter." });
        self.must("hookbridge_reason", schema, Some("unreadable_body"));
        let schema = json!({ "type": "string", "description": "The same, for people." });
        self.must("hookbridge_detail", schema, Some("expected value at line 1 column 1"));
        self.path(source);
        let at = "Where the fault is: a JSON Pointer into the value, or `header x`, `query x`, `form x`.";
        self.may("hookbridge_fault_path", json!({ "type": "string", "description": at }));
        let topic = "The topic that the event would have gone to, where it is known.";
        self.may(
            "hookbridge_topic",
            json!({ "type": "string", "pattern": "^[a-zA-Z0-9._-]+$", "description": topic }),
        );
        for name in kept_with_dead_letters(source) {
            self.may(name.as_str(), json!({ "type": "string", "description": "As it was sent: an ID or a type may stand in it." }));
        }
        let provider = &source.provider;
        let places = || provider.message_id.iter().chain(&provider.event_type).flat_map(Expression::places);
        if places().any(|place| matches!(place, Expression::Query(_))) {
            self.query();
        }
        self.replayed();
    }

    fn report_only(&mut self, source: &Source) {
        let unknown = report_only::UNVERIFIED_TYPE;
        let said = format!("The type that the request has for itself, or `{unknown}`. Nobody has signed it.");
        self.attributes(source, name(&said));
        self.told(source);
        self.failed(&[
            "signature_missing",
            "header_repeated",
            "signature_malformed",
            "signature_mismatch",
            "timestamp_outside_tolerance",
            "body_is_token",
        ]);
        self.fixed("hookbridge_unsigned", "message_id,event_type");
        self.fixed("hookbridge_body", "unsigned");
        self.content_type();
        self.encoding(true, false);
        self.copied(source, false);
    }

    fn quarantined(&mut self, source: &Source) {
        self.told(source);
        self.path(source);
        self.failed(&["signature_malformed", "signature_mismatch"]);
        for name in source.proof_headers().chain(source.provider.headers_read().flatten()) {
            if !encode::is_credential(name) {
                self.may(name.as_str(), json!({ "type": "string", "description": "As it was sent." }));
            }
        }
        self.may("content-type", json!({ "type": "string", "description": "As it was sent." }));
        self.may("content-encoding", json!({ "type": "string", "description": "As it was sent." }));
        if source.authentication.signs_query() {
            self.query();
        }
    }

    /// CloudEvents' attributes.
    fn attributes(&mut self, source: &Source, event_type: Value) {
        self.fixed("ce_specversion", "1.0");
        self.must("ce_id", id(source), None);
        self.fixed("ce_source", &source.path);
        self.must("ce_type", event_type, None);
        let time = json!({ "type": "string", "format": "date-time",
            "description": "When it happened, as the provider says; otherwise when it was received." });
        self.must("ce_time", time, Some(EXAMPLE_TIME));
    }

    fn told(&mut self, source: &Source) {
        self.fixed("hookbridge_source", &source.name);
        let time = json!({ "type": "string", "format": "date-time", "description": "When it was received." });
        self.must("hookbridge_received_at", time, Some(EXAMPLE_TIME));
    }

    fn failed(&mut self, errors: &[&str]) {
        self.fixed("hookbridge_verification", "failed");
        let schema = json!({ "type": "string", "enum": errors, "description": "Why it is not genuine." });
        self.must("hookbridge_verification_error", schema, Some("signature_mismatch"));
    }

    /// Which of an event's fields the signature does not cover.
    fn unsigned(&mut self, source: &Source, fields: &[(&str, &Vec<Expression>, bool)]) {
        let coverage = source.authentication.coverage();
        let (mut possible, mut is_certain) = (Vec::new(), false);
        for (name, places, is_always_there) in fields {
            let is_covered = |place: &Expression| place.is_covered(coverage);
            // Where no ID is sent it is the hash of the data; a type that no place is named for is always the same.
            let is_hash_covered = *name != "message_id" || coverage.body;
            if places.iter().all(is_covered) && is_hash_covered {
                continue;
            }
            possible.push(*name);
            let is_ever_signed = places.iter().any(|place| may_be_covered(place, coverage))
                || (*name == "message_id" && is_hash_covered);
            is_certain |= *is_always_there && !is_ever_signed;
        }
        if possible.is_empty() {
            return;
        }
        let names = possible.join("|");
        let schema = json!({ "type": "string", "pattern": format!("^({names})(,({names}))*$"),
            "description": "Which of these the signature does not cover: whoever has seen one request can alter them." });
        match is_certain {
            true => self.must("hookbridge_unsigned", schema, Some(&possible.join(","))),
            false => self.may("hookbridge_unsigned", schema),
        }
    }

    fn body_unsigned(&mut self, source: &Source) {
        if !source.authentication.coverage().body {
            self.fixed("hookbridge_body", "unsigned");
        }
    }

    fn content_type(&mut self) {
        self.may("content-type", text("The media type, as it was sent.", MAX_CONTENT_TYPE));
    }

    fn encoding(&mut self, is_kept: bool, is_undone: bool) {
        if is_kept {
            let said = "The value's content-encoding, if it has one: it is as it was sent.";
            self.may("content-encoding", json!({ "type": "string", "description": said }));
        }
        if is_undone {
            let said = "The request's content-encoding, which the value no longer has.";
            self.may("hookbridge_decoded", json!({ "type": "string", "description": said }));
        }
    }

    fn schema_id(&mut self, config: &Config, schema: &RouteSchema) {
        let url = config.schema_registry.as_ref().and_then(|registry| registry.urls.first());
        let url = url.map_or("", String::as_str);
        let pattern = format!("^{}/schemas/ids/[0-9]+$", super::types::literally(url));
        let schema_at =
            json!({ "type": "string", "pattern": pattern, "description": "The schema, in the registry." });
        self.must("ce_dataschema", schema_at, Some(&format!("{url}/schemas/ids/1")));
        if schema.raw_header {
            let said = "The exact octets that were signed.";
            self.must("hookbridge_raw", json!({ "type": "string", "description": said }), Some("{}"));
        }
    }

    /// What is taken over from the request.
    fn copied(&mut self, source: &Source, is_element: bool) {
        let trace = json!({ "type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
            "description": "W3C Trace Context: the sender's, or a new one." });
        self.must("traceparent", trace, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        let said =
            "W3C Trace Context: what the sender's tracing systems have added, where traces are exported.";
        self.may(w3c::TRACESTATE, text(said, w3c::MAX_STATE));
        let said = "W3C Baggage: the sender's, where OTEL_PROPAGATORS names it.";
        self.may(trace::BAGGAGE, text(said, trace::MAX_BAGGAGE));
        if is_element {
            return;
        }
        for name in source.proof_headers().filter(|name| !encode::is_credential(name)) {
            let said = "The provider's own: with the secret, the value can be verified again by it.";
            self.may(name.as_str(), text(said, encode::MAX_COPIED_HEADER));
        }
        if source.authentication.signs_query() {
            self.query();
        }
    }

    fn query(&mut self) {
        self.may(
            encode::QUERY,
            text("Of the request's query, what is signed or read.", encode::MAX_COPIED_HEADER),
        );
    }

    fn path(&mut self, source: &Source) {
        self.fixed("hookbridge_path", &source.path);
    }

    /// What a record has that was taken from a topic by `hookbridge dead-letters replay`.
    fn replayed(&mut self) {
        let said = "It was replayed from there: topic, partition and offset.";
        let from =
            json!({ "type": "string", "pattern": "^[a-zA-Z0-9._-]+/[0-9]+/[0-9]+$", "description": said });
        self.may(again::REPLAYED_FROM, from);
        let said = "It was replayed, and could not be verified a second time.";
        self.may(
            "hookbridge_verification",
            json!({ "type": "string", "const": "not_repeated", "description": said }),
        );
    }

    fn fixed(&mut self, name: &str, value: &str) {
        self.must(name, json!({ "type": "string", "const": value }), Some(value));
    }

    fn must(&mut self, name: &str, schema: Value, example: Option<&str>) {
        self.add(name, schema, true, example.map(str::to_owned));
    }

    fn may(&mut self, name: &str, schema: Value) {
        self.add(name, schema, false, None);
    }

    /// One that is there already may hold what either says.
    fn add(&mut self, name: &str, schema: Value, is_required: bool, example: Option<String>) {
        match self.0.iter_mut().find(|header| header.name == name) {
            None => self.0.push(Header { name: name.to_owned(), schema, is_required, example }),
            Some(known) if known.schema == schema => known.is_required |= is_required,
            Some(known) => {
                known.is_required |= is_required;
                known.schema = json!({ "type": "string" });
            }
        }
    }

    /// The schema.
    pub(super) fn schema(&self) -> Value {
        let properties: Map<String, Value> =
            self.0.iter().map(|header| (header.name.clone(), header.schema.clone())).collect();
        let required: Vec<&str> =
            self.0.iter().filter(|header| header.is_required).map(|header| header.name.as_str()).collect();
        json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
    }

    /// Those of an example, where `known` are the values of some. Nothing, if a value can't be told.
    pub(super) fn example(&self, known: &[(&str, &str)]) -> Option<Value> {
        let mut example = Map::new();
        for header in &self.0 {
            let value =
                known.iter().find(|(name, _)| *name == header.name).map(|(_, value)| (*value).to_owned());
            match value.or_else(|| header.example.clone()) {
                Some(value) => drop(example.insert(header.name.clone(), value.into())),
                None if header.is_required => return None,
                None => {}
            }
        }
        Some(example.into())
    }
}

/// An ID that elements of a batch share has the element's index behind it.
fn id(source: &Source) -> Value {
    let index = if source.split.is_some() { format!("/{MAX_ELEMENTS}").len() } else { 0 };
    let mut id = name("The message ID.");
    id["maxLength"] = (MAX_NAME_OCTETS + index).into();
    id
}

/// Whether what stands there is covered at least if it stands in the right one of its headers.
fn may_be_covered(place: &Expression, coverage: &Coverage) -> bool {
    match place {
        Expression::Header(names) => names.iter().any(|name| coverage.header(name)),
        Expression::Join { parts, .. } => parts.iter().all(|part| may_be_covered(part, coverage)),
        place => place.is_covered(coverage),
    }
}

/// What is never empty.
fn name(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_OCTETS, "description": description })
}

fn text(description: &str, longest: usize) -> Value {
    json!({ "type": "string", "maxLength": longest, "description": description })
}

fn batch() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+/[0-9]+$",
        "description": "Which element of how many it is; the first is 0." })
}
