//! YAML with positions, read through serde without stopping at the first error.
//!
//! Takes the text of one YAML file. Gives a [`Document`]: a tree in which every key and value knows its
//! line and column, and [`Document::read`], which deserialises a serde type from that tree and reports
//! *every* fault, each at its place. What a value means is left to [`super::raw`] (the shape) and
//! [`super::validate`] (the rules).
//!
//! How several errors come out of serde, which stops at the first: on an error the faulty entry is struck
//! out of the tree and the type is read again, until it reads or nothing is left to strike out. The types
//! therefore make every field optional; what is required is said by `validate`, in words of its own.

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::diagnostic::{Diagnostics, Path, Position, did_you_mean};

/// The largest file that is read, in bytes. A configuration of ten thousand sources stays below it.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// The deepest nesting that is read: more than the configuration can use, less than a stack can bear.
const MAX_DEPTH: usize = 32;

/// Faults after which reading gives up: nobody mends more than this in one go.
const MAX_FAULTS: usize = 100;

/// One parsed YAML file.
#[derive(Debug)]
pub struct Document {
    root: Node,
}

#[derive(Debug)]
struct Node {
    at: Position,
    kind: Kind,
    struck_out: bool,
}

#[derive(Debug)]
enum Kind {
    /// Text and whether it was written plain (unquoted), which lets it be a number, a boolean or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
struct Entry {
    key: String,
    key_at: Position,
    value: Node,
}

impl Document {
    /// Parses `text`.
    ///
    /// # Errors
    /// One diagnostic in `faults` for what is not YAML, or is YAML that a configuration has no use for:
    /// several documents, tags, anchors and aliases (an alias bomb is a few lines long), keys that are not
    /// text, keys given twice.
    pub fn parse(text: &str, faults: &mut Diagnostics) -> Option<Self> {
        if text.len() > MAX_DOCUMENT_BYTES {
            faults.error(
                Position::START,
                Path::root(),
                format!("the file has {} bytes; at most {MAX_DOCUMENT_BYTES} are read", text.len()),
            );
            return None;
        }
        let mut builder = Builder { parser: Parser::new_from_str(text), faults };
        match builder.document() {
            Ok(root) => Some(Self { root }),
            Err((at, message)) => {
                faults.error(at, Path::root(), message);
                None
            }
        }
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

impl Node {
    /// Marks the value at `path` as absent. False if there is no such value or it was struck out already.
    fn strike_out(&mut self, path: &[String]) -> bool {
        let Some((segment, rest)) = path.split_first() else {
            return !std::mem::replace(&mut self.struck_out, true);
        };
        let child = match &mut self.kind {
            Kind::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key == *segment).map(|entry| &mut entry.value)
            }
            Kind::List(items) => segment.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
            Kind::Scalar { .. } => None,
        };
        child.is_some_and(|child| child.strike_out(rest))
    }
}

type BuildError = (Position, String);

struct Builder<'a, 'f> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    faults: &'f mut Diagnostics,
}

impl<'a> Builder<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Span), BuildError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span)),
            Some(Err(error)) => {
                Err((Position::of(error.marker()), format!("not valid YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Node, BuildError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    return Err((
                        Position::of(&span.start),
                        "a second YAML document begins here; one file holds one configuration".into(),
                    ));
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => root = Some(self.node(event, span, &Path::root(), 0)?),
            }
        }
        Ok(root.unwrap_or(Node { at: Position::START, kind: Kind::Map(Vec::new()), struck_out: false }))
    }

    fn node(&mut self, event: Event<'a>, span: Span, path: &Path, depth: usize) -> Result<Node, BuildError> {
        let at = Position::of(&span.start);
        if depth > MAX_DEPTH {
            return Err((at, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let kind = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_anchor_and_tag(at, anchor, tag.is_some())?;
                Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_anchor_and_tag(at, anchor, tag.is_some())?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Kind::List(items),
                        (event, span) => {
                            let path = path.index(items.len());
                            items.push(self.node(event, span, &path, depth + 1)?);
                        }
                    }
                }
            }
            Event::MappingStart(anchor, tag) => {
                refuse_anchor_and_tag(at, anchor, tag.is_some())?;
                Kind::Map(self.entries(path, depth)?)
            }
            Event::Alias(_) => {
                return Err((at, "YAML aliases are not supported; write the value out".into()));
            }
            other => return Err((at, format!("unexpected YAML event {other:?}"))),
        };
        Ok(Node { at, kind, struck_out: false })
    }

    fn entries(&mut self, path: &Path, depth: usize) -> Result<Vec<Entry>, BuildError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key_at = Position::of(&span.start);
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, _, anchor, tag) => {
                    refuse_anchor_and_tag(key_at, anchor, tag.is_some())?;
                    text.into_owned()
                }
                _ => return Err((key_at, "a key must be text".into())),
            };
            let path = path.key(&key);
            let (event, span) = self.next()?;
            let value = self.node(event, span, &path, depth + 1)?;
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message =
                    format!("the key `{key}` is given twice; it stands first in line {}", first.key_at.line);
                self.faults.error(key_at, path, message);
            } else {
                entries.push(Entry { key, key_at, value });
            }
        }
    }
}

fn refuse_anchor_and_tag(at: Position, anchor: usize, tagged: bool) -> Result<(), BuildError> {
    if anchor != 0 {
        return Err((at, "YAML anchors are not supported; write the value out".into()));
    }
    if tagged {
        return Err((at, "YAML tags are not supported; write the value without one".into()));
    }
    Ok(())
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
        Self::new(format!("expected {expected}, found {}", describe(&unexpected)))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", describe(&unexpected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { hint: Some(did_you_mean(field, expected)), ..Self::new(format!("unknown key `{field}`")) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            hint: Some(did_you_mean(variant, expected)),
            ..Self::new(format!("unknown value `{variant}`"))
        }
    }
}

/// The words for what was found. A scalar's text is left out: it may be a secret in the wrong place.
fn describe(unexpected: &de::Unexpected<'_>) -> &'static str {
    match unexpected {
        de::Unexpected::Bool(_) => "a boolean",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) | de::Unexpected::Float(_) => "a number",
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
