//! Dates, times and decimal numbers as text, for Avro's logical types.
//!
//! Takes text. Gives whole numbers, exactly, or nothing. The years are 0001 to 9999. Pure.
//!
//! Sources: RFC 3339, section 5.6; the Avro specification 1.12, section "Logical Types".

/// In a second.
pub(super) const NANOSECONDS: i128 = 1_000_000_000;

const SECONDS_OF_DAY: i64 = 86_400;

/// `2026-01-31`: the days since 1970-01-01.
pub(super) fn date(text: &str) -> Option<i64> {
    let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || !(1..=length).contains(&day) {
        return None;
    }
    // March is the first month, so that the leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_year = year * 365 + year / 4 - year / 100 + year / 400;
    let days_before_month = (month * 153 + 2) / 5;
    // From 0000-03-01 to 1970-01-01.
    Some(days_before_year + days_before_month + day - 1 - 719_468)
}

/// `23:59:59.123`: the nanoseconds since midnight.
pub(super) fn time_of_day(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hours, minutes, seconds] = numbers(whole, ':', [2, 2, 2])?;
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some(i128::from(hours * 3600 + minutes * 60 + seconds) * NANOSECONDS + nanoseconds)
}

/// `2026-01-31T23:59:59.123`, without a zone: the nanoseconds since 1970, by the same clock.
pub(super) fn local(text: &str) -> Option<i128> {
    let (day, time) = text.split_once(['T', 't', ' '])?;
    Some(i128::from(date(day)? * SECONDS_OF_DAY) * NANOSECONDS + time_of_day(time)?)
}

/// `2026-01-31T23:59:59.123+01:00`: the nanoseconds since 1970.
pub(super) fn instant(text: &str) -> Option<i128> {
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
        return local(utc);
    }
    let (clock, zone) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(local(clock)? - i128::from(sign * (hours * 3600 + minutes * 60)) * NANOSECONDS)
}

/// Digits alone, of these lengths, between separators.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length)?;
        *number = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// A decimal number (`-12.50`, `1.5e3`), times ten to the power of `scale`.
///
/// # Errors
/// It is none, has more digits behind the point than `scale`, or more than `precision` or 38 in all.
pub(super) fn unscaled(text: &str, precision: usize, scale: usize) -> Result<i128, String> {
    let wrong = || "it is no decimal number".to_owned();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| wrong())?),
    };
    let (is_negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(wrong());
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let too_long =
        || format!("the number has more than {precision} digits, of which {scale} are behind the point");
    let behind = i64::try_from(fraction.len()).map_err(|_| too_long())? - i64::from(exponent);
    let missing = i64::try_from(scale).map_err(|_| too_long())? - behind;
    let shifted = match usize::try_from(missing) {
        Ok(zeros) if zeros <= 38 => format!("{significant}{}", "0".repeat(zeros)),
        Ok(_) => return Err(too_long()),
        Err(_) => {
            let cut = usize::try_from(-missing).map_err(|_| too_long())?;
            let kept = significant
                .len()
                .checked_sub(cut)
                .filter(|kept| significant[*kept..].bytes().all(|digit| digit == b'0'));
            let kept =
                kept.ok_or_else(|| format!("the number has more than {scale} digits behind the point"))?;
            significant[..kept].to_owned()
        }
    };
    if shifted.len() > precision.min(38) {
        return Err(too_long());
    }
    let number: i128 = shifted.parse().map_err(|_| too_long())?;
    Ok(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2026-11-25", Some(20_782)),
            ("0001-01-01", Some(-719_162)),
            ("9999-12-31", Some(2_932_896)),
            ("1900-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-01-32", None),
            ("0000-01-01", None),
            ("26-01-01", None),
            ("2026-1-01", None),
            ("2026-01-01-", None),
            ("+026-01-01", None),
        ] {
            assert_eq!(date(text), days, "{text}");
        }
        assert_eq!(time_of_day("00:00:01.5"), Some(1_500_000_000));
        assert_eq!(time_of_day("23:59:59.999999999"), Some(86_399_999_999_999));
        for wrong in
            ["24:00:00", "23:60:00", "23:59:60", "1:00:00", "01:00", "01:00:00.", "01:00:00.1234567890"]
        {
            assert_eq!(time_of_day(wrong), None, "{wrong}");
        }
        assert_eq!(instant("1970-01-01T01:00:00.25+01:00"), Some(250_000_000));
        assert_eq!(instant("1969-12-31T23:59:59Z"), Some(-NANOSECONDS));
        assert_eq!(instant("1970-01-01T00:00:00-00:30"), Some(1800 * NANOSECONDS));
        for wrong in ["1970-01-01T00:00:00", "1970-01-01", "Z", "", "1970-01-01T00:00:00+1:00", "é+00:00"] {
            assert_eq!(instant(wrong), None, "{wrong}");
        }
        assert_eq!(local("1970-01-02T00:00:00"), Some(86_400 * NANOSECONDS));
    }

    #[test]
    fn decimals_are_exact() {
        for (text, precision, scale, expected) in [
            ("12.34", 4, 2, Some(1234)),
            ("-12.3", 4, 2, Some(-1230)),
            ("0.001", 4, 3, Some(1)),
            ("12.340", 4, 2, Some(1234)),
            ("1.2e3", 4, 0, Some(1200)),
            ("12e-1", 2, 1, Some(12)),
            (".5", 2, 1, Some(5)),
            ("5.", 2, 1, Some(50)),
            ("0", 1, 0, Some(0)),
            ("-0.00", 1, 0, Some(0)),
            ("12.345", 9, 2, None),
            ("12345", 4, 0, None),
            ("1e99", 38, 0, None),
            ("1e-99", 38, 2, None),
            (
                "99999999999999999999999999999999999999",
                38,
                0,
                Some(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            ("999999999999999999999999999999999999999", 40, 0, None),
            ("", 4, 0, None),
            ("-", 4, 0, None),
            ("1,5", 4, 0, None),
            ("1e", 4, 0, None),
            ("NaN", 4, 0, None),
        ] {
            assert_eq!(unscaled(text, precision, scale).ok(), expected, "{text}");
        }
    }
}
