//! Hypotheses about the body's charset: its characters were kept, and its octets were not.
//!
//! Latin-1 (ISO 8859-1), and Windows-1252, which is what software means by it.

use super::bench::Hypothesis;
use super::cause::Cause;

/// The characters of Windows-1252 from 0x80 to 0x9f; the five that have none stand for themselves.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

pub(super) fn hypotheses() -> Vec<Hypothesis> {
    let mut hypotheses = Vec::new();
    for (name, windows) in [("Latin-1", false), ("Windows-1252", true)] {
        let text = format!("the body was UTF-8, was read as {name}, and written as UTF-8 again");
        hypotheses.push(Hypothesis::body(Cause::BodyCharset, text, move |body| {
            encode(body, windows).filter(|octets| std::str::from_utf8(octets).is_ok())
        }));
        let text = format!("the body was {name}, and was made UTF-8");
        hypotheses.push(Hypothesis::body(Cause::BodyCharset, text, move |body| encode(body, windows)));
        let text = format!("the body was UTF-8, and was made {name}");
        hypotheses.push(Hypothesis::body(Cause::BodyCharset, text, move |body| decode(body, windows)));
    }
    hypotheses
}

/// UTF-8 to the charset; nothing, if it has no such character or nothing would be changed.
fn encode(body: &[u8], windows: bool) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok().filter(|text| !text.is_ascii())?;
    text.chars()
        .map(|c| match WINDOWS_1252.iter().position(|other| *other == c) {
            Some(index) if windows => u8::try_from(0x80 + index).ok(),
            _ => u8::try_from(u32::from(c)).ok(),
        })
        .collect()
}

/// The charset to UTF-8.
fn decode(body: &[u8], windows: bool) -> Option<Vec<u8>> {
    if body.is_ascii() {
        return None;
    }
    let text: String = body
        .iter()
        .map(|octet| match octet {
            0x80..=0x9f if windows => WINDOWS_1252[usize::from(octet - 0x80)],
            octet => char::from(*octet),
        })
        .collect();
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_go_there_and_back() {
        assert_eq!(encode("é".as_bytes(), false).unwrap(), [0xe9]);
        assert_eq!(encode("’é".as_bytes(), true).unwrap(), [0x92, 0xe9]);
        assert_eq!(encode("’".as_bytes(), false), None);
        assert_eq!(encode(b"plain", true), None);
        assert_eq!(decode(&[0x92, 0xe9], true).unwrap(), "’é".as_bytes());
        // Mojibake: the octets of UTF-8, read as Windows-1252.
        assert_eq!(encode("â€™".as_bytes(), true).unwrap(), "’".as_bytes());
        assert_eq!(decode("’".as_bytes(), true).unwrap(), "â€™".as_bytes());
    }
}
