//! What is signed: a template of literals and placeholders.
//!
//! Takes the template from a preset, once. Gives the octets to be authenticated as [`Pieces`], so that no body is
//! copied to be verified by a MAC; and says what the signature really covers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use http::HeaderName;
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;

use super::borders;
use super::error::SignatureError;
use super::message::{Message, header_place, json_place};
use crate::json::{MAX_POINTERS, Pointer};

/// The placeholders, as an error names them.
const KNOWN: &str = "{id}, {timestamp}, {body}, {body_sha256_hex}, {body_crc32}, {method}, {url}, {url_decoded}, {header:NAME}, {json:/POINTER} and {parameter:NAME}";

/// A parsed content template, such as Standard Webhooks' `{id}.{timestamp}.{body}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Id,
    Timestamp,
    Body,
    BodySha256Hex,
    BodyCrc32,
    Method,
    /// The public URL, and the request's query where it names none. `bind` leaves the query alone.
    Url {
        decoded: bool,
    },
    Query {
        decoded: bool,
    },
    Header(HeaderName),
    Json(Pointer),
    Parameter(String),
}

/// What a source says about itself that some schemes sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The URL that the provider posts to, as the provider has it, its query included.
    pub public_url: Option<String>,
    /// Further values, by name.
    pub parameters: BTreeMap<String, String>,
}

/// The octets to be signed, in order.
pub type Pieces<'a> = SmallVec<[Cow<'a, [u8]>; 8]>;

impl Content {
    /// Parses a template.
    ///
    /// # Errors
    /// A sentence: an unknown placeholder, a lone brace, or one that may stand only once and stands twice.
    pub fn parse(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(open) = rest.find(['{', '}']) {
            let (literal, tail) = rest.split_at(open);
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let name = tail.strip_prefix('{').and_then(|tail| tail.split_once('}'));
            let Some((name, tail)) = name else {
                return Err(format!("`{template}` has a brace without its partner"));
            };
            parts.push(Part::parse(name)?);
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        if parts.is_empty() {
            return Err("the content is empty: nothing would be signed".to_owned());
        }
        for part in [Part::Id, Part::Timestamp, Part::Body] {
            if parts.iter().filter(|other| **other == part).count() > 1 {
                return Err(format!("`{template}` has `{part}` twice"));
            }
        }
        if parts.iter().filter(|part| matches!(part, Part::Url { .. })).count() > 1 {
            return Err(format!("`{template}` has the URL twice"));
        }
        let content = Self { parts };
        if content.pointers().count() > MAX_POINTERS {
            return Err(format!("`{template}` looks at more than {MAX_POINTERS} places in the body"));
        }
        Ok(content)
    }

    /// Fills in what the source says about itself.
    ///
    /// # Errors
    /// What the source does not say: the key that is missing, and a sentence.
    pub fn bind(self, account: &Account) -> Result<Self, (String, String)> {
        let mut parts = Vec::new();
        for part in self.parts {
            match part {
                Part::Url { decoded } => {
                    let url = account.public_url.as_deref().ok_or_else(|| {
                        let why = "the scheme signs the URL: give it as the provider has it";
                        ("public_url".to_owned(), why.to_owned())
                    })?;
                    parts.push(Part::Literal(if decoded { decode_url(url) } else { url.to_owned() }));
                    if !url.contains('?') {
                        parts.push(Part::Query { decoded });
                    }
                }
                Part::Parameter(name) => match account.parameters.get(&name) {
                    Some(value) => parts.push(Part::Literal(value.clone())),
                    None => {
                        let why = format!("the scheme signs the parameter `{name}`: give its value");
                        return Err(("parameters".to_owned(), why));
                    }
                },
                Part::Method => parts.push(Part::Literal("POST".to_owned())),
                part => parts.push(part),
            }
        }
        Ok(Self { parts })
    }

    /// The names of the parameters that a source has to give.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Parameter(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the message ID is signed.
    #[must_use]
    pub fn has_id(&self) -> bool {
        self.parts.contains(&Part::Id)
    }

    /// Whether a timestamp outside the body is signed.
    #[must_use]
    pub fn has_timestamp(&self) -> bool {
        self.parts.contains(&Part::Timestamp)
    }

    /// Whether every octet of the body is signed. A checksum is no signature: another body with the same one is
    /// quickly found.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Body | Part::BodySha256Hex))
    }

