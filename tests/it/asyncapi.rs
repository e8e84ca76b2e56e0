//! `hookbridge asyncapi`: what real records are, the document says, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::dead_letter_commands::{BY_KIND, Mended, without_type};
use super::support::asyncapi::{Document, print};
use super::support::http::Request;
use super::support::provider::Signer;
use super::support::registry::Registry;
use super::support::scene::{Plan, SECRET, Scene, TYPE};
use super::support::topics;
use super::support::unique;
use super::support::wait::SOON;

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).expect("write to memory");
    encoder.finish().expect("write to memory")
}

fn document(scene: &Scene) -> Document {
    Document::of(scene.bridge.file(), &scene.bridge.env())
}

/// What the document calls the records of each topic, and how many there are.
#[track_caller]
fn assert_described(scene: &Scene, topics: &[(&str, &[(&str, usize)])]) {
    let document = document(scene);
    for (topic, expected) in topics {
        let expected: BTreeMap<String, usize> =
            expected.iter().map(|(name, count)| (format!("{}.{name}", scene.source), *count)).collect();
        assert_eq!(document.count(&scene.bootstrap, topic), expected, "{topic}");
    }
}

fn body(event_type: &str) -> Vec<u8> {
    format!(r#"{{"type":"{event_type}","n":1,"timestamp":"2026-01-01T12:00:00Z"}}"#).into_bytes()
}

#[test]
fn events_of_each_route_and_dead_letters() {
    let (exact, glob, per_type) = (unique("exact"), unique("glob"), unique("per-type"));
    let named = format!("{per_type}.order.made");
    let scene = Plan::of("svix")
        .topic(&exact)
        .topic(&glob)
        .topic(&named)
        .option(&format!(
            "topics: {{ a.b: {exact}, 'a.*': {glob}, a.c: {{ drop: true }}, 'order.*': '{per_type}.{{type}}', \
             x.y: {glob} }}"
        ))
        .option("namespace: 'acct+1'")
        .start();
    let send = |id: &str, body: &[u8]| scene.send(&scene.request(id, body)).assert_received();
    for (number, event_type) in ["a.b", "a.z", "a.c", "x.y", "order.made", TYPE].into_iter().enumerate() {
        send(&format!("msg_{number}"), &body(event_type));
    }
    let encoded = scene.request("msg_gzip", &gzip(&body(TYPE))).header("content-encoding", "gzip");
    scene.send(&encoded).assert_received();
    scene.send(&scene.request("msg_bare", &body(TYPE)).without("content-type")).assert_received();
    let traced = scene.request("msg_traced", &body(TYPE));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    scene.send(&traced.header("traceparent", trace)).assert_received();
    send("msg_unreadable", b"no JSON");
    send("msg_untyped", b"{}");
    let undecodable = scene.request("msg_br", b"\x8b\x00").header("content-encoding", "br");
    scene.send(&undecodable).assert_received();

    assert_described(
        &scene,
        &[
            (&exact, &[("a.b", 1)]),
            (&glob, &[("a.any", 1), ("x.y", 1)]),
            (&scene.topic, &[("other-events", 4)]),
            (&scene.dead_letter, &[("dead-letter", 3)]),
        ],
    );
    let document = document(&scene);
    let made = scene.records_of(&named).pop().expect("a record");
    let template = format!("{per_type}.{{type}}");
    assert_eq!(document.message_of(&template, &made), format!("{}.order.any", scene.source));
    assert!(document.channels().keys().all(|address| !address.contains("a.c")), "it is dropped");
}

#[test]
fn structured_events_and_those_that_are_sent_so() {
    for decompress in [false, true] {
        let scene = Plan::of("svix")
            .option("cloudevents: structured")
            .option(&format!("decompress: {decompress}"))
            .start();
        scene.send(&scene.event("msg_1")).assert_received();
        let encoded = scene.request("msg_2", &gzip(&body(TYPE))).header("content-encoding", "gzip");
        scene.send(&encoded).assert_received();
        let own = Request::with(scene.event("msg_3"), "content-type", "Application/CloudEvents+json");
        scene.send(&own).assert_received();
        let own = encoded.clone().with("svix-id", "msg_2");
        scene.send(&own.with("content-type", "application/cloudevents+json")).assert_received();
        scene.send(&scene.request("msg_4", b"no JSON")).assert_received();
        assert_described(
            &scene,
            &[
                (&scene.topic, &[("events", 2), ("events.sent-as-cloudevent", 2)]),
                (&scene.dead_letter, &[("dead-letter", 1)]),
            ],
        );
    }
}

#[test]
fn elements_of_batches() {
    for structured in [false, true] {
        let plan = Plan::of("generic-hex").option("split: /events").option("key: body_sha256");
        let scene = if structured { plan.option("cloudevents: structured") } else { plan }.start();
        let body = format!(
            r#"{{"events":[{{"id":"1","type":"{TYPE}"}},{{"id":"2"}},{{"id":"3","type":"{TYPE}"}}]}}"#
        );
        scene.send(&scene.request("", body.as_bytes())).assert_received();
        let encoded = scene.request("", &gzip(body.as_bytes())).header("content-encoding", "gzip");
        scene.send(&encoded).assert_received();
        scene.send(&scene.request("", b"{\"events\":1}")).assert_received();
        assert_described(
            &scene,
            &[(&scene.topic, &[("events", 4)]), (&scene.dead_letter, &[("dead-letter", 3)])],
        );
    }
}

#[test]
fn requests_that_nobody_has_proved() {
    let (unverified, quarantine) = (unique("unverified"), unique("quarantine"));
    let plan = Plan::of("svix").topic(&unverified).topic(&quarantine);
    let scene = plan
        .top(&format!("quarantine: {{ topic: {quarantine} }}"))
        .option("verification: report_only")
        .option(&format!("report_only_topic: {unverified}"))
        .source(
            "keeps",
            "{ provider: generic-hex, quarantine: true, secrets: [{ env: HOOKBRIDGE_TEST_SECRET }] }",
        )
        .source("open", "{ provider: generic-hex, danger_accept_unsigned: true }")
        .start();
    let forger = Signer::new("svix", "who does not know the secret");
    let forged = forger.event(&scene.path(), "msg_forged", TYPE);
    scene.send(&forged).assert_received();
    scene.send(&forged.without("svix-signature")).assert_received();
    scene.send(&forger.request(&scene.path(), "", b"no JSON")).assert_received();
    let forger = Signer::new("generic-hex", "who does not know the secret");
    let kept = forger.event("/webhooks/keeps", "evt_1", TYPE).header("cookie", "session=1");
    assert_eq!(scene.send(&kept).status, 401);
    assert_described(&scene, &[(&unverified, &[("unverified", 3)])]);
    let document = document(&scene);
    let kept = topics::read_until(&scene.bootstrap, &quarantine, SOON, |records| !records.is_empty());
    assert_eq!(document.message_of(&quarantine, &kept[0]), "keeps.quarantined");
    let channels = document.channels();
    let unsigned = &channels["webhooks.open"]["open.events"]["headers"];
    let required = unsigned["required"].as_array().expect("a list");
    assert!(required.contains(&json!("hookbridge_body")) && required.contains(&json!("hookbridge_unsigned")));
}

#[test]
fn what_is_unsigned_of_an_event() {
    let of = "event_type: [{ json: /type }, { header: x-type }, { query: type }], subject: { header: x-about }, \
              message_id: [{ header: x-id }, { json: /id }]";
    let scene = Plan::of("generic-hex").extended(of).start();
    let path = format!("{}?type={TYPE}", scene.path());
    for (number, (body, target)) in
        [(format!(r#"{{"id":"1","type":"{TYPE}"}}"#), scene.path()), ("{}".to_owned(), path)]
            .iter()
            .enumerate()
    {
        for id in [None, Some("id-1")] {
            let request =
                scene.signer.request(target, "", format!("{body}{}", " ".repeat(number)).as_bytes());
            let request = request.header("x-about", "something");
            let request = id.map_or_else(|| request.clone(), |id| request.clone().header("x-id", id));
            scene.send(&request).assert_received();
        }
    }
    let untyped = scene.signer.request(&scene.path(), "", b"{}").header("x-id", "id-2");
    scene.send(&untyped).assert_received();
    let bad = scene.signer.request(&format!("{}?type=%01", scene.path()), "", b"{}").header("x-type", "");
    scene.send(&bad).assert_received();
    let of_topic = scene.records().len();
    assert_described(
        &scene,
        &[(&scene.topic, &[("events", of_topic)]), (&scene.dead_letter, &[("dead-letter", 6 - of_topic)])],
    );
}

#[test]
fn routes_with_a_schema() {
    let registry = Registry::shared();
    let dir = tempfile::tempdir().expect("a directory");
    let avro = json!({ "type": "record", "name": "Order", "namespace": "shop", "fields": [
        { "name": "id", "type": "string" }, { "name": "n", "type": "long" } ] });
    let as_json = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
        "required": ["n"], "properties": { "n": { "type": "integer" } } });
    let proto = json!("syntax = \"proto3\"; package shop; message Order { string id = 1; int64 n = 2; }");
    for (format, kind, schema, schema_format) in [
        ("avro", "AVRO", avro, "application/vnd.apache.avro;version=1.9.0"),
        ("json", "JSON", as_json, "application/schema+json;version=draft-07"),
        ("protobuf", "PROTOBUF", proto, "application/vnd.google.protobuf;version=3"),
    ] {
        let file = dir.path().join(format);
        let text = schema.as_str().map_or_else(|| schema.to_string(), str::to_owned);
        fs::write(&file, &text).expect("write a schema");
        let raw = unique("raw");
        let beside =
            if format == "json" { String::new() } else { format!(", raw_header: true, raw_topic: {raw}") };
        let plan = Plan::of("generic-hex");
        let topic = format!("webhooks.{}", plan.name());
        let scene = plan
            .topic(&raw)
            .top(&format!("schema_registry: {{ url: {} }}", registry.url()))
            .option(&format!(
                "topics: {{ '*': {{ topic: {topic}, schema: {{ format: {format}, file: {}{beside} }} }} }}",
                file.display()
            ))
            .start();
        registry.register(&format!("{topic}-value"), kind, &schema);
        let event = |n: &str| format!(r#"{{"id":"evt","type":"{TYPE}","n":{n}}}"#).into_bytes();
        scene.send(&scene.request("evt", &event("1"))).assert_received();
        let encoded = scene.request("evt", &gzip(&event("2"))).header("content-encoding", "gzip");
        scene.send(&encoded.header("x-unknown", "1")).assert_received();
        scene.send(&scene.request("evt", &event("\"no number\""))).assert_received();
        let document = document(&scene);
        assert!(scene.records().len() + scene.dead_letters().len() == 3);
        for record in scene.records() {
            let name = document.message_of(&topic, &record);
            let message = &document.channels()[topic.as_str()][&name];
            assert_eq!(message["payload"]["schemaFormat"], schema_format);
            assert_eq!(message["bindings"]["kafka"]["schemaIdPayloadEncoding"], "4");
            let written = &message["payload"]["schema"];
            assert_eq!(written.as_str().map_or_else(|| written.to_string(), str::to_owned), text);
        }
        for (topic, count) in
            [(&scene.dead_letter, scene.dead_letters().len()), (&raw, scene.records_of(&raw).len())]
        {
            assert_eq!(document.count(&scene.bootstrap, topic).values().sum::<usize>(), count);
        }
        fs::remove_file(&file).expect("remove the file");
        let done = print(scene.bridge.file(), &scene.bridge.env(), &[]);
        assert!(done.code == 1 && done.stderr.contains(&file.display().to_string()), "{done:?}");
        let done = print(scene.bridge.file(), &scene.bridge.env(), &["--registry"]);
        let from_registry: Value = serde_json::from_str(&done.stdout).expect("JSON");
        let of_route = &from_registry["channels"][&topic]["messages"][format!("{}.events", scene.source)];
        assert_eq!(of_route["payload"]["schemaFormat"], schema_format);
        let server = &document.0["servers"]["kafka"]["bindings"]["kafka"];
        assert_eq!(server["schemaRegistryUrl"], registry.url());
    }
}

#[test]
fn what_is_replayed() {
    let scene = without_type(2);
    let mended = Mended::of(&scene, BY_KIND, "");
    assert_eq!(mended.replayed(&["--from-beginning"]), ["replayed", "replayed"]);
    let document = Document::of(&mended.file, &[(SECRET, &mended.secret)]);
    let name = |kind: &str| format!("{}.{kind}", scene.source);
    assert_eq!(document.count(&scene.bootstrap, &scene.topic), [(name("events"), 2)].into());
    assert_eq!(document.count(&scene.bootstrap, &scene.dead_letter), [(name("dead-letter"), 2)].into());
}

#[test]
fn ids_that_elements_share() {
    let scene = Plan::of("svix").option("split: /events").start();
    let body =
        format!(r#"{{"events":[{}{{"type":"{TYPE}"}}]}}"#, format!(r#"{{"type":"{TYPE}"}},"#).repeat(1100));
    scene.send(&scene.request(&"i".repeat(256), body.as_bytes())).assert_received();
    assert_described(&scene, &[(&scene.topic, &[("events", 1101)])]);
}

/// What is never so: the document refuses it.
#[test]
fn what_no_record_is() {
    let scene = Plan::of("svix").start();
    scene.send(&scene.event("msg_1")).assert_received();
    let document = document(&scene);
    let record = scene.records().pop().expect("a record");
    assert!(document.has(&scene.topic, &record));
    for (name, value) in [
        ("ce_source", Some("/webhooks/another")),
        ("hookbridge_source", Some("another")),
        ("ce_type", Some("")),
        ("ce_time", None),
        ("traceparent", Some("new")),
        ("x-unknown", Some("1")),
        ("hookbridge_reason", Some("unreadable_body")),
        ("hookbridge_batch", Some("0/1")),
        ("hookbridge_unsigned", Some("message_id")),
    ] {
        let mut altered = record.clone();
        altered.headers.retain(|(other, _)| other != name);
        altered.headers.extend(value.map(|value| (name.to_owned(), value.as_bytes().to_vec())));
        assert!(!document.has(&scene.topic, &altered), "{name}: {value:?}");
    }
}

/// Of the cluster there is what connects to it, and nothing that proves who does.
#[test]
fn the_cluster_without_credentials() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("hookbridge.yaml");
    fs::write(
        &file,
        "kafka:\n  bootstrap.servers: SASL_SSL://a.example:9093, b.example:9093\n  security.protocol: SASL_SSL\n  \
         sasl.mechanism: SCRAM-SHA-512\n  sasl.username: somebody\n  sasl.password: { env: PASSWORD }\n\
         topics:\n  defaults: { partitions: 6, replication_factor: 3, config: { cleanup.policy: 'compact,delete' } }\n  \
         named: { e.a: { partitions: 12, config: { retention.ms: '1000' } } }\n\
         sources:\n  s: { provider: svix, secrets: [{ env: SECRET }], topics: { a: 'e.{type}', '*': 'e.{type}' } }\n",
    )
    .expect("write a configuration");
    let svix = Signer::new("svix", "s");
    let env = [("PASSWORD", "hunter2-hunter2"), ("SECRET", svix.secret())];
    let Document(document) = Document::of(&file, &env);
    assert!(!document.to_string().contains("somebody"), "who connects is nobody's business");
    assert_eq!(document["servers"]["kafka1"]["host"], "a.example:9093");
    assert_eq!(document["servers"]["kafka2"]["protocol"], "kafka-secure");
    assert_eq!(document["components"]["securitySchemes"]["kafka-sasl"]["type"], "scramSha512");
    assert_eq!(
        document["channels"]["e.a"]["bindings"]["kafka"],
        json!({ "topic": "e.a", "partitions": 12, "replicas": 3, "bindingVersion": "0.5.0",
            "topicConfiguration": { "cleanup.policy": ["compact", "delete"], "retention.ms": 1000 } })
    );
    assert_eq!(document["info"]["version"], "1.0.0");
    let done = print(&file, &env, &["--title", "Ours", "--api-version", "2.1.0"]);
    assert!(done.stdout.contains("\"Ours\"") && done.stdout.contains("\"2.1.0\""), "{done:?}");
    assert_eq!(print(&file, &[], &[]).code, 64, "its secrets must be there");
}
