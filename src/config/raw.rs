//! The shape of the configuration file and of a provider file, as serde reads them.
//!
//! Takes a [`super::document::Document`]. Gives plain values in which everything is optional and nothing is
//! checked: that is left to [`super::validate`], which can name every fault at once. The JSON Schemas in
//! `schemas/` are generated from these types, and the comments on the fields are what an editor shows. Types with
//! more than one written form (text or a mapping, one or a list) are read in [`super::forms`].

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw_handshake::{RawHandshake, RawOffer};

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
    /// break a promise (`acks`, `enable.idempotence`, ...) are refused.
    pub kafka: BTreeMap<String, RawProperty>,
    /// The topic for verified events that cannot be read (no JSON, no type). Default:
    /// `webhooks.dead-letter`.
    pub dead_letter: Option<String>,
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
    /// After SIGTERM, how long requests and deliveries under way may take to end. Longer than every
    /// source's `respond_within`, shorter than the pod's `terminationGracePeriodSeconds`. Default: 25s.
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
    /// false: not served (404), and its secrets need not be there. Default: true.
    pub enabled: Option<bool>,
    /// References to the shared secrets. Any of them may match, so that a key can be rotated without
    /// losing a delivery.
    pub secrets: Option<Vec<RawSecret>>,
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
    /// The largest body that is accepted. Default: 1MiB.
    pub max_body_bytes: Option<RawBytes>,
    /// How soon every request is answered, whatever Kafka does. Default: what the provider waits for,
    /// less a margin; 4.5s where that is unknown.
    pub respond_within: Option<RawDuration>,
    /// How far the signed timestamp may be from this machine's clock, each way. Default: the
    /// provider's, 5m.
    pub tolerance: Option<RawDuration>,
    /// Topics that `{type}` may bring into being, at most; further types go to the dead-letter topic.
    /// Default: 1000.
    pub max_topics: Option<usize>,
    /// The token that you have told the provider, which its handshake must bring (`hub.verify_token` and its
    /// like). Required where the provider's handshakes use one.
    pub handshake_token: Option<RawSecret>,
    /// false: the provider's handshakes are not answered. Default: true.
    pub handshake: Option<bool>,
    /// true: a secret that the provider's first request brings is shown, once, on standard output. Until you have
    /// stored it, `secrets` may be left out. Take it out again at once: anybody can send such a request.
    pub show_offered_secret: Option<bool>,
    /// The URL that the provider knows this source by, where its scheme or its handshake signs it: https, without
    /// query and fragment.
    pub public_url: Option<String>,
    /// What the provider's scheme or handshake needs to know of your account with it, by name.
    pub parameters: BTreeMap<String, String>,
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

/// Everything there is to know of a provider: how it signs, names and identifies its events.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "hookbridge provider", rename = "Provider")]
pub struct RawProvider {
    /// A preset to build on; what is given here replaces what it says.
    pub extends: Option<String>,
    /// The provider's name, for people.
    pub title: Option<String>,
    /// Where these facts come from.
    pub documentation: Option<String>,
    /// How a request is signed.
    pub signature: Option<RawSignature>,
    /// How a configured secret becomes the key.
    pub secret: Option<RawSecretFormat>,
    /// The signed time of the delivery.
    pub timestamp: Option<RawTimestamp>,
    /// Where the message ID is: the first of these that the request has. An ID must stay the same over
    /// the provider's retries. Without any, it is the SHA-256 of the body.
    pub message_id: Option<RawExpressions>,
    /// Where the event type is: the first of these that the request has.
    pub event_type: Option<RawExpressions>,
    /// How soon the provider must be answered, less a margin.
    pub respond_within: Option<RawDuration>,
    /// The answer that the provider expects once the event is durable.
    pub success: Option<RawSuccess>,
    /// Requests by which the provider sees who is there, and their answers.
    pub handshakes: Option<Vec<RawHandshake>>,
    /// Where the provider's first request holds the secret, if it hands it over so.
    pub offers_secret: Option<RawOffer>,
    /// An event as the provider sends it, for `hookbridge dev` and `hookbridge send`.
    pub example: Option<RawExample>,
}

/// How a request is signed.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Signature")]
pub struct RawSignature {
    /// The header that holds the signature; several names if the provider uses one or another.
    pub header: Option<OneOrMany>,
    /// The algorithm. It comes from here alone, never from the request.
    pub algorithm: Option<Algorithm>,
    /// How the signature is written.
    pub encoding: Option<Encoding>,
    /// What stands before the signature: `sha256=`, or `v1,` in a list.
    pub prefix: Option<String>,
    /// What separates several signatures in the header. Without it the header holds exactly one.
    pub separator: Option<String>,
    /// What is signed: text with `{id}`, `{timestamp}` and `{body}`.
    pub content: Option<String>,
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 2104, FIPS 180-4).
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
}

/// How octets are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal (RFC 4648, section 8), in either case.
    Hex,
    /// Base64 with the standard alphabet and padding (RFC 4648, section 4).
    Base64,
}

/// How a configured secret becomes the key.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SecretFormat")]
pub struct RawSecretFormat {
    /// How the secret is written. Default: `utf8`.
    pub encoding: Option<SecretEncoding>,
    /// What is taken off the front of the secret, if it is there: `whsec_`.
    pub strip_prefix: Option<String>,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretEncoding {
    /// The text itself is the key.
    #[default]
    Utf8,
    /// Hexadecimal.
    Hex,
    /// Base64 with the standard alphabet, padded or not.
    Base64,
}

/// The signed time of the delivery.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Timestamp")]
pub struct RawTimestamp {
    /// The header that holds it, in seconds since 1970; several names if the provider uses one or another.
    pub header: Option<OneOrMany>,
    /// How far it may be from this machine's clock, each way. Default: 5m.
    pub tolerance: Option<RawDuration>,
}

/// The answer that the provider expects once the event is durable.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Success")]
pub struct RawSuccess {
    /// A status from 200 to 299. Default: 200.
    pub status: Option<u16>,
    /// The body. Default: `{"status":"received"}`.
    pub body: Option<String>,
    /// The body's media type. Default: `application/json`.
    pub content_type: Option<String>,
}

/// An event as the provider sends it.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Example")]
pub struct RawExample {
    /// The event type, where it stands in a header.
    pub event_type: Option<String>,
    /// The body, octet for octet.
    pub body: Option<String>,
    /// Further headers that the provider sends.
    pub headers: BTreeMap<String, String>,
}

/// A duration, as text: a number and `ms`, `s`, `m` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawDuration(pub Duration);

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
    /// `{ drop: true }`: acknowledged and not published.
    Drop(bool),
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
    /// The value at a JSON Pointer (RFC 6901) into the body: text, or a number.
    pub json: Option<String>,
}
