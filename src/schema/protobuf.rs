//! Protocol Buffers: an event's JSON by protobuf's own JSON mapping.
//!
//! Takes a `.proto` file's text and those that it imports, and an event. Gives which message it is, and its octets. What the
//! message has no field for is left out. Pure; Google's own types (`google/protobuf/*.proto`) are there without being
//! given.
//!
//! Sources: protobuf's documentation, "ProtoJSON Format"; Confluent's, section "Wire format" (message indexes).

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use prost_reflect::prost::Message as _;
use prost_reflect::{Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value;

use super::{Mismatch, Reference, below};

/// What the schema's own file is called while it is compiled: a name that no file imports.
const OWN_FILE: &str = "hookbridge/schema.proto";

/// Messages within messages: a limit on how deep a fault is looked for, as on the JSON itself.
const MAX_DEPTH: usize = 128;

/// Blocks in one file. The compiler reads a block in a block by recursion, also where the text is no schema, and a stack that
/// overflows ends the process: so many fit into [`super::STACK_BYTES`]. The largest of Google's own files have some hundreds.
const MAX_BLOCKS: usize = 5_000;

/// Messages within messages, as protoc has it.
const MAX_NESTING: usize = 32;

/// A message, ready for use.
#[derive(Debug)]
pub(super) struct Protobuf {
    message: MessageDescriptor,
    /// The message's indexes, as the wire format has them.
    indexes: Vec<u8>,
}

/// The schema's files, and no others.
struct Given(HashMap<String, String>);

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = self.0.get(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

impl Protobuf {
    pub(super) fn compile(
        text: &str,
        references: &[Reference],
        message: Option<&str>,
    ) -> Result<Self, String> {
        let mut texts = references.iter().map(|reference| reference.text.as_str()).chain([text]);
        if texts.any(|text| text.matches('{').count() > MAX_BLOCKS) {
            return Err(format!("a file of it has more than {MAX_BLOCKS} blocks"));
        }
        let mut files: HashMap<String, String> =
            references.iter().map(|reference| (reference.name.clone(), reference.text.clone())).collect();
        files.insert(OWN_FILE.to_owned(), text.to_owned());
        let mut resolver = ChainFileResolver::new();
        resolver.add(Given(files));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        // protox-parse 0.9.0 panics at some texts that are no schema, such as the number `08`; a schema comes from
        // outside, and must not end whoever asked for it.
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            compiler.open_file(OWN_FILE).map(|compiler| compiler.descriptor_pool())
        }));
        let pool: DescriptorPool = match compiled {
            Ok(compiled) => compiled.map_err(|error| error.to_string())?,
            Err(_) => return Err("its compiler broke off: the text is no schema".to_owned()),
        };
        if pool.all_messages().any(|message| is_deeper_than(MAX_NESTING, message)) {
            return Err(format!("it has messages more than {MAX_NESTING} levels deep"));
        }
        let file = pool.get_file_by_name(OWN_FILE).ok_or("it has no content")?;
        let message = match message {
            None => file.messages().next().ok_or("it has no message")?,
            Some(name) => pool
                .get_message_by_name(name)
                .filter(|found| found.parent_file() == file)
                .ok_or_else(|| format!("it has no message `{name}`"))?,
        };
        let indexes = indexes(&message);
        Ok(Self { message, indexes })
    }

    pub(super) fn name(&self) -> &str {
        self.message.full_name()
    }

    pub(super) fn encode(&self, event: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let known = known(&self.message, event.clone(), 0);
        // What the mapping itself says of a fault repeats the value.
        let message = DynamicMessage::deserialize(self.message.clone(), &known)
            .map_err(|_| fault_in(&self.message, &known, "", 0))?;
        out.extend_from_slice(&self.indexes);
        // A vector has room for any length.
        message.encode_raw(out);
        Ok(())
    }
}

fn is_deeper_than(levels: usize, message: MessageDescriptor) -> bool {
    std::iter::successors(Some(message), MessageDescriptor::parent_message).nth(levels).is_some()
}

/// Which message of its file it is: the path of indexes down to it, after their number. The first message of a file,
/// which most schemas have alone, is one octet.
fn indexes(message: &MessageDescriptor) -> Vec<u8> {
    let mut path = Vec::new();
    let mut message = message.clone();
    loop {
        let parent = message.parent_message();
        // A map's entry is a message that nobody has written, and is not counted.
        let is_before = |other: &MessageDescriptor| *other != message && !other.is_map_entry();
        path.push(match &parent {
            Some(parent) => {
                parent.child_messages().take_while(|other| *other != message).filter(is_before).count()
            }
            None => message.parent_file().messages().take_while(|other| *other != message).count(),
        });
        match parent {
            Some(parent) => message = parent,
            None => break,
        }
    }
    path.reverse();
    if path == [0] {
        return vec![0];
    }
    let mut octets = Vec::new();
    for number in std::iter::once(path.len()).chain(path) {
        zigzag(number, &mut octets);
    }
    octets
}

