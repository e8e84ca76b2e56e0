//! Signed or not: does a topic or a key come from a field that the signature does not cover?
//!
//! Takes a source. Gives a warning for each such field, or an error where the source says `strict_fields: true`.

use super::checker::Checker;
use super::diagnostic::Path;
use super::{Authentication, KeyFrom, Source, Unmapped};
use crate::expression::Expression;
use crate::signature::Coverage;
use crate::signature::coverage::NOTHING;
use crate::topic::{Pattern, Target};

/// Patterns of a mapping that a message names; more are counted.
const MAX_SHOWN: usize = 4;

impl Authentication {
    /// What the signature covers; nothing, where there is none.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        match self {
            Self::Signed { scheme, .. } => &scheme.coverage,
            Self::DangerUnsigned => &NOTHING,
        }
    }
}

/// Checks the fields that decide where a verified event goes.
pub(super) fn check(check: &mut Checker<'_>, path: &Path, source: &Source, strict: bool) {
    if matches!(source.authentication, Authentication::DangerUnsigned) {
        if strict {
            let message = "with `danger_accept_unsigned: true` no field is signed; take out one of them";
            check.error(&path.key("strict_fields"), message);
        }
        return;
    }
    let mut report = |at: &Path, message: String, hint: &str| match strict {
        true => check.error_with(at, (format!("{message} (`strict_fields: true`)"), hint.to_owned())),
        false => check.warn(at, message, hint),
    };
    if let Some(field) = unsigned_key(source) {
        let message = format!("the key comes from {field}");
        let hint = match (source.authentication.coverage().body, source.key) {
            (true, _) => {
                "write `key: body_sha256`: the body is signed, so a replayed request keeps its key whatever its headers say"
            }
            (false, _) => "the scheme does not sign the body, so no key is signed",
        };
        report(&path.key("key"), message, hint);
    }
    if let (Some(field), Some(mapping)) = (unsigned_type(source), type_dependent_mapping(source)) {
        let message =
            format!("the topic follows from the event type, by {mapping}, and that comes from {field}");
        let hint = "a replayed request can be given another type, and so another topic: read the type from a signed place alone (`provider: { extends: ..., event_type: ... }`), or send all types to one topic";
        report(&path.key("topics"), message, hint);
    }
}

/// The unsigned field that the key comes from, if it does.
fn unsigned_key(source: &Source) -> Option<String> {
    let of_the_body = || {
        let unsigned = !source.authentication.coverage().body;
        unsigned.then(|| "the body, which the signature does not cover".to_owned())
    };
    match source.key {
        KeyFrom::BodySha256 => of_the_body(),
        KeyFrom::MessageId => {
            let named = first_unsigned(source, &source.provider.message_id);
            let signed = &source.authentication.coverage().pointers;
            // A value that is signed by name is there, or the request is refused.
            let is_there = |place: &Expression| place.pointer().is_some_and(|p| signed.contains(p));
            let is_always_there = |place: &Expression| place.places().iter().all(is_there);
            let of_the_body = || match source.provider.message_id.iter().any(is_always_there) {
                true => None,
                false => of_the_body(),
            };
            named.map(|field| format!("the message ID in {field}")).or_else(of_the_body)
        }
    }
}

fn unsigned_type(source: &Source) -> Option<String> {
    first_unsigned(source, &source.provider.event_type)
}

/// The first of `places` that is not signed. That a signed one comes before it does not help an event that has
/// nothing there.
fn first_unsigned(source: &Source, places: &[Expression]) -> Option<String> {
    let at = places.iter().position(|place| !place.is_covered(source.authentication.coverage()))?;
    let place = &places[at];
    let before: Vec<String> = places[..at].iter().map(Expression::to_string).collect();
    Some(match before.is_empty() {
        true => format!("{place}, which the signature does not cover"),
        false => {
            format!(
                "{place} where there is no {}, and the signature does not cover it",
                before.join(" and no ")
            )
        }
    })
}

/// The mapping, for people, if two types can go two ways.
fn type_dependent_mapping(source: &Source) -> Option<String> {
    let entries = source.topics.entries();
    let unmapped = match source.unmapped {
        Unmapped::Topic => Some(Target::Topic(Pattern::Fixed(source.default_topic.clone()), None)),
        Unmapped::Drop => Some(Target::Drop),
        Unmapped::Reject => None,
    };
    let mut ways: Vec<Option<&Target>> = entries.iter().map(|(_, target)| Some(target)).collect();
    if !entries.iter().any(|(pattern, _)| pattern == "*") {
        ways.push(unmapped.as_ref());
    }
    let per_type = |way: &Option<&Target>| matches!(way, Some(Target::Topic(Pattern::PerType(_), _)));
    if ways.windows(2).all(|pair| pair[0] == pair[1]) && !ways.iter().any(per_type) {
        return None;
    }
    let mut shown: Vec<String> = entries.iter().map(|(pattern, _)| format!("\"{pattern}\"")).collect();
    let more = shown.len().saturating_sub(MAX_SHOWN);
    shown.truncate(MAX_SHOWN);
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    Some(format!("`topics` {}", shown.join(", ")))
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
