//! May the service write?
//!
//! Takes [`Needs`] and the topics that are there. Gives a fault for each that may not be written, and for the right to write
//! idempotently. Nothing is written to find out: Kafka looks at the right to write first, and at the number of
//! acknowledgements that is asked for next, so a record that asks for two of them is refused for the one or the other. Other
//! brokers may be of another mind: the dead-letter topic is asked about first, and no other where it takes the record.
//!
//! Source: Apache Kafka, `KafkaApis.handleProduceRequest` and `ReplicaManager.appendRecords` (a request for acknowledgements other than
//! 0, 1 and all is answered `INVALID_REQUIRED_ACKS`, and nothing is appended).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::facts::{Facts, TopicFacts};
use super::{ASK_WITHIN, Fault, Needs, Severity};
use crate::topic::TopicName;

/// A number of acknowledgements that no broker takes.
const NO_SUCH_ACKS: &str = "2";

/// The path of the need that every source has: a topic without events.
const DEAD_LETTER: &str = "dead_letter";

const POLL: Duration = Duration::from_millis(50);

#[derive(Clone, Default)]
struct Told(Arc<Mutex<TellTale>>);

#[derive(Default)]
struct TellTale {
    reports: HashMap<String, Option<Code>>,
    has_producer_id: bool,
    complaint: Option<String>,
}

