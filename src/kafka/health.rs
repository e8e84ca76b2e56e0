//! Whether Kafka can be reached.
//!
//! Takes what the supervisor and librdkafka's reports see. Gives readiness, without a lock and without
//! asking Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::trouble::Trouble;

/// Kafka counts as away after this long without an answer: longer than a leader takes to move, shorter
/// than most providers wait between retries.
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(5);

/// What is known of Kafka.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    /// Milliseconds after `started` at which Kafka last answered; 0 for never.
    last_contact: AtomicU64,
    /// The generation in the slot: only its reports count.
    generation: AtomicU64,
    has_producer_id: AtomicBool,
    /// Milliseconds after `started` at which librdkafka last reported on itself.
    last_report: AtomicU64,
    /// What librdkafka has complained of last, since Kafka last answered.
    trouble: ArcSwapOption<Trouble>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            last_contact: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            has_producer_id: AtomicBool::new(false),
            last_report: AtomicU64::new(0),
            trouble: ArcSwapOption::empty(),
        }
    }
}

impl Health {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    pub(super) fn contact(&self) {
        self.last_contact.store(self.now(), Ordering::Relaxed);
        // A cluster may answer and yet give no producer ID: what it says to that is still why this is not ready.
        if self.has_producer_id.load(Ordering::Relaxed) {
            self.trouble.store(None);
        }
    }

    /// A generation has complained. That no broker is up says less than why one is not.
    pub(super) fn complain(&self, trouble: Trouble) {
        if !trouble.is_general() || self.trouble.load().is_none() {
            self.trouble.store(Some(Arc::new(trouble)));
        }
    }

    /// What librdkafka has complained of since Kafka last answered.
    #[must_use]
    pub fn trouble(&self) -> Option<Arc<Trouble>> {
        self.trouble.load_full()
    }

    /// From now on the reports of this generation count, and none is known yet.
    pub(super) fn in_place(&self, generation: u64) {
        self.has_producer_id.store(false, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// A generation has reported on itself. Without a producer id the first record waits half a second for one.
    pub(super) fn report(&self, generation: u64, has_producer_id: bool) {
        if generation == self.generation.load(Ordering::Relaxed) {
            self.has_producer_id.store(has_producer_id, Ordering::Relaxed);
            self.last_report.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Metadata has been seen, the producer has its id and its callbacks run, and Kafka has answered of late.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.last_contact.load(Ordering::Relaxed) != 0
            && self.has_producer_id.load(Ordering::Relaxed)
            && !self.is_silent(&self.last_report)
            && !self.is_unreachable()
    }

    /// Nothing has come from Kafka for [`UNREACHABLE_AFTER`]: what is enqueued now would only wait.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.is_silent(&self.last_contact)
    }

    /// How long Kafka has not answered; since the start, if it never has.
    pub(super) fn silence(&self) -> Duration {
        self.silence_of(&self.last_contact)
    }

    fn is_silent(&self, last: &AtomicU64) -> bool {
        self.silence_of(last) > UNREACHABLE_AFTER
    }

    fn silence_of(&self, last: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(last.load(Ordering::Relaxed)))
    }
}
