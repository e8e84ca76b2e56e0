//! The records as the CloudEvents SDK for Java reads them, in both modes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::consumers::{any_message, java, java_kit};
use super::support::duplicates::Sent;
use super::support::http::Request;
use super::support::scene::{Plan, Scene};
use super::support::topics::Record;

/// Where an event says what it is about, and when it happened.
const PLACES: &str = "subject: { json: /about }, event_time: { json: /at }";
const ABOUT: &str = "größe / ä%20";
const AT: &str = "2026-01-01T12:00:00.250+02:00";

/// What the SDK reads in the source's topic, by the records' keys.
fn read(scene: &Scene) -> BTreeMap<String, Value> {
    let jar = java_kit("tests/cloudevents-reader").join("cloudevents-reader.jar");
    let output = java(&jar).args([&scene.bootstrap, &scene.topic]).output().expect("run java");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the reader: {}\n{said}", output.status);
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let events: Vec<_> =
        events.map(|event| (event["key"].as_str().expect("a key").to_owned(), event)).collect();
    let count = events.len();
    let events = BTreeMap::from_iter(events);
    assert_eq!(events.len(), count, "each key once");
    events
}

/// Sends messages with IDs and types of all kinds, and compares everything that the SDK reads: data as `data` sees them.
fn compare(scene: &Scene, media_type: &str, data: fn(&str) -> Value) {
    let mut sent: Vec<Sent> = (0..24).map(any_message).collect();
    let odd = [
        ("\\u00e9\\\"\\\\", "é\"\\", "quoted \\\"type\\\"", "quoted \"type\""),
        ("%E2%82%AC+ ", "%E2%82%AC+ ", " €uro%20 ", " €uro%20 "),
        (
            "\u{202e}a\u{301}\u{10fffd}",
            "\u{202e}a\u{301}\u{10fffd}",
            "Ünïcødé.\u{1f600}",
            "Ünïcødé.\u{1f600}",
        ),
    ];
    for (written_id, id, written_type, event_type) in odd {
        let body = format!(r#"{{"id":"{written_id}","type":"{written_type}","n":0}}"#);
        sent.push(Sent { id: id.into(), event_type: event_type.into(), body: body.into_bytes() });
    }
    let body = format!(r#"{{"id":"msg_about","type":"order.paid","about":"{ABOUT}","at":"{AT}"}}"#);
    sent.push(Sent { id: "msg_about".into(), event_type: "order.paid".into(), body: body.into_bytes() });
    for message in &sent {
        let request = scene.request(&message.id, &message.body);
        scene.send(&Request::with(request, "content-type", media_type)).assert_received();
    }
    let times: BTreeMap<String, String> = scene.records().into_iter().map(received).collect();
    let mut expected: BTreeMap<String, Value> = sent
        .iter()
        .map(|message| {
            let event = json!({
                "key": message.id,
                "specversion": "1.0",
                "id": message.id,
                "source": scene.path(),
                "type": message.event_type,
                "time": times[&message.id],
                "datacontenttype": media_type,
                "data": data(std::str::from_utf8(&message.body).expect("UTF-8")),
            });
            (message.id.clone(), event)
        })
        .collect();
    let about = expected.get_mut("msg_about").expect("what was sent last");
    (about["subject"], about["time"]) = (ABOUT.into(), AT.into());
    let mut read = read(scene);
    for event in read.values_mut() {
        // The SDK reads times, and writes those of UTC without the zeros at their end.
        if let Ok(time) = humantime::parse_rfc3339(event["time"].as_str().expect("a time")) {
            event["time"] = humantime::format_rfc3339_millis(time).to_string().into();
        }
        event["data"] = data(event["data"].as_str().expect("text"));
    }
    assert_eq!(read, expected);
    assert_eq!(scene.dead_letters().len(), 0);
}

fn received(record: Record) -> (String, String) {
    let time = record.header("hookbridge_received_at").expect("a time").to_owned();
    (record.key, time)
}

#[test]
fn the_java_sdk_reads_binary_mode() {
    let scene = Plan::of("generic-hex").extended(PLACES).partitions(3).start();
    // The data are the body, octet for octet.
    compare(&scene, "application/json; charset=utf-8", |text| text.into());
}

#[test]
fn the_java_sdk_reads_structured_mode() {
    let scene =
        Plan::of("generic-hex").extended(PLACES).partitions(3).option("cloudevents: structured").start();
    // The SDK reads the JSON in the envelope and writes it anew: 1.000 is 1.0.
    compare(&scene, "application/json", |text| serde_json::from_str(text).expect("JSON"));
}
