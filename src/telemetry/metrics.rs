//! Every instrument: those of requests and records here, the others in the files beside this one.
//!
//! Takes what the stations and librdkafka's callbacks observe. Gives `/metrics` in the Prometheus text format.
//! Instruments go through the OpenTelemetry API with the names of its semantic conventions, where there is
//! one. Message ids and keys never become attributes: only names from the configuration do, and topics, whose
//! number is bounded for each source.
//!
//! Sources: OpenTelemetry semantic conventions for HTTP server and messaging (Kafka) metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _, UpDownCounter};
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, TextEncoder};

use super::clusters::{ClusterMetrics, of_cluster};
use super::configuration::Configuration;
use super::kafka::KafkaMetrics;
use super::limits::{self, Connections};
use super::otlp::Exports;
use super::process;
use super::repeats::{Mark, Repeats};
use super::sources::SourceMetrics;
use crate::budget::Budget;
use crate::config::Source;
use crate::kafka::clusters::Cluster;
use crate::topic::TopicName;

/// Seconds: the semantic conventions' boundaries, with finer ones below, where Kafka answers.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0];

/// The `hookbridge.source` of requests that no source is configured for.
const NO_SOURCE: &str = "none";

/// What is counted as late.
const LATE: &str = "Records acknowledged or given up after their request was answered 503";

/// What is counted as a dead letter.
const DEAD_LETTERS: &str = "Genuine events that could not be read, by reason";

/// What is counted as dropped.
const DROPPED: &str = "Events acknowledged and not published, as configured";

/// What is counted as an empty batch.
const EMPTY_BATCHES: &str = "Batches acknowledged that have no event in them";

/// What is counted as a question to the registry.
const QUESTIONS: &str =
    "Questions to the schema registry, by whether they were answered with a schema that can be used";

/// What is counted as a handshake.
const HANDSHAKES: &str = "Requests by which a provider sees who is there, by what became of them";

/// What is counted as repeated.
const REPEATED: &str = "Records acknowledged whose key is among the last ones that this replica remembers: a lower \
                        bound of the records that consumers have twice";

/// Every instrument.
#[derive(Debug)]
pub struct Metrics {
    registry: prometheus::Registry,
    // Held so that its instruments stay connected to the registry.
    _provider: SdkMeterProvider,
    meter: Meter,
    request_duration: Histogram<f64>,
    active_requests: UpDownCounter<i64>,
    pub(super) rejections: Counter<u64>,
    sent_messages: Counter<u64>,
    send_duration: Histogram<f64>,
    late_deliveries: Counter<u64>,
    pub(super) repeated: Counter<u64>,
    repeats: Repeats,
    pub(super) dead_letters: Counter<u64>,
    dropped: Counter<u64>,
    pub(super) not_genuine: NotGenuine,
    pub(super) verified: Counter<u64>,
    pub(super) empty_batches: Counter<u64>,
    handshakes: Counter<u64>,
    schema_registry: Counter<u64>,
    pub(crate) clusters: ClusterMetrics,
    pub(crate) kafka: KafkaMetrics,
    pub(crate) connections: Connections,
    pub(crate) sources: SourceMetrics,
    configuration: Arc<Configuration>,
    preflight: Arc<[AtomicU64; 2]>,
}

pub(super) fn counter(meter: &Meter, name: &'static str, description: &'static str) -> Counter<u64> {
    meter.u64_counter(name).with_description(description).build()
}

