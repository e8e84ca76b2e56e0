//! Hypotheses about the head: a header was renamed, repeated, joined, quoted, replaced, or is of another family.
//!
//! Takes the captured headers and the names that the scheme reads. Gives other heads.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::bench::Hypothesis;
use super::capture::Capture;
use super::cause::Cause;
use crate::signature::Scheme;
use crate::signature::scheme::{Proof, SignaturePlace};
use crate::signature::timestamp::TimestampPlace;

/// Values of one header, and pieces of one, that are each tried.
const MAX_VALUES: usize = 8;
/// What proxies and frameworks put before a header's name.
const RENAMED_BY: [&str; 6] = ["http-", "x-original-", "x-forwarded-", "x-amzn-remapped-", "x-", "original-"];
/// Where senders repeat a message ID in the body.
const IDS_IN_BODIES: [&str; 6] = ["/id", "/event_id", "/eventId", "/message_id", "/messageId", "/data/id"];

/// The headers that a scheme reads: each with its alternatives.
pub(crate) fn headers_of(scheme: &Scheme) -> Vec<Vec<HeaderName>> {
    let mut headers = Vec::new();
    match &scheme.place {
        SignaturePlace::Header(names) => headers.push(names.clone()),
        SignaturePlace::Headers(names) => headers.extend(names.iter().map(|name| vec![name.clone()])),
        SignaturePlace::Json(_) | SignaturePlace::Query(_) => {}
    }
    if let Some(TimestampPlace::Header(names)) = scheme.timestamp.as_ref().map(|rule| &rule.place) {
        headers.push(names.clone());
    }
    if !scheme.id_headers.is_empty() {
        headers.push(scheme.id_headers.clone());
    }
    if let Proof::Content(content) = &scheme.proof {
        headers.extend(content.headers().map(|name| vec![name.clone()]));
    }
    headers
}

/// Every other head.
pub(crate) fn hypotheses(capture: &Capture, scheme: &Scheme) -> Vec<Hypothesis> {
    let wanted = headers_of(scheme);
    let mut hypotheses = Vec::new();
    hypotheses.extend(renamed(capture, &wanted));
    hypotheses.extend(families(capture, &wanted));
    hypotheses.extend(repeated(capture, &wanted));
    hypotheses.extend(joined(capture, &wanted));
    hypotheses.extend(altered_values(capture, &wanted));
    hypotheses.extend(ids(capture, scheme));
    hypotheses
}

fn with(capture: &Capture, change: impl FnOnce(&mut HeaderMap)) -> Capture {
    let mut other = capture.clone();
    change(&mut other.headers);
    other
}

fn is_absent(headers: &HeaderMap, names: &[HeaderName]) -> bool {
    names.iter().all(|name| !headers.contains_key(name))
}

/// A name without what proxies and frameworks do to it.
fn plain(name: &str) -> Vec<String> {
    let name = name.replace('_', "-");
    let stripped = RENAMED_BY.iter().filter_map(|prefix| Some(name.strip_prefix(prefix)?.to_owned()));
    let mut names: Vec<String> = stripped.collect();
    names.push(name);
    names
}

fn renamed(capture: &Capture, wanted: &[Vec<HeaderName>]) -> Option<Hypothesis> {
    let mut found = Vec::new();
    for names in wanted.iter().filter(|names| is_absent(&capture.headers, names)) {
        let of = |present: &HeaderName| {
            let plain_present = plain(present.as_str());
            names.iter().find(|name| {
                let bare = name.as_str().strip_prefix("x-").unwrap_or(name.as_str());
                plain_present.iter().any(|plain| plain == name.as_str() || plain == bare)
            })
        };
        if let Some((present, name)) =
            capture.headers.keys().find_map(|present| Some((present, of(present)?)))
        {
            found.push((present.clone(), name.clone()));
        }
    }
    let renamings: Vec<String> =
        found.iter().map(|(present, name)| format!("`{name}` arrives as `{present}`")).collect();
    let other = with(capture, |headers| {
        for (present, name) in found {
            if let Some(value) = headers.remove(&present) {
                headers.insert(name, value);
            }
        }
    });
    let text = format!("headers were renamed on the way: {}", renamings.join(", "));
    (!renamings.is_empty()).then(|| Hypothesis::request(Cause::HeaderRenamed, text, other))
}

