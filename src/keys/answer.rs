//! What a provider answers: a certificate, a JSON Web Key, or a public key.
//!
//! Takes the octets. Gives the key for the scheme's one algorithm, and for how long it may be kept; or says why it is
//! none, or none any more.
//!
//! Sources: RFC 7517 and RFC 7518, section 6.2.1 (JSON Web Keys on elliptic curves); Plaid, "Webhook verification".

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::certificate::Validity;
use crate::json::{self, Pointer, Value};
use crate::signature::Key;
use crate::signature::presented::SignatureEncoding;
use crate::signature::public_key::{PublicAlgorithm, PublicKey};
use crate::signature::timestamp::UnixSeconds;

/// How long a key is kept, at most. A provider that withdraws one is believed within this time.
pub const KEPT_FOR: Duration = Duration::from_secs(60 * 60);

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An X.509 certificate in PEM; of several, the first.
    Certificate,
    /// A JSON Web Key (RFC 7517) on the curve P-256.
    Jwk,
    /// A public key in PEM or base64.
    PublicKey,
}

/// Reads the key called `key_id`, if it has a name, as of `now`.
///
/// # Errors
/// A sentence.
pub fn read(
    octets: &[u8],
    form: Form,
    within: Option<&Pointer>,
    algorithm: PublicAlgorithm,
    key_id: Option<&str>,
    now: SystemTime,
) -> Result<(Key, Duration), String> {
    let (key, good_for) = match form {
        Form::Certificate => certificate(&text(octets, within)?, algorithm, now)?,
        Form::PublicKey => (public_key(&text(octets, within)?, algorithm)?, KEPT_FOR),
        Form::Jwk => jwk(octets, within, algorithm, key_id, now)?,
    };
    Ok((Key::of_public(key), good_for.min(KEPT_FOR)))
}

/// The answer, or the text at `within` it.
fn text<'a>(octets: &'a [u8], within: Option<&Pointer>) -> Result<Cow<'a, str>, String> {
    let Some(pointer) = within else {
        return std::str::from_utf8(octets)
            .map(Cow::Borrowed)
            .map_err(|_| "the answer is no text".to_owned());
    };
    let mut found =
        json::scan(octets, &[pointer]).map_err(|error| format!("the answer is not JSON: {error}"))?;
    match found.first_mut().and_then(Option::take) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(format!("the answer has no text at {pointer}")),
    }
}

fn certificate(
    pem: &str,
    algorithm: PublicAlgorithm,
    now: SystemTime,
) -> Result<(PublicKey, Duration), String> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "the answer is no certificate in PEM".to_owned())?;
    let validity = Validity::of(&certificate)?;
    if !validity.contains(now) {
        return Err("the certificate is not valid now".to_owned());
    }
    let key = PublicKey::from_certificate(&certificate, algorithm)?;
    Ok((key, validity.not_after.duration_since(now).unwrap_or_default()))
}

/// eBay writes PEM in one line.
fn public_key(text: &str, algorithm: PublicAlgorithm) -> Result<PublicKey, String> {
    let bare = text.trim();
    let bare = bare.strip_prefix("-----BEGIN PUBLIC KEY-----").unwrap_or(bare);
    PublicKey::parse(bare.strip_suffix("-----END PUBLIC KEY-----").unwrap_or(bare), algorithm)
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    /// Plaid's: since when the key is withdrawn, in Unix seconds.
    #[serde(default)]
    expired_at: Option<u64>,
}

