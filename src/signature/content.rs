//! What is signed: a template of literals and `{id}`, `{timestamp}`, `{body}`.
//!
//! Takes the template from a preset, once. Gives the octets to be authenticated, piece by piece, so that no
//! body is copied to be verified; and the [`Coverage`], which says what the signature really covers.

use std::fmt;

/// A parsed content template, such as Standard Webhooks' `{id}.{timestamp}.{body}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Id,
    Timestamp,
    Body,
}

/// What a signature covers. What it does not cover, anybody who saw one request can change and send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// The message ID's header.
    pub id: bool,
    /// The timestamp's header.
    pub timestamp: bool,
    /// The body, and so every field in it.
    pub body: bool,
}

impl Coverage {
    /// Nothing is signed.
    pub const NONE: Self = Self { id: false, timestamp: false, body: false };
}

/// The values that a template is filled with.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The message ID's header.
    pub id: &'a [u8],
    /// The timestamp's header, as it was sent.
    pub timestamp: &'a [u8],
    /// The exact octets of the body.
    pub body: &'a [u8],
}

impl Content {
    /// Parses a template.
    ///
    /// # Errors
    /// A sentence: an unknown placeholder, a lone brace, or no `{body}` (a signature that does not cover the
    /// body proves nothing about it).
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
            parts.push(match name {
                "id" => Part::Id,
                "timestamp" => Part::Timestamp,
                "body" => Part::Body,
                _ => {
                    return Err(format!(
                        "`{{{name}}}` is unknown; known are {{id}}, {{timestamp}} and {{body}}"
                    ));
                }
            });
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        let count = |part: &Part| parts.iter().filter(|other| *other == part).count();
        if count(&Part::Body) != 1 {
            return Err(format!("`{template}` must have {{body}} exactly once"));
        }
        if count(&Part::Id) > 1 || count(&Part::Timestamp) > 1 {
            return Err(format!("`{template}` has a placeholder twice"));
        }
        Ok(Self { parts })
    }

    /// What a signature over this content covers.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let has = |part: Part| self.parts.contains(&part);
        Coverage { id: has(Part::Id), timestamp: has(Part::Timestamp), body: has(Part::Body) }
    }

    /// Whether the body stands in the content octet for octet, not as a hash or in parts.
    #[must_use]
    pub fn has_verbatim_body(&self) -> bool {
        self.parts.contains(&Part::Body)
    }

    /// The text that follows the ID, by which a reader of the content would find the ID's end.
    #[must_use]
    pub fn border_after_id(&self) -> Option<&str> {
        let mut parts = self.parts.iter().skip_while(|part| **part != Part::Id).skip(1);
        match parts.next() {
            Some(Part::Literal(text)) => Some(text),
            _ => None,
        }
    }

    /// Passes the octets to be signed to `update`, piece by piece.
    pub fn write(&self, values: &Values<'_>, mut update: impl FnMut(&[u8])) {
        for part in &self.parts {
            update(match part {
                Part::Literal(text) => text.as_bytes(),
                Part::Id => values.id,
                Part::Timestamp => values.timestamp,
                Part::Body => values.body,
            });
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| {
            f.write_str(match part {
                Part::Literal(text) => text,
                Part::Id => "{id}",
                Part::Timestamp => "{timestamp}",
                Part::Body => "{body}",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_a_template() {
        let content = Content::parse("v0:{timestamp}:{body}").unwrap();
        let mut out = Vec::new();
        content
            .write(&Values { id: b"x", timestamp: b"17", body: b"{}" }, |part| out.extend_from_slice(part));
        assert_eq!(out, b"v0:17:{}");
        assert_eq!(content.coverage(), Coverage { id: false, timestamp: true, body: true });
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for wrong in
            ["", "{id}", "{body}{body}", "{ts}.{body}", "{body", "body}", "{{body}}", "{id}{id}{body}"]
        {
            assert!(Content::parse(wrong).is_err(), "{wrong}");
        }
    }
}
