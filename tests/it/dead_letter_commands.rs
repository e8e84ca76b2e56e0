//! `hookbridge dead-letters`: what is listed, what is shown, and what a replay lets through.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

use super::support::bridge::hookbridge;
use super::support::command::{Done, run, run_command};
use super::support::http::Connection;
use super::support::scene::{Plan, SECRET, Scene};
use super::support::topics;
use super::support::unique;
use super::support::wait::{SOON, eventually};

/// A configuration beside that of the scene's bridge: mended, or wrong in another way.
pub(super) struct Mended {
    _dir: TempDir,
    pub(super) file: PathBuf,
    pub(super) secret: String,
}

impl Mended {
    /// The scene's source, written anew.
    pub(super) fn of(scene: &Scene, provider: &str, options: &str) -> Mended {
        let text = format!(
            "kafka: {{ bootstrap.servers: '{}', compression.type: gzip, linger.ms: 1, message.timeout.ms: 60000 }}\ndead_letter: {}\nsources:\n  {}:\n    provider: {provider}\n    \
             secrets: [{{ env: {SECRET} }}]\n{options}",
            scene.bootstrap, scene.dead_letter, scene.source
        );
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("hookbridge.yaml");
        fs::write(&file, text).expect("write a configuration");
        Mended { _dir: dir, file, secret: scene.signer.secret().to_owned() }
    }

    fn arguments<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let file = self.file.to_str().expect("a path in UTF-8");
        [&["dead-letters", command, "--config", file], more].concat()
    }

    fn run(&self, command: &str, more: &[&str]) -> Done {
        run(&self.arguments(command, more), &[(SECRET, &self.secret)])
    }

    /// Runs it with `--json`: the lines, and for a replay the summary as the last one.
    #[track_caller]
    pub(super) fn lines(&self, command: &str, more: &[&str]) -> Vec<Value> {
        let done = self.run(command, &[more, &["--json"]].concat());
        assert_eq!(done.code, 0, "{done:?}");
        parsed(&done)
    }

    /// The outcomes of a replay, each with its reason, if it has one.
    #[track_caller]
    pub(super) fn replayed(&self, more: &[&str]) -> Vec<String> {
        let mut lines = self.lines("replay", more);
        assert!(lines.pop().is_some_and(|last| last["summary"].is_object()), "a summary at the end");
        lines.iter().map(outcome).collect()
    }
}

