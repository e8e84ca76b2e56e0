//! Hypotheses about the timestamp: it is written in another unit than the scheme says, or than was signed.

use http::HeaderValue;

use super::bench::{Hypothesis, Otherwise};
use super::capture::Capture;
use super::cause::Cause;
use crate::signature::Scheme;
use crate::signature::scheme::SignaturePlace;
use crate::signature::timestamp::{TimeUnit, TimestampPlace};

const UNITS: [TimeUnit; 3] = [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Rfc3339];

pub(crate) fn name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Seconds => "seconds",
        TimeUnit::Milliseconds => "milliseconds",
        TimeUnit::Rfc3339 => "a date and time (RFC 3339)",
    }
}

/// The scheme with its timestamp in another unit.
pub(crate) fn in_other_units(scheme: &Scheme) -> impl Iterator<Item = (TimeUnit, Scheme)> {
    let own = scheme.timestamp.as_ref().map(|rule| rule.unit);
    UNITS.into_iter().filter(move |unit| own.is_some_and(|own| own != *unit)).map(|unit| {
        let mut other = scheme.clone();
        if let Some(rule) = &mut other.timestamp {
            rule.unit = unit;
        }
        (unit, other)
    })
}

/// Every other reading of the timestamp.
pub(crate) fn hypotheses(capture: &Capture, scheme: &Scheme) -> Vec<Hypothesis> {
    let Some(own) = scheme.timestamp.as_ref().map(|rule| rule.unit) else { return Vec::new() };
    let mut hypotheses = Vec::new();
    for (unit, other) in in_other_units(scheme) {
        let text = format!("the timestamp is written in {}, and the scheme says {}", name(unit), name(own));
        hypotheses.push(Hypothesis::scheme(Cause::TimestampUnit, text, other));
    }
    let Some(present) = value(capture, scheme) else { return hypotheses };
    for read_as in UNITS {
        let Some(time) = read_as.read(present.as_bytes()) else { continue };
        for signed_as in UNITS.into_iter().filter(|unit| *unit != read_as) {
            let Some(request) = with_value(capture, scheme, &present, &signed_as.write(time)) else {
                continue;
            };
            let mut other = scheme.clone();
            if let Some(rule) = &mut other.timestamp {
                rule.unit = signed_as;
            }
            let text = format!(
                "the timestamp is written in {}, and was signed in {}",
                name(read_as),
                name(signed_as)
            );
            let otherwise = Otherwise::SchemeAndRequest(Box::new(other), Box::new(request));
            hypotheses.push(Hypothesis::new(Cause::TimestampUnit, text, otherwise));
        }
    }
    hypotheses
}

/// The timestamp's text, where it stands in the head.
pub(crate) fn value(capture: &Capture, scheme: &Scheme) -> Option<String> {
    match &scheme.timestamp.as_ref()?.place {
        TimestampPlace::Header(names) => {
            let value = names.iter().find_map(|name| capture.headers.get(name))?;
            value.to_str().ok().map(str::to_owned)
        }
        TimestampPlace::Entry(prefix) => {
            let SignaturePlace::Header(names) = &scheme.place else { return None };
            let value = names.iter().find_map(|name| capture.headers.get(name))?;
            let entries = scheme.variants.first()?.presented.entries(value.as_bytes()).ok()?;
            let entry = entries.iter().find_map(|entry| entry.strip_prefix(prefix.as_bytes()))?;
            String::from_utf8(entry.to_vec()).ok()
        }
        TimestampPlace::Json(_) | TimestampPlace::Claim(_) => None,
    }
}

fn with_value(capture: &Capture, scheme: &Scheme, present: &str, new: &str) -> Option<Capture> {
    let (names, before) = match (&scheme.timestamp.as_ref()?.place, &scheme.place) {
        (TimestampPlace::Header(names), _) => (names, ""),
        (TimestampPlace::Entry(prefix), SignaturePlace::Header(names)) => (names, prefix.as_str()),
        _ => return None,
    };
    let name = names.iter().find(|name| capture.headers.contains_key(*name))?;
    let text = capture.headers.get(name)?.to_str().ok()?;
    let text = text.replacen(&format!("{before}{present}"), &format!("{before}{new}"), 1);
    let mut other = capture.clone();
    other.headers.insert(name.clone(), HeaderValue::from_str(&text).ok()?);
    Some(other)
}
