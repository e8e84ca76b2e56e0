//! An event's JSON, as a value to be validated and encoded.
//!
//! Takes octets. Gives a [`Value`], or where they are no JSON that has one meaning: a member that is there twice, a number
//! that no reader holds, or more than 128 levels. Pure.

use std::cell::RefCell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Mismatch, push_token};

/// Reads the whole document.
pub(super) fn parse(data: &[u8]) -> Result<Value, Mismatch> {
    let path = RefCell::new(String::new());
    let mut reader = serde_json::Deserializer::from_slice(data);
    let value = Node(&path).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| {
        // Where the reader was: the path is not gone back from after a fault.
        Mismatch::new(path.into_inner(), format!("the event is no JSON that can be read: {error}"))
    })
}

/// A value at the place that the path has come to.
struct Node<'p>(&'p RefCell<String>);

impl Node<'_> {
    /// Reads what stands below, and goes back.
    fn within<T, E>(&self, token: &str, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let length = self.0.borrow().len();
        push_token(&mut self.0.borrow_mut(), token);
        let read = read()?;
        self.0.borrow_mut().truncate(length);
        Ok(read)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let token = list.len().to_string();
            match self.within(&token, || elements.next_element_seed(Node(self.0)))? {
                Some(element) => list.push(element),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = self.within(&name, || match object.contains_key(&name) {
                true => Err(A::Error::custom("the member is there twice")),
                false => members.next_value_seed(Node(self.0)),
            })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fault_has_its_place() {
        for (text, path, why) in [
            ("", "", "EOF"),
            ("{\"a\":1,\"a\":2}", "/a", "twice"),
            ("{\"a\":[{},{\"b/c\":1,\"\\u0062/c\":1}]}", "/a/1/b~1c", "twice"),
            ("{\"a\":[1,1e999]}", "/a/1", "out of range"),
            ("{\"a\":tru}", "/a", "expected"),
            ("{} {}", "", "trailing"),
        ] {
            let fault = parse(text.as_bytes()).unwrap_err();
            assert_eq!(fault.path, path, "{text}: {fault}");
            assert!(fault.message.contains(why), "{fault}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).unwrap_err().message.contains("recursion limit"));
        assert!(parse(b"\"\xff\"").is_err());
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads(text in r#"[\[\]{}:,"a-c0-9.eE+\- ]{0,40}"#) {
            match (parse(text.as_bytes()), serde_json::from_str::<Value>(&text)) {
                (Ok(value), Ok(expected)) => prop_assert_eq!(value, expected),
                (Err(_), Err(_)) => {}
                (Err(fault), Ok(_)) => prop_assert!(fault.message.contains("twice"), "{}", fault),
                (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
            }
        }
    }
}
