//! An exchange by HTTP with a collector, for the exporters of `opentelemetry-otlp`: an answer is read up to a bound,
//! redirections are not followed, no proxy is looked for.
//!
//! Takes a request. Gives the answer as far as it is one of OTLP, and writes down what went wrong, and what the
//! collector has refused, which the exporters do not tell. When to try again is theirs. Of what a collector says only
//! numbers are kept: it may repeat what it was sent, secrets too.
//!
//! Source: OTLP specification 1.8, "OTLP/HTTP Response".

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::error::OTelSdkError;
use prost::Message as _;
use reqwest::redirect::Policy;

use super::destination::Destination;

/// The largest answer that is read, in octets. A collector says a line.
const MAX_ANSWER: usize = 64 * 1024;
/// To open a connection.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest reason, in characters.
const MAX_REASON: usize = 200;

/// What OTLP's messages are called.
const PROTOBUF: &str = "application/x-protobuf";

/// How this client is called.
pub(super) const AGENT: &str = concat!("hookbridge/", env!("CARGO_PKG_VERSION"));

/// Why an export failed. Holds nothing of what the collector wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It can't be reached, or breaks off.
    Away(String),
    /// It did not answer in time.
    TimedOut,
    /// It answers with an HTTP status that is no success.
    Status(StatusCode),
    /// It answers with something else.
    NoOtlp(&'static str),
    /// As the exporter says it.
    Other(String),
    /// The process ends.
    Ending,
}

impl Failure {
    /// What an exporter says: of gRPC the code, and errors on this side.
    pub(super) fn other(error: &OTelSdkError) -> Self {
        let text = match error {
            OTelSdkError::InternalFailure(text) => text.clone(),
            other => other.to_string(),
        };
        // Before it stands the name of a type.
        let text = match text.split_once(" export failed with ") {
            Some((_, why)) => format!("the export failed with {why}"),
            None => text,
        };
        Self::Other(text.chars().take(MAX_REASON).collect())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "the collector can't be reached: {why}"),
            Self::TimedOut => f.write_str("the collector did not answer in time"),
            Self::Status(status) if status.is_redirection() => {
                write!(f, "the collector answers {}; redirections are not followed", status.as_u16())
            }
            Self::Status(status) => write!(f, "the collector answers {status}"),
            Self::NoOtlp(why) => write!(f, "what answers is no OTLP collector: {why}"),
            Self::Other(why) => f.write_str(why),
            Self::Ending => f.write_str("the process ends"),
        }
    }
}

impl std::error::Error for Failure {}

/// What was seen in the course of one export, of which there is one at a time.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Why the last attempt failed.
    pub(super) failure: Option<Failure>,
    /// How many of what was sent the collector refuses.
    pub(super) refused: u64,
}

/// What was seen, in the hands of a client and of whoever counts.
pub(super) type Shared = Arc<Mutex<Seen>>;

/// A way to one destination.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    headers: HeaderMap,
    seen: Shared,
}

impl Client {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// There is no client to be had.
    pub(super) fn new(destination: &Destination, timeout: Duration, seen: Shared) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .http1_only()
            .tls_backend_preconfigured(destination.tls.clone())
            .redirect(Policy::none())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(CONNECT_WITHIN.min(timeout))
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| format!("its client can't be made: {}", cause(&error)))?;
        let mut headers = destination.headers.clone();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        Ok(Self { http, headers, seen })
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        // The exporter has read some of them from the environment, and does not know which are secrets.
        request.headers_mut().extend(self.headers.clone());
        let request = reqwest::Request::try_from(request).map_err(away)?;
        let mut response = self.http.execute(request).await.map_err(away)?;
        let mut octets = Vec::new();
        while let Some(data) = response.chunk().await.map_err(away)? {
            if octets.len() + data.len() > MAX_ANSWER {
                return Err(Failure::NoOtlp("its answer has no end"));
            }
            octets.extend_from_slice(&data);
        }
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        if !response.status().is_success() {
            self.seen().failure = Some(Failure::Status(response.status()));
            return Ok(answer);
        }
        self.seen().refused = refused(response.headers(), &octets)?;
        Ok(answer)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let failure = match self.exchange(request).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        self.seen().failure = Some(failure.clone());
        if matches!(failure, Failure::NoOtlp(_)) {
            // An error would be taken for the network's, and tried again; a status of this kind is not.
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return Ok(answer);
        }
        Err(Box::new(failure))
    }
}

/// How many of what was sent are refused by a success. Its body has to be one that a collector can have written; some
/// answer in JSON whatever they are sent, which says no more than that they took it.
fn refused(headers: &HeaderMap, answer: &[u8]) -> Result<u64, Failure> {
    let media_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if answer.is_empty() || media_type.starts_with(b"application/json") {
        return Ok(0);
    }
    if !media_type.starts_with(PROTOBUF.as_bytes()) {
        return Err(Failure::NoOtlp("its answer has another media type"));
    }
    // The answers of the three signals differ in the names of their fields, which are not sent.
    let answer = ExportTraceServiceResponse::decode(answer)
        .map_err(|_| Failure::NoOtlp("its answer can't be read"))?;
    let refused = answer.partial_success.map_or(0, |partly| partly.rejected_spans);
    Ok(u64::try_from(refused).unwrap_or(0))
}

fn away(error: reqwest::Error) -> Failure {
    if error.is_timeout() { Failure::TimedOut } else { Failure::Away(cause(&error)) }
}

/// What went wrong, at its root, without the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut text = "the connection failed".to_owned();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = deeper.to_string();
        cause = deeper.source();
    }
    text.chars().take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(media_type: &'static str, answer: &[u8]) -> Result<u64, Failure> {
        refused(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]), answer)
    }

    #[test]
    fn an_answer_says_what_is_refused_or_is_none() {
        let partly = [0x0a, 6, 8, 7, 0x12, 2, b'n', b'o'];
        assert_eq!(of(PROTOBUF, &partly), Ok(7));
        assert_eq!(of(PROTOBUF, b""), Ok(0));
        assert_eq!(refused(&HeaderMap::new(), b""), Ok(0));
        assert_eq!(of("application/json; charset=utf-8", b"{}"), Ok(0));
        // A number below 0 is not taken for a large one.
        assert_eq!(of(PROTOBUF, &[0x0a, 11, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), Ok(0));
        assert_eq!(of(PROTOBUF, &[0xff; 9]), Err(Failure::NoOtlp("its answer can't be read")));
        let other = Failure::NoOtlp("its answer has another media type");
        assert_eq!(of("text/html", b"<html>"), Err(other.clone()));
        assert_eq!(refused(&HeaderMap::new(), b"?"), Err(other));
    }
}
