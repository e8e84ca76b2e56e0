//! The keys of one source: each with a name, and the time in which it is tried.
//!
//! Takes what stands beside a secret's reference: `name`, `not_before`, `not_after`. Gives [`NamedKey`], or what is
//! wrong with it. Reading the secret itself is left to [`super::secret`], what it is made of to
//! [`crate::signature`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::checker::Checker;
use super::diagnostic::Path;
use super::raw::RawNamedSecret;
use super::units::show_instant;
use crate::signature::Key;

/// A metric has a label for every name, and a log line must stay readable.
const MAX_NAME_OCTETS: usize = 64;

/// A key, and when it is tried.
#[derive(Debug, Clone)]
pub struct NamedKey {
    /// What logs and metrics call it: as configured, or its place in the list, from `1`.
    pub name: Arc<str>,
    /// When it is tried.
    pub window: Window,
    /// The key.
    pub key: Key,
}

impl NamedKey {
    /// Whether the key is tried for a request that arrived at `time`.
    #[must_use]
    pub fn is_valid_at(&self, time: SystemTime) -> bool {
        self.window.contains(time)
    }
}

/// A span of time, both ends in it; without an end it is open there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub not_before: Option<SystemTime>,
    /// The last instant.
    pub not_after: Option<SystemTime>,
}

impl Window {
    /// Whether `time` is within.
    #[must_use]
    pub fn contains(&self, time: SystemTime) -> bool {
        self.not_before.is_none_or(|first| first <= time) && !self.is_over(time)
    }

    /// Whether it has ended before `time`.
    #[must_use]
    pub fn is_over(&self, time: SystemTime) -> bool {
        self.not_after.is_some_and(|last| last < time)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.not_before, self.not_after) {
            (None, None) => f.write_str("always"),
            (Some(first), None) => write!(f, "from {}", show_instant(first)),
            (None, Some(last)) => write!(f, "until {}", show_instant(last)),
            (Some(first), Some(last)) => {
                write!(f, "from {} until {}", show_instant(first), show_instant(last))
            }
        }
    }
}

/// The names of the secrets at `list`, in their order. A faulty one is reported.
pub(super) fn names(check: &mut Checker<'_>, list: &Path, secrets: &[RawNamedSecret]) -> Vec<Arc<str>> {
    let mut taken: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for (index, secret) in secrets.iter().enumerate() {
        let at = check.item(list, index).key("name");
        let name: Arc<str> = secret.name.clone().unwrap_or_else(|| (index + 1).to_string()).into();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > MAX_NAME_OCTETS || !name.chars().all(legal) {
            // The name may be a secret in the wrong place.
            check.error(&at, "a secret's name has 1 to 64 letters, digits, `_`, `-` and `.`");
        } else if let Some(first) = taken.insert(Arc::clone(&name), index) {
            let message = format!("secret number {} of this source is called `{name}` too", first + 1);
            let hint = "give each a `name` of its own; without one it is called by its place in the list";
            check.error_with(&at, (message, hint.to_owned()));
        }
        names.push(name);
    }
    names
}

/// The window of the secret that stands at `at`. One that holds no instant is reported.
pub(super) fn window(check: &mut Checker<'_>, at: &Path, secret: &RawNamedSecret) -> Window {
    let instant = |raw: Option<super::raw::RawInstant>| raw.map(|instant| instant.0);
    let window = Window { not_before: instant(secret.not_before), not_after: instant(secret.not_after) };
    if let (Some(first), Some(last)) = (window.not_before, window.not_after)
        && first >= last
    {
        let message = format!("must be later than `not_before`, {}", show_instant(first));
        let hint = "the secret is tried from `not_before` until `not_after`".to_owned();
        check.error_with(&at.key("not_after"), (message, hint));
    }
    window
}

/// What of the `keys` at `list` is allowed and should be known at the time `now`.
pub(super) fn warn_of(check: &mut Checker<'_>, list: &Path, keys: &[NamedKey], now: SystemTime) {
    for (index, key) in keys.iter().enumerate().filter(|(_, key)| key.window.is_over(now)) {
        let message = format!("the secret `{}` is not tried any more: it was valid {}", key.name, key.window);
        let at = check.item(list, index);
        check.warn(&at, message, "take it out, or give it a later `not_after`");
    }
    if !keys.is_empty() && !keys.iter().any(|key| key.is_valid_at(now)) {
        let message = "no secret is valid now: every request is refused".to_owned();
        check.warn(list, message, "look at `not_before` and `not_after`, and at this machine's clock");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::units::instant;

    #[test]
    fn both_ends_are_within() {
        let (first, last) = (instant("2026-03-01T00:00:00Z"), instant("2026-03-02T00:00:00Z"));
        let (first, last) = (first.unwrap(), last.unwrap());
        let moment = Duration::from_nanos(1);
        let window = Window { not_before: Some(first), not_after: Some(last) };
        for (time, within, over) in [
            (first - moment, false, false),
            (first, true, false),
            (last, true, false),
            (last + moment, false, true),
        ] {
            assert_eq!((window.contains(time), window.is_over(time)), (within, over), "{time:?}");
        }
        assert!(Window::default().contains(SystemTime::UNIX_EPOCH));
        let open = Window { not_before: Some(first), not_after: None };
        assert!(!open.contains(first - moment) && open.contains(last));
    }

    #[test]
    fn is_shown_as_it_is_written() {
        let first = instant("2026-03-01T00:00:00Z").ok();
        let last = instant("2026-03-02T01:00:00.5+01:00").ok();
        for (not_before, not_after, shown) in [
            (None, None, "always"),
            (first, None, "from 2026-03-01T00:00:00Z"),
            (None, last, "until 2026-03-02T00:00:00.500Z"),
            (first, last, "from 2026-03-01T00:00:00Z until 2026-03-02T00:00:00.500Z"),
        ] {
            assert_eq!(Window { not_before, not_after }.to_string(), shown);
        }
    }
}
