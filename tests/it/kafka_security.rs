//! Connecting to a Kafka that asks who is there: each mechanism delivers, each fault is named and healed.

use std::fs;
use std::time::Duration;

use super::refusals::assert_refusal;
use super::support::bridge::hookbridge;
use super::support::scene::{Plan, SECRET, Scene};
use super::support::secure_kafka::{PASSWORD, SecureKafka, certificate};
use super::support::token_issuer::{CLIENT_SECRET, SHORT_LIFE};
use super::support::topics;
use super::support::wait::{SOON, eventually};

/// A producer is tried anew every 5 s, and may take 3 s each time.
const HEALED_WITHIN: Duration = Duration::from_secs(60);

const ENV: [(&str, &str); 3] =
    [("KAFKA_PASSWORD", PASSWORD), ("CLIENT_SECRET", CLIENT_SECRET), ("WRONG", "not-the-right-one")];

/// A bridge that connects with these properties. Its topics exist.
fn scene(bootstrap: &str, properties: &[String]) -> Scene {
    scene_of(SecureKafka::shared(), bootstrap, properties)
}

fn scene_of(kafka: &SecureKafka, bootstrap: &str, properties: &[String]) -> Scene {
    let mut plan = Plan::of("svix").at(bootstrap).without_topic().server("shutdown_grace: 3s");
    plan = plan.server("body_timeout: 1s").option("respond_within: 2s");
    topics::create(kafka.plaintext(), &format!("webhooks.{}", plan.name()), 1, &[]);
    topics::create(kafka.plaintext(), &plan.dead_letter(), 1, &[]);
    for (name, value) in ENV {
        plan = plan.env(name, value);
    }
    properties.iter().fold(plan, |plan, line| plan.kafka(line)).start_unready()
}

fn authority() -> String {
    format!("ssl.ca.location: {}", SecureKafka::shared().file("ca.crt").display())
}

fn mtls(name: &str) -> Vec<String> {
    let file = |ending: &str| SecureKafka::shared().file(&format!("{name}.{ending}"));
    vec![
        "security.protocol: SSL".to_owned(),
        authority(),
        format!("ssl.certificate.location: {}", file("crt").display()),
        format!("ssl.key.location: {}", file("key").display()),
    ]
}

fn password(mechanism: &str, variable: &str) -> Vec<String> {
    vec![
        "security.protocol: SASL_SSL".to_owned(),
        authority(),
        format!("sasl.mechanisms: {mechanism}"),
        "sasl.username: hookbridge".to_owned(),
        format!("sasl.password: {{ env: {variable} }}"),
    ]
}

fn oauth(variable: &str) -> Vec<String> {
    vec![
        "security.protocol: SASL_SSL".to_owned(),
        authority(),
        "sasl.mechanisms: OAUTHBEARER".to_owned(),
        "sasl.oauthbearer.method: oidc".to_owned(),
        "sasl.oauthbearer.client.id: hookbridge".to_owned(),
        format!("sasl.oauthbearer.client.secret: {{ env: {variable} }}"),
        format!("sasl.oauthbearer.token.endpoint.url: {}", SecureKafka::shared().issuer.url()),
    ]
}

fn assert_no_secret(text: &str) {
    for (_, secret) in ENV {
        assert!(!text.contains(secret), "a secret is in:\n{text}");
    }
}

#[track_caller]
fn assert_delivers(scene: &Scene, id: &str) {
    scene.send(&scene.event(id)).assert_received();
    let records = topics::read(SecureKafka::shared().plaintext(), &scene.topic);
    assert!(records.iter().any(|record| record.key == id), "{id} is not there");
}

#[test]
fn every_mechanism_delivers_and_shows_no_secret() {
    let kafka = SecureKafka::shared();
    for (bootstrap, properties) in [
        (kafka.ssl(), mtls("client")),
        (kafka.sasl(), password("PLAIN", "KAFKA_PASSWORD")),
        (kafka.sasl(), password("SCRAM-SHA-256", "KAFKA_PASSWORD")),
        (kafka.sasl(), password("SCRAM-SHA-512", "KAFKA_PASSWORD")),
        (kafka.sasl(), oauth("CLIENT_SECRET")),
    ] {
        let scene = scene(&bootstrap, &properties);
        scene.bridge.wait_until_ready();
        assert_delivers(&scene, "msg_1");
        assert_no_secret(&scene.bridge.log().text());
        let check = hookbridge()
            .args(["check", "--config"])
            .arg(scene.bridge.file())
            .envs(ENV)
            .env(SECRET, scene.signer.secret())
            .output()
            .expect("run hookbridge check");
        assert!(check.status.success());
        assert_no_secret(&String::from_utf8_lossy(&[check.stdout, check.stderr].concat()));
    }
}