impl Told {
    fn with<T>(&self, read: impl FnOnce(&mut TellTale) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Told {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn stats(&self, statistics: Statistics) {
        if statistics.eos.is_some_and(|eos| eos.idemp_state == "Assigned") {
            self.with(|told| told.has_producer_id = true);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.with(|told| told.complaint = Some(format!("{error} {reason}").trim().to_owned()));
    }
}

impl ProducerContext<NoCustomPartitioner> for Told {
    type DeliveryOpaque = Box<String>;

    fn delivery(&self, result: &DeliveryResult<'_>, topic: Box<String>) {
        let code = result.as_ref().err().and_then(|(error, _)| error.rdkafka_error_code());
        self.with(|told| told.reports.insert(*topic, code));
    }
}

pub(super) fn check(needs: &Needs, facts: &Facts) -> Vec<Fault> {
    let mut faults: Vec<Fault> = idempotent(needs).into_iter().collect();
    faults.extend(writes(needs, facts));
    faults
}

fn idempotent(needs: &Needs) -> Option<Fault> {
    let told = Told::default();
    let mut config = needs.kafka.producer_config(1000, 1, 1);
    config.set("statistics.interval.ms", "100").set_log_level(RDKafkaLogLevel::Emerg);
    let producer = match BaseProducer::<Told>::from_config_and_context(&config, told.clone()) {
        Ok(producer) => producer,
        Err(error) => return Some(super::cluster_away(&error.to_string())),
    };
    let deadline = Instant::now() + ASK_WITHIN;
    loop {
        producer.poll(POLL);
        if told.with(|told| told.has_producer_id) {
            return None;
        }
        if let Some((code, reason)) = producer.client().fatal_error() {
            let message = format!("the service may not write idempotently: {code}: {reason}");
            let hint =
                "allow its user IdempotentWrite on the cluster, or Write on a topic (Kafka 2.8 and later)";
            return Some(Fault::new(
                Severity::Error,
                "idempotent_write_denied",
                "kafka",
                (message, hint),
                &[],
            ));
        }
        if Instant::now() > deadline {
            let why = told.with(|told| told.complaint.clone()).unwrap_or_else(|| "no answer".to_owned());
            let message = format!("no producer ID was given within {ASK_WITHIN:?}: {why}");
            let hint = "look at the cluster, and at the rights of the service's user";
            return Some(Fault::new(Severity::Error, "no_producer_id", "kafka", (message, hint), &[]));
        }
    }
}

fn writes(needs: &Needs, facts: &Facts) -> Vec<Fault> {
    let mut there: Vec<_> = needs
        .topics
        .iter()
        .filter(|(topic, _, _)| matches!(facts.topics.get(topic), Some(TopicFacts::There(_))))
        .collect();
    // Should a broker take the record all the same, it must not stand among events.
    there.sort_by_key(|(_, _, needs)| !needs.iter().any(|need| need.path == DEAD_LETTER));
    let told = Told::default();
    let producer = match BaseProducer::<Told>::from_config_and_context(&no_record(needs), told.clone()) {
        Ok(producer) => producer,
        Err(error) => return vec![super::cluster_away(&error.to_string())],
    };
    let deadline = Instant::now() + ASK_WITHIN + ASK_WITHIN;
    let report = |topic: &TopicName| told.with(|told| told.reports.get(topic.as_str()).copied());
    let wait = |topic: &TopicName| {
        while report(topic).is_none() && Instant::now() < deadline {
            producer.poll(POLL);
        }
        report(topic)
    };
    let mut refuses = false;
    for (topic, _, needs) in &there {
        ask(&producer, &told, topic);
        if refuses {
            continue;
        }
        // One after the other, until it is known that this broker refuses the number.
        match wait(topic) {
            Some(Some(Code::InvalidRequiredAcks)) => refuses = true,
            Some(None) => {
                let message = "the broker takes a record with a number of acknowledgements that Kafka refuses: it has one with \
                               the key `hookbridge-preflight` now, and no other topic has been asked about";
                let hint = "whether topics may be written is not known; nothing else is wrong";
                let message = (message.to_owned(), hint);
                return vec![Fault::new(Severity::Warning, "write_unknown", topic.as_str(), message, needs)];
            }
            _ => {}
        }
    }
    for (topic, _, _) in &there {
        wait(topic);
    }
    there
        .into_iter()
        .filter_map(|(topic, _, needs)| {
            let (severity, kind, message) = match report(topic) {
                Some(Some(Code::InvalidRequiredAcks)) => return None,
                Some(Some(Code::TopicAuthorizationFailed)) => {
                    (Severity::Error, "write_denied", "it may not be written".to_owned())
                }
                Some(Some(code)) => (
                    Severity::Warning,
                    "write_unknown",
                    format!("it can't be told whether it may be written: {code}"),
                ),
                Some(None) | None => (
                    Severity::Warning,
                    "write_unknown",
                    "it can't be told whether it may be written: the broker does not say".to_owned(),
                ),
            };
            let hint = "allow the service's user Write on the topic";
            Some(Fault::new(severity, kind, topic.as_str(), (message, hint), needs))
        })
        .collect()
}

/// A producer's configuration, with which Kafka takes no record.
fn no_record(needs: &Needs) -> ClientConfig {
    let mut config = needs.kafka.client_config();
    config
        .set("acks", NO_SUCH_ACKS)
        .set("enable.idempotence", "false")
        .set("message.timeout.ms", ASK_WITHIN.as_millis().to_string())
        .set("retries", "0")
        .set("linger.ms", "0")
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Emerg);
    config
}

/// Enqueues a record that no broker should take.
fn ask(producer: &BaseProducer<Told>, told: &Told, topic: &TopicName) {
    let record = BaseRecord::with_opaque_to(topic.as_str(), Box::new(topic.as_str().to_owned()))
        .key("hookbridge-preflight")
        .payload("");
    if let Err((error, _)) = producer.send(record) {
        let code = error.rdkafka_error_code();
        told.with(|told| told.reports.insert(topic.as_str().to_owned(), code));
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;

    use super::super::facts::There;
    use super::*;
    use crate::config::validate::parse;

    /// librdkafka's own broker for tests is such a one.
    #[test]
    fn a_broker_that_takes_any_number_of_acknowledgements_gets_no_record_among_events() {
        let mock: MockCluster<'_, DefaultProducerContext> = MockCluster::new(1).unwrap();
        let text = format!(
            "kafka: {{ bootstrap.servers: '{}' }}\nsources: {{ s: {{ provider: generic-hex, secrets: [{{ env: A }}], topics: {{ a: one, b: two }} }} }}",
            mock.bootstrap_servers()
        );
        let config =
            parse("hookbridge.yaml", &text, &|_| Some("a secret of sufficient length".to_owned())).unwrap();
        let needs = Needs::of(&config);
        let mut facts = Facts::default();
        for (topic, _, _) in &needs.topics {
            mock.create_topic(topic.as_str(), 1, 1).unwrap();
            facts.topics.insert(topic.clone(), TopicFacts::There(There::default()));
        }
        let faults = writes(&needs, &facts);
        assert!(faults.len() == 1 && faults[0].message.contains("no other topic"), "{faults:?}");
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", mock.bootstrap_servers()).create().unwrap();
        for (topic, _, _) in &needs.topics {
            let (_, end) = consumer.fetch_watermarks(topic.as_str(), 0, ASK_WITHIN).unwrap();
            assert_eq!(end, i64::from(topic.as_str() == "webhooks.dead-letter"), "{topic}");
        }
    }
}
