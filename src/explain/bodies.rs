//! Hypotheses about the body: what was signed is not what arrived.
//!
//! Takes nothing but the octets, when each is tried: one other body is in memory at a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bench::Hypothesis;
use super::capture::Capture;
use super::cause::Cause;
use super::{charset, form, json_text};

/// The larger part of the bodies that are seen; above it the JSON is written anew in fewer ways.
const LARGE_BODY: usize = 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Every other body, the least change first.
pub(crate) fn hypotheses(capture: &Capture) -> Vec<Hypothesis> {
    let mut hypotheses = ends();
    hypotheses.extend(line_endings());
    hypotheses.extend(charset::hypotheses());
    hypotheses.extend(framing(capture));
    hypotheses.extend(form::hypotheses());
    let most = if capture.body.len() > LARGE_BODY { 1 } else { json_text::MOST_CHANGES };
    hypotheses.extend(json_text::hypotheses(most));
    hypotheses
}

/// The bodies that are combined with other mistakes.
pub(crate) fn plain(capture: &Capture) -> Vec<Hypothesis> {
    let mut hypotheses = ends();
    hypotheses.extend(line_endings());
    hypotheses.extend(charset::hypotheses());
    hypotheses.extend(framing(capture));
    hypotheses.extend(form::hypotheses());
    hypotheses.extend(json_text::hypotheses(1));
    hypotheses
}

fn ends() -> Vec<Hypothesis> {
    let newline =
        |text: &str, change: fn(&[u8]) -> Option<Vec<u8>>| Hypothesis::body(Cause::BodyNewline, text, change);
    let bom =
        |text: &str, change: fn(&[u8]) -> Option<Vec<u8>>| Hypothesis::body(Cause::BodyBom, text, change);
    vec![
        newline("a newline was added at the end of the body", |body| {
            Some(body.strip_suffix(b"\n").map(|body| body.strip_suffix(b"\r").unwrap_or(body))?.to_vec())
        }),
        newline("the newline at the end of the body was taken off", |body| Some([body, b"\n"].concat())),
        newline("the carriage return and newline at the end of the body were taken off", |body| {
            Some([body, b"\r\n"].concat())
        }),
        newline("white space was added round the body", |body| Some(body.trim_ascii().to_vec())),
        bom("a byte order mark was put before the body", |body| Some(body.strip_prefix(BOM)?.to_vec())),
        bom("the byte order mark before the body was taken off", |body| Some([BOM, body].concat())),
    ]
}

fn line_endings() -> Vec<Hypothesis> {
    let lf = |body: &[u8]| -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len());
        for (index, octet) in body.iter().enumerate() {
            if !(*octet == b'\r' && body.get(index + 1) == Some(&b'\n')) {
                out.push(*octet);
            }
        }
        out
    };
    let crlf = move |body: &[u8]| -> Vec<u8> {
        lf(body)
            .into_iter()
            .flat_map(|octet| {
                [b"\r".as_slice(), b""][usize::from(octet != b'\n')].iter().copied().chain([octet])
            })
            .collect()
    };
    vec![
        Hypothesis::body(
            Cause::BodyLineEndings,
            "the body's line ends were CRLF, and were made LF",
            move |body| body.contains(&b'\n').then(|| crlf(body)),
        ),
        Hypothesis::body(
            Cause::BodyLineEndings,
            "the body's line ends were LF, and were made CRLF",
            move |body| body.contains(&b'\r').then(|| lf(body)),
        ),
    ]
}

/// What carries a body, and is left in or round it.
fn framing(capture: &Capture) -> Vec<Hypothesis> {
    let length = capture.headers.get(http::header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    vec![
        Hypothesis::body(
            Cause::BodyAppended,
            "more octets follow the body than Content-Length says",
            move |body| Some(body.get(..length?)?.to_vec()),
        ),
        Hypothesis::body(Cause::BodyChunked, "the body still has the framing of chunked transfer", unchunked),
        Hypothesis::body(Cause::BodyEncoded, "the body is given in base64", |body| {
            STANDARD.decode(body.trim_ascii()).ok()
        }),
        Hypothesis::body(Cause::BodyEncoded, "the body is given as a JSON text, in quotes", |body| {
            serde_json::from_slice::<String>(body).ok().map(String::into_bytes)
        }),
        Hypothesis::body(Cause::BodyEmpty, "nothing was signed for a body: it was put in later", |_| {
            Some(Vec::new())
        }),
    ]
}

/// Takes off the framing of RFC 9112, section 7.1.
fn unchunked(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = body;
    loop {
        let end = rest.iter().position(|octet| *octet == b'\n')?;
        let size = rest[..end].trim_ascii().split(|octet| *octet == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        rest = &rest[end + 1..];
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(rest.get(..size)?);
        rest = &rest[size..];
        rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_endings_go_both_ways() {
        let all = line_endings();
        let change = |index: usize, body: &[u8]| match &all[index].otherwise {
            super::super::bench::Otherwise::Body(change) => change(body),
            _ => None,
        };
        assert_eq!(change(0, b"a\nb\r\n").unwrap(), b"a\r\nb\r\n");
        assert_eq!(change(1, b"a\nb\r\n\r").unwrap(), b"a\nb\n\r");
        assert!(change(0, b"a").is_none() && change(1, b"a\n").is_none());
    }

    #[test]
    fn chunks_are_joined() {
        assert_eq!(unchunked(b"4\r\nWiki\r\nA;x=1\r\npedia in ch\r\n0\r\n\r\n"), None, "a chunk is too long");
        assert_eq!(unchunked(b"4\r\nWiki\r\nA;x=1\r\npedia in c\r\n0\r\n\r\n").unwrap(), b"Wikipedia in c");
        for wrong in [&b""[..], b"4\r\nWi", b"{}", b"ffffffffffffffffff\r\n", b"4\r\nWiki"] {
            assert_eq!(unchunked(wrong), None);
        }
    }
}