/// What is wrong is in the log with a hint and on `/readyz`, and events are refused for now.
#[track_caller]
fn assert_fault(scene: &Scene, kind: &str, within: Duration) {
    eventually(within, &format!("/readyz says {kind}"), || {
        let answer = scene.bridge.get_admin("/readyz");
        (answer.status == 503 && answer.text().contains(kind)).then_some(())
    });
    for message in ["kafka client error", "kafka is not reachable"] {
        let line = eventually(SOON, message, || {
            scene.bridge.log().find(message, |line| line["error.type"] == kind && line["level"] == "WARN")
        });
        assert!(line["hint"].as_str().is_some_and(|hint| hint.len() > 20), "{line}");
    }
    assert_refusal(&scene.send(&scene.event("msg_refused")), 503, "unavailable");
    assert_no_secret(&scene.bridge.log().text());
}

#[test]
fn every_fault_is_named() {
    let kafka = SecureKafka::shared();
    let wrong_authority = |mut properties: Vec<String>| {
        properties[1] = format!("ssl.ca.location: {}", kafka.file("other-ca.crt").display());
        properties
    };
    let other_name = kafka.sasl().replace("localhost", "127.0.0.1");
    let only_tls = vec!["security.protocol: SSL".to_owned(), authority()];
    for (bootstrap, properties, kind) in [
        (kafka.sasl(), password("PLAIN", "WRONG"), "kafka_authentication"),
        (kafka.sasl(), password("SCRAM-SHA-512", "WRONG"), "kafka_authentication"),
        (kafka.sasl(), oauth("WRONG"), "kafka_authentication"),
        (kafka.sasl(), wrong_authority(password("PLAIN", "KAFKA_PASSWORD")), "kafka_tls"),
        (other_name, password("PLAIN", "KAFKA_PASSWORD"), "kafka_tls"),
        (kafka.ssl(), only_tls, "kafka_tls"),
        (kafka.ssl(), mtls("expired"), "kafka_tls"),
        (kafka.ssl(), mtls("stranger"), "kafka_tls"),
        ("localhost:9".to_owned(), password("PLAIN", "KAFKA_PASSWORD"), "kafka_network"),
    ] {
        eprintln!("{bootstrap} {properties:?}: {kind}");
        let scene = scene(&bootstrap, &properties);
        assert_fault(&scene, kind, SOON);
        assert!(scene.bridge.log().find("a new kafka producer is in place", |_| true).is_none());
    }
}

/// A certificate is replaced while it works, and one that never did: neither takes a restart.
#[test]
fn a_certificate_that_changes_is_taken() {
    let kafka = SecureKafka::shared();
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str| {
        for ending in ["crt", "key"] {
            fs::copy(kafka.file(&format!("{name}.{ending}")), dir.path().join(format!("tls.{ending}")))
                .expect("copy");
        }
    };
    put("expired");
    let mut properties = mtls("client");
    properties[2] = format!("ssl.certificate.location: {}/tls.crt", dir.path().display());
    properties[3] = format!("ssl.key.location: {}/tls.key", dir.path().display());
    let scene = scene(&kafka.ssl(), &properties);
    assert_fault(&scene, "kafka_tls", SOON);
    put("client");
    let ready = || (scene.bridge.readyz()? == 200).then_some(());
    eventually(HEALED_WITHIN, "the new certificate is taken", ready);
    assert_delivers(&scene, "msg_1");
    let generation = || scene.bridge.metric("hookbridge_producer_generation", &[]);
    let before = generation().expect("a generation");
    // One that is of no use is not taken: what runs goes on.
    put("stranger");
    let refused = "kafka does not answer with the changed certificates";
    eventually(SOON, "the useless one is refused", || scene.bridge.log().find(refused, |_| true));
    assert_delivers(&scene, "msg_2");
    assert_eq!(generation(), Some(before));
    certificate(kafka.file("").as_path(), "ca", "renewed", "hookbridge", 30);
    put("renewed");
    eventually(HEALED_WITHIN, "a new generation", || (generation()? > before).then_some(()));
    eventually(SOON, "readiness", ready);
    assert_delivers(&scene, "msg_3");
}

