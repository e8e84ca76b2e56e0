//! Station 5: what do the octets say?
//!
//! Takes [`Verified`]. Gives [`Decoded`]: the same request, and beside its octets what they are once their
//! `Content-Encoding` is undone. A signature is over the octets as they were sent, so nothing is undone before it is
//! verified; and what comes out may be larger, so it has the limit of a body (`max_body_bytes`) and its share of the
//! budget. What can't be undone is no refusal: it would not change when sent again. Refuses with `Overloaded`.
//!
//! Nobody signs the header. That does no harm: no octets are at once JSON or a form and one of the formats that are undone
//! (both begin with octets that no JSON text has), so a replay with another header can be unreadable and nothing else.
//!
//! Sources: RFC 9110, section 8.4; RFC 1950 (zlib) and RFC 1952 (gzip).

use std::io::Read;

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue, Uri};

use super::source::Ticket;
use super::verify::Verified;
use super::{Received, Rejection};

/// So much is decoded between two looks at the limits.
const CHUNK: usize = 16 * 1024;

/// A genuine request, whose octets can be read, or can't.
#[derive(Debug)]
#[must_use]
pub struct Decoded {
    pub(super) ticket: Ticket,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// The octets that were signed.
    pub(super) body: Bytes,
    pub(super) plain: Plain,
}

/// What a body is without its content-encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plain {
    /// It has none.
    AsSent,
    /// These octets.
    Undone(Bytes),
    /// It can't be told, for this reason.
    Unreadable(String),
}

/// Undoes the content-encoding.
///
/// # Errors
/// `Overloaded`.
pub fn decode(verified: Verified) -> Result<Decoded, Rejection> {
    let Received { mut ticket, uri, headers, body } = verified.into_request();
    let limit = ticket.source.max_body_bytes;
    let mut is_overloaded = false;
    let plain = plain(&headers, &body, limit, |octets| {
        // What there can never be room for is no overload: to try again would be of no use.
        let is_possible = ticket.permit.could_ever_grow(octets);
        is_overloaded = is_possible && !ticket.permit.grow(octets);
        is_possible && !is_overloaded
    });
    if is_overloaded {
        return Err(Rejection::Overloaded);
    }
    Ok(Decoded { ticket, uri, headers, body, plain })
}

/// The pure part. `room` is asked for the octets of each piece before it is kept.
pub(crate) fn plain(
    headers: &HeaderMap,
    body: &Bytes,
    limit: usize,
    room: impl FnMut(usize) -> bool,
) -> Plain {
    let Some(encoding) = encoding(headers) else { return Plain::AsSent };
    let undone = match encoding.as_deref() {
        Some("gzip" | "x-gzip") => undo(MultiGzDecoder::new(&body[..]), limit, room),
        Some("deflate") => undo(ZlibDecoder::new(&body[..]), limit, room),
        Some(other) => Err(format!("its content-encoding `{other}` is not one of gzip and deflate")),
        None => Err("it has more than one content-encoding, or one that is no text".to_owned()),
    };
    undone.map_or_else(Plain::Unreadable, Plain::Undone)
}

/// The one content-encoding, in lower case; `None` in it if there are several. `identity` is none.
fn encoding(headers: &HeaderMap) -> Option<Option<String>> {
    let mut codings: Vec<String> = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let Ok(text) = value.to_str() else { return Some(None) };
        let names = text.split(',').map(|name| name.trim().to_ascii_lowercase());
        codings.extend(names.filter(|name| !name.is_empty() && name != "identity"));
    }
    match codings.len() {
        0 => None,
        1 => Some(codings.pop()),
        _ => Some(None),
    }
}

/// The value of the header, if the body has an encoding: what a consumer needs to undo it.
pub(super) fn header_of(headers: &HeaderMap) -> Option<HeaderValue> {
    encoding(headers)?;
    let values: Vec<&str> =
        headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    HeaderValue::from_str(&values.join(", ")).ok()
}

