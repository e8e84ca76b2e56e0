//! The configuration: from a YAML file to values that can't be wrong.
//!
//! Takes a file. Gives [`Config`], checked as a whole, or [`Invalid`] with every fault in it: file, line, path
//! and a hint. The way is `yaml` (a tree with positions) -> `document` (through serde) -> `raw` (the shape) -> `validate` (the rules),
//! with `preset`, `provider` and `secret` for its parts.

mod checker;
pub mod diagnostic;
pub mod document;
mod forms;
mod handshake;
pub mod preset;
pub mod provider;
pub mod raw;
pub mod raw_handshake;
pub mod schema;
pub mod secret;
mod source;
mod source_handshake;
pub mod units;
pub mod validate;
mod yaml;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use rdkafka::ClientConfig;

pub use diagnostic::{Diagnostic, Invalid, Position};
pub use provider::{Provider, Success};
pub use raw::{KeyFrom, Unmapped};

use crate::handshake::{Facts, Handshakes};
use crate::kafka::properties::{self, Properties};
use crate::signature::{Key, Scheme};
use crate::topic::{TopicMap, TopicName};

/// A configuration that has passed every check.
#[derive(Debug)]
pub struct Config {
    /// The file it came from, as the user named it.
    pub file: String,
    /// The public listener, and its limits.
    pub server: Server,
    /// The listener for health and metrics.
    pub admin_listen: SocketAddr,
    /// librdkafka's properties.
    pub kafka: Properties,
    /// Where they stand in the file.
    pub kafka_at: Position,
    /// The topic for what can't be read.
    pub dead_letter: TopicName,
    /// The sources that are served.
    pub sources: Vec<Arc<Source>>,
    /// The names of those that are not.
    pub disabled: Vec<String>,
    /// What is allowed and should be known.
    pub warnings: Vec<Diagnostic>,
}

impl Config {
    /// What librdkafka is to be set up with.
    #[must_use]
    pub fn producer(&self) -> ClientConfig {
        let largest_body = self.sources.iter().map(|source| source.max_body_bytes).max().unwrap_or(0);
        let server = &self.server;
        self.kafka.producer_config(server.max_in_flight_requests, server.max_in_flight_bytes, largest_body)
    }

    /// Some properties contradict each other, which librdkafka tells only when a client is made.
    fn check_kafka(&self) -> Result<(), Diagnostic> {
        properties::check_together(&self.producer()).map_err(|why| Diagnostic {
            at: self.kafka_at,
            path: diagnostic::Path::root().key("kafka"),
            message: format!("librdkafka does not take these properties together: {why}"),
            hint: Some("librdkafka's CONFIGURATION.md says which properties need which others".to_owned()),
        })
    }
}

/// The public listener, and its limits.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Open connections.
    pub max_connections: usize,
    /// Requests under way, up to Kafka's acknowledgement.
    pub max_in_flight_requests: usize,
    /// Octets of bodies in memory, up to Kafka's acknowledgement.
    pub max_in_flight_bytes: usize,
    /// For a request's head.
    pub header_timeout: Duration,
    /// For everything under way, after the signal to end.
    pub shutdown_grace: Duration,
}

/// A configured sender of webhooks.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// The exact path it is served at.
    pub path: String,
    /// How its events are identified and named.
    pub provider: Provider,
    /// How its requests are verified.
    pub authentication: Authentication,
    /// Where its events go.
    pub topics: TopicMap,
    /// Where those go that `topics` does not name.
    pub default_topic: TopicName,
    /// Where those go that can't be read.
    pub dead_letter: TopicName,
    /// Whether there is a `default_topic` for those at all.
    pub unmapped: Unmapped,
    /// What the record's key is made of.
    pub key: KeyFrom,
    /// What stands before it.
    pub namespace: Option<String>,
    /// The largest body.
    pub max_body_bytes: usize,
    /// How soon every request is answered.
    pub respond_within: Duration,
    /// How long a body may take. Shorter than `respond_within`.
    pub body_timeout: Duration,
    /// What it answers to requests that bring no event.
    pub handshakes: Handshakes,
    /// The URL that the provider knows it by.
    pub public_url: Option<String>,
    /// What the provider's scheme or handshake needs to know, by name.
    pub parameters: BTreeMap<String, String>,
}

impl Source {
    /// What answers to handshakes are made of.
    pub(crate) fn facts(&self) -> Facts<'_> {
        let key = match &self.authentication {
            Authentication::Signed { keys, .. } => keys.first(),
            Authentication::DangerUnsigned => None,
        };
        Facts {
            key,
            token: self.handshakes.token(),
            parameters: &self.parameters,
            public_url: self.public_url.as_deref(),
        }
    }
}

/// How requests are verified.
#[derive(Debug)]
pub enum Authentication {
    /// By a signature that any of the keys gives.
    Signed {
        /// The provider's scheme.
        scheme: Scheme,
        /// The configured keys. Empty only where the source waits for the secret that its provider's first
        /// request brings (`show_offered_secret`): nothing is verified then.
        keys: Vec<Key>,
    },
    /// Not at all, as the configuration says in so many words.
    DangerUnsigned,
}

impl Authentication {
    /// Whether a request claims to be signed. Whatever else it looks like, only verification may judge it.
    pub(crate) fn is_claimed_by(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Signed { scheme, .. } => {
                scheme.signature_headers.iter().any(|name| headers.contains_key(name))
            }
            Self::DangerUnsigned => false,
        }
    }

    /// The headers whose value, if it is the message ID, the signature covers.
    pub(crate) fn signed_id_headers(&self) -> &[HeaderName] {
        match self {
            Self::Signed { scheme, .. } if scheme.coverage().id => &scheme.id_headers,
            _ => &[],
        }
    }

    /// The headers that the scheme reads.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let scheme = match self {
            Self::Signed { scheme, .. } => Some(scheme),
            Self::DangerUnsigned => None,
        };
        scheme.into_iter().flat_map(|scheme| {
            let timestamp = scheme.timestamp.iter().flat_map(|rule| &rule.headers);
            scheme.id_headers.iter().chain(timestamp).chain(&scheme.signature_headers)
        })
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error(
        "{file}: error: the configuration can't be read: {source}\n  hint: name a YAML file in UTF-8 with --config or HOOKBRIDGE_CONFIG"
    )]
    Unreadable {
        /// The file, as the user named it.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file can't be used.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Reads and checks the configuration in `file`, and the secrets it refers to.
///
/// # Errors
/// See [`LoadError`].
pub fn load(file: &std::path::Path) -> Result<Config, LoadError> {
    use std::io::Read as _;
    let name = file.display().to_string();
    let unreadable = |source| LoadError::Unreadable { file: name.clone(), source };
    let mut text = String::new();
    let limit = yaml::MAX_DOCUMENT_BYTES as u64 + 1;
    std::fs::File::open(file)
        .and_then(|file| file.take(limit).read_to_string(&mut text))
        .map_err(unreadable)?;
    let config = validate::parse(&name, &text, &|name| std::env::var(name).ok())?;
    config.check_kafka().map_err(|diagnostic| Invalid { file: name, errors: vec![diagnostic] })?;
    Ok(config)
}
