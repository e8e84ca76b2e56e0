//! The standard environment variables of OpenTelemetry, and what they say.
//!
//! Takes the environment. Gives [`Settings`], or everything that is wrong with it: what can't be honoured is refused by
//! its name, never passed over. Files with certificates are read here. docs/telemetry.md has the table.
//!
//! Source: OpenTelemetry specification 1.50, "Environment Variable Specification" and "OTLP Exporter Configuration".

use std::ffi::OsString;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::Sampler;

use super::Signal;
use super::destination::{self, Destination};
use super::environment::{Environment, Faults};
use super::sampling::PER_SECOND;

/// No export takes longer, and nothing waits longer for the next one.
const MAX_MILLISECONDS: u64 = 3_600_000;
/// No queue is longer: some hundred megabytes at the worst.
const MAX_QUEUE: u64 = 100_000;

/// What the environment says. What is `None` is not exported.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(super) traces: Option<Destination>,
    pub(super) metrics: Option<Destination>,
    pub(super) logs: Option<Destination>,
    pub(super) spans: Batching,
    pub(super) records: Batching,
    /// Between two exports of the metrics.
    pub(super) interval: Duration,
    pub(super) metrics_timeout: Duration,
    pub(super) sampler: Sampler,
    /// The most requests of a second that have spans.
    pub(super) per_second: Option<u32>,
    pub(super) propagation: Propagation,
    /// The most attributes that a span has.
    pub(super) max_attributes: u32,
    /// Without `service.name` if the environment names none.
    pub(super) resource: Vec<KeyValue>,
    /// What should be known and stops nothing.
    pub(super) warnings: Vec<String>,
}

/// What spans are made by.
#[derive(Debug)]
pub(crate) struct TraceSettings {
    /// What goes in and out.
    pub(crate) propagation: Propagation,
    /// The most attributes that a span has.
    pub(crate) max_attributes: u32,
}

/// How what waits is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batching {
    /// The longest that something waits for others.
    pub(super) delay: Duration,
    /// How long one export may take.
    pub(super) timeout: Duration,
    /// What may wait. Past it, it is lost.
    pub(super) max_queue: usize,
    /// The most in one export.
    pub(super) max_batch: usize,
}

/// What goes in from HTTP, and out into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Propagation {
    /// W3C Trace Context.
    pub(crate) trace_context: bool,
    /// W3C Baggage.
    pub(crate) baggage: bool,
}

/// Variables of the specification that have no effect here, and why.
const WITHOUT_EFFECT: [(&str, &str); 10] = [
    ("OTEL_LOG_LEVEL", "the level of the log is HOOKBRIDGE_LOG's"),
    ("OTEL_EXPORTER_PROMETHEUS_HOST", "/metrics is served at `admin.listen`"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "/metrics is served at `admin.listen`"),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "there are no exemplars"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "spans have no events"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "spans have no links"),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "spans have no events"),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "spans have no links"),
    ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "a log line has as many fields as its message needs"),
    ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "the fields of a log line are short"),
];

/// Variables of the specification that would change what is sent, in a way that hookbridge can't.
const REFUSED: [(&str, &str); 5] = [
    ("OTEL_CONFIG_FILE", "a configuration file for telemetry is not read; set the variables"),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", "a configuration file for telemetry is not read; set the variables"),
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "telemetry is sent by OTLP alone"),
    (
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "values have limits of their own here: 256 octets, a topic's name 249",
    ),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "values have limits of their own here: 256 octets"),
];

