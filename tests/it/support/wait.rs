//! Waiting for a condition, which is the only kind of waiting that tests do.

use std::thread;
use std::time::{Duration, Instant};

/// For what should happen at once, on two cores that are busy with everything else.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until there is something to see, and says what it was waiting for if there never is.
pub(crate) fn eventually<T>(within: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for this: {what}");
        thread::sleep(LOOK_EVERY);
    }
}
