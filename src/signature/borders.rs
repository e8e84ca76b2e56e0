//! The borders between the values of signed content.
//!
//! Takes a template's parts and the octets that fill them. Says whether they can be read back in one way alone. A
//! signature is over their sequence: if the border between two of them can be moved, whoever has seen one request can
//! send others with its signature.
//!
//! The body has any form, so the other values must end of themselves, towards the body: at a literal that they do not
//! have in them, or, where none stands there, by having only octets that no JSON document begins or ends with, beside a body
//! that is one. Times end where their form does, and digests have one length.

use std::borrow::Cow;

use super::content::Part;
use super::error::SignatureError;

const ENDS_EARLY: SignatureError = SignatureError::Malformed(
    "a signed value, such as the message ID, has in it what ends it in the signed content",
);
const NO_DOCUMENT: SignatureError = SignatureError::Malformed(
    "the body, beside which nothing marks its border in the signed content, is no JSON object or array",
);

/// Whether a request is refused for its borders alone: they are looked at when its signature has been found right.
#[must_use]
pub(crate) fn are_the_fault(error: &SignatureError) -> bool {
    [ENDS_EARLY, NO_DOCUMENT].contains(error)
}

/// Checks a request's values. `pieces` are those of `parts`, one for one.
pub(super) fn check(parts: &[Part], pieces: &[Cow<'_, [u8]>]) -> Result<(), SignatureError> {
    let body = parts.iter().position(|part| *part == Part::Body);
    for (index, (part, value)) in parts.iter().zip(pieces).enumerate() {
        if !is_free(part) {
            continue;
        }
        let is_after_body = body.is_some_and(|body| body < index);
        let neighbour = if is_after_body { index.checked_sub(1) } else { Some(index + 1) };
        let neighbour = neighbour.and_then(|neighbour| parts.get(neighbour));
        let is_plain = match neighbour {
            None => true,
            Some(Part::Literal(text)) => !contains(value, text.as_bytes()),
            Some(_) => value.iter().all(is_of_identifiers),
        };
        if !is_plain {
            return Err(ENDS_EARLY);
        }
    }
    // A query and a body may have each other's literals: the one has no octet that the other begins or ends with.
    let needs_document = |pair: &[Part]| pair.contains(&Part::Body) && pair.iter().any(is_free);
    let has_query = parts.iter().any(|part| matches!(part, Part::Query { .. }));
    if let Some(body) = body
        && (has_query || parts.windows(2).any(needs_document))
        && !is_document(&pieces[body])
    {
        return Err(NO_DOCUMENT);
    }
    Ok(())
}

/// Values between which no border can be told, in a template.
pub(super) fn open(parts: &[Part]) -> Option<String> {
    let shown = |parts: &[Part]| parts.iter().map(Part::to_string).collect();
    // A checksum has no fixed length, and whoever writes the body chooses it; a query may hold whatever follows it.
    let begins = |part: &Part| {
        is_free(part) || matches!(part, Part::BodyCrc32 | Part::Url { .. } | Part::Query { .. })
    };
    let ends = |part: &Part| is_free(part) || *part == Part::BodyCrc32;
    let pair = parts.windows(2).find(|pair| begins(&pair[0]) && ends(&pair[1]));
    // What has a form of its own can be found at another place, if both sides of it are free.
    let between = |part: &Part| matches!(part, Part::Timestamp | Part::BodySha256Hex);
    let three = parts.windows(3).find(|three| is_free(&three[0]) && between(&three[1]) && is_free(&three[2]));
    pair.map(shown).or_else(|| three.map(shown))
}

/// Whether a value has no form of its own.
fn is_free(part: &Part) -> bool {
    matches!(part, Part::Id | Part::Header(_) | Part::Json(_))
}

/// What UUIDs, numbers and base64 have.
fn is_of_identifiers(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || b"+/=-_".contains(octet)
}

fn contains(value: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && value.windows(text.len()).any(|window| window == text)
}

fn is_document(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    matches!((body.first(), body.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::super::content::{Account, Content};
    use super::super::message::Message;

    fn filled(template: &str, a: &str, b: &str, query: Option<&str>, body: &str) -> Option<Vec<u8>> {
        let account = Account { public_url: Some("https://a.example/w".to_owned()), ..Account::default() };
        let content = Content::parse(template).unwrap().bind(&account).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("a", HeaderValue::from_str(a).ok()?);
        headers.insert("b", HeaderValue::from_str(b).ok()?);
        let message = Message { headers: &headers, query, body: body.as_bytes() };
        let pieces = content.fill(&message, b"", b"").ok()?;
        content.check_borders(&pieces).ok().map(|()| pieces.concat())
    }

    #[test]
    fn a_border_that_was_moved_is_refused() {
        let doc = r#"{"a":1,"evil":0}"#;
        for (template, a, b, query, body) in [
            ("{header:a}{body}{header:b}", r#"n1{"a":1,"evil""#, "}z", None, ":0"),
            ("{header:a}.{body}", r#"n1.{"v":1"#, "z", None, r#"5,"w":2}"#),
            ("{body}.{header:b}", "n", "1.2", None, doc),
            ("{url}{body}", "n", "z", None, "?a=b[1]"),
            ("{url}{body}", "n", "z", Some("a=b"), "&c=d[1]"),
            ("{url}.{body}", "n", "z", Some("a"), "b.[1]"),
            ("{body}{url}", "n", "z", None, r#"{"a":1}https://a.example/w?x="#),
        ] {
            assert_eq!(filled(template, a, b, query, body), None, "{template} {a} {body}");
            assert!(filled(template, "n1", "z", query, doc).is_some(), "{template}");
        }
        // Providers end a body with a newline at times.
        assert!(filled("{url}{body}", "n", "z", Some("a=b"), "[1]\n").is_some());
    }

    #[test]
    fn a_template_without_borders_is_told() {
        for (template, border) in [
            ("{id}{header:b}{body}", Some("{id}{header:b}")),
            ("{header:a}{body_crc32}", Some("{header:a}{body_crc32}")),
            ("{body_crc32}{header:a}", Some("{body_crc32}{header:a}")),
            ("{body}{url}{header:b}", Some("{url}{header:b}")),
            ("{header:a}{body_sha256_hex}{header:b}", Some("{header:a}{body_sha256_hex}{header:b}")),
            ("{id}{timestamp}{header:b}.{body}", Some("{id}{timestamp}{header:b}")),
            ("{id}{timestamp}{body}", None),
            ("{header:a}{body_sha256_hex}.{header:b}", None),
            ("{header:a}{body_sha256_hex}", None),
            ("{header:a}|{body_crc32}|{header:b}", None),
            ("{method}{url}{body}{timestamp}", None),
            ("{header:a}{url}{body}", None),
        ] {
            assert_eq!(Content::parse(template).unwrap().open_border().as_deref(), border, "{template}");
        }
    }

    proptest! {
        /// Whatever two requests give the same content are the same request.
        #[test]
        fn content_is_read_back_in_one_way(
            template in prop::sample::select(&[
                "{header:a}{body}{header:b}", "{header:a}.{body}", "{header:a}.{header:b}.{body}", "{body}.{header:b}",
                "{url}{body}", "{body}{url}", "{header:a}.{header:b}",
            ][..]),
            text in "[ab.?{}\\[\\]]{1,14}",
            cuts in prop::collection::vec((0usize..15, 0usize..15), 2),
        ) {
            let request = |(one, other): (usize, usize)| {
                let (first, second) = (one.min(other).min(text.len()), one.max(other).min(text.len()));
                (text[..first].to_owned(), text[first..second].to_owned(), text[second..].to_owned())
            };
            let (x, y) = (request(cuts[0]), request(cuts[1]));
            let fill = |(a, body, b): &(String, String, String)| {
                let query = Some(a.as_str()).filter(|_| template.contains("url"));
                let legal = query.is_none_or(|query| !query.contains(['{', '}', '[', ']']));
                filled(template, a, b, query, body).filter(|_| legal)
            };
            if let (Some(one), Some(other)) = (fill(&x), fill(&y))
                && one == other
            {
                let read = |(a, body, b): &(String, String, String)| {
                    let has = |part: &str| template.contains(part);
                    (
                        a.clone().clone().chars().filter(|_| has(":a}") || has("url")).collect::<String>(),
                        body.chars().filter(|_| has("{body}")).collect::<String>(),
                        b.chars().filter(|_| has(":b}")).collect::<String>(),
                    )
                };
                prop_assert_eq!(read(&x), read(&y));
            }
        }
    }
}
