//! Traces, metrics and logs for an OpenTelemetry collector, by OTLP, as the standard `OTEL_*` variables say.
//!
//! Takes the environment. Gives an [`Exports`]: what is exported, by the exporters of `opentelemetry-otlp` on the SDK's
//! threads, behind queues that have a limit. Requests wait for nothing here, and a collector that is away, slow or
//! hostile costs them nothing but what is lost, which is counted. Where the environment asks for nothing there is no
//! thread, and nothing to do.

mod client;
mod counted;
mod destination;
mod environment;
mod exporters;
mod sampling;
mod settings;
mod tally;

use std::fmt;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::metrics::Meter;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{self, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{self, BatchSpanProcessor};
use tokio::runtime::Handle;
use tokio::sync::watch;

use counted::{Admitting, Counted, Course};
use destination::Destination;
use exporters::Parts;
use sampling::WithinRoom;
use settings::Settings;
use tally::Tally;

pub use environment::Faults;
pub(crate) use settings::{Propagation, TraceSettings};

use super::trace::Tracing;

/// The longest that the end of the process waits for what is not exported yet.
pub(crate) const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// What the SDK is told of its end, which is longer: exports that are cut off are then told apart from an end in order.
const SDK_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// Its name in logs and metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// Its part in the names of variables.
    fn variable(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Where it is posted to.
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The environment is wrong.
    #[error(transparent)]
    Environment(#[from] Faults),
    /// A thread or a client can't be had.
    #[error("{signal} can't be exported: {why}")]
    Start {
        /// Which of them.
        signal: &'static str,
        /// Why.
        why: String,
    },
}

/// What is exported, and by whom.
#[derive(Debug)]
pub struct Exports {
    settings: Settings,
    resource: Resource,
    tallies: Vec<Arc<Tally>>,
    ending: watch::Sender<Option<Instant>>,
    tracing: Option<Arc<Tracing>>,
    logger: Option<SdkLoggerProvider>,
    reader: Option<PeriodicReader<Counted<MetricExporter>>>,
    /// Whose metrics are exported.
    meters: OnceLock<SdkMeterProvider>,
}

impl Exports {
    /// Nothing is exported: what every command but `serve` has.
    #[must_use]
    pub fn none() -> Self {
        Self::of(Settings::off())
    }

    /// What the environment of this process says. Threads are started, and nothing is sent yet.
    ///
    /// # Errors
    /// Everything in the environment that can't be honoured; or a thread can't be had.
    pub fn from_environment() -> Result<Self, ExportError> {
        Self::of(Settings::read(std::env::vars_os())?).started()
    }

    fn of(settings: Settings) -> Self {
        let resource = resource(&settings);
        let (tallies, ending) = (Vec::new(), watch::Sender::new(None));
        let (tracing, logger, reader, meters) = (None, None, None, OnceLock::new());
        Self { settings, resource, tallies, ending, tracing, logger, reader, meters }
    }

    fn started(mut self) -> Result<Self, ExportError> {
        let (traces, metrics, logs) =
            (self.settings.traces.take(), self.settings.metrics.take(), self.settings.logs.take());
        if traces.is_none() && metrics.is_none() && logs.is_none() {
            return Ok(self);
        }
        let runtime = runtime().map_err(|error| ExportError::Start {
            signal: "telemetry",
            why: format!("the thread for its connections can't be started: {error}"),
        })?;
        if let Some(destination) = traces {
            let batching = self.settings.spans;
            let limits = (batching.timeout, batching.max_queue);
            let exporter = self.counted(Signal::Traces, &destination, limits, &runtime, exporters::spans)?;
            let tally = Arc::clone(&exporter.course.tally);
            let config = trace::BatchConfigBuilder::default()
                .with_max_queue_size(batching.max_queue)
                .with_max_export_batch_size(batching.max_batch)
                .with_scheduled_delay(batching.delay);
            let processor = BatchSpanProcessor::new(exporter, config.build());
            let sampler = self.settings.sampler.clone();
            let sampler = WithinRoom::new(sampler, self.settings.per_second, Arc::clone(&tally));
            let settings = TraceSettings {
                propagation: self.settings.propagation,
                max_attributes: self.settings.max_attributes,
            };
            self.tracing =
                Some(Tracing::start(settings, sampler, &self.resource, Admitting { processor, tally }));
        }
        if let Some(destination) = metrics {
            let limits = (self.settings.metrics_timeout, 0);
            let exporter =
                self.counted(Signal::Metrics, &destination, limits, &runtime, exporters::metrics)?;
            let reader = PeriodicReader::builder(exporter).with_interval(self.settings.interval);
            self.reader = Some(reader.build());
        }
        if let Some(destination) = logs {
            let batching = self.settings.records;
            let limits = (batching.timeout, batching.max_queue);
            let exporter = self.counted(Signal::Logs, &destination, limits, &runtime, exporters::records)?;
            let tally = Arc::clone(&exporter.course.tally);
            let config = logs::BatchConfigBuilder::default()
                .with_max_queue_size(batching.max_queue)
                .with_max_export_batch_size(batching.max_batch)
                .with_scheduled_delay(batching.delay);
            let processor = BatchLogProcessor::builder(exporter).with_batch_config(config.build()).build();
            let provider = SdkLoggerProvider::builder()
                .with_resource(self.resource.clone())
                .with_log_processor(Admitting { processor, tally });
            self.logger = Some(provider.build());
        }
        Ok(self)
    }

    /// An exporter of one signal, which `(timeout, queue)` limit.
    fn counted<E>(
        &mut self,
        signal: Signal,
        destination: &Destination,
        (timeout, max_waiting): (Duration, usize),
        runtime: &Handle,
        make: fn(&Parts<'_>) -> Result<E, String>,
    ) -> Result<Counted<E>, ExportError> {
        let timeout = timeout.min(destination.timeout);
        let (seen, runtime) = (client::Shared::default(), runtime.clone());
        let parts = Parts { destination, timeout, runtime: &runtime, seen: Arc::clone(&seen) };
        let exporter = make(&parts).map_err(|why| ExportError::Start { signal: signal.name(), why })?;
        let tally = Tally::new(signal, destination.to_string(), max_waiting);
        self.tallies.push(Arc::clone(&tally));
        let course = Course { runtime, timeout, ending: self.ending.subscribe(), seen, tally };
        Ok(Counted { exporter, course })
    }

    /// What makes spans, if they are exported.
    pub(crate) fn tracing(&self) -> Option<Arc<Tracing>> {
        self.tracing.clone()
    }

    /// Where log lines go, if they are exported.
    pub(crate) fn logger(&self) -> Option<&SdkLoggerProvider> {
        self.logger.as_ref()
    }

    /// The provider of the metrics, which also exports them if it is to. Once.
    pub(crate) fn meters(&self, builder: MeterProviderBuilder) -> SdkMeterProvider {
        let builder = builder.with_resource(self.resource.clone());
        let Some(reader) = &self.reader else { return builder.build() };
        let provider = builder.with_reader(reader.clone()).build();
        let _ = self.meters.set(provider.clone());
        provider
    }

    /// Reports what became of it all.
    pub(crate) fn observe(&self, meter: &Meter) {
        tally::observe(meter, &self.tallies);
    }

    /// Says what is exported, and what of the environment should be known.
    pub fn log(&self) {
        for warning in &self.settings.warnings {
            tracing::warn!(reason = warning, "an environment variable of OpenTelemetry is not used");
        }
        for tally in &self.tallies {
            tally.announce();
        }
    }

    /// Exports what waits, until `deadline` at most, and ends. Blocks.
    pub fn shut_down(&self, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + FLUSH_WITHIN);
        self.ending.send_replace(Some(deadline));
        let mut ends: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        if let Some(provider) = self.tracing.as_ref().map(|tracing| tracing.provider().clone()) {
            ends.push(Box::new(move || drop(provider.shutdown_with_timeout(SDK_ENDS_WITHIN))));
        }
        if let Some(provider) = self.meters.get().cloned() {
            ends.push(Box::new(move || drop(provider.shutdown_with_timeout(SDK_ENDS_WITHIN))));
        }
        if let Some(provider) = self.logger.clone() {
            ends.push(Box::new(move || drop(provider.shutdown_with_timeout(SDK_ENDS_WITHIN))));
        }
        let (count, (say_ended, ended)) = (ends.len(), mpsc::channel());
        for end in ends {
            let say_ended = say_ended.clone();
            // Whatever the SDK waits for, this thread does not. Without a thread there is no end in order.
            let started = thread::Builder::new().name("otlp-end".to_owned()).spawn(move || {
                end();
                let _ = say_ended.send(());
            });
            drop(started);
        }
        drop(say_ended);
        let left = || deadline.saturating_duration_since(Instant::now());
        let in_order = (0..count).all(|_| ended.recv_timeout(left()).is_ok());
        self.tallies.iter().for_each(|tally| tally.close());
        if !in_order {
            tracing::warn!("the collector did not take the last telemetry in time");
        }
    }
}

/// Where connections to collectors live: a thread that runs as long as the process, so that none of it takes time from
/// those that serve requests.
fn runtime() -> std::io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Names are looked up there, one for each signal; a resolver that hangs must not gather threads.
        .max_blocking_threads(Signal::ALL.len())
        .build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("otlp".to_owned()).spawn(move || {
        // What is said here must not come back to be exported.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(handle)
}

/// What this process is. Replicas must not be taken for one another, so each has an ID where the environment names none.
fn resource(settings: &Settings) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("telemetry.sdk.name", "opentelemetry"),
        KeyValue::new("telemetry.sdk.language", "rust"),
    ];
    if settings.traces.is_some() || settings.metrics.is_some() || settings.logs.is_some() {
        attributes.push(KeyValue::new("service.instance.id", super::trace::random_uuid()));
    }
    let named = |key: &str| settings.resource.iter().any(|attribute| attribute.key.as_str() == key);
    attributes.retain(|attribute| !named(attribute.key.as_str()));
    attributes.extend(settings.resource.iter().cloned());
    Resource::builder_empty().with_attributes(attributes).build()
}
