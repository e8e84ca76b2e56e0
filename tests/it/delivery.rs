//! A genuine request becomes one record: key, octets, headers, partition and time (P2, P3, P4).

use std::time::{Duration, UNIX_EPOCH};

use super::support::http::{self, Connection};
use super::support::murmur2::partition_of;
use super::support::provider::{PRESETS, Signer, sha256_hex};
use super::support::scene::{Plan, SECRET, TYPE};
use super::support::topics::Record;
use super::support::{unique, unix_millis};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Bodies that a parser and a serialiser between them would change.
fn bodies(signer: &Signer, id: &str) -> Vec<Vec<u8>> {
    let id = if signer.has_id_header() { String::new() } else { format!(r#""id":"{id}","#) };
    [
        format!("{{{id}\r\n  \"type\" : \"{TYPE}\",\r\n\t\"data\" :  {{ }}\r\n}}\r\n\n"),
        format!("{{{id}\"type\":\"{TYPE}\",\"n\":[1e999999,-0,1.0,12345678901234567890123456789]}}"),
        format!("{{{id}\"type\":\"{TYPE}\",\"s\":\"\\u00e9é\\/\\ud83d\\ude00😀\u{2028}\u{7f}\",\"s\":2}}"),
        format!("  {{\"b\":1,{id}\"a\":{{\"type\":\"no\"}},\"type\":\"test\\u002ehappened\"}}  "),
    ]
    .map(String::into_bytes)
    .to_vec()
}

#[test]
fn every_preset_delivers_the_signed_octets() {
    let mut plan = Plan::of("svix").partitions(6);
    let mut sources = Vec::new();
    for preset in PRESETS {
        let source = unique(preset);
        let signer = Signer::new(preset, &source);
        let secret = format!("SECRET_OF_{preset}").replace('-', "_");
        let topic = format!("webhooks.{}", plan.name());
        let yaml =
            format!("{{ provider: {preset}, secrets: [{{ env: {secret} }}], topics: {{ '*': {topic} }} }}");
        plan = plan.source(&source, &yaml).env(&secret, signer.secret());
        sources.push((source, signer));
    }
    let scene = plan.start();

    let mut sent = Vec::new();
    for (source, signer) in &sources {
        let path = format!("/webhooks/{source}");
        for number in 0..4 {
            let id = unique("msg");
            let body = bodies(signer, &id).swap_remove(number);
            let before = unix_millis();
            let request = signer.request(&path, &id, &body).header("traceparent", TRACEPARENT);
            scene.send(&request).assert_received();
            sent.push((source, signer, id, body, before, unix_millis()));
        }
    }
    let records = scene.records();
    assert_eq!(records.len(), sent.len());
    for (source, signer, id, body, before, after) in sent {
        let mut found = records.iter().filter(|record| record.key == id);
        let (record, None) = (found.next().expect("the record"), found.next()) else {
            panic!("{id} is there twice");
        };
        assert_eq!(record.value, body, "{:?}", String::from_utf8_lossy(&body));
        assert_eq!(record.partition, partition_of(id.as_bytes(), 6));
        assert_cloud_event(record, source, &id);
        assert_time(record, before, after);
        assert_eq!(record.header("traceparent"), Some(TRACEPARENT));
        assert!(signer.verifies(record), "verified again from the record alone: {record:?}");
    }
    assert_eq!(scene.dead_letters().len(), 0);
}

fn assert_cloud_event(record: &Record, source: &str, id: &str) {
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", id),
        ("ce_source", &format!("/webhooks/{source}")),
        ("ce_type", TYPE),
        ("content-type", "application/json"),
        ("hookbridge_source", source),
    ] {
        assert_eq!(record.header(name), Some(value), "{name} of {record:?}");
    }
    for name in ["hookbridge_unsigned", "hookbridge_body", "hookbridge_reason", "hookbridge_detail"] {
        assert_eq!(record.header(name), None, "{record:?}");
    }
}

/// The record's timestamp and `ce_time` are the time of receipt.
fn assert_time(record: &Record, before: u64, after: u64) {
    let timestamp = u64::try_from(record.timestamp_ms).expect("a time after 1970");
    assert!((before..=after).contains(&timestamp), "{before} <= {timestamp} <= {after}");
    let time = humantime::parse_rfc3339(record.header("ce_time").expect("ce_time")).expect("RFC 3339");
    let time = time.duration_since(UNIX_EPOCH).expect("a time after 1970");
    assert_eq!(time, Duration::from_millis(timestamp));
}

#[test]
fn a_body_of_the_largest_size_is_delivered() {
    // Kafka's default for a topic, 1048588 octets, is for the whole record.
    let scene = Plan::of("generic-hex").topic_config("segment.bytes", "4194304").start();
    let mut body = scene.signer.body("evt_large", TYPE);
    body.resize(960 * 1024, b' ');
    scene.send(&scene.request("", &body)).assert_received();
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, "evt_large");
    assert!(records[0].value == body, "960 KiB, octet for octet");
}

