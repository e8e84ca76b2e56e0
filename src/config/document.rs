//! A YAML file read through serde, without stopping at the first error.
//!
//! Takes the tree of one YAML file, in which every key and value knows its line and column. Gives
//! [`Document::read`], which deserialises a serde type from that tree and reports *every* fault, each at its
//! place. What a value means is left to [`super::raw`] (the shape) and
//! [`super::validate`] (the rules).
//!
//! How several errors come out of serde, which stops at the first: on an error the faulty entry is struck
//! out of the tree and the type is read again, until it reads or nothing is left to strike out. The types
//! therefore make every field optional; what is required is said by `validate`, in words of its own.

use std::fmt;
use std::path::PathBuf;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::diagnostic::{Diagnostics, Path, Position, did_you_mean};
use super::yaml::{Entry, Kind, Node};

/// Faults after which reading gives up: nobody mends more than this in one go.
const MAX_FAULTS: usize = 100;

/// One parsed YAML file.
#[derive(Debug)]
pub struct Document {
    root: Node,
}

impl Document {
    /// Parses `text`. What is not YAML, or has no use in a configuration, is reported in `faults`.
    pub fn parse(text: &str, faults: &mut Diagnostics) -> Option<Self> {
        super::yaml::parse(text, faults).map(|root| Self { root })
    }

    /// Deserialises `T`, reporting every fault in `faults`. What was faulty is absent from the result.
    pub fn read<T: de::DeserializeOwned + Default>(&mut self, faults: &mut Diagnostics) -> T {
        for _ in 0..MAX_FAULTS {
            let reader = Reader { node: &self.root, path: Path::root() };
            match T::deserialize(reader) {
                Ok(value) => return value,
                Err(fault) => {
                    let path = fault.path.unwrap_or_else(Path::root);
                    let at = fault.at.unwrap_or(self.root.at);
                    let progress = self.root.strike_out(path.segments());
                    faults.push(at, path, fault.message, fault.hint);
                    if !progress {
                        return T::default();
                    }
                }
            }
        }
        T::default()
    }

    /// The files that it refers to: the text of every `file`, wherever it stands, also where something else is
    /// wrong with it. What is taken for a file and is none does no harm: it is looked at and never there.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        files_below(&self.root, &mut files);
        files
    }

    /// The index in the file of the list item that was read as number `index`: items that were faulty have been
    /// left out of what was read.
    #[must_use]
    pub fn index_in_file(&self, list: &Path, index: usize) -> usize {
        let mut node = &self.root;
        for segment in list.segments() {
            let Kind::Map(entries) = &node.kind else { return index };
            let Some(entry) = entries.iter().find(|entry| entry.key == *segment) else { return index };
            node = &entry.value;
        }
        let Kind::List(items) = &node.kind else { return index };
        let mut read = items.iter().enumerate().filter(|(_, item)| !item.struck_out);
        read.nth(index).map_or(index, |(in_file, _)| in_file)
    }

    /// Whether there is a value at `path`.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        let mut node = Some(&self.root);
        for segment in path.segments() {
            node = match node.map(|node| &node.kind) {
                Some(Kind::Map(entries)) => {
                    entries.iter().find(|entry| entry.key == *segment).map(|entry| &entry.value)
                }
                Some(Kind::List(items)) => segment.parse::<usize>().ok().and_then(|index| items.get(index)),
                Some(Kind::Scalar { .. }) | None => None,
            };
        }
        node.is_some()
    }

    /// Where the value at `path` stands, or the nearest enclosing one if it is absent.
    #[must_use]
    pub fn position(&self, path: &Path) -> Position {
        let mut node = &self.root;
        let mut at = node.at;
        for segment in path.segments() {
            match &node.kind {
                Kind::Map(entries) => match entries.iter().find(|entry| entry.key == *segment) {
                    Some(entry) => {
                        at = entry.key_at;
                        node = &entry.value;
                    }
                    None => return at,
                },
                Kind::List(items) => match segment.parse::<usize>().ok().and_then(|i| items.get(i)) {
                    Some(item) => {
                        at = item.at;
                        node = item;
                    }
                    None => return at,
                },
                Kind::Scalar { .. } => return at,
            }
        }
        at
    }
}

fn files_below(node: &Node, files: &mut Vec<PathBuf>) {
    match &node.kind {
        Kind::Scalar { .. } => {}
        Kind::List(items) => items.iter().for_each(|item| files_below(item, files)),
        Kind::Map(entries) => {
            for entry in entries {
                match &entry.value.kind {
                    Kind::Scalar { text, .. } if entry.key == "file" => files.push(PathBuf::from(text)),
                    _ => files_below(&entry.value, files),
                }
            }
        }
    }
}

