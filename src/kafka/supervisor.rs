//! Keeps a living producer in the slot, in a thread of its own.
//!
//! Takes signals from librdkafka's callbacks, and asks Kafka for metadata once a second, which is how the service
//! knows that Kafka is there. Puts a new producer in the slot when the present one has died for good, and when it
//! does not find Kafka any more although a new one does, and when the files with its certificates have changed. Says in
//! the log why Kafka is away. Old ones are dropped in threads of their own, where nothing
//! waits: librdkafka may take any time to end its threads.
//!
//! Why the second case exists: when librdkafka 2.12.1 is given metadata without a broker, as a broker that has just
//! been resumed or restarted gives it, it takes every broker out of service, the bootstrap servers with them, and
//! then has none to ask again (it says "no usable brokers"). `metadata.recovery.strategy=rebootstrap` does not
//! help: its timer starts with a metadata request, and there is nobody to send one to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rdkafka::producer::Producer as _;

use super::certificates::Certificates;
use super::clusters::Cluster;
use super::context::Signal;
use super::health::Health;
use super::slot::{Builder, Generation};
use super::trouble::Trouble;
use crate::topic::TopicName;

/// How often Kafka is asked whether it is there.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// How long it may take to answer. A death that is reported meanwhile waits this long at most.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often, while Kafka is away, a new producer is tried beside the present one.
const TRIAL_INTERVAL: Duration = Duration::from_secs(5);
/// How long a new producer may take to connect, authenticate and get an answer.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two attempts to replace a dead producer.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// How often it is said that Kafka is still away.
const REMIND_INTERVAL: Duration = Duration::from_secs(60);
/// How long a producer that Kafka still answers may take over what it has, once another is in its place.
const SEE_THROUGH: Duration = Duration::from_secs(10);
/// Old producers that may be ending at once. librdkafka sets itself no limit on how long that takes, and each holds
/// threads and connections.
const MAX_DROPPING: usize = 4;
/// A producer that dies younger than this did so for a reason that is still there.
const YOUNG: Duration = Duration::from_secs(10);

/// The supervisor.
pub(super) struct Supervisor {
    builder: Builder,
    current: Arc<ArcSwap<Generation>>,
    inbox: Receiver<Signal>,
    probe: TopicName,
    in_place_since: Instant,
    backoff: Duration,
    /// Before this a dead producer is not replaced: one that dies at once, as without the right to write, would be
    /// replaced in a tight loop.
    not_before: Instant,
    dropper: Dropper,
    certificates: Certificates,
    reporter: Reporter,
}

impl Supervisor {
    pub(super) fn new(
        builder: Builder,
        current: Arc<ArcSwap<Generation>>,
        inbox: Receiver<Signal>,
        probe: TopicName,
    ) -> Self {
        let now = Instant::now();
        let certificates = Certificates::of(&builder.config);
        Self {
            builder,
            current,
            inbox,
            probe,
            in_place_since: now,
            backoff: MIN_BACKOFF,
            not_before: now,
            dropper: Dropper::default(),
            certificates,
            reporter: Reporter::default(),
        }
    }

