//! What may be in memory at once: requests, and octets of bodies.
//!
//! Takes nothing but two limits. Gives permits, which return what they hold when they are dropped. Past a
//! limit the answer is no, at once: nothing waits here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room that is taken for each element of a batch, beside the body's octets: its record's key and headers, and
/// what librdkafka keeps of it. A record has some ten headers of up to a hundred octets.
pub const ELEMENT_OVERHEAD_BYTES: usize = 2048;

/// The limits and what is taken of them.
#[derive(Debug)]
pub struct Budget {
    max_requests: usize,
    max_bytes: usize,
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

impl Budget {
    /// A budget of `max_requests` requests with `max_bytes` octets of bodies among them.
    #[must_use]
    pub fn new(max_requests: usize, max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { max_requests, max_bytes, requests: AtomicUsize::new(0), bytes: AtomicUsize::new(0) })
    }

    /// A permit for one request, if there is room.
    #[must_use]
    pub fn admit(self: &Arc<Self>) -> Option<Permit> {
        take(&self.requests, 1, self.max_requests).then(|| Permit { budget: Arc::clone(self), bytes: 0 })
    }

    /// Requests under way: from the head to the last delivery report.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that may be under way.
    #[must_use]
    pub fn max_requests(&self) -> usize {
        self.max_requests
    }

    /// Octets of bodies that may be in memory.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Octets of bodies in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

fn take(counter: &AtomicUsize, amount: usize, limit: usize) -> bool {
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            taken.checked_add(amount).filter(|taken| *taken <= limit)
        })
        .is_ok()
}

/// Room for one request and its body. Dropping it gives the room back.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Permit {
    /// Takes room for `bytes` octets more. False if there is none: nothing is taken then.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let grown = take(&self.budget.bytes, bytes, self.budget.max_bytes);
        if grown {
            self.bytes += bytes;
        }
        grown
    }

    /// Whether there would be room for `bytes` octets more if nothing else were under way. If not, to try again
    /// is of no use.
    #[must_use]
    pub fn could_ever_grow(&self, bytes: usize) -> bool {
        self.bytes.checked_add(bytes).is_some_and(|sum| sum <= self.budget.max_bytes)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_there_is_and_takes_it_back() {
        let budget = Budget::new(2, 100);
        let mut first = budget.admit().unwrap();
        assert!(first.grow(60) && !first.grow(41) && first.grow(40));
        let mut second = budget.admit().unwrap();
        assert!(budget.admit().is_none());
        assert!(!second.grow(1) && second.could_ever_grow(100) && !second.could_ever_grow(101));
        assert!(first.could_ever_grow(0) && !first.could_ever_grow(1) && !first.could_ever_grow(usize::MAX));
        drop(first);
        assert!(second.grow(100) && !second.grow(usize::MAX));
        drop(second);
        assert_eq!((budget.requests(), budget.bytes()), (0, 0));
    }
}
