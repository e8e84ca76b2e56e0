//! Schemas in files beside what the registry has, and what was signed beside what a schema makes of it.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::bridge::hookbridge;
use super::support::command::{Done, run_command};
use super::support::kafka::Kafka;
use super::support::registry::Registry;
use super::support::scene::{Plan, TYPE};
use super::support::unique;

fn schema(amount: &str) -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
        "properties": { "amount": { "type": amount } }
    })
}

/// Runs a command on a configuration with these routes, each a line.
fn run(dir: &TempDir, registry: &str, command: &[&str], routes: &[String]) -> Done {
    let file = dir.path().join("hookbridge.yaml");
    let config = format!(
        "kafka: {{ bootstrap.servers: {} }}\nschema_registry: {{ url: {registry} }}\nsources:\n  shop:\n    \
         danger_accept_unsigned: true\n    topics:\n      {}\n",
        Kafka::shared().bootstrap(),
        routes.join("\n      ")
    );
    fs::write(&file, config).expect("write the configuration");
    run_command(hookbridge().args(command).arg("--config").arg(file))
}

#[test]
fn a_file_must_be_what_the_route_uses() {
    let registry = Registry::shared();
    let (dir, topic) = (TempDir::new().expect("a directory"), unique("orders"));
    let file = dir.path().join("order.json");
    fs::write(&file, schema("integer").to_string()).expect("write the schema");
    let route = |version: &str| {
        let file = file.display();
        [format!("a: {{ topic: {topic}, schema: {{ format: json, file: {file}{version} }} }}")]
    };
    let subject = format!("{topic}-value");
    registry.register(&subject, "JSON", &schema("integer"));
    let check = |version: &str| run(&dir, &registry.url(), &["schemas", "check"], &route(version));
    assert_eq!(check("").code, 0);
    // Somebody else registers a later one: events are encoded with that, whatever the file says.
    registry.register(&subject, "JSON", &schema("number"));
    let done = check("");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("the route uses version 2"), "{done:?}");
    assert_eq!(check(", version: 1").code, 0);
}

#[test]
fn two_files_of_one_subject_are_both_looked_at() {
    let registry = Registry::shared();
    let (dir, topic) = (TempDir::new().expect("a directory"), unique("orders"));
    let [good, bad] = ["good.json", "bad.json"].map(|name| dir.path().join(name));
    fs::write(&good, schema("integer").to_string()).expect("write the schema");
    fs::write(&bad, "{ no schema").expect("write the schema");
    registry.register(&format!("{topic}-value"), "JSON", &schema("integer"));
    let route = |name: &str, file: &std::path::Path| {
        format!("{name}: {{ topic: {topic}, schema: {{ format: json, file: {} }} }}", file.display())
    };
    let routes = [route("a", &good), route("b", &bad)];
    let done = run(&dir, &registry.url(), &["schemas", "check"], &routes);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("bad.json") && done.stdout.contains("hookbridge.yaml:8:"), "{done:?}");
}

#[test]
fn what_was_signed_has_the_same_key_though_it_is_compressed() {
    let registry = Registry::shared();
    let plan = Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {} }}", registry.url()));
    let (topic, raw) = (format!("webhooks.{}", plan.name()), format!("{}.raw", plan.name()));
    let route = format!("{{ topic: {topic}, schema: {{ format: avro, raw_topic: {raw} }} }}");
    let scene = plan.topic(&raw).option("key: body_sha256").option(&format!("topics: {{ '*': {route} }}"));
    let scene = scene.start();
    let avro = json!({ "type": "record", "name": "Order", "fields": [{ "name": "amount", "type": "long" }] });
    registry.register(&format!("{topic}-value"), "AVRO", &avro);
    let body = format!(r#"{{"id":"evt_1","type":"{TYPE}","amount":1}}"#);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body.as_bytes()).expect("write to memory");
    let sent = encoder.finish().expect("write to memory");
    scene.send(&scene.request("evt_1", &sent).header("content-encoding", "gzip")).assert_received();
    let (records, twins) = (scene.records(), scene.records_of(&raw));
    let ([record], [twin]) = (records.as_slice(), twins.as_slice()) else {
        panic!("{records:?} {twins:?}");
    };
    assert_eq!(record.key, twin.key);
    assert_eq!(twin.value, sent);
    assert!(scene.signer.verifies(twin), "{twin:?}");
}
