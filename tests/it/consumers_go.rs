//! examples/go: each message once, verified again.

use std::path::Path;
use std::process::Command;

use super::consumers_rust::{assert_planted, keys, lines, message};
use super::support::duplicates::{
    Deliveries, Process, example, prove_exactly_once, prove_work_before_commit,
};
use super::support::scene::Plan;

#[test]
fn the_go_consumer_takes_each_message_once() {
    let example = example("go");
    let scene = Plan::of("standard-webhooks").partitions(3).start();
    let dir = tempfile::tempdir().expect("a directory");
    let results = dir.path().join("results");
    let start_at = |group: &str, results: &Path| {
        let mut command = Command::new(&example);
        command.args(["-bootstrap", &scene.bootstrap, "-group", group, "-instance", "one"]);
        command.args(["-topics", &scene.topic, "-secrets", &format!("{}=SECRET", scene.source)]);
        command.arg("-results").arg(results).env("SECRET", scene.signer.secret());
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
        assert_eq!(line["verified"], true, "{line}");
    }

    let blocked = dir.path().join("blocked");
    let start_blocked = |group: &str| start_at(group, &blocked);
    prove_work_before_commit(&scene, &deliveries, &blocked, start_blocked, || keys(&blocked));

    assert_planted(&scene, &deliveries, start, &results);
}
