//! examples/go: each message once, verified again.

use std::path::Path;
use std::process::Command;

use super::support::duplicates::{
    Deliveries, Process, example, prove_exactly_once, prove_moves, prove_work_before_commit,
};
use super::support::ledgers::{assert_planted, keys, lines, message};
use super::support::scene::{Plan, Scene};

fn start(example: &Path, scene: &Scene, results: &Path, group: &str, instance: Option<&str>) -> Process {
    let mut command = Command::new(example);
    command.args(["-bootstrap", &scene.bootstrap, "-group", group]);
    command.args(instance.map(|name| format!("-instance={name}")));
    command.args(["-topics", &scene.topic, "-secrets", &format!("{}=SECRET", scene.source)]);
    command.arg("-results").arg(results).env("SECRET", scene.signer.secret());
    Process::start(&mut command)
}

#[test]
fn the_go_consumer_takes_each_message_once() {
    let example = example("go");
    let scene = Plan::of("standard-webhooks").partitions(3).start();
    let dir = tempfile::tempdir().expect("a directory");
    let results = dir.path().join("results");
    let at = |results: &Path, group: &str| start(&example, &scene, results, group, Some("one"));
    let deliveries = Deliveries::of(240, message);
    prove_exactly_once(&scene, &deliveries, |group| at(&results, group), || keys(&results));

    let sent = deliveries.messages();
    for line in lines(&results) {
        let message = sent[line["key"].as_str().expect("a key")];
        assert_eq!(line["type"], message.event_type, "{line}");
        assert_eq!(line["source"], scene.source, "{line}");
        assert_eq!(line["octets"], message.body.len(), "{line}");
        assert_eq!(line["verified"], true, "{line}");
    }

    let blocked = dir.path().join("blocked");
    prove_work_before_commit(&scene, &deliveries, &blocked, |group| at(&blocked, group), || keys(&blocked));
    assert_planted(&scene, &deliveries, |group| at(&results, group), &results);
}

#[test]
fn go_consumers_share_a_topic() {
    let example = example("go");
    let scene = Plan::of("svix").partitions(3).start();
    let dir = tempfile::tempdir().expect("a directory");
    let deliveries = Deliveries::of(400, message);
    let start = |group: &str| start(&example, &scene, dir.path(), group, None);
    prove_moves(&scene, &deliveries, start, || keys(dir.path()));
}
