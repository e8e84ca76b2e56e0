//! The channels: every topic that the configuration can write to, with what can be in it.
//!
//! Takes a configuration. Gives a [`Channel`] for each topic, and for each template that event types fill.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Registry;
use super::messages::{Maker, Message};
use super::servers::BINDING;
use super::types::Types;
use crate::config::topics::TopicSpec;
use crate::config::{Config, Unmapped};
use crate::topic::{Pattern, Target, TopicName};

/// A topic, or a template of topics.
#[derive(Default)]
pub(super) struct Channel {
    /// By their names.
    pub(super) messages: BTreeMap<String, Value>,
    /// What a template is filled with.
    parameter: Option<Value>,
    description: Vec<&'static str>,
}

/// The channels, by topic or template.
pub(super) type Channels = BTreeMap<String, Channel>;

/// All of them.
///
/// # Errors
/// A schema can't be had.
pub(super) fn channels(config: &Config, registry: Option<&Registry<'_>>) -> Result<Channels, String> {
    let mut channels = Channels::new();
    for source in &config.sources {
        of_source(&Maker { config, source, registry }, &mut channels)?;
    }
    Ok(channels)
}

fn of_source(maker: &Maker<'_>, channels: &mut Channels) -> Result<(), String> {
    let Maker { config, source, .. } = *maker;
    let is_unnamed = source.provider.event_type.is_empty();
    let entries = source.topics.entries();
    let patterns: Vec<String> = entries.iter().map(|(pattern, _)| pattern.clone()).collect();
    for (index, (_, target)) in entries.iter().enumerate() {
        let types = Types::of(&patterns, index, is_unnamed);
        let Target::Topic(pattern, schema) = target else { continue };
        if !types.is_possible() {
            continue;
        }
        // A type that is known gives a topic that is known.
        let pattern = match (pattern, types.exact()) {
            (Pattern::PerType(template), Some(exact)) => Pattern::Fixed(template.fill(exact)),
            (pattern, _) => pattern.clone(),
        };
        let channel = channel_of(config, channels, &pattern);
        add(channel, "Verified events.", maker.events(&types, &pattern, schema.as_deref())?);
        if let Some(topic) = schema.as_ref().and_then(|schema| schema.raw_topic.as_ref()) {
            add(named(channels, topic), "What was signed, beside what was made of it.", maker.raw(&types));
        }
    }
    let rest = Types::of(&patterns, patterns.len(), is_unnamed);
    let is_rest_mapped = patterns.iter().any(|pattern| pattern == "*") || !rest.is_possible();
    if source.unmapped == Unmapped::Topic && !is_rest_mapped {
        let pattern = Pattern::Fixed(source.default_topic.clone());
        add(named(channels, &source.default_topic), "Verified events.", maker.events(&rest, &pattern, None)?);
    }
    add(named(channels, &source.dead_letter), "Dead letters.", vec![maker.dead_letter()]);
    if let Some(report_only) = &source.report_only {
        add(named(channels, &report_only.topic), "Requests that are not genuine.", vec![maker.report_only()]);
    }
    if let Some(quarantine) = &source.quarantine {
        add(named(channels, &quarantine.topic), "Requests that were refused.", vec![maker.quarantined()]);
    }
    Ok(())
}

fn named<'c>(channels: &'c mut Channels, topic: &TopicName) -> &'c mut Channel {
    channels.entry(topic.to_string()).or_default()
}

fn channel_of<'c>(config: &Config, channels: &'c mut Channels, pattern: &Pattern) -> &'c mut Channel {
    match pattern {
        Pattern::Fixed(topic) => named(channels, topic),
        Pattern::PerType(template) => {
            let channel = channels.entry(template.to_string()).or_default();
            let examples: Vec<&str> =
                config.topics.named().filter_map(|topic| template.type_of(topic)).collect();
            let mut parameter = json!({
                "description": "The event's type, if Kafka allows it in a topic's name; otherwise with `_` for what it does not allow, \
                    and a hash behind it.",
            });
            if !examples.is_empty() {
                parameter["examples"] = json!(examples);
            }
            channel.parameter = Some(parameter);
            channel
        }
    }
}

fn add(channel: &mut Channel, description: &'static str, messages: Vec<Message>) {
    if !channel.description.contains(&description) {
        channel.description.push(description);
    }
    for Message { name, object } in messages {
        let names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
        if let Some(free) = names.into_iter().find(|name| !channel.messages.contains_key(name)) {
            channel.messages.insert(free, object);
        }
    }
}

/// The Channel Object.
pub(super) fn object(config: &Config, address: &str, channel: &Channel) -> Value {
    let mut binding = Map::new();
    if let Ok(topic) = TopicName::parse(address) {
        binding.insert("topic".to_owned(), address.into());
        topic_binding(&mut binding, &config.topics.spec(&topic));
    }
    binding.insert("bindingVersion".to_owned(), BINDING.into());
    let mut object = json!({
        "address": address,
        "description": channel.description.join(" "),
        "messages": channel.messages,
        "bindings": { "kafka": binding },
    });
    if let Some(parameter) = &channel.parameter {
        object["parameters"] = json!({ "type": parameter });
    }
    object
}

fn topic_binding(binding: &mut Map<String, Value>, spec: &TopicSpec) {
    if let Some(partitions) = spec.partitions {
        binding.insert("partitions".to_owned(), partitions.into());
    }
    if let Some(replicas) = spec.replication_factor {
        binding.insert("replicas".to_owned(), replicas.into());
    }
    let setting = |(name, value): (&String, &String)| {
        let value = match name.as_str() {
            "cleanup.policy" => {
                value.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>().into()
            }
            _ => match value.trim() {
                "true" => true.into(),
                "false" => false.into(),
                text => text.parse::<i64>().map_or_else(|_| Value::from(value.clone()), Value::from),
            },
        };
        (name.clone(), value)
    };
    let settings: Map<String, Value> = spec.config.iter().map(setting).collect();
    if !settings.is_empty() {
        binding.insert("topicConfiguration".to_owned(), settings.into());
    }
}
