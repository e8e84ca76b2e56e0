//! Which of two clusters takes the records. Pure: looks and a clock in, a decision out.
//!
//! Takes a look at both clusters several times a second. Says when to switch: away from a cluster that has not been
//! ready for `after`, and back to the primary once it has been ready for `back_after` without a gap. Both ask for the
//! other one to be ready, so nothing is gained by going and nothing is done if both are away. What a flapping cluster
//! does meanwhile restarts the wait, so there is no flapping between clusters.

use std::time::Duration;

use super::clusters::Cluster;
use super::health::UNREACHABLE_AFTER;

/// A longer pause between two looks says that this process did not run: nothing it knows of before is worth anything.
const GAP: Duration = Duration::from_secs(3);

/// A cluster that has not answered for longer is not gone to: it may be about to count as away. Two questions of 1 s,
/// and some time for a busy machine.
const STEADY_WITHIN: Duration = Duration::from_secs(3);

/// What is seen of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    /// It answers, and its producer may send.
    pub(super) ready: bool,
    /// How long it has not answered.
    pub(super) silence: Duration,
}

impl Sight {
    fn is_steady(self) -> bool {
        self.ready && self.silence <= STEADY_WITHIN
    }
}

/// The state between looks.
#[derive(Debug)]
pub(super) struct Switching {
    after: Duration,
    back_after: Duration,
    active: Cluster,
    looked: Option<Duration>,
    /// Since when the active one has not been ready.
    away_since: Option<Duration>,
    /// Since when the primary has been ready, without a gap.
    ready_since: Option<Duration>,
}

impl Switching {
    /// Begins with the primary.
    pub(super) fn new(after: Duration, back_after: Duration) -> Self {
        let active = Cluster::Primary;
        Self { after, back_after, active, looked: None, away_since: None, ready_since: None }
    }

