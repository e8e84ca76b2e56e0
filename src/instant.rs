//! Instants as text (RFC 3339): of configured windows, and of signed times.
//!
//! Takes date, time and zone. Gives the instant, if it has the one form. Pure.

use std::time::{Duration, SystemTime};

/// The last second that has a year of four digits: 9999-12-31T23:59:59Z.
pub const MAX_SECONDS: u64 = 253_402_300_799;

/// Reads an instant (RFC 3339, section 5.6), from the year 1970 to 9999.
#[must_use]
pub fn parse(text: &str) -> Option<SystemTime> {
    let (local, offset) = split_offset(text)?;
    // humantime reads UTC alone, and passes over what follows the seconds.
    let rest = local.get("2026-03-01T00:00:00".len()..)?;
    let fraction = rest.strip_prefix('.').unwrap_or(if rest.is_empty() { "0" } else { "" });
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let seconds = Duration::from_secs(offset.unsigned_abs());
    let instant = if offset < 0 { local.checked_add(seconds) } else { local.checked_sub(seconds) }?;
    let since = instant.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since.as_secs() <= MAX_SECONDS).then_some(instant)
}

/// Date and time without their zone, and how many seconds the zone's clocks are ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, 0));
    }
    let (local, zone) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |digits: &str, limit: i64| {
        let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<i64>().ok())??;
        (digits.len() == 2 && number < limit).then_some(number)
    };
    Some((local, sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60)))
}
