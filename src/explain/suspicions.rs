//! What speaks for a cause and proves none: signs in the request itself.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::IgnoredAny;

use super::capture::Capture;
use super::cause::Cause;
use super::report::Finding;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Every sign that there is, the strongest first.
pub(crate) fn of(capture: &Capture) -> Vec<Finding> {
    let body = &capture.body;
    let text_of = |name| capture.headers.get(name).and_then(|value| value.to_str().ok());
    let length = text_of(CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    let encoding = text_of(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let is_compressed = body.starts_with(GZIP) || body.starts_with(ZSTD);
    let mut found = Vec::new();
    let mut suspect = |cause, text: String| found.push(Finding::suspected(cause, text));
    if is_compressed && encoding.is_none() {
        let text = "the body is compressed, and no Content-Encoding says so: something on the way compressed it, \
                    or took off the header";
        suspect(Cause::BodyCompressed, text.to_owned());
    } else if is_compressed {
        suspect(
            Cause::BodyCompressed,
            "the body is compressed, and may have been signed before it was".to_owned(),
        );
    } else if encoding.is_some() {
        let text = "Content-Encoding says that the body is compressed, and it is not: something on the way \
                    decompressed it, and the signature may be over what was sent";
        suspect(Cause::BodyDecompressed, text.to_owned());
    }
    match length {
        _ if body.is_empty() => {
            suspect(
                Cause::BodyEmpty,
                "the body is empty: it was lost on the way, or in the capture".to_owned(),
            );
        }
        Some(length) if length > body.len() => {
            let text = format!(
                "Content-Length says {length} octets, and the body has {}: it is cut off",
                body.len()
            );
            suspect(Cause::BodyTruncated, text);
        }
        Some(length) if length < body.len() => {
            let text = format!(
                "Content-Length says {length} octets, and the body has {}: it was written anew after it was sent",
                body.len()
            );
            suspect(Cause::BodyAppended, text);
        }
        _ => {}
    }
    if !body.is_empty()
        && text_of(CONTENT_TYPE).is_some_and(|media_type| media_type.contains("json"))
        && !is_compressed
    {
        match serde_json::from_slice::<IgnoredAny>(body) {
            Err(error) if error.is_eof() && length.is_none_or(|length| length == body.len()) => {
                suspect(
                    Cause::BodyTruncated,
                    "the body is JSON that ends too soon: it is cut off".to_owned(),
                );
            }
            _ => {}
        }
    }
    if body.windows(REPLACEMENT.len()).any(|window| window == REPLACEMENT) {
        let text = "the body holds U+FFFD: something on the way read it in the wrong charset, and put that for what \
                    it could not read";
        suspect(Cause::BodyCharset, text.to_owned());
    }
    found
}