/// Headers of two families side by side: each combination of one from each group.
fn families(capture: &Capture, wanted: &[Vec<HeaderName>]) -> Vec<Hypothesis> {
    let groups: Vec<&Vec<HeaderName>> = wanted.iter().filter(|names| names.len() > 1).collect();
    let present: Vec<Vec<&HeaderName>> = groups
        .iter()
        .map(|names| names.iter().filter(|name| capture.headers.contains_key(*name)).collect())
        .collect();
    let families = |names: &[&HeaderName], group: &[HeaderName]| -> Vec<Option<usize>> {
        names.iter().map(|name| group.iter().position(|other| other == *name)).collect()
    };
    let mut all: Vec<Option<usize>> =
        groups.iter().zip(&present).flat_map(|(group, names)| families(names, group)).collect();
    all.sort_unstable();
    all.dedup();
    if all.len() < 2 || present.iter().any(Vec::is_empty) || present.len() > 4 {
        return Vec::new();
    }
    let mut choices: Vec<Vec<&HeaderName>> = vec![Vec::new()];
    for names in &present {
        choices = choices
            .iter()
            .flat_map(|chosen| {
                names.iter().take(MAX_VALUES).map(|name| [chosen.as_slice(), &[*name]].concat())
            })
            .collect();
    }
    choices
        .into_iter()
        .map(|chosen| {
            let names: Vec<String> = chosen.iter().map(|name| format!("`{name}`")).collect();
            let text = format!(
                "headers of two families stand side by side; {} belong together, and what else is of these families does not",
                names.join(", ")
            );
            let other = with(capture, |headers| {
                let values: Vec<Option<HeaderValue>> =
                    chosen.iter().map(|name| capture.headers.get(*name).cloned()).collect();
                for (group, value) in groups.iter().zip(values) {
                    for name in *group {
                        headers.remove(name);
                    }
                    if let (Some(name), Some(value)) = (group.first(), value) {
                        headers.insert(name.clone(), value);
                    }
                }
            });
            Hypothesis::request(Cause::HeaderFamiliesMixed, text, other)
        })
        .collect()
}

fn place_in_words(index: usize, count: usize) -> String {
    match (index, count) {
        (0, _) => "the first".to_owned(),
        (index, count) if index + 1 == count => "the last".to_owned(),
        (index, _) => format!("number {}", index + 1),
    }
}

/// A header that is there more than once: each of its values alone.
fn repeated(capture: &Capture, wanted: &[Vec<HeaderName>]) -> Vec<Hypothesis> {
    let count = |name: &HeaderName| capture.headers.get_all(name).iter().count();
    let names: Vec<&HeaderName> = wanted.iter().flatten().filter(|name| count(name) > 1).collect();
    let most = names.iter().map(|name| count(name)).max().unwrap_or(0).min(MAX_VALUES);
    let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    (0..most)
        .map(|index| {
            let text = format!(
                "{} is there {most} times, and {} is what was signed",
                listed.join(", "),
                place_in_words(index, most)
            );
            let other = with(capture, |headers| {
                for name in &names {
                    let all = capture.headers.get_all(*name);
                    if let Some(value) = all.iter().nth(index).or_else(|| all.iter().next()) {
                        headers.insert((*name).clone(), value.clone());
                    }
                }
            });
            Hypothesis::request(Cause::HeaderRepeated, text, other)
        })
        .collect()
}

/// Values that hold a comma: each piece alone.
fn joined(capture: &Capture, wanted: &[Vec<HeaderName>]) -> Vec<Hypothesis> {
    let pieces = |value: &HeaderValue, by: &str| -> Vec<String> {
        let text = value.to_str().unwrap_or_default();
        text.split(by).map(|piece| piece.trim().to_owned()).collect()
    };
    let mut hypotheses = Vec::new();
    for by in [", ", ","] {
        let has =
            |name: &&HeaderName| capture.headers.get(*name).is_some_and(|value| pieces(value, by).len() > 1);
        let names: Vec<&HeaderName> = wanted.iter().flatten().filter(has).collect();
        let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let most = names.iter().filter_map(|name| Some(pieces(capture.headers.get(*name)?, by).len())).max();
        for index in 0..most.unwrap_or(0).min(MAX_VALUES) {
            let text = format!(
                "{} holds several values that were joined by commas, and {} is what was signed",
                listed.join(", "),
                place_in_words(index, most.unwrap_or(0))
            );
            let other = with(capture, |headers| {
                for name in &names {
                    let value = capture
                        .headers
                        .get(*name)
                        .and_then(|value| HeaderValue::from_str(pieces(value, by).get(index)?).ok());
                    if let Some(value) = value {
                        headers.insert((*name).clone(), value);
                    }
                }
            });
            hypotheses.push(Hypothesis::request(Cause::HeadersJoined, text, other));
        }
    }
    hypotheses
}

