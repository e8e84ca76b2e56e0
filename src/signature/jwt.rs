//! JSON Web Tokens: a signed statement about a request, in a header.
//!
//! Takes a token and keys. Gives whether it is genuine and current, and whether the hash of the body that it states
//! is the body's. The `jsonwebtoken` crate reads the token; the algorithm comes from the scheme, never from the
//! token, and the cryptography is `ring`'s and RustCrypto's, as everywhere here.
//!
//! Sources: RFC 7515 (JWS), RFC 7518 (algorithms), RFC 7519 (claims).

use std::sync::LazyLock;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use ring::signature as ring_signature;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use signature::Verifier;
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
    /// Whether `key` signed `token`, and what it states is true of `body` and `now`.
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
    ) -> Result<(), Option<SignatureError>> {
        if token.len() > MAX_TOKEN {
            return Err(Some(SignatureError::Malformed("the token is too long")));
        }
        let claims = self.claims(key, token).ok_or(None)?;
        self.check_times(&claims, timestamp, now).map_err(Some)?;
        match &self.body_hash {
            Some(hash) if !hash.holds(&claims, body) => Err(None),
            _ => Ok(()),
        }
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
    ) -> Result<(), SignatureError> {
        let time = |claim: &str| claims.get(claim).map(|value| value.as_u64().map(UnixSeconds));
        let unreadable = || SignatureError::Malformed("a time in the token is no whole number of seconds");
        for (claim, past) in [("exp", true), ("nbf", false)] {
            let Some(bound) = time(claim) else { continue };
            let bound = bound.ok_or_else(unreadable)?;
            let (seconds, leeway) = (bound.0, LEEWAY.as_secs());
            if past && seconds.saturating_add(leeway) < now.0 || !past && seconds > now.0 + leeway {
                return Err(SignatureError::TimestampOutsideTolerance { signed: bound, now });
            }
        }
        if let Some(rule) = rule
            && let TimestampPlace::Claim(claim) = &rule.place
        {
            let signed = time(claim)
                .ok_or_else(|| SignatureError::Missing(format!("the token's claim `{claim}`")))?
                .ok_or_else(unreadable)?;
            rule.check_distance(signed, now)?;
        }
        Ok(())
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

/// What `jsonwebtoken` verifies with, put in place at the first token. It signs nothing.
static PROVIDER: LazyLock<()> = LazyLock::new(|| {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: no_signer,
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    // The error says that there is one already: this one, since nothing else in the process has it.
    let _ = PROVIDER.install_default();
});

fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::InvalidAlgorithm.into())
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

impl Verifier<Vec<u8>> for OneKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let by_ring = |algorithm: &'static dyn ring_signature::VerificationAlgorithm| {
            ring_signature::UnparsedPublicKey::new(algorithm, &*self.octets)
                .verify(message, signature)
                .map_err(|_| signature::Error::new())
        };
        match self.algorithm {
            Algorithm::HS256 => {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(&self.octets).map_err(|_| signature::Error::new())?;
                mac.update(message);
                mac.verify_slice(signature).map_err(|_| signature::Error::new())
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
}
