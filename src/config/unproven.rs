//! What becomes of requests whose signature fails: refused, and nothing more, unless it is said here.
//!
//! Takes a source's `verification`, `report_only_topic` and `quarantine`, and the section `quarantine`. Gives
//! [`ReportOnly`] and [`Quarantine`], whose topics are no other event's, or every reason why not.

use std::sync::Arc;
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Source;
use super::checker::Checker;
use super::diagnostic::Path;
use super::raw::{RawBytes, RawSource};
use super::units::show_bytes;
use crate::allowance::{Allowance, Shared};
use crate::topic::{Pattern, TopicName};

/// Beside `webhooks.dead-letter`, which holds what is genuine and can't be read.
const DEFAULT_TOPIC: &str = "webhooks.quarantine";
/// Most events are far smaller, and what is not genuine is not worth more.
const DEFAULT_MAX_BODY_BYTES: usize = 64 * 1024;
/// A quarter of what may be on its way at once.
const MAX_MAX_BODY_BYTES: usize = 1024 * 1024;
/// Enough for a source whose secret is wrong to be noticed and its events to be kept; 55 GB a day at worst.
const DEFAULT_MAX_PER_SECOND: u32 = 10;
/// Where the file says nothing, as many sources can be kept at their full rate.
const SOURCES_AT_ONCE: u32 = 10;
/// Beyond this it is no exception any more.
const MAX_MAX_PER_SECOND: u32 = 10_000;

/// Where requests are kept whose signature was refused, and how many at most.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Quarantine")]
pub struct RawQuarantine {
    /// The topic. No event may have the same. Default: `webhooks.quarantine`.
    pub topic: Option<String>,
    /// The largest body that is kept; at most 1MiB. Default: 64KiB.
    pub max_body_bytes: Option<RawBytes>,
    /// How many are kept of one source in a second, at most. Default: 10.
    pub max_per_second: Option<u32>,
    /// How many are kept of all sources in a second, at most. Default: ten times `max_per_second`.
    pub max_per_second_total: Option<u32>,
}

/// What becomes of a request whose signature fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// It is refused.
    #[default]
    Enforce,
    /// It is acknowledged, and published to `report_only_topic`, marked as unverified.
    ReportOnly,
}

/// Requests whose signature fails are published, as what they are.
#[derive(Debug)]
pub struct ReportOnly {
    /// The topic for them, and for nothing else.
    pub topic: TopicName,
}

/// Requests whose signature is refused are kept, so that they can be verified again.
#[derive(Debug)]
pub struct Quarantine {
    /// The topic for them, and for nothing else.
    pub topic: TopicName,
    /// How many are kept of the source in a second.
    pub max_per_second: u32,
    /// How many are kept of all sources in a second.
    pub max_per_second_total: u32,
    /// What is left of the limits.
    pub allowance: Allowance,
}

/// The section `quarantine`, checked.
#[derive(Debug)]
pub(super) struct Section {
    topic: TopicName,
    max_body_bytes: usize,
    max_per_second: u32,
    max_per_second_total: u32,
    shared: Arc<Shared>,
}

/// Checks the section.
pub(super) fn section(check: &mut Checker<'_>, raw: Option<&RawQuarantine>) -> Option<Section> {
    let path = Path::root().key("quarantine");
    let none = RawQuarantine::default();
    let raw = raw.unwrap_or(&none);
    let topic = topic(check, &path.key("topic"), raw.topic.as_deref().unwrap_or(DEFAULT_TOPIC));
    let max_body_bytes = raw.max_body_bytes.map_or(DEFAULT_MAX_BODY_BYTES, |bytes| bytes.0);
    if !(1..=MAX_MAX_BODY_BYTES).contains(&max_body_bytes) {
        let message = format!("must be from 1 byte to {}", show_bytes(MAX_MAX_BODY_BYTES));
        check.error(&path.key("max_body_bytes"), message);
    }
    let max_per_second = raw.max_per_second.unwrap_or(DEFAULT_MAX_PER_SECOND);
    let of_all = max_per_second.saturating_mul(SOURCES_AT_ONCE).min(MAX_MAX_PER_SECOND);
    let max_per_second_total = raw.max_per_second_total.unwrap_or(of_all);
    for (key, rate) in [("max_per_second", max_per_second), ("max_per_second_total", max_per_second_total)] {
        if !(1..=MAX_MAX_PER_SECOND).contains(&rate) {
            check.error(&path.key(key), format!("must be from 1 to {MAX_MAX_PER_SECOND}"));
        }
    }
    if max_per_second > max_per_second_total {
        let message = format!("{max_per_second_total} is less than `max_per_second`, {max_per_second}");
        check.error(&path.key("max_per_second_total"), message);
    }
    let shared = Shared::new(max_per_second_total, Instant::now());
    Some(Section { topic: topic?, max_body_bytes, max_per_second, max_per_second_total, shared })
}

/// Warns of a section that no source uses.
pub(super) fn unused_section(check: &mut Checker<'_>, raw: Option<&RawQuarantine>, sources: &[Arc<Source>]) {
    if raw.is_some() && !sources.is_empty() && sources.iter().all(|source| source.quarantine.is_none()) {
        let message = "no source says `quarantine: true`, so nothing is kept".to_owned();
        check.warn(&Path::root().key("quarantine"), message, "say it in those whose secret may be wrong");
    }
}

