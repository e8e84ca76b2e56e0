//! What is known of one source's keys, and who may ask for another.
//!
//! Takes the name of a key, and the time. Says whether the key is known, known to be out of reach, being asked for, or
//! to be asked for by whoever looked. Bounded in every respect; pure but for the channel on which those wait who look
//! for what is being asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::place::Wanted;
use super::source::Unavailable;
use crate::allowance::TokenBucket;
use crate::signature::Key;

/// A provider signs with a key or two at a time, in each of its regions.
pub const MAX_ENTRIES: usize = 64;

/// How long a key that could not be got, or not been renewed, is not asked for again.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Questions of one source in a second, and at once.
pub const QUESTIONS_PER_SECOND: u32 = 4;

/// What became of a question.
pub type Outcome = Result<Arc<Key>, Unavailable>;

/// Those who wait for a question's outcome.
pub type Waiting = watch::Receiver<Option<Outcome>>;

/// One source's keys.
#[derive(Debug)]
pub struct Cache {
    entries: HashMap<Wanted, Entry>,
    rate: TokenBucket,
}

#[derive(Debug)]
enum Entry {
    /// From `renew` on it is asked for again, while it is still used.
    Known {
        key: Arc<Key>,
        until: Instant,
        renew: Instant,
        used: Instant,
    },
    Failed {
        why: Unavailable,
        until: Instant,
    },
    Asked(Waiting),
}

/// Tells them.
pub type Sender = watch::Sender<Option<Outcome>>;

/// What a look has found.
#[derive(Debug)]
pub enum Look {
    /// The key, or why it can't be had now.
    Settled(Outcome),
    /// The key, which whoever looked is to ask for once more, and to [`Cache::settle`].
    Renew(Arc<Key>),
    /// Somebody asks for it.
    Asked(Waiting),
    /// Whoever looked is to ask for it, tell the outcome, and [`Cache::settle`].
    Ask(Sender, Waiting),
}

impl Cache {
    /// Nothing is known.
    #[must_use]
    pub fn new(begun: Instant) -> Self {
        Self { entries: HashMap::new(), rate: TokenBucket::new(QUESTIONS_PER_SECOND, begun) }
    }

    /// Looks for a key.
    pub fn look(&mut self, wanted: &Wanted, now: Instant) -> Look {
        match self.entries.get_mut(wanted) {
            Some(Entry::Known { key, until, renew, used }) if now < *until => {
                *used = now;
                if now < *renew {
                    return Look::Settled(Ok(Arc::clone(key)));
                }
                // Not within the rate, which a flood of names uses up: there are few known keys, and each has its pause.
                *renew = now + RETRY_AFTER;
                return Look::Renew(Arc::clone(key));
            }
            Some(Entry::Failed { why, until }) if now < *until => return Look::Settled(Err(why.clone())),
            // A closed channel belongs to a task that ended without a word.
            Some(Entry::Asked(waiting)) if waiting.has_changed().is_ok() => {
                return Look::Asked(waiting.clone());
            }
            _ => {}
        }
        if !self.entries.contains_key(wanted) && !self.make_room(now) || !self.rate.take(now) {
            return Look::Settled(Err(Unavailable::TooMany));
        }
        let (sender, waiting) = watch::channel(None);
        self.entries.insert(wanted.clone(), Entry::Asked(waiting.clone()));
        Look::Ask(sender, waiting)
    }

    /// Keeps what was answered: a key, for as long as it is good, or that there is none. A renewal in vain takes nothing away:
    /// the key stays to the end of its time, within which a withdrawal is to be believed.
    pub fn settle(
        &mut self,
        wanted: &Wanted,
        outcome: Result<(Arc<Key>, Duration), Unavailable>,
        now: Instant,
    ) {
        let entry = match outcome {
            Ok((key, good_for)) => {
                Entry::Known { key, until: now + good_for, renew: now + good_for * 3 / 4, used: now }
            }
            Err(why) => match self.entries.get(wanted) {
                Some(Entry::Known { until, .. }) if now < *until => return,
                _ => Entry::Failed { why, until: now + RETRY_AFTER },
            },
        };
        self.entries.insert(wanted.clone(), entry);
    }

