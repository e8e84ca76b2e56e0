//! A key: the configured secret in the form in which it verifies.
//!
//! Takes the text of a secret, how it is written, and what it is for. Gives a keyed MAC state, a public key or a
//! token, made once when the configuration is read. It is wiped from memory when dropped, and never shown.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use smallvec::SmallVec;
use zeroize::Zeroizing;

use super::public_key::{PublicAlgorithm, PublicKey};

/// The least octets of a key. Shorter ones can be found by trying; hardly a provider issues them.
pub const MIN_KEY_OCTETS: usize = 16;

/// Octets of a signature; those of a MAC need no allocation.
pub type Octets = SmallVec<[u8; 64]>;

/// Secrets are copied by people from web pages, which drop the padding at times.
pub(super) const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a secret is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFormat {
    /// The encoding of what remains after the prefix.
    pub encoding: KeyEncoding,
    /// Taken off the front, if it is there.
    pub strip_prefix: Option<String>,
}

/// The encoding of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncoding {
    /// The text itself is the key.
    Utf8,
    /// Hexadecimal.
    Hex,
    /// Base64 with the standard alphabet.
    Base64,
    /// A public key, in any of the forms that [`PublicKey::parse`] reads.
    PublicKey,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// A MAC over the content.
    Hmac(HmacAlgorithm),
    /// A public-key signature over the content.
    Public(PublicAlgorithm),
    /// The secret itself stands in the request.
    Token,
    /// A JSON Web Token signed with HMAC-SHA256.
    JwtHmac,
}

/// The hash of a MAC (RFC 2104).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// SHA-1: only where a provider has nothing else. Collisions of SHA-1 do not break HMAC.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A key, ready to verify.
#[derive(Clone)]
pub struct Key {
    pub(super) material: Material,
    /// The scheme's variant that it is for: its place in [`super::Scheme::variants`].
    pub(super) variant: usize,
}

#[derive(Clone)]
pub(super) enum Material {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
    Public(PublicKey),
    Text(Zeroizing<Vec<u8>>),
}

