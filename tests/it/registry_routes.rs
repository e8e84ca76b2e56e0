//! Routes with a schema beside what else a source can say: batches, content-encodings, and a configuration that changes.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::support::http;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::stub_registry::{Reply, StubRegistry};
use super::support::topics::Record;
use super::support::wait::{SOON, eventually};

const ID: u32 = 258;
const PREFIX: [u8; 5] = [0, 0, 0, 1, 2];

fn json_registry() -> StubRegistry {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
        "properties": { "amount": { "type": "integer" } }
    });
    StubRegistry::start(move |_| Reply::schema(ID, "JSON", &schema))
}

fn avro_registry() -> StubRegistry {
    let schema = json!({ "type": "record", "name": "Order", "fields": [
        { "name": "id", "type": "string" }, { "name": "amount", "type": "long" } ] });
    StubRegistry::start(move |_| Reply::schema(ID, "AVRO", &schema))
}

fn plan(registry: &StubRegistry, schema: &str) -> Plan {
    let plan = Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {} }}", registry.url()));
    let topic = format!("webhooks.{}", plan.name());
    plan.option(&format!("topics: {{ '*': {{ topic: {topic}, schema: {{ {schema} }} }} }}"))
}

fn event(id: &str, amount: &Value) -> Vec<u8> {
    format!(r#"{{"id":"{id}","type":"{TYPE}",  "amount":{amount}}}"#).into_bytes()
}

fn framed(octets: &[u8]) -> Vec<u8> {
    [&PREFIX, octets].concat()
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).expect("write to memory");
    encoder.finish().expect("write to memory")
}

fn send_gzip(scene: &Scene, id: &str, body: &[u8]) -> http::Answer {
    scene.send(&scene.request(id, body).header("content-encoding", "gzip"))
}

#[track_caller]
fn only(records: Vec<Record>) -> Record {
    let [record] = <[Record; 1]>::try_from(records).expect("one record");
    record
}

#[test]
fn each_element_of_a_batch_fits_or_does_not() {
    let registry = json_registry();
    let scene = plan(&registry, "format: json").option("split: /events").start();
    let elements = [event("a", &json!(1)), event("b", &json!("much")), event("c", &json!(3))];
    let body = [&b"{\"events\":["[..], &elements.join(&b", "[..]), b"]}"].concat();
    scene.send(&scene.request("", &body)).assert_received();
    let records = scene.records();
    let found: Vec<_> = records.iter().map(|record| (record.key.as_str(), record.value.clone())).collect();
    assert_eq!(found, [("a", framed(&elements[0])), ("c", framed(&elements[2]))]);
    assert_eq!(records[1].header("hookbridge_batch"), Some("2/3"));
    let dead = only(scene.dead_letters());
    assert_eq!((dead.key.as_str(), &dead.value), ("b", &elements[1]));
    assert_eq!(dead.header("hookbridge_batch"), Some("1/3"));
    assert_eq!(dead.header("hookbridge_reason"), Some("schema_mismatch"));
    assert_eq!(dead.header("hookbridge_fault_path"), Some("/amount"));
    assert_eq!(dead.header("hookbridge_topic"), Some(scene.topic.as_str()));
}

#[test]
fn a_content_encoding_is_undone_behind_the_prefix_and_kept_in_a_dead_letter() {
    let registry = json_registry();
    let scene = plan(&registry, "format: json").start();
    let good = event("evt_1", &json!(1));
    send_gzip(&scene, "evt_1", &gzip(&good)).assert_received();
    let record = only(scene.records());
    assert_eq!((record.key.as_str(), &record.value), ("evt_1", &framed(&good)));
    assert_eq!(record.header("hookbridge_decoded"), Some("gzip"));
    assert_eq!(record.header("content-encoding"), None);

    let bad = gzip(&event("evt_2", &json!("much")));
    send_gzip(&scene, "evt_2", &bad).assert_received();
    let dead = only(scene.dead_letters());
    assert_eq!((dead.key.as_str(), &dead.value), ("evt_2", &bad), "what was signed is kept");
    assert_eq!(dead.header("content-encoding"), Some("gzip"));
    assert_eq!(dead.header("hookbridge_reason"), Some("schema_mismatch"));
    assert_eq!(dead.header("hookbridge_fault_path"), Some("/amount"));
    assert!(scene.signer.verifies(&dead));
}

#[test]
fn the_twin_of_a_record_is_what_was_signed_encoded_or_not() {
    let registry = avro_registry();
    let plan = Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {} }}", registry.url()));
    let (topic, raw) = (format!("webhooks.{}", plan.name()), format!("{}.raw", plan.name()));
    let route = format!("{{ topic: {topic}, schema: {{ format: avro, raw_topic: {raw} }} }}");
    let plan = plan.topic(&raw).option(&format!("topics: {{ '*': {route} }}"));
    let scene = plan.option("key: body_sha256").start();
    let sent = gzip(&event("evt_1", &json!(-1)));
    send_gzip(&scene, "evt_1", &sent).assert_received();
    // A string is its length and its octets, a long -1 is 1; both in zigzag.
    let record = only(scene.records());
    assert_eq!(record.value, framed(b"\x0aevt_1\x01"));
    let twin = only(scene.records_of(&raw));
    assert_eq!((&twin.key, &twin.value), (&record.key, &sent));
    assert_eq!(twin.header("content-encoding"), Some("gzip"));
    assert!(scene.signer.verifies(&twin));
    // What does not fit has no twin.
    scene.send(&scene.request("evt_2", &event("evt_2", &json!("much")))).assert_received();
    assert_eq!(only(scene.dead_letters()).header("ce_id"), Some("evt_2"));
    assert_eq!((scene.records().len(), scene.records_of(&raw).len()), (1, 1));
}