#[test]
fn without_an_id_the_key_is_the_hash_of_the_body() {
    let scene = Plan::of("generic-hex").start();
    let mut bodies = [
        format!(r#"{{"type":"{TYPE}"}}"#),
        format!(r#"{{"id":"","type":"{TYPE}"}}"#),
        format!(r#"{{"id":null,"type":"{TYPE}"}}"#),
    ];
    for body in &bodies {
        let request = scene.request("", body.as_bytes());
        // The header is the subscription's in some schemes; this one has none.
        scene.send(&request.header("X-Webhook-Id", "wh_1")).assert_received();
    }
    let mut keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    keys.sort();
    bodies.sort_by_key(|body| sha256_hex(body.as_bytes()));
    assert_eq!(keys, bodies.map(|body| sha256_hex(body.as_bytes())));
}

#[test]
fn the_key_can_be_the_hash_and_have_a_namespace() {
    let scene = Plan::of("svix").option("key: body_sha256").option("namespace: tenant-7").start();
    let event = scene.event("msg_hashed");
    scene.send(&event).assert_received();
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, format!("tenant-7:{}", sha256_hex(&event.body)));
    // The event keeps its own ID.
    assert_eq!(records[0].header("ce_id"), Some("msg_hashed"));
}

#[test]
fn a_namespace_stands_before_the_id() {
    let scene = Plan::of("generic-sha256").option("namespace: acme").partitions(5).start();
    scene.send(&scene.event("evt_7")).assert_received();
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, "acme:evt_7");
    assert_eq!(records[0].partition, partition_of(b"acme:evt_7", 5));
}

#[test]
fn what_the_signature_does_not_cover_is_marked() {
    let scene = Plan::of("generic-sha256").start();
    let in_header = scene.request("", br#"{"id":"evt_1"}"#).header("X-Webhook-Event", TYPE);
    scene.send(&in_header.header("X-Webhook-Id", "wh_9")).assert_received();
    let in_both = scene.event("evt_2").header("X-Webhook-Event", "forged");
    scene.send(&in_both).assert_received();
    let records = scene.records();
    let marks: Vec<_> = records
        .iter()
        .map(|record| (record.key.as_str(), record.header("ce_type"), record.header("hookbridge_unsigned")))
        .collect();
    assert_eq!(marks, [("evt_1", Some(TYPE), Some("event_type")), ("evt_2", Some(TYPE), None)]);
}

#[test]
fn no_other_header_of_the_request_is_in_the_record() {
    let scene = Plan::of("svix").start();
    let request = scene
        .event("msg_1")
        .header("authorization", "Bearer planted")
        .header("cookie", "planted=1")
        .header("ce_id", "planted")
        .header("hookbridge_source", "planted")
        .header("traceparent", "planted")
        .header("x-planted", "planted");
    scene.send(&request).assert_received();
    let records = scene.records();
    assert_eq!(records.len(), 1);
    let text = format!("{:?}", records[0].headers);
    let planted: Vec<_> =
        records[0].headers.iter().filter(|(_, value)| value.ends_with(b"planted")).collect();
    assert!(planted.is_empty() && !text.contains("x-planted"), "{text}");
}

#[test]
fn one_connection_takes_many_requests() {
    let scene = Plan::of("wristband").start();
    let mut connection = Connection::open(scene.bridge.public());
    for number in 0..20 {
        connection.exchange(&scene.event(&format!("msg_{number}"))).assert_received();
    }
    // A refusal does not end it either.
    let wrong = scene.event("msg_wrong").with("svix-signature", "v1,AAAA");
    assert_eq!(connection.exchange(&wrong).status, 401);
    connection.exchange(&scene.event("msg_20")).assert_received();
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, (0..=20).map(|number| format!("msg_{number}")).collect::<Vec<_>>());
}

#[test]
fn http2_with_prior_knowledge_delivers() {
    let scene = Plan::of("standard-webhooks").start();
    let mut requests: Vec<_> = (0..50).map(|number| scene.event(&format!("msg_{number}"))).collect();
    requests.push(scene.event("msg_wrong").with("webhook-id", "msg_other"));
    let answers = http::send_http2(scene.bridge.public(), &requests);
    let (wrong, right) = answers.split_last().expect("answers");
    right.iter().for_each(|answer| answer.assert_received());
    assert_eq!(wrong.status, 401);
    let mut keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    let mut sent: Vec<_> = (0..50).map(|number| format!("msg_{number}")).collect();
    keys.sort();
    sent.sort();
    assert_eq!(keys, sent);
}

#[test]
fn any_of_several_secrets_will_do() {
    let file = tempfile::NamedTempFile::new().expect("a file for a secret");
    let [old, new, other] = ["old", "new", "other"]
        .map(|seed| Signer::new("eventsair", &format!("{seed} {}", file.path().display())));
    // Editors end a file with a newline that is not part of the secret.
    std::fs::write(file.path(), format!("{}\n", new.secret())).expect("write a secret");
    let scene = Plan::of("eventsair")
        .secrets(&format!("[{{ env: OLD }}, {{ file: {} }}]", file.path().display()))
        .env("OLD", old.secret())
        .start();
    let path = scene.path();
    scene.send(&old.event(&path, "msg_old", TYPE)).assert_received();
    scene.send(&new.event(&path, "msg_new", TYPE)).assert_received();
    assert_eq!(scene.send(&other.event(&path, "msg_other", TYPE)).status, 401);
    // While a key is rotated, the provider signs with both.
    for (id, first, second) in [("msg_1", &other, &old), ("msg_2", &new, &other)] {
        let request = first.event(&path, id, TYPE);
        let timestamp = request.value("webhook-timestamp").to_owned();
        let both = format!(
            "{} {} v1a,AAAA",
            first.signature(id, &timestamp, &request.body),
            second.signature(id, &timestamp, &request.body)
        );
        scene.send(&request.with("webhook-signature", &both)).assert_received();
    }
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_old", "msg_new", "msg_1", "msg_2"]);
}

#[test]
fn svix_without_its_brand_is_svix() {
    let scene = Plan::of("allfly").start();
    let unbranded = scene.signer.clone().unbranded();
    scene.send(&unbranded.event(&scene.path(), "msg_unbranded", TYPE)).assert_received();
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, "msg_unbranded");
    assert!(unbranded.verifies(&records[0]));
}

