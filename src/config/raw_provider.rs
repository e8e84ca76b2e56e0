//! The shape of a provider file, as serde reads it: a preset's, or one in a configuration.
//!
//! As in [`super::raw`], everything is optional and nothing is checked: that is left to [`super::provider`] and
//! [`super::scheme`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::keys::RawKeys;
use super::raw::{OneOrMany, RawDuration, RawExpressions};
use super::raw_handshake::{RawHandshake, RawOffer};

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
    /// The keys of this file, as dotted paths, that no specification or page of the vendor confirms.
    pub unverified: Option<Vec<String>>,
    /// What the operator has to do by hand to set the provider up.
    pub setup: Option<String>,
    /// How a request is signed.
    pub signature: Option<RawSignature>,
    /// How a configured secret becomes the key.
    pub secret: Option<RawSecretFormat>,
    /// Where the provider serves its keys, if it does.
    pub keys: Option<RawKeys>,
    /// The signed time of the delivery.
    pub timestamp: Option<RawTimestamp>,
    /// Where the message ID is: the first of these that the request has. An ID must stay the same over
    /// the provider's retries. Without any, it is the SHA-256 of the body.
    pub message_id: Option<RawExpressions>,
    /// Where the event type is: the first of these that the request has.
    pub event_type: Option<RawExpressions>,
    /// Where the time stands at which the event happened: the first of these that the request has. RFC 3339, or
    /// seconds or milliseconds since 1970. Without one that can be read, it is the time of receipt.
    pub event_time: Option<RawExpressions>,
    /// Where it stands what the event is about: the first of these that the request has.
    pub subject: Option<RawExpressions>,
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

/// How a request is signed, or what stands for a signature.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Signature")]
pub struct RawSignature {
    /// The header that holds the signature; several names if the provider uses one or another.
    pub header: Option<OneOrMany>,
    /// true: every header of the list that is there counts, and any of them may match.
    pub together: Option<bool>,
    /// Instead of `header`: the JSON Pointer to the signature in the body.
    pub json: Option<String>,
    /// Instead of `header`: the query parameter that holds a token.
    pub query: Option<String>,
    /// The algorithm. It comes from here alone, never from the request.
    pub algorithm: Option<Algorithm>,
    /// How the signature is written. Not for tokens.
    pub encoding: Option<Encoding>,
    /// What stands before the signature: `sha256=`, or `v1,` in a list.
    pub prefix: Option<String>,
    /// Instead of `prefix`: the signature is what follows the last occurrence of this text.
    pub after: Option<String>,
    /// What separates several entries in the header: one text, or any of several. Without it the header holds exactly
    /// one signature.
    pub separator: Option<OneOrMany>,
    /// What is signed: text with `{id}`, `{timestamp}`, `{body}`, `{body_sha256_hex}`, `{body_crc32}`, `{method}`, `{url}`, `{url_decoded}`,
    /// `{header:NAME}`, `{json:/POINTER}` and `{parameter:NAME}`.
    pub content: Option<String>,
    /// Instead of `content`: what a provider signs that a template cannot say.
    pub native: Option<RawNative>,
    /// Of a JSON Web Token: the claim that holds the SHA-256 of the body. Without it the token says who sends, and
    /// nothing of what.
    pub body_hash: Option<RawBodyHash>,
    /// Further algorithms in the same list, each for secrets that begin with a prefix of their own.
    pub variants: Option<Vec<RawVariant>>,
}

/// A further algorithm, for secrets that begin with a prefix of their own.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Variant")]
pub struct RawVariant {
    /// What its secrets begin with, such as `whpk_`. It is taken off.
    pub secret_prefix: Option<String>,
    /// Its algorithm.
    pub algorithm: Option<Algorithm>,
    /// What stands before its signatures.
    pub prefix: Option<String>,
}

/// The claim that holds the SHA-256 of the body.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "BodyHash")]
pub struct RawBodyHash {
    /// Its name.
    pub claim: Option<String>,
    /// How the hash is written. Default: `hex`.
    pub encoding: Option<Encoding>,
}

/// What a provider signs that a template cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawNative {
    /// Twilio: the URL and the sorted fields of the form, or the URL with the hash of the body.
    Twilio,
    /// Adyen: eight values of each item, the signature beside them.
    Adyen,
    /// Amazon SNS: values of the message, by name. The parameter `topic_arns` of a source names its topics.
    Sns,
    /// eBay: the body; the header holds JSON in base64, with the signature and the key's name.
    Ebay,
}

/// A signature algorithm, or what stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-1 (RFC 2104): only where a provider has nothing else.
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
    /// HMAC with SHA-256 (RFC 2104, FIPS 180-4).
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// HMAC with SHA-512.
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
    /// Ed25519 (RFC 8032).
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA over P-256 with SHA-256, signatures in DER (FIPS 186-5).
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// ECDSA over P-256 with SHA-1: only where a provider has nothing else.
    #[serde(rename = "ecdsa-p256-sha1")]
    EcdsaP256Sha1,
    /// RSASSA-PKCS1-v1_5 with SHA-1 (RFC 8017): only where a provider has nothing else.
    #[serde(rename = "rsa-sha1")]
    RsaSha1,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "rsa-sha512")]
    RsaSha512,
    /// The secret itself: nothing is signed.
    #[serde(rename = "token")]
    Token,
    /// The secret as `user:password`, as RFC 7617 has it: nothing is signed.
    #[serde(rename = "basic")]
    Basic,
    /// A JSON Web Token with HMAC-SHA256.
    #[serde(rename = "jwt-hs256")]
    JwtHs256,
    /// A JSON Web Token with RSASSA-PKCS1-v1_5 and SHA-256.
    #[serde(rename = "jwt-rs256")]
    JwtRs256,
    /// A JSON Web Token with ECDSA over P-256 and SHA-256.
    #[serde(rename = "jwt-es256")]
    JwtEs256,
}

/// How octets are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal (RFC 4648, section 8), in either case.
    Hex,
    /// Hexadecimal in upper case; read in either case.
    HexUpper,
    /// Base64 with the standard alphabet and padding (RFC 4648, section 4).
    Base64,
    /// Base64 with the URL-safe alphabet, padded or not (RFC 4648, section 5).
    Base64url,
    /// The hexadecimal text, in base64.
    Base64Hex,
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
    /// A public key: hexadecimal or base64 of a raw Ed25519 key or of DER, PEM, or a certificate.
    PublicKey,
}

/// The signed time of the delivery.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Timestamp")]
pub struct RawTimestamp {
    /// The header that holds it; several names if the provider uses one or another.
    pub header: Option<OneOrMany>,
    /// Instead: the entry of the signature's header that begins with this, such as `t=`.
    pub prefix: Option<String>,
    /// Instead: the JSON Pointer to it in the body.
    pub json: Option<String>,
    /// Instead: the claim of a JSON Web Token that holds it, such as `iat`.
    pub claim: Option<String>,
    /// How it is written. Default: `s`.
    pub unit: Option<RawTimeUnit>,
    /// How far it may be from this machine's clock, each way. Default: 5m.
    pub tolerance: Option<RawDuration>,
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawTimeUnit {
    /// Seconds since 1970.
    #[default]
    S,
    /// Milliseconds since 1970.
    Ms,
    /// A date and time (RFC 3339); UTC where no zone is named.
    Rfc3339,
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
