//! What is there: asks the cluster about topics.
//!
//! Takes [`Needs`]. Gives [`Facts`], or why nobody answers. Blocks, within [`ASK_WITHIN`] for each question.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};

use super::{ASK_WITHIN, Needs};
use crate::kafka::properties::Properties;
use crate::topic::TopicName;

/// Records that claim to be from the future are looked for beyond this.
pub(super) const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// How long a client that gets no answer is listened to.
const LISTEN_FOR: Duration = Duration::from_secs(3);

/// What is there.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// How many brokers.
    pub brokers: usize,
    /// The topics that were asked for.
    pub topics: HashMap<TopicName, TopicFacts>,
}

/// What is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicFacts {
    /// It is not there.
    Missing,
    /// It may not be seen.
    Forbidden,
    /// It can't be told, for this reason.
    Unknown(String),
    /// It is there.
    There(There),
}

/// A topic that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct There {
    /// For each partition: whether it has a leader, its replicas, and how many of them are in sync.
    pub partitions: Vec<(bool, usize, usize)>,
    /// Its settings, with whether each was set for the topic itself; nothing, if they may not be seen.
    pub config: Option<BTreeMap<String, (String, bool)>>,
    /// Whether it has a record from the future, by this machine's clock.
    pub is_ahead: bool,
}

/// Remembers what librdkafka complains of: without it a client only says that nobody answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Complaints(Arc<Mutex<Vec<String>>>);

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let mut complaints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = if reason.is_empty() { error.to_string() } else { reason.to_owned() };
        if complaints.len() < 20 && !complaints.contains(&text) {
            complaints.push(text);
        }
    }
}

impl rdkafka::consumer::ConsumerContext for Complaints {}

impl Complaints {
    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The error, with what was complained of.
    pub(super) fn explain(&self, error: &KafkaError) -> String {
        let complaints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match complaints.first() {
            None => error.to_string(),
            Some(first) => format!("{error} ({first})"),
        }
    }
}

/// A client that may administer, with what it complains of.
pub(super) fn admin(kafka: &Properties) -> Result<(AdminClient<Complaints>, Complaints), String> {
    let complaints = Complaints::default();
    let mut config = kafka.client_config();
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let client = AdminClient::from_config_and_context(&config, complaints.clone());
    client.map(|client| (client, complaints)).map_err(|error| error.to_string())
}

/// Waits for a complaint of a client that does not get through. One that administers tells none: librdkafka hands them
/// only to who polls.
fn listen(kafka: &Properties, complaints: &Complaints) {
    let mut config = kafka.client_config();
    config.set_log_level(RDKafkaLogLevel::Emerg).set("group.id", "hookbridge-preflight");
    let Ok(consumer) = BaseConsumer::from_config_and_context(&config, complaints.clone()) else { return };
    let until = Instant::now() + LISTEN_FOR;
    while complaints.is_empty() && Instant::now() < until {
        let _ = consumer.poll(Duration::from_millis(100));
    }
}

/// Asks.
///
/// # Errors
/// The cluster does not answer, in words.
pub fn ask(needs: &Needs) -> Result<Facts, String> {
    let (client, complaints) = admin(&needs.kafka)?;
    let metadata = client.inner().fetch_metadata(None, ASK_WITHIN).map_err(|error| {
        listen(&needs.kafka, &complaints);
        complaints.explain(&error)
    })?;
    let mut facts = Facts { brokers: metadata.brokers().len(), ..Facts::default() };
    for (topic, _, _) in &needs.topics {
        let found = metadata.topics().iter().find(|found| found.name() == topic.as_str());
        let told = match found {
            Some(found) => of_metadata(found),
            // What may not be seen is not listed: asked for by name, the answer tells which it is.
            None => match client.inner().fetch_metadata(Some(topic.as_str()), ASK_WITHIN) {
                Ok(metadata) => metadata.topics().first().map_or(TopicFacts::Missing, of_metadata),
                Err(error) => TopicFacts::Unknown(complaints.explain(&error)),
            },
        };
        facts.topics.insert(topic.clone(), told);
    }
    settings(&client, &mut facts)?;
    clocks(needs, &mut facts);
    Ok(facts)
}

