//! Beside the path: a refused request is kept, so that it can be verified again once the secret is right.
//!
//! Takes [`Suspect`]. Gives its [`Rejection`] back, and nothing else: the request is refused whatever becomes of the
//! record, which is enqueued within the source's allowance and waited for by nobody. It holds what a consumer with
//! the secret needs: the exact octets, the scheme's headers, those of ID and type, and when, where and why. Of the
//! sender's other headers it has none: a credential must not be kept for being presented in the wrong place.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use rdkafka::message::OwnedHeaders;
use sha2::{Digest as _, Sha256};

use super::Rejection;
use super::body::Received;
use super::dead_letter::PATH;
use super::encode::{MAX_COPIED_HEADER, QUERY, header, is_credential, received_ms, signed_query};
use super::verify::Suspect;
use crate::allowance::Exceeded;
use crate::app::App;
use crate::config::Quarantine;
use crate::kafka::delivery::Delivery;
use crate::kafka::slot::Outgoing;

/// Keeps what may be kept, and gives the refusal.
#[must_use]
pub fn keep(app: &App, suspect: Suspect) -> Rejection {
    let (request, why, quarantine) = suspect.into_parts();
    let source = &request.ticket.source.name;
    match enqueue(app, &request, &why, &quarantine) {
        Ok(()) => app.metrics().quarantined(source, why.code()),
        Err(skipped) => app.metrics().quarantine_skipped(source, skipped),
    }
    why
}

/// Enqueues the record, or says why not.
fn enqueue(
    app: &App,
    request: &Received,
    why: &Rejection,
    quarantine: &Quarantine,
) -> Result<(), &'static str> {
    let copied = copied(request).ok_or("header_too_large")?;
    if app.producer().health().is_unreachable() {
        return Err("kafka_unreachable");
    }
    let octets = copied.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let allowed = quarantine.allowance.take(request.body.len(), octets, Instant::now());
    let permit = allowed.map_err(|exceeded| match exceeded {
        Exceeded::Size => "body_too_large",
        Exceeded::Rate => "rate_limited",
        Exceeded::Room => "overloaded",
    })?;
    let ticket = &request.ticket;
    let received_at = humantime::format_rfc3339_millis(ticket.arrived.wall).to_string();
    let mut headers = OwnedHeaders::new_with_capacity(16)
        .insert(header::<str>("hookbridge_source", &ticket.source.name))
        .insert(header(PATH, ticket.source.path.as_str()))
        .insert(header("hookbridge_received_at", &received_at))
        .insert(header("hookbridge_verification", "failed"))
        .insert(header("hookbridge_verification_error", why.code()));
    for (name, value) in copied {
        headers = headers.insert(header(name.as_str(), value));
    }
    if let Some(query) = signed_query(ticket, request.uri.query()) {
        headers = headers.insert(header(QUERY, query));
    }
    let key = hex::encode(Sha256::digest(&request.body));
    let outgoing = Outgoing {
        topic: quarantine.topic.as_str(),
        key: key.as_bytes(),
        value: &request.body,
        timestamp_ms: received_ms(ticket),
        headers,
    };
    // The permit returns with the delivery report, for which nobody waits.
    let delivery = Arc::new(Delivery::new(quarantine.topic.clone(), Arc::new(permit)));
    app.producer().send(outgoing, delivery).map_err(|failure| failure.name())
}

/// What a later verification reads, and where the ID and the type stand. None if one of the scheme's headers is too
/// long: without it the rest is of no use.
fn copied(request: &Received) -> Option<Vec<(&HeaderName, &[u8])>> {
    let source = &request.ticket.source;
    let fits = |value: &HeaderValue| value.len() <= MAX_COPIED_HEADER;
    if source.proof_headers().filter_map(|name| request.headers.get(name)).any(|value| !fits(value)) {
        return None;
    }
    let mut copied: Vec<(&HeaderName, &[u8])> = Vec::new();
    let named = source.provider.headers_read().flatten();
    for name in source.proof_headers().chain(named).chain([&CONTENT_TYPE, &CONTENT_ENCODING]) {
        let is_new = !is_credential(name) && copied.iter().all(|(other, _)| *other != name);
        if let Some(value) = request.headers.get(name).filter(|value| is_new && fits(value)) {
            copied.push((name, value.as_bytes()));
        }
    }
    Some(copied)
}
