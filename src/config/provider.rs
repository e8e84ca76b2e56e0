//! A provider, checked: its scheme, and where its events' IDs and types stand.
//!
//! Takes a complete [`RawProvider`]. Gives [`Provider`] and what else it says of a source, or every reason why
//! it can't be used.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::checker::Checker;
use super::diagnostic::Path;
use super::handshake;
use super::raw::{self, OneOrMany, RawExample, RawExpressions, RawProvider, RawSuccess, SecretEncoding};
use crate::expression::Expression;
use crate::handshake::{Handshake, Offer};
use crate::json::{MAX_POINTERS, Pointer};
use crate::signature::key::{KeyEncoding, KeyFormat};
use crate::signature::presented::SignatureEncoding;
use crate::signature::{Content, Presented, Scheme, TimestampRule};

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
    /// How a secret becomes a key.
    pub key_format: KeyFormat,
    /// How soon the provider wants an answer, less a margin.
    pub respond_within: Option<Duration>,
    /// Requests by which the provider sees who is there.
    pub handshakes: Vec<Handshake>,
    /// Where the provider's first request holds the secret.
    pub offer: Option<Offer>,
}

impl Provider {
    /// The headers that an ID or a type is read from, by place.
    pub(crate) fn headers_read(&self) -> impl Iterator<Item = &[HeaderName]> {
        self.message_id.iter().chain(&self.event_type).filter_map(Expression::headers)
    }
}

/// Checks a complete provider that stands at `path`. `signed` is false where the source accepts unsigned
/// requests, and no scheme is needed.
pub(super) fn check(
    check: &mut Checker<'_>,
    path: &Path,
    name: &str,
    raw: &RawProvider,
    signed: bool,
) -> Option<ProviderFile> {
    let message_id = expressions(check, &path.key("message_id"), raw.message_id.as_ref());
    let event_type = expressions(check, &path.key("event_type"), raw.event_type.as_ref());
    let pointers = |places: &[Expression]| places.iter().filter(|p| matches!(p, Expression::Json(_))).count();
    if pointers(&message_id) + pointers(&event_type) > MAX_POINTERS {
        check.error(path, format!("more than {MAX_POINTERS} places in the body are looked at"));
    }
    let scheme = match signed {
        true => Some(scheme(check, path, raw, &message_id)?),
        false => None,
    };
    let success = success(check, &path.key("success"), raw.success.as_ref())?;
    let secret = raw.secret.clone().unwrap_or_default();
    let (handshakes, offer) = handshake::of_provider(check, path, raw);
    Some(ProviderFile {
        provider: Provider {
            name: name.to_owned(),
            title: raw.title.clone().unwrap_or_else(|| name.to_owned()),
            message_id,
            event_type,
            success,
            example: raw.example.clone().unwrap_or_default(),
        },
        scheme,
        key_format: KeyFormat {
            encoding: match secret.encoding.unwrap_or_default() {
                SecretEncoding::Utf8 => KeyEncoding::Utf8,
                SecretEncoding::Hex => KeyEncoding::Hex,
                SecretEncoding::Base64 => KeyEncoding::Base64,
            },
            strip_prefix: secret.strip_prefix,
        },
        respond_within: raw.respond_within.map(|duration| duration.0),
        handshakes,
        offer,
    })
}

