//! Genuine events that can't be read: kept with the reason, and received, since sending them again would not
//! change them (P8).

use super::support::http::Request;
use super::support::provider::sha256_hex;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::topics::Record;
use super::support::unique;

/// Sends a genuine request and gives the dead letter that it has become.
fn dead_letter(scene: &Scene, request: &Request) -> Record {
    let before = scene.dead_letters().len();
    scene.send(request).assert_received();
    let mut records = scene.dead_letters();
    assert_eq!(records.len(), before + 1, "one more for {:?}", String::from_utf8_lossy(&request.body));
    let record = records.pop().expect("a record");
    assert_eq!(record.value, request.body);
    assert!(!record.header("hookbridge_detail").expect("a detail").is_empty());
    assert_eq!(record.header("hookbridge_source"), Some(scene.source.as_str()));
    assert_eq!(record.header("ce_specversion"), Some("1.0"));
    assert!(scene.signer.verifies(&record), "{record:?}");
    record
}

#[test]
fn unreadable_bodies() {
    let scene = Plan::of("svix").start();
    let bodies: [&[u8]; 6] = [
        b"",
        b"not JSON",
        b"{\"type\":\"a\"",
        b"{\"type\":\"a\"} {}",
        // Readers differ on which one counts.
        br#"{"type":"a","type":"b"}"#,
        br#"{"type":"a","\u0074ype":"b"}"#,
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let id = format!("msg_{number}");
        let record = dead_letter(&scene, &scene.request(&id, body));
        assert_eq!(record.key, id, "the ID is in a header, and readable");
        assert_eq!(record.header("ce_id"), Some(id.as_str()));
        assert_eq!(record.header("hookbridge_reason"), Some("unreadable_body"), "{body:?}");
        assert_eq!(record.header("ce_type"), Some("hookbridge.dead_letter"));
    }
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn without_a_readable_body_the_key_is_its_hash() {
    let scene = Plan::of("generic-hex").start();
    for body in [&b"not JSON"[..], b"", br#"{"id":"evt_1","id":"evt_2","type":"a"}"#] {
        let record = dead_letter(&scene, &scene.request("", body));
        assert_eq!(record.key, sha256_hex(body));
        assert_eq!(record.header("hookbridge_reason"), Some("unreadable_body"));
    }
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn unusable_ids_and_types() {
    let scene = Plan::of("generic-hex").start();
    let long = "x".repeat(257);
    let of_id = |id: &str| format!(r#"{{"id":{id},"type":"{TYPE}"}}"#);
    let of_type = |event_type: &str| format!(r#"{{"id":"evt_1","type":{event_type}}}"#);
    for (body, reason) in [
        (of_type("{}"), "unusable_event_type"),
        (of_type(r#"["a"]"#), "unusable_event_type"),
        (of_type("true"), "unusable_event_type"),
        (of_type(&format!("\"{long}\"")), "unusable_event_type"),
        (of_type(r#""a\u0000b""#), "unusable_event_type"),
        (of_type("null"), "missing_event_type"),
        (of_type(r#""""#), "missing_event_type"),
        (r#"{"id":"evt_1"}"#.to_owned(), "missing_event_type"),
        (of_id("{}"), "unusable_message_id"),
        (of_id(&format!("\"{long}\"")), "unusable_message_id"),
        (of_id(r#""a\nb""#), "unusable_message_id"),
        ("[]".to_owned(), "missing_event_type"),
        ("7".to_owned(), "missing_event_type"),
    ] {
        let record = dead_letter(&scene, &scene.request("", body.as_bytes()));
        assert_eq!(record.header("hookbridge_reason"), Some(reason), "{body}");
        let (key, event_type) = match reason {
            "unusable_message_id" => (sha256_hex(body.as_bytes()), TYPE),
            _ if body.contains("evt_1") => ("evt_1".to_owned(), "hookbridge.dead_letter"),
            _ => (sha256_hex(body.as_bytes()), "hookbridge.dead_letter"),
        };
        assert_eq!(record.key, key, "{body}");
        assert_eq!(record.header("ce_type"), Some(event_type), "{body}");
    }
    assert_eq!(scene.records().len(), 0);
    // A number is as good as a text, and keeps every digit.
    let numbers = br#"{"id":123456789012345678901234567890,"type":1e2}"#;
    scene.send(&scene.request("", numbers)).assert_received();
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, "123456789012345678901234567890");
    assert_eq!(records[0].header("ce_type"), Some("1e2"));
}

#[test]
fn more_topics_than_the_source_may_name() {
    let name = unique("many");
    let topics = [format!("{name}.a"), format!("{name}.b")];
    let scene = Plan::of("generic-hex")
        .topic(&topics[0])
        .topic(&topics[1])
        .option("max_topics: 2")
        .option(&format!("topics: {{ '*': '{name}.{{type}}' }}"))
        .start();
    for (id, event_type) in [("evt_1", "a"), ("evt_2", "b")] {
        scene.send(&scene.event_of(event_type, id)).assert_received();
    }
    let record = dead_letter(&scene, &scene.event_of("c", "evt_3"));
    assert_eq!(record.key, "evt_3");
    assert_eq!(record.header("hookbridge_reason"), Some("too_many_topics"));
    assert_eq!(record.header("ce_type"), Some("c"));
    // Those that are named already go on.
    scene.send(&scene.event_of("a", "evt_4")).assert_received();
    let keys: Vec<_> = scene.records_of(&topics[0]).into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["evt_1", "evt_4"]);
}

#[test]
fn nothing_forged_becomes_a_dead_letter() {
    let scene = Plan::of("svix").start();
    let unreadable = scene.request("msg_1", b"not JSON");
    let forged = Request { body: b"not JSON either".to_vec(), ..unreadable };
    assert_eq!(scene.send(&forged).status, 401);
    scene.assert_nothing_else_landed();
}
