//! The shape of the configuration file and of a provider file, as serde reads them.
//!
//! Takes a [`super::document::Document`]. Gives plain values in which everything is optional and nothing is
//! checked: that is left to [`super::validate`], which can name every fault at once. The JSON Schemas in
//! `schemas/` are generated from these types, and the comments on the fields are what an editor shows. Types with
//! more than one written form (text or a mapping, one or a list) are read in [`super::forms`].

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::keys::RawKeyCredentials;
pub use super::raw_provider::{
    Algorithm, Encoding, RawBodyHash, RawExample, RawNative, RawProvider, RawSecretFormat, RawSignature,
    RawSuccess, RawTimeUnit, RawTimestamp, RawVariant, SecretEncoding,
};
use super::registry::RawRegistry;
use super::schema_route::RawRoute;
pub use super::standby::{RawKafka, RawStandby};
use super::topics::RawTopics;
use super::unproven::{RawQuarantine, Verification};

/// hookbridge receives webhooks, verifies their signatures and publishes them to Kafka.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "hookbridge configuration", rename = "Configuration")]
pub struct RawConfig {
    /// The public listener, and its limits.
    pub server: RawServer,
    /// The listener for `/livez`, `/readyz` and `/metrics`. Never expose it to the internet.
    pub admin: RawAdmin,
    /// librdkafka's own properties, by their own names. `bootstrap.servers` is required. Those that would
    /// break a promise (`acks`, `enable.idempotence`, ...) are refused. `standby` is a second cluster.
    pub kafka: RawKafka,
    /// How the topics should be, for `hookbridge topics` and the checks against the cluster.
    pub topics: RawTopics,
    /// The schema registry, for routes with a `schema`.
    pub schema_registry: Option<RawRegistry>,
    /// The topic for verified events that cannot be read (no JSON, no type) or do not fit their schema. Default:
    /// `webhooks.dead-letter`.
    pub dead_letter: Option<String>,
    /// Where requests are kept whose signature was refused, of sources that say `quarantine: true`.
    pub quarantine: Option<RawQuarantine>,
    /// Who sends webhooks, by a name of your choosing: letters, digits, `_` and `-`.
    pub sources: BTreeMap<String, RawSource>,
}

/// The public listener, and its limits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Server")]
pub struct RawServer {
    /// Address and port. Default: `0.0.0.0:8080`. Port 0 takes any free one, which the log names.
    pub listen: Option<String>,
    /// Open connections; more are closed at once. Default: 10000.
    pub max_connections: Option<usize>,
    /// Requests being worked on, from the head to Kafka's acknowledgement; more are answered 503.
    /// Default: 8192.
    pub max_in_flight_requests: Option<usize>,
    /// Octets of bodies in memory, from the head to Kafka's acknowledgement; more are answered 503.
    /// Default: 128MiB.
    pub max_in_flight_bytes: Option<RawBytes>,
    /// How long a client may take to send a request's head. Default: 10s.
    pub header_timeout: Option<RawDuration>,
    /// How long a client may take to send a request's body, in all. It must be shorter than every
    /// source's `respond_within`. Default: four fifths of the source's `respond_within`.
    pub body_timeout: Option<RawDuration>,
    /// How long a connection without a request is kept: longer than whatever is in front keeps its own, or it will send a
    /// request into a connection that is being closed. At most 1h. Default: 75s.
    pub idle_timeout: Option<RawDuration>,
    /// After SIGTERM, how long requests are still taken: as long as load balancers may need to notice that `/readyz` says
    /// 503. Each answer closes its connection. At most 10m. Default: 3s. Ctrl-C does not wait for it.
    pub shutdown_delay: Option<RawDuration>,
    /// After `shutdown_delay`, how long requests and deliveries under way may take to end. Longer than every
    /// source's `respond_within`; with `shutdown_delay` shorter than the pod's `terminationGracePeriodSeconds`. Default: 25s.
    pub shutdown_grace: Option<RawDuration>,
}

/// The listener for health and metrics.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Admin")]
pub struct RawAdmin {
    /// Address and port. Default: `0.0.0.0:9090`.
    pub listen: Option<String>,
}

