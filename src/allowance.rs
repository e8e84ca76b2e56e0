//! How much may be kept of requests that are not genuine: anybody can send them, so everything about them is capped.
//!
//! Takes limits, and the time of each request. Gives permits of a [`Budget`] of their own, apart from that of
//! genuine requests, which therefore notice nothing of a flood. Past a limit the answer is no, at once, and says
//! which limit it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::budget::{Budget, Permit};

/// Kept requests on their way to Kafka, of all sources. Kafka takes that many in a few milliseconds; while it is
/// away nothing more is kept.
pub const MAX_RECORDS_UNDER_WAY: usize = 64;

/// Octets of them, headers and all.
pub const MAX_BYTES_UNDER_WAY: usize = 4 * 1024 * 1024;

/// Lets a number through in each second, and that number at once after a quiet second. Without a lock.
///
/// It is the generic cell rate algorithm (ITU-T I.371): all there is to know is when the next one would be due.
#[derive(Debug)]
pub struct TokenBucket {
    begun: Instant,
    /// Between two, in nanoseconds.
    interval: u64,
    /// How far ahead of its time one may come.
    ahead: u64,
    /// When the next one is due, in nanoseconds since `begun`.
    due: AtomicU64,
}

impl TokenBucket {
    /// A full bucket. `per_second` is at least 1.
    #[must_use]
    pub fn new(per_second: u32, begun: Instant) -> Self {
        let per_second = u64::from(per_second.max(1));
        let interval = 1_000_000_000 / per_second;
        Self { begun, interval, ahead: interval * (per_second - 1), due: AtomicU64::new(0) }
    }

    /// Takes a token, if there is one.
    #[must_use]
    pub fn take(&self, now: Instant) -> bool {
        let now = nanoseconds(now.saturating_duration_since(self.begun));
        let next = |due: u64| {
            let due = due.max(now);
            (due - now <= self.ahead).then(|| due.saturating_add(self.interval))
        };
        self.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// 584 years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What all sources share.
#[derive(Debug)]
pub struct Shared {
    rate: TokenBucket,
    room: Arc<Budget>,
}

impl Shared {
    /// Lets `per_second` of all sources through.
    #[must_use]
    pub fn new(per_second: u32, begun: Instant) -> Arc<Self> {
        let room = Budget::new(MAX_RECORDS_UNDER_WAY, MAX_BYTES_UNDER_WAY);
        Arc::new(Self { rate: TokenBucket::new(per_second, begun), room })
    }
}

/// One source's allowance.
#[derive(Debug)]
pub struct Allowance {
    max_body_bytes: usize,
    rate: TokenBucket,
    shared: Arc<Shared>,
}

/// The limit that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// Its body is longer than what is kept.
    Size,
    /// As many as may be have been kept in this second, of the source or of all.
    Rate,
    /// As many as may be are on their way to Kafka.
    Room,
}

impl Allowance {
    /// An allowance of `per_second` bodies of at most `max_body_bytes`.
    #[must_use]
    pub fn new(max_body_bytes: usize, per_second: u32, begun: Instant, shared: Arc<Shared>) -> Self {
        Self { max_body_bytes, rate: TokenBucket::new(per_second, begun), shared }
    }

    /// The longest body that is kept, in octets.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    /// Room for a request with `body` octets of a body and `headers` octets of headers.
    ///
    /// # Errors
    /// The limit that was met.
    pub fn take(&self, body: usize, headers: usize, now: Instant) -> Result<Permit, Exceeded> {
        if body > self.max_body_bytes {
            return Err(Exceeded::Size);
        }
        // Room first: it comes back when the permit is dropped, a token does not.
        let mut permit = self.shared.room.admit().ok_or(Exceeded::Room)?;
        if !permit.grow(body.saturating_add(headers)) {
            return Err(Exceeded::Room);
        }
        match self.rate.take(now) && self.shared.rate.take(now) {
            true => Ok(permit),
            false => Err(Exceeded::Rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_its_rate_through_and_no_more() {
        let begun = Instant::now();
        let bucket = TokenBucket::new(10, begun);
        let taken = |at: Duration, times: usize| (0..times).filter(|_| bucket.take(begun + at)).count();
        assert_eq!(taken(Duration::ZERO, 50), 10, "a second's worth at once");
        assert_eq!(taken(Duration::from_millis(99), 50), 0);
        assert_eq!(taken(Duration::from_millis(100), 50), 1);
        assert_eq!(taken(Duration::from_millis(350), 50), 2);
        assert_eq!(taken(Duration::from_secs(3600), 50), 10, "rest is not saved up");
        assert_eq!(taken(Duration::from_secs(1), 50), 0, "a clock that seems to go back gives nothing");
    }

    proptest::proptest! {
        #[test]
        fn no_second_has_more_than_twice_the_rate(
            rate in 1_u32..200,
            gaps in proptest::collection::vec(0_u64..200, 1..400),
        ) {
            let begun = Instant::now();
            let bucket = TokenBucket::new(rate, begun);
            let mut at = 0;
            let mut taken = Vec::new();
            for gap in gaps {
                at += gap;
                if bucket.take(begun + Duration::from_millis(at)) {
                    taken.push(at);
                }
            }
            for first in &taken {
                let within = taken.iter().filter(|at| (*first..first + 1000).contains(*at)).count();
                proptest::prop_assert!(within <= 2 * rate as usize, "{within} in a second");
            }
        }
    }

    #[test]
    fn every_limit_is_met_by_name_and_room_comes_back() {
        let now = Instant::now();
        let shared = Shared::new(1000, now);
        let allowance = Allowance::new(1000, 1000, now, Arc::clone(&shared));
        assert_eq!(allowance.take(1001, 0, now).err(), Some(Exceeded::Size));
        assert_eq!(allowance.take(1000, MAX_BYTES_UNDER_WAY, now).err(), Some(Exceeded::Room));
        let mut permits: Vec<_> =
            (0..MAX_RECORDS_UNDER_WAY).map(|_| allowance.take(1, 1, now).unwrap()).collect();
        assert_eq!(allowance.take(1, 1, now).err(), Some(Exceeded::Room));
        permits.pop();
        assert!(allowance.take(1, 1, now).is_ok());
        drop(permits);
        assert_eq!((shared.room.requests(), shared.room.bytes()), (0, 0));
    }

    #[test]
    fn one_source_does_not_use_up_what_is_anothers() {
        let now = Instant::now();
        let shared = Shared::new(5, now);
        let [one, other] = [0, 1].map(|_| Allowance::new(1000, 3, now, Arc::clone(&shared)));
        let taken = |of: &Allowance| (0..10).filter(|_| of.take(1, 0, now).is_ok()).count();
        assert_eq!(taken(&one), 3, "its own rate");
        assert_eq!(taken(&other), 2, "what is left of all sources' rate");
        assert_eq!(other.take(1, 0, now).err(), Some(Exceeded::Rate));
    }
}
