//! The signatures that a request presents: how they stand in the header, and how they are decoded.
//!
//! Takes header values. Gives at most [`MAX_PRESENTED`] candidates of the right length. Decoding is strict: one
//! signature has one spelling in base64 (RFC 4648, section 3.5) and two cases in hexadecimal, so nothing can be
//! appended to it or hidden in it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use smallvec::SmallVec;
use subtle::ConstantTimeEq as _;

use super::error::SignatureError;
use super::key::Octets;

/// Entries that one request may present, whatever their label. A rotation needs two; beyond this it is abuse.
pub const MAX_PRESENTED: usize = 32;

/// Padded or not, as providers differ; the last octet's unused bits are zero.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How signatures stand in their header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// How each is written.
    pub encoding: SignatureEncoding,
    /// What stands before each.
    pub label: Label,
    /// What separates several: any of these. Without any the header holds exactly one.
    pub separators: Vec<String>,
}

/// What stands before a signature in its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// This text: `sha256=`, or `v1,` in a list. In a list, entries without it are of other versions and are passed
    /// over.
    Prefix(String),
    /// Anything up to and with the last occurrence of this text, as in `key-id/SHA256/signature`.
    After(String),
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Hexadecimal in upper case, when it is written; read in either case.
    HexUpper,
    /// Base64 with the standard alphabet and padding.
    Base64,
    /// Base64 with the URL-safe alphabet, padded or not.
    Base64Url,
    /// The hexadecimal text, in base64.
    Base64Hex,
}

/// Decoded signatures.
#[derive(Debug)]
pub struct Candidates(SmallVec<[Octets; 2]>);

impl Candidates {
    /// Whether `expected` is among them. Every candidate is compared, each in constant time.
    #[must_use]
    pub fn contain(&self, expected: &[u8]) -> bool {
        self.0.iter().fold(false, |found, candidate| found | bool::from(candidate.ct_eq(expected)))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(SmallVec::as_slice)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Presented {
    /// The entries of a header value.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] if there are too many, or one is empty.
    pub fn entries<'s, 'a>(&'s self, header: &'a [u8]) -> Result<SmallVec<[&'a [u8]; 4]>, SignatureError> {
        if self.separators.is_empty() {
            return Ok(SmallVec::from_slice(&[header]));
        }
        let mut entries = SmallVec::new();
        let mut rest = header;
        let mut before = "";
        loop {
            let ends = |separator: &'s String| Some((find(rest, separator.as_bytes())?, separator.as_str()));
            let end = self.separators.iter().filter_map(ends).min();
            let entry = without_spaces(&rest[..end.map_or(rest.len(), |(at, _)| at)]);
            // Several spaces are as good as one; between commas something stands.
            let beside_a_space = [before, end.map_or("", |(_, separator)| separator)].contains(&" ");
            if entry.is_empty() && !beside_a_space {
                return Err(SignatureError::Malformed("the signature header has an empty entry"));
            }
            if entries.len() == MAX_PRESENTED {
                return Err(SignatureError::Malformed("the signature header has too many entries"));
            }
            entries.push(entry);
            let Some((at, separator)) = end else { return Ok(entries) };
            rest = &rest[at + separator.len()..];
            before = separator;
        }
    }

    /// The signatures among `entries`. `fits` says whether a signature can have a number of octets. As the providers'
    /// own libraries do, an entry of another version or form is no match, and no reason to refuse the one beside it.
    #[must_use]
    pub fn read(&self, entries: &[&[u8]], fits: impl Fn(usize) -> bool) -> Candidates {
        let read = |entry: &&[u8]| self.read_one(entry).filter(|octets| fits(octets.len()));
        Candidates(entries.iter().filter_map(read).collect())
    }

    /// What stands behind the label of an entry.
    #[must_use]
    pub fn unlabelled<'a>(&self, entry: &'a [u8]) -> Option<&'a [u8]> {
        match &self.label {
            Label::Prefix(prefix) => entry.strip_prefix(prefix.as_bytes()),
            Label::After(text) => {
                let text = text.as_bytes();
                let at = entry.windows(text.len()).rposition(|window| window == text)?;
                Some(&entry[at + text.len()..])
            }
        }
    }

    fn read_one(&self, entry: &[u8]) -> Option<Octets> {
        self.encoding.decode(self.unlabelled(entry)?)
    }

