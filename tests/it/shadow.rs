//! `verification: report_only`: a request whose signature fails is published, marked, and only apart (P1).

use super::refusals::{assert_refusal, refusals};
use super::support::command::run;
use super::support::http::Request;
use super::support::provider::{Signer, sha256_hex};
use super::support::scene::{Plan, Scene, TYPE};
use super::support::topics::Record;
use super::support::{unique, unix_millis};

/// A source that only reports, and the topic for what it reports.
fn reporting(preset: &str) -> (Plan, String) {
    let plan = Plan::of(preset);
    let topic = format!("{}.unverified", plan.name());
    let plan = plan.option("verification: report_only").option(&format!("report_only_topic: {topic}"));
    (plan, topic)
}

/// Sends a request whose signature fails and gives the record that it has become.
#[track_caller]
fn unverified(scene: &Scene, topic: &str, request: &Request, error_type: &str) -> Record {
    let before = scene.records_of(topic).len();
    scene.send(request).assert_received();
    let mut records = scene.records_of(topic);
    assert_eq!(records.len(), before + 1, "one more, acknowledged before the answer");
    let record = records.pop().expect("a record");
    assert_eq!(record.value, request.body);
    assert_eq!(record.header("hookbridge_verification"), Some("failed"), "{record:?}");
    assert_eq!(record.header("hookbridge_verification_error"), Some(error_type), "{record:?}");
    assert_eq!(record.header("hookbridge_unsigned"), Some("message_id,event_type"), "{record:?}");
    assert_eq!(record.header("hookbridge_source"), Some(scene.source.as_str()));
    assert_eq!(record.header("ce_specversion"), Some("1.0"));
    assert_eq!(record.header("ce_id").map(str::to_owned), Some(record.key.clone()));
    let line = scene
        .bridge
        .log()
        .find("request not verified, and published as such", |line| line["error.type"] == error_type);
    assert_eq!(line.expect("a line in the log")["level"], "WARN");
    record
}

fn counted(scene: &Scene, error_type: &str) -> f64 {
    let labels = [format!("error_type=\"{error_type}\""), format!("hookbridge_source=\"{}\"", scene.source)];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    scene.bridge.metric("hookbridge_unverified_total", &labels).unwrap_or(0.0)
}

#[test]
fn what_fails_lands_only_in_its_own_topic_and_what_holds_only_in_the_mapped_one() {
    let (plan, topic) = reporting("svix");
    let mapped = unique("mapped");
    let scene = plan.topic(&topic).topic(&mapped).option(&format!("topics: {{ {TYPE}: {mapped} }}")).start();
    let forger = Signer::new("svix", "who does not know the secret");

    let forged = forger.event(&scene.path(), "msg_forged", TYPE);
    let record = unverified(&scene, &topic, &forged, "signature_mismatch");
    assert_eq!((record.key.as_str(), record.header("ce_type")), ("msg_forged", Some(TYPE)));
    assert!(forger.verifies(&record) && !scene.signer.verifies(&record), "it can be verified again");

    scene.send(&scene.event("msg_genuine")).assert_received();
    let records = scene.records_of(&mapped);
    assert_eq!(records.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(), ["msg_genuine"]);
    assert_eq!(records[0].header("hookbridge_verification"), None);
    assert_eq!(records[0].header("hookbridge_unsigned"), None);
    // Of the mapped type or not, readable or not: nothing else is there, also not among the dead letters.
    unverified(&scene, &topic, &forger.event(&scene.path(), "msg_2", "another"), "signature_mismatch");
    unverified(&scene, &topic, &forger.request(&scene.path(), "msg_3", b"no JSON"), "signature_mismatch");
    let other = |id: &str| scene.send(&scene.event_of("other", id)).assert_received();
    other("msg_other");
    assert_eq!(scene.records().len(), 1);
    assert_eq!(scene.records_of(&mapped).len(), 1);
    assert_eq!(scene.dead_letters().len(), 0);
    assert_eq!(scene.records_of(&topic).len(), 3);
    assert_eq!(counted(&scene, "signature_mismatch"), 3.0);
    assert_eq!(refusals(&scene, "signature_mismatch", &scene.source), 0.0);
    let warning = format!("requests whose signature FAILS are acknowledged and published, to `{topic}`");
    assert_eq!(scene.bridge.log().find(&warning, |_| true).expect("a warning at the start")["level"], "WARN");
    scene.bridge.wait_until_idle();
}

