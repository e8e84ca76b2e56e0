//! Values with more than one written form: text or a mapping, one or a list; and durations, sizes and
//! instants.
//!
//! Takes what serde finds. Gives the types of [`super::raw`] that serde can't derive, each with its JSON Schema.
//! serde's untagged enums are not used: they would lose positions and the reason of a fault.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

use super::keys::{RawKeyPlace, RawKeyUrl};
use super::raw::{
    OneOrMany, RawBytes, RawDuration, RawExpression, RawExpressions, RawInstant, RawProperty, RawProvider,
    RawProviderRef, RawSecret, RawTopic,
};
use super::schema_route::RawRoute;
use super::units;

/// What stands in a file as text, or as text or something else.
struct TextVisitor<T> {
    expecting: &'static str,
    text: fn(&str) -> Result<T, String>,
}

impl<'de, T> Visitor<'de> for TextVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for RawDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "a duration such as `4.5s`",
            text: |text| units::duration(text).map(Self),
        })
    }
}

impl<'de> Deserialize<'de> for RawInstant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "an instant such as `2026-03-01T00:00:00Z`",
            text: |text| units::instant(text).map(Self),
        })
    }
}

impl<'de> Deserialize<'de> for RawBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "a size such as `1MiB`",
            text: |text| units::bytes(text).map(Self),
        })
    }
}

/// Text, or a mapping that is read as another type.
struct TextOrMap<T, M> {
    expecting: &'static str,
    text: fn(String) -> T,
    map: fn(M) -> T,
}

impl<'de, T, M: Deserialize<'de>> Visitor<'de> for TextOrMap<T, M> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok((self.text)(text.to_owned()))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        M::deserialize(MapAccessDeserializer::new(map)).map(self.map)
    }
}

impl<'de> Deserialize<'de> for RawProperty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextOrMap {
            expecting: "a value, or a secret's reference such as `{ env: NAME }`",
            text: Self::Value,
            map: Self::Secret,
        })
    }
}

impl<'de> Deserialize<'de> for RawTopic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextOrMap {
            expecting: "a topic's name, `{ topic: NAME, schema: ... }`, or `{ drop: true }`",
            text: Self::Template,
            map: |route: RawRoute| Self::Route(Box::new(route)),
        })
    }
}

impl<'de> Deserialize<'de> for RawProviderRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextOrMap {
            expecting: "a preset's name, or a provider's scheme",
            text: Self::Preset,
            map: |provider: RawProvider| Self::Inline(Box::new(provider)),
        })
    }
}

impl<'de> Deserialize<'de> for RawKeyUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextOrMap {
            expecting: "a URL, or a place such as `{ header: NAME }`",
            text: Self::Fixed,
            map: Self::Named,
        })
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or a list of texts")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany(vec![text.to_owned()]))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = items.next_element()? {
            texts.push(text);
        }
        Ok(OneOrMany(texts))
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(OneOrManyVisitor)
    }
}

struct ExpressionsVisitor;

impl<'de> Visitor<'de> for ExpressionsVisitor {
    type Value = RawExpressions;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place such as `{ json: /type }` or `{ header: X-Event }`, or a list of them")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawExpressions, A::Error> {
        let one = RawExpression::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RawExpressions(vec![one]))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawExpressions, A::Error> {
        let mut expressions = Vec::new();
        while let Some(expression) = items.next_element()? {
            expressions.push(expression);
        }
        Ok(RawExpressions(expressions))
    }
}

impl<'de> Deserialize<'de> for RawExpressions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpressionsVisitor)
    }
}

/// Gives a hand-read type its JSON Schema, inline.
macro_rules! inline_schema {
    ($type:ty, $name:literal, |$generator:ident| $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

inline_schema!(RawDuration, "Duration", |_generator| json_schema!({
    "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)$", "examples": ["4.5s", "250ms", "5m"]
}));
inline_schema!(RawInstant, "Instant", |_generator| json_schema!({
    "type": "string", "format": "date-time", "examples": ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00+01:00"]
}));
inline_schema!(RawBytes, "Bytes", |_generator| json_schema!({
    "anyOf": [
        { "type": "integer", "minimum": 0 },
        { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$" }
    ],
    "examples": ["1MiB", 65536]
}));
inline_schema!(OneOrMany, "OneOrMany", |_generator| json_schema!({
    "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }]
}));
inline_schema!(RawProperty, "Property", |generator| json_schema!({
    "anyOf": [{ "type": ["string", "number", "boolean"] }, generator.subschema_for::<RawSecret>()]
}));
inline_schema!(RawTopic, "Topic", |generator| json_schema!({
    "anyOf": [{ "type": "string", "description": "A topic's name, or a template of {source} and {type}." },
              generator.subschema_for::<RawRoute>()]
}));
inline_schema!(RawProviderRef, "ProviderReference", |generator| json_schema!({
    "anyOf": [{ "type": "string", "description": "A preset's name." }, generator.subschema_for::<RawProvider>()]
}));
inline_schema!(RawKeyUrl, "KeyUrl", |generator| json_schema!({
    "anyOf": [{ "type": "string", "pattern": "^https://" }, generator.subschema_for::<RawKeyPlace>()]
}));
inline_schema!(RawExpressions, "Expressions", |generator| json_schema!({
    "anyOf": [generator.subschema_for::<RawExpression>(),
              { "type": "array", "items": generator.subschema_for::<RawExpression>(), "minItems": 1 }]
}));