fn jwk(
    octets: &[u8],
    within: Option<&Pointer>,
    algorithm: PublicAlgorithm,
    key_id: Option<&str>,
    now: SystemTime,
) -> Result<(PublicKey, Duration), String> {
    let answer: serde_json::Value =
        serde_json::from_slice(octets).map_err(|error| format!("the answer is not JSON: {error}"))?;
    let place = within.map(Pointer::to_string).unwrap_or_default();
    let key = answer.pointer(&place).ok_or_else(|| format!("the answer has nothing at {place}"))?;
    let key = Jwk::deserialize(key).map_err(|error| format!("the answer is no JSON Web Key: {error}"))?;
    if key.kty != "EC" || key.crv != "P-256" || key.alg.is_some_and(|alg| alg != "ES256") {
        return Err("the key is not one for ES256".to_owned());
    }
    if key.kid.as_deref().is_some_and(|kid| key_id.is_some_and(|asked| asked != kid)) {
        return Err("the answer is another key than was asked for".to_owned());
    }
    let seconds = UnixSeconds::from_system_time(now).0;
    let good_for = match key.expired_at {
        Some(end) if end <= seconds => return Err("the provider has withdrawn the key".to_owned()),
        Some(end) => Duration::from_secs(end - seconds),
        None => KEPT_FOR,
    };
    let number = |text: &str| {
        let octets = SignatureEncoding::Base64Url.decode(text.as_bytes()).filter(|octets| octets.len() == 32);
        octets.ok_or_else(|| "the key's point is not two numbers of 32 octets".to_owned())
    };
    let point = [&[4][..], &number(&key.x)?, &number(&key.y)?].concat();
    Ok((PublicKey::from_octets(&point, algorithm)?, good_for))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const ES256: PublicAlgorithm = PublicAlgorithm::EcdsaP256Sha256Fixed;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_767_225_600)
    }

    fn plaid(changed: &[(&str, serde_json::Value)]) -> Vec<u8> {
        // The example of Plaid's documentation.
        let mut key = serde_json::json!({
            "alg": "ES256", "created_at": 1_560_466_150, "crv": "P-256", "expired_at": null,
            "kid": "bfbd5111-8e33-4643-8ced-b2e642a72f3c", "kty": "EC", "use": "sig",
            "x": "hKXLGIjWvCBv-cP5euCTxl8g9GLG9zHo_3pO5NN1DwQ", "y": "shhexqPB7YffGn6fR6h2UhTSuCtPmfzQJ6ENVIoO4Ys",
        });
        for (name, value) in changed {
            key[*name] = value.clone();
        }
        serde_json::to_vec(&serde_json::json!({ "key": key, "request_id": "r" })).unwrap()
    }

    #[test]
    fn a_json_web_key_is_read_if_it_is_the_one_and_still_good() {
        let at = Pointer::parse("/key").unwrap();
        let kid = "bfbd5111-8e33-4643-8ced-b2e642a72f3c";
        let read = |octets: &[u8]| read(octets, Form::Jwk, Some(&at), ES256, Some(kid), now());
        assert_eq!(read(&plaid(&[])).unwrap().1, KEPT_FOR);
        let soon = 1_767_225_600 + 60;
        assert_eq!(read(&plaid(&[("expired_at", soon.into())])).unwrap().1, Duration::from_secs(60));
        for (name, value) in [
            ("expired_at", 1_767_225_600.into()),
            ("kty", "RSA".into()),
            ("crv", "P-384".into()),
            ("alg", "HS256".into()),
            ("kid", "another".into()),
            ("x", "AAAA".into()),
            ("y", 7.into()),
        ] {
            assert!(read(&plaid(&[(name, value)])).is_err(), "{name}");
        }
        assert!(read(b"{}").is_err() && read(b"").is_err());
    }

    #[test]
    fn a_public_key_in_one_line_is_read() {
        let spki = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmnR7sTjzDjWClFWfBjPlrSGuVO5nngAqYwtYxxAxbIxJSPm3Y97LfEp8jHDEHYzW0/EI7I4AFevlGeU6DQTRkA==";
        let at = Pointer::parse("/key").unwrap();
        for text in [
            format!("-----BEGIN PUBLIC KEY-----{spki}-----END PUBLIC KEY-----"),
            format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n"),
            spki.to_owned(),
        ] {
            let answer = serde_json::json!({ "key": text, "algorithm": "ECDSA" }).to_string();
            let read = read(
                answer.as_bytes(),
                Form::PublicKey,
                Some(&at),
                PublicAlgorithm::EcdsaP256Sha1,
                None,
                now(),
            );
            assert!(read.is_ok(), "{text}: {read:?}");
        }
        assert!(read(b"<html>", Form::PublicKey, None, PublicAlgorithm::EcdsaP256Sha1, None, now()).is_err());
    }

    #[test]
    fn a_certificate_is_good_between_its_dates() {
        let vectors = std::fs::read_to_string("tests/vectors/aws-sns.json").unwrap();
        let vectors: serde_json::Value = serde_json::from_str(&vectors).unwrap();
        let pem = vectors["fetched_keys"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
        let at = |now| read(pem.as_bytes(), Form::Certificate, None, PublicAlgorithm::RsaSha256, None, now);
        assert_eq!(at(now()).unwrap().1, KEPT_FOR);
        let end = UNIX_EPOCH + Duration::from_secs(2_051_222_400);
        assert_eq!(at(end - Duration::from_secs(9)).unwrap().1, Duration::from_secs(9));
        for wrong in [end + Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(1_735_689_599)] {
            assert!(at(wrong).unwrap_err().contains("not valid now"));
        }
        assert!(read(b"{}", Form::Certificate, None, PublicAlgorithm::RsaSha256, None, now()).is_err());
    }
}
