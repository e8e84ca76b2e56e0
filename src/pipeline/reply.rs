//! Station 9: the answer.
//!
//! Takes what became of a request. Gives the response. Success has these sources and no other; each is
//! evidence that only its own station makes.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};
use http_body_util::Full;

use super::produce::Acknowledged;
use super::rejection::Rejection;
use super::route::{Dropped, Empty};
use crate::config::{Source, Success};

/// Why a request is answered with a 2xx.
#[derive(Debug)]
#[must_use]
pub enum Accepted {
    /// Kafka has acknowledged all of its records.
    Delivered(Acknowledged),
    /// The configuration says to drop events of its type.
    Dropped(Dropped),
    /// It is a batch without an event.
    Empty(Empty),
}

impl Accepted {
    fn source(&self) -> &Source {
        match self {
            Self::Delivered(acknowledged) => acknowledged.source(),
            Self::Dropped(dropped) => dropped.source(),
            Self::Empty(empty) => empty.source(),
        }
    }
}

/// Writes the response.
#[must_use]
pub fn reply(outcome: &Result<Accepted, Rejection>) -> Response<Full<Bytes>> {
    match outcome {
        Ok(accepted) => success(&accepted.source().provider.success),
        Err(rejection) => refusal(rejection),
    }
}

fn success(success: &Success) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(success.body.clone()));
    *response.status_mut() = success.status;
    response.headers_mut().insert(CONTENT_TYPE, success.content_type.clone());
    response
}

fn refusal(rejection: &Rejection) -> Response<Full<Bytes>> {
    let (code, message) = rejection.public();
    // Both are constants without a character that JSON would escape.
    let body = format!(r#"{{"error":"{code}","message":"{message}"}}"#);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = rejection.status().code();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(wait) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    if matches!(rejection, Rejection::MethodNotAllowed) {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}