#[test]
fn every_delivery_of_a_message_lands_in_one_place() {
    let scene = Plan::of("svix").partitions(6).start();
    for _ in 0..3 {
        // Signed anew each time, as a provider's retry is.
        scene.send(&scene.event("msg_again")).assert_received();
    }
    let records = scene.records();
    let places: Vec<_> = records.iter().map(|record| (record.key.as_str(), record.partition)).collect();
    assert_eq!(places, [("msg_again", partition_of(b"msg_again", 6)); 3]);
}

#[test]
fn an_unsigned_source_says_so_everywhere() {
    let topic = unique("unsigned");
    let open = format!("{{ provider: svix, danger_accept_unsigned: true, topics: {{ '*': {topic} }} }}");
    let scene = Plan::of("svix").source("open", &open).topic(&topic).start();
    let log = scene.bridge.log();
    log.find("requests are accepted without any signature", |line| line["level"] == "WARN")
        .expect("a warning");
    let unsigned = http::Request::post("/webhooks/open", br#"{"type":"t"}"#).header("svix-id", "msg_1");
    scene.send(&unsigned).assert_received();
    let records = scene.records_of(&topic);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].header("hookbridge_unsigned"), Some("message_id,event_type"));
    assert_eq!(records[0].header("hookbridge_body"), Some("unsigned"));
    // The source beside it is as strict as ever.
    let other = http::Request { target: scene.path(), ..unsigned };
    assert_eq!(scene.send(&other).status, 401);
    scene.assert_nothing_else_landed();
}

#[test]
fn a_custom_provider_is_served_at_its_own_path() {
    let topic = unique("payments");
    let billing = format!(
        "{{ path: /hooks/billing, secrets: [{{ env: {SECRET} }}], topics: {{ '*': {topic} }}, provider: {{ \
         signature: {{ header: X-Billing-Signature, algorithm: hmac-sha256, encoding: hex, content: '{{body}}' }}, \
         message_id: {{ json: /event/uid }}, event_type: {{ header: X-Billing-Event }}, \
         success: {{ status: 202, body: OK, content_type: text/plain }} }} }}"
    );
    let scene = Plan::of("generic-hex").source("billing", &billing).topic(&topic).start();
    let body = br#"{"event":{"uid":42}}"#;
    let signature = scene.signer.signature("", "", body);
    let request = http::Request::post("/hooks/billing?from=here", body)
        .header("X-Billing-Signature", &signature)
        .header("X-Billing-Event", "payment.made");
    let answer = scene.send(&request);
    assert_eq!((answer.status, answer.text().as_str()), (202, "OK"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    let records = scene.records_of(&topic);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, "42");
    assert_eq!(records[0].header("ce_source"), Some("/hooks/billing"));
    assert_eq!(records[0].header("x-billing-signature"), Some(signature.as_str()));
    assert_eq!(records[0].header("hookbridge_unsigned"), Some("event_type"));
    assert_eq!(records[0].header("content-type"), None);
}
