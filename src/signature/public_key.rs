//! A provider's public key, and the one question to it.
//!
//! Takes a key as providers show it: hexadecimal or base64 of the raw Ed25519 key or of DER, PEM, or an X.509
//! certificate. Gives a key for one algorithm, which comes from the scheme alone. Certificates are a wrapping
//! here: whether one is to be trusted is decided where it is got.
//!
//! `ring` verifies; it has no ECDSA with SHA-1, which the `p256` crate does.
//!
//! Sources: RFC 8032 (Ed25519), FIPS 186-5 (ECDSA, P-256), RFC 8017 (RSASSA-PKCS1-v1_5), RFC 5280 (SubjectPublicKeyInfo).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha1::{Digest as _, Sha1};
use spki::SubjectPublicKeyInfoRef;
use spki::der::Decode as _;

use super::key::LENIENT_BASE64;

/// A public-key signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicAlgorithm {
    /// Ed25519.
    Ed25519,
    /// ECDSA over P-256 with SHA-256, the signature in DER.
    EcdsaP256Sha256,
    /// The same, the signature as two numbers of 32 octets, as JSON Web Tokens have it.
    EcdsaP256Sha256Fixed,
    /// ECDSA over P-256 with SHA-1, the signature in DER: only where a provider has nothing else.
    EcdsaP256Sha1,
    /// RSASSA-PKCS1-v1_5 with SHA-1, keys of 2048 bits and more: only where a provider has nothing else.
    RsaSha1,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 bits and more.
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-512, keys of 2048 bits and more.
    RsaSha512,
}

/// The greatest signature that is looked at: RSA with 8192 bits.
pub const MAX_SIGNATURE_OCTETS: usize = 1024;

/// What identifies the kind of a key in its SubjectPublicKeyInfo.
const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const ED25519: &str = "1.3.101.112";

/// A public key for one algorithm.
#[derive(Clone)]
pub struct PublicKey {
    /// What `ring` takes: the Ed25519 key, the uncompressed point, or an RSAPublicKey in DER.
    octets: Arc<[u8]>,
    algorithm: PublicAlgorithm,
}

impl PublicAlgorithm {
    fn ring(self) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match self {
            Self::EcdsaP256Sha1 => return None,
            Self::Ed25519 => &signature::ED25519,
            Self::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP256Sha256Fixed => &signature::ECDSA_P256_SHA256_FIXED,
            Self::RsaSha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::RsaSha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        })
    }

    /// The kind of key, for people.
    fn kind(self) -> &'static str {
        match self {
            Self::Ed25519 => "an Ed25519 public key",
            Self::EcdsaP256Sha256 | Self::EcdsaP256Sha256Fixed | Self::EcdsaP256Sha1 => {
                "a public key on the curve P-256"
            }
            Self::RsaSha1 | Self::RsaSha256 | Self::RsaSha512 => "an RSA public key",
        }
    }

    fn is_p256(self) -> bool {
        matches!(self, Self::EcdsaP256Sha256 | Self::EcdsaP256Sha256Fixed | Self::EcdsaP256Sha1)
    }

    fn is_rsa(self) -> bool {
        matches!(self, Self::RsaSha1 | Self::RsaSha256 | Self::RsaSha512)
    }

    /// The octets that every signature has, where it is one number.
    #[must_use]
    pub fn signature_octets(self) -> Option<usize> {
        matches!(self, Self::Ed25519 | Self::EcdsaP256Sha256Fixed).then_some(64)
    }
}

