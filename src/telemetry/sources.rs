//! The instruments of the sources: which there are, when each was heard of last and should be again, how its keys end,
//! how old its signatures are when they come, and how large its bodies are.
//!
//! Takes the sources of the configuration that runs, and what the stations observe. Gives gauges and histograms to
//! [`super::metrics`]. Sources that a reload has taken away are not reported any more, and those that it has left keep
//! what is known of them; for what may disappear see [`super::kafka`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, ObservableUpDownCounter};

use super::metrics::{of_key, of_source};
use crate::config::{Authentication, Source};
use crate::signature::UnixSeconds;

/// Seconds, from what a network costs to what a provider's last attempt is late by, with the common tolerance of 300.
const AGES: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0, 300.0, 600.0, 1800.0, 3600.0, 21_600.0, 86_400.0];

/// Octets. Most webhooks have one to some tens of KiB; the largest body that is accepted by default is 960 KiB.
const SIZES: &[f64] =
    &[256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// What is known of the sources.
#[derive(Debug)]
pub(crate) struct SourceMetrics {
    served: Arc<ArcSwap<Served>>,
    signature_age: Histogram<f64>,
    body_size: Histogram<u64>,
}

/// The sources, by name.
type Served = HashMap<Arc<str>, Known>;

#[derive(Debug)]
struct Known {
    /// Milliseconds since 1970; 0 before the first.
    last_accepted: Arc<AtomicU64>,
    expected_every: Option<Duration>,
    info: [KeyValue; 3],
    of_source: [KeyValue; 1],
    /// Those that end, and when, in seconds since 1970.
    keys: Vec<([KeyValue; 2], f64)>,
}

impl SourceMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let served = Arc::default();
        observe(meter, &served);
        let histogram = meter
            .f64_histogram("hookbridge.signature.age")
            .with_description(
                "How far the signed time of requests whose signature holds is from their arrival",
            )
            .with_unit("s");
        let signature_age = histogram.with_boundaries(AGES.to_vec()).build();
        let histogram = meter
            .u64_histogram("http.server.request.body.size")
            .with_description("Octets of request bodies, as they were sent")
            .with_unit("By");
        let body_size = histogram.with_boundaries(SIZES.to_vec()).build();
        Self { served, signature_age, body_size }
    }

    /// These sources are served from now on, and no others.
    pub(super) fn serve(&self, sources: &[Arc<Source>]) {
        let before = self.served.load();
        let served = sources.iter().map(|source| {
            let last = before.get(&source.name).map(|known| Arc::clone(&known.last_accepted));
            (Arc::clone(&source.name), Known::of(source, last.unwrap_or_default()))
        });
        self.served.store(Arc::new(served.collect()));
    }

    /// Every record of a genuine request has been acknowledged just now.
    pub(crate) fn accepted(&self, source: &Arc<str>) {
        if let Some(known) = self.served.load().get(source) {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            known.last_accepted.store(millis, Ordering::Relaxed);
        }
    }

    /// A request whose signature holds was signed and received at these times.
    pub(crate) fn signed(&self, source: &Arc<str>, signed: UnixSeconds, received: UnixSeconds) {
        let clock = if signed <= received { "behind" } else { "ahead" };
        let labels = [of_source(source), KeyValue::new("hookbridge.clock", clock)];
        self.signature_age.record(signed.0.abs_diff(received.0) as f64, &labels);
    }

    /// A body of this many octets has been read.
    pub(crate) fn body(&self, source: &Arc<str>, octets: usize) {
        self.body_size.record(octets as u64, &[of_source(source)]);
    }
}

impl Known {
    fn of(source: &Source, last_accepted: Arc<AtomicU64>) -> Self {
        let keys = match &source.authentication {
            Authentication::Signed { keys, .. } => keys.as_slice(),
            Authentication::DangerUnsigned => &[],
        };
        let ends = keys.iter().filter_map(|key| {
            let end = key.window.not_after?.duration_since(UNIX_EPOCH).ok()?;
            Some(([of_source(&source.name), of_key(&key.name)], end.as_secs_f64()))
        });
        let info = [
            of_source(&source.name),
            KeyValue::new("hookbridge.provider", source.provider.name.clone()),
            KeyValue::new("hookbridge.verification", verification(source)),
        ];
        Self {
            last_accepted,
            expected_every: source.expected_every,
            info,
            of_source: [of_source(&source.name)],
            keys: ends.collect(),
        }
    }

    fn last_accepted(&self) -> Option<f64> {
        let millis = self.last_accepted.load(Ordering::Relaxed);
        (millis > 0).then(|| Duration::from_millis(millis).as_secs_f64())
    }
}

fn verification(source: &Source) -> &'static str {
    match (&source.authentication, &source.report_only) {
        (Authentication::DangerUnsigned, _) => "unsigned",
        (Authentication::Signed { .. }, Some(_)) => "report_only",
        (Authentication::Signed { .. }, None) => "enforce",
    }
}

/// Reports the sources whenever they are asked for.
fn observe(meter: &Meter, served: &Arc<ArcSwap<Served>>) {
    let observed = Arc::clone(served);
    let _: ObservableUpDownCounter<i64> = meter
        .i64_observable_up_down_counter("hookbridge.source.info")
        .with_description("Always 1; the labels say of what provider a source is, and how it is verified")
        .with_callback(move |observer| {
            observed.load().values().for_each(|known| observer.observe(1, &known.info));
        })
        .build();
    let seconds = |name, description, value: fn(&Known) -> Option<f64>| {
        let observed = Arc::clone(served);
        let gauge = meter.f64_observable_up_down_counter(name).with_unit("s").with_description(description);
        gauge
            .with_callback(move |observer| {
                for known in observed.load().values() {
                    if let Some(value) = value(known) {
                        observer.observe(value, &known.of_source);
                    }
                }
            })
            .build();
    };
    seconds(
        "hookbridge.source.last_accepted.timestamp",
        "When Kafka has acknowledged a genuine request of the source last, since 1970",
        Known::last_accepted,
    );
    seconds(
        "hookbridge.source.expected_every",
        "The longest that the source is silent while all is well: expected_every",
        |known| known.expected_every.map(|every| every.as_secs_f64()),
    );
    let observed = Arc::clone(served);
    meter
        .f64_observable_up_down_counter("hookbridge.key.not_after.timestamp")
        .with_description("The last instant at which the key is tried, since 1970")
        .with_unit("s")
        .with_callback(move |observer| {
            for (labels, end) in observed.load().values().flat_map(|known| &known.keys) {
                observer.observe(*end, labels);
            }
        })
        .build();
}
