//! Durations, sizes and instants as people write them: `4.5s`, `250ms`, `5m`; `1MiB`, `512KiB`, `65536`;
//! `2026-03-01T00:00:00Z`.
//!
//! Takes text. Gives a [`Duration`], a number of bytes or a [`SystemTime`], or says what is understood.

use std::time::{Duration, SystemTime};

use crate::instant;

/// The longest duration that is accepted: a week. Providers try again for days, with the signed time of the first try.
const MAX_DURATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Reads a duration: a number, with a decimal fraction if need be, and one of `ms`, `s`, `m`, `h`, `d`.
///
/// # Errors
/// A sentence that says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected =
        || format!("`{text}` is not a duration; write a number and a unit, such as `4.5s`, `250ms`, `5m`");
    let (number, unit) = split_unit(text).ok_or_else(expected)?;
    let seconds_per_unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(expected()),
    };
    let duration = Duration::try_from_secs_f64(number * seconds_per_unit).map_err(|_| expected())?;
    // What people write has three decimals at most; rounding takes the float's dust away.
    let duration = Duration::from_millis(
        u64::try_from((duration + Duration::from_micros(500)).as_millis()).map_err(|_| expected())?,
    );
    if duration > MAX_DURATION {
        return Err(format!("`{text}` is longer than a week"));
    }
    Ok(duration)
}

/// Reads a size in bytes: a number alone, or with one of `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB`, `GB`.
///
/// # Errors
/// A sentence that says what was expected.
pub fn bytes(text: &str) -> Result<usize, String> {
    let expected =
        || format!("`{text}` is not a size; write bytes as a number, or a number and a unit, such as `1MiB`");
    let (number, unit) = split_unit(text).ok_or_else(expected)?;
    let factor = match unit {
        "" | "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(expected()),
    };
    let size = number * factor;
    if size.fract() != 0.0 || size > 1e12 {
        return Err(expected());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within 0..=1e12")]
    Ok(size as usize)
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some((number, unit.trim_start()))
}

/// Reads an instant (RFC 3339, section 5.6), from the year 1970 to 9999.
///
/// # Errors
/// A sentence that says what was expected.
pub fn instant(text: &str) -> Result<SystemTime, String> {
    let expected = || {
        format!(
            "`{text}` is no instant; write date, time and zone, such as `2026-03-01T00:00:00Z` or `2026-03-01T01:00:00+01:00`"
        )
    };
    instant::parse(text).ok_or_else(expected)
}

/// Writes an instant as [`instant()`] reads it, in UTC.
#[must_use]
pub fn show_instant(instant: SystemTime) -> String {
    let since = instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // humantime can't write a year of five digits.
    let whole = Duration::from_secs(since.as_secs().min(instant::MAX_SECONDS));
    let shown = SystemTime::UNIX_EPOCH + whole + Duration::from_nanos(since.subsec_nanos().into());
    match since.subsec_nanos() {
        0 => humantime::format_rfc3339_seconds(shown).to_string(),
        _ => humantime::format_rfc3339_millis(shown).to_string(),
    }
}

/// Writes a duration as [`duration`] reads it.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        m if m % 3_600_000 == 0 => format!("{}h", m / 3_600_000),
        m if m % 60_000 == 0 => format!("{}m", m / 60_000),
        m if m < 1_000 => format!("{m}ms"),
        _ => format!("{}s", duration.as_secs_f64()),
    }
}

/// Writes a size as [`bytes()`] reads it.
#[must_use]
pub fn show_bytes(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 20 && b % (1 << 20) == 0 => format!("{}MiB", b >> 20),
        b if b >= 1 << 10 && b % (1 << 10) == 0 => format!("{}KiB", b >> 10),
        b => b.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!(duration("4.5s"), Ok(Duration::from_millis(4500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5 m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("7d"), duration("168h"));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "5", "s", "-1s", "1w", "1.2.3s", "1e3s", "169h", "7.1d", "NaNs", "infs"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_sizes() {
        assert_eq!(bytes("65536"), Ok(65536));
        assert_eq!(bytes("1MiB"), Ok(1_048_576));
        assert_eq!(bytes("1.5 KiB"), Ok(1536));
        for wrong in ["", "MiB", "-1", "1TiB", "0.3", "1 mib", "99999999999999"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_instants() {
        let at = |seconds: u64| Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(instant("1970-01-01T00:00:00Z"), at(0));
        assert_eq!(instant("2026-03-01T00:00:00Z"), at(1_772_323_200));
        assert_eq!(instant("2026-03-01T01:30:00+01:30"), at(1_772_323_200));
        assert_eq!(instant("2026-02-28T16:00:00-08:00"), at(1_772_323_200));
        assert_eq!(instant("9999-12-31T23:59:59Z"), at(instant::MAX_SECONDS));
        for wrong in [
            "",
            "Z",
            "+00:00",
            "2026-03-01",
            "2026-03-01T00:00:00",
            "2026-03-01 00:00:00Z",
            "2026-03-01T00:00:00+1:00",
            "2026-03-01T00:00:00+24:00",
            "2026-03-01T00:00:00+0a:00",
            "2026-03-01T00:00:00Z+01:00",
            "2026-03-01T00:00:00.Z",
            "2026-03-01T00:00:00xyzZ",
            "2026-02-30T00:00:00Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "\u{65e5}2026-03-01T00:00:00+01:0\u{65e5}",
            "tomorrow",
        ] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shows_what_it_reads() {
        for text in ["4.5s", "250ms", "5m", "2h", "14s", "0s"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["1MiB", "64KiB", "1000"] {
            assert_eq!(show_bytes(bytes(text).unwrap()), text);
        }
        for text in ["2026-03-01T00:00:00Z", "2026-03-01T00:00:00.250Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(show_instant(instant(text).unwrap()), text);
        }
    }
}
