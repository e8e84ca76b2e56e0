//! Schemas: does an event fit, and what are its octets in the schema's own format?
//!
//! Takes a schema's text, with the texts that it refers to, and an event's JSON. Gives the value of a record in the
//! Confluent wire format: an octet 0, the schema's ID in four octets, for Protobuf which message it is, and the payload. Pure: no I/O, and
//! nothing is fetched that a schema refers to. Where schemas come from is left to [`crate::registry`].
//!
//! Source: Confluent's documentation, "Formats, Serializers, and Deserializers", section "Wire format".

mod avro;
mod avro_text;
mod input;
mod json_schema;
mod protobuf;
mod references;

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The largest schema that is read, in octets, with everything it refers to.
pub const MAX_SCHEMA_BYTES: usize = 1024 * 1024;

/// The stack of the thread that reads a schema, of which only what is used is ever there. Readers go down by recursion, as
/// deep as types refer to types, and an overflow ends the process.
const STACK_BYTES: usize = 128 * 1024 * 1024;

/// The octet that the wire format begins with.
const MAGIC: u8 = 0;

/// Before the payload, but for Protobuf's indexes: that octet, and the ID.
pub const PREFIX_BYTES: usize = 5;

/// Avro's doubles are four times as large as the digits and commas of a list can be; the rest are defaults, which may come again
/// in each element of a list.
const MAX_GROWTH: usize = 8;

/// What is said of a fault is cut off there, in characters.
const MAX_MESSAGE: usize = 200;

/// The longest pointer to a fault, in octets. Every element of a batch may have one, within
/// [`crate::budget::ELEMENT_OVERHEAD_BYTES`], twice.
const MAX_PATH: usize = 256;

/// A kind of schema, by the name that a registry has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// JSON Schema. The record's value is the event's own octets.
    Json,
    /// Apache Avro.
    Avro,
    /// Protocol Buffers.
    Protobuf,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON Schema",
            Self::Avro => "Avro",
            Self::Protobuf => "Protobuf",
        })
    }
}

/// A schema that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name by which it is referred to: a URI, a full name, or an imported file's path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why a schema can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {kind} schema can't be used: {message}")]
pub struct CompileError {
    kind: Kind,
    message: String,
}

/// Where an event does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{path}`: {message}")]
pub struct Mismatch {
    /// A JSON Pointer (RFC 6901) into the event, in 256 octets at most; empty for the whole. Of a longer one, that of the
    /// nearest place around it.
    pub path: String,
    /// What is wrong there, in 200 characters at most. Values are not repeated.
    pub message: String,
}

impl Mismatch {
    fn new(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { path: nearest(path.into()), message: short(&message.to_string()) }
    }
}

/// The longest pointer around what `path` points to that is short enough for a header: a sender chooses the names.
fn nearest(mut path: String) -> String {
    if path.len() > MAX_PATH {
        // A slash is no part of another character, nor of a token.
        let end = path.as_bytes()[..=MAX_PATH].iter().rposition(|octet| *octet == b'/').unwrap_or(0);
        path.truncate(end);
    }
    path
}

fn short(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// A schema, ready for use.
#[derive(Debug)]
pub struct Compiled(Engine);

#[derive(Debug)]
enum Engine {
    Json(json_schema::JsonSchema),
    Avro(Box<avro::Avro>),
    Protobuf(protobuf::Protobuf),
}

impl Compiled {
    /// Reads a schema. `message` names the message of a Protobuf schema, in full; without it, its first is taken. Blocks for as
    /// long as that takes.
    ///
    /// # Errors
    /// The text is no schema of this kind, refers to what is not among `references`, or is too large.
    pub fn compile(
        kind: Kind,
        text: &str,
        references: &[Reference],
        message: Option<&str>,
    ) -> Result<Self, CompileError> {
        let refuse = |message: String| CompileError { kind, message: short(&message) };
        let size = text.len() + references.iter().map(|reference| reference.text.len()).sum::<usize>();
        if size > MAX_SCHEMA_BYTES {
            return Err(refuse(format!("it has {size} octets, and {MAX_SCHEMA_BYTES} are allowed")));
        }
        let compile = || match kind {
            Kind::Json => json_schema::JsonSchema::compile(text, references).map(Engine::Json),
            Kind::Avro => avro::Avro::compile(text, references).map(|avro| Engine::Avro(Box::new(avro))),
            Kind::Protobuf => protobuf::Protobuf::compile(text, references, message).map(Engine::Protobuf),
        };
        let engine = std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name("schema".to_owned()).stack_size(STACK_BYTES);
            let reader =
                builder.spawn_scoped(scope, compile).map_err(|error| format!("no thread: {error}"))?;
            reader.join().unwrap_or_else(|_| Err("its reader broke off".to_owned()))
        });
        engine.map(Self).map_err(refuse)
    }

    /// The schema's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.0 {
            Engine::Json(_) => Kind::Json,
            Engine::Avro(_) => Kind::Avro,
            Engine::Protobuf(_) => Kind::Protobuf,
        }
    }

    /// What it calls the record: Avro's and Protobuf's full name, JSON Schema's `title`.
    #[must_use]
    pub fn record_name(&self) -> Option<&str> {
        match &self.0 {
            Engine::Json(schema) => schema.title(),
            Engine::Avro(schema) => schema.name(),
            Engine::Protobuf(schema) => Some(schema.name()),
        }
    }

    /// The value of a record with the event `data`, of which `id` is the schema's ID in its registry. With JSON Schema
    /// these are the octets of `data`, unaltered, behind the prefix.
    ///
    /// # Errors
    /// Where the event does not fit.
    pub fn frame(&self, id: u32, data: &Bytes) -> Result<Bytes, Mismatch> {
        let mut framed = Vec::with_capacity(PREFIX_BYTES + 1 + data.len());
        framed.push(MAGIC);
        framed.extend(id.to_be_bytes());
        match &self.0 {
            Engine::Json(schema) => {
                schema.validate(&input::parse(data)?)?;
                framed.extend_from_slice(data);
            }
            Engine::Avro(schema) => {
                let most = data.len().saturating_mul(MAX_GROWTH).saturating_add(MAX_SCHEMA_BYTES);
                schema.encode(&input::parse(data)?, most, &mut framed)?;
            }
            Engine::Protobuf(schema) => schema.encode(&input::parse(data)?, &mut framed)?,
        }
        Ok(framed.into())
    }
}

/// A JSON Pointer's reference token.
fn push_token(path: &mut String, token: &str) {
    path.push('/');
    path.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// The pointer to a member or an element of what is at `path`.
fn below(path: &str, token: &str) -> String {
    let mut path = path.to_owned();
    push_token(&mut path, token);
    path
}

#[cfg(test)]
#[path = "shown_tests.rs"]
mod shown_tests;
