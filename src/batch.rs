//! A body that is a batch: where its list stands, and the exact octets of each element.
//!
//! Takes the body and a JSON Pointer. Gives the elements, each a slice that shares the body's octets, without the
//! blanks round it. What stands in an element is not looked at: an element that can't be read later is one bad
//! element, not a bad batch. That goes for octets that are no UTF-8, too, as long as they stand in a text.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Pointer, is_index, pass_over_scalars};

/// The most elements of one batch: far more than any provider sends, and each becomes a record.
pub const MAX_ELEMENTS: usize = 10_000;

/// What stands for an octet that is no UTF-8 while the elements are looked for: it may stand in a JSON text, and
/// nowhere else.
const STAND_IN: u8 = 0x7f;

/// Where the list stands in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    segments: Vec<String>,
}

/// Why a body has no elements.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotABatch {
    /// It is not JSON, or a key on the way to the list is given twice. The text names line and column, and nothing
    /// of the body.
    #[error("{0}")]
    Unreadable(String),
    /// There is no list.
    #[error("no list stands at {0}")]
    NoList(Split),
    /// There are too many.
    #[error("the batch has more than {MAX_ELEMENTS} elements")]
    TooMany,
}

impl Split {
    /// Parses a JSON Pointer (RFC 6901): `/events`, or the empty text for a body that is a list itself.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(pointer: &str) -> Result<Self, String> {
        match pointer {
            "" => Ok(Self { segments: Vec::new() }),
            pointer => Ok(Self { segments: Pointer::parse(pointer)?.segments().to_vec() }),
        }
    }

    /// The elements, in their order. An empty list has none.
    ///
    /// # Errors
    /// See [`NotABatch`].
    pub fn elements(&self, body: &Bytes) -> Result<Vec<Bytes>, NotABatch> {
        match self.look(body, body) {
            Err(NotABatch::Unreadable(why)) if std::str::from_utf8(body).is_err() => {
                // The stand-ins change no octet's place, so the elements are found where they are.
                self.look(&with_stand_ins(body), body).map_err(|error| match error {
                    NotABatch::Unreadable(_) => NotABatch::Unreadable(why),
                    error => error,
                })
            }
            found => found,
        }
    }

    fn look(&self, text: &[u8], body: &Bytes) -> Result<Vec<Bytes>, NotABatch> {
        let mut list = List { text, body, elements: None, too_many: false };
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let walk = Walk { segments: &self.segments, list: &mut list };
        let read = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        match (read, list) {
            (_, List { too_many: true, .. }) => Err(NotABatch::TooMany),
            (Err(error), _) => Err(NotABatch::Unreadable(error.to_string())),
            (Ok(()), List { elements: Some(elements), .. }) => Ok(elements),
            (Ok(()), _) => Err(NotABatch::NoList(self.clone())),
        }
    }
}

impl NotABatch {
    /// Where the list should be (a JSON Pointer), where that is what is wrong.
    #[must_use]
    pub fn fault_path(&self) -> Option<String> {
        match self {
            Self::NoList(split) => Some(match split.segments.is_empty() {
                true => String::new(),
                false => split.to_string(),
            }),
            Self::Unreadable(_) | Self::TooMany => None,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.segments.is_empty() {
            true => f.write_str("the top of the body"),
            false => Pointer::write(&self.segments, f),
        }
    }
}

fn with_stand_ins(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        text.resize(text.len() + chunk.invalid().len(), STAND_IN);
    }
    text
}

/// The list, as far as it has been read. `text` has the same length as `body`.
struct List<'a, 'b> {
    text: &'a [u8],
    body: &'b Bytes,
    elements: Option<Vec<Bytes>>,
    too_many: bool,
}

impl<'a> List<'a, '_> {
    /// Keeps an element, which is part of `text`. False if there are too many.
    fn keep(&mut self, raw: &'a RawValue) -> bool {
        let from = raw.get().as_ptr() as usize - self.text.as_ptr() as usize;
        let elements = self.elements.get_or_insert_default();
        self.too_many = elements.len() == MAX_ELEMENTS;
        if !self.too_many {
            elements.push(self.body.slice(from..from + raw.get().len()));
        }
        !self.too_many
    }
}

struct Walk<'w, 'a, 'b> {
    /// The rest of the way to the list.
    segments: &'w [String],
    list: &'w mut List<'a, 'b>,
}

impl<'a> DeserializeSeed<'a> for Walk<'_, 'a, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(on_the_way) = map.next_key_seed(KeyIs(self.segments.first()))? {
            if !on_the_way {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if std::mem::replace(&mut seen, true) {
                return Err(A::Error::custom("a key on the way to the list is given twice"));
            }
            map.next_value_seed(Walk { segments: &self.segments[1..], list: &mut *self.list })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.segments.split_first() else {
            self.list.elements = Some(Vec::new());
            while let Some(raw) = items.next_element()? {
                if !self.list.keep(raw) {
                    return Err(A::Error::custom("too many elements"));
                }
            }
            return Ok(());
        };
        for index in 0usize.. {
            let more = match is_index(first, index) {
                true => items.next_element_seed(Walk { segments: rest, list: &mut *self.list })?.is_some(),
                false => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    pass_over_scalars!();
}

/// Whether a key is the next one on the way; at its end none is.
struct KeyIs<'k>(Option<&'k String>);

impl<'a> DeserializeSeed<'a> for KeyIs<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(self.0.is_some_and(|segment| segment == key))
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