    /// Whether anything of the body is signed: all of it, values in it, or a checksum.
    #[must_use]
    pub fn says_of_the_body(&self) -> bool {
        self.has_body() || self.parts.iter().any(|part| matches!(part, Part::Json(_) | Part::BodyCrc32))
    }

    /// Whether the URL is signed.
    #[must_use]
    pub fn has_url(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Url { .. } | Part::Query { .. }))
    }

    /// The headers that are signed by name.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.parts.iter().filter_map(|part| match part {
            Part::Header(name) => Some(name),
            _ => None,
        })
    }

    /// The places in the body that are signed by name.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.parts.iter().filter_map(|part| match part {
            Part::Json(pointer) => Some(pointer),
            _ => None,
        })
    }

    /// Whether the body stands in the content octet for octet, not as a hash or in parts.
    #[must_use]
    pub fn has_verbatim_body(&self) -> bool {
        self.parts.contains(&Part::Body)
    }

    /// Two values that stand side by side, and between which no border can be told.
    #[must_use]
    pub fn open_border(&self) -> Option<String> {
        borders::open(&self.parts)
    }

    /// Whether the timestamp is followed by a value, with nothing between them, or by what a date may go on with: a
    /// fraction or a zone.
    #[must_use]
    pub fn is_open_after_timestamp(&self) -> bool {
        let mut parts = self.parts.iter().skip_while(|part| **part != Part::Timestamp).skip(1);
        parts.next().is_some_and(|part| match part {
            Part::Literal(text) => text.starts_with(['.', '+', '-', 'Z', 'z']),
            _ => true,
        })
    }

    /// Whether what was filled in can be read back in one way alone.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`].
    pub fn check_borders(&self, pieces: &Pieces<'_>) -> Result<(), SignatureError> {
        borders::check(&self.parts, pieces)
    }

    /// The octets to be signed of a request whose ID and timestamp have been read.
    ///
    /// # Errors
    /// [`SignatureError`] of a named header, or place in the body, that is absent or there twice.
    pub fn fill<'a>(
        &'a self,
        message: &Message<'a>,
        id: &'a [u8],
        timestamp: &'a [u8],
    ) -> Result<Pieces<'a>, SignatureError> {
        let pointers: SmallVec<[&Pointer; 4]> = self.pointers().collect();
        let values = if pointers.is_empty() { Vec::new() } else { message.json(&pointers)? };
        let mut values = values.into_iter();
        self.parts.iter().map(|part| self.piece(part, message, id, timestamp, &mut values)).collect()
    }

    fn piece<'a>(
        &'a self,
        part: &'a Part,
        message: &Message<'a>,
        id: &'a [u8],
        timestamp: &'a [u8],
        values: &mut impl Iterator<Item = Option<Cow<'a, str>>>,
    ) -> Result<Cow<'a, [u8]>, SignatureError> {
        Ok(match part {
            Part::Literal(text) => Cow::Borrowed(text.as_bytes()),
            Part::Id => Cow::Borrowed(id),
            Part::Timestamp => Cow::Borrowed(timestamp),
            Part::Body => Cow::Borrowed(message.body),
            Part::BodySha256Hex => Cow::Owned(hex::encode(Sha256::digest(message.body)).into_bytes()),
            Part::BodyCrc32 => Cow::Owned(crc32fast::hash(message.body).to_string().into_bytes()),
            Part::Header(name) => {
                let value = message.header(std::slice::from_ref(name), &mut None)?;
                if value.is_empty() {
                    return Err(SignatureError::Missing(header_place(name)));
                }
                Cow::Borrowed(value)
            }
            Part::Json(pointer) => match values.next().flatten() {
                Some(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
                Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
                None => return Err(SignatureError::Missing(json_place(pointer))),
            },
            Part::Query { decoded } => match message.query {
                None => Cow::Borrowed(&[]),
                Some(query) if *decoded => Cow::Owned(format!("?{}", decode_url(query)).into_bytes()),
                Some(query) => Cow::Owned(format!("?{query}").into_bytes()),
            },
            // `bind` has put literals in their place before any request comes.
            Part::Method | Part::Url { .. } | Part::Parameter(_) => {
                return Err(SignatureError::Malformed("the scheme signs what the source does not say"));
            }
        })
    }
}

/// The escapes that HubSpot takes for the characters themselves before it signs a URL, and no others ("Validating
/// requests from HubSpot", signature v3).
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

fn decode_url(url: &str) -> String {
    DECODED.iter().fold(url.to_owned(), |url, (escape, character)| url.replace(escape, character))
}

