//! One question to a provider over HTTPS.
//!
//! Takes a URL of a pinned host. Gives the body of a 200, within a size and a deadline. No redirect is followed, no
//! proxy is used, no connection is kept. Which addresses a name may have is left to [`super::resolver`].

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::place::PinnedUrl;
use super::resolver::Resolver;

/// A certificate with its chain has some 8 KiB.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

type Https = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// Asks providers.
pub struct Fetcher {
    resolver: Resolver,
    /// Root certificates are read only when they are needed: a bare container has none.
    client: OnceLock<Result<Https, String>>,
}

/// What is asked.
#[derive(Debug)]
pub struct Question<'a> {
    /// Where.
    pub url: &'a PinnedUrl,
    /// `Authorization`, if it is needed.
    pub authorization: Option<HeaderValue>,
    /// A body and its media type: the question is then a POST.
    pub body: Option<(Bytes, &'static str)>,
}

/// Why there is no answer. For the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// This machine has no root certificates.
    #[error(
        "this machine's root certificates can't be read: {0}; install ca-certificates, or set SSL_CERT_FILE"
    )]
    Roots(String),
    /// The question can't be asked.
    #[error("the question can't be put: {0}")]
    Question(String),
    /// No connection, no TLS, no HTTP.
    #[error("the provider can't be reached: {0}")]
    Unreachable(String),
    /// The answer is not 200.
    #[error("the provider answered {0}")]
    Status(StatusCode),
    /// The answer is too long.
    #[error("the provider's answer is longer than {MAX_ANSWER_BYTES} octets")]
    TooLong,
    /// The answer did not come in time.
    #[error("the provider did not answer in time")]
    TimedOut,
}

impl Fetcher {
    /// Asks by the system's resolver, trusts the system's roots, connects to public addresses.
    #[must_use]
    pub fn public() -> Arc<Self> {
        Arc::new(Self { resolver: Resolver::public(), client: OnceLock::new() })
    }

    /// For tests: other names, other roots. No configuration leads here.
    #[cfg(test)]
    pub(crate) fn with(resolver: Resolver, tls: rustls::ClientConfig) -> Arc<Self> {
        let client = OnceLock::from(Ok(client(resolver.clone(), tls)));
        Arc::new(Self { resolver, client })
    }

    fn client(&self) -> Result<&Https, FetchError> {
        let made = self.client.get_or_init(|| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_native_roots()
                .map_err(|error| error.to_string())?
                .with_no_client_auth();
            Ok(client(self.resolver.clone(), tls))
        });
        made.as_ref().map_err(|why| FetchError::Roots(why.clone()))
    }

    /// Asks, and waits for the answer until `deadline`.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn ask(&self, question: Question<'_>, deadline: Instant) -> Result<Bytes, FetchError> {
        let uri = name_over_https(question.url)?;
        let client = self.client()?;
        let method = if question.body.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(ACCEPT, "*/*")
            .header(USER_AGENT, concat!("hookbridge/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = question.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let mut body = Bytes::new();
        if let Some((octets, media_type)) = question.body {
            request = request.header(CONTENT_TYPE, media_type);
            body = octets;
        }
        let request =
            request.body(Full::new(body)).map_err(|error| FetchError::Question(error.to_string()))?;
        match tokio::time::timeout_at(deadline.into(), exchange(client, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::TimedOut),
        }
    }
}

/// What a [`PinnedUrl`] is already, once more where it is used: the connector would pass an address by the resolver.
fn name_over_https(url: &PinnedUrl) -> Result<Uri, FetchError> {
    let wrong = || FetchError::Question("its URL is not https, with a name and no port".to_owned());
    let uri: Uri = url.as_str().parse().map_err(|_| wrong())?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let plain = uri.authority().is_some_and(|authority| authority.as_str() == host);
    let named = !host.is_empty() && host.parse::<IpAddr>().is_err();
    match uri.scheme_str() {
        Some("https") if named && plain => Ok(uri),
        _ => Err(wrong()),
    }
}

async fn exchange(client: &Https, request: Request<Full<Bytes>>) -> Result<Bytes, FetchError> {
    let response = client.request(request).await.map_err(|error| FetchError::Unreachable(causes(&error)))?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await.map_err(|error| {
        match error.is::<LengthLimitError>() {
            true => FetchError::TooLong,
            false => FetchError::Unreachable(error.to_string()),
        }
    })?;
    Ok(body.to_bytes())
}

fn client(resolver: Resolver, tls: rustls::ClientConfig) -> Https {
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.enforce_http(false);
    let https =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(http);
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https)
}

/// An error with all that caused it: the first says only that something went wrong.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fetcher")
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
