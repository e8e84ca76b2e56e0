//! The configuration: from a YAML file to values that can't be wrong.
//!
//! Takes a file. Gives [`Config`], checked as a whole, or [`Invalid`] with every fault in it: file, line, path
//! and a hint. The way is `yaml` (a tree with positions) -> `document` (through serde) -> `raw` (the shape) -> `validate` (the rules),
//! with `preset`, `provider` and `secret` for its parts.

mod account;
pub mod catalogue;
#[cfg(test)]
mod chart_schema_tests;
#[cfg(test)]
mod chart_values_tests;
mod checker;
mod coverage;
pub mod diagnostic;
pub(crate) mod disclosed;
pub mod document;
mod expressions;
mod forms;
mod handshake;
pub mod keys;
mod look;
pub mod named_key;
pub mod own_provider;
pub mod preset;
pub mod provider;
pub mod raw;
pub mod raw_handshake;
mod raw_provider;
pub mod registry;
pub mod schema;
pub mod schema_route;
mod scheme;
pub mod secret;
mod source;
mod source_handshake;
pub mod standby;
pub mod topics;
pub mod units;
pub mod unproven;
pub mod validate;
mod yaml;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};
use rdkafka::ClientConfig;

pub use diagnostic::{Diagnostic, Invalid, Position};
pub use look::{Loaded, Look, load_stable};
pub use named_key::{NamedKey, Window};
pub use provider::{Provider, Success};
pub use raw::{CloudEventsMode, KeyFrom, Unmapped};
pub use registry::RegistryConfig;
pub use schema_route::RouteSchema;
pub use standby::Standby;
pub use unproven::{Quarantine, ReportOnly};

use crate::allowance::{MAX_BYTES_UNDER_WAY, MAX_RECORDS_UNDER_WAY};
use crate::batch::Split;
use crate::budget::ELEMENT_OVERHEAD_BYTES;
use crate::handshake::{Facts, Handshakes};
use crate::kafka::properties::{self, Properties};
use crate::keys::KeySource;
use crate::signature::scheme::SignaturePlace;
use crate::signature::{Account, Scheme};
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
    /// The cluster that takes over while the first one is away.
    pub standby: Option<Standby>,
    /// The schema registry, if there is one.
    pub schema_registry: Option<RegistryConfig>,
    /// The topic for what can't be read.
    pub dead_letter: TopicName,
    /// How the topics should be.
    pub topics: topics::Topics,
    /// The sources that are served.
    pub sources: Vec<Arc<Source>>,
    /// The names of those that are not.
    pub disabled: Vec<String>,
    /// What is allowed and should be known.
    pub warnings: Vec<Diagnostic>,
    /// The files that it refers to, secrets above all.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// Every topic that is known to be needed, with each place that needs it, in the order of their names. Those that `{type}` will name are
    /// among them only if the section `topics` names them.
    #[must_use]
    pub fn needed_topics(&self) -> Vec<(TopicName, Vec<topics::Need>)> {
        let mut needed: std::collections::BTreeMap<TopicName, Vec<topics::Need>> = Default::default();
        for source in &self.sources {
            for need in &source.needs {
                let needs = needed.entry(need.topic.clone()).or_default();
                if !needs.contains(need) {
                    needs.push(need.clone());
                }
            }
            for topic in self.topics.named() {
                if !needed.contains_key(topic)
                    && let Some(pattern) = source.topics.leading_to(topic)
                {
                    let path = format!("sources.{}.topics.{pattern}", source.name);
                    let need = topics::Need {
                        topic: topic.clone(),
                        largest_value: source.largest_value(),
                        path,
                        at: source.at,
                    };
                    needed.entry(topic.clone()).or_default().push(need);
                }
            }
        }
        needed.into_iter().collect()
    }

    /// What librdkafka is to be set up with.
    #[must_use]
    pub fn producer(&self) -> ClientConfig {
        self.producer_of(&self.kafka)
    }

    /// The same, for the standby: one limit, and one patience, for both clusters.
    #[must_use]
    pub fn standby_producer(&self) -> Option<ClientConfig> {
        self.standby.as_ref().map(|standby| self.producer_of(&standby.beside(&self.kafka)))
    }

    fn producer_of(&self, kafka: &Properties) -> ClientConfig {
        let largest_body = self.sources.iter().map(|source| source.largest_value()).max().unwrap_or(0);
        let server = &self.server;
        // One for each request, and as many elements of batches as there is room for.
        let records = server.max_in_flight_requests + server.max_in_flight_bytes / ELEMENT_OVERHEAD_BYTES;
        let (mut records, mut bytes) = (records, server.max_in_flight_bytes);
        if self.sources.iter().any(|source| source.quarantine.is_some()) {
            records += MAX_RECORDS_UNDER_WAY;
            bytes += MAX_BYTES_UNDER_WAY;
        }
        kafka.producer_config(records, bytes, largest_body)
    }

    /// Some properties contradict each other, which librdkafka tells only when a client is made.
    fn check_kafka(&self) -> Result<(), Diagnostic> {
        let kafka = diagnostic::Path::root().key("kafka");
        let refused = |at: Position, path: diagnostic::Path, why: String| Diagnostic {
            at,
            path,
            message: format!("librdkafka does not take these properties together: {why}"),
            hint: Some("librdkafka's CONFIGURATION.md says which properties need which others".to_owned()),
        };
        properties::check_together(&self.producer())
            .map_err(|why| refused(self.kafka_at, kafka.clone(), why))?;
        let (Some(standby), Some(producer)) = (&self.standby, self.standby_producer()) else {
            return Ok(());
        };
        properties::check_together(&producer)
            .map_err(|why| refused(standby.at, kafka.key("standby").key("properties"), why))
    }
}