impl Part {
    fn parse(name: &str) -> Result<Self, String> {
        Ok(match name.split_once(':') {
            None => match name {
                "id" => Self::Id,
                "timestamp" => Self::Timestamp,
                "body" => Self::Body,
                "body_sha256_hex" => Self::BodySha256Hex,
                "body_crc32" => Self::BodyCrc32,
                "method" => Self::Method,
                "url" => Self::Url { decoded: false },
                "url_decoded" => Self::Url { decoded: true },
                _ => return Err(format!("`{{{name}}}` is unknown; known are {KNOWN}")),
            },
            Some(("header", header)) => {
                Self::Header(header.parse().map_err(|_| format!("`{header}` can't be a header's name"))?)
            }
            Some(("json", pointer)) => Self::Json(Pointer::parse(pointer)?),
            Some(("parameter", parameter)) if !parameter.is_empty() => Self::Parameter(parameter.to_owned()),
            Some(_) => return Err(format!("`{{{name}}}` is unknown; known are {KNOWN}")),
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Id => f.write_str("{id}"),
            Self::Timestamp => f.write_str("{timestamp}"),
            Self::Body => f.write_str("{body}"),
            Self::BodySha256Hex => f.write_str("{body_sha256_hex}"),
            Self::BodyCrc32 => f.write_str("{body_crc32}"),
            Self::Method => f.write_str("{method}"),
            Self::Url { decoded: false } => f.write_str("{url}"),
            Self::Url { decoded: true } => f.write_str("{url_decoded}"),
            Self::Query { .. } => f.write_str("{query}"),
            Self::Header(name) => write!(f, "{{header:{name}}}"),
            Self::Json(pointer) => write!(f, "{{json:{pointer}}}"),
            Self::Parameter(name) => write!(f, "{{parameter:{name}}}"),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| write!(f, "{part}"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn filled(template: &str, body: &[u8], account: &Account) -> String {
        let content = Content::parse(template).unwrap().bind(account).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-trace", "t-1".parse().unwrap());
        let message = Message { headers: &headers, query: None, body };
        let pieces = content.fill(&message, b"x", b"17").unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn fills_in_a_template() {
        let account = Account {
            public_url: Some("https://a.example/hook?x=1".to_owned()),
            parameters: [("shop".to_owned(), "s1".to_owned())].into(),
        };
        let body = br#"{"a":{"b":"\u00e9"},"n":1.50}"#;
        for (template, expected) in [
            ("v0:{timestamp}:{id}", "v0:17:x"),
            ("{method}{url}|", "POSThttps://a.example/hook?x=1|"),
            ("{url_decoded}|", "https://a.example/hook?x=1|"),
            ("{header:X-Trace}{parameter:shop}", "t-1s1"),
            ("{json:/a/b}-{json:/n}", "é-1.50"),
            ("{body_crc32}", "4142021914"),
        ] {
            let expected = if template == "{body_crc32}" {
                crc32fast::hash(body).to_string()
            } else {
                expected.to_owned()
            };
            assert_eq!(filled(template, body, &account), expected);
        }
        assert_eq!(
            filled("{body_sha256_hex}", b"", &account),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(filled("{body_crc32}", b"123456789", &account), "3421780262");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for wrong in [
            "",
            "{body}{body}",
            "{ts}.{body}",
            "{body",
            "body}",
            "{{body}}",
            "{id}{id}{body}",
            "{header:}",
            "{json:a}",
            "{parameter:}",
            "{env:HOME}",
        ] {
            assert!(Content::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// `2026-01-01T00:00:00.5Z.{}` would be a date and `{}`, or a date without a zone and `5Z.{}`.
    #[test]
    fn a_date_ends_where_it_can_not_go_on() {
        for (template, is_open) in [
            ("{timestamp}{body}", true),
            ("{timestamp}.{body}", true),
            ("{timestamp}-{body}", true),
            ("{timestamp}:{body}", false),
            ("{timestamp}|{body}", false),
            ("{body}.{timestamp}", false),
        ] {
            assert_eq!(Content::parse(template).unwrap().is_open_after_timestamp(), is_open, "{template}");
        }
    }

    #[test]
    fn what_the_source_must_say_is_missed() {
        for (template, key) in [("{url}{body}", "public_url"), ("{parameter:a}{body}", "parameters")] {
            assert_eq!(Content::parse(template).unwrap().bind(&Account::default()).unwrap_err().0, key);
        }
    }
}
