//! A provider, checked: its scheme, and where its events' IDs and types stand.
//!
//! Takes a complete [`RawProvider`]. Gives [`Provider`] and what else it says of a source, or every reason why
//! it can't be used.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::checker::Checker;
use super::diagnostic::Path;
use super::expressions::expressions;
use super::handshake;
use super::raw::{RawExample, RawProvider, RawSuccess};
use super::scheme::{Binding, scheme};
use crate::expression::Expression;
use crate::handshake::{Handshake, Offer};
use crate::json::MAX_POINTERS;
use crate::keys::Rule;
use crate::signature::Scheme;

/// What identifies and names a provider's events, and what it wants to hear.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The preset's name, or `custom`.
    pub name: String,
    /// The provider's name, for people.
    pub title: String,
    /// Where the message ID stands; the first that there is. After all of them, the body's SHA-256.
    pub message_id: Vec<Expression>,
    /// Where the event type stands; the first that there is. None at all: the type is `webhook`.
    pub event_type: Vec<Expression>,
    /// Where the time of the event stands; the first that there is.
    pub event_time: Vec<Expression>,
    /// Where its subject stands; the first that there is.
    pub subject: Vec<Expression>,
    /// The answer that tells the provider that the event is durable.
    pub success: Success,
    /// An event as the provider sends it.
    pub example: RawExample,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Success {
    /// A 2xx.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// The body's media type.
    pub content_type: HeaderValue,
}

/// Everything that a provider file says.
#[derive(Debug, Clone)]
pub struct ProviderFile {
    /// How events are identified and named.
    pub provider: Provider,
    /// How requests are signed; absent only where the provider is used unsigned.
    pub scheme: Option<Scheme>,
    /// Where the provider serves its keys, if it does, and the scheme is used.
    pub keys: Option<Rule>,
    /// How soon the provider wants an answer, less a margin.
    pub respond_within: Option<Duration>,
    /// Requests by which the provider sees who is there.
    pub handshakes: Vec<Handshake>,
    /// Where the provider's first request holds the secret.
    pub offer: Option<Offer>,
}

impl Provider {
    /// The headers that anything of an event is read from, by place.
    pub(crate) fn headers_read(&self) -> impl Iterator<Item = &[HeaderName]> {
        self.message_id
            .iter()
            .chain(&self.event_type)
            .chain(&self.event_time)
            .chain(&self.subject)
            .flat_map(Expression::places)
            .filter_map(Expression::headers)
    }
}

/// Checks a complete provider that stands at `path`. `signed` is absent where the source accepts unsigned
/// requests, and no scheme is needed.
pub(super) fn check(
    check: &mut Checker<'_>,
    path: &Path,
    name: &str,
    raw: &RawProvider,
    signed: Option<&Binding<'_>>,
) -> Option<ProviderFile> {
    let message_id = expressions(check, &path.key("message_id"), raw.message_id.as_ref());
    let event_type = expressions(check, &path.key("event_type"), raw.event_type.as_ref());
    let event_time = expressions(check, &path.key("event_time"), raw.event_time.as_ref());
    let subject = expressions(check, &path.key("subject"), raw.subject.as_ref());
    let named = message_id.iter().chain(&event_type).chain(&event_time).chain(&subject);
    let places = named.flat_map(Expression::places);
    if places.filter(|p| matches!(p, Expression::Json(_) | Expression::Body(_))).count() > MAX_POINTERS {
        check.error(path, format!("more than {MAX_POINTERS} places in the body are looked at"));
    }
    let scheme = match signed {
        Some(binding) => Some(scheme(check, path, raw, &message_id, binding)?),
        None => None,
    };
    let keys = match (&raw.keys, &scheme) {
        (Some(keys), Some(scheme)) => Some(super::keys::rule(check, &path.key("keys"), keys, scheme)?),
        _ => None,
    };
    let success = success(check, &path.key("success"), raw.success.as_ref())?;
    let (handshakes, offer) = handshake::of_provider(check, path, raw);
    Some(ProviderFile {
        provider: Provider {
            name: name.to_owned(),
            title: raw.title.clone().unwrap_or_else(|| name.to_owned()),
            message_id,
            event_type,
            event_time,
            subject,
            success,
            example: raw.example.clone().unwrap_or_default(),
        },
        scheme,
        keys,
        respond_within: raw.respond_within.map(|duration| duration.0),
        handshakes,
        offer,
    })
}

fn success(check: &mut Checker<'_>, path: &Path, raw: Option<&RawSuccess>) -> Option<Success> {
    let raw = raw.cloned().unwrap_or_default();
    let status = raw.status.unwrap_or(200);
    let Some(status) = StatusCode::from_u16(status).ok().filter(StatusCode::is_success) else {
        check.error(&path.key("status"), format!("{status} is no success; use 200 to 299"));
        return None;
    };
    let content_type = raw.content_type.as_deref().unwrap_or("application/json");
    let Ok(content_type) = HeaderValue::from_str(content_type) else {
        check.error(&path.key("content_type"), "this can't be a header's value");
        return None;
    };
    let body = raw.body.map_or(Bytes::from_static(br#"{"status":"received"}"#), Bytes::from);
    Some(Success { status, body, content_type })
}