/// The public listener, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// For a connection without a request.
    pub idle_timeout: Duration,
    /// After SIGTERM, how long requests are still taken.
    pub shutdown_delay: Duration,
    /// For everything under way, after that.
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
    /// The keys that are fetched from its provider, where they are.
    pub fetched_keys: Option<Arc<KeySource>>,
    /// Whether a subscription of the endpoint is confirmed: Amazon SNS.
    pub confirm_subscriptions: bool,
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
    /// Where the list of events stands, if each of its elements is to be an event of its own.
    pub split: Option<Split>,
    /// How the record says what event it is.
    pub cloudevents: CloudEventsMode,
    /// Whether bodies are published without their content-encoding.
    pub decompress: bool,
    /// The largest body, as it is sent and without its content-encoding.
    pub max_body_bytes: usize,
    /// How soon every request is answered.
    pub respond_within: Duration,
    /// The longest that it is silent while all is well, for the metrics.
    pub expected_every: Option<Duration>,
    /// How long a body may take. Shorter than `respond_within`.
    pub body_timeout: Duration,
    /// Whether requests whose signature fails are published all the same, and where.
    pub report_only: Option<ReportOnly>,
    /// Whether requests whose signature is refused are kept, and where.
    pub quarantine: Option<Arc<Quarantine>>,
    /// What it answers to requests that bring no event.
    pub handshakes: Handshakes,
    /// The topics that it is known to need.
    pub needs: Vec<topics::Need>,
    /// Where it stands in the file.
    pub at: Position,
    /// What it says about itself, which schemes sign and handshakes answer.
    pub account: Account,
}

impl Source {
    /// What answers to handshakes asked at `now` are made of.
    pub(crate) fn facts(&self, now: SystemTime) -> Facts<'_> {
        let key = match &self.authentication {
            Authentication::Signed { keys, .. } => keys.iter().find(|key| key.is_valid_at(now)),
            Authentication::DangerUnsigned => None,
        };
        Facts {
            key: key.map(|key| &key.key),
            token: self.handshakes.token(),
            parameters: &self.account.parameters,
            public_url: self.account.public_url.as_deref(),
        }
    }
}

impl CloudEventsMode {
    /// The largest value of a record whose body is no larger than this, in octets.
    fn largest_value(self, max_body_bytes: usize) -> usize {
        match self {
            Self::Binary => max_body_bytes,
            // In base64, if the data are no JSON; the attributes are within what surrounds a body.
            Self::Structured => max_body_bytes.div_ceil(3) * 4,
        }
    }
}

