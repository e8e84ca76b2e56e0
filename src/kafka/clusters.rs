//! The place of one Kafka cluster, or of two: a standby takes the records while the primary is away.
//!
//! Takes records. Gives deliveries to wait for, from the cluster in use. A thread looks at the health of both several
//! times a second; [`super::switching`] decides. A record stays with the cluster it was enqueued at, also over a switch,
//! and those of the standby are marked. Nothing is kept on disk: after a restart the primary is in use until it has
//! been away for the configured time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Header;

use super::delivery::Delivery;
use super::failure::Failure;
use super::health::Health;
use super::slot::{Outgoing, ProducerSlot};
use super::switching::{Sight, Switching};
use crate::telemetry::metrics::Metrics;
use crate::topic::TopicName;

/// The header of records that the standby took.
pub const CLUSTER_HEADER: &str = "hookbridge_cluster";

/// Between two looks at both clusters. Each costs a few loads.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// One of two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cluster {
    /// That of `kafka`.
    Primary,
    /// That of `kafka.standby`.
    Standby,
}

impl Cluster {
    /// What logs, metrics and the record's header call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// A second cluster, and when to switch.
#[derive(Debug)]
pub struct Second {
    /// What librdkafka is set up with.
    pub producer: ClientConfig,
    /// How long the primary has to be away.
    pub after: Duration,
    /// How long it has to be ready again.
    pub back_after: Duration,
}

/// The way to Kafka.
pub struct Clusters {
    primary: Arc<ProducerSlot>,
    standby: Option<Standby>,
}

struct Standby {
    slot: Arc<ProducerSlot>,
    in_use: Arc<AtomicBool>,
    /// Dropped, it ends the thread that looks.
    _looking: Sender<()>,
}

impl Clusters {
    /// Builds the first producers, and starts what keeps them. Kafka need not be there yet. `probe` is the topic whose
    /// metadata is asked for; it need not exist.
    ///
    /// # Errors
    /// librdkafka does not take a configuration, as when a certificate's file can't be read, or a thread can't be started.
    pub fn start(
        primary: ClientConfig,
        second: Option<Second>,
        probe: TopicName,
        metrics: Arc<Metrics>,
    ) -> KafkaResult<Self> {
        let Some(Second { producer, after, back_after }) = second else {
            let primary = Arc::new(ProducerSlot::start(primary, probe, metrics)?);
            return Ok(Self { primary, standby: None });
        };
        let start = |cluster, config| {
            ProducerSlot::start_for(Some(cluster), config, probe.clone(), Arc::clone(&metrics)).map(Arc::new)
        };
        let primary = start(Cluster::Primary, primary)?;
        let slot = start(Cluster::Standby, producer)?;
        metrics.clusters.active(Cluster::Primary);
        let in_use = Arc::new(AtomicBool::new(false));
        let (looking, ended) = channel();
        let looker = Looker {
            primary: Arc::clone(&primary),
            standby: Arc::clone(&slot),
            in_use: Arc::clone(&in_use),
            metrics,
            switching: Switching::new(after, back_after),
        };
        std::thread::Builder::new()
            .name("kafka-clusters".to_owned())
            .spawn(move || looker.run(&ended))
            .map_err(|error| KafkaError::ClientCreation(format!("the clusters' thread: {error}")))?;
        Ok(Self { primary, standby: Some(Standby { slot, in_use, _looking: looking }) })
    }

    fn in_use(&self) -> (&ProducerSlot, Cluster) {
        match &self.standby {
            Some(standby) if standby.in_use.load(Ordering::Relaxed) => (&standby.slot, Cluster::Standby),
            _ => (&self.primary, Cluster::Primary),
        }
    }

    /// Enqueues a record at the cluster in use. Returns at once: `delivery` completes when Kafka has acknowledged it, or
    /// when librdkafka has given it up.
    ///
    /// # Errors
    /// The record was not enqueued, and `delivery` never completes.
    pub fn send(&self, mut record: Outgoing<'_>, delivery: Arc<Delivery>) -> Result<(), Failure> {
        let (slot, cluster) = self.in_use();
        if cluster == Cluster::Standby {
            let value = Some(cluster.name());
            record.headers = record.headers.insert(Header { key: CLUSTER_HEADER, value });
        }
        slot.send(record, delivery)
    }

    /// Whether the cluster in use can be reached.
    #[must_use]
    pub fn health(&self) -> &Health {
        self.in_use().0.health()
    }

    /// Waits until `deadline` at most for what is enqueued at either cluster, and ends what keeps their producers.
    /// Blocks: call it where that is allowed.
    pub fn shut_down(&self, deadline: Instant) {
        std::thread::scope(|scope| {
            // One that is away must not take the other's time.
            let standby = self.standby.as_ref();
            let other = standby.map(|standby| scope.spawn(move || standby.slot.shut_down(deadline)));
            self.primary.shut_down(deadline);
            drop(other);
        });
    }
}

/// Looks at both clusters, and switches.
struct Looker {
    primary: Arc<ProducerSlot>,
    standby: Arc<ProducerSlot>,
    in_use: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    switching: Switching,
}

impl Looker {
    fn run(mut self, ended: &Receiver<()>) {
        let begun = Instant::now();
        while ended.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let sights = [self.primary.health(), self.standby.health()]
                .map(|health| Sight { ready: health.is_ready(), silence: health.silence() });
            if let Some(to) = self.switching.look(begun.elapsed(), sights[0], sights[1]) {
                self.switch(to);
            }
        }
    }

    fn switch(&self, to: Cluster) {
        self.in_use.store(to == Cluster::Standby, Ordering::Relaxed);
        self.metrics.clusters.switched(to);
        let trouble = match to {
            Cluster::Standby => self.primary.health().trouble(),
            Cluster::Primary => self.standby.health().trouble(),
        };
        tracing::warn!(
            cluster = to.name(),
            reason = trouble.map(|trouble| trouble.to_string()),
            "records go to the other kafka cluster from now on"
        );
    }
}