fn parsed(done: &Done) -> Vec<Value> {
    done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn outcome(line: &Value) -> String {
    let outcome = line["outcome"].as_str().expect("an outcome");
    match line["reason"].as_str() {
        Some(reason) => format!("{outcome} {reason}"),
        None => outcome.to_owned(),
    }
}

pub(super) const BY_KIND: &str = "{ extends: generic-hex, event_type: { json: /kind } }";

/// An event whose type stands where the preset does not look.
fn of_kind(id: &str) -> Vec<u8> {
    format!(r#"{{"id":"{id}", "kind":"a.b"}}"#).into_bytes()
}

/// A source whose dead letters have no type, and that many of them.
pub(super) fn without_type(count: usize) -> Scene {
    let scene = Plan::of("generic-hex").start();
    let mut connection = Connection::open(scene.bridge.public());
    for number in 0..count {
        connection.exchange(&scene.request("", &of_kind(&format!("evt_{number}")))).assert_received();
    }
    scene
}

/// Path, body, reason, path of the fault, original topic.
type Case<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, Option<&'a str>);

#[test]
fn every_reason_says_where_the_fault_is() {
    let batches = unique("batches");
    let yaml = format!("{{ provider: generic-hex, split: /events, secrets: [{{ env: {SECRET} }}] }}");
    let named = unique("named");
    let scene = Plan::of("generic-hex")
        .topic(&format!("{named}.a"))
        .option("max_topics: 1")
        .option(&format!("topics: {{ '*': '{named}.{{type}}' }}"))
        .source(&batches, &yaml)
        .start();
    scene.send(&scene.event_of("a", "evt_1")).assert_received();
    let to_batches = format!("/webhooks/{batches}");
    let third = format!("{named}.c");
    let too_many = format!(r#"{{"events":[{}0]}}"#, "0,".repeat(10_000));
    let cases: [Case<'_>; 8] = [
        ("", "no JSON", "unreadable_body", None, None),
        ("", r#"{"id":{},"type":"a"}"#, "unusable_message_id", Some("/id"), None),
        ("", r#"{"id":"1","type":[]}"#, "unusable_event_type", Some("/type"), None),
        ("", r#"{"id":"1"}"#, "missing_event_type", Some("/type"), None),
        ("", r#"{"id":"1","type":"c"}"#, "too_many_topics", None, Some(&third)),
        (&to_batches, r#"{"event":[]}"#, "not_a_batch", Some("/events"), None),
        (&to_batches, &too_many, "too_many_elements", None, None),
        (&to_batches, r#"{"events":[{"id":"1"}]}"#, "missing_event_type", Some("/type"), None),
    ];
    for (path, body, ..) in cases {
        let path = if path.is_empty() { scene.path() } else { path.to_owned() };
        scene.send(&scene.signer.request(&path, "", body.as_bytes())).assert_received();
    }
    let dead = scene.dead_letters();
    assert_eq!(dead.len(), cases.len());
    for (record, (path, body, reason, fault_path, topic)) in dead.iter().zip(cases) {
        assert_eq!(record.header("hookbridge_reason"), Some(reason), "{body:.80}");
        assert_eq!(record.header("hookbridge_fault_path"), fault_path, "{body:.80}");
        assert_eq!(record.header("hookbridge_topic"), topic, "{body:.80}");
        let path = if path.is_empty() { scene.path() } else { path.to_owned() };
        assert_eq!(record.header("hookbridge_path"), Some(path.as_str()));
        assert_eq!(record.header("hookbridge_received_at"), record.header("ce_time"));
    }

    let file = scene.bridge.file().to_str().expect("a path in UTF-8").to_owned();
    let list = |more: &[&str]| {
        let arguments = [&["dead-letters", "list", "--config", &file], more].concat();
        run(&arguments, &[(SECRET, scene.signer.secret())])
    };
    let listed = parsed(&list(&["--json"]));
    let reasons: Vec<_> = listed.iter().map(|line| line["reason"].as_str().expect("a reason")).collect();
    assert_eq!(reasons, cases.map(|(_, _, reason, ..)| reason));
    assert_eq!(listed[4]["original_topic"], third.as_str());
    assert_eq!((&listed[1]["fault_path"], &listed[1]["offset"]), (&"/id".into(), &1.into()));
    let Done { stdout: text, stderr, .. } = list(&[]);
    assert_eq!(stderr, "");
    assert_eq!(text.lines().count(), cases.len() + 1, "{text}");
    let summary = text.lines().last().expect("a summary");
    assert!(summary.starts_with("8 dead letters: ") && summary.contains("missing_event_type 2"), "{summary}");
    for (choice, count) in [
        (&["--reason", "missing_event_type"][..], 2),
        (&["--source", &batches], 3),
        (&["--source", &batches, "--reason", "missing_event_type"], 1),
        (&["--since", "2100-01-01T00:00:00Z"], 0),
        (&["--until", "2100-01-01T00:00:00Z"], 8),
        (&["--partition", "0", "--from-offset", "6"], 2),
        (&["--limit", "3"], 3),
    ] {
        assert_eq!(parsed(&list(&[choice, &["--json"]].concat())).len(), count, "{choice:?}");
    }
    assert_eq!(list(&["--partition", "7"]).code, 1);
    assert_eq!(list(&["--from-offset", "7"]).code, 2, "an offset of no partition");
    assert_eq!(list(&["--topic", &unique("none")]).code, 1);
}

#[test]
fn one_letter_is_shown_whole() {
    let scene = without_type(2);
    let mended = Mended::of(&scene, BY_KIND, "");
    let done = mended.run("show", &["0:1"]);
    assert_eq!(done.code, 0, "{done:?}");
    for shown in [
        "hookbridge_reason: missing_event_type",
        "hookbridge_fault_path: /type",
        "x-webhook-signature: ",
        "\"kind\": \"a.b\"",
        &format!("would be replayed to {}, key evt_1", scene.topic),
    ] {
        assert!(done.stdout.contains(shown), "{shown} in\n{}", done.stdout);
    }
    assert_eq!(mended.run("show", &["0:1", "--raw"]).stdout.as_bytes(), of_kind("evt_1"));
    let json: Value = serde_json::from_str(&mended.run("show", &["0:1", "--json"]).stdout).expect("JSON");
    assert_eq!(json["value"].as_str().map(str::as_bytes), Some(&*of_kind("evt_1")));
    assert_eq!(json["now"]["outcome"], "would_replay");
    assert_eq!(mended.run("show", &["0:2"]).code, 1);
    assert_eq!(mended.run("show", &["1"]).code, 2);
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn once_the_configuration_is_mended_a_replay_lands_where_it_belongs() {
    let scene = without_type(3);
    let dead = scene.dead_letters();
    let as_it_is = Mended::of(&scene, "generic-hex", "");
    assert_eq!(as_it_is.replayed(&["--group", "first"]), ["still_dead missing_event_type"; 3]);
    assert_eq!(scene.records().len(), 0);

    let mended = Mended::of(&scene, BY_KIND, "");
    assert_eq!(mended.replayed(&["--dry-run"]), ["would_replay"; 3]);
    assert_eq!(scene.records().len(), 0, "a dry run produces nothing");
    assert_eq!(mended.replayed(&["--limit", "1"]), ["replayed"], "nor did it commit");
    assert_eq!(mended.replayed(&[]), ["replayed"; 2], "it goes on from there");
    assert_eq!(mended.replayed(&[]), [""; 0], "and is done");
    // A choice is a group of its own: what another has passed over, or done, is not its.
    assert_eq!(mended.replayed(&["--reason", "unreadable_body"]), [""; 0]);

    let records = scene.records();
    assert_eq!(records.len(), 3);
    for (number, (record, dead)) in records.iter().zip(&dead).enumerate() {
        assert_eq!(record.key, format!("evt_{number}"));
        assert_eq!(record.value, of_kind(&record.key));
        assert_eq!(record.timestamp_ms, dead.timestamp_ms, "the time of receipt");
        assert_eq!(record.header("ce_time"), dead.header("ce_time"));
        assert_eq!(record.header("ce_type"), Some("a.b"));
        let from = format!("{}/0/{number}", scene.dead_letter);
        assert_eq!(record.header("hookbridge_replayed_from"), Some(from.as_str()));
        assert_eq!(record.header("hookbridge_reason"), None);
        assert!(scene.signer.verifies(record), "{record:?}");
    }
    assert_eq!(scene.dead_letters().len(), 3, "what is there stays");
    // A fresh delivery of the same event has the same key.
    let drop = Mended::of(&scene, BY_KIND, "    topics: { a.b: { drop: true } }\n");
    assert_eq!(drop.replayed(&["--from-beginning"]), ["dropped"; 3]);
    assert_eq!(scene.records().len(), 3);
}

/// A topic that was made anew has not been dealt with, whatever was committed for its name.
#[test]
fn offsets_beyond_the_end_are_none() {
    let scene = without_type(1);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &scene.bootstrap)
        .set("group.id", &scene.source)
        .create()
        .expect("a consumer");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&scene.dead_letter, 0, Offset::Offset(7)).expect("an offset");
    eventually(SOON, "the offset is committed", || consumer.commit(&offsets, CommitMode::Sync).ok());
    let mended = Mended::of(&scene, BY_KIND, "");
    assert_eq!(mended.replayed(&["--group", &scene.source]), ["replayed"]);
    assert_eq!(mended.replayed(&["--group", &scene.source]), [""; 0]);
}

#[test]
fn a_header_that_names_the_event_is_kept_with_it() {
    let scene = Plan::of("generic-sha256").option("max_topics: 1").start();
    // No signature covers X-Webhook-Event, and it has no value.
    let request = scene.request("", br#"{"id":"evt_1","type":{}}"#).header("x-webhook-event", "from.header");
    scene.send(&request).assert_received();
    match scene.dead_letters().as_slice() {
        [record] => assert_eq!(record.header("x-webhook-event"), Some("from.header")),
        records => assert_eq!(records.len(), 1),
    }
    let mended =
        Mended::of(&scene, "{ extends: generic-sha256, event_type: { header: X-Webhook-Event } }", "");
    assert_eq!(mended.replayed(&[]), ["replayed"]);
    assert_eq!(scene.records()[0].header("ce_type"), Some("from.header"));
}

/// Without it the replay's key would be another than that of a fresh delivery.
#[test]
fn a_query_that_names_the_event_is_kept_with_it() {
    let provider = "message_id: { query: id }, event_type: { json: /";
    let scene = Plan::of("generic-sha256").extended(&format!("{provider}type }}")).start();
    let path = format!("{}?other=x&id=a%20b", scene.path());
    scene.send(&scene.signer.request(&path, "", br#"{"kind":"a"}"#)).assert_received();
    assert_eq!(scene.dead_letters()[0].header("hookbridge_query"), Some("id=a%20b"));
    let mended = Mended::of(&scene, &format!("{{ extends: generic-sha256, {provider}kind }} }}"), "");
    assert_eq!(mended.replayed(&[]), ["replayed"]);
    assert_eq!(scene.records()[0].key, "a b");
}

/// What may be otherwise later is neither committed nor lost.
#[test]
fn a_replay_that_kafka_does_not_take_goes_on_later() {
    let scene = without_type(2);
    let topic = unique("later");
    let mended = Mended::of(&scene, BY_KIND, &format!("    topics: {{ '*': {topic} }}\n"));
    let done = mended.run("replay", &["--json"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("the dead letter at 0:0 could not be replayed"), "{}", done.stderr);
    topics::create(&scene.bootstrap, &topic, 1, &[]);
    assert_eq!(mended.replayed(&[]), ["replayed"; 2]);
    assert_eq!(scene.records_of(&topic).len(), 2);
}

#[test]
fn a_replay_that_is_killed_is_gone_on_with() {
    // What is said of so many does not fit into a pipe that nobody empties: it can't have come to its end.
    const COUNT: usize = 1000;
    let scene = without_type(COUNT);
    let mended = Mended::of(&scene, BY_KIND, "");
    let mut killed = hookbridge()
        .args(mended.arguments("replay", &["--json"]))
        .env(SECRET, &mended.secret)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("run hookbridge");
    let mut lines = BufReader::new(killed.stdout.take().expect("a pipe")).lines();
    assert!(lines.next().is_some_and(|line| line.is_ok()), "it replays");
    killed.kill().expect("kill it");
    killed.wait().expect("its end");
    let rest = mended.replayed(&[]);
    assert!(!rest.is_empty() && rest.iter().all(|outcome| outcome == "replayed"));
    let mut keys: Vec<String> = scene.records().into_iter().map(|record| record.key).collect();
    assert!(keys.len() >= COUNT);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), COUNT, "none is lost");
    assert_eq!(mended.replayed(&[]), [""; 0]);
}

#[test]
fn wrong_arguments_and_configurations_are_said() {
    let scene = Plan::of("generic-hex").start();
    let mended = Mended::of(&scene, "generic-hex", "    nonsense: 1\n");
    assert_eq!(mended.run("replay", &[]).code, 64);
    let empty = Mended::of(&scene, "generic-hex", "");
    let done = empty.run("list", &[]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "no dead letters\n"));
    assert_eq!(empty.run("list", &["--since", "yesterday"]).code, 2);
    let help = run_command(hookbridge().args(["dead-letters", "replay", "--help"]));
    assert!(help.stdout.contains("--accept-unverifiable") && help.stdout.contains("ACL"), "{}", help.stdout);
}