impl Source {
    /// The largest value of a record, in octets.
    #[must_use]
    pub fn largest_value(&self) -> usize {
        let value = self.cloudevents.largest_value(self.max_body_bytes);
        // What was signed may stand in a header beside what has been made of it.
        if self.topics.schemas().any(|schema| schema.raw_header) {
            value + self.max_body_bytes
        } else {
            value
        }
    }

    /// Whether a body must be read without its content-encoding, whatever its ID and type are read from.
    pub(crate) fn needs_plain_body(&self) -> bool {
        self.decompress || self.split.is_some()
    }

    /// What a consumer needs to verify a record again: the scheme's headers, and the one that names the key.
    pub(crate) fn proof_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let names_key = self.fetched_keys.as_ref().and_then(|keys| keys.place().header());
        self.authentication.headers().chain(names_key)
    }
}

/// How requests are verified.
#[derive(Debug)]
pub enum Authentication {
    /// By a signature that any of the keys gives.
    Signed {
        /// The provider's scheme.
        scheme: Box<Scheme>,
        /// The configured keys. None of them may be valid at some time. There is none where keys are fetched, and where the
        /// source waits for the secret that its provider's first request brings (`show_offered_secret`): nothing is
        /// verified then.
        keys: Vec<NamedKey>,
    },
    /// Not at all, as the configuration says in so many words.
    DangerUnsigned,
}

impl Authentication {
    /// Whether a request can be verified again only with its query.
    pub(crate) fn signs_query(&self) -> bool {
        matches!(self, Self::Signed { scheme, .. } if scheme.signs_query())
    }

    /// Whether a request claims to be proved. Whatever else it looks like, only verification may judge it.
    pub(crate) fn is_claimed_by(&self, headers: &HeaderMap, query: Option<&str>) -> bool {
        let Self::Signed { scheme, .. } = self else { return false };
        match &scheme.place {
            SignaturePlace::Header(names) | SignaturePlace::Headers(names) => {
                names.iter().any(|name| headers.contains_key(name))
            }
            SignaturePlace::Query(name) => {
                form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(key, _)| key == *name)
            }
            // It stands among what it is over, or is the secret itself: no handshake of such a provider has either.
            SignaturePlace::Json(_) => false,
        }
    }

    /// The headers that the scheme reads: with them and the secret a consumer can verify a record again. Credentials,
    /// which whoever reads them can use, are not among them.
    fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let scheme = match self {
            Self::Signed { scheme, .. } if !scheme.presents_credential() => Some(scheme),
            Self::Signed { .. } | Self::DangerUnsigned => None,
        };
        scheme.into_iter().flat_map(|scheme| {
            let signatures = match &scheme.place {
                SignaturePlace::Header(names) | SignaturePlace::Headers(names) => names.as_slice(),
                SignaturePlace::Json(_) | SignaturePlace::Query(_) => &[],
            };
            let headers = scheme.coverage.headers.iter().chain(signatures);
            headers.filter(|name| *name != http::header::AUTHORIZATION)
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

impl LoadError {
    /// The files that the configuration refers to, as far as they could be told.
    fn files(&self) -> &[PathBuf] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Invalid(invalid) => &invalid.files,
        }
    }
}

/// Reads and checks the configuration in `file`, and the secrets it refers to.
///
/// # Errors
/// See [`LoadError`].
pub fn load(file: &Path) -> Result<Config, LoadError> {
    use std::io::Read as _;
    let name = file.display().to_string();
    let unreadable = |source| LoadError::Unreadable { file: name.clone(), source };
    let mut text = String::new();
    let limit = yaml::MAX_DOCUMENT_BYTES as u64 + 1;
    std::fs::File::open(file)
        .and_then(|file| file.take(limit).read_to_string(&mut text))
        .map_err(unreadable)?;
    let config = validate::parse(&name, &text, &|name| std::env::var(name).ok())?;
    config.check_kafka().map_err(|diagnostic| Invalid {
        file: name,
        errors: vec![diagnostic],
        files: config.files.clone(),
    })?;
    Ok(config)
}
