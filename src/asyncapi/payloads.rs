//! The value of a record, as a schema.
//!
//! Takes a source, and what kind of record it is. Gives the payload of an AsyncAPI message: for a route with a schema, the schema itself, in
//! its own format, from its file or from the registry.

use serde_json::{Map, Value, json};

use super::Registry;
use super::headers::Form;
use super::types::Types;
use crate::config::{RouteSchema, Source};
use crate::expression::Expression;
use crate::json::Pointer;
use crate::registry::Found;
use crate::schema::{Compiled, Kind, MAX_SCHEMA_BYTES};

/// A route's schema, as text.
pub(super) struct Known {
    text: String,
    /// What validates an example.
    pub(super) compiled: Compiled,
}

/// The schema of a route: as the registry has it, where that is asked and the subject is known beforehand; otherwise from
/// its file, if it has one.
///
/// # Errors
/// The registry does not give it, the file can't be read, or it is no schema.
pub(super) fn read(
    schema: &RouteSchema,
    subject: Option<&str>,
    registry: Option<&Registry<'_>>,
) -> Result<Option<Known>, String> {
    let at = &schema.path;
    let found = match (registry, subject, &schema.file) {
        (Some(registry), Some(subject), _) => {
            let found =
                registry(subject, schema.version).map_err(|why| format!("{at}: `{subject}`: {why}"))?;
            if found.kind != Some(schema.kind) {
                return Err(format!("{at}: `{subject}`: what is registered is no {} schema", schema.kind));
            }
            found
        }
        (_, _, Some(file)) => {
            let text = text_of(file)
                .map_err(|why| format!("{at}: the schema's file {file} can't be read: {why}"))?;
            Found { id: 0, version: None, kind: Some(schema.kind), text, references: Vec::new() }
        }
        (_, _, None) => return Ok(None),
    };
    let compiled = Compiled::compile(schema.kind, &found.text, &found.references, schema.record.as_deref())
        .map_err(|error| format!("{at}: {error}"))?;
    Ok(Some(Known { text: found.text, compiled }))
}

fn text_of(file: &str) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(file)?.take(MAX_SCHEMA_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// The media type of a value that a schema of this kind makes.
pub(super) fn media_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Json => "application/json",
        Kind::Avro => "application/avro",
        Kind::Protobuf => "application/protobuf",
    }
}

/// The payload of an event.
pub(super) fn of_event(source: &Source, types: &Types, form: Form<'_>, file: Option<&Known>) -> Value {
    match form {
        Form::Data | Form::AsSigned => data(source),
        Form::Envelope => envelope(source, types),
        Form::Framed(schema) => framed(schema, file),
    }
}

/// Anything at all.
pub(super) fn as_sent(description: &str) -> Value {
    json!({ "description": description })
}

fn data(source: &Source) -> Value {
    let what = match (source.split.is_some(), source.decompress) {
        (true, _) => "One element of the batch, octet for octet.",
        (false, true) => "What was signed, without its content-encoding.",
        (false, false) => "The exact octets that were signed.",
    };
    let mut schema = json!({ "description": what });
    let provider = &source.provider;
    for (places, said) in [
        (&provider.message_id, "The message ID."),
        (&provider.event_type, "The event's type."),
        (&provider.event_time, "When it happened."),
        (&provider.subject, "What it is about."),
    ] {
        for place in places.iter().flat_map(Expression::places) {
            let pointer = match place {
                Expression::Json(pointer) => Some(pointer),
                // Of a batch, that is not the record's value.
                Expression::Body(pointer) if source.split.is_none() => Some(pointer),
                _ => None,
            };
            if let Some(pointer) = pointer {
                describe(&mut schema, pointer, said);
            }
        }
    }
    schema
}

/// Says what stands at a place. Whether it is there, and of which type, is the provider's to say.
fn describe(schema: &mut Value, pointer: &Pointer, said: &str) {
    let mut slot = schema;
    for segment in pointer.segments() {
        let Some(object) = slot.as_object_mut() else { return };
        let properties = object.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        let Some(properties) = properties.as_object_mut() else { return };
        slot = properties.entry(segment.clone()).or_insert_with(|| json!({}));
    }
    if let Some(object) = slot.as_object_mut() {
        object.entry("description").or_insert_with(|| said.into());
    }
}

/// CloudEvents' JSON Event Format.
fn envelope(source: &Source, types: &Types) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "description": "A CloudEvent in JSON. `data` is what was signed, octet for octet.",
        "required": ["specversion", "id", "source", "type", "time"],
        "properties": {
            "specversion": { "type": "string", "const": "1.0" },
            "id": text,
            "source": { "type": "string", "const": source.path },
            "type": types.schema(),
            "time": { "type": "string", "format": "date-time" },
            "subject": text,
            "datacontenttype": { "type": "string" },
            "data": data(source),
            "data_base64": { "type": "string", "description": "What was signed, in base64, where it is no JSON." },
        },
        "oneOf": [{ "required": ["data"] }, { "required": ["data_base64"] }],
        "additionalProperties": false,
    })
}

fn framed(schema: &RouteSchema, file: Option<&Known>) -> Value {
    let Some(file) = file else {
        let said = "The schema is in the registry; the message's description names its subject.";
        return json!({ "description": said });
    };
    let as_json = || serde_json::from_str::<Value>(&file.text).unwrap_or_else(|_| file.text.clone().into());
    let (format, text) = match schema.kind {
        Kind::Avro => ("application/vnd.apache.avro;version=1.9.0".to_owned(), as_json()),
        Kind::Json => {
            let schema = as_json();
            let draft = draft(&schema).unwrap_or("draft-07");
            (format!("application/schema+json;version={draft}"), schema)
        }
        Kind::Protobuf => {
            let version = if file.text.contains("\"proto2\"") { 2 } else { 3 };
            (format!("application/vnd.google.protobuf;version={version}"), file.text.clone().into())
        }
    };
    json!({ "schemaFormat": format, "schema": text })
}

/// The version of JSON Schema that a schema says it is written in.
fn draft(schema: &Value) -> Option<&'static str> {
    let uri = schema.get("$schema")?.as_str()?;
    ["draft-04", "draft-06", "draft-07", "2019-09", "2020-12"].into_iter().find(|draft| uri.contains(draft))
}