impl PublicKey {
    /// Reads a key.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str, algorithm: PublicAlgorithm) -> Result<Self, String> {
        let text = text.trim();
        if text.contains("-----BEGIN ") {
            return Self::from_pem(text, algorithm);
        }
        let packed: String = text.split_whitespace().collect();
        let octets = match hex::decode(&packed) {
            Ok(octets) => octets,
            Err(_) => LENIENT_BASE64
                .decode(&packed)
                .map_err(|_| format!("{} is expected: hexadecimal, base64 or PEM", algorithm.kind()))?,
        };
        Self::from_octets(&octets, algorithm)
    }

    fn from_pem(text: &str, algorithm: PublicAlgorithm) -> Result<Self, String> {
        if text.contains("PRIVATE KEY") {
            return Err("this is a private key; the provider's public key is needed".to_owned());
        }
        if let Ok(certificate) = CertificateDer::from_pem_slice(text.as_bytes()) {
            return Self::from_certificate(&certificate, algorithm);
        }
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = LENIENT_BASE64
            .decode(body.split_whitespace().collect::<String>())
            .map_err(|_| "the PEM text is not base64".to_owned())?;
        Self::from_octets(&der, algorithm)
    }

    /// The key in an X.509 certificate.
    ///
    /// # Errors
    /// A sentence.
    pub fn from_certificate(
        certificate: &CertificateDer<'_>,
        algorithm: PublicAlgorithm,
    ) -> Result<Self, String> {
        let certificate = webpki::EndEntityCert::try_from(certificate)
            .map_err(|_| "the certificate can't be read".to_owned())?;
        Self::from_octets(&certificate.subject_public_key_info(), algorithm)
    }

    /// A raw Ed25519 key, an uncompressed point, an RSAPublicKey or a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// A sentence.
    pub fn from_octets(octets: &[u8], algorithm: PublicAlgorithm) -> Result<Self, String> {
        let wrong = || format!("{} is expected, and this is something else", algorithm.kind());
        let raw = match (algorithm, octets.len()) {
            (PublicAlgorithm::Ed25519, 32) => octets.to_vec(),
            (algorithm, 65) if algorithm.is_p256() => octets.to_vec(),
            _ => match SubjectPublicKeyInfoRef::from_der(octets) {
                Ok(info) => {
                    let kind = info.algorithm.oid.to_string();
                    let curve =
                        || info.algorithm.parameters_oid().is_ok_and(|curve| curve.to_string() == P256);
                    let fits = match algorithm {
                        PublicAlgorithm::Ed25519 => kind == ED25519,
                        algorithm if algorithm.is_p256() => kind == EC_PUBLIC_KEY && curve(),
                        _ => kind == RSA_ENCRYPTION,
                    };
                    let bits = info.subject_public_key.as_bytes().filter(|_| fits).ok_or_else(wrong)?;
                    bits.to_vec()
                }
                // An RSAPublicKey without its wrapping, as `BEGIN RSA PUBLIC KEY` has it, is a sequence too.
                Err(_) if algorithm.is_rsa() && octets.first() == Some(&0x30) => octets.to_vec(),
                Err(_) => return Err(wrong()),
            },
        };
        Ok(Self { octets: raw.into(), algorithm })
    }

    /// Whether `signature` over `message` is this key's.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifies_by(self.algorithm, message, signature)
    }

    /// The same, where one key signs with more than one hash: `algorithm` is one for keys of this kind.
    pub(super) fn verifies_by(&self, algorithm: PublicAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if algorithm != self.algorithm && !(algorithm.is_rsa() && self.algorithm.is_rsa()) {
            return false;
        }
        match algorithm.ring() {
            Some(by) => UnparsedPublicKey::new(by, &self.octets).verify(message, signature).is_ok(),
            None => self.verifies_with_sha1(message, signature),
        }
    }

    fn verifies_with_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.octets);
        let signature = p256::ecdsa::Signature::from_der(signature);
        let (Ok(key), Ok(signature)) = (key, signature) else { return false };
        key.verify_prehash(&Sha1::digest(message), &signature).is_ok()
    }

    /// The key as `ring` takes it.
    pub(super) fn as_octets(&self) -> &[u8] {
        &self.octets
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn verifies_as_rfc_8032_says() {
        let key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let signature = hex::decode(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        )
        .unwrap();
        let base64 = LENIENT_BASE64.encode(hex::decode(key).unwrap());
        for text in [key, base64.as_str()] {
            let key = PublicKey::parse(text, PublicAlgorithm::Ed25519).unwrap();
            assert!(key.verifies(&[0x72], &signature));
            assert!(!key.verifies(&[0x73], &signature) && !key.verifies(&[0x72], &signature[..63]));
        }
    }

    /// RFC 6979, section A.2.5: the curve P-256, SHA-1, the message "sample".
    #[test]
    fn verifies_ecdsa_with_sha1_as_rfc_6979_says() {
        let key = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                   7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
        let r = "61340c88c3aaebeb4f6d667f672ca9759a6ccaa9fa8811313039ee4a35471d32";
        let s = "6d7f147dac089441bb2e2fe8f7a3fa264b9c475098fdcf6e00d7c996e1b8b7eb";
        let signature = hex::decode(format!("30440220{r}0220{s}")).unwrap();
        let key = PublicKey::parse(key, PublicAlgorithm::EcdsaP256Sha1).unwrap();
        assert!(key.verifies(b"sample", &signature));
        assert!(!key.verifies(b"sampel", &signature));
        let longer = [&signature[..], &[0]].concat();
        assert!(!key.verifies(b"sample", &longer) && !key.verifies(b"sample", &signature[..69]));
        assert!(!key.verifies_by(PublicAlgorithm::RsaSha1, b"sample", &signature));
    }

    #[test]
    fn refuses_a_key_of_another_kind() {
        // The SubjectPublicKeyInfo of RFC 8410, section 10.1: an Ed25519 key.
        let ed25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        assert!(PublicKey::parse(ed25519, PublicAlgorithm::Ed25519).is_ok());
        for algorithm in [PublicAlgorithm::EcdsaP256Sha256, PublicAlgorithm::RsaSha256] {
            assert!(PublicKey::parse(ed25519, algorithm).is_err());
        }
        for wrong in ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "00"] {
            assert!(PublicKey::parse(wrong, PublicAlgorithm::Ed25519).is_err(), "{wrong}");
        }
    }
}