fn undo(mut encoded: impl Read, limit: usize, mut room: impl FnMut(usize) -> bool) -> Result<Bytes, String> {
    let (mut plain, mut chunk) = (Vec::new(), [0; CHUNK]);
    loop {
        match encoded.read(&mut chunk) {
            Ok(0) => return Ok(plain.into()),
            Ok(count) if plain.len() + count > limit => {
                return Err(format!(
                    "without its content-encoding it is longer than the source's {limit} octets"
                ));
            }
            Ok(count) if !room(count) => {
                return Err("there is no room for it without its content-encoding".to_owned());
            }
            Ok(count) => plain.extend_from_slice(&chunk[..count]),
            Err(error) => return Err(format!("its content-encoding can't be undone: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(octets: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(octets: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    }

    fn read(encodings: &[&str], body: Vec<u8>, limit: usize) -> Plain {
        let headers = encodings.iter().map(|value| (CONTENT_ENCODING, HeaderValue::from_str(value).unwrap()));
        plain(&headers.collect(), &body.into(), limit, |_| true)
    }

    fn is_unreadable(plain: &Plain, why: &str) -> bool {
        matches!(plain, Plain::Unreadable(said) if said.contains(why))
    }

    #[test]
    fn what_is_undone_and_what_is_not() {
        let text = || Plain::Undone(Bytes::from_static(b"{}"));
        for none in [&[][..], &[""], &["identity"], &["Identity, identity"], &["identity", ""]] {
            assert_eq!(read(none, b"{}".to_vec(), 9), Plain::AsSent, "{none:?}");
        }
        for gz in ["gzip", "GZip", "x-gzip", "identity, gzip"] {
            assert_eq!(read(&[gz], gzip(b"{}"), 9), text(), "{gz}");
        }
        assert_eq!(read(&["gzip"], [gzip(b"{"), gzip(b"}")].concat(), 9), text(), "several members");
        assert_eq!(read(&["deflate"], zlib(b"{}"), 9), text());
        for other in ["br", "zstd", "compress", "nonsense"] {
            assert!(is_unreadable(&read(&[other], b"{}".to_vec(), 9), other), "{other}");
        }
        for several in [&["gzip, gzip"][..], &["gzip", "gzip"]] {
            assert!(is_unreadable(&read(several, gzip(&gzip(b"{}")), 9), "more than one"));
        }
        for broken in
            [b"{}".to_vec(), Vec::new(), gzip(b"{}")[..15].to_vec(), [gzip(b"{}"), b"x".to_vec()].concat()]
        {
            assert!(is_unreadable(&read(&["gzip"], broken, 9), "can't be undone"));
        }
    }

    /// Some send DEFLATE without zlib's frame. Almost any text could be such, JSON too, so it is not guessed at.
    #[test]
    fn bare_deflate_is_not_guessed_at() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{}").unwrap();
        assert!(is_unreadable(&read(&["deflate"], encoder.finish().unwrap(), 9), "can't be undone"));
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
        let mut kept = 0;
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let found = plain(&headers, &bomb.into(), 100_000, |octets| {
            kept += octets;
            true
        });
        assert!(is_unreadable(&found, "longer than the source's 100000 octets"), "{found:?}");
        assert!(kept <= 100_000, "{kept}");
        assert_eq!(read(&["gzip"], gzip(&[7; 100]), 100), Plain::Undone(vec![7; 100].into()));
        assert!(is_unreadable(&read(&["gzip"], gzip(&[7; 101]), 100), "longer"));
    }

    #[test]
    fn the_header_is_kept_as_it_was_sent() {
        let headers = |values: &[&'static str]| {
            values.iter().map(|value| (CONTENT_ENCODING, HeaderValue::from_static(value))).collect()
        };
        assert_eq!(header_of(&headers(&[])), None);
        assert_eq!(header_of(&headers(&["identity"])), None);
        assert_eq!(header_of(&headers(&["GZip"])).unwrap(), "GZip");
        assert_eq!(header_of(&headers(&["gzip", "br"])).unwrap(), "gzip, br");
    }

    proptest! {
        #[test]
        fn whatever_was_encoded_is_found_again(octets in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let found = |plain| matches!(plain, Plain::Undone(undone) if undone == octets);
            prop_assert!(found(read(&["gzip"], gzip(&octets), 5000)));
            prop_assert!(found(read(&["deflate"], zlib(&octets), 5000)));
        }

        #[test]
        fn no_octets_are_too_strange(octets in proptest::collection::vec(any::<u8>(), 0..500), gz in any::<bool>()) {
            let _ = read(&[if gz { "gzip" } else { "deflate" }], octets, 1000);
        }

        /// Whoever replays a request with a header of their own can't make other JSON of it.
        #[test]
        fn no_json_is_an_encoded_body(rest in "[ -~]{0,60}", gz in any::<bool>()) {
            for start in ["{", "[", "\"", " {", "\n["] {
                let body = format!("{start}{rest}").into_bytes();
                let found = read(&[if gz { "gzip" } else { "deflate" }], body, 1000);
                prop_assert!(is_unreadable(&found, "can't be undone"), "{:?}", found);
            }
        }
    }
}
