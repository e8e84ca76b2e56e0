//! The schema of a route: what it is, where it is registered, and what is kept beside what it makes of an event.
//!
//! Takes [`RawSchema`], which stands beside a route's topic. Gives [`RouteSchema`], or every reason why it can't be used. What is
//! registered is left to [`crate::registry`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Source;
use super::checker::Checker;
use super::diagnostic::{Path, Position};
use crate::schema::Kind;
use crate::topic::{Pattern, Target, TopicName};

/// Where an event type goes, in full.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Route")]
pub struct RawRoute {
    /// `true`: acknowledged and not published.
    pub drop: Option<bool>,
    /// The topic's name, or a template of `{source}` and `{type}`.
    pub topic: Option<String>,
    /// The schema that events must fit, in the schema registry.
    pub schema: Option<RawSchema>,
}

/// A schema, in the schema registry.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RouteSchema")]
pub struct RawSchema {
    /// `json` (JSON Schema), `avro` or `protobuf`.
    pub format: Option<Kind>,
    /// How the schema's subject is named. Default: `topic_name`.
    pub subject: Option<SubjectNameStrategy>,
    /// The record's full name: required for the strategies that use it; for Protobuf, which message it is.
    pub record: Option<String>,
    /// The version of the subject. Default: the latest there is.
    pub version: Option<u32>,
    /// The schema's file, which `hookbridge schemas` checks and registers.
    pub file: Option<String>,
    /// true: the record's header `hookbridge_raw` has the octets that were signed. Default: false.
    pub raw_header: Option<bool>,
    /// A topic that gets the octets that were signed, as a record of their own with the same key.
    pub raw_topic: Option<String>,
}

/// How a subject is named (Confluent's documentation, "Subject name strategy").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectNameStrategy {
    /// `{topic}-value`.
    #[default]
    TopicName,
    /// `{record}`.
    RecordName,
    /// `{topic}-{record}`.
    TopicRecordName,
}

/// A route's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSchema {
    /// What kind it is.
    pub kind: Kind,
    /// How its subject is named.
    pub strategy: SubjectNameStrategy,
    /// The record's full name.
    pub record: Option<String>,
    /// Its version; the latest, without one.
    pub version: Option<u32>,
    /// Its file.
    pub file: Option<String>,
    /// Whether what was signed is kept in a header.
    pub raw_header: bool,
    /// The topic that it is kept in.
    pub raw_topic: Option<TopicName>,
    /// Where it stands in the configuration.
    pub at: Position,
    /// The same as a path, for people.
    pub path: String,
}

impl RouteSchema {
    /// The subject for the values of a topic.
    #[must_use]
    pub fn subject(&self, topic: &TopicName) -> String {
        match (self.strategy, &self.record) {
            (SubjectNameStrategy::RecordName, Some(record)) => record.clone(),
            (SubjectNameStrategy::TopicRecordName, Some(record)) => format!("{topic}-{record}"),
            _ => format!("{topic}-value"),
        }
    }
}

impl fmt::Display for RouteSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, subject ", self.kind)?;
        match (self.strategy, self.record.as_deref().unwrap_or_default()) {
            (SubjectNameStrategy::TopicName, _) => f.write_str("{topic}-value")?,
            (SubjectNameStrategy::RecordName, record) => f.write_str(record)?,
            (SubjectNameStrategy::TopicRecordName, record) => write!(f, "{{topic}}-{record}")?,
        }
        match self.version {
            Some(version) => write!(f, ", version {version}"),
            None => f.write_str(", latest version"),
        }
    }
}