impl Settings {
    /// Nothing is exported, and nothing is wrong.
    pub(super) fn off() -> Self {
        Self {
            traces: None,
            metrics: None,
            logs: None,
            spans: Batching::new(5000),
            records: Batching::new(1000),
            interval: Duration::from_secs(60),
            metrics_timeout: Duration::from_secs(30),
            sampler: Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
            per_second: Some(PER_SECOND),
            propagation: Propagation { trace_context: true, baggage: false },
            max_attributes: 128,
            resource: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// Everything in it that can't be honoured.
    pub(super) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, Faults> {
        let mut environment = Environment::new(variables);
        let env = &mut environment;
        if env.flag("OTEL_SDK_DISABLED") {
            return Ok(Self::off());
        }
        let mut settings = Self::off();
        if let Some(named) = sampler(env) {
            (settings.sampler, settings.per_second) = (named, None);
        }
        settings.propagation = propagation(env).unwrap_or(settings.propagation);
        settings.resource = resource(env);
        settings.spans.read(env, "BSP");
        settings.records.read(env, "BLRP");
        let some = 1..=MAX_MILLISECONDS;
        settings.interval =
            env.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 100..=MAX_MILLISECONDS, settings.interval);
        settings.metrics_timeout =
            env.milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", some, settings.metrics_timeout);
        for name in ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"] {
            if let Some(most) = env.number(name, 0..=u64::from(u32::MAX)) {
                let most = u32::try_from(most).unwrap_or(u32::MAX);
                settings.max_attributes = settings.max_attributes.min(most);
            }
        }
        only_cumulative(env);
        let mut destination = |signal| {
            // What is wrong with a destination is wrong also where it is not used.
            let is_exported = is_exported(env, signal);
            let destination = destination::read(env, signal, is_exported);
            destination.filter(|_| is_exported)
        };
        settings.traces = destination(Signal::Traces);
        settings.metrics = destination(Signal::Metrics);
        settings.logs = destination(Signal::Logs);
        for (name, why) in WITHOUT_EFFECT {
            if env.text(name).is_some() {
                env.warn(name, format_args!("without effect: {why}"));
            }
        }
        for (name, why) in REFUSED {
            if env.text(name).is_some() {
                env.fault(name, format_args!("can't be honoured: {why}"));
            }
        }
        settings.warnings = environment.end()?;
        Ok(settings)
    }
}

impl Batching {
    fn new(delay_ms: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            timeout: Duration::from_secs(30),
            max_queue: 2048,
            max_batch: 512,
        }
    }

    fn read(&mut self, environment: &mut Environment, which: &str) {
        let name = |what: &str| format!("OTEL_{which}_{what}");
        let some = 1..=MAX_MILLISECONDS;
        self.delay = environment.milliseconds(&name("SCHEDULE_DELAY"), some.clone(), self.delay);
        self.timeout = environment.milliseconds(&name("EXPORT_TIMEOUT"), some, self.timeout);
        let queue = environment.number(&name("MAX_QUEUE_SIZE"), 1..=MAX_QUEUE);
        let batch = environment.number(&name("MAX_EXPORT_BATCH_SIZE"), 1..=MAX_QUEUE);
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.max_queue = queue.map_or(self.max_queue, size);
        self.max_batch = match batch.map(size) {
            Some(batch) if batch > self.max_queue => {
                let queue = self.max_queue;
                environment.fault(
                    &name("MAX_EXPORT_BATCH_SIZE"),
                    format_args!(
                        "{batch} is more than waits at the most ({queue}, by {})",
                        name("MAX_QUEUE_SIZE")
                    ),
                );
                self.max_batch
            }
            Some(batch) => batch,
            None => self.max_batch.min(self.max_queue),
        };
    }
}

/// Whether a signal is exported by OTLP.
fn is_exported(environment: &mut Environment, signal: Signal) -> bool {
    let name = format!("OTEL_{}_EXPORTER", signal.variable());
    let Some(value) = environment.text(&name) else {
        let endpoint = environment.of_signal(signal, "ENDPOINT").is_some();
        return endpoint && signal != Signal::Logs;
    };
    let mut choices = vec![("otlp", true), ("none", false)];
    if signal == Signal::Metrics {
        // /metrics is there anyway.
        choices.push(("prometheus", false));
    }
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    if words.len() > 1 && words.contains(&"none") {
        environment.fault(&name, "`none` stands alone");
        return false;
    }
    let mut chosen = false;
    for word in words {
        chosen |= environment.choice(&name, word, &choices).unwrap_or(false);
    }
    chosen
}

