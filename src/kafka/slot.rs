//! The producer's place: it outlives the producer in it.
//!
//! An idempotent producer can die for good (librdkafka's fatal errors): it never sends again, whatever the
//! broker does. So each producer is a *generation* in a slot. A supervisor thread builds the next one, swaps
//! it in and drops the old one, which may block, where nothing waits for it. The same thread asks Kafka for
//! metadata once a second, which is how the service knows that Kafka is there.
//!
//! Takes records. Gives deliveries to wait for.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::context::{Context, Signal};
use super::delivery::Delivery;
use super::failure::Failure;
use super::health::Health;
use crate::telemetry::metrics::Metrics;
use crate::topic::TopicName;

/// How often Kafka is asked whether it is there.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How long it may take to answer. A death that is reported meanwhile waits this long at most.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two attempts to build a producer.
const MIN_REBUILD_BACKOFF: Duration = Duration::from_millis(100);
const MAX_REBUILD_BACKOFF: Duration = Duration::from_secs(5);

struct Generation {
    number: u64,
    producer: ThreadedProducer<Context>,
}

/// The slot.
pub struct ProducerSlot {
    current: Arc<ArcSwap<Generation>>,
    health: Arc<Health>,
    signals: Sender<Signal>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

/// A record, borrowed, as librdkafka takes it.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The key; never empty.
    pub key: &'a [u8],
    /// The value. An empty one is an empty value, not a tombstone.
    pub value: &'a [u8],
    /// The record's timestamp, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The headers.
    pub headers: OwnedHeaders,
}

impl ProducerSlot {
    /// Builds the first producer and starts the supervisor. Kafka need not be there yet. `probe` is the
    /// topic whose metadata is asked for; it need not exist.
    ///
    /// # Errors
    /// librdkafka does not take the configuration, as when a certificate's file can't be read.
    pub fn start(config: ClientConfig, probe: TopicName, metrics: Arc<Metrics>) -> KafkaResult<Self> {
        let health = Arc::new(Health::default());
        let (signals, inbox) = channel();
        let builder = Builder { config, health: Arc::clone(&health), metrics, signals: signals.clone() };
        let current = Arc::new(ArcSwap::from_pointee(builder.build(1)?));
        let supervisor = Supervisor { builder, current: Arc::clone(&current), inbox, probe };
        let supervisor = std::thread::Builder::new()
            .name("kafka-supervisor".to_owned())
            .spawn(move || supervisor.run())
            .map_err(|error| KafkaError::ClientCreation(format!("the supervisor's thread: {error}")))?;
        Ok(Self { current, health, signals, supervisor: Mutex::new(Some(supervisor)) })
    }

    /// Enqueues a record. Returns at once: `delivery` completes when Kafka has acknowledged it, or when
    /// librdkafka has given it up.
    ///
    /// # Errors
    /// The record was not enqueued, and `delivery` never completes.
    pub fn send(&self, record: Outgoing<'_>, delivery: Arc<Delivery>) -> Result<(), Failure> {
        let generation = self.current.load();
        let record = BaseRecord::with_opaque_to(record.topic, delivery)
            .key(record.key)
            .payload(record.value)
            .timestamp(record.timestamp_ms)
            .headers(record.headers);
        generation.producer.send(record).map_err(|(error, _)| {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            if code == RDKafkaErrorCode::Fatal {
                generation.producer.client().context().suspect_death();
            }
            Failure::of(code)
        })
    }

    /// Whether Kafka can be reached.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// How many producers there have been. Above 1 there was a fatal error.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.current.load().number
    }

    /// Waits until `deadline` at most for what is enqueued, then ends the supervisor. Blocks: call it where
    /// that is allowed. Gives the number of records whose end is not known.
    pub fn shut_down(&self, deadline: Instant) -> usize {
        let generation = self.current.load_full();
        // What is left is counted below: the error says no more than that something is.
        let _ = generation.producer.flush(deadline.saturating_duration_since(Instant::now()));
        let left = usize::try_from(generation.producer.in_flight_count()).unwrap_or(0);
        let _ = self.signals.send(Signal::Stop);
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if supervisor.is_some_and(|supervisor| supervisor.join().is_err()) {
            tracing::warn!("the kafka supervisor ended with a panic");
        }
        left
    }
}

struct Builder {
    config: ClientConfig,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    signals: Sender<Signal>,
}

impl Builder {
    fn build(&self, number: u64) -> KafkaResult<Generation> {
        let context = Context {
            generation: number,
            health: Arc::clone(&self.health),
            metrics: Arc::clone(&self.metrics),
            supervisor: self.signals.clone(),
        };
        let producer = ThreadedProducer::from_config_and_context(&self.config, context)?;
        self.metrics.producer_generation(number);
        Ok(Generation { number, producer })
    }
}

struct Supervisor {
    builder: Builder,
    current: Arc<ArcSwap<Generation>>,
    inbox: Receiver<Signal>,
    probe: TopicName,
}

impl Supervisor {
    fn run(self) {
        self.probe();
        loop {
            match self.inbox.recv_timeout(PROBE_INTERVAL) {
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Signal::MayHaveDied { generation }) if generation != self.current.load().number => {
                    continue;
                }
                Ok(Signal::MayHaveDied { .. }) => {}
                Err(RecvTimeoutError::Timeout) => self.probe(),
            }
            let current = self.current.load_full();
            if let Some((code, reason)) = current.producer.client().fatal_error() {
                let dead = current.number;
                drop(current);
                tracing::warn!(generation = dead, %code, reason, "the kafka producer has died; building the next one");
                if !self.replace(dead) {
                    return;
                }
            }
        }
    }

    /// Any answer will do, also that the topic is not there or may not be seen: it came from Kafka.
    fn probe(&self) {
        let generation = self.current.load_full();
        match generation.producer.client().fetch_metadata(Some(self.probe.as_str()), PROBE_TIMEOUT) {
            Ok(metadata) if !metadata.brokers().is_empty() => self.builder.health.contact(),
            Ok(_) => tracing::debug!("kafka answered without a broker"),
            Err(error) => tracing::debug!(error = %error, "kafka does not answer"),
        }
    }

    /// False if the process is ending meanwhile.
    fn replace(&self, dead: u64) -> bool {
        self.builder.health.producer_id(false);
        let mut backoff = MIN_REBUILD_BACKOFF;
        let next = loop {
            match self.builder.build(dead + 1) {
                Ok(next) => break next,
                Err(error) => {
                    tracing::error!(error = %error, "no new kafka producer can be built");
                    if let Ok(Signal::Stop) = self.inbox.recv_timeout(backoff) {
                        return false;
                    }
                    backoff = (backoff * 2).min(MAX_REBUILD_BACKOFF);
                }
            }
        };
        let old = self.current.swap(Arc::new(next));
        // Whoever drops the last reference waits for librdkafka to end its threads; let it be this thread.
        while Arc::strong_count(&old) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(old);
        tracing::info!(generation = dead + 1, "a new kafka producer is in place");
        true
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
