//! Puts topics right. Never deletes, never lowers.
//!
//! Takes [`Change`]s. Gives what became of each. Kafka's older request for settings replaces all of a topic's own, and librdkafka's
//! Rust client has no other: those that are there are sent along, so that nothing else is changed.

use std::collections::BTreeMap;

use rdkafka::admin::{
    AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};

use super::facts::{self, Facts, TopicFacts};
use super::{ASK_WITHIN, Change, Needs};

/// A change, and what became of it.
pub type Outcome = (Change, Result<(), String>);

/// Makes the changes, one after the other.
///
/// # Errors
/// No client can be made. What becomes of each change is in the list.
pub fn apply(needs: &Needs, facts: &Facts, changes: &[Change]) -> Result<Vec<Outcome>, String> {
    let (client, _) = facts::admin(&needs.kafka)?;
    let options = AdminOptions::new().request_timeout(Some(ASK_WITHIN)).operation_timeout(Some(ASK_WITHIN));
    let mut done = Vec::new();
    for change in changes {
        let outcome = match change {
            Change::Create { topic, spec } => {
                let replication = TopicReplication::Fixed(spec.replication_factor.unwrap_or(-1));
                let mut new = NewTopic::new(topic.as_str(), spec.partitions.unwrap_or(-1), replication);
                for (name, value) in &spec.config {
                    new = new.set(name, value.trim());
                }
                facts::block_on(client.create_topics([&new], &options))?.map(one)
            }
            Change::AddPartitions { topic, to, .. } => {
                let new = NewPartitions::new(topic.as_str(), *to);
                facts::block_on(client.create_partitions([&new], &options))?.map(one)
            }
            Change::Configure { topic, settings } => {
                let own = match facts.topics.get(topic) {
                    Some(TopicFacts::There(there)) => there.config.iter().flatten(),
                    _ => None.iter().flatten(),
                };
                let mut all: BTreeMap<&str, &str> = own
                    .filter(|(_, (_, is_own))| *is_own)
                    .map(|(name, (value, _))| (name.as_str(), value.as_str()))
                    .collect();
                all.extend(settings.iter().map(|(name, value, _)| (name.as_str(), value.trim())));
                let mut new = AlterConfig::new(ResourceSpecifier::Topic(topic.as_str()));
                for (name, value) in all {
                    new = new.set(name, value);
                }
                let altered = facts::block_on(client.alter_configs([&new], &options))?;
                altered.map(|results| match results.into_iter().next() {
                    Some(Err((_, code))) => Err(code.to_string()),
                    _ => Ok(()),
                })
            }
        };
        done.push((change.clone(), outcome.map_err(|error| error.to_string()).and_then(|outcome| outcome)));
    }
    Ok(done)
}

fn one(results: Vec<rdkafka::admin::TopicResult>) -> Result<(), String> {
    match results.into_iter().next() {
        // Somebody else was faster.
        Some(Err((_, rdkafka::error::RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(code.to_string()),
        _ => Ok(()),
    }
}
