//! Whether Kafka can be reached.
//!
//! Takes what the supervisor and librdkafka's reports see. Gives readiness, without a lock and without
//! asking Kafka.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Kafka counts as away after this long without an answer: longer than a leader takes to move, shorter
/// than most providers wait between retries.
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(5);

/// What is known of Kafka.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    /// Milliseconds after `started` at which Kafka last answered; 0 for never.
    last_contact: AtomicU64,
    has_producer_id: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            last_contact: AtomicU64::new(0),
            has_producer_id: AtomicBool::new(false),
        }
    }
}

impl Health {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    pub(super) fn contact(&self) {
        self.last_contact.store(self.now(), Ordering::Relaxed);
    }

    /// Without a producer id the first record waits half a second for one.
    pub(super) fn producer_id(&self, assigned: bool) {
        self.has_producer_id.store(assigned, Ordering::Relaxed);
    }

    /// Metadata has been seen, the producer has its id, and Kafka has answered of late.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.last_contact.load(Ordering::Relaxed) != 0
            && self.has_producer_id.load(Ordering::Relaxed)
            && !self.is_unreachable()
    }

    /// Nothing has come from Kafka for [`UNREACHABLE_AFTER`]: what is enqueued now would only wait.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        let silence = self.now().saturating_sub(self.last_contact.load(Ordering::Relaxed));
        Duration::from_millis(silence) > UNREACHABLE_AFTER
    }
}
