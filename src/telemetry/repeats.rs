//! Which messages this replica has seen acknowledged before: an estimate for a counter, and nothing else.
//!
//! Takes the source and the key of each record that Kafka has acknowledged. Says whether the same pair is remembered.
//! Nothing is ever decided by it: every delivery is published whatever this table says, and what is remembered ends with
//! the process. A fixed number of hashes is kept, each in the one slot that follows from it, where a later one overwrites
//! it; so repeats are missed, and the count is a lower bound. It has no lock. The hash has a seed of this
//! process's own: nobody can choose keys that fall together.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hashes that are kept: 2 MiB. At 100 events a second a key is remembered for some 40 minutes.
const SLOTS: usize = 1 << 18;

/// The table.
#[derive(Debug)]
pub(crate) struct Repeats {
    seed: RandomState,
    /// 0 where there is none yet.
    slots: Box<[AtomicU64]>,
}

/// What a record is remembered by.
#[derive(Debug)]
pub(crate) struct Mark {
    /// The source that its event came from.
    pub(super) source: Arc<str>,
    hash: u64,
}

impl Repeats {
    pub(super) fn new() -> Self {
        Self::with_slots(SLOTS)
    }

    fn with_slots(slots: usize) -> Self {
        Self { seed: RandomState::new(), slots: (0..slots).map(|_| AtomicU64::new(0)).collect() }
    }

    /// What the record with `key` of `source` will be remembered by.
    pub(super) fn mark(&self, source: &Arc<str>, key: &[u8]) -> Mark {
        let hash = self.seed.hash_one((&**source, key)).max(1);
        Mark { source: Arc::clone(source), hash }
    }

    /// Whether `mark` is remembered. From now on it is.
    pub(super) fn is_repeated(&self, mark: &Mark) -> bool {
        let slot = usize::try_from(mark.hash % self.slots.len().max(1) as u64).unwrap_or_default();
        self.slots.get(slot).is_some_and(|slot| slot.swap(mark.hash, Ordering::Relaxed) == mark.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_its_source() {
        let repeats = Repeats::new();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let seen = |source: &Arc<str>, key: &str| repeats.is_repeated(&repeats.mark(source, key.as_bytes()));
        assert!(!seen(&a, "msg_1") && seen(&a, "msg_1") && seen(&a, "msg_1"));
        assert!(!seen(&b, "msg_1") && seen(&b, "msg_1"));
        let c: Arc<str> = "c".into();
        let cm: Arc<str> = "cm".into();
        assert!(!seen(&cm, "sg") && !seen(&c, "msg"), "no border can be moved");
    }

    #[test]
    fn the_last_ones_are_remembered_and_no_more_than_there_is_room_for() {
        let repeats = Repeats::with_slots(1 << 10);
        let source: Arc<str> = "a".into();
        let seen = |key: usize| repeats.is_repeated(&repeats.mark(&source, &key.to_be_bytes()));
        assert_eq!((0..10_000).filter(|key| seen(*key)).count(), 0, "different keys are no repeats");
        let of_the_last = (9_900..10_000).rev().filter(|key| seen(*key)).count();
        assert!(of_the_last > 50, "{of_the_last} of the last 100 are remembered");
        let of_the_first = (0..1_000).filter(|key| seen(*key)).count();
        assert!(of_the_first < 100, "{of_the_first} of the first 1000 are remembered");
    }

    #[test]
    fn threads_do_not_wait_for_each_other_and_lose_nothing() {
        let repeats = Repeats::new();
        let source: Arc<str> = "a".into();
        let count = |_| {
            (0..1_000_usize)
                .filter(|key| repeats.is_repeated(&repeats.mark(&source, &key.to_be_bytes())))
                .count()
        };
        let counted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || count(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // Of four times each key three are repeats, but for those few that share a slot.
        assert!((2_900..=3_000).contains(&counted), "{counted}");
    }
}
