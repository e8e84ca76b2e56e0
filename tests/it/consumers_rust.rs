//! examples/rust: each message once, verified again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

use super::support::duplicates::{
    Deliveries, Process, Sent, has_consumed, prove_exactly_once, prove_work_before_commit,
};
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

/// Puts two records into the topic, past hookbridge, with the headers of a genuine one: `msg_forged` with another body, and
/// `msg_framed` with the same in the wire format of a JSON Schema.
pub(crate) fn plant(scene: &Scene) {
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

    assert_planted(&scene, &deliveries, start, &results);
}
