//! What became of what was to be exported: counted, and said in the log when it begins and when it ends.
//!
//! Takes the outcome of each export, and what was lost before it came so far. Gives two counters to the metrics. A
//! collector that is away is one line in the log when that is noticed and one when it is over, however long it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::Signal;
use super::client::Failure;

/// The counts of one signal: spans, data points or log records.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) signal: Signal,
    /// For the log: where it is sent.
    destination: String,
    /// What may wait to be exported.
    max_waiting: usize,
    waiting: AtomicUsize,
    /// Nothing is exported any more.
    closed: AtomicBool,
    lost: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Since the last export something was lost for lack of room.
    overflowed: AtomicBool,
    /// It has been said that something is wrong.
    in_trouble: AtomicBool,
    lost_before: AtomicU64,
}

impl Tally {
    pub(super) fn new(signal: Signal, destination: String, max_waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            signal,
            destination,
            max_waiting,
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            overflowed: AtomicBool::new(false),
            in_trouble: AtomicBool::new(false),
            lost_before: AtomicU64::new(0),
        })
    }

    /// Says that it begins.
    pub(super) fn announce(&self) {
        tracing::info!(signal = self.signal.name(), collector = self.destination, "exporting telemetry");
    }

    /// Whether one more may wait. If not, it is lost. Says nothing: whoever asks has no time.
    pub(super) fn admits(&self) -> bool {
        let more = |waiting: usize| (waiting < self.max_waiting).then_some(waiting + 1);
        let closed = self.closed.load(Ordering::Relaxed);
        if !closed && self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
            return true;
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.overflowed.store(true, Ordering::Relaxed);
        false
    }

    /// Whether a request that comes now may have spans. If not, one is lost.
    pub(super) fn has_room(&self) -> bool {
        if self.waiting.load(Ordering::Relaxed) < self.max_waiting {
            return true;
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.overflowed.store(true, Ordering::Relaxed);
        false
    }

    /// So many wait no longer: they are being exported.
    pub(super) fn taken(&self, count: usize) {
        let less = |waiting: usize| Some(waiting.saturating_sub(count));
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// The end: what still waits is lost.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.lost.fetch_add(self.waiting.swap(0, Ordering::Relaxed) as u64, Ordering::Relaxed);
    }

    /// How many are lost so far.
    #[cfg(test)]
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// An export of `count` has ended. The receiver may have taken it and refused some.
    pub(super) fn exported(&self, count: usize, outcome: Result<u64, Failure>) {
        let overflowed = self.overflowed.swap(false, Ordering::Relaxed);
        match outcome {
            Ok(refused) => {
                self.succeeded.fetch_add(1, Ordering::Relaxed);
                self.lost.fetch_add(refused.min(count as u64), Ordering::Relaxed);
                match (overflowed, refused) {
                    (false, 0) => self.recovered(),
                    (true, _) => self.trouble("more than can be sent: what waits has no room for the rest"),
                    (false, _) => self.trouble("the collector takes a part of it, and refuses the rest"),
                }
            }
            Err(failure) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.trouble(&failure);
                self.lost.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
    }

    fn trouble(&self, reason: impl std::fmt::Display) {
        if !self.in_trouble.swap(true, Ordering::Relaxed) {
            self.lost_before.store(self.lost.load(Ordering::Relaxed), Ordering::Relaxed);
            tracing::warn!(
                signal = self.signal.name(),
                collector = self.destination,
                reason = %reason,
                hint = "requests are not affected; what is lost is counted in hookbridge_telemetry_lost_total",
                "telemetry is not exported"
            );
        }
    }

    fn recovered(&self) {
        if self.in_trouble.swap(false, Ordering::Relaxed) {
            let lost = self.lost.load(Ordering::Relaxed) - self.lost_before.load(Ordering::Relaxed);
            let (signal, collector) = (self.signal.name(), self.destination.as_str());
            tracing::info!(signal, collector, lost, "telemetry is exported again");
        }
    }
}

/// Reports the counts of all signals, also of those that are not exported: 0.
pub(super) fn observe(meter: &Meter, tallies: &[Arc<Tally>]) {
    let of = |tallies: &[Arc<Tally>], signal: Signal, count: fn(&Tally) -> &AtomicU64| {
        let tally = tallies.iter().find(|tally| tally.signal == signal);
        tally.map_or(0, |tally| count(tally).load(Ordering::Relaxed))
    };
    let label = |signal: Signal| KeyValue::new("hookbridge.signal", signal.name());
    let observed = tallies.to_vec();
    meter
        .u64_observable_counter("hookbridge.telemetry.lost")
        .with_description("Spans, data points and log records that were to be exported, and were not")
        .with_callback(move |observer| {
            for signal in Signal::ALL {
                observer.observe(of(&observed, signal, |tally| &tally.lost), &[label(signal)]);
            }
        })
        .build();
    let observed = tallies.to_vec();
    meter
        .u64_observable_counter("hookbridge.telemetry.exports")
        .with_description("Exports of telemetry by OTLP, by outcome")
        .with_callback(move |observer| {
            for signal in Signal::ALL {
                let outcome = |outcome| [label(signal), KeyValue::new("hookbridge.outcome", outcome)];
                observer.observe(of(&observed, signal, |tally| &tally.succeeded), &outcome("succeeded"));
                observer.observe(of(&observed, signal, |tally| &tally.failed), &outcome("failed"));
            }
        })
        .build();
}
