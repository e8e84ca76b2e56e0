//! What is shown to people is so: each example of docs/schemas.md, and the schemas of schemas/events/.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Compiled, Kind, Mismatch};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(root(name)).unwrap()
}

/// The rows of the table whose head is this.
fn rows(head: &str) -> Vec<[String; 3]> {
    let document = read("docs/schemas.md");
    let table = document.split(head).nth(1).unwrap_or_else(|| panic!("there is no {head}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows
        .map(|line| {
            let mut cells =
                line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned());
            [cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap()]
        })
        .collect();
    assert!(rows.len() > 5, "{head}: {rows:?}");
    rows
}

/// The payload behind a prefix of so many octets, or `fault` where that is the field's.
fn payload(framed: Result<Bytes, Mismatch>, prefix: usize) -> String {
    match framed {
        Ok(framed) => hex::encode(&framed[prefix..]),
        Err(fault) => {
            assert!(fault.path.starts_with("/f"), "{fault}");
            "fault".to_owned()
        }
    }
}

#[test]
fn json_schema_is_as_the_document_says() {
    for [schema, event, expected] in rows("| schema | event | |") {
        let framed =
            Compiled::compile(Kind::Json, &schema, &[], None).unwrap().frame(1, &Bytes::from(event.clone()));
        let found = match framed {
            Ok(framed) => {
                assert_eq!(&framed[5..], event.as_bytes());
                "fits".to_owned()
            }
            Err(fault) if fault.path.is_empty() => "does not: the whole".to_owned(),
            Err(fault) => format!("does not: `{}", fault.path),
        };
        assert_eq!(found, expected, "{schema} {event}");
    }
}

#[test]
fn avro_is_as_the_document_says() {
    for [kind, value, expected] in rows("| type | in the event | octets |") {
        let kind: Value = serde_json::from_str(&kind).unwrap();
        let schema = json!({ "type": "record", "name": "R", "fields": [{ "name": "f", "type": kind }] });
        let compiled = Compiled::compile(Kind::Avro, &schema.to_string(), &[], None).unwrap();
        let framed = compiled.frame(1, &Bytes::from(format!("{{\"f\":{value},\"more\":1}}")));
        assert_eq!(payload(framed, 5), expected, "{kind} {value}");
    }
}

#[test]
fn protobuf_is_as_the_document_says() {
    for [field, value, expected] in rows("| field | in the event | octets |") {
        let schema = format!(
            "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; message M {{ {field} }} \
             enum State {{ UNKNOWN = 0; PAID = 1; }}"
        );
        let compiled = Compiled::compile(Kind::Protobuf, &schema, &[], None).unwrap();
        let framed = compiled.frame(1, &Bytes::from(format!("{{\"f\":{value},\"more\":1}}")));
        assert_eq!(payload(framed, 6), expected, "{field} {value}");
    }
}

const PRESETS: [&str; 7] =
    ["allfly", "eventsair", "wristband", "standard-webhooks", "svix", "generic-hex", "generic-sha256"];

/// The schemas for a preset's events, with their kinds.
fn schemas_of(preset: &str) -> Vec<(String, Kind)> {
    let kinds = [("json", Kind::Json), ("avsc", Kind::Avro), ("proto", Kind::Protobuf)];
    let names = kinds.map(|(extension, kind)| (format!("schemas/events/{preset}.{extension}"), kind));
    names.into_iter().filter(|(name, _)| root(name).exists()).collect()
}

#[test]
fn the_presets_examples_fit_their_schemas() {
    let mut used = BTreeSet::new();
    for preset in PRESETS {
        let example = crate::config::catalogue::named(preset).unwrap().provider.example.body.unwrap();
        let event: Value = serde_json::from_str(&example).unwrap();
        let schemas = schemas_of(preset);
        assert!(schemas.iter().any(|(_, kind)| *kind == Kind::Json), "{preset}");
        for (name, kind) in schemas {
            let compiled = Compiled::compile(kind, &read(&name), &[], None).unwrap();
            assert!(compiled.record_name().is_some_and(|record| record.ends_with("Event")), "{name}");
            let frame = |event: &Value| compiled.frame(1, &Bytes::from(event.to_string()));
            frame(&event).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            let mut grown = event.clone();
            grown["data"]["new"] = json!({ "member": [1] });
            grown["new"] = json!(null);
            frame(&grown).unwrap_or_else(|fault| panic!("{name}, with more members: {fault}"));
            let required = if preset == "generic-sha256" { "id" } else { "type" };
            grown[required] = json!({});
            assert_eq!(frame(&grown).unwrap_err().path, format!("/{required}"), "{name}");
            used.insert(name);
        }
    }
    // Every file is one of these, is named in the README, and stands in the document's configuration.
    let (readme, document) = (read("schemas/events/README.md"), read("docs/schemas.md"));
    for file in fs::read_dir(root("schemas/events")).unwrap() {
        let name = format!("schemas/events/{}", file.unwrap().file_name().into_string().unwrap());
        if name.ends_with("README.md") {
            continue;
        }
        assert!(used.contains(&name), "{name} is no preset's");
        assert!(readme.contains(&name["schemas/events/".len()..]), "{name} in the README");
        assert!(document.contains(&name), "{name} in docs/schemas.md");
    }
}
