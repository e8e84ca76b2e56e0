//! The shape of a provider's handshakes, as serde reads them.
//!
//! Takes a [`super::document::Document`]. Gives plain values in which everything is optional and nothing is
//! checked: that is left to [`super::handshake`]. The comments on the fields stand in the JSON Schemas.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize};

/// One request that the provider sends to see who is there, and its answer.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Handshake")]
pub struct RawHandshake {
    /// How it is known. All must hold.
    pub when: Option<RawWhen>,
    /// For POST: true (the default) if it is answered only once its signature has been verified; false if
    /// the provider does not sign it. What bears a signature is verified in either case.
    pub verified: Option<bool>,
    /// What is answered.
    pub answer: Option<RawAnswer>,
}

/// How a handshake is known.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HandshakeWhen")]
pub struct RawWhen {
    /// Default: `POST`.
    pub method: Option<RawMethod>,
    /// Parameters of the query string, decoded.
    pub query: BTreeMap<String, RawTest>,
    /// Headers.
    pub header: BTreeMap<String, RawTest>,
    /// JSON Pointers (RFC 6901) into the body. POST only.
    pub json: BTreeMap<String, RawTest>,
}

/// A handshake's method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RawMethod {
    /// As for events.
    #[default]
    Post,
    /// The body is not read.
    Get,
    /// The body is not read, and none is answered.
    Head,
    /// The body is not read.
    Options,
}

/// What is asked of one value.
#[derive(Debug, Clone)]
pub enum RawTest {
    /// It is this text, or this number.
    Is(String),
    /// Anything else.
    Has(RawCheck),
}

/// What is asked of a value beside equality: one of these.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HandshakeTest")]
pub struct RawCheck {
    /// true: it is there, whatever it is.
    pub present: Option<bool>,
    /// true: it is not there.
    pub absent: Option<bool>,
    /// true: it equals the source's `handshake_token`.
    pub token: Option<bool>,
}

/// What is answered. With neither `text` nor `json` the body is empty.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HandshakeAnswer")]
pub struct RawAnswer {
    /// A status from 200 to 299. Default: 200.
    pub status: Option<u16>,
    /// The body, as `text/plain`.
    pub text: Option<RawValue>,
    /// The body, as a JSON object of these values.
    pub json: Option<BTreeMap<String, RawValue>>,
    /// Further headers.
    pub headers: BTreeMap<String, RawValue>,
}

/// A value of an answer: one of these.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HandshakeValue")]
pub struct RawValue {
    /// A parameter of the request's query string, decoded.
    pub query: Option<String>,
    /// A header of the request.
    pub header: Option<String>,
    /// The text or number at a JSON Pointer into the request's body.
    pub json: Option<String>,
    /// This text, or this number.
    pub literal: Option<RawLiteral>,
    /// What the source says under `parameters`.
    pub parameter: Option<String>,
    /// true: the source's `public_url`.
    pub public_url: Option<bool>,
    /// true: the source's `handshake_token`. Only where it is hashed.
    pub token: Option<bool>,
    /// The HMAC-SHA256 of a value, keyed with the source's first secret. The value must be a token: 1 to 256
    /// letters, digits and `-._~`.
    pub hmac_sha256: Option<Box<RawValue>>,
    /// The SHA-256 of several values, one after the other.
    pub sha256: Option<Vec<RawValue>>,
    /// How a hash is written. Default: `hex`.
    pub encoding: Option<RawHashEncoding>,
    /// What stands before a hash: `sha256=`.
    pub prefix: Option<String>,
}

/// How a hash is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawHashEncoding {
    /// Hexadecimal, in lower case.
    #[default]
    Hex,
    /// Base64 with the standard alphabet and padding.
    Base64,
}

/// Text, or a number, which stays one in a JSON answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawLiteral {
    /// Text.
    Text(String),
    /// A whole number.
    Number(u64),
}

/// How a provider hands its signing key over: in the first request that it sends.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OfferedSecret")]
pub struct RawOffer {
    /// The header that brings it.
    pub header: Option<String>,
    /// The place in the body that holds it, as a JSON Pointer.
    pub json: Option<String>,
    /// true: the answer repeats the header.
    pub echo: Option<bool>,
}

struct TestVisitor;

impl<'de> Visitor<'de> for TestVisitor {
    type Value = RawTest;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, or one of `{ present: true }`, `{ absent: true }`, `{ token: true }`")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawTest, E> {
        Ok(RawTest::Is(text.to_owned()))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawTest, A::Error> {
        RawCheck::deserialize(MapAccessDeserializer::new(map)).map(RawTest::Has)
    }
}

impl<'de> Deserialize<'de> for RawTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TestVisitor)
    }
}

struct LiteralVisitor;

impl Visitor<'_> for LiteralVisitor {
    type Value = RawLiteral;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or a whole number")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawLiteral, E> {
        Ok(RawLiteral::Text(text.to_owned()))
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<RawLiteral, E> {
        Ok(RawLiteral::Number(number))
    }
}

impl<'de> Deserialize<'de> for RawLiteral {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LiteralVisitor)
    }
}

impl JsonSchema for RawTest {
    fn schema_name() -> Cow<'static, str> {
        "HandshakeTestOrText".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": ["string", "integer"] }, generator.subschema_for::<RawCheck>()]
        })
    }
}

impl JsonSchema for RawLiteral {
    fn schema_name() -> Cow<'static, str> {
        "HandshakeLiteral".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}