/// Who sends webhooks, how they are verified, and where the events go.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Source")]
pub struct RawSource {
    /// A preset's name (`svix`, `allfly`, ...) or the provider's scheme, written as in `config/providers/`.
    pub provider: Option<RawProviderRef>,
    /// The path it is served at. Default: `/webhooks/{source}`.
    pub path: Option<String>,
    /// The account by which the provider's keys are asked for, where it gives them to accounts alone (Plaid, eBay).
    pub key_credentials: Option<RawKeyCredentials>,
    /// Amazon SNS: true confirms a subscription of the endpoint by asking for the message's `SubscribeURL`; the
    /// parameter `topic_arns` then says of which topics. Default: false, and the message is an ordinary event.
    pub confirm_subscriptions: Option<bool>,
    /// false: not served (404), and its secrets need not be there. Default: true.
    pub enabled: Option<bool>,
    /// References to the shared secrets. Any of them may match, so that a key can be rotated without
    /// losing a delivery.
    pub secrets: Option<Vec<RawNamedSecret>>,
    /// Accept requests without any signature. Everybody who can reach the port can then write to your
    /// topics. It must be said in these words, and is logged at every start.
    pub danger_accept_unsigned: Option<bool>,
    /// Event type to topic: exact names first, then the most specific glob (`*` stands for any text), then
    /// `*`. Without it, every event goes to `webhooks.{source}`.
    pub topics: Option<BTreeMap<String, RawTopic>>,
    /// What happens to an event type that `topics` does not name. Default: `topic`.
    pub unmapped: Option<Unmapped>,
    /// What the record's key is made of. Default: `message_id`.
    pub key: Option<KeyFrom>,
    /// A prefix for the key, as `{namespace}:{key}`, where ids are unique only within an account.
    pub namespace: Option<String>,
    /// Where the list of events stands, for a provider that posts several at once: a JSON Pointer (RFC 6901) such
    /// as `/events`, or `""` for a body that is a list itself. Each element becomes an event and a record of its
    /// own. Without it a batch is one record.
    pub split: Option<String>,
    /// How the record says what event it is: `binary`, in headers, with the signed octets as the value; or
    /// `structured`, in one JSON object (`application/cloudevents+json`) around them. Default: `binary`.
    pub cloudevents: Option<CloudEventsMode>,
    /// true: bodies that are sent with `Content-Encoding: gzip` or `deflate` are published without it; what is signed
    /// are the octets as they were sent, so consumers can't verify such a record again. Default: false, which keeps
    /// the octets, and the header.
    pub decompress: Option<bool>,
    /// The largest body that is accepted, as it is sent and without its content-encoding. Default: 960KiB, which a topic with Kafka's own
    /// `max.message.bytes` takes; where `message.max.bytes` is given for `kafka`, 64KiB less than that.
    pub max_body_bytes: Option<RawBytes>,
    /// How soon every request is answered, whatever Kafka does. Default: what the provider waits for,
    /// less a margin; 4.5s where that is unknown.
    pub respond_within: Option<RawDuration>,
    /// The longest that the provider is silent while all is well, from 1m to 7d: for the alert on a source that has gone
    /// silent. Nothing else follows from it. No default.
    pub expected_every: Option<RawDuration>,
    /// The URL that the provider posts to, as the provider has it, with its query: for schemes that sign it, and handshakes that are
    /// answered with it.
    pub public_url: Option<String>,
    /// Values of your account that the provider's scheme signs, or its handshake is answered with, by the names that
    /// its preset asks for.
    pub parameters: BTreeMap<String, String>,
    /// How far the signed timestamp may be from this machine's clock, each way. Default: the
    /// provider's, 5m.
    pub tolerance: Option<RawDuration>,
    /// Topics that `{type}` may bring into being, at most; further types go to the dead-letter topic.
    /// Default: 1000.
    pub max_topics: Option<usize>,
    /// For a migration: `report_only` acknowledges requests whose signature fails too, and publishes them to
    /// `report_only_topic`, marked as unverified. Default: `enforce`, which refuses them.
    pub verification: Option<Verification>,
    /// The topic for requests whose signature fails under `verification: report_only`, and for nothing else.
    pub report_only_topic: Option<String>,
    /// true: requests whose signature is refused are kept in the topic of the section `quarantine`, within its
    /// limits, so that they can be verified again. Default: false.
    pub quarantine: Option<bool>,
    /// true: it is an error if a topic or a key comes from a field that the signature does not cover.
    /// Default: false, which warns.
    pub strict_fields: Option<bool>,
    /// The token that you have told the provider, which its handshake must bring (`hub.verify_token` and its
    /// like). Required where the provider's handshakes use one.
    pub handshake_token: Option<RawSecret>,
    /// false: the provider's handshakes are not answered. Default: true.
    pub handshake: Option<bool>,
    /// true: a secret that the provider's first request brings is shown, once, on standard output. Until you have
    /// stored it, `secrets` may be left out. Take it out again at once: anybody can send such a request.
    pub show_offered_secret: Option<bool>,
}

