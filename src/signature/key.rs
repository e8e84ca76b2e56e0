//! A key: the shared secret in the form in which it signs.
//!
//! Takes the text of a secret and how it is written. Gives a keyed HMAC state, made once when the
//! configuration is read. It is wiped from memory when dropped, and never shown.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::content::{Content, Values};

/// Octets of an HMAC-SHA256 signature.
pub const SIGNATURE_OCTETS: usize = 32;

/// The least octets of a key. Shorter ones can be found by trying; no provider issues them.
pub const MIN_KEY_OCTETS: usize = 16;

/// Secrets are copied by people from web pages, which drop the padding at times.
const SECRET_BASE64: GeneralPurpose = GeneralPurpose::new(
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
}

/// A key, ready to sign and verify.
#[derive(Clone)]
pub struct Key {
    keyed: Hmac<Sha256>,
}

/// A computed signature. Its comparison takes the same time wherever the difference is.
pub type Signature = CtOutput<Hmac<Sha256>>;

impl Key {
    /// Reads a secret.
    ///
    /// # Errors
    /// A sentence that never holds the secret or a part of it.
    pub fn parse(secret: &str, format: &KeyFormat) -> Result<Self, String> {
        if secret.trim().is_empty() {
            return Err("the secret is empty".to_owned());
        }
        if secret.starts_with("whpk_") || secret.starts_with("whsk_") {
            return Err(
                "the secret begins with `whpk_` or `whsk_`: that is a public-key scheme's key, and this \
                        scheme is symmetric"
                    .to_owned(),
            );
        }
        let text = match &format.strip_prefix {
            Some(prefix) => secret.strip_prefix(prefix.as_str()).unwrap_or(secret),
            None => secret,
        };
        let octets = Zeroizing::new(match format.encoding {
            KeyEncoding::Utf8 => text.as_bytes().to_vec(),
            KeyEncoding::Hex => hex::decode(text).map_err(|_| "the secret is not hexadecimal".to_owned())?,
            KeyEncoding::Base64 => {
                SECRET_BASE64.decode(text).map_err(|_| "the secret is not base64".to_owned())?
            }
        });
        if octets.len() < MIN_KEY_OCTETS {
            return Err(format!(
                "the secret has {} octets; at least {MIN_KEY_OCTETS} are needed for it not to be guessed",
                octets.len()
            ));
        }
        let keyed = Hmac::<Sha256>::new_from_slice(&octets).map_err(|error| error.to_string())?;
        Ok(Self { keyed })
    }

    /// The signature over `content` filled with `values`.
    #[must_use]
    pub fn sign(&self, content: &Content, values: &Values<'_>) -> Signature {
        let mut mac = self.keyed.clone();
        content.write(values, |part| mac.update(part));
        mac.finalize()
    }

    /// The HMAC-SHA256 of these octets, one after the other, for handshakes that ask for one; `None` if the key
    /// is of another kind. What may be signed so is decided by [`crate::handshake::token`].
    #[must_use]
    pub fn hmac_sha256(&self, octets: &[&[u8]]) -> Option<[u8; 32]> {
        let mut mac = self.keyed.clone();
        octets.iter().for_each(|octets| mac.update(octets));
        Some(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(encoding: KeyEncoding) -> KeyFormat {
        KeyFormat { encoding, strip_prefix: Some("whsec_".to_owned()) }
    }

    /// RFC 4231, test case 2, with the key as this module wants it: the `Mac` is the standard's.
    #[test]
    fn signs_as_rfc_4231_says() {
        let key = Key::parse(&"0b".repeat(20), &format(KeyEncoding::Hex)).unwrap();
        let content = Content::parse("{body}").unwrap();
        let signature = key.sign(&content, &Values { id: b"", timestamp: b"", body: b"Hi There" });
        assert_eq!(
            hex::encode(signature.as_bytes()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
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
            let error = Key::parse(secret, &format(encoding)).unwrap_err();
            assert!(secret.trim().len() < 8 || !error.contains(secret.trim()), "{error}");
        }
    }

    #[test]
    fn reads_base64_with_and_without_padding() {
        for secret in ["whsec_AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0ODw"] {
            Key::parse(secret, &format(KeyEncoding::Base64)).unwrap();
        }
    }

    #[test]
    fn is_never_shown() {
        let key = Key::parse("a secret of some length", &format(KeyEncoding::Utf8)).unwrap();
        assert_eq!(format!("{key:?}"), "Key([REDACTED])");
    }
}
