//! The signatures that a request presents: how they stand in the header, and how they are decoded.
//!
//! Takes one header value. Gives at most [`MAX_PRESENTED`] candidates of exactly the right length. Decoding
//! is strict: one signature has one spelling in base64 (RFC 4648, section 3.5) and two cases in
//! hexadecimal, so nothing can be appended to it or hidden in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::SignatureError;
use super::key::{SIGNATURE_OCTETS, Signature};

/// Entries that one header may hold, whatever their label. A rotation needs two; beyond this it is abuse.
pub const MAX_PRESENTED: usize = 32;

/// How signatures stand in their header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// How each is written.
    pub encoding: SignatureEncoding,
    /// What stands before each: `sha256=`, or `v1,` in a list. In a list, entries without it are of other
    /// versions and are passed over.
    pub prefix: String,
    /// What separates several. Without it the header holds exactly one.
    pub separator: Option<String>,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Base64 with the standard alphabet and padding.
    Base64,
}

/// Candidates, without an allocation.
#[derive(Debug)]
pub struct Candidates {
    octets: [[u8; SIGNATURE_OCTETS]; MAX_PRESENTED],
    count: usize,
}

impl Candidates {
    /// Whether `expected` is among them. Every candidate is compared, each in constant time.
    #[must_use]
    pub fn contain(&self, expected: &Signature) -> bool {
        self.octets[..self.count]
            .iter()
            .fold(false, |found, octets| found | (Signature::new((*octets).into()) == *expected))
    }
}

impl Presented {
    /// Reads a header value.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] if no entry is well formed, or there are too many.
    pub fn read(&self, header: &[u8]) -> Result<Candidates, SignatureError> {
        let mut candidates = Candidates { octets: [[0; SIGNATURE_OCTETS]; MAX_PRESENTED], count: 0 };
        match &self.separator {
            None => {
                let octets = self.read_one(header).ok_or(SignatureError::Malformed(
                    "the signature header does not hold one signature of the scheme's form",
                ))?;
                candidates.octets[0] = octets;
                candidates.count = 1;
            }
            Some(separator) => {
                for (index, entry) in split(header, separator.as_bytes()).enumerate() {
                    if index == MAX_PRESENTED {
                        return Err(SignatureError::Malformed("the signature header has too many entries"));
                    }
                    // As the providers' own libraries do, an entry of another version or form is no match,
                    // and no reason to refuse the one beside it.
                    if let Some(octets) = self.read_one(entry) {
                        candidates.octets[candidates.count] = octets;
                        candidates.count += 1;
                    }
                }
                if candidates.count == 0 {
                    return Err(SignatureError::Malformed(
                        "the signature header holds no signature of the scheme's version and form",
                    ));
                }
            }
        }
        Ok(candidates)
    }

    fn read_one(&self, entry: &[u8]) -> Option<[u8; SIGNATURE_OCTETS]> {
        let text = entry.strip_prefix(self.prefix.as_bytes())?;
        let mut octets = [0; SIGNATURE_OCTETS];
        match self.encoding {
            SignatureEncoding::Hex => hex::decode_to_slice(text, &mut octets).ok()?,
            SignatureEncoding::Base64 => {
                // The length is checked first: `decode_slice` would need room for a longer one.
                if text.len() != SIGNATURE_OCTETS.div_ceil(3) * 4 {
                    return None;
                }
                let mut room = [0; SIGNATURE_OCTETS + 1];
                let length = STANDARD.decode_slice_unchecked(text, &mut room).ok()?;
                if length != SIGNATURE_OCTETS {
                    return None;
                }
                octets.copy_from_slice(&room[..SIGNATURE_OCTETS]);
            }
        }
        Some(octets)
    }

    /// Writes one signature as this header holds it.
    #[must_use]
    pub fn write(&self, signature: &Signature) -> String {
        let octets = signature.as_bytes();
        let text = match self.encoding {
            SignatureEncoding::Hex => hex::encode(octets),
            SignatureEncoding::Base64 => STANDARD.encode(octets),
        };
        format!("{}{text}", self.prefix)
    }
}

/// Splits at every occurrence of `separator`, which is not empty.
fn split<'a>(mut rest: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        match rest.windows(separator.len()).position(|window| window == separator) {
            Some(at) => {
                let entry = &rest[..at];
                rest = &rest[at + separator.len()..];
                Some(entry)
            }
            None => {
                done = true;
                Some(rest)
            }
        }
    })
}
