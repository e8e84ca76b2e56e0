//! `hookbridge dead-letters`: what is listed, what is shown, and what a replay lets through.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use tempfile::TempDir;

use super::support::bridge::hookbridge;
use super::support::command::{Done, run, run_command};
use super::support::http::Connection;
use super::support::provider::Signer;
use super::support::scene::{Plan, SECRET, Scene, TYPE};
use super::support::topics::{self, Record};
use super::support::{unique, unix_millis};

/// A configuration beside that of the scene's bridge: mended, or wrong in another way.
struct Mended {
    _dir: TempDir,
    file: PathBuf,
    secret: String,
}

impl Mended {
    /// The scene's source, written anew.
    fn of(scene: &Scene, provider: &str, options: &str) -> Mended {
        let text = format!(
            "kafka: {{ bootstrap.servers: '{}' }}\ndead_letter: {}\nsources:\n  {}:\n    provider: {provider}\n    \
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
    fn lines(&self, command: &str, more: &[&str]) -> Vec<Value> {
        let done = self.run(command, &[more, &["--json"]].concat());
        assert_eq!(done.code, 0, "{done:?}");
        parsed(&done)
    }

    /// The outcomes of a replay, each with its reason, if it has one.
    #[track_caller]
    fn replayed(&self, more: &[&str]) -> Vec<String> {
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

/// Writes a record as somebody else could.
fn put(scene: &Scene, topic: &str, headers: &[(String, String)], value: &[u8]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &scene.bootstrap)
        .create()
        .expect("a producer");
    let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value.as_bytes()) })
    });
    let record = BaseRecord::to(topic).key("anything").payload(value).headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("enqueue a record");
    producer.flush(Duration::from_secs(30)).expect("an acknowledgement");
}

/// The headers of a dead letter, made by hand, of a request of this signer's.
fn letter(scene: &Scene, signer: &Signer, signed_s: u64, received_ms: u64, body: &[u8]) -> Vec<(String, String)> {
    let received = std::time::UNIX_EPOCH + Duration::from_millis(received_ms);
    let mut headers = signer.headers("msg_1", signed_s, body);
    for (name, value) in [
        ("hookbridge_source", scene.source.clone()),
        ("hookbridge_path", scene.path()),
        ("hookbridge_received_at", humantime::format_rfc3339_millis(received).to_string()),
        ("hookbridge_reason", "missing_event_type".to_owned()),
    ] {
        headers.push((name.to_owned(), value));
    }
    headers
}

const BY_KIND: &str = "{ extends: generic-hex, event_type: { json: /kind } }";

/// An event whose type stands where the preset does not look.
fn of_kind(id: &str) -> Vec<u8> {
    format!(r#"{{"id":"{id}", "kind":"a.b"}}"#).into_bytes()
}

/// A source whose dead letters have no type, and that many of them.
fn without_type(count: usize) -> Scene {
    let scene = Plan::of("generic-hex").start();
    let mut connection = Connection::open(scene.bridge.public());
    for number in 0..count {
        connection.exchange(&scene.request("", &of_kind(&format!("evt_{number}")))).assert_received();
    }
    scene
}

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
    let cases: [(&str, &str, &str, Option<&str>, Option<&str>); 8] = [
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
    let text = list(&[]).stdout;
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
    let mended = Mended::of(
        &scene,
        "{ extends: generic-sha256, event_type: { header: X-Webhook-Event } }",
        "",
    );
    assert_eq!(mended.replayed(&[]), ["replayed"]);
    assert_eq!(scene.records()[0].header("ce_type"), Some("from.header"));
}

#[test]
fn what_no_secret_proves_any_more_is_refused() {
    let scene = without_type(1);
    let mut mended = Mended::of(&scene, BY_KIND, "");
    mended.secret = Signer::new("generic-hex", "another account").secret().to_owned();
    for more in [&["--from-beginning"][..], &["--from-beginning", "--accept-unverifiable"]] {
        assert_eq!(mended.replayed(more), ["refused signature_mismatch"], "{more:?}");
    }
    assert_eq!(scene.records().len(), 0);
}

/// Nothing that somebody else has written to the topic gets to a mapped one (P1).
#[test]
fn a_forged_dead_letter_is_refused() {
    let scene = Plan::of("svix").start();
    let body = scene.signer.body("msg_1", TYPE);
    let now = unix_millis();
    let forger = Signer::new("svix", "who does not know the secret");
    let genuine = letter(&scene, &scene.signer, now / 1000, now, &body);
    let with = |headers: &[(String, String)], name: &str, value: &str| {
        let mut headers = headers.to_vec();
        headers.retain(|(other, _)| other != name);
        headers.push((name.to_owned(), value.to_owned()));
        headers
    };
    let unsigned: Vec<_> =
        genuine.iter().filter(|(name, _)| name.starts_with("hookbridge_")).cloned().collect();
    let mut twice = genuine.clone();
    twice.push(("svix-id".to_owned(), "msg_2".to_owned()));
    let cases = [
        (letter(&scene, &forger, now / 1000, now, &body), "refused signature_mismatch"),
        (with(&genuine, "svix-id", "msg_2"), "refused signature_mismatch"),
        (unsigned.clone(), "refused signature_missing"),
        // Of a source that splits nothing there are no elements.
        (with(&unsigned, "hookbridge_batch", "0/1"), "refused signature_missing"),
        (with(&genuine, "hookbridge_source", "nobody"), "replayed"),
        (with(&with(&genuine, "hookbridge_source", "nobody"), "hookbridge_path", "/no"), "unknown_source"),
        (with(&genuine, "hookbridge_received_at", "yesterday"), "unusable"),
        (twice, "refused header_repeated"),
    ];
    for (headers, _) in &cases {
        put(&scene, &scene.dead_letter, headers, &body);
    }
    put(&scene, &scene.dead_letter, &genuine, b"another body");
    let mut expected: Vec<&str> = cases.iter().map(|(_, outcome)| *outcome).collect();
    expected.push("refused signature_mismatch");
    let config = Mended::of(&scene, "svix", "");
    assert_eq!(config.replayed(&["--dry-run", "--accept-unverifiable"])[0], expected[0]);
    assert_eq!(config.replayed(&["--accept-unverifiable"]), expected);
    let keys: Vec<String> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_1"], "the one that is genuine");
}

#[test]
fn a_signed_time_is_judged_as_of_the_receipt() {
    let scene = Plan::of("svix").start();
    let body = scene.signer.body("msg_1", TYPE);
    let now = unix_millis();
    let long_ago = now - 40 * 24 * 3_600_000;
    put(&scene, &scene.dead_letter, &letter(&scene, &scene.signer, long_ago / 1000, long_ago, &body), &body);
    put(&scene, &scene.dead_letter, &letter(&scene, &scene.signer, long_ago / 1000, now, &body), &body);
    let outcomes = Mended::of(&scene, "svix", "").replayed(&[]);
    assert_eq!(outcomes, ["replayed", "refused timestamp_outside_tolerance"]);
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].timestamp_ms, i64::try_from(long_ago).expect("a time"));
}