fn scheme(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawProvider,
    message_id: &[Expression],
) -> Option<Scheme> {
    let at = path.key("signature");
    let Some(signature) = &raw.signature else {
        check.missing(path, "signature", "say how requests are signed; see config/providers/ for examples");
        return None;
    };
    let header = signature.header.as_ref();
    let algorithm = signature.algorithm.map(|raw::Algorithm::HmacSha256| ());
    for (key, present, hint) in [
        ("header", header.is_some(), "the header that holds the signature"),
        ("algorithm", algorithm.is_some(), "such as `hmac-sha256`"),
        ("encoding", signature.encoding.is_some(), "`hex` or `base64`"),
        ("content", signature.content.is_some(), "what is signed, such as `{body}`"),
    ] {
        if !present {
            check.missing(&at, key, hint);
        }
    }
    let signature_headers = header.and_then(|names| header_names(check, &at.key("header"), names));
    let prefix = signature.prefix.clone().unwrap_or_default();
    if let Some(separator) = &signature.separator
        && (separator.is_empty() || prefix.contains(separator.as_str()))
    {
        check.error(&at.key("separator"), "the separator must not be empty, nor part of the prefix");
    }
    let content = signature.content.as_ref().and_then(|template| match Content::parse(template) {
        Ok(content) => Some(content),
        Err(why) => {
            check.error(&at.key("content"), why);
            None
        }
    });
    let coverage = content.as_ref().map(Content::coverage)?;
    let id_headers = message_id.iter().find_map(|place| match place {
        Expression::Header(names) => Some(names.clone()),
        Expression::Json(_) => None,
    });
    if coverage.id && id_headers.is_none() {
        check.missing(path, "message_id", "the content has `{id}`: name its header, `{ header: X-Id }`");
    }
    let timestamp = timestamp(check, path, raw, coverage.timestamp);
    Some(Scheme {
        signature_headers: signature_headers?,
        presented: Presented {
            encoding: match signature.encoding? {
                raw::Encoding::Hex => SignatureEncoding::Hex,
                raw::Encoding::Base64 => SignatureEncoding::Base64,
            },
            prefix,
            separator: signature.separator.clone(),
        },
        content: content?,
        id_headers: if coverage.id { id_headers? } else { Vec::new() },
        timestamp,
    })
}

fn timestamp(check: &mut Checker<'_>, path: &Path, raw: &RawProvider, signed: bool) -> Option<TimestampRule> {
    let at = path.key("timestamp");
    let timestamp = raw.timestamp.as_ref();
    let header = timestamp.and_then(|timestamp| timestamp.header.as_ref());
    match (signed, header) {
        (true, None) => {
            check.missing(&at, "header", "the content has `{timestamp}`: name the header that holds it");
            None
        }
        (false, Some(_)) => {
            check.error(&at, "a timestamp that the signature does not cover proves nothing: put `{timestamp}` into `content`");
            None
        }
        (false, None) => None,
        (true, Some(names)) => Some(TimestampRule {
            headers: header_names(check, &at.key("header"), names)?,
            tolerance: timestamp
                .and_then(|timestamp| timestamp.tolerance)
                .map_or(TimestampRule::DEFAULT_TOLERANCE, |tolerance| tolerance.0),
        }),
    }
}

fn expressions(check: &mut Checker<'_>, path: &Path, raw: Option<&RawExpressions>) -> Vec<Expression> {
    let Some(RawExpressions(raw)) = raw else { return Vec::new() };
    let mut expressions = Vec::new();
    for (index, expression) in raw.iter().enumerate() {
        let path = if raw.len() == 1 { path.clone() } else { path.index(index) };
        match (&expression.header, &expression.json) {
            (Some(names), None) => {
                expressions.extend(header_names(check, &path.key("header"), names).map(Expression::Header));
            }
            (None, Some(pointer)) => match Pointer::parse(pointer) {
                Ok(pointer) => expressions.push(Expression::Json(pointer)),
                Err(why) => check.error(&path.key("json"), why),
            },
            _ => check.error(&path, "say one place: `{ header: NAME }` or `{ json: /pointer }`"),
        }
    }
    expressions
}

fn header_names(
    check: &mut Checker<'_>,
    path: &Path,
    OneOrMany(names): &OneOrMany,
) -> Option<Vec<HeaderName>> {
    let mut parsed = Vec::new();
    for name in names {
        match name.parse::<HeaderName>() {
            // A credential of this service's own callers has no place in a record.
            Ok(name) if name == http::header::AUTHORIZATION || name == http::header::COOKIE => {
                check.error(path, format!("the header `{name}` is never read into a record"));
            }
            Ok(name) => parsed.push(name),
            Err(_) => check.error(path, format!("`{name}` can't be a header's name")),
        }
    }
    if names.is_empty() {
        check.error(path, "at least one header must be named");
    }
    (!parsed.is_empty()).then_some(parsed)
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