/// A shared secret, by reference: it never stands in this file.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Secret")]
pub struct RawSecret {
    /// The environment variable that holds it.
    pub env: Option<String>,
    /// The file that holds it, as Kubernetes mounts it. One newline at its end is not part of it.
    pub file: Option<String>,
}

/// One of a source's shared secrets, by reference, and when it is tried.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "NamedSecret")]
pub struct RawNamedSecret {
    /// The environment variable that holds it. Its value is that of the process's start.
    pub env: Option<String>,
    /// The file that holds it, as Kubernetes mounts it. One newline at its end is not part of it. It is read again
    /// when it changes.
    pub file: Option<String>,
    /// What logs and metrics call it. Default: its place in the list, from `1`.
    pub name: Option<String>,
    /// It is not tried for requests that arrive before this instant (RFC 3339).
    pub not_before: Option<RawInstant>,
    /// It is not tried for requests that arrive after this instant (RFC 3339).
    pub not_after: Option<RawInstant>,
}

impl RawNamedSecret {
    /// Where the secret itself is.
    #[must_use]
    pub fn reference(&self) -> RawSecret {
        RawSecret { env: self.env.clone(), file: self.file.clone() }
    }
}

/// What happens to an event type that `topics` does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unmapped {
    /// It goes to `webhooks.{source}`.
    #[default]
    Topic,
    /// It is answered 400, so that the provider's own log shows it. Many providers disable an endpoint
    /// that does so.
    Reject,
    /// It is acknowledged and dropped.
    Drop,
}

/// How a record says what event it is (CloudEvents 1.0, Kafka Protocol Binding, section 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloudEventsMode {
    /// Attributes are headers, and the value is the data.
    #[default]
    Binary,
    /// The value is one JSON object with attributes and data.
    Structured,
}

/// What the record's key is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyFrom {
    /// The provider's message ID; the SHA-256 of the body where the provider gives none.
    #[default]
    MessageId,
    /// The SHA-256 of the body, always: for providers whose ID is not signed.
    BodySha256,
}

/// A duration, as text: a number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawDuration(pub Duration);

/// An instant, as text: date, time and zone (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawInstant(pub SystemTime);

/// A number of octets, alone or with a unit: `1MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawBytes(pub usize);

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

/// A librdkafka property: its value as text, or a reference to a secret.
#[derive(Debug, Clone)]
pub enum RawProperty {
    /// The value, as it stands in the file.
    Value(String),
    /// A value that does not stand in the file.
    Secret(RawSecret),
}

/// Where an event type goes.
#[derive(Debug, Clone)]
pub enum RawTopic {
    /// A topic's name, or a template of `{source}` and `{type}`.
    Template(String),
    /// The same with what else there is to say of the route.
    Route(Box<RawRoute>),
}

/// A preset by name, or a provider's scheme.
#[derive(Debug, Clone)]
pub enum RawProviderRef {
    /// A preset's name.
    Preset(String),
    /// The scheme itself.
    Inline(Box<RawProvider>),
}

/// Where to find a value: one place, or several to be tried in order.
#[derive(Debug, Clone)]
pub struct RawExpressions(pub Vec<RawExpression>);

/// One place of a request.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Expression")]
pub struct RawExpression {
    /// A header's value; several names if the provider uses one or another.
    pub header: Option<OneOrMany>,
    /// The value at a JSON Pointer (RFC 6901) into the body: text, or a number. Where the source has `split`,
    /// into the element.
    pub json: Option<String>,
    /// `body`: the pointer in `json` is into the whole body, also where the source has `split`.
    pub of: Option<Of>,
    /// The parameter of the query string that has this name, percent-decoded.
    pub query: Option<String>,
    /// The field of an `application/x-www-form-urlencoded` body that has this name, percent-decoded.
    pub form: Option<String>,
    /// Several places, all of which must have a value.
    pub join: Option<Vec<RawExpression>>,
    /// What stands between the values that are joined, such as `.`.
    pub with: Option<String>,
}

/// What a JSON Pointer points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The whole body.
    Body,
}