    /// Makes room for one more: what says nothing any more goes first, then what could not be got, then the key that
    /// was not used for longest. What is being asked for stays.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.entries.len() < MAX_ENTRIES {
            return true;
        }
        self.entries.retain(|_, entry| match entry {
            Entry::Known { until, .. } | Entry::Failed { until, .. } => now < *until,
            Entry::Asked(waiting) => waiting.has_changed().is_ok(),
        });
        if self.entries.len() < MAX_ENTRIES {
            return true;
        }
        let age = |entry: &Entry| match entry {
            Entry::Failed { until, .. } => Some((0, *until)),
            Entry::Known { used, .. } => Some((1, *used)),
            Entry::Asked(_) => None,
        };
        let oldest = self.entries.iter().filter_map(|(wanted, entry)| Some((age(entry)?, wanted)));
        let oldest = oldest.min_by_key(|(age, _)| *age).map(|(_, wanted)| wanted.clone());
        oldest.is_some_and(|wanted| self.entries.remove(&wanted).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::place::PinnedUrl;
    use crate::signature::public_key::{PublicAlgorithm, PublicKey};

    fn wanted(name: usize) -> Wanted {
        let url = PinnedUrl::fixed("https://api.example.com/key").unwrap();
        Wanted { url, key_id: Some(name.to_string()) }
    }

    fn key() -> Arc<Key> {
        Arc::new(Key::of_public(PublicKey::from_octets(&[7; 32], PublicAlgorithm::Ed25519).unwrap()))
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_key_is_asked_for_once_and_kept_as_long_as_it_is_good() {
        let begun = Instant::now();
        let mut cache = Cache::new(begun);
        let Look::Ask(sender, _) = cache.look(&wanted(1), begun) else { panic!("to be asked for") };
        assert!(matches!(cache.look(&wanted(1), begun), Look::Asked(_)));
        cache.settle(&wanted(1), Ok((key(), HOUR)), begun);
        drop(sender);
        let last = begun + HOUR * 3 / 4 - Duration::from_millis(1);
        assert!(matches!(cache.look(&wanted(1), last), Look::Settled(Ok(_))));
        assert!(matches!(cache.look(&wanted(1), begun + HOUR), Look::Ask(..)));
    }

    /// A provider that is away for a moment, or a flood of other names, must not hold up events whose key is known.
    #[test]
    fn a_key_is_renewed_before_its_end_and_used_meanwhile() {
        let begun = Instant::now();
        let mut cache = Cache::new(begun);
        cache.settle(&wanted(1), Ok((key(), HOUR)), begun);
        let due = begun + HOUR * 3 / 4;
        while let Look::Ask(..) = cache.look(&wanted(cache.entries.len() + 1), due) {}
        assert!(matches!(cache.look(&wanted(1), due), Look::Renew(_)), "whatever else is asked for");
        assert!(matches!(cache.look(&wanted(1), due), Look::Settled(Ok(_))), "once");
        cache.settle(&wanted(1), Err(Unavailable::NotAsked), due);
        assert!(matches!(cache.look(&wanted(1), due + RETRY_AFTER), Look::Renew(_)));
        cache.settle(&wanted(1), Ok((key(), HOUR)), due);
        assert!(matches!(cache.look(&wanted(1), begun + HOUR), Look::Settled(Ok(_))));
        let end = due + HOUR;
        cache.settle(&wanted(1), Err(Unavailable::NotAsked), end - RETRY_AFTER);
        assert!(matches!(cache.look(&wanted(1), end), Look::Ask(..)), "to its end");
    }

    #[test]
    fn what_could_not_be_got_is_not_asked_for_again_at_once() {
        let begun = Instant::now();
        let mut cache = Cache::new(begun);
        let Look::Ask(..) = cache.look(&wanted(1), begun) else { panic!("to be asked for") };
        cache.settle(&wanted(1), Err(Unavailable::TooMany), begun);
        assert!(matches!(cache.look(&wanted(1), begun + RETRY_AFTER / 2), Look::Settled(Err(_))));
        assert!(matches!(cache.look(&wanted(1), begun + RETRY_AFTER), Look::Ask(..)));
    }

    #[test]
    fn a_task_that_ends_without_a_word_blocks_nobody() {
        let begun = Instant::now();
        let mut cache = Cache::new(begun);
        drop(cache.look(&wanted(1), begun));
        assert!(matches!(cache.look(&wanted(1), begun), Look::Ask(..)));
    }

    #[test]
    fn a_flood_of_names_asks_little_and_keeps_little() {
        let begun = Instant::now();
        let mut cache = Cache::new(begun);
        let mut asked = 0;
        let Look::Ask(..) = cache.look(&wanted(0), begun) else { panic!("to be asked for") };
        cache.settle(&wanted(0), Ok((key(), HOUR)), begun);
        for name in 1..10_000 {
            let now = begun + Duration::from_millis(name as u64);
            if let Look::Ask(..) = cache.look(&wanted(name), now) {
                asked += 1;
                cache.settle(&wanted(name), Err(Unavailable::TooMany), now);
            }
            assert!(matches!(cache.look(&wanted(0), now), Look::Settled(Ok(_))), "what is used stays");
            assert!(cache.entries.len() <= MAX_ENTRIES);
        }
        let most = 10 * QUESTIONS_PER_SECOND as usize + QUESTIONS_PER_SECOND as usize;
        assert!((10..=most).contains(&asked), "{asked} questions in ten seconds");
    }

    #[test]
    fn of_many_keys_those_that_are_used_stay() {
        let begun = Instant::now();
        let mut cache = Cache::new(begun);
        for name in 0..=MAX_ENTRIES {
            let now = begun + Duration::from_secs(name as u64);
            let Look::Ask(..) = cache.look(&wanted(name), now) else { panic!("to be asked for") };
            cache.settle(&wanted(name), Ok((key(), HOUR)), now);
            assert!(matches!(cache.look(&wanted(0), now), Look::Settled(Ok(_))));
        }
        assert_eq!(cache.entries.len(), MAX_ENTRIES);
        assert!(!cache.entries.contains_key(&wanted(1)), "the one that was not used for longest");
    }
}