fn zigzag(number: usize, octets: &mut Vec<u8>) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        octets.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    octets.push(rest as u8);
}

/// The event without what the message has no field for. The mapping itself would pass over symbols that an enum does not
/// have, too, and those are faults.
fn known(message: &MessageDescriptor, event: Value, depth: usize) -> Value {
    let Value::Object(members) = event else { return event };
    if depth == MAX_DEPTH || has_own_form(message) {
        return Value::Object(members);
    }
    let of_field = |(name, value): (String, Value)| {
        let field = field(message, &name)?;
        let Kind::Message(of) = field.kind() else { return Some((name, value)) };
        let value = match value {
            Value::Array(elements) if field.is_list() => {
                elements.into_iter().map(|element| known(&of, element, depth + 1)).collect()
            }
            Value::Object(entries) if field.is_map() => match of.map_entry_value_field().kind() {
                Kind::Message(of) => {
                    let entries =
                        entries.into_iter().map(|(name, entry)| (name, known(&of, entry, depth + 1)));
                    Value::Object(entries.collect())
                }
                _ => Value::Object(entries),
            },
            value => known(&of, value, depth + 1),
        };
        Some((name, value))
    };
    Value::Object(members.into_iter().filter_map(of_field).collect())
}

/// A field by its name in JSON, or in the schema.
fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// Google's own types are written in JSON in ways of their own.
fn has_own_form(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("google.protobuf.")
}

/// The fault, as exactly as it can be told: the innermost value that does not fit by itself.
fn fault_in(message: &MessageDescriptor, event: &Value, path: &str, depth: usize) -> Mismatch {
    let name = message.full_name();
    let Value::Object(members) = event else { return Mismatch::new(path, format_args!("it is no `{name}`")) };
    if depth == MAX_DEPTH || has_own_form(message) {
        return Mismatch::new(path, format_args!("it is no `{name}`"));
    }
    for (name, value) in members {
        let Some(field) = field(message, name) else { continue };
        let alone = serde_json::json!({ name: value });
        if DynamicMessage::deserialize(message.clone(), &alone).is_err() {
            return fault_of(&field, value, &below(path, name), depth + 1);
        }
    }
    // Each of them fits.
    Mismatch::new(path, "two members exclude each other")
}

fn fault_of(field: &FieldDescriptor, value: &Value, path: &str, depth: usize) -> Mismatch {
    let (parts, of): (Vec<(String, &Value)>, Kind) = match value {
        Value::Array(elements) if field.is_list() => (
            elements.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
            field.kind(),
        ),
        Value::Object(members) if field.is_map() => {
            let Kind::Message(entry) = field.kind() else { return unfit(path, &field.kind()) };
            let of = entry.map_entry_value_field().kind();
            (members.iter().map(|(name, value)| (name.clone(), value)).collect(), of)
        }
        value if field.cardinality() != Cardinality::Repeated => {
            return match field.kind() {
                Kind::Message(message) => fault_in(&message, value, path, depth),
                kind => unfit(path, &kind),
            };
        }
        _ if field.is_map() => return Mismatch::new(path, "an object is wanted: the field is a map"),
        _ => return Mismatch::new(path, "a list is wanted: the field is repeated"),
    };
    let is_map = field.is_map();
    for (token, value) in parts {
        let alone = match is_map {
            true => serde_json::json!({ field.json_name(): { &token: value } }),
            false => serde_json::json!({ field.json_name(): [value] }),
        };
        if DynamicMessage::deserialize(field.parent_message().clone(), &alone).is_err() {
            let path = below(path, &token);
            return match &of {
                Kind::Message(message) => fault_in(message, value, &path, depth),
                kind => unfit(&path, kind),
            };
        }
    }
    Mismatch::new(path, "two of its names are the same key")
}

/// A value that is none of this kind.
fn unfit(path: &str, kind: &Kind) -> Mismatch {
    let name = match kind {
        Kind::Enum(of) => {
            return Mismatch::new(path, format_args!("it is no symbol of `{}`", of.full_name()));
        }
        Kind::Message(of) => of.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    Mismatch::new(path, format_args!("it is no `{name}`"))
}

#[cfg(test)]
#[path = "protobuf_tests.rs"]
mod tests;