/// A topic's name that stands at `path`.
fn topic(check: &mut Checker<'_>, path: &Path, name: &str) -> Option<TopicName> {
    TopicName::parse(name).map_err(|why| check.error(path, why)).ok()
}

/// What the source called `name` says of requests whose signature fails.
pub(super) fn report_only(
    check: &mut Checker<'_>,
    path: &Path,
    name: &str,
    raw: &RawSource,
) -> Option<ReportOnly> {
    let (at, topic_at) = (path.key("verification"), path.key("report_only_topic"));
    match (raw.verification.unwrap_or_default(), &raw.report_only_topic) {
        (Verification::Enforce, None) => None,
        (Verification::Enforce, Some(_)) => {
            let hint = "write `verification: report_only` beside it, or take it out".to_owned();
            check.error_with(
                &topic_at,
                ("nothing goes there unless the source reports only".to_owned(), hint),
            );
            None
        }
        (Verification::ReportOnly, _) if raw.danger_accept_unsigned == Some(true) => {
            check.error(&at, "with `danger_accept_unsigned: true` nothing is verified; take out one of them");
            None
        }
        (Verification::ReportOnly, None) => {
            let hint = "a topic for requests whose signature fails, and for nothing else: `webhooks.{source}.unverified`";
            check.missing(path, "report_only_topic", hint);
            None
        }
        (Verification::ReportOnly, Some(text)) => {
            let topic = match Pattern::parse(text, name) {
                Ok(Pattern::Fixed(topic)) => topic,
                Ok(Pattern::PerType(_)) => {
                    check.error(&topic_at, "`{type}` can't name this topic: nobody has signed the type");
                    return None;
                }
                Err(why) => {
                    check.error(&topic_at, why);
                    return None;
                }
            };
            let message =
                format!("requests whose signature FAILS are acknowledged and published, to `{topic}`");
            let hint = "for the time of a migration: whoever can reach the port can write to this topic; then take it out";
            check.warn(&at, message, hint);
            Some(ReportOnly { topic })
        }
    }
}

/// What the source keeps of requests whose signature is refused.
pub(super) fn quarantine(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
    section: Option<&Section>,
) -> Option<Arc<Quarantine>> {
    let at = path.key("quarantine");
    if raw.quarantine != Some(true) {
        return None;
    }
    if raw.danger_accept_unsigned == Some(true) || raw.verification == Some(Verification::ReportOnly) {
        let other = match raw.danger_accept_unsigned {
            Some(true) => "danger_accept_unsigned: true",
            _ => "verification: report_only",
        };
        check.error(&at, format!("with `{other}` no signature is refused; take out one of them"));
        return None;
    }
    let section = section?;
    let (now, shared) = (Instant::now(), Arc::clone(&section.shared));
    Some(Arc::new(Quarantine {
        topic: section.topic.clone(),
        max_per_second: section.max_per_second,
        max_per_second_total: section.max_per_second_total,
        allowance: Allowance::new(section.max_body_bytes, section.max_per_second, now, shared),
    }))
}

/// What is not verified must not stand among what is: of no source.
pub(super) fn topics_apart(check: &mut Checker<'_>, sources: &[Arc<Source>]) {
    let mut apart: Vec<(Path, TopicName)> = Vec::new();
    for source in sources {
        if let Some(report_only) = &source.report_only {
            let path = Path::root().key("sources").key(&source.name).key("report_only_topic");
            apart.push((path, report_only.topic.clone()));
        }
    }
    let quarantine = sources.iter().find_map(|source| source.quarantine.as_ref());
    if let Some(quarantine) = quarantine {
        for (path, topic) in &apart {
            if *topic == quarantine.topic {
                check.error(path, format!("`{topic}` is the quarantine's topic; give it another name"));
            }
        }
        apart.push((Path::root().key("quarantine").key("topic"), quarantine.topic.clone()));
    }
    for (path, topic) in &apart {
        for source in sources {
            if let Some(whose) = use_of(source, topic) {
                let message = format!("`{topic}` is {whose}");
                let hint = "what is not verified needs a topic of its own; give it another name".to_owned();
                check.error_with(path, (message, hint));
                break;
            }
        }
    }
}

/// What verified events of `source` go to `topic`, if any do.
fn use_of(source: &Source, topic: &TopicName) -> Option<String> {
    if *topic == source.dead_letter {
        return Some("the dead-letter topic".to_owned());
    }
    if *topic == source.default_topic {
        return Some(format!("the default topic of the source `{}`", source.name));
    }
    if source.topics.schemas().any(|schema| schema.raw_topic.as_ref() == Some(topic)) {
        return Some(format!("a `raw_topic` of the source `{}`", source.name));
    }
    let pattern = source.topics.leading_to(topic)?;
    Some(format!("where the source `{}` may send verified events, by `topics` \"{pattern}\"", source.name))
}

#[cfg(test)]
#[path = "unproven_tests.rs"]
mod tests;
