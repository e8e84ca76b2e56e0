//! JSON Web Tokens: a signed statement about a request, in a header.
//!
//! Takes a token and keys. Gives whether it is genuine and current, and whether the hash of the body that it states
//! is the body's; and for `send` and `dev` a token of HS256, whose key both sides have. The `jsonwebtoken` crate reads
//! and writes tokens; the algorithm comes from the scheme, never from the token, and the cryptography is `ring`'s and
//! RustCrypto's, as everywhere here.
//!
//! Sources: RFC 7515 (JWS), RFC 7518 (algorithms), RFC 7519 (claims).

use std::sync::LazyLock;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::signature as ring_signature;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use signature::{Signer, Verifier};
use subtle::ConstantTimeEq as _;

use super::error::SignatureError;
use super::key::{Key, Material};
use super::presented::SignatureEncoding;
use super::timestamp::{TimestampPlace, TimestampRule, UnixSeconds};

/// The longest token, in octets.
const MAX_TOKEN: usize = 8 * 1024;

/// How far the issuer's clock may be from this machine's (RFC 7519, sections 4.1.4 and 4.1.5): many a token is valid
/// from the second in which it is made.
const LEEWAY: Duration = Duration::from_secs(60);

/// How long a token that is made here is valid: it is sent at once.
const VALID: Duration = Duration::from_secs(5 * 60);

/// How a token is signed, and what it says of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The one algorithm that is accepted.
    pub algorithm: JwtAlgorithm,
    /// The claim that holds the body's hash. Without it the token says who sends, and nothing of what.
    pub body_hash: Option<BodyHash>,
}

/// An algorithm of RFC 7518, section 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
}

/// The claim with the SHA-256 of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyHash {
    /// Its name.
    pub claim: String,
    /// How it is written.
    pub encoding: SignatureEncoding,
}

/// The name of the key that signed `token`, as its header has it (RFC 7515, section 4.1.4). Nothing of it is
/// verified: it is good for finding the key that does so.
#[must_use]
pub fn key_id(token: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Header {
        kid: String,
    }
    let (header, _) = std::str::from_utf8(token).ok()?.split_once('.')?;
    let header = SignatureEncoding::Base64Url.decode(header.as_bytes())?;
    serde_json::from_slice::<Header>(&header).ok().map(|header| header.kid)
}

impl Jwt {
    /// Whether `key` signed `token`, and what it states is true of `body` and `now`. Gives the signed time, if the rule
    /// names a claim for it.
    ///
    /// # Errors
    /// `None`: the key did not sign it. `Some`: it did, and what it states does not hold.
    pub(super) fn verify(
        &self,
        key: &Key,
        token: &[u8],
        body: &[u8],
        timestamp: Option<&TimestampRule>,
        now: UnixSeconds,
    ) -> Result<Option<UnixSeconds>, Option<SignatureError>> {
        if token.len() > MAX_TOKEN {
            return Err(Some(SignatureError::Malformed("the token is too long")));
        }
        let claims = self.claims(key, token).ok_or(None)?;
        let signed = self.check_times(&claims, timestamp, now).map_err(Some)?;
        match &self.body_hash {
            Some(hash) if !hash.holds(&claims, body) => Err(None),
            _ => Ok(signed),
        }
    }

    /// A token for `body`, made at `now`: with `iat`, `exp`, the claim of the timestamp `rule` and that of the body's hash.
    ///
    /// # Errors
    /// A sentence: the key is a public one.
    pub(super) fn sign(
        &self,
        key: &Key,
        body: &[u8],
        rule: Option<&TimestampRule>,
        now: UnixSeconds,
    ) -> Result<String, String> {
        let (Material::Text(secret), JwtAlgorithm::Hs256) = (&key.material, self.algorithm) else {
            return Err("only the provider can sign such a token: it has the private key".to_owned());
        };
        let mut claims = Map::new();
        claims.insert("iat".to_owned(), now.0.into());
        claims.insert("exp".to_owned(), now.0.saturating_add(VALID.as_secs()).into());
        if let Some(TimestampPlace::Claim(claim)) = rule.map(|rule| &rule.place) {
            claims.insert(claim.clone(), now.0.into());
        }
        if let Some(hash) = &self.body_hash {
            claims.insert(hash.claim.clone(), hash.encoding.encode(&Sha256::digest(body)).into());
        }
        LazyLock::force(&PROVIDER);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
            .map_err(|error| format!("the token can't be made: {error}"))
    }