/// P8: what no topic has room for would be refused for good.
#[test]
fn what_a_schema_makes_too_large_is_a_dead_letter() {
    let schema = json!({ "type": "record", "name": "Numbers", "fields": [
        { "name": "n", "type": { "type": "array", "items": "double" } } ] });
    let registry = StubRegistry::start(move |_| Reply::schema(ID, "AVRO", &schema));
    let scene = plan(&registry, "format: avro").option("max_body_bytes: 10KiB").start();
    for (id, numbers, fits) in [("evt_1", 1000, true), ("evt_2", 2000, false)] {
        let body = format!(r#"{{"id":"{id}","type":"{TYPE}","n":{}}}"#, json!(vec![1; numbers])).into_bytes();
        scene.send(&scene.request(id, &body)).assert_received();
        if fits {
            // The count takes two octets in zigzag, and the list's end one.
            assert_eq!(only(scene.records()).value.len(), 5 + 2 + 8 * numbers + 1);
        } else {
            let dead = only(scene.dead_letters());
            assert_eq!((dead.key.as_str(), &dead.value), (id, &body));
            assert_eq!(dead.header("hookbridge_reason"), Some("schema_mismatch"));
        }
    }
    assert_eq!(scene.records().len(), 1);
}

/// Each is asked for once, by its own subject and version.
#[test]
fn what_a_schema_refers_to_is_part_of_it() {
    let registry = StubRegistry::start(|asked| {
        let told = |schema: Value, references: Value| {
            let body = json!({ "id": ID, "version": 3, "schemaType": "JSON", "schema": schema.to_string(),
                "references": references });
            Reply::Answer(200, body.to_string())
        };
        let reference =
            |name: &str| json!({ "name": name, "subject": format!("part of/{name}"), "version": 2 });
        match asked.target.as_str() {
            "/subjects/part%20of%2Famount.json/versions/2" => {
                told(json!({ "$ref": "whole.json" }), json!([reference("whole.json")]))
            }
            "/subjects/part%20of%2Fwhole.json/versions/2" => told(json!({ "type": "integer" }), json!([])),
            target if target.ends_with("-value/versions/3") => told(
                json!({ "properties": { "amount": { "$ref": "amount.json" } } }),
                json!([reference("amount.json"), reference("whole.json")]),
            ),
            _ => Reply::missing(),
        }
    });
    let scene = plan(&registry, "format: json, version: 3").start();
    scene.send(&scene.request("evt_1", &event("evt_1", &json!(1)))).assert_received();
    assert_eq!(only(scene.records()).value, framed(&event("evt_1", &json!(1))));
    scene.send(&scene.request("evt_2", &event("evt_2", &json!("much")))).assert_received();
    assert_eq!(only(scene.dead_letters()).header("hookbridge_fault_path"), Some("/amount"));
}

/// As one that keeps everything in memory does after a restart.
#[test]
fn a_registry_that_counts_anew_gives_another_schema_with_the_same_id() {
    let is_new = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_new);
    let registry = StubRegistry::start(move |_| {
        let amount = if told.load(Ordering::SeqCst) { "string" } else { "integer" };
        Reply::schema(ID, "JSON", &json!({ "properties": { "amount": { "type": amount } } }))
    });
    let plan =
        Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {}, refresh: 1s }}", registry.url()));
    let route =
        format!("topics: {{ '*': {{ topic: webhooks.{}, schema: {{ format: json }} }} }}", plan.name());
    let scene = plan.option(&route).start();
    scene.send(&scene.request("evt_1", &event("evt_1", &json!(1)))).assert_received();
    assert_eq!(scene.dead_letters().len(), 0);
    is_new.store(true, Ordering::SeqCst);
    eventually(SOON, "the new schema is in use", || {
        scene.send(&scene.request("evt_2", &event("evt_2", &json!("much")))).assert_received();
        scene.records().into_iter().find(|record| record.key == "evt_2")
    });
}

#[test]
fn a_route_has_a_schema_from_the_next_request_on() {
    let registry = json_registry();
    let plan = Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {} }}", registry.url()));
    let topic = format!("webhooks.{}", plan.name());
    let before = format!("topics: {{ '*': {topic} }}");
    let scene = plan.option(&before).start();
    scene.send(&scene.request("evt_1", &event("evt_1", &json!(1)))).assert_received();
    let file = scene.bridge.file();
    let after = format!("topics: {{ '*': {{ topic: {topic}, schema: {{ format: json }} }} }}");
    let config = fs::read_to_string(file).expect("read the configuration");
    assert!(config.contains(&before), "{config}");
    let draft = file.with_extension("draft");
    fs::write(&draft, config.replace(&before, &after)).expect("write a draft");
    fs::rename(draft, file).expect("put the draft in place");
    eventually(SOON, "the configuration is read again", || {
        scene.bridge.log().find("configuration reloaded", |_| true)
    });
    scene.send(&scene.request("evt_2", &event("evt_2", &json!(2)))).assert_received();
    scene.send(&scene.request("evt_3", &event("evt_3", &json!("much")))).assert_received();
    let values: Vec<_> = scene.records().into_iter().map(|record| record.value).collect();
    assert_eq!(values, [event("evt_1", &json!(1)), framed(&event("evt_2", &json!(2)))]);
    assert_eq!(only(scene.dead_letters()).key, "evt_3");
}
