//! How the topics should be: partitions, replication, and Kafka's own settings.
//!
//! Takes [`RawTopics`], the section `topics`. Gives [`Topics`], or every reason why it can't be used. Comparing it with what is there is
//! left to [`crate::preflight`].

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Source;
use super::checker::Checker;
use super::diagnostic::{Path, Position};
use super::raw::RawProperty;
use crate::topic::TopicName;

/// More than any broker serves well in one topic.
const MAX_PARTITIONS: i32 = 100_000;
/// As many as there are brokers at the most.
const MAX_REPLICATION: i32 = 1000;

/// How the topics should be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Topics")]
pub struct RawTopics {
    /// true: `serve` creates topics that are missing, at its start and when the configuration is read again. Default:
    /// false; `hookbridge topics apply` creates them when it is told to.
    pub create_missing: Option<bool>,
    /// How every topic should be that is not named below.
    pub defaults: RawTopicSpec,
    /// How single topics should be, by their names. What is not said of one is as in `defaults`.
    pub named: BTreeMap<String, RawTopicSpec>,
}

/// How a topic should be. What is not said is the broker's default in a new topic, and not looked at in others.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TopicSpec")]
pub struct RawTopicSpec {
    /// How many partitions.
    pub partitions: Option<i32>,
    /// How many brokers have each partition.
    pub replication_factor: Option<i32>,
    /// Kafka's own settings of topics, by their own names: `retention.ms`, `cleanup.policy`, `min.insync.replicas`, ...
    pub config: BTreeMap<String, RawProperty>,
}

/// How the topics should be.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    /// Whether `serve` creates those that are missing.
    pub create_missing: bool,
    defaults: TopicSpec,
    named: BTreeMap<TopicName, TopicSpec>,
}

/// How a topic should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicSpec {
    /// How many partitions.
    pub partitions: Option<i32>,
    /// How many brokers have each.
    pub replication_factor: Option<i32>,
    /// Kafka's own settings.
    pub config: BTreeMap<String, String>,
}

/// Where the configuration needs a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The topic.
    pub topic: TopicName,
    /// The largest value of a record that may go there, in octets.
    pub largest_value: usize,
    /// The place in the file, as a path.
    pub path: String,
    /// The same as line and column.
    pub at: Position,
}

impl Topics {
    /// How a topic should be.
    #[must_use]
    pub fn spec(&self, topic: &TopicName) -> TopicSpec {
        let mut spec = self.defaults.clone();
        if let Some(named) = self.named.get(topic) {
            spec.partitions = named.partitions.or(spec.partitions);
            spec.replication_factor = named.replication_factor.or(spec.replication_factor);
            spec.config.extend(named.config.clone());
        }
        spec
    }

    /// The topics that are named.
    pub fn named(&self) -> impl Iterator<Item = &TopicName> {
        self.named.keys()
    }
}

/// Checks the section.
pub(super) fn section(check: &mut Checker<'_>, raw: &RawTopics) -> Topics {
    let path = Path::root().key("topics");
    let defaults = spec(check, &path.key("defaults"), &raw.defaults);
    let mut named = BTreeMap::new();
    for (name, raw) in &raw.named {
        let at = path.key("named").key(name);
        let own = spec(check, &at, raw);
        match TopicName::parse(name) {
            Ok(name) => drop(named.insert(name, own)),
            Err(why) => check.error(&at, why),
        }
    }
    let topics = Topics { create_missing: raw.create_missing == Some(true), defaults, named };
    for name in topics.named.keys() {
        relations(check, &path.key("named").key(name.as_str()), &topics.spec(name));
    }
    relations(check, &path.key("defaults"), &topics.defaults);
    topics
}

/// Warns of topics that are named and that nothing leads to.
pub(super) fn unused(check: &mut Checker<'_>, topics: &Topics, sources: &[Arc<Source>]) {
    for name in topics.named() {
        let is_needed = |source: &Arc<Source>| {
            source.topics.leading_to(name).is_some() || source.needs.iter().any(|need| need.topic == *name)
        };
        if !sources.is_empty() && !sources.iter().any(is_needed) {
            let path = Path::root().key("topics").key("named").key(name.as_str());
            let message = "nothing is published to this topic".to_owned();
            check.warn(&path, message, "correct its name, or take it out");
        }
    }
}

fn spec(check: &mut Checker<'_>, path: &Path, raw: &RawTopicSpec) -> TopicSpec {
    for (key, number, most) in [
        ("partitions", raw.partitions, MAX_PARTITIONS),
        ("replication_factor", raw.replication_factor, MAX_REPLICATION),
    ] {
        if number.is_some_and(|number| !(1..=most).contains(&number)) {
            check.error(&path.key(key), format!("must be from 1 to {most}"));
        }
    }
    let mut config = BTreeMap::new();
    for (name, value) in &raw.config {
        let at = path.key("config").key(name);
        match value {
            RawProperty::Secret(_) => {
                check.error(&at, "a topic's setting is a value; none of them is a secret")
            }
            RawProperty::Value(value) => {
                if let Err(why) = check_setting(name, value) {
                    let hint = "Kafka's documentation lists them under \"Topic Configs\"".to_owned();
                    check.error_with(&at, (why, hint));
                }
                config.insert(name.clone(), value.clone());
            }
        }
    }
    TopicSpec { partitions: raw.partitions, replication_factor: raw.replication_factor, config }
}