    /// A look at `now`, which counts from any instant and never goes back. The cluster to switch to, if any.
    pub(super) fn look(&mut self, now: Duration, primary: Sight, standby: Sight) -> Option<Cluster> {
        if self.looked.is_some_and(|looked| now.saturating_sub(looked) > GAP) {
            (self.away_since, self.ready_since) = (None, None);
        }
        self.looked = Some(now);
        self.ready_since = primary.is_steady().then(|| self.ready_since.unwrap_or(now));
        let (active, other, to) = match self.active {
            Cluster::Primary => (primary, standby, Cluster::Standby),
            Cluster::Standby => (standby, primary, Cluster::Primary),
        };
        // It has not answered for some time before it counts as away. No more of that is believed than what makes it so.
        let before = active.silence.min(UNREACHABLE_AFTER);
        self.away_since = (!active.ready).then(|| self.away_since.unwrap_or(now.saturating_sub(before)));
        let for_at_least = |since: Option<Duration>, wait| since.is_some_and(|since| now - since >= wait);
        let away = for_at_least(self.away_since, self.after);
        let back = to == Cluster::Primary && for_at_least(self.ready_since, self.back_after);
        if !other.is_steady() || !(away || back) {
            return None;
        }
        self.active = to;
        self.away_since = None;
        Some(to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AFTER: Duration = Duration::from_secs(15);
    const BACK_AFTER: Duration = Duration::from_secs(60);

    /// Looks once a second; a cluster that is not ready has been silent for as long. Gives the switches by second.
    fn run(looks: impl IntoIterator<Item = (bool, bool)>) -> Vec<(u64, Cluster)> {
        let mut switching = Switching::new(AFTER, BACK_AFTER);
        let mut silence = [Duration::ZERO; 2];
        let mut switches = Vec::new();
        for (second, (primary, standby)) in (0..).zip(looks) {
            let sights = [(0, primary), (1, standby)].map(|(index, ready)| {
                silence[index] = if ready { Duration::ZERO } else { silence[index] + Duration::from_secs(1) };
                Sight { ready, silence: silence[index] }
            });
            let to = switching.look(Duration::from_secs(second), sights[0], sights[1]);
            switches.extend(to.map(|to| (second, to)));
        }
        switches
    }

    fn of(ready: (bool, bool), seconds: usize) -> impl Iterator<Item = (bool, bool)> {
        std::iter::repeat_n(ready, seconds)
    }

    #[test]
    fn it_goes_after_the_wait_and_comes_back_after_the_other() {
        let looks = of((true, true), 10).chain(of((false, true), 30)).chain(of((true, true), 100));
        // The first second without readiness is the second of silence before it.
        assert_eq!(run(looks), [(24, Cluster::Standby), (100, Cluster::Primary)]);
    }

    #[test]
    fn a_primary_that_was_never_there_is_left_too() {
        assert_eq!(run(of((false, true), 30)), [(15, Cluster::Standby)]);
    }

    #[test]
    fn nothing_is_done_while_both_are_away() {
        assert_eq!(run(of((true, true), 5).chain(of((false, false), 100))), []);
        // The one that comes first is taken.
        let looks = of((false, false), 100).chain(of((false, true), 1));
        assert_eq!(run(looks), [(100, Cluster::Standby)]);
    }

    #[test]
    fn a_standby_that_fails_is_left_sooner_than_by_the_wait_for_return() {
        let looks = of((false, true), 20).chain(of((false, false), 20)).chain(of((true, false), 5));
        assert_eq!(run(looks), [(15, Cluster::Standby), (40, Cluster::Primary)]);
    }

    #[test]
    fn a_pause_of_this_process_is_no_absence_of_kafka() {
        let mut switching = Switching::new(AFTER, BACK_AFTER);
        let ready = Sight { ready: true, silence: Duration::ZERO };
        let silent = Sight { ready: false, silence: Duration::from_secs(1000) };
        assert_eq!(switching.look(Duration::ZERO, ready, ready), None);
        assert_eq!(switching.look(Duration::from_secs(1000), silent, ready), None);
        assert_eq!(switching.look(Duration::from_secs(1001), ready, ready), None);
    }

    proptest! {
        /// Whatever clusters do: never to one that is not ready, and back to the primary only after `back_after` of
        /// readiness or in need; so two returns are never closer than the waits allow.
        #[test]
        fn it_never_flaps(spans in proptest::collection::vec((any::<bool>(), any::<bool>(), 1usize..90), 1..40)) {
            let looks: Vec<_> = spans.into_iter().flat_map(|(p, s, seconds)| of((p, s), seconds)).collect();
            let mut active = Cluster::Primary;
            let mut last = 0;
            for (second, to) in run(looks.iter().copied()) {
                prop_assert_ne!(active, to);
                let at = usize::try_from(second).unwrap();
                let ready = |look: &(bool, bool), cluster| if cluster == Cluster::Primary { look.0 } else { look.1 };
                prop_assert!(ready(&looks[at], to));
                let window = |length: usize| &looks[(at + 1).saturating_sub(length)..=at];
                let away = window(10).iter().all(|look| !ready(look, active));
                let back = to == Cluster::Primary && at >= 60 && window(61).iter().all(|look| look.0);
                prop_assert!(away || back, "at {} to {:?}", at, to);
                // In need, both waits are the same; from the start it may have been shorter by what was silent before.
                prop_assert!(last == 0 || second - last >= 10);
                (active, last) = (to, second);
            }
        }

        /// A primary that is never away, or never back, for as long as the wait asks changes nothing.
        #[test]
        fn a_flapping_primary_changes_nothing(spans in proptest::collection::vec((1usize..9, 1usize..50), 1..40)) {
            let looks = spans.iter().flat_map(|(away, there)| of((true, true), *there).chain(of((false, true), *away)));
            prop_assert_eq!(run(looks), []);
            let flapping = spans.iter().flat_map(|(away, there)| of((true, true), *there).chain(of((false, true), *away)));
            prop_assert_eq!(run(of((false, true), 20).chain(flapping)), [(15, Cluster::Standby)]);
        }
    }
}
