//! examples/rust: each message once, verified again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

use super::support::duplicates::{Deliveries, Process, Sent, prove_exactly_once, prove_work_before_commit};
use super::support::scene::{Plan, SECRET, Scene};
use super::support::unique;
use super::support::wait::SOON;

/// Builds the example as `cargo test` has built the executable, and says where it is.
fn example() -> PathBuf {
    let bin = Path::new(env!("CARGO_BIN_EXE_hookbridge"));
    let profile = bin.parent().expect("the profile's directory");
    let named = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(other) => other,
        None => panic!("no profile in {}", bin.display()),
    };
    let target = profile.parent().expect("the target directory");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--example", "consumer", "--profile", named])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("run cargo");
    assert!(status.success(), "build the example");
    profile.join("examples/consumer")
}

/// What the consumer has written, from all of its files.
pub(crate) fn lines(results: &Path) -> Vec<Value> {
    let files = fs::read_dir(results).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let texts: Vec<String> = files.map(|file| fs::read_to_string(file).expect("read the results")).collect();
    let whole = texts.iter().filter_map(|text| text.rsplit_once('\n')).flat_map(|(whole, _)| whole.lines());
    whole.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

pub(crate) fn keys(results: &Path) -> Vec<String> {
    lines(results).iter().map(|line| line["key"].as_str().expect("a key").to_owned()).collect()
}

/// Puts a copy of a genuine record with another body into the topic, past hookbridge.
pub(crate) fn forge(scene: &Scene) {
    let genuine = scene.records().swap_remove(0);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &scene.bootstrap).create().expect("a producer");
    let mut headers = OwnedHeaders::new();
    for (name, value) in &genuine.headers {
        headers = headers.insert(Header { key: name, value: Some(value) });
    }
    let record = BaseRecord::to(&scene.topic).key("msg_forged").payload(r#"{"type":"forged"}"#);
    let sent = producer.send(record.headers(headers).timestamp(genuine.timestamp_ms));
    assert!(sent.is_ok(), "enqueue a forged record");
    producer.flush(SOON).expect("deliver a forged record");
}

pub(crate) fn message(number: usize) -> Sent {
    let event_type = ["invoice.paid", "invoice.sent", "user.created"][number % 3].to_owned();
    let body = format!(r#"{{"type":"{event_type}","data":{{"number": {number} }} }}"#).into_bytes();
    Sent { id: format!("msg_{number}"), event_type, body }
}

#[test]
fn the_rust_consumer_takes_each_message_once() {
    let example = example();
    let scene = Plan::of("svix").partitions(3).start();
    let dir = tempfile::tempdir().expect("a directory");
    let results = dir.path().join("results");
    let start_at = |group: &str, results: &Path| {
        let mut command = Command::new(&example);
        command.args(["--bootstrap", &scene.bootstrap, "--group", group, "--instance", "one"]);
        command.args(["--topics", &scene.topic, "--results"]).arg(results);
        command.arg("--config").arg(scene.bridge.file()).env(SECRET, scene.signer.secret());
        Process::start(&mut command)
    };
    let start = |group: &str| start_at(group, &results);
    let deliveries = Deliveries::of(240, message);
    prove_exactly_once(&scene, &deliveries, start, || keys(&results));

    let sent = deliveries.messages();
    for line in lines(&results) {
        let message = sent[line["key"].as_str().expect("a key")];
        assert_eq!(line["type"], message.event_type, "{line}");
        assert_eq!(line["source"], scene.source, "{line}");
        assert_eq!(line["octets"], message.body.len(), "{line}");
        assert_eq!(line["verified_by"], "1", "{line}");
    }

    let blocked = dir.path().join("blocked");
    let start_blocked = |group: &str| start_at(group, &blocked);
    prove_work_before_commit(&scene, &deliveries, &blocked, start_blocked, || keys(&blocked));

    forge(&scene);
    let mut consumer = start(&unique("forged"));
    consumer.wait_for("a refusal", |consumer| consumer.log().contains("key msg_forged").then_some(()));
    deliveries.assert_once_each("after a forgery", keys(&results));
}