#[test]
fn whatever_is_wrong_with_the_signature_is_named() {
    let (plan, topic) = reporting("svix");
    let scene = plan.topic(&topic).start();
    let event = scene.event("msg_1");
    let stale = unix_millis() / 1000 - 3600;
    let body = scene.signer.body("msg_1", TYPE);
    for (request, error_type) in [
        (event.clone().without("svix-signature"), "signature_missing"),
        (event.clone().with("svix-signature", "v1,short"), "signature_malformed"),
        (event.clone().header("svix-signature", "v1,short"), "header_repeated"),
        (scene.signer.request_at(&scene.path(), "msg_1", stale, &body), "timestamp_outside_tolerance"),
        (Request { body: br#"{"type":"altered"}"#.to_vec(), ..event.clone() }, "signature_mismatch"),
    ] {
        let record = unverified(&scene, &topic, &request, error_type);
        assert_eq!(record.key, "msg_1");
        assert_eq!(counted(&scene, error_type), 1.0);
    }
    scene.assert_nothing_else_landed();
}

#[test]
fn without_a_readable_id_the_key_is_the_bodys_hash() {
    let (plan, topic) = reporting("generic-hex");
    let scene = plan.topic(&topic).start();
    let forger = Signer::new("generic-hex", "who does not know the secret");
    for body in [&b"no JSON"[..], b"", br#"{"id":{},"type":"a"}"#] {
        let record =
            unverified(&scene, &topic, &forger.request(&scene.path(), "", body), "signature_mismatch");
        assert_eq!(record.key, sha256_hex(body));
        let readable = body.starts_with(b"{");
        let event_type = if readable { "a" } else { "hookbridge.unverified" };
        assert_eq!(record.header("ce_type"), Some(event_type));
    }
    scene.assert_nothing_else_landed();
}

#[test]
fn it_is_a_receipt_only_if_kafka_has_it() {
    let (plan, topic) = reporting("svix");
    let scene = plan.option("respond_within: 14s").start();
    let forged = scene.event("msg_1").with("svix-signature", &format!("v1,{}=", "A".repeat(43)));
    // The topic is not there.
    assert_refusal(&scene.send(&forged), 503, "unavailable");
    assert_eq!(refusals(&scene, "topic_unavailable", &scene.source), 1.0, "{topic}");
    scene.assert_nothing_else_landed();
}

#[test]
fn check_is_loud_about_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("hookbridge.yaml");
    let with = |topic: &str| {
        let text = format!(
            "kafka: {{ bootstrap.servers: kafka:9092 }}\nsources:\n  shop:\n    provider: svix\n    \
             secrets: [{{ env: SHOP }}]\n    verification: report_only\n    report_only_topic: {topic}\n"
        );
        std::fs::write(&file, text).expect("write a configuration");
        let secret = Signer::new("svix", "shop");
        run(&["check", "--config", file.to_str().expect("a path in UTF-8")], &[("SHOP", secret.secret())])
    };
    let done = with("shop.unverified");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stderr.contains("warning: sources.shop.verification: requests whose signature FAILS"),
        "{done:?}"
    );
    assert!(done.stdout.contains("ACKNOWLEDGED and published to shop.unverified"), "{done:?}");
    let done = with("webhooks.shop");
    assert_eq!(done.code, 64, "{done:?}");
    assert!(done.stderr.contains("hookbridge.yaml:7:5: error: sources.shop.report_only_topic"), "{done:?}");
}

#[test]
fn other_limits_hold() {
    let (plan, topic) = reporting("svix");
    let scene = plan.topic(&topic).option("max_body_bytes: 100").start();
    let forged = scene.event("msg_1").with("svix-signature", "v1,short");
    let large = Request { body: vec![b' '; 101], ..forged.clone() };
    assert_refusal(&scene.send(&large), 413, "body_too_large");
    assert_eq!(scene.records_of(&topic).len(), 0);
    scene.assert_nothing_else_landed();
}
