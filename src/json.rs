//! Reads a few values out of a JSON body without building the rest of it.
//!
//! Takes the exact octets and the JSON Pointers (RFC 6901) that a provider's events are named by. Gives what
//! stands there, borrowed from the body. The body itself is published as it came, so everything that is not
//! asked for is only skipped: in values, numbers of any size, strings of any kind and nesting of any depth pass.
//!
//! A key on the way that is given twice is an error: readers differ on which one counts, and the type that
//! was signed must be the type that is routed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The most pointers that one scan looks for: each is a bit of a mask.
pub const MAX_POINTERS: usize = 16;

/// A parsed JSON Pointer. Never the whole document: it has at least one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    segments: Vec<String>,
}

impl Pointer {
    /// Parses a pointer such as `/data/id` (RFC 6901, section 3).
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("`{text}` is no JSON Pointer: it must begin with `/`, as in `/data/id`"));
        };
        let segments = rest.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { segments })
    }

    /// The keys on the way, outermost first.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Writes the pointer that has these keys.
    pub(crate) fn write(segments: &[String], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        segments
            .iter()
            .try_for_each(|segment| write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1")))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::write(&self.segments, f)
    }
}

/// What stands at a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string, unescaped; borrowed if it needed no unescaping.
    Text(Cow<'a, str>),
    /// A number, as it is written: no digit is lost.
    Number(&'a str),
    /// `null`.
    Null,
    /// A boolean, a list or an object.
    Other,
}

/// What was found, by the index of the pointer.
pub type Found<'a> = [Option<Value<'a>>; MAX_POINTERS];

/// Looks for `wanted`, of which only the first [`MAX_POINTERS`] count, in `body`.
///
/// # Errors
/// The body is not JSON, or a key on the way to a wanted value is given twice. The text names line and
/// column, and nothing of the body.
pub fn scan<'a>(body: &'a [u8], wanted: &[&Pointer]) -> Result<Found<'a>, serde_json::Error> {
    let mut found = Found::default();
    let count = wanted.len().min(MAX_POINTERS);
    let walk = Walk { wanted: &wanted[..count], active: mask_of(count), depth: 0, found: &mut found };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    walk.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(found)
}

/// RFC 6901, section 4: an index has no leading zero.
pub(crate) fn is_index(segment: &str, index: usize) -> bool {
    (segment == "0" || !segment.starts_with(['0', '+'])) && segment.parse() == Ok(index)
}

fn mask_of(count: usize) -> u32 {
    (1u32 << count) - 1
}

/// The part of a visitor that looks for something in lists and objects alone.
macro_rules! pass_over_scalars {
    () => {
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
    };
}
pub(crate) use pass_over_scalars;

struct Walk<'w, 'a> {
    wanted: &'w [&'w Pointer],
    /// The pointers whose first `depth` segments have matched.
    active: u32,
    depth: usize,
    found: &'w mut Found<'a>,
}

impl<'a> Walk<'_, 'a> {
    /// Of the active pointers, those that go on through the key that `is` tells, and those that end there.
    fn matching(&self, is: impl Fn(&str) -> bool) -> (u32, u32) {
        let (mut through, mut ending) = (0, 0);
        for (index, pointer) in self.wanted.iter().enumerate() {
            let bit = 1 << index;
            if self.active & bit != 0 && pointer.segments.get(self.depth).is_some_and(|segment| is(segment)) {
                match pointer.segments.len() == self.depth + 1 {
                    true => ending |= bit,
                    false => through |= bit,
                }
            }
        }
        (through, ending)
    }

    fn deeper(&mut self, active: u32) -> Walk<'_, 'a> {
        Walk { wanted: self.wanted, active, depth: self.depth + 1, found: &mut *self.found }
    }

    fn keep(&mut self, through: u32, ending: u32, raw: &'a RawValue) -> Result<(), serde_json::Error> {
        let value = Value::of(raw)?;
        for (index, slot) in self.found.iter_mut().enumerate() {
            if ending & (1 << index) != 0 {
                *slot = Some(value.clone());
            }
        }
        if through != 0 {
            let mut inner = serde_json::Deserializer::from_str(raw.get());
            self.deeper(through).deserialize(&mut inner)?;
        }
        Ok(())
    }
}

impl<'a> Value<'a> {
    fn of(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'"') if !text.contains('\\') => Self::Text(Cow::Borrowed(&text[1..text.len() - 1])),
            Some(b'"') => Self::Text(Cow::Owned(serde_json::from_str(text)?)),
            Some(b'-' | b'0'..=b'9') => Self::Number(text),
            Some(b'n') => Self::Null,
            _ => Self::Other,
        })
    }
}

