//! May the service write?
//!
//! Takes [`Needs`] and the topics that are there. Gives a fault for each that may not be written, and for the right to write
//! idempotently. Nothing is written to find out: Kafka looks at the right to write first, and at the number of
//! acknowledgements that is asked for next, so a record that asks for two of them is refused for the one or the other.
//!
//! Source: Apache Kafka, `KafkaApis.handleProduceRequest` and `ReplicaManager.appendRecords` (a request for acknowledgements other than
//! 0, 1 and all is answered `INVALID_REQUIRED_ACKS`, and nothing is appended).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::facts::{Facts, TopicFacts};
use super::{ASK_WITHIN, Fault, Needs, Severity};

/// A number of acknowledgements that no broker takes.
const NO_SUCH_ACKS: &str = "2";

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
    let there = needs
        .topics
        .iter()
        .filter(|(topic, _, _)| matches!(facts.topics.get(topic), Some(TopicFacts::There(_))));
    let there: Vec<_> = there.collect();
    if there.is_empty() {
        return Vec::new();
    }
    let told = Told::default();
    let mut config = needs.kafka.client_config();
    config
        .set("acks", NO_SUCH_ACKS)
        .set("enable.idempotence", "false")
        .set("message.timeout.ms", ASK_WITHIN.as_millis().to_string())
        .set("retries", "0")
        .set("linger.ms", "0")
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Emerg);
    let producer = match BaseProducer::<Told>::from_config_and_context(&config, told.clone()) {
        Ok(producer) => producer,
        Err(error) => return vec![super::cluster_away(&error.to_string())],
    };
    let mut waiting = 0;
    for (topic, _, _) in &there {
        let record = BaseRecord::with_opaque_to(topic.as_str(), Box::new(topic.as_str().to_owned()))
            .key("hookbridge-preflight")
            .payload("");
        match producer.send(record) {
            Ok(()) => waiting += 1,
            Err((error, _)) => {
                let code = error.rdkafka_error_code();
                told.with(|told| told.reports.insert(topic.as_str().to_owned(), code));
            }
        }
    }
    let deadline = Instant::now() + ASK_WITHIN + ASK_WITHIN;
    while told.with(|told| told.reports.len()) < there.len() && waiting > 0 && Instant::now() < deadline {
        producer.poll(POLL);
    }
    there
        .into_iter()
        .filter_map(|(topic, _, needs)| {
            let report = told.with(|told| told.reports.get(topic.as_str()).copied());
            let (severity, kind, message) = match report {
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