/// Values that something on the way has quoted, escaped or folded.
fn altered_values(capture: &Capture, wanted: &[Vec<HeaderName>]) -> Vec<Hypothesis> {
    type Change = fn(&str) -> String;
    let table: [(Cause, &str, Change); 6] = [
        (Cause::SignatureQuoted, "the header's value has quotes or white space round it", |text| {
            text.trim_matches([' ', '\t', '"', '\'', '`', '<', '>']).to_owned()
        }),
        (
            Cause::HeaderFolded,
            "the header's value has white space in it, as when a line was folded",
            |text| text.split_whitespace().collect(),
        ),
        (Cause::SignatureQuoted, "the header's `+` were made spaces", |text| text.replace(' ', "+")),
        (Cause::SignatureQuoted, "the header's value is percent-encoded", |text| {
            let text = text.replace('+', "%2B");
            let mut pairs = form_urlencoded::parse(text.as_bytes());
            pairs
                .next()
                .map(|(name, value)| match value.is_empty() {
                    true => name.into_owned(),
                    false => format!("{name}={value}"),
                })
                .unwrap_or_default()
        }),
        (Cause::SignatureEncoding, "the base64 of the signature has lost its padding", |text| {
            format!("{text}=")
        }),
        (Cause::SignatureEncoding, "the base64 of the signature has lost its padding", |text| {
            format!("{text}==")
        }),
    ];
    table
        .into_iter()
        .filter_map(|(cause, text, change)| {
            let mut is_other = false;
            let other = with(capture, |headers| {
                for name in wanted.iter().flatten() {
                    let value = capture.headers.get(name);
                    let changed =
                        value.and_then(|value| HeaderValue::from_str(&change(value.to_str().ok()?)).ok());
                    // Padding belongs to a signature alone, which is what the scheme reads first.
                    let fits = cause != Cause::SignatureEncoding
                        || wanted.first().is_some_and(|names| names.contains(name));
                    // What is as it was stays: put in place, it would take a second header of the name away.
                    if let Some(changed) = changed.filter(|changed| fits && Some(changed) != value) {
                        headers.insert(name.clone(), changed);
                        is_other = true;
                    }
                }
            });
            is_other.then(|| Hypothesis::request(cause, text, other))
        })
        .collect()
}

/// The signed ID is another: of another header, or of the body.
fn ids(capture: &Capture, scheme: &Scheme) -> Vec<Hypothesis> {
    let Some(first) = scheme.id_headers.first() else { return Vec::new() };
    let mut candidates: Vec<(String, HeaderValue)> = capture
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().ends_with("id") && !scheme.id_headers.contains(name))
        .map(|(name, value)| (format!("the header `{name}`"), value.clone()))
        .collect();
    if let Ok(body) = serde_json::from_slice::<Value>(&capture.body) {
        let at = |pointer: &&str| {
            let value = HeaderValue::from_str(body.pointer(pointer)?.as_str()?).ok()?;
            Some((format!("the body's `{pointer}`"), value))
        };
        candidates.extend(IDS_IN_BODIES.iter().filter_map(at));
    }
    let is_there = !is_absent(&capture.headers, &scheme.id_headers);
    let is_present = |name: &&HeaderName| capture.headers.contains_key(*name);
    let name = scheme.id_headers.iter().find(is_present).unwrap_or(first);
    candidates
        .into_iter()
        .take(4 * MAX_VALUES)
        .map(|(place, value)| {
            let text = match is_there {
                true => format!("the message ID in `{name}` was replaced: the one of {place} was signed"),
                false => format!("the message ID's header is missing; the ID of {place} was signed"),
            };
            let other = with(capture, |headers| drop(headers.insert(name.clone(), value)));
            Hypothesis::request(Cause::IdAltered, text, other)
        })
        .collect()
}