fn seconds(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<f64> {
    let histogram = meter.f64_histogram(name).with_description(description).with_unit("s");
    histogram.with_boundaries(SECONDS.to_vec()).build()
}

fn active_requests(meter: &Meter) -> UpDownCounter<i64> {
    let counter = meter.i64_up_down_counter("http.server.active_requests");
    counter.with_description("Requests that have no answer yet").build()
}

/// What the log has lost, which is asked for, not told.
fn observe_lost_lines(meter: &Meter) {
    meter
        .u64_observable_counter("hookbridge.logs.lost")
        .with_description("Log lines that could not be written, since nobody read them fast enough")
        .with_callback(|observer| observer.observe(super::logs::lost(), &[]))
        .build();
}

/// What the last look at the cluster and the registry found, by severity.
fn preflight(meter: &Meter) -> Arc<[AtomicU64; 2]> {
    let faults: Arc<[AtomicU64; 2]> = Arc::default();
    let observed = Arc::clone(&faults);
    meter
        .u64_observable_gauge("hookbridge.preflight.faults")
        .with_description("What is not as the configuration needs it: topics, rights, schemas, certificates")
        .with_callback(move |observer| {
            for (severity, count) in ["error", "warning"].into_iter().zip(observed.iter()) {
                let of_severity = [KeyValue::new("hookbridge.severity", severity)];
                observer.observe(count.load(Ordering::Relaxed), &of_severity);
            }
        })
        .build();
    faults
}

impl Metrics {
    /// All instruments, connected to a registry of their own.
    ///
    /// # Errors
    /// The exporter can't be built: a defect of this file.
    pub fn new() -> Result<Arc<Self>, opentelemetry_sdk::error::OTelSdkError> {
        Self::exported_by(&Exports::none())
    }

    /// The same, exported as `exports` says, beside `/metrics`.
    ///
    /// # Errors
    /// As those of [`Metrics::new`].
    pub fn exported_by(exports: &Exports) -> Result<Arc<Self>, opentelemetry_sdk::error::OTelSdkError> {
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
        let provider = exports.meters(SdkMeterProvider::builder().with_reader(exporter));
        let meter = provider.meter("hookbridge");
        exports.observe(&meter);
        observe_lost_lines(&meter);
        process::observe(&meter);
        let clusters = ClusterMetrics::new(&meter);
        let preflight = preflight(&meter);
        Ok(Arc::new(Self {
            request_duration: seconds(
                &meter,
                "http.server.request.duration",
                "Time from the request's head to its answer",
            ),
            active_requests: active_requests(&meter),
            rejections: counter(&meter, "hookbridge.rejections", "Requests refused, by reason"),
            sent_messages: counter(
                &meter,
                "messaging.client.sent.messages",
                "Records whose end is known: acknowledged, or with an error.type",
            ),
            send_duration: seconds(
                &meter,
                "messaging.client.operation.duration",
                "Time from enqueueing a record to its delivery report",
            ),
            late_deliveries: counter(&meter, "hookbridge.deliveries.late", LATE),
            repeated: counter(&meter, "hookbridge.deliveries.repeated", REPEATED),
            repeats: Repeats::new(),
            dead_letters: counter(&meter, "hookbridge.dead_letters", DEAD_LETTERS),
            dropped: counter(&meter, "hookbridge.events.dropped", DROPPED),
            not_genuine: NotGenuine::new(&meter),
            verified: counter(
                &meter,
                "hookbridge.verified",
                "Requests found genuine, by the name of the key that signed them",
            ),
            configuration: Configuration::observed_by(&meter),
            empty_batches: counter(&meter, "hookbridge.batches.empty", EMPTY_BATCHES),
            schema_registry: counter(&meter, "hookbridge.registry.requests", QUESTIONS),
            handshakes: counter(&meter, "hookbridge.handshakes", HANDSHAKES),
            clusters,
            kafka: KafkaMetrics::new(&meter),
            connections: Connections::new(&meter),
            sources: SourceMetrics::new(&meter),
            preflight,
            meter,
            _provider: provider,
            registry,
        }))
    }

    /// Reports what is taken of `budget`, the limits, and whether Kafka is `ready`, whenever they are asked for.
    pub(crate) fn observe(
        &self,
        budget: &Arc<Budget>,
        max_connections: usize,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) {
        limits::observe(&self.meter, budget, max_connections, ready);
    }

    /// These sources are served from now on, and no others.
    pub(crate) fn serve(&self, sources: &[Arc<Source>]) {
        self.sources.serve(sources);
        self.begin_at_zero(sources);
    }

    /// A request has arrived, for the source of that name, if there is one.
    pub(crate) fn request(&self, source: Option<&Arc<str>>, method: &Method, arrived: Instant) -> Watch<'_> {
        let source = source.map_or(StringValue::from(NO_SOURCE), |source| Arc::clone(source).into());
        let method = method_name(method);
        self.active_requests.add(1, &[]);
        Watch { metrics: self, source, method, arrived }
    }

    /// A record's end is known.
    pub(crate) fn delivery(
        &self,
        topic: &TopicName,
        took: Duration,
        failure: Option<&'static str>,
        late: bool,
        cluster: Option<Cluster>,
    ) {
        let topic = KeyValue::new("messaging.destination.name", Value::String(topic.shared().into()));
        let system = KeyValue::new("messaging.system", "kafka");
        // A cluster is named only where there are two.
        let mut attributes = [system.clone(), topic.clone(), system.clone(), system.clone()];
        let mut count = 2;
        let named = cluster.map(of_cluster);
        for more in named.into_iter().chain(failure.map(|failure| KeyValue::new("error.type", failure))) {
            attributes[count] = more;
            count += 1;
        }
        self.sent_messages.add(1, &attributes[..count]);
        self.send_duration.record(
            took.as_secs_f64(),
            &[system, KeyValue::new("messaging.operation.name", "send"), topic.clone()],
        );
        if late {
            let outcome = failure.unwrap_or("acknowledged");
            self.late_deliveries.add(1, &[topic, KeyValue::new("hookbridge.outcome", outcome)]);
        }
    }

    /// What a record of a genuine event is remembered by.
    pub(crate) fn mark(&self, source: &Arc<str>, key: &[u8]) -> Mark {
        self.repeats.mark(source, key)
    }

    /// A record has been acknowledged.
    pub(crate) fn acknowledged(&self, mark: &Mark) {
        if self.repeats.is_repeated(mark) {
            self.repeated.add(1, &[of_source(&mark.source)]);
        }
    }

    /// A request is genuine, by the key of that name.
    pub(crate) fn verified(&self, source: &Arc<str>, key: &Arc<str>) {
        self.verified.add(1, &[of_source(source), of_key(key)]);
    }

    /// The configuration was read again, and is in place, or is wrong.
    pub(crate) fn configuration_read(&self, in_place: bool) {
        self.configuration.read(in_place);
    }

    /// A genuine event can't be read, and goes to the dead-letter topic.
    pub(crate) fn dead_letter(&self, source: &Arc<str>, reason: &'static str) {
        self.dead_letters.add(1, &[of_source(source), KeyValue::new("error.type", reason)]);
    }

    /// So many events are dropped, as configured.
    pub(crate) fn dropped(&self, source: &Arc<str>, count: usize) {
        self.dropped.add(count as u64, &[of_source(source)]);
    }

    /// A batch has no event in it.
    pub(crate) fn empty_batch(&self, source: &Arc<str>) {
        self.empty_batches.add(1, &[of_source(source)]);
    }

    /// A request whose signature fails goes to the topic for those, since its source only reports it.
    pub(crate) fn unverified(&self, source: &Arc<str>, error_type: &'static str) {
        self.not_genuine.unverified.add(1, &[of_source(source), KeyValue::new("error.type", error_type)]);
    }

    /// A refused request is on its way to the quarantine.
    pub(crate) fn quarantined(&self, source: &Arc<str>, error_type: &'static str) {
        self.not_genuine.quarantined.add(1, &[of_source(source), KeyValue::new("error.type", error_type)]);
    }

    /// A refused request is not kept, for this reason.
    pub(crate) fn quarantine_skipped(&self, source: &Arc<str>, reason: &'static str) {
        self.not_genuine.skipped.add(1, &[of_source(source), KeyValue::new("error.type", reason)]);
    }

    /// A handshake was answered, or refused.
    pub(crate) fn handshake(&self, source: &Arc<str>, outcome: &'static str) {
        self.handshakes.add(1, &[of_source(source), KeyValue::new("hookbridge.outcome", outcome)]);
    }

    /// What the last look at the cluster and the registry found.
    pub(crate) fn preflight(&self, errors: usize, warnings: usize) {
        for (count, found) in self.preflight.iter().zip([errors, warnings]) {
            count.store(found as u64, Ordering::Relaxed);
        }
    }

    /// The schema registry was asked for a schema.
    pub(crate) fn registry_asked(&self, answered: bool) {
        let outcome = if answered { "answered" } else { "failed" };
        self.schema_registry.add(1, &[KeyValue::new("hookbridge.outcome", outcome)]);
    }

    pub(crate) fn producer_generation(&self, number: u64, cluster: Option<Cluster>) {
        self.clusters.generation(number, cluster);
        self.kafka.in_place(number, cluster);
    }

    /// Everything, in the Prometheus text format (version 0.0.4).
    ///
    /// # Errors
    /// The registry holds what the format can't say: a defect of this file.
    pub fn to_prometheus(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

/// What is counted of requests whose signature fails, beside the rejections.
#[derive(Debug)]
pub(super) struct NotGenuine {
    pub(super) unverified: Counter<u64>,
    quarantined: Counter<u64>,
    skipped: Counter<u64>,
}

impl NotGenuine {
    fn new(meter: &Meter) -> Self {
        let counter = |name, description| counter(meter, name, description);
        Self {
            unverified: counter(
                "hookbridge.unverified",
                "Requests whose signature fails, published as such under verification: report_only",
            ),
            quarantined: counter("hookbridge.quarantined", "Refused requests handed to Kafka to be kept"),
            skipped: counter("hookbridge.quarantine.skipped", "Refused requests not kept, by reason"),
        }
    }
}

/// One request under observation, to its answer or until its connection breaks.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    metrics: &'a Metrics,
    source: StringValue,
    method: &'static str,
    arrived: Instant,
}

/// The method's name. A sender can make up any number of methods; the conventions give them one name.
pub(super) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::POST => "POST",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

pub(super) fn of_source(source: &Arc<str>) -> KeyValue {
    KeyValue::new("hookbridge.source", Value::String(Arc::clone(source).into()))
}

pub(super) fn of_key(key: &Arc<str>) -> KeyValue {
    KeyValue::new("hookbridge.key", Value::String(Arc::clone(key).into()))
}

impl Watch<'_> {
    /// The name of the source, or `none`.
    pub(crate) fn source(&self) -> &str {
        self.source.as_str()
    }

    /// The answer is known: a success, or a refusal with its `error.type`.
    pub(crate) fn answered(&self, status: StatusCode, error_type: Option<&'static str>) {
        let source = KeyValue::new("hookbridge.source", Value::String(self.source.clone()));
        let attributes = [
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            source.clone(),
            KeyValue::new("error.type", error_type.unwrap_or_default()),
        ];
        let known = match error_type {
            None => &attributes[..3],
            Some(error_type) => {
                self.metrics.rejections.add(1, &[source, KeyValue::new("error.type", error_type)]);
                &attributes[..]
            }
        };
        self.metrics.request_duration.record(self.arrived.elapsed().as_secs_f64(), known);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.metrics.active_requests.add(-1, &[]);
    }
}