/// A fault met while deserialising. `at` and `path` are filled in by the innermost [`Reader`] it passes.
#[derive(Debug)]
pub struct Fault {
    at: Option<Position>,
    path: Option<Path>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(message: String) -> Self {
        Self { at: None, path: None, message, hint: None }
    }

    fn located(mut self, at: Position, path: &Path) -> Self {
        if self.path.is_none() {
            self.at = Some(at);
            self.path = Some(path.clone());
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {}, found {}", in_words(expected), describe(&unexpected)))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {}, found {}", in_words(expected), describe(&unexpected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { hint: did_you_mean(field, expected), ..Self::new(format!("unknown key `{field}`")) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self { hint: did_you_mean(variant, expected), ..Self::new(format!("unknown value `{variant}`")) }
    }
}

/// What was expected, without Rust's names for it.
fn in_words(expected: &dyn de::Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a string" => "text".to_owned(),
        "u16" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        other if other.starts_with("struct ") => "a mapping".to_owned(),
        _ => expected,
    }
}

/// The words for what was found. A scalar's text is left out: it may be a secret in the wrong place.
fn describe(unexpected: &de::Unexpected<'_>) -> &'static str {
    match unexpected {
        de::Unexpected::Bool(_) => "a boolean",
        de::Unexpected::Signed(number) if *number < 0 => "a negative number",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "a number",
        de::Unexpected::Float(_) => "a number with a fraction",
        de::Unexpected::Str(_) | de::Unexpected::Char(_) => "text",
        de::Unexpected::Unit | de::Unexpected::Option => "nothing",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a mapping",
        _ => "something else",
    }
}

struct Reader<'a> {
    node: &'a Node,
    path: Path,
}

impl Reader<'_> {
    fn is_null(&self) -> bool {
        matches!(&self.node.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// Numbers and booleans by the YAML 1.2 core schema, where the type asks for them or for anything.
fn visit_plain<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Fault> {
    match text {
        "" | "~" | "null" => return visitor.visit_unit(),
        "true" => return visitor.visit_bool(true),
        "false" => return visitor.visit_bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<u64>() {
        return visitor.visit_u64(number);
    }
    if let Ok(number) = text.parse::<i64>() {
        return visitor.visit_i64(number);
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    if let (true, Ok(number)) = (numeric, text.parse::<f64>()) {
        return visitor.visit_f64(number);
    }
    visitor.visit_str(text)
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (at, path) = (self.node.at, self.path.clone());
        match &self.node.kind {
            Kind::Scalar { text, plain: true } => visit_plain(text, visitor),
            Kind::Scalar { text, plain: false } => visitor.visit_str(text),
            Kind::List(items) => {
                visitor.visit_seq(Items { items: items.iter().enumerate(), path: &self.path })
            }
            Kind::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), current: None, path: &self.path })
            }
        }
        .map_err(|fault| fault.located(at, &path))
    }

    /// Text is what the file says, quoted or not: `key: 123` is the text `123` where text is asked for.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Scalar { text, .. } if !self.is_null() => {
                visitor.visit_str(text).map_err(|fault: Fault| fault.located(self.node.at, &self.path))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.struck_out || self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Scalar { text, .. } => visitor
                .visit_enum(text.as_str().into_deserializer())
                .map_err(|fault: Fault| fault.located(self.node.at, &self.path)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// An empty section (`topics:` with nothing below it) is an empty mapping.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_null() {
            return visitor.visit_map(Entries { entries: [].iter(), current: None, path: &self.path });
        }
        self.deserialize_any(visitor)
    }

    /// serde would also read a struct from a list, by the order of its fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Kind::List(_) = &self.node.kind {
            let fault = Fault::new("expected a mapping, found a list".to_owned());
            return Err(fault.located(self.node.at, &self.path));
        }
        self.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq
        tuple tuple_struct identifier ignored_any
    }
}

struct Items<'a, 'p> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    path: &'p Path,
}

impl<'de> de::SeqAccess<'de> for Items<'_, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.items.by_ref().find(|(_, node)| !node.struck_out) else {
            return Ok(None);
        };
        let path = self.path.index(index);
        seed.deserialize(Reader { node, path: path.clone() })
            .map(Some)
            .map_err(|fault| fault.located(node.at, &path))
    }
}

struct Entries<'a, 'p> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
    path: &'p Path,
}

impl<'de> de::MapAccess<'de> for Entries<'_, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.by_ref().find(|entry| !entry.value.struck_out) else {
            return Ok(None);
        };
        self.current = Some(entry);
        seed.deserialize(entry.key.as_str().into_deserializer())
            .map(Some)
            .map_err(|fault: Fault| fault.located(entry.key_at, &self.path.key(&entry.key)))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.current.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let path = self.path.key(&entry.key);
        seed.deserialize(Reader { node: &entry.value, path: path.clone() })
            .map_err(|fault| fault.located(entry.key_at, &path))
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
