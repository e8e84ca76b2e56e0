//! The instruments of the configuration: how often it was read again, whether that failed, and since when it runs.
//!
//! Takes what [`crate::reload`] says. Gives a counter and two gauges to [`super::metrics`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::metrics::counter;

/// What is known of the configuration that runs.
#[derive(Debug)]
pub(super) struct Configuration {
    reloads: Counter<u64>,
    /// Whether the file, as it was read last, is another one, and wrong.
    failed: AtomicBool,
    /// When it was read: seconds since 1970.
    read_at: AtomicU64,
}

const SUCCEEDED: &str = "succeeded";
const FAILED: &str = "failed";

impl Configuration {
    /// Read just now, and reported by `meter` whenever it is asked for.
    pub(super) fn observed_by(meter: &Meter) -> Arc<Self> {
        let reloads = counter(
            meter,
            "hookbridge.config.reloads",
            "Readings of the configuration since the start, by outcome",
        );
        for outcome in [SUCCEEDED, FAILED] {
            reloads.add(0, &[KeyValue::new("hookbridge.outcome", outcome)]);
        }
        let this = Self { reloads, failed: AtomicBool::new(false), read_at: AtomicU64::new(now()) };
        let this = Arc::new(this);
        let (of_failure, of_time) = (Arc::clone(&this), Arc::clone(&this));
        meter
            .u64_observable_gauge("hookbridge.config.reload.failed")
            .with_description(
                "1 if the configuration's files are wrong, and what runs is older than they are",
            )
            .with_callback(move |observer| {
                observer.observe(u64::from(of_failure.failed.load(Ordering::Relaxed)), &[]);
            })
            .build();
        meter
            .u64_observable_gauge("hookbridge.config.last_load.timestamp")
            .with_description("When the configuration that runs was read, since 1970")
            .with_unit("s")
            .with_callback(move |observer| observer.observe(of_time.read_at.load(Ordering::Relaxed), &[]))
            .build();
        this
    }

    /// It was read again, and is in place, or is wrong.
    pub(super) fn read(&self, in_place: bool) {
        let outcome = if in_place { SUCCEEDED } else { FAILED };
        self.reloads.add(1, &[KeyValue::new("hookbridge.outcome", outcome)]);
        self.failed.store(!in_place, Ordering::Relaxed);
        if in_place {
            self.read_at.store(now(), Ordering::Relaxed);
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