/// The sampler that is named, if one is.
fn sampler(environment: &mut Environment) -> Option<Sampler> {
    const NAME: &str = "OTEL_TRACES_SAMPLER";
    const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
    #[derive(Clone, Copy, PartialEq)]
    enum Root {
        On,
        Off,
        Ratio,
    }
    let argument = environment.text(ARGUMENT);
    let choices = [
        ("always_on", (Root::On, false)),
        ("always_off", (Root::Off, false)),
        ("traceidratio", (Root::Ratio, false)),
        ("parentbased_always_on", (Root::On, true)),
        ("parentbased_always_off", (Root::Off, true)),
        ("parentbased_traceidratio", (Root::Ratio, true)),
    ];
    let ratio = match &argument {
        Some(text) => match text.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Some(ratio),
            _ => {
                environment.fault(ARGUMENT, "a ratio from 0 to 1 is needed, such as 0.01");
                None
            }
        },
        None => None,
    };
    let Some(value) = environment.text(NAME) else {
        if argument.is_some() {
            environment
                .warn(ARGUMENT, "without effect: OTEL_TRACES_SAMPLER names no sampler that takes a ratio");
        }
        return None;
    };
    let chosen = environment.choice(NAME, &value, &choices)?;
    if argument.is_some() && chosen.0 != Root::Ratio {
        environment.warn(ARGUMENT, "without effect: the sampler takes no ratio");
    }
    let root = match chosen.0 {
        Root::On => Sampler::AlwaysOn,
        Root::Off => Sampler::AlwaysOff,
        Root::Ratio => Sampler::TraceIdRatioBased(ratio.unwrap_or(1.0)),
    };
    Some(if chosen.1 { Sampler::ParentBased(Box::new(root)) } else { root })
}

fn propagation(environment: &mut Environment) -> Option<Propagation> {
    const NAME: &str = "OTEL_PROPAGATORS";
    let value = environment.text(NAME)?;
    let mut propagation = Propagation { trace_context: false, baggage: false };
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    if words.len() > 1 && words.contains(&"none") {
        environment.fault(NAME, "`none` stands alone");
    }
    for word in words {
        match environment.choice(NAME, word, &[("tracecontext", 0), ("baggage", 1), ("none", 2)]) {
            Some(0) => propagation.trace_context = true,
            Some(1) => propagation.baggage = true,
            _ => {}
        }
    }
    if propagation.baggage && !propagation.trace_context {
        environment.fault(NAME, "`baggage` needs `tracecontext` beside it");
    }
    Some(propagation)
}

/// What this process is: the attributes by name.
fn resource(environment: &mut Environment) -> Vec<KeyValue> {
    const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let mut attributes = Vec::new();
    for (index, entry) in environment.text(NAME).iter().flat_map(|value| value.split(',')).enumerate() {
        if entry.trim().is_empty() {
            continue;
        }
        let decoded = entry
            .split_once('=')
            .and_then(|(key, value)| Some((percent_decoded(key.trim())?, percent_decoded(value.trim())?)));
        match decoded.filter(|(key, _)| !key.is_empty()) {
            Some((key, value)) => attributes.push(KeyValue::new(key, value)),
            None => environment
                .fault(NAME, format_args!("entry {} is not `key=value` in percent-encoding", index + 1)),
        }
    }
    if let Some(name) = environment.text("OTEL_SERVICE_NAME") {
        attributes.retain(|attribute| attribute.key.as_str() != "service.name");
        attributes.push(KeyValue::new("service.name", name));
    }
    attributes
}

/// Undoes `%2C` and its like. `+` is itself: this is no form.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first == b'%' {
            octets.extend(hex::decode(rest.get(..2)?).ok()?);
            rest = &rest[2..];
        } else {
            octets.push(*first);
        }
    }
    String::from_utf8(octets).ok()
}

/// Sums count from the start of the process, as those of /metrics do; histograms have the same boundaries there.
fn only_cumulative(environment: &mut Environment) {
    for (name, only) in [
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram"),
    ] {
        if let Some(value) = environment.text(name) {
            let value = value.to_ascii_lowercase();
            let _ = environment.choice(name, &value, &[(only, ())]);
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