    /// Runs until the slot is shut down.
    pub(super) fn run(mut self) {
        let mut next_probe = Instant::now();
        let mut next_trial = Instant::now() + TRIAL_INTERVAL;
        loop {
            match self.inbox.recv_timeout(next_probe.saturating_duration_since(Instant::now())) {
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Signal::MayHaveDied) => {}
                Err(RecvTimeoutError::Timeout) => {
                    if self.is_answered(&self.current.load_full(), PROBE_TIMEOUT) {
                        self.builder.health.contact();
                    }
                    self.reporter.look(self.builder.cluster, &self.builder.health);
                    next_probe = Instant::now() + PROBE_INTERVAL;
                }
            }
            if self.has_died() {
                self.replace_dead();
            } else if self.builder.health.is_unreachable()
                && Instant::now() >= next_trial
                && !self.dropper.is_full()
            {
                self.try_another();
                next_trial = Instant::now() + TRIAL_INTERVAL;
            } else if self.certificates.have_changed() && !self.dropper.is_full() {
                self.renew();
            }
        }
    }

    /// Any answer will do, also that the topic is not there or may not be seen: it came from Kafka.
    fn is_answered(&self, generation: &Generation, timeout: Duration) -> bool {
        match generation.producer.client().fetch_metadata(Some(self.probe.as_str()), timeout) {
            Ok(metadata) if !metadata.brokers().is_empty() => true,
            Ok(_) => {
                tracing::debug!(generation = generation.number, "kafka answered without a broker");
                false
            }
            Err(error) => {
                tracing::debug!(generation = generation.number, %error, "kafka does not answer");
                false
            }
        }
    }

    /// The event for a fatal error carries its cause's code, so librdkafka itself is asked.
    fn has_died(&self) -> bool {
        self.current.load_full().producer.client().fatal_error().is_some()
    }

    fn replace_dead(&mut self) {
        if Instant::now() < self.not_before {
            return;
        }
        self.backoff = match self.in_place_since.elapsed() < YOUNG {
            true => (self.backoff * 2).min(MAX_BACKOFF),
            false => MIN_BACKOFF,
        };
        self.not_before = Instant::now() + self.backoff;
        let dead = self.current.load_full();
        if let Some((code, reason)) = dead.producer.client().fatal_error() {
            tracing::warn!(generation = dead.number, %code, reason, "the kafka producer has died");
        }
        match self.builder.build(dead.number + 1) {
            Ok(next) => self.put(next),
            Err(error) => tracing::error!(%error, "no new kafka producer can be built"),
        }
    }

    /// Tries a new producer. It takes the place of the present one only if it finds Kafka and the present one
    /// still does not: what that has enqueued is given up, and none of it has been answered 2xx.
    fn try_another(&mut self) {
        let current = self.current.load_full();
        let next = match self.builder.build(current.number + 1) {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "no new kafka producer can be built");
                return;
            }
        };
        if !self.is_answered(&next, TRIAL_TIMEOUT) {
            self.dropper.drop_aside(Arc::new(next));
            return;
        }
        // Longer than `reconnect.backoff.max.ms`: the present one has its chance to come back by itself.
        if self.is_answered(&current, TRIAL_TIMEOUT) {
            self.builder.health.contact();
            self.dropper.drop_aside(Arc::new(next));
            return;
        }
        tracing::warn!(
            generation = current.number,
            "the kafka producer no longer finds kafka, a new one does"
        );
        self.put(next);
        self.builder.health.contact();
    }

    /// The files with certificates and keys have changed, and librdkafka reads them only when a producer is made. The
    /// present one, whose connections go on, is left only for one that Kafka has answered, and sees its records through.
    fn renew(&mut self) {
        let current = self.current.load_full();
        let generation = current.number;
        match self.builder.build(current.number + 1) {
            Ok(next) if self.is_answered(&next, TRIAL_TIMEOUT) => {
                tracing::info!(generation, "the certificates for kafka have changed");
                self.certificates.taken();
                self.put_and(next, SEE_THROUGH);
            }
            Ok(next) => {
                self.dropper.drop_aside(Arc::new(next));
                self.certificates.refused();
                let hint = "look at the files; they are tried again in 30 s and when they change";
                tracing::warn!(generation, hint, "kafka does not answer with the changed certificates");
            }
            Err(error) => {
                self.certificates.refused();
                let hint = "look at the files; they are tried again in 30 s and when they change";
                tracing::warn!(generation, %error, hint, "the changed certificates for kafka can't be used");
            }
        }
    }

    fn put(&mut self, next: Generation) {
        self.put_and(next, Duration::ZERO);
    }

    /// Puts another producer in place. The old one has this long to see its records through.
    fn put_and(&mut self, next: Generation, see_through: Duration) {
        let number = next.number;
        // Not ready until the new one reports that it has its id.
        self.builder.health.in_place(number);
        let old = self.current.swap(Arc::new(next));
        self.builder.metrics.producer_generation(number, self.builder.cluster);
        self.in_place_since = Instant::now();
        self.dropper.drop_after(old, see_through);
        tracing::info!(generation = number, "a new kafka producer is in place");
    }
}

/// Says in the log when Kafka is lost, why, and when it is found again.
#[derive(Default)]
struct Reporter {
    said: Option<Instant>,
}

impl Reporter {
    fn look(&mut self, cluster: Option<Cluster>, health: &Health) {
        let cluster = cluster.map(Cluster::name);
        match (health.is_unreachable(), self.said) {
            (false, Some(_)) => {
                self.said = None;
                tracing::info!(cluster, "kafka is reachable again");
            }
            (true, said) if said.is_none_or(|said| said.elapsed() >= REMIND_INTERVAL) => {
                self.said = Some(Instant::now());
                let trouble = health.trouble().unwrap_or_else(|| Arc::new(Trouble::silence()));
                tracing::warn!(
                    cluster,
                    error.type = trouble.kind.name(),
                    reason = trouble.reason,
                    hint = trouble.kind.hint(),
                    "kafka is not reachable"
                );
            }
            _ => {}
        }
    }
}

/// Drops producers in threads of their own, and knows how many of those have not ended.
#[derive(Default)]
struct Dropper {
    under_way: Arc<AtomicUsize>,
}

impl Dropper {
    /// Whether librdkafka is still ending as many producers as may be: none should then be built on trial.
    fn is_full(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) >= MAX_DROPPING
    }

    /// Drops a producer once nobody else holds it.
    fn drop_aside(&self, old: Arc<Generation>) {
        self.drop_after(old, Duration::ZERO);
    }

    /// The same, once it has sent what it has, or after so long.
    fn drop_after(&self, old: Arc<Generation>, see_through: Duration) {
        let under_way = Arc::clone(&self.under_way);
        under_way.fetch_add(1, Ordering::Relaxed);
        let spawned = std::thread::Builder::new().name("kafka-drop".to_owned()).spawn(move || {
            // Whoever drops the last reference waits for librdkafka; it must not be a request's thread.
            while Arc::strong_count(&old) > 1 {
                std::thread::sleep(Duration::from_millis(1));
            }
            if !see_through.is_zero() {
                // What is left after that is given up, as its senders will be told.
                let _ = old.producer.flush(see_through);
            }
            drop(old);
            under_way.fetch_sub(1, Ordering::Relaxed);
        });
        if let Err(error) = spawned {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%error, "an old kafka producer was dropped in place: no thread could be started");
        }
    }
}