    /// Writes one signature as this header holds it.
    #[must_use]
    pub fn write(&self, signature: &[u8]) -> String {
        let text = self.encoding.encode(signature);
        match &self.label {
            Label::Prefix(prefix) => format!("{prefix}{text}"),
            Label::After(label) => format!("key{label}{text}"),
        }
    }
}

/// The longest text of a signature that is decoded: the greatest signature in hexadecimal in base64.
const MAX_TEXT: usize = 4 * super::public_key::MAX_SIGNATURE_OCTETS;

impl SignatureEncoding {
    /// Decodes a signature. Its one spelling counts.
    #[must_use]
    pub fn decode(self, text: &[u8]) -> Option<Octets> {
        if text.is_empty() || text.len() > MAX_TEXT {
            return None;
        }
        let base64 = |engine: &GeneralPurpose| {
            let mut octets = Octets::from_elem(0, base64::decoded_len_estimate(text.len()));
            let length = engine.decode_slice(text, &mut octets).ok()?;
            octets.truncate(length);
            Some(octets)
        };
        let hexadecimal = |text: &[u8]| {
            let mut octets = Octets::from_elem(0, text.len() / 2);
            hex::decode_to_slice(text, &mut octets).ok()?;
            Some(octets)
        };
        match self {
            Self::Hex | Self::HexUpper => hexadecimal(text),
            Self::Base64 => base64(&STANDARD),
            Self::Base64Url => base64(&URL_SAFE),
            Self::Base64Hex => {
                let inner = base64(&STANDARD)?;
                // In one case, or the outer text would have many spellings.
                (!inner.iter().any(u8::is_ascii_uppercase)).then(|| hexadecimal(&inner))?
            }
        }
    }

    /// Writes a signature.
    #[must_use]
    pub fn encode(self, octets: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(octets),
            Self::HexUpper => hex::encode_upper(octets),
            Self::Base64 => STANDARD.encode(octets),
            Self::Base64Url => URL_SAFE.encode(octets),
            Self::Base64Hex => STANDARD.encode(hex::encode(octets)),
        }
    }
}

/// Lists are written with a space after the comma, or without; nothing else stands round an entry.
fn without_spaces(mut entry: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = entry {
        entry = rest;
    }
    entry
}

fn find(text: &[u8], separator: &[u8]) -> Option<usize> {
    text.windows(separator.len()).position(|window| window == separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SignatureEncoding; 5] = [
        SignatureEncoding::Hex,
        SignatureEncoding::HexUpper,
        SignatureEncoding::Base64,
        SignatureEncoding::Base64Url,
        SignatureEncoding::Base64Hex,
    ];

    #[test]
    fn what_is_written_is_read_and_nothing_can_be_appended() {
        for octets in [&[0xfb; 20][..], &[7; 32], &[0xff; 64]] {
            for encoding in ALL {
                let text = encoding.encode(octets);
                assert_eq!(encoding.decode(text.as_bytes()).as_deref(), Some(octets), "{encoding:?}");
                for more in ["=", "A", " ", "00", "\n"] {
                    let longer = encoding.decode(format!("{text}{more}").as_bytes());
                    assert!(
                        longer.is_none_or(|longer| longer.len() != octets.len()),
                        "{encoding:?} {more:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_list_has_several_separators() {
        let presented = Presented {
            encoding: SignatureEncoding::Hex,
            label: Label::Prefix("v1=".to_owned()),
            separators: vec![",".to_owned(), " ".to_owned()],
        };
        let entries = presented.entries(b"t=1,v1=aa t=1, v1=bb").unwrap();
        assert_eq!(entries.as_slice(), [&b"t=1"[..], b"v1=aa", b"t=1", b"", b"v1=bb"]);
        let candidates = presented.read(&entries, |length| length == 1);
        assert!(candidates.contain(&[0xaa]) && candidates.contain(&[0xbb]) && !candidates.contain(&[0xab]));
    }

    #[test]
    fn a_label_may_hold_a_key_id() {
        let presented = Presented {
            encoding: SignatureEncoding::Hex,
            label: Label::After("/SHA256/".to_owned()),
            separators: vec![",".to_owned()],
        };
        assert_eq!(presented.unlabelled(b"1/SHA256/ab"), Some(&b"ab"[..]));
        assert_eq!(presented.unlabelled(b"ab"), None);
    }
}