/// Settings that are numbers, with their least value.
const NUMBERS: &[(&str, i64)] = &[
    ("delete.retention.ms", 0),
    ("file.delete.delay.ms", 0),
    ("flush.messages", 1),
    ("flush.ms", 0),
    ("index.interval.bytes", 0),
    ("local.retention.bytes", -2),
    ("local.retention.ms", -2),
    ("max.compaction.lag.ms", 1),
    ("max.message.bytes", 0),
    ("message.timestamp.after.max.ms", 0),
    ("message.timestamp.before.max.ms", 0),
    ("min.compaction.lag.ms", 0),
    ("min.insync.replicas", 1),
    ("retention.bytes", -1),
    ("retention.ms", -1),
    ("segment.bytes", 14),
    ("segment.index.bytes", 4),
    ("segment.jitter.ms", 0),
    ("segment.ms", 1),
];

/// The rest of Kafka's settings of topics.
const OTHERS: &[&str] = &[
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "preallocate",
    "remote.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "unclean.leader.election.enable",
];

fn check_setting(name: &str, value: &str) -> Result<(), String> {
    if let Some((_, least)) = NUMBERS.iter().find(|(other, _)| *other == name) {
        return match value.trim().parse::<i64>() {
            Ok(number) if number >= *least => Ok(()),
            _ => Err(format!("`{name}` is a plain number, from {least}")),
        };
    }
    let one_of = |allowed: &[&str]| match value.split(',').all(|part| allowed.contains(&part.trim())) {
        true => Ok(()),
        false => Err(format!("`{name}` is one of {}", allowed.join(", "))),
    };
    match name {
        "cleanup.policy" => one_of(&["delete", "compact"]),
        "message.timestamp.type" => one_of(&["CreateTime", "LogAppendTime"]),
        "compression.type" => one_of(&["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
        "unclean.leader.election.enable" => one_of(&["true", "false"]),
        // Other brokers than Apache's have settings of their own, with names of their own.
        name if OTHERS.contains(&name) || name.contains("redpanda") || name.starts_with("confluent.") => {
            Ok(())
        }
        name => {
            let known = NUMBERS.iter().map(|(name, _)| *name).chain(OTHERS.iter().copied());
            let like = known.map(|other| (strsim::damerau_levenshtein(name, other), other)).min();
            Err(match like {
                Some((distance, other)) if distance <= 3 => {
                    format!("Kafka has no setting `{name}` of topics; did you mean `{other}`?")
                }
                _ => format!("Kafka has no setting `{name}` of topics"),
            })
        }
    }
}

fn relations(check: &mut Checker<'_>, path: &Path, spec: &TopicSpec) {
    let in_sync = spec.config.get("min.insync.replicas").and_then(|value| value.trim().parse::<i32>().ok());
    if let (Some(in_sync), Some(replicas)) = (in_sync, spec.replication_factor)
        && in_sync > replicas
    {
        let message =
            format!("`min.insync.replicas` {in_sync} is more than the replication factor, {replicas}");
        check.error_with(path, (message, "nothing could ever be written; 3 and 2 are usual".to_owned()));
    }
}

/// The topics that a source needs, whose names are known beforehand.
pub(super) fn of_source(check: &Checker<'_>, path: &Path, source: &Source) -> Vec<Need> {
    use crate::config::Unmapped;
    use crate::topic::{Pattern, Target};
    let mut needs = Vec::new();
    let mut need = |topic: &TopicName, path: &Path, largest_value: usize| {
        let at = check.position(path);
        needs.push(Need { topic: topic.clone(), largest_value, path: path.to_string(), at });
    };
    let entries = source.topics.entries();
    for (pattern, target) in &entries {
        let at = path.key("topics").key(pattern);
        match target {
            Target::Topic(Pattern::Fixed(topic), _) => need(topic, &at, source.largest_value()),
            // A type that is known gives a topic that is known.
            Target::Topic(Pattern::PerType(template), _) if !pattern.contains('*') => {
                need(&template.fill(pattern), &at, source.largest_value());
            }
            _ => {}
        }
        if let Target::Topic(_, Some(schema)) = target
            && let Some(topic) = &schema.raw_topic
        {
            need(topic, &at.key("schema").key("raw_topic"), source.max_body_bytes);
        }
    }
    if source.unmapped == Unmapped::Topic && !entries.iter().any(|(pattern, _)| pattern == "*") {
        need(&source.default_topic, path, source.largest_value());
    }
    need(&source.dead_letter, &Path::root().key("dead_letter"), source.max_body_bytes);
    if let Some(report_only) = &source.report_only {
        need(&report_only.topic, &path.key("report_only_topic"), source.max_body_bytes);
    }
    if let Some(quarantine) = &source.quarantine {
        need(&quarantine.topic, &path.key("quarantine"), quarantine.allowance.max_body_bytes());
    }
    needs
}

#[cfg(test)]
mod tests {
    use crate::config::validate;

    #[test]
    fn a_template_gives_a_topic_that_is_known_where_the_type_is() {
        let yaml = "kafka: { bootstrap.servers: a:1 }\nsources: { s: { danger_accept_unsigned: true, topics: { paid: \
                    '{source}.{type}.x', 'a/b': 'y.{type}', 'c.*': 'z.{type}', '*': { drop: true } } } }";
        let config = validate::parse("file", yaml, &|_| None).unwrap();
        let needs = config.sources[0].needs.iter().map(|need| need.topic.as_str());
        let needs: Vec<&str> = needs.collect();
        assert!(needs.contains(&"s.paid.x"), "{needs:?}");
        assert!(needs.iter().any(|topic| topic.starts_with("y.a_b-")), "{needs:?}");
        assert!(!needs.iter().any(|topic| topic.starts_with("z.")), "{needs:?}");
    }
}
