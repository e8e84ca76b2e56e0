//! A scheme in words, for `check` and `providers`.
//!
//! Takes a [`Scheme`]. Gives what is signed, how, and where the signature stands, in one line. Says nothing of keys.

use std::fmt;

use http::HeaderName;

use super::jwt::Jwt;
use super::key::{HmacAlgorithm, KeyUse};
use super::native::Native;
use super::public_key::PublicAlgorithm;
use super::scheme::{Proof, Scheme, SignaturePlace};

/// What is signed, how, and where the signature stands: for people.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<&str> = self.variants.iter().map(|variant| variant.key_use.name()).collect();
        let algorithms = algorithms.join(" or ");
        match &self.proof {
            Proof::Content(content) => write!(f, "{algorithms} of {} in ", one_line(&content.to_string())),
            Proof::Native(Native::Twilio { public_url }) => {
                write!(
                    f,
                    "{algorithms} of {public_url} and the form's sorted fields, or the hash of the body, in "
                )
            }
            Proof::Native(Native::Adyen) => {
                return write!(f, "{algorithms} of eight values of each item, beside them");
            }
            Proof::Native(Native::Sns { topic_arns }) => {
                let topics = if topic_arns.is_empty() { "any topic" } else { "the topics in topic_arns" };
                write!(f, "RSA (as SignatureVersion says) of the values of an SNS message of {topics} in ")
            }
            Proof::Native(Native::Ebay) => write!(f, "{algorithms} of {{body}} in "),
            Proof::Token => f.write_str("the secret itself in "),
            Proof::Basic => f.write_str("user and password in "),
            Proof::Jwt(Jwt { body_hash: Some(hash), .. }) => {
                write!(f, "{algorithms} token with the SHA-256 of the body in its claim {} in ", hash.claim)
            }
            Proof::Jwt(_) => write!(f, "{algorithms} token, which says nothing of the body, in "),
        }?;
        let listed = |names: &[HeaderName], with: &str| {
            names.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(with)
        };
        match &self.place {
            SignaturePlace::Header(names) => f.write_str(&listed(names, " or ")),
            SignaturePlace::Headers(names) => write!(f, "any of {}", listed(names, ", ")),
            SignaturePlace::Json(pointer) => write!(f, "{pointer} of the body"),
            SignaturePlace::Query(name) => write!(f, "the query parameter {name}"),
        }
    }
}

/// The text with its control characters escaped: a line feed that is signed is shown as `\n`.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

impl KeyUse {
    /// The algorithm's name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hmac(HmacAlgorithm::Sha1) => "HMAC-SHA1",
            Self::Hmac(HmacAlgorithm::Sha256) => "HMAC-SHA256",
            Self::Hmac(HmacAlgorithm::Sha512) => "HMAC-SHA512",
            Self::Public(PublicAlgorithm::Ed25519) => "Ed25519",
            Self::Public(PublicAlgorithm::EcdsaP256Sha256) => "ECDSA-P256-SHA256",
            Self::Public(PublicAlgorithm::EcdsaP256Sha256Fixed) => "ES256",
            Self::Public(PublicAlgorithm::EcdsaP256Sha1) => "ECDSA-P256-SHA1",
            Self::Public(PublicAlgorithm::RsaSha1) => "RSA-SHA1",
            Self::Public(PublicAlgorithm::RsaSha256) => "RSA-SHA256",
            Self::Public(PublicAlgorithm::RsaSha512) => "RSA-SHA512",
            Self::Token => "token",
            Self::JwtHmac => "HS256",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::catalogue;

    #[test]
    fn line_feeds_in_the_content_are_shown_escaped() {
        let scheme = catalogue::named("wechat-pay").unwrap().scheme.unwrap();
        let expected =
            r"RSA-SHA256 of {timestamp}\n{header:wechatpay-nonce}\n{body}\n in wechatpay-signature";
        assert_eq!(scheme.to_string(), expected);
    }
}
