//! The signed time of a delivery: a captured request is worth nothing once it is too old.
//!
//! Takes a text and a clock value. Says whether the one is near enough to the other, in both directions: a
//! signed time in the future would be good for longer than the tolerance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderName;

use super::error::SignatureError;
use crate::instant;
use crate::json::Pointer;

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

/// Where the timestamp is, how it is written, and how far it may be from the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRule {
    /// Where it stands.
    pub place: TimestampPlace,
    /// How it is written.
    pub unit: TimeUnit,
    /// Whether a date must name its zone: where nothing stands between it and what follows in the signed content, a
    /// zone that may be left out could be moved into that.
    pub needs_zone: bool,
    /// The greatest distance from the clock that is accepted, in either direction.
    pub tolerance: Duration,
}

/// Where a timestamp stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimestampPlace {
    /// In a header; several names if the provider uses one or another.
    Header(Vec<HeaderName>),
    /// In the entry of the signature's header that begins with this, such as `t=`.
    Entry(String),
    /// In the body, which is signed.
    Json(Pointer),
    /// In a signed claim of a JSON Web Token.
    Claim(String),
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// A date and time (RFC 3339). Some leave the zone out, and mean UTC.
    Rfc3339,
}

impl TimestampRule {
    /// The tolerance that Standard Webhooks' libraries have.
    pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

    /// Checks `value` against `now`, and gives the time that it is.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] if it is no time in the one spelling of its unit, and
    /// [`SignatureError::TimestampOutsideTolerance`].
    pub fn check(&self, value: &[u8], now: UnixSeconds) -> Result<UnixSeconds, SignatureError> {
        let names_zone = || std::str::from_utf8(value).is_ok_and(|text| instant::parse(text).is_some());
        let is_whole = !self.needs_zone || self.unit != TimeUnit::Rfc3339 || names_zone();
        let signed = self
            .unit
            .read(value)
            .filter(|_| is_whole)
            .ok_or(SignatureError::Malformed("the timestamp is no time as the scheme writes it"))?;
        self.check_distance(signed, now).map(|()| signed)
    }

    /// Checks that `signed` is near enough to `now`.
    ///
    /// # Errors
    /// [`SignatureError::TimestampOutsideTolerance`].
    pub fn check_distance(&self, signed: UnixSeconds, now: UnixSeconds) -> Result<(), SignatureError> {
        if signed.0.abs_diff(now.0) > self.tolerance.as_secs() {
            return Err(SignatureError::TimestampOutsideTolerance { signed, now, proven: None });
        }
        Ok(())
    }
}

impl TimeUnit {
    /// Reads a time. Whole numbers have no leading zero and at most twelve digits in seconds, fifteen in
    /// milliseconds: one time has one spelling, and nothing overflows.
    #[must_use]
    pub fn read(self, value: &[u8]) -> Option<UnixSeconds> {
        let text = std::str::from_utf8(value).ok()?;
        let number = |digits: usize| {
            let plain = value.len() <= digits && value.iter().all(u8::is_ascii_digit);
            (plain && value.first() != Some(&b'0')).then(|| text.parse::<u64>().ok())?
        };
        match self {
            Self::Seconds => number(12).map(UnixSeconds),
            Self::Milliseconds => number(15).map(|milliseconds| UnixSeconds(milliseconds / 1000)),
            Self::Rfc3339 => instant::parse(text)
                .or_else(|| instant::parse(&format!("{text}Z")))
                .map(UnixSeconds::from_system_time),
        }
    }

    /// Writes a time.
    #[must_use]
    pub fn write(self, time: UnixSeconds) -> String {
        match self {
            Self::Seconds => time.0.to_string(),
            Self::Milliseconds => format!("{}000", time.0),
            Self::Rfc3339 => {
                humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time.0)).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_has_one_spelling() {
        let at = Some(UnixSeconds(1_767_225_600));
        assert_eq!(TimeUnit::Seconds.read(b"1767225600"), at);
        assert_eq!(TimeUnit::Milliseconds.read(b"1767225600999"), at);
        assert_eq!(TimeUnit::Rfc3339.read(b"2026-01-01T00:00:00Z"), at);
        assert_eq!(TimeUnit::Rfc3339.read(b"2026-01-01T00:00:00.250Z"), at);
        for wrong in
            [&b""[..], b"01767225600", b"+1767225600", b"1767225600 ", b"1767225600.0", b"1767225600000"]
        {
            assert_eq!(TimeUnit::Seconds.read(wrong), None, "{wrong:?}");
        }
        for (text, expected) in [
            (&b"2025-12-31T16:00:00-08:00"[..], at),
            (b"2026-01-01T00:00:00.551", at),
            (b"2026-01-01", None),
            (b"2026-01-01T00:00:00Zx", None),
        ] {
            assert_eq!(TimeUnit::Rfc3339.read(text), expected, "{text:?}");
        }
        for unit in [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Rfc3339] {
            assert_eq!(unit.read(unit.write(UnixSeconds(1_767_225_600)).as_bytes()), at);
        }
    }
}
