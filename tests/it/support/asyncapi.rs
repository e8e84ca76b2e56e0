//! An AsyncAPI document, as `hookbridge asyncapi` prints it, and real records held against it.
//!
//! Takes a configuration's file. Gives a [`Document`] that the specification's own JSON Schema accepts, all of whose references lead
//! somewhere, and whose examples are as it says.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use super::command::{Done, run};
use super::topics::{self, Record};

/// The specification's own schema (tests/asyncapi/README.md).
static SPECIFICATION: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let mut text = String::new();
    let packed = &include_bytes!("../../asyncapi/3.0.0.json.gz")[..];
    GzDecoder::new(packed).read_to_string(&mut text).expect("a schema that was packed");
    let schema: Value = serde_json::from_str(&text).expect("a schema in JSON");
    jsonschema::draft7::new(&schema).expect("a schema")
});

/// A document.
pub(crate) struct Document(pub(crate) Value);

/// Runs the command.
pub(crate) fn print(file: &Path, env: &[(&str, &str)], more: &[&str]) -> Done {
    let file = file.to_str().expect("a path in UTF-8");
    run(&[&["asyncapi", "--config", file], more].concat(), env)
}

impl Document {
    /// That of a configuration.
    #[track_caller]
    pub(crate) fn of(file: &Path, env: &[(&str, &str)]) -> Document {
        let done = print(file, env, &[]);
        assert_eq!(done.code, 0, "{done:?}");
        for (_, secret) in env {
            assert!(!done.stdout.contains(secret), "a secret is in the document");
        }
        let document: Value = serde_json::from_str(&done.stdout).expect("JSON");
        let faults: Vec<String> = SPECIFICATION
            .iter_errors(&document)
            .map(|fault| format!("{}: {}", fault.instance_path(), fault))
            .collect();
        assert!(faults.is_empty(), "{faults:#?}\n{document:#}");
        let document = Document(document);
        document.assert_references_lead_somewhere(&document.0);
        document.assert_examples_are_right();
        document
    }

    fn assert_references_lead_somewhere(&self, value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a reference into the document");
                    assert!(self.0.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                object.values().for_each(|value| self.assert_references_lead_somewhere(value));
            }
            Value::Array(list) => list.iter().for_each(|value| self.assert_references_lead_somewhere(value)),
            _ => {}
        }
    }

    fn assert_examples_are_right(&self) {
        for (topic, messages) in self.channels() {
            for (name, message) in messages {
                for example in message["examples"].as_array().into_iter().flatten() {
                    let fault = fault_of(&message["headers"], &example["headers"]);
                    assert_eq!(fault, None, "{topic} {name}: the example's headers");
                    if message["payload"].get("schemaFormat").is_none() {
                        let fault = fault_of(&message["payload"], &example["payload"]);
                        assert_eq!(fault, None, "{topic} {name}: the example's payload");
                    }
                }
            }
        }
    }

    /// The messages of each channel, by its address.
    pub(crate) fn channels(&self) -> BTreeMap<&str, &Map<String, Value>> {
        let channels = self.0["channels"].as_object().expect("channels").values();
        channels
            .map(|channel| {
                (
                    channel["address"].as_str().expect("an address"),
                    channel["messages"].as_object().expect("messages"),
                )
            })
            .collect()
    }

    /// Which message a record is: the only one of its channel whose headers, key and payload it has.
    #[track_caller]
    pub(crate) fn message_of(&self, address: &str, record: &Record) -> String {
        let channels = self.channels();
        let messages = channels.get(address).unwrap_or_else(|| panic!("no channel {address}"));
        let faults: Vec<(&String, Option<String>)> =
            messages.iter().map(|(name, message)| (name, fault_in(message, record))).collect();
        let fitting: Vec<&String> =
            faults.iter().filter(|(_, fault)| fault.is_none()).map(|(name, _)| *name).collect();
        match fitting.as_slice() {
            [one] => (*one).clone(),
            _ => panic!("{address}: the record fits {fitting:?}: {faults:#?}\n{record:?}"),
        }
    }

    /// Whether the topic's channel has a message for a record.
    pub(crate) fn has(&self, address: &str, record: &Record) -> bool {
        self.channels()[address].values().any(|message| fault_in(message, record).is_none())
    }

    /// How many records of each message are in the topic of a channel.
    #[track_caller]
    pub(crate) fn count(&self, bootstrap: &str, topic: &str) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for record in topics::read(bootstrap, topic) {
            *counted.entry(self.message_of(topic, &record)).or_default() += 1;
        }
        counted
    }
}

fn fault_in(message: &Value, record: &Record) -> Option<String> {
    let headers: Map<String, Value> = record
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into()))
        .collect();
    assert_eq!(headers.len(), record.headers.len(), "a header is there twice: {record:?}");
    let binding = &message["bindings"]["kafka"];
    let framed = binding["schemaIdLocation"] == "payload";
    let payload = if framed { record.value.get(5..).unwrap_or_default() } else { &record.value };
    let payload = serde_json::from_slice(payload).unwrap_or_else(|_| String::from_utf8_lossy(payload).into());
    let schema = &message["payload"];
    let of_payload = match schema["schemaFormat"].as_str() {
        None => fault_of(schema, &payload),
        Some(format) if format.contains("schema+json") => fault_of(&schema["schema"], &payload),
        // Binary, and read by the registry's own deserialisers elsewhere.
        Some(_) => None,
    };
    fault_of(&message["headers"], &headers.into())
        .or_else(|| fault_of(&binding["key"], &record.key.clone().into()))
        .or(of_payload)
}

fn fault_of(schema: &Value, value: &Value) -> Option<String> {
    let validator = jsonschema::draft7::new(schema).expect("a schema");
    validator.validate(value).err().map(|fault| format!("{}: {fault}", fault.instance_path()))
}
