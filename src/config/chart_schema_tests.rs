//! The schema of the chart's values: `helm/hookbridge/values.schema.json`.
//!
//! Takes what is written by hand (`schemas/chart.schema.json`), the configuration's schema, which follows from the types, and parts of
//! Kubernetes's (`schemas/kubernetes.schema.json`). Gives one schema that both Helm 3.17 and 4 understand: draft 7, without a union where
//! the kind of value decides, so that a typo is named by its key and not as "none of these". The descriptions are those of
//! [`super::chart_values_tests`]. `UPDATE_SCHEMAS=1 cargo test --lib chart` writes it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::chart_values_tests::{compare, described, hand_written, pointer, text_of};
use super::schema;
use crate::kafka::properties::SECRET_PROPERTIES;

/// Names of environment variables that hold secrets, as people call them.
const SECRET_NAMES: &str = "(SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY|SIGNING_?KEY|\
                            AUTHORIZATION|OTLP_([A-Z]+_)?HEADERS|[Ss]ecret|[Pp]assword|[Tt]oken|(^|_)(PASS|PWD|pass|pwd)(_|$))";
/// Endings of names that say where a secret is, and not what it is.
const PLACES: &str = "_(FILE|PATH|DIR|DIRECTORY|URL|URI|ENDPOINT|NAME|ID|TTL|SECONDS)$";

/// What Helm prints when a secret stands where only a reference may.
const BY_REFERENCE: &str = "left out: a secret is never in values; write valueFrom.secretKeyRef instead";

fn parsed(path: &str) -> Value {
    serde_json::from_str(&text_of(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("an object is expected, not {other}"),
    }
}

/// The kinds of value that `schema` takes, as JSON Schema calls them. `definitions` are those that it refers to.
fn kinds(schema: &Value, definitions: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().expect("a reference has a last part");
        return kinds(&definitions[name], definitions);
    }
    if let Some(parts) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        let kinds: BTreeSet<String> = parts.iter().flat_map(|part| kinds(part, definitions)).collect();
        return kinds.into_iter().collect();
    }
    match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().expect("a kind").to_owned()).collect(),
        _ => panic!("{schema} does not say what kind of value it takes"),
    }
}

/// The alternatives of a union, those of the unions within it among them.
fn alternatives(schema: &Value) -> Vec<Value> {
    match schema["anyOf"].as_array() {
        Some(parts) => parts.iter().flat_map(alternatives).collect(),
        None => vec![schema.clone()],
    }
}

/// A schema for each kind of value instead of a union, which would only say that nothing fits.
fn by_kind(mut parts: Vec<Value>, definitions: &Value) -> Map<String, Value> {
    // What can have faults within it comes last: it is what a value that fits nowhere is compared with.
    parts.sort_by_key(|part| {
        let kinds = kinds(part, definitions);
        (kinds.contains(&"object".to_owned()), kinds.contains(&"array".to_owned()), kinds[0] != "null")
    });
    let mut seen: Vec<String> = Vec::new();
    for kind in parts.iter().flat_map(|part| kinds(part, definitions)) {
        assert!(!seen.contains(&kind), "two alternatives of {parts:?} take a value of the kind {kind}");
        seen.push(kind);
    }
    let mut chain = object(plain(parts.pop().expect("a union has alternatives"), definitions));
    while let Some(part) = parts.pop() {
        let kinds = kinds(&part, definitions);
        let then = if kinds == ["null"] { json!({}) } else { plain(part, definitions) };
        chain = object(json!({ "if": { "type": kinds }, "then": then, "else": chain }));
    }
    chain
}

/// A part of the configuration's schema in the words of draft 7.
fn plain(schema: Value, definitions: &Value) -> Value {
    let Value::Object(mut map) = schema else {
        return match schema {
            Value::Array(items) => items.into_iter().map(|item| plain(item, definitions)).collect(),
            other => other,
        };
    };
    if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
        // In draft 7 nothing counts beside a reference.
        return json!({ "$ref": reference.replace("#/$defs/", "#/$defs/config.") });
    }
    if map.get("format").is_some_and(Value::is_string) {
        map.remove("format");
    }
    if let Some(choices) = map.remove("oneOf") {
        let choices = choices.as_array().expect("a list").iter().map(|choice| {
            assert!(choice["const"].is_string(), "`oneOf` is an enumeration: {choice}");
            choice["const"].clone()
        });
        map.insert("enum".to_owned(), choices.collect());
    }
    let union = json!({ "anyOf": map.remove("anyOf") });
    let mut made: Map<String, Value> =
        map.into_iter().map(|(key, value)| (key, plain(value, definitions))).collect();
    if !union["anyOf"].is_null() {
        made.extend(by_kind(alternatives(&union), definitions));
    }
    Value::Object(made)
}

