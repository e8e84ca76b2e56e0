//! The signed time of a delivery: a captured request is worth nothing once it is too old.
//!
//! Takes a header value and a clock value. Says whether the one is near enough to the other, in both
//! directions: a signed time in the future would be good for longer than the tolerance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderName;

use super::error::SignatureError;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// What `time` is in whole seconds; 0 for times before 1970.
    #[must_use]
    pub fn from_system_time(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

/// Where the timestamp is, and how far it may be from the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRule {
    /// The header; several names if the provider uses one or another.
    pub headers: Vec<HeaderName>,
    /// The greatest distance from the clock that is accepted, in either direction.
    pub tolerance: Duration,
}

impl TimestampRule {
    /// The tolerance that Standard Webhooks' libraries have.
    pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

    /// Checks `value` against `now`.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] if it is no number of seconds in its one spelling, and
    /// [`SignatureError::TimestampOutsideTolerance`].
    pub fn check(&self, value: &[u8], now: UnixSeconds) -> Result<(), SignatureError> {
        let signed =
            parse(value).ok_or(SignatureError::Malformed("the timestamp is no number of seconds"))?;
        let distance = signed.0.abs_diff(now.0);
        if distance > self.tolerance.as_secs() {
            return Err(SignatureError::TimestampOutsideTolerance { signed, now });
        }
        Ok(())
    }
}

/// At most twelve digits without a leading zero: one time has one spelling, and nothing overflows.
fn parse(value: &[u8]) -> Option<UnixSeconds> {
    if value.len() > 12 || value.first() == Some(&b'0') || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok().map(UnixSeconds)
}