#[test]
fn a_right_that_is_missing_is_missed_for_that_topic_alone() {
    let kafka = SecureKafka::shared();
    let scene = scene(&kafka.sasl(), &password("SCRAM-SHA-512", "KAFKA_PASSWORD"));
    scene.bridge.wait_until_ready();
    let deny = ["--deny-principal", "User:hookbridge", "--operation", "Write", "--topic", &scene.topic];
    kafka.acl(&[&["--add"][..], &deny].concat());
    eventually(SOON, "the right is gone", || (scene.send(&scene.event("msg_1")).status == 503).then_some(()));
    scene.wait_for_refusal("topic_unavailable", &scene.source);
    // Others are as ever: what can't be read goes to the dead-letter topic.
    scene.send(&scene.request("msg_2", b"no JSON")).assert_received();
    assert_eq!(scene.bridge.readyz(), Some(200));
    kafka.acl(&[&["--remove"][..], &deny].concat());
    eventually(SOON, "the right is back", || (scene.send(&scene.event("msg_3")).status == 200).then_some(()));
}

/// Without the right to write idempotently there is no producer at all, which is said, and healed.
#[test]
fn a_right_that_the_producer_itself_needs_is_missed_loudly() {
    let kafka = SecureKafka::start();
    let denied = ["--deny-principal", "User:hookbridge", "--operation"];
    let cluster = [&denied[..], &["IdempotentWrite", "--cluster"]].concat();
    let every_topic = [&denied[..], &["Write", "--topic", "*"]].concat();
    kafka.acl(&[&["--add"][..], &cluster].concat());
    kafka.acl(&[&["--add"][..], &every_topic].concat());
    let mut properties = password("PLAIN", "KAFKA_PASSWORD");
    properties[1] = format!("ssl.ca.location: {}", kafka.file("ca.crt").display());
    let scene = scene_of(&kafka, &kafka.sasl(), &properties);
    eventually(SOON, "/readyz says why", || {
        let answer = scene.bridge.get_admin("/readyz");
        (answer.status == 503 && answer.text().contains("kafka_authorization")).then_some(())
    });
    let says = |line: &serde_json::Value| line["error.type"] == "kafka_authorization";
    assert!(scene.bridge.log().find("kafka client error", says).is_some());
    assert_refusal(&scene.send(&scene.event("msg_1")), 503, "unavailable");
    kafka.acl(&[&["--remove"][..], &cluster].concat());
    kafka.acl(&[&["--remove"][..], &every_topic].concat());
    eventually(HEALED_WITHIN, "readiness", || (scene.bridge.readyz()? == 200).then_some(()));
    scene.send(&scene.event("msg_2")).assert_received();
    let records = topics::read(kafka.plaintext(), &scene.topic);
    assert!(records.iter().any(|record| record.key == "msg_2"));
}

/// The broker ends a connection when its token is over, so another one must be had in time.
#[test]
fn a_token_issuer_that_is_away_matters_only_once_the_token_is_over() {
    let kafka = SecureKafka::shared();
    let mut properties = oauth("CLIENT_SECRET");
    properties.push("sasl.oauthbearer.scope: short".to_owned());
    let scene = scene(&kafka.sasl(), &properties);
    scene.bridge.wait_until_ready();
    let issued = kafka.issuer.issued();
    let renewed = Duration::from_secs(2 * SHORT_LIFE);
    eventually(renewed, "another token in time", || (kafka.issuer.issued() > issued).then_some(()));
    kafka.issuer.set_away(true);
    assert_delivers(&scene, "msg_1");
    assert_eq!(scene.bridge.readyz(), Some(200));
    assert_fault(&scene, "kafka_authentication", renewed);
    kafka.issuer.set_away(false);
    eventually(HEALED_WITHIN, "readiness", || (scene.bridge.readyz()? == 200).then_some(()));
    assert_delivers(&scene, "msg_2");
    assert_eq!(scene.bridge.get_admin("/readyz").text(), "ok\n");
}