/// Checks the schema that stands at `path`.
pub(super) fn check(check: &mut Checker<'_>, path: &Path, raw: &RawSchema) -> Option<RouteSchema> {
    let Some(kind) = raw.format else {
        check.missing(path, "format", "`json`, `avro` or `protobuf`");
        return None;
    };
    let strategy = raw.subject.unwrap_or_default();
    if strategy != SubjectNameStrategy::TopicName && raw.record.as_deref().is_none_or(str::is_empty) {
        check.missing(
            path,
            "record",
            "the subject is named by the record's full name, such as `com.example.Order`",
        );
        return None;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if raw.record.as_deref().is_some_and(|record| !record.chars().all(is_plain)) {
        // It is a part of the registry's URLs, where anything else would ask for another subject.
        let message = "a record's full name has letters, digits, `.`, `_` and `-`";
        check.error(&path.key("record"), message);
    }
    if raw.version == Some(0) {
        check.error(&path.key("version"), "versions count from 1; leave it out for the latest");
    }
    let raw_topic = match raw.raw_topic.as_deref().map(TopicName::parse) {
        None => None,
        Some(Ok(topic)) => Some(topic),
        Some(Err(why)) => {
            check.error(&path.key("raw_topic"), why);
            return None;
        }
    };
    Some(RouteSchema {
        kind,
        strategy,
        record: raw.record.clone(),
        version: raw.version,
        file: raw.file.clone(),
        raw_header: raw.raw_header == Some(true),
        raw_topic,
        at: check.position(path),
        path: path.to_string(),
    })
}

/// What was signed must not stand among dead letters, nor among what a schema makes of events.
pub(super) fn raw_topics_apart(check: &mut Checker<'_>, path: &Path, source: &Source) {
    let entries = source.topics.entries();
    for (pattern, target) in &entries {
        let Target::Topic(_, Some(schema)) = target else { continue };
        let Some(raw_topic) = &schema.raw_topic else { continue };
        let has_schema = |(_, target): &(String, Target)| matches!(target, Target::Topic(Pattern::Fixed(topic), Some(_)) if topic == raw_topic);
        let whose = match raw_topic {
            topic if *topic == source.dead_letter => "the dead-letter topic",
            _ if entries.iter().any(has_schema) => "the topic of a route with a schema",
            _ => continue,
        };
        let at = path.key("topics").key(pattern).key("schema").key("raw_topic");
        let hint = "give it a topic of its own".to_owned();
        check.error_with(&at, (format!("`{raw_topic}` is {whose}"), hint));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::validate::parse;

    /// A record that librdkafka does not take would be refused for good, again and again.
    #[test]
    fn a_record_has_room_for_what_was_signed_beside_its_value() {
        for (takes, schema, is_good) in [
            (2_000_000, "format: avro, raw_header: true", false),
            (2_100_000, "format: avro, raw_header: true", true),
            (2_000_000, "format: avro", true),
        ] {
            let text = format!(
                "kafka: {{ bootstrap.servers: k:1, message.max.bytes: {takes} }}\nschema_registry: {{ url: http://r }}\n\
                 sources:\n  s:\n    danger_accept_unsigned: true\n    max_body_bytes: 1000000\n    \
                 topics: {{ '*': {{ topic: t, schema: {{ {schema} }} }} }}\n"
            );
            match parse("hookbridge.yaml", &text, &|_| None) {
                Ok(_) => assert!(is_good, "{takes}, {schema}"),
                Err(invalid) => {
                    assert!(!is_good && invalid.to_string().contains("has it twice"), "{invalid}");
                }
            }
        }
    }

    fn read(kafka: &str, schema: &str) -> String {
        let text = format!(
            "kafka: {{ bootstrap.servers: k{kafka} }}\nschema_registry: {{ url: 'http://r:1' }}\nsources: {{ s: {{ provider: generic-hex, \
                 secrets: [{{ env: A }}], topics: {{ a: {{ topic: t, schema: {{ format: avro, {schema} }} }} }} }} }}"
        );
        let read = parse("hookbridge.yaml", &text, &|_| Some("a secret of sufficient length".to_owned()));
        read.err().map(|invalid| invalid.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_record_is_one_part_of_a_url() {
        assert_eq!(read("", "subject: record_name, record: com.example_2.Or-der"), "");
        for record in ["a/../b", "a?b", "a#b", "a b", "größe", "%2e"] {
            let shown = read("", &format!("subject: record_name, record: '{record}'"));
            assert!(shown.contains("sources.s.topics.a.schema.record: a record's full name"), "{shown}");
        }
    }

    #[test]
    fn what_was_signed_has_room_and_stands_apart() {
        for (topic, whose) in
            [("t", "the topic of a route with a schema"), ("webhooks.dead-letter", "the dead-letter topic")]
        {
            let shown = read("", &format!("raw_topic: {topic}"));
            let expected = format!("sources.s.topics.a.schema.raw_topic: `{topic}` is {whose}");
            assert!(shown.contains(&expected), "{shown}");
        }
        for (kafka, schema) in
            [("", "raw_header: true, raw_topic: u"), (", message.max.bytes: 1048576", "raw_topic: u")]
        {
            assert_eq!(read(kafka, schema), "");
        }
    }
}
