//! `check --live` at a Kafka that asks who is there: rights and certificates, by their names.

use std::fs;

use serde_json::Value;

use super::support::bridge::hookbridge;
use super::support::command::run_command;
use super::support::secure_kafka::{PASSWORD, SecureKafka};
use super::support::topics::{create, read};
use super::support::unique;
use super::support::wait::{SOON, eventually};

/// Kind and subject of every fault, without those that come of the tests' own setting.
fn faults(kafka: &str, topic: &str) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("hookbridge.yaml");
    let config = format!(
        "kafka:\n{kafka}\ndead_letter: {topic}.dead\nsources:\n  s:\n    danger_accept_unsigned: true\n    \
         topics: {{ a: {topic}, '*': {topic}.other }}\n"
    );
    fs::write(&file, config).expect("write the configuration");
    let done = run_command(
        hookbridge()
            .args(["check", "--live", "--json", "--config"])
            .arg(&file)
            .env("KAFKA_PASSWORD", PASSWORD),
    );
    assert!(!done.stdout.contains(PASSWORD) && !done.stderr.contains(PASSWORD), "{done:?}");
    let found: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let faults = found["faults"].as_array().expect("a list").iter().map(|fault| {
        let text = |key: &str| fault[key].as_str().expect("text").to_owned();
        (text("kind"), text("subject"))
    });
    // The authority of these tests ends in thirty days too.
    let is_of_setting = |(kind, subject): &(String, String)| {
        kind == "replication_low" || subject.starts_with("ssl.ca.location")
    };
    faults.filter(|fault| !is_of_setting(fault)).collect()
}

fn sasl(kafka: &SecureKafka) -> String {
    format!(
        "  bootstrap.servers: {}\n  security.protocol: SASL_SSL\n  ssl.ca.location: {}\n  \
         sasl.mechanisms: PLAIN\n  sasl.username: hookbridge\n  sasl.password: {{ env: KAFKA_PASSWORD }}",
        kafka.sasl(),
        kafka.file("ca.crt").display()
    )
}

fn topics(kafka: &SecureKafka) -> String {
    let topic = unique("rights");
    for name in [topic.clone(), format!("{topic}.other"), format!("{topic}.dead")] {
        create(kafka.plaintext(), &name, 1, &[("min.insync.replicas", "1")]);
    }
    topic
}

/// The broker's own certificate is for thirty days, less the time since it was made.
fn soon(address: &str) -> (String, String) {
    ("certificate_expires_soon".to_owned(), format!("the certificate of {address}"))
}

#[test]
fn rights_that_are_missing_are_named_and_nothing_is_written_to_find_out() {
    let kafka = SecureKafka::shared();
    let topic = topics(kafka);
    let found = |kind: &str, subject: &str| (kind.to_owned(), subject.to_owned());
    assert_eq!(faults(&sasl(kafka), &topic), [soon(&kafka.sasl())]);
    // A topic with an access list may be used as the list says, and in no other way.
    let allow = |change, operation| {
        kafka.acl(&[
            change,
            "--allow-principal",
            "User:hookbridge",
            "--operation",
            operation,
            "--topic",
            &topic,
        ]);
    };
    // A change takes the broker a moment.
    let until = |kinds: &[&str]| {
        eventually(SOON, &format!("{kinds:?}"), || {
            let told = faults(&sasl(kafka), &topic);
            kinds.iter().all(|kind| told.contains(&found(kind, &topic))).then_some(told)
        })
    };
    allow("--add", "Describe");
    allow("--add", "DescribeConfigs");
    let told = until(&["write_denied"]);
    assert_eq!(told, [found("write_denied", &topic), soon(&kafka.sasl())], "that topic alone");
    allow("--remove", "DescribeConfigs");
    until(&["write_denied", "settings_unknown"]);
    kafka.acl(&[
        "--add",
        "--deny-principal",
        "User:hookbridge",
        "--operation",
        "Describe",
        "--topic",
        &topic,
    ]);
    until(&["topic_forbidden"]);
    for topic in [topic.clone(), format!("{topic}.other"), format!("{topic}.dead")] {
        assert_eq!(read(kafka.plaintext(), &topic).len(), 0, "{topic}");
    }
}

#[test]
fn certificates_that_have_ended_or_soon_will_are_named() {
    let kafka = SecureKafka::shared();
    let topic = topics(kafka);
    let mtls = |name: &str| {
        format!(
            "  bootstrap.servers: {}\n  security.protocol: SSL\n  ssl.ca.location: {}\n  \
             ssl.certificate.location: {}\n  ssl.key.location: {}",
            kafka.ssl(),
            kafka.file("ca.crt").display(),
            kafka.file(&format!("{name}.crt")).display(),
            kafka.file(&format!("{name}.key")).display()
        )
    };
    let good: Vec<String> = faults(&mtls("client"), &topic).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(
        good,
        ["certificate_expires_soon", "certificate_expires_soon"],
        "the client's and the broker's"
    );
    let expired = faults(&mtls("expired"), &topic);
    let kinds: Vec<&str> = expired.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["certificate_expired", "kafka_unreachable", "certificate_expires_soon"]);
    assert!(expired[0].1.starts_with("ssl.certificate.location"), "{expired:?}");
}