/// The configuration's definitions, under names of their own.
fn of_configuration() -> Map<String, Value> {
    let mut root = object(schema::configuration().to_value());
    let definitions = root.remove("$defs").expect("there are definitions");
    root.remove("$schema");
    let mut made = Map::new();
    made.insert("config.Configuration".to_owned(), plain(Value::Object(root), &definitions));
    for (name, definition) in object(definitions.clone()) {
        made.insert(format!("config.{name}"), plain(definition, &definitions));
    }
    // One file of values takes a source out of another by `null`.
    let sources = &mut made["config.Configuration"]["properties"]["sources"]["additionalProperties"];
    *sources = json!({ "if": { "type": "null" }, "then": {}, "else": sources.take() });
    // The configuration says so, too, but only once it is read; values of a release are kept in the cluster.
    for at in ["/config.Kafka/properties", "/config.Standby/properties/properties/properties"] {
        let mut all = Value::Object(std::mem::take(&mut made));
        let (parent, last) = at.rsplit_once('/').expect("a path");
        let parent = all.pointer_mut(parent).unwrap_or_else(|| panic!("{at} is there"));
        for name in SECRET_PROPERTIES {
            parent[last][*name] = json!({ "$ref": "#/$defs/config.Secret" });
        }
        made = object(all);
    }
    made
}

/// Kubernetes's definitions, with what the chart adds to them.
fn of_kubernetes() -> Map<String, Value> {
    let mut made = object(parsed("schemas/kubernetes.schema.json")["$defs"].take());
    let variable = made.get_mut("k8s.EnvVar").expect("there is one for environment variables");
    variable["if"] = json!({
        "required": ["value"],
        "properties": { "name": { "pattern": SECRET_NAMES, "not": { "pattern": PLACES } } },
    });
    variable["then"] = json!({ "properties": { "value": { "enum": [BY_REFERENCE] } } });
    made
}

/// The whole schema.
fn values_schema() -> Value {
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    whole.extend(object(hand_written()));
    whole.insert("$comment".to_owned(), json!("Generated: UPDATE_SCHEMAS=1 cargo test --lib chart"));
    let definitions = whole.get_mut("$defs").and_then(Value::as_object_mut).expect("definitions");
    definitions.extend(of_configuration());
    definitions.extend(of_kubernetes());
    let mut whole = Value::Object(whole);
    for value in described() {
        let place = whole.pointer_mut(&pointer(&value.path)).and_then(Value::as_object_mut);
        let place = place.unwrap_or_else(|| panic!("{} is not in schemas/chart.schema.json", value.name()));
        // Nothing counts beside a reference, but editors show it.
        place.insert("description".to_owned(), json!(value.description));
    }
    whole
}

#[test]
fn the_chart_has_the_schema_of_its_parts() {
    let expected = serde_json::to_string_pretty(&values_schema()).expect("JSON") + "\n";
    compare("helm/hookbridge/values.schema.json", &expected);
}

/// The parts of `schema` that are objects and leave open which keys they have.
fn open(schema: &Value, path: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            let is_object = map.get("type").is_some_and(|kind| kind == "object");
            let is_open = !["additionalProperties", "propertyNames"].iter().any(|key| map.contains_key(*key));
            if is_object && is_open {
                found.push(path.to_owned());
            }
            for (key, value) in map {
                open(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| open(item, &format!("{path}/{at}"), found));
        }
        _ => {}
    }
}

#[test]
fn nothing_is_left_open_but_what_others_define() {
    let mut found = Vec::new();
    open(&values_schema(), "", &mut found);
    let allowed = [
        // Helm's own, and whole objects of the user's.
        "/properties/global",
        "/properties/extraObjects/items",
        // Filters of a route differ by implementation; External Secrets' searches by store.
        "/properties/httpRoute/properties/filters/items/",
        "/$defs/Secret/properties/externalSecret/properties/dataFrom/items/",
        "/$defs/k8s.FieldsV1",
    ];
    found.retain(|path| !allowed.iter().any(|allowed| path.starts_with(allowed)));
    assert_eq!(found, Vec::<String>::new(), "these take any key");
}

#[test]
fn a_union_becomes_one_schema_for_each_kind_of_value() {
    let definitions = json!({ "Secret": { "type": "object", "additionalProperties": false } });
    let union = json!({ "anyOf": [
        { "anyOf": [{ "$ref": "#/$defs/Secret" }, { "type": ["string", "number"] }] },
        { "type": "null" },
    ] });
    let expected = json!({
        "if": { "type": ["null"] }, "then": {},
        "else": {
            "if": { "type": ["string", "number"] }, "then": { "type": ["string", "number"] },
            "else": { "$ref": "#/$defs/config.Secret" },
        },
    });
    assert_eq!(plain(union, &definitions), expected);
}
