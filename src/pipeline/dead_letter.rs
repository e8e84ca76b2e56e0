//! Of station 7: what a dead letter says beside what every record says.
//!
//! Takes a [`Defect`] and its request. Gives the headers that say why it is one, where the fault is and where it would have
//! gone; and those by which it can be taken through again ([`super::again`]): when and where it came, and whatever its ID
//! and type are read from that the signature does not cover. Never a credential.

use http::HeaderName;
use http::header::CONTENT_TYPE;
use rdkafka::message::OwnedHeaders;

use super::encode::{Common, MAX_COPIED_HEADER, QUERY, header, is_credential};
use super::extract::{Defect, MAX_NAME_OCTETS};
use crate::config::{Authentication, Source};
use crate::expression::Expression;
use crate::signature::scheme::SignaturePlace;

/// The header of a dead letter, and of what is in quarantine, that holds the path of its request.
pub(super) const PATH: &str = "hookbridge_path";

/// Adds them.
pub(super) fn headers(
    common: &Common<'_>,
    defect: &Defect,
    is_element: bool,
    mut headers: OwnedHeaders,
) -> OwnedHeaders {
    headers = headers
        .insert(header("hookbridge_reason", defect.reason.as_str()))
        .insert(header("hookbridge_detail", defect.detail.as_str()))
        .insert(header(PATH, common.ticket.source.path.as_str()));
    if let Some(path) = &defect.fault_path {
        headers = headers.insert(header("hookbridge_fault_path", path.as_str()));
    }
    if let Some(topic) = &defect.topic {
        headers = headers.insert(header("hookbridge_topic", topic.as_str()));
    }
    let source = &common.ticket.source;
    for name in named(source, is_element) {
        if let Some(value) = common.request.get(name).filter(|value| value.len() <= most(is_element)) {
            headers = headers.insert(header(name.as_str(), value.as_bytes()));
        }
    }
    // A signed query is there already, but for an element.
    if is_element || common.query.is_none() {
        let pairs = pairs(source, common.whole_query.unwrap_or_default());
        if !pairs.is_empty() && pairs.len() <= most(is_element) {
            headers = headers.insert(header(QUERY, pairs.as_str()));
        }
    }
    headers
}

/// The longest value that is kept. Every element of a batch repeats it, within
/// [`crate::budget::ELEMENT_OVERHEAD_BYTES`]; what is longer can be no ID and no type.
fn most(is_element: bool) -> usize {
    if is_element { MAX_NAME_OCTETS } else { MAX_COPIED_HEADER }
}

/// The headers in which ID and type may stand, but for those that the record has as proof.
fn named(source: &Source, is_element: bool) -> Vec<&HeaderName> {
    let credential = credential(source);
    let mut named: Vec<&HeaderName> = Vec::new();
    for name in source.provider.headers_read().flatten() {
        let is_there = !is_element && source.proof_headers().any(|other| other == name);
        let is_credential = is_credential(name) || credential.contains(name);
        if !is_there && !is_credential && *name != CONTENT_TYPE && !named.contains(&name) {
            named.push(name);
        }
    }
    named
}

/// The headers that any dead letter of the source may have beside its proof.
pub(crate) fn kept(source: &Source) -> Vec<&HeaderName> {
    // Those of an element are more.
    named(source, source.split.is_some())
}

/// The headers whose value is what proves a request, and no more than that.
fn credential(source: &Source) -> &[HeaderName] {
    match &source.authentication {
        Authentication::Signed { scheme, .. } if scheme.presents_credential() => match &scheme.place {
            SignaturePlace::Header(names) | SignaturePlace::Headers(names) => names,
            SignaturePlace::Json(_) | SignaturePlace::Query(_) => &[],
        },
        Authentication::Signed { .. } | Authentication::DangerUnsigned => &[],
    }
}

/// The pairs of the query in which ID and type may stand, octet for octet. What proves a request is not among them.
fn pairs(source: &Source, query: &str) -> String {
    let proof = match &source.authentication {
        Authentication::Signed { scheme, .. } => match &scheme.place {
            SignaturePlace::Query(name) => Some(name.as_str()),
            _ => None,
        },
        Authentication::DangerUnsigned => None,
    };
    let provider = &source.provider;
    let places = || provider.message_id.iter().chain(&provider.event_type).flat_map(Expression::places);
    let is_read = |pair: &&str| {
        let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name);
        name.is_some_and(|name| {
            proof != Some(&*name)
                && places().any(|place| matches!(place, Expression::Query(read) if *read == name))
        })
    };
    query.split('&').filter(is_read).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
#[path = "dead_letter_tests.rs"]
mod tests;
