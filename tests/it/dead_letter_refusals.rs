//! `hookbridge dead-letters replay`: what it lets through, and what not. Whoever can write to the dead-letter topic has no
//! way into a mapped one (P1).

use std::fs;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::dead_letter_commands::{BY_KIND, Mended, without_type};
use super::support::provider::Signer;
use super::support::scene::{Plan, SECRET, Scene, TYPE};
use super::support::topics::{self, Record};
use super::support::wait::SOON;
use super::support::{unique, unix_millis};

/// Writes a record as somebody else could.
fn put(scene: &Scene, topic: &str, headers: &[(String, String)], value: &[u8]) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &scene.bootstrap).create().expect("a producer");
    let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value.as_bytes()) })
    });
    let record = BaseRecord::to(topic).key("anything").payload(value).headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("enqueue a record");
    producer.flush(Duration::from_secs(30)).expect("an acknowledgement");
}

/// The headers of a dead letter, made by hand, of a request of this signer's.
fn letter(
    scene: &Scene,
    signer: &Signer,
    signed_s: u64,
    received_ms: u64,
    body: &[u8],
) -> Vec<(String, String)> {
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

#[test]
fn a_key_counts_as_of_the_receipt() {
    let scene = Plan::of("generic-hex").start();
    let body = scene.signer.body("evt_1", TYPE);
    let now = unix_millis();
    let day = 24 * 3_600_000;
    let at = |millis: u64| {
        humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + Duration::from_millis(millis)).to_string()
    };
    for received in [now - 40 * day, now] {
        put(&scene, &scene.dead_letter, &letter(&scene, &scene.signer, 0, received, &body), &body);
    }
    let mended = Mended::of(&scene, "generic-hex", "");
    let text = fs::read_to_string(&mended.file).expect("the configuration");
    let (name, ended) = (format!("env: {SECRET}"), at(now - 30 * day));
    let text = text.replace(&name, &format!("{name}, name: old, not_after: {ended}"));
    fs::write(&mended.file, text).expect("write the configuration");
    assert_eq!(mended.replayed(&[]), ["replayed", "refused signature_mismatch"]);
    assert_eq!(scene.records().len(), 1);
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

/// Its key would be another than that of a fresh delivery.
#[test]
fn an_element_that_is_named_by_the_rest_of_its_batch_is_left_alone() {
    let provider = "{ extends: generic-hex, message_id: { join: [{ json: /account, of: body }, { json: /id }], with: '.' }";
    let scene = Plan::of("generic-hex").option("split: /events").start();
    let body = br#"{"account":"a","events":[{"id":"evt_0","kind":"a"}]}"#;
    scene.send(&scene.request("", body)).assert_received();
    let provider = format!("{provider}, event_type: {{ json: /kind }} }}");
    let mended = Mended::of(&scene, &provider, "    split: /events\n");
    assert_eq!(mended.replayed(&["--accept-unverifiable"]), ["unusable"]);
    assert_eq!(scene.records().len(), 0);
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
    topics::read_until(&scene.bootstrap, &quarantine, SOON, |records| records.len() == 2);
    let mended = Mended::of(&scene, "svix", "");
    let reason = ["--topic", &quarantine, "--reason", "signature_mismatch"];
    assert_eq!(mended.lines("list", &reason).len(), 2);
    assert_eq!(mended.replayed(&["--topic", &quarantine]), ["replayed", "refused signature_mismatch"]);
    let records = scene.records();
    assert_eq!(records.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(), ["msg_1"]);
    assert_eq!(records[0].header("hookbridge_verification"), None, "it is genuine");
}

/// Their dead letters prove nothing: not those of hookbridge, nor those that look like it.
#[test]
fn sources_without_a_lasting_proof_need_the_operators_word() {
    let scene = Plan::of("generic-hex").start();
    let by_token = "{ signature: { header: X-Token, algorithm: token }, message_id: { json: /id }, event_type: { json: /type } }";
    let received = letter(&scene, &scene.signer, 0, unix_millis(), b"{}");
    let body = scene.signer.body("evt_1", TYPE);
    put(&scene, &scene.dead_letter, &received, &body);
    let unsigned = Mended::of(&scene, "generic-hex", "    danger_accept_unsigned: true\n");
    let text = fs::read_to_string(&unsigned.file).expect("the configuration");
    fs::write(&unsigned.file, text.replace(&format!("    secrets: [{{ env: {SECRET} }}]\n"), ""))
        .expect("write the configuration");
    for config in [unsigned, Mended::of(&scene, by_token, "")] {
        assert_eq!(config.replayed(&["--from-beginning"]), ["unverifiable"]);
        let trusted = config.replayed(&["--from-beginning", "--accept-unverifiable", "--dry-run"]);
        assert_eq!(trusted, ["would_replay"]);
    }
    assert_eq!(scene.records().len(), 0);
}