impl<'a> DeserializeSeed<'a> for Walk<'_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0;
        while let Some((through, ending)) = map.next_key_seed(KeyOf(&self))? {
            let touched = through | ending;
            if seen & touched != 0 {
                return Err(A::Error::custom("a key that names or identifies the event is given twice"));
            }
            seen |= touched;
            if ending != 0 {
                self.keep(through, ending, map.next_value()?).map_err(A::Error::custom)?;
            } else if through != 0 {
                map.next_value_seed(self.deeper(through))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        for index in 0usize.. {
            let (through, ending) = self.matching(|segment| is_index(segment, index));
            let more = if ending != 0 {
                match items.next_element()? {
                    Some(raw) => {
                        self.keep(through, ending, raw).map_err(A::Error::custom)?;
                        true
                    }
                    None => false,
                }
            } else if through != 0 {
                items.next_element_seed(self.deeper(through))?.is_some()
            } else {
                items.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    pass_over_scalars!();
}

/// Compares a key where it stands, without keeping it.
struct KeyOf<'k, 'w, 'a>(&'k Walk<'w, 'a>);

impl<'a> DeserializeSeed<'a> for KeyOf<'_, '_, 'a> {
    type Value = (u32, u32);
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(u32, u32), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for KeyOf<'_, '_, 'a> {
    type Value = (u32, u32);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<(u32, u32), E> {
        Ok(self.0.matching(|segment| segment == key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at<'a>(body: &'a [u8], pointer: &str) -> Result<Option<Value<'a>>, serde_json::Error> {
        let pointer = Pointer::parse(pointer).unwrap();
        scan(body, &[&pointer]).map(|mut found| found[0].take())
    }

    fn text(text: &str) -> Option<Value<'_>> {
        Some(Value::Text(Cow::Borrowed(text)))
    }

    #[test]
    fn finds_what_stands_at_a_pointer() {
        let body = br#"{"type":"a.b","data":{"id":12345678901234567890123,"list":[{"x":"y"},{"x":null}]},"e\u0041":true}"#;
        assert_eq!(at(body, "/type").unwrap(), text("a.b"));
        assert_eq!(at(body, "/data/id").unwrap(), Some(Value::Number("12345678901234567890123")));
        assert_eq!(at(body, "/data/list/0/x").unwrap(), text("y"));
        assert_eq!(at(body, "/data/list/1/x").unwrap(), Some(Value::Null));
        assert_eq!(at(body, "/data/list/2/x").unwrap(), None);
        assert_eq!(at(body, "/data").unwrap(), Some(Value::Other));
        assert_eq!(at(body, "/eA").unwrap(), Some(Value::Other));
        assert_eq!(at(body, "/type/deeper").unwrap(), None);
        assert_eq!(at(b"17", "/type").unwrap(), None);
    }

    #[test]
    fn finds_a_value_and_one_inside_it() {
        let (outer, inner) = (Pointer::parse("/a").unwrap(), Pointer::parse("/a/b").unwrap());
        let found = scan(br#"{"a":{"b":"c"}}"#, &[&outer, &inner]).unwrap();
        assert_eq!(found[0], Some(Value::Other));
        assert_eq!(found[1], text("c"));
    }

    #[test]
    fn skips_what_a_full_parse_would_refuse() {
        let deep = format!(r#"{{"deep":{}1{},"type":"t"}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(at(deep.as_bytes(), "/type").unwrap(), text("t"));
        assert_eq!(at(br#"{"n":1e999999,"s":"\ud800","type":"t"}"#, "/type").unwrap(), text("t"));
    }

    #[test]
    fn refuses_ambiguity_and_what_is_not_json() {
        for body in [
            &br#"{"type":"a","type":"b"}"#[..],
            br#"{"type":"a","\u0074ype":"b"}"#,
            br#"{"data":{"id":"1"},"data":{}}"#,
            br#"{"type":"a"}x"#,
            br#"{"type":"a""#,
            br#"{"type":"\ud800"}"#,
            b"{\"type\":\"\xff\"}",
            b"",
            b"\xef\xbb\xbf{}",
        ] {
            let (of_type, of_id) = (Pointer::parse("/type").unwrap(), Pointer::parse("/data/id").unwrap());
            assert!(scan(body, &[&of_type, &of_id]).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-c~/]{1,2}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// The scan sees what a full parse sees.
        #[test]
        fn agrees_with_a_full_parse(json in any_json(), segments in prop::collection::vec("[a-c~/0-2]{1,2}", 1..4)) {
            let pointer = Pointer { segments };
            let body = serde_json::to_vec(&json).unwrap();
            let found = scan(&body, &[&pointer]).unwrap()[0].take();
            let expected = json.pointer(&pointer.to_string()).map(|value| match value {
                serde_json::Value::String(text) => Value::Text(Cow::Owned(text.clone())),
                serde_json::Value::Null => Value::Null,
                serde_json::Value::Number(_) => Value::Number(""),
                _ => Value::Other,
            });
            match (found, expected) {
                (Some(Value::Number(text)), Some(Value::Number(_))) => {
                    prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(text).unwrap(), json.pointer(&pointer.to_string()).unwrap());
                }
                (found, expected) => prop_assert_eq!(found, expected),
            }
        }

        #[test]
        fn survives_any_octets(body: Vec<u8>) {
            let pointer = Pointer::parse("/a/0").unwrap();
            let _ = scan(&body, &[&pointer]);
        }
    }
}