    fn claims(&self, key: &Key, token: &[u8]) -> Option<Map<String, Value>> {
        let algorithm = match self.algorithm {
            JwtAlgorithm::Hs256 => Algorithm::HS256,
            JwtAlgorithm::Rs256 => Algorithm::RS256,
            JwtAlgorithm::Es256 => Algorithm::ES256,
        };
        let key = match (&key.material, self.algorithm) {
            (Material::Text(secret), JwtAlgorithm::Hs256) => DecodingKey::from_secret(secret),
            (Material::Public(key), JwtAlgorithm::Rs256) => DecodingKey::from_rsa_der(key.as_octets()),
            (Material::Public(key), JwtAlgorithm::Es256) => DecodingKey::from_ec_der(key.as_octets()),
            _ => return None,
        };
        let mut validation = Validation::new(algorithm);
        // The times are checked below, against the clock value that was given.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        LazyLock::force(&PROVIDER);
        let token = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation).ok()?;
        // RFC 7515, section 4.1.11: extensions that must be understood, and none is.
        token.header.crit.is_none().then_some(token.claims)
    }

    fn check_times(
        &self,
        claims: &Map<String, Value>,
        rule: Option<&TimestampRule>,
        now: UnixSeconds,
    ) -> Result<Option<UnixSeconds>, SignatureError> {
        let time = |claim: &str| claims.get(claim).map(|value| value.as_u64().map(UnixSeconds));
        let unreadable = || SignatureError::Malformed("a time in the token is no whole number of seconds");
        for (claim, past) in [("exp", true), ("nbf", false)] {
            let Some(bound) = time(claim) else { continue };
            let bound = bound.ok_or_else(unreadable)?;
            let (seconds, leeway) = (bound.0, LEEWAY.as_secs());
            if past && seconds.saturating_add(leeway) < now.0
                || !past && seconds > now.0.saturating_add(leeway)
            {
                return Err(SignatureError::TimestampOutsideTolerance { signed: bound, now, proven: None });
            }
        }
        if let Some(rule) = rule
            && let TimestampPlace::Claim(claim) = &rule.place
        {
            let signed = time(claim)
                .ok_or_else(|| SignatureError::Missing(format!("the token's claim `{claim}`")))?
                .ok_or_else(unreadable)?;
            rule.check_distance(signed, now)?;
            return Ok(Some(signed));
        }
        Ok(None)
    }
}

impl BodyHash {
    fn holds(&self, claims: &Map<String, Value>, body: &[u8]) -> bool {
        let stated = claims.get(&self.claim).and_then(Value::as_str);
        stated
            .and_then(|text| self.encoding.decode(text.as_bytes()))
            .is_some_and(|stated| stated.ct_eq(&Sha256::digest(body)).into())
    }
}

/// What `jsonwebtoken` verifies and signs with, put in place at the first token.
static PROVIDER: LazyLock<()> = LazyLock::new(|| {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: signer,
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    // The error says that there is one already: this one, since nothing else in the process has it.
    let _ = PROVIDER.install_default();
});

/// Private keys are the providers' alone.
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    match algorithm {
        Algorithm::HS256 => {
            let octets = zeroize::Zeroizing::new(key.as_bytes().to_vec());
            Ok(Box::new(OneKey { algorithm: *algorithm, octets }))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let octets = key.try_get_as_bytes()?.to_vec();
    Ok(Box::new(OneKey { algorithm: *algorithm, octets: zeroize::Zeroizing::new(octets) }))
}

struct OneKey {
    algorithm: Algorithm,
    octets: zeroize::Zeroizing<Vec<u8>>,
}

impl JwtVerifier for OneKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl JwtSigner for OneKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl OneKey {
    fn mac(&self, message: &[u8]) -> Result<Hmac<Sha256>, signature::Error> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.octets).map_err(|_| signature::Error::new())?;
        mac.update(message);
        Ok(mac)
    }
}

impl Signer<Vec<u8>> for OneKey {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.mac(message)?.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for OneKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let by_ring = |algorithm: &'static dyn ring_signature::VerificationAlgorithm| {
            ring_signature::UnparsedPublicKey::new(algorithm, &*self.octets)
                .verify(message, signature)
                .map_err(|_| signature::Error::new())
        };
        match self.algorithm {
            Algorithm::HS256 => {
                self.mac(message)?.verify_slice(signature).map_err(|_| signature::Error::new())
            }
            Algorithm::RS256 => by_ring(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::ES256 => by_ring(&ring_signature::ECDSA_P256_SHA256_FIXED),
            _ => Err(signature::Error::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_may_differ_a_little() {
        let jwt = Jwt { algorithm: JwtAlgorithm::Hs256, body_hash: None };
        let now = UnixSeconds(1_767_225_600);
        for (claim, at, holds) in [
            ("nbf", now.0 + 60, true),
            ("nbf", now.0 + 61, false),
            ("exp", now.0 - 60, true),
            ("exp", now.0 - 61, false),
            ("exp", u64::MAX, true),
            ("nbf", u64::MAX, false),
        ] {
            let claims = Map::from_iter([(claim.to_owned(), at.into())]);
            assert_eq!(jwt.check_times(&claims, None, now).is_ok(), holds, "{claim} {at}");
        }
    }

    /// A request that is refused for its time is looked at again as of that time, whatever it is.
    #[test]
    fn every_time_can_be_now() {
        let jwt = Jwt { algorithm: JwtAlgorithm::Hs256, body_hash: None };
        for claim in ["nbf", "exp"] {
            let claims = Map::from_iter([(claim.to_owned(), u64::MAX.into())]);
            assert!(jwt.check_times(&claims, None, UnixSeconds(u64::MAX)).is_ok(), "{claim}");
        }
    }
}
