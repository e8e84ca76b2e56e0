//! Station 9: the answer.
//!
//! Takes what became of a request. Gives the response. Success has these sources and no other; each is
//! evidence that only its own station makes.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response};
use http_body_util::Full;

use super::confirm::Confirmed;
use super::handshake::Challenged;
use super::produce::Acknowledged;
use super::rejection::Rejection;
use super::route::{Dropped, Empty};
use crate::config::Success;
use crate::handshake::Answer;

/// Why a request is answered with a 2xx.
#[derive(Debug)]
#[must_use]
pub enum Accepted {
    /// Kafka has acknowledged all of its records.
    Delivered(Acknowledged),
    /// Its subscription has been confirmed.
    Confirmed(Confirmed),
    /// The configuration says to drop events of its type.
    Dropped(Dropped),
    /// It is a batch without an event.
    Empty(Empty),
    /// It was a handshake, and brought no event.
    Challenged(Challenged),
}

/// Writes the response.
#[must_use]
pub fn reply(outcome: &Result<Accepted, Rejection>) -> Response<Full<Bytes>> {
    match outcome {
        Ok(Accepted::Delivered(acknowledged)) => success(&acknowledged.source().provider.success),
        Ok(Accepted::Confirmed(confirmed)) => success(&confirmed.source().provider.success),
        Ok(Accepted::Dropped(dropped)) => success(&dropped.source().provider.success),
        Ok(Accepted::Empty(empty)) => success(&empty.source().provider.success),
        Ok(Accepted::Challenged(challenged)) => answered(challenged.answer()),
        Err(rejection) => refusal(rejection),
    }
}

fn success(success: &Success) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(success.body.clone()));
    *response.status_mut() = success.status;
    response.headers_mut().insert(CONTENT_TYPE, success.content_type.clone());
    response
}

/// What is repeated of a request must stay inert even in a browser: never sniffed, run, or kept.
fn answered(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body().clone()));
    *response.status_mut() = answer.status().code();
    let headers = response.headers_mut();
    headers.extend(answer.headers().iter().cloned());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    // Discord wants one of an empty answer too.
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, answer.content_type().cloned().unwrap_or(plain));
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
    if let Rejection::MethodNotAllowed(methods) = rejection {
        headers.insert(ALLOW, methods.allow());
    }
    response
}
