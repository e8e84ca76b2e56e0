//! What the consumers in Rust and Go write, a line of JSON for each message in a file for each partition, and what is put
//! into their topic past hookbridge.
//!
//! Takes the directory of their results. Gives lines and keys; plants records that only verification can tell apart.

use std::fs;
use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

use super::duplicates::{Deliveries, Process, Sent, has_consumed};
use super::scene::Scene;
use super::unique;
use super::wait::SOON;

/// What the consumer has written, from all of its files.
pub(crate) fn lines(results: &Path) -> Vec<Value> {
    let files = fs::read_dir(results).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let texts: Vec<String> = files.map(|file| fs::read_to_string(file).expect("read the results")).collect();
    let whole = texts.iter().filter_map(|text| text.rsplit_once('\n')).flat_map(|(whole, _)| whole.lines());
    whole.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The keys among it.
pub(crate) fn keys(results: &Path) -> Vec<String> {
    lines(results).iter().map(|line| line["key"].as_str().expect("a key").to_owned()).collect()
}

/// Puts two records into the topic, past hookbridge, with the headers of a genuine one: `msg_forged` with another body, and
/// `msg_framed` with the same in the wire format of a JSON Schema.
fn plant(scene: &Scene) {
    let genuine = scene.records().swap_remove(0);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &scene.bootstrap).create().expect("a producer");
    let framed = [&[0, 0, 0, 0, 7], genuine.value.as_slice()].concat();
    let forged = br#"{"type":"forged"}"#.to_vec();
    for (key, value) in [("msg_framed", framed), ("msg_forged", forged)] {
        let mut headers = OwnedHeaders::new();
        for (name, value) in &genuine.headers {
            headers = headers.insert(Header { key: name, value: Some(value) });
        }
        let record = BaseRecord::to(&scene.topic).key(key).payload(&value).headers(headers);
        let sent = producer.send(record.timestamp(genuine.timestamp_ms));
        assert!(sent.is_ok(), "enqueue {key}");
    }
    producer.flush(SOON).expect("deliver them");
}

/// What was planted is judged by its signature, and nothing else has changed.
pub(crate) fn assert_planted(
    scene: &Scene,
    deliveries: &Deliveries,
    start: impl Fn(&str) -> Process,
    results: &Path,
) {
    plant(scene);
    let group = unique("planted");
    let mut consumer = start(&group);
    let consumed = || has_consumed(&scene.bootstrap, &group, &scene.topic).then_some(());
    consumer.wait_for("everything is consumed", |_| consumed());
    let (framed, others) = keys(results).into_iter().partition::<Vec<_>, _>(|key| key == "msg_framed");
    assert_eq!(framed.len(), 1, "verified again behind a schema's ID");
    deliveries.assert_once_each("after a forgery", others);
    assert!(consumer.log().contains("key msg_forged"), "the forged record is named: {}", consumer.log());
    consumer.terminate();
}

/// A message of one of three types.
pub(crate) fn message(number: usize) -> Sent {
    let event_type = ["invoice.paid", "invoice.sent", "user.created"][number % 3].to_owned();
    let body = format!(r#"{{"type":"{event_type}","data":{{"number": {number} }} }}"#).into_bytes();
    Sent { id: format!("msg_{number}"), event_type, body }
}
