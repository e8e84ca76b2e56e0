//! The running service, as one value that everything shares.
//!
//! Takes a [`Config`]. Gives an [`App`]: the sources by path, the budget, the producer and the metrics. What a
//! request needs it finds here. The sources are one immutable value, which [`crate::reload`] puts another in the place
//! of; a request keeps the source that it began with.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use rdkafka::error::KafkaError;

use crate::budget::Budget;
use crate::config::{Config, Source};
use crate::kafka::clusters::{Clusters, Second};
use crate::keys::Fetcher;
use crate::registry::{ClientError, Registry};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::otlp::Exports;
use crate::telemetry::trace::Tracing;

/// The sources, by path.
type Sources = HashMap<String, Arc<Source>>;

/// Nobody has asked it to end.
const SERVING: u8 = 0;
/// Load balancers should send nothing here any more; what comes is taken.
const LEAVING: u8 = 1;
/// What comes is refused.
const DRAINING: u8 = 2;

/// The running service.
pub struct App {
    sources: ArcSwap<Sources>,
    budget: Arc<Budget>,
    producer: Clusters,
    metrics: Arc<Metrics>,
    fetcher: Arc<Fetcher>,
    registry: Option<Arc<Registry>>,
    /// How far its end has come: [`SERVING`], [`LEAVING`] or [`DRAINING`], and never back.
    stage: AtomicU8,
    tracing: Option<Arc<Tracing>>,
    /// Once the end has begun: when it has to be over.
    ends_at: OnceLock<Instant>,
}

/// Why the service can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// librdkafka does not take its configuration as a whole.
    #[error("the kafka producer can't be set up: {0}")]
    Producer(#[source] KafkaError),
    /// The schema registry's client can't be set up.
    #[error("the schema registry can't be asked: {0}")]
    Registry(#[source] ClientError),
    /// The metrics' exporter can't be built.
    #[error("the metrics can't be set up: {0}")]
    Metrics(#[source] opentelemetry_sdk::error::OTelSdkError),
}

fn by_path(sources: impl IntoIterator<Item = Arc<Source>>) -> Sources {
    sources.into_iter().map(|source| (source.path.clone(), source)).collect()
}

impl App {
    /// Sets the service up. Kafka need not be there yet: readiness tells.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub fn new(config: &Config) -> Result<Arc<Self>, SetUpError> {
        Self::asking_by(config, Fetcher::public())
    }

    /// The same, exporting its telemetry.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub fn exported_by(config: &Config, exports: &Exports) -> Result<Arc<Self>, SetUpError> {
        Self::with(config, Fetcher::public(), exports)
    }

    /// The same, with another way to ask providers for their keys. Only tests have one.
    pub(crate) fn asking_by(config: &Config, fetcher: Arc<Fetcher>) -> Result<Arc<Self>, SetUpError> {
        Self::with(config, fetcher, &Exports::none())
    }

    fn with(config: &Config, fetcher: Arc<Fetcher>, exports: &Exports) -> Result<Arc<Self>, SetUpError> {
        let metrics = Metrics::exported_by(exports).map_err(SetUpError::Metrics)?;
        let server = &config.server;
        let budget = Budget::new(server.max_in_flight_requests, server.max_in_flight_bytes);
        let second = config.standby.as_ref().zip(config.standby_producer());
        let second = second.map(|(standby, producer)| Second {
            producer,
            after: standby.after,
            back_after: standby.back_after,
        });
        let probe = config.dead_letter.clone();
        let producer = Clusters::start(config.producer(), second, probe, Arc::clone(&metrics))
            .map_err(SetUpError::Producer)?;
        let registry = config.schema_registry.as_ref();
        let registry = registry.map(|registry| Registry::new(registry, Arc::clone(&metrics)));
        let registry = registry.transpose().map_err(SetUpError::Registry)?;
        let sources = ArcSwap::from_pointee(by_path(config.sources.iter().cloned()));
        let stage = AtomicU8::new(SERVING);
        let (tracing, ends_at) = (exports.tracing(), OnceLock::new());
        let app = Self { sources, budget, producer, metrics, fetcher, registry, stage, tracing, ends_at };
        let app = Arc::new(app);
        let observed = Arc::downgrade(&app);
        app.metrics.serve(&config.sources);
        let ready = move || observed.upgrade().is_some_and(|app| app.is_ready());
        app.metrics.observe(&app.budget, server.max_connections, ready);
        Ok(app)
    }

    /// The source that is served at exactly this path.
    #[must_use]
    pub fn source_at(&self, path: &str) -> Option<Arc<Source>> {
        self.sources.load().get(path).cloned()
    }

    /// Serves `sources` from now on, and no others. Requests that have theirs already keep it.
    ///
    /// What bounds the topics that `{type}` may name is kept for a source of the same name whose mapping is the same,
    /// or each reload would allow as many again. So are the provider's keys that are known, or each would ask for them again.
    pub fn put_sources_in_place(&self, mut sources: Vec<Arc<Source>>) {
        let before = self.sources.load();
        for source in &mut sources {
            let former = before.values().find(|former| former.name == source.name);
            // Nobody else has the new ones yet.
            if let (Some(former), Some(source)) = (former, Arc::get_mut(source)) {
                source.topics.go_on_from(&former.topics);
                if let (Some(known), Some(keys)) = (&former.fetched_keys, &mut source.fetched_keys)
                    && known.asks_as(keys)
                {
                    *keys = Arc::clone(known);
                }
            }
        }
        self.metrics.serve(&sources);
        self.sources.store(Arc::new(by_path(sources)));
    }

    /// What may be under way.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// The way to Kafka.
    #[must_use]
    pub fn producer(&self) -> &Clusters {
        &self.producer
    }

    /// Every instrument.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The way to providers' keys.
    #[must_use]
    pub fn fetcher(&self) -> &Arc<Fetcher> {
        &self.fetcher
    }

    /// The schema registry, if there is one.
    #[must_use]
    pub fn registry(&self) -> Option<&Arc<Registry>> {
        self.registry.as_ref()
    }

    /// What makes spans, if they are exported.
    pub(crate) fn tracing(&self) -> Option<&Arc<Tracing>> {
        self.tracing.as_ref()
    }

    /// The end has begun, and has to be over by `deadline`.
    pub fn end_by(&self, deadline: Instant) {
        let _ = self.ends_at.set(deadline);
    }

    /// When the end has to be over, if it has begun.
    #[must_use]
    pub fn ends_at(&self) -> Option<Instant> {
        self.ends_at.get().copied()
    }

    /// From now on no load balancer should send requests here; those that come are taken, and their connections are not
    /// kept.
    pub fn leave(&self) {
        self.stage.fetch_max(LEAVING, Ordering::Relaxed);
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.stage.load(Ordering::Relaxed) >= LEAVING
    }

    /// From now on new requests are refused.
    pub fn drain(&self) {
        self.stage.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// Whether new requests are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.stage.load(Ordering::Relaxed) >= DRAINING
    }

    /// Whether a load balancer should send requests here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_leaving() && self.producer.health().is_ready()
    }
}
