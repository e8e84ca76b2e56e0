//! The producer's place: it outlives the producer in it.
//!
//! An idempotent producer can die for good (librdkafka's fatal errors), and it can lose every broker from its
//! sight. So each producer is a *generation* in a slot; [`super::supervisor`] puts the next one in its place.
//!
//! Takes records. Gives deliveries to wait for.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use arc_swap::ArcSwap;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::clusters::Cluster;
use super::context::{Context, Signal};
use super::delivery::Delivery;
use super::failure::Failure;
use super::health::Health;
use super::supervisor::Supervisor;
use crate::telemetry::metrics::Metrics;
use crate::topic::TopicName;

/// One producer.
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) producer: ThreadedProducer<Context>,
}

/// The slot.
pub struct ProducerSlot {
    current: Arc<ArcSwap<Generation>>,
    health: Arc<Health>,
    signals: Sender<Signal>,
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
        Self::start_for(None, config, probe, metrics)
    }

    /// The same, for one of two clusters, which logs and metrics then name.
    ///
    /// # Errors
    /// As those of [`ProducerSlot::start`].
    pub(super) fn start_for(
        cluster: Option<Cluster>,
        config: ClientConfig,
        probe: TopicName,
        metrics: Arc<Metrics>,
    ) -> KafkaResult<Self> {
        let health = Arc::new(Health::default());
        let (signals, inbox) = channel();
        let health_here = Arc::clone(&health);
        let builder = Builder { cluster, config, health: health_here, metrics, signals: signals.clone() };
        let first = builder.build(1)?;
        builder.metrics.producer_generation(first.number, cluster);
        health.in_place(first.number);
        let current = Arc::new(ArcSwap::from_pointee(first));
        let supervisor = Supervisor::new(builder, Arc::clone(&current), inbox, probe);
        std::thread::Builder::new()
            .name("kafka-supervisor".to_owned())
            .spawn(move || supervisor.run())
            .map_err(|error| KafkaError::ClientCreation(format!("the supervisor's thread: {error}")))?;
        Ok(Self { current, health, signals })
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

    /// How many producers there have been. Above 1 one has died, or lost every broker from its sight.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.current.load().number
    }

    /// Waits until `deadline` at most for what is enqueued, and tells the supervisor to end; that is not waited
    /// for, since librdkafka may take any time to end its threads. Blocks: call it where that is allowed.
    pub fn shut_down(&self, deadline: Instant) {
        let generation = self.current.load_full();
        // The error says no more than that something is left, which the permits know too.
        let _ = generation.producer.flush(deadline.saturating_duration_since(Instant::now()));
        let _ = self.signals.send(Signal::Stop);
    }
}

/// What every generation is made of.
pub(super) struct Builder {
    pub(super) cluster: Option<Cluster>,
    pub(super) config: ClientConfig,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
    signals: Sender<Signal>,
}

impl Builder {
    pub(super) fn build(&self, number: u64) -> KafkaResult<Generation> {
        let context = Context {
            generation: number,
            cluster: self.cluster,
            health: Arc::clone(&self.health),
            metrics: Arc::clone(&self.metrics),
            supervisor: self.signals.clone(),
        };
        let producer = ThreadedProducer::from_config_and_context(&self.config, context)?;
        Ok(Generation { number, producer })
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