#[test]
fn what_can_not_be_verified_again_needs_the_operators_word() {
    let scene = Plan::of("generic-hex").option("split: /events").start();
    let body = br#"{"events":[{"id":"evt_0","kind":"a"}, {"kind":"b", "id":"evt_1"}]}"#;
    scene.send(&scene.request("", body)).assert_received();
    let mended = Mended::of(&scene, BY_KIND, "    split: /events\n");
    assert_eq!(mended.replayed(&["--from-beginning"]), ["unverifiable"; 2]);
    assert_eq!(scene.records().len(), 0);
    // What a quarantine keeps was never verified, in whatever topic it stands.
    let mut refused = letter(&scene, &scene.signer, 0, unix_millis(), b"{}");
    refused.push(("hookbridge_batch".to_owned(), "0/1".to_owned()));
    refused.push(("hookbridge_verification".to_owned(), "failed".to_owned()));
    put(&scene, &scene.dead_letter, &refused, b"{}");

    let outcomes = mended.replayed(&["--from-beginning", "--accept-unverifiable"]);
    assert_eq!(outcomes, ["replayed", "replayed", "unverifiable"]);
    let records = scene.records();
    let told = |record: &Record| {
        assert_eq!(record.header("hookbridge_verification"), Some("not_repeated"));
        let batch = record.header("hookbridge_batch").expect("a batch").to_owned();
        (record.key.clone(), batch, String::from_utf8(record.value.clone()).expect("text"))
    };
    let own = |key: &str, batch: &str, value: &str| (key.to_owned(), batch.to_owned(), value.to_owned());
    assert_eq!(
        records.iter().map(told).collect::<Vec<_>>(),
        [
            own("evt_0", "0/2", r#"{"id":"evt_0","kind":"a"}"#),
            own("evt_1", "1/2", r#"{"kind":"b", "id":"evt_1"}"#)
        ]
    );
}

#[test]
fn what_is_in_quarantine_is_let_through_by_the_right_secret() {
    let quarantine = unique("quarantine");
    let wrong = Signer::new("svix", "another account");
    let scene = Plan::of("svix")
        .topic(&quarantine)
        .top(&format!("quarantine: {{ topic: {quarantine} }}"))
        .option("quarantine: true")
        .secrets("[{ env: WRONG_SECRET }]")
        .env("WRONG_SECRET", wrong.secret())
        .start();
    assert_eq!(scene.send(&scene.event("msg_1")).status, 401);
    let forger = Signer::new("svix", "who does not know the secret");
    assert_eq!(scene.send(&forger.event(&scene.path(), "msg_2", TYPE)).status, 401);
    topics::read_until(&scene.bootstrap, &quarantine, Duration::from_secs(30), |records| records.len() == 2);
    let mended = Mended::of(&scene, "svix", "");
    let reason = ["--topic", &quarantine, "--reason", "signature_mismatch"];
    assert_eq!(mended.lines("list", &reason).len(), 2);
    assert_eq!(mended.replayed(&["--topic", &quarantine]), ["replayed", "refused signature_mismatch"]);
    let records = scene.records();
    assert_eq!(records.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(), ["msg_1"]);
    assert_eq!(records[0].header("hookbridge_verification"), None, "it is genuine");
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
    const COUNT: usize = 400;
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
    assert!(rest.iter().all(|outcome| outcome == "replayed"));
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