fn of_metadata(found: &MetadataTopic) -> TopicFacts {
    match found.error().map(RDKafkaErrorCode::from) {
        None | Some(RDKafkaErrorCode::NoError | RDKafkaErrorCode::LeaderNotAvailable) => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            return TopicFacts::Missing;
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => return TopicFacts::Forbidden,
        Some(code) => return TopicFacts::Unknown(code.to_string()),
    }
    let partitions = found
        .partitions()
        .iter()
        .map(|partition| (partition.leader() >= 0, partition.replicas().len(), partition.isr().len()));
    let partitions: Vec<_> = partitions.collect();
    match partitions.is_empty() {
        true => TopicFacts::Missing,
        false => TopicFacts::There(There { partitions, ..There::default() }),
    }
}

fn settings(client: &AdminClient<Complaints>, facts: &mut Facts) -> Result<(), String> {
    let there: Vec<TopicName> = facts
        .topics
        .iter()
        .filter(|(_, told)| matches!(told, TopicFacts::There(_)))
        .map(|(topic, _)| topic.clone())
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    let wanted: Vec<ResourceSpecifier<'_>> =
        there.iter().map(|topic| ResourceSpecifier::Topic(topic.as_str())).collect();
    let options = AdminOptions::new().request_timeout(Some(ASK_WITHIN));
    let described = block_on(client.describe_configs(&wanted, &options))?;
    // Without the right to see them, all of it fails.
    let Ok(described) = described else { return Ok(()) };
    for described in described.into_iter().flatten() {
        let OwnedResourceSpecifier::Topic(name) = &described.specifier else { continue };
        let told = facts.topics.iter_mut().find(|(topic, _)| topic.as_str() == name);
        let Some((_, TopicFacts::There(there))) = told else { continue };
        let entries = described.entries.into_iter().filter_map(|entry| {
            let own = entry.source == ConfigSource::DynamicTopic;
            Some((entry.name, (entry.value?, own)))
        });
        let entries: BTreeMap<String, (String, bool)> = entries.collect();
        // rdkafka gives those that may not be seen as none at all; every topic has some.
        there.config = (!entries.is_empty()).then_some(entries);
    }
    Ok(())
}

/// Runs a question that librdkafka answers in its own time.
pub(super) fn block_on<T>(question: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| error.to_string())?.block_on(question))
}

/// Kafka does not tell the time, but it knows which record is the first from after a given one. A record from the future
/// was written by somebody whose clock is ahead of this one: the broker's own, where it stamps records.
fn clocks(needs: &Needs, facts: &mut Facts) {
    let mut config = needs.kafka.client_config();
    config.set("group.id", "hookbridge-preflight").set("enable.auto.commit", "false");
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let Ok(consumer) = BaseConsumer::from_config_and_context(&config, Complaints::default()) else { return };
    let then = SystemTime::now() + CLOCK_TOLERANCE;
    let then = then.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let then = Offset::Offset(i64::try_from(then).unwrap_or(i64::MAX));
    let mut asked = TopicPartitionList::new();
    for (topic, told) in &facts.topics {
        let TopicFacts::There(there) = told else { continue };
        for partition in 0..there.partitions.len() {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            if asked.add_partition_offset(topic.as_str(), partition, then).is_err() {
                return;
            }
        }
    }
    if asked.count() == 0 {
        return;
    }
    let Ok(found) = consumer.offsets_for_times(asked, ASK_WITHIN) else { return };
    for element in found.elements() {
        if !matches!(element.offset(), Offset::Offset(_)) || element.error().is_err() {
            continue;
        }
        let told = facts.topics.iter_mut().find(|(topic, _)| topic.as_str() == element.topic());
        if let Some((_, TopicFacts::There(there))) = told {
            there.is_ahead = true;
        }
    }
}
