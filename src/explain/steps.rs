//! The way of the request: each station, and what it would say.
//!
//! Takes a captured request and its source. Gives a [`Step`] for every check, in the order in which `serve` makes
//! them. It goes on behind a refusal where it can: a person wants to know of all that is wrong.

use super::Case;
use super::cause::Cause;
use super::handshakes;
use crate::config::units::{show_bytes, show_duration};
use crate::config::{NamedKey, Source};
use crate::pipeline::Rejection;
use crate::signature::message::at_most_one_header;
use crate::signature::{Message, Scheme, SignatureError};

/// One check.
pub(crate) struct Step {
    /// What is checked.
    pub(crate) name: &'static str,
    /// What was found, for people.
    pub(crate) text: String,
    /// Why it refuses the request, if it does.
    pub(crate) refusal: Option<Rejection>,
}

impl Step {
    pub(crate) fn passed(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), refusal: None }
    }

    pub(crate) fn failed(name: &'static str, text: impl Into<String>, refusal: Rejection) -> Self {
        Self { name, text: text.into(), refusal: Some(refusal) }
    }
}

/// The stations before the signature.
pub(crate) fn before(case: &Case<'_>) -> Vec<Step> {
    let Case { source, capture, .. } = case;
    let mut steps = Vec::new();
    match capture.method.as_deref() {
        None => {}
        Some("POST") => steps.push(Step::passed("method", "POST")),
        Some(other) if handshakes::has_method(case) => {
            steps.push(Step::passed("method", format!("{other}, that of a handshake")));
        }
        Some(other) => {
            let methods = Rejection::MethodNotAllowed(source.handshakes.methods());
            let text = format!("the method is {}, not POST", other.escape_debug());
            steps.push(Step::failed("method", text, methods));
        }
    }
    match capture.path.as_deref() {
        None => {}
        Some(path) if path == source.path => steps.push(Step::passed("path", path)),
        Some(path) => {
            let served = case.config.sources.iter().find(|other| other.path == path);
            let whose = match served {
                Some(other) => format!("that of the source `{}`", other.name),
                None => "no source's".to_owned(),
            };
            let text =
                format!("{} is {whose}; `{}` is served at {}", path.escape_debug(), source.name, source.path);
            steps.push(Step::failed("path", text, Rejection::UnknownSource));
        }
    }
    steps.push(body(source, case));
    steps
}

fn body(source: &Source, case: &Case<'_>) -> Step {
    let capture = case.capture;
    let length = capture.body.len();
    if length > source.max_body_bytes {
        let limit = source.max_body_bytes;
        let text = format!("the body is larger than the source's {}", show_bytes(limit));
        return Step::failed("body", text, Rejection::BodyTooLarge { limit });
    }
    Step::passed("body", if length == 1 { "1 octet".to_owned() } else { format!("{length} octets") })
}

/// What the signature station says: the place of the key among the valid ones, or why not.
pub(crate) fn verify(case: &Case<'_>, scheme: &Scheme, valid: &[&NamedKey]) -> Result<usize, SignatureError> {
    for names in case.source.provider.headers_read() {
        at_most_one_header(&case.capture.headers, names)?;
    }
    let capture = case.capture;
    let message = Message { headers: &capture.headers, query: capture.query.as_deref(), body: &capture.body };
    scheme.verify(valid.iter().map(|named| &named.key), &message, case.at)
}

/// The steps of the signature station. `genuine` is the key that proves the request at its own time, if one does.
pub(crate) fn of_signature(
    case: &Case<'_>,
    scheme: &Scheme,
    valid: &[&NamedKey],
    (verdict, genuine): (&Result<usize, SignatureError>, Option<usize>),
) -> Vec<Step> {
    let count = case.disclosed.secrets.len();
    let mismatch = || mismatch(valid.len(), count);
    let by = |index: usize| match count {
        1 => "it is that of the configured secret".to_owned(),
        _ => {
            let name = valid.get(index).map(|named| &*named.name).unwrap_or_default();
            format!("it is that of the secret `{name}`, of {count} that are configured")
        }
    };
    let tolerance = scheme.timestamp.as_ref().map(|rule| show_duration(rule.tolerance));
    let in_time = || {
        tolerance.as_ref().map(|t| Step::passed("timestamp", format!("within {t} of the time of receipt")))
    };
    let read = || Step::passed("headers", "what the scheme reads is there, once, and can be read");
    let error = match verdict {
        Ok(index) => {
            let mut steps = vec![read()];
            steps.extend(in_time());
            steps.push(Step::passed("signature", by(*index)));
            return steps;
        }
        Err(error) => error,
    };
    let refusal = Rejection::from(error.clone());
    match error {
        SignatureError::Missing(_) | SignatureError::Repeated(_) | SignatureError::Malformed(_) => {
            vec![Step::failed("headers", error.to_string(), refusal)]
        }
        SignatureError::TimestampOutsideTolerance { signed, now, .. } => {
            let text = format!(
                "{} {}; {} is allowed",
                distance(signed.0.abs_diff(now.0)),
                if signed < now { "before the time of receipt" } else { "after the time of receipt" },
                tolerance.as_deref().unwrap_or("none")
            );
            let signature = match genuine {
                Some(index) => Step::passed("signature", by(index)),
                None => mismatch(),
            };
            vec![read(), Step::failed("timestamp", text, refusal), signature]
        }
        SignatureError::Mismatch { .. } => {
            let mut steps = vec![read()];
            steps.extend(in_time());
            steps.push(mismatch());
            steps
        }
    }
}

fn mismatch(valid: usize, configured: usize) -> Step {
    let text = match (valid, configured) {
        (_, 0) => "no secret is configured".to_owned(),
        (0, _) => "none of the configured secrets was valid at the time of receipt".to_owned(),
        (1, 1) => "it is not that of the configured secret over this request".to_owned(),
        _ => format!("it is not that of any of the {valid} secrets that were valid over this request"),
    };
    let refusal = Rejection::SignatureMismatch(SignatureError::Mismatch { keys: valid });
    Step::failed("signature", text, refusal)
}

/// A number of seconds, for people.
pub(crate) fn distance(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// What a refusal at one of these steps is called, where nothing better is known.
pub(crate) fn fact(refusal: &Rejection) -> Option<Cause> {
    Some(match refusal {
        Rejection::MethodNotAllowed(_) => Cause::Method,
        Rejection::UnknownSource => Cause::Path,
        Rejection::BodyTooLarge { .. } => Cause::BodyTooLarge,
        Rejection::SignatureMissing(_) => Cause::HeaderMissing,
        Rejection::HeaderRepeated(_) => Cause::HeaderRepeated,
        Rejection::SignatureMalformed(_) => Cause::HeaderMalformed,
        Rejection::TimestampOutsideTolerance(_) => Cause::TimestampOutsideTolerance,
        Rejection::Unroutable => Cause::Unmapped,
        Rejection::NoHandshake
        | Rejection::HandshakeRefused(_)
        | Rejection::HandshakeTokenMismatch
        | Rejection::SecretOffered => Cause::Handshake,
        Rejection::BodyIsToken => Cause::BodyIsToken,
        _ => return None,
    })
}