impl HmacAlgorithm {
    /// Octets of a signature.
    #[must_use]
    pub fn octets(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl Key {
    /// A public key that was got from its provider, for a scheme's first variant.
    #[must_use]
    pub fn of_public(key: PublicKey) -> Self {
        Self { material: Material::Public(key), variant: 0 }
    }

    /// Reads a secret for the first variant of a scheme. [`super::Scheme::key`] chooses the variant by the secret.
    ///
    /// # Errors
    /// A sentence that never holds the secret or a part of it.
    pub fn parse(secret: &str, format: &KeyFormat, purpose: KeyUse) -> Result<Self, String> {
        if secret.trim().is_empty() {
            return Err("the secret is empty".to_owned());
        }
        let text = match &format.strip_prefix {
            Some(prefix) => secret.strip_prefix(prefix.as_str()).unwrap_or(secret),
            None => secret,
        };
        let material = match purpose {
            KeyUse::Public(algorithm) => Material::Public(PublicKey::parse(text, algorithm)?),
            KeyUse::Hmac(_) if secret.starts_with("whpk_") || secret.starts_with("whsk_") => {
                return Err(
                    "the secret begins with `whpk_` or `whsk_`: that is a public-key scheme's key, and \
                            this scheme is symmetric"
                        .to_owned(),
                );
            }
            KeyUse::Hmac(algorithm) => Material::mac(algorithm, &decode(text, format.encoding)?)?,
            KeyUse::Token | KeyUse::JwtHmac => Material::Text(decode(text, format.encoding)?),
        };
        Ok(Self { material, variant: 0 })
    }

    /// The MAC over `pieces`, if this key makes MACs.
    #[must_use]
    pub fn mac(&self, pieces: &[Cow<'_, [u8]>]) -> Option<Octets> {
        macro_rules! finish {
            ($keyed:expr) => {{
                let mut mac = $keyed.clone();
                pieces.iter().for_each(|piece| mac.update(piece));
                Some(Octets::from_slice(&mac.finalize().into_bytes()))
            }};
        }
        match &self.material {
            Material::Sha1(keyed) => finish!(keyed),
            Material::Sha256(keyed) => finish!(keyed),
            Material::Sha512(keyed) => finish!(keyed),
            Material::Public(_) | Material::Text(_) => None,
        }
    }

    /// HMAC-SHA256 over `octets`, where the key can: for answers to a provider's challenge.
    #[must_use]
    pub fn hmac_sha256(&self, octets: &[&[u8]]) -> Option<[u8; 32]> {
        let mut mac = match &self.material {
            Material::Sha256(keyed) => keyed.clone(),
            Material::Text(text) => Hmac::<Sha256>::new_from_slice(text).ok()?,
            _ => return None,
        };
        octets.iter().for_each(|octets| mac.update(octets));
        Some(mac.finalize().into_bytes().into())
    }
}

impl Material {
    fn mac(algorithm: HmacAlgorithm, key: &[u8]) -> Result<Self, String> {
        let wrong = |error: hmac::digest::InvalidLength| error.to_string();
        Ok(match algorithm {
            HmacAlgorithm::Sha1 => Self::Sha1(Hmac::new_from_slice(key).map_err(wrong)?),
            HmacAlgorithm::Sha256 => Self::Sha256(Hmac::new_from_slice(key).map_err(wrong)?),
            HmacAlgorithm::Sha512 => Self::Sha512(Hmac::new_from_slice(key).map_err(wrong)?),
        })
    }
}

/// Decodes a secret.
fn decode(text: &str, encoding: KeyEncoding) -> Result<Zeroizing<Vec<u8>>, String> {
    let octets = Zeroizing::new(match encoding {
        KeyEncoding::Utf8 | KeyEncoding::PublicKey => text.as_bytes().to_vec(),
        KeyEncoding::Hex => hex::decode(text).map_err(|_| "the secret is not hexadecimal".to_owned())?,
        KeyEncoding::Base64 => {
            LENIENT_BASE64.decode(text).map_err(|_| "the secret is not base64".to_owned())?
        }
    });
    if octets.len() < MIN_KEY_OCTETS {
        return Err(format!(
            "the secret has {} octets; at least {MIN_KEY_OCTETS} are needed for it not to be guessed",
            octets.len()
        ));
    }
    Ok(octets)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HMAC: KeyUse = KeyUse::Hmac(HmacAlgorithm::Sha256);

    fn format(encoding: KeyEncoding) -> KeyFormat {
        KeyFormat { encoding, strip_prefix: Some("whsec_".to_owned()) }
    }

    /// RFC 2202, test case 1, and RFC 4231, test case 1: the key is twenty times 0x0b.
    #[test]
    fn signs_as_the_rfcs_say() {
        for (algorithm, expected) in [
            (HmacAlgorithm::Sha1, "b617318655057264e28bc0b6fb378c8ef146be00"),
            (HmacAlgorithm::Sha256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                HmacAlgorithm::Sha512,
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ),
        ] {
            let key =
                Key::parse(&"0b".repeat(20), &format(KeyEncoding::Hex), KeyUse::Hmac(algorithm)).unwrap();
            let mac = key.mac(&[Cow::Borrowed(b"Hi "), Cow::Borrowed(b"There")]).unwrap();
            assert_eq!(hex::encode(&mac), expected);
            assert_eq!(mac.len(), algorithm.octets());
        }
    }

    #[test]
    fn refuses_what_is_no_key() {
        for (secret, encoding) in [
            ("", KeyEncoding::Utf8),
            (" \n\t              ", KeyEncoding::Utf8),
            ("fifteen octets!", KeyEncoding::Utf8),
            ("whsec_", KeyEncoding::Base64),
            ("whsec_c2hvcnQ=", KeyEncoding::Base64),
            ("whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", KeyEncoding::Base64),
            ("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyEncoding::Base64),
            ("zz112233445566778899aabbccddeeff", KeyEncoding::Hex),
        ] {
            let error = Key::parse(secret, &format(encoding), HMAC).unwrap_err();
            assert!(secret.trim().len() < 8 || !error.contains(secret.trim()), "{error}");
        }
    }

    #[test]
    fn reads_base64_with_and_without_padding() {
        for secret in ["whsec_AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0ODw"] {
            Key::parse(secret, &format(KeyEncoding::Base64), HMAC).unwrap();
        }
    }

    #[test]
    fn is_never_shown() {
        let key = Key::parse("a secret of some length", &format(KeyEncoding::Utf8), HMAC).unwrap();
        assert_eq!(format!("{key:?}"), "Key([REDACTED])");
    }
}
