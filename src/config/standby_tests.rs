//! The section `kafka.standby`: what is understood, and every fault at its place.

use std::time::Duration;

use crate::config::{Config, Invalid, validate};

fn parse(kafka: &str) -> Result<Config, Invalid> {
    let text = format!(
        "kafka: {{ bootstrap.servers: 'a:1'{kafka} }}\nsources: {{ s: {{ danger_accept_unsigned: true }} }}"
    );
    validate::parse("file", &text, &|name| Some(name.to_owned()))
}

fn faults(kafka: &str) -> Vec<String> {
    let invalid = parse(kafka).expect_err(kafka);
    invalid.errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect()
}

#[test]
fn a_standby_has_its_own_properties_and_the_common_limits() {
    let config = parse(
        ", message.timeout.ms: 70000, linger.ms: 3, standby: { after: 20s, properties: { bootstrap.servers: 'b:1', \
         sasl.password: { env: hidden } } }",
    )
    .unwrap_or_else(|why| panic!("{why}"));
    let standby = config.standby.as_ref().unwrap();
    assert_eq!((standby.after, standby.back_after), (Duration::from_secs(20), Duration::from_secs(60)));
    let producer = config.standby_producer().unwrap();
    assert_eq!(producer.get("bootstrap.servers"), Some("b:1"));
    assert_eq!(producer.get("message.timeout.ms"), Some("70000"));
    assert_eq!(producer.get("linger.ms"), Some("0.5"), "nothing else is taken over");
    assert_eq!(producer.get("acks"), Some("all"));
    assert!(!format!("{standby} {standby:?}").contains("hidden"));
    assert!(parse("").unwrap_or_else(|why| panic!("{why}")).standby_producer().is_none());
}

#[test]
fn every_fault_is_named_at_its_place() {
    let faults = faults(
        ", no.such: 1, standby: { after: 1s, back_after: 25h, until: 1s, properties: { sasl.password: x, acks: 1, \
         message.max.bytes: 2000000, linger.ms: [1] } }",
    );
    for (path, message) in [
        ("kafka[\"no.such\"]", "librdkafka has no property"),
        ("kafka.standby.after", "must be 10s to"),
        ("kafka.standby.back_after", "must be 10s to"),
        ("kafka.standby.until", "unknown"),
        ("kafka.standby.properties[\"sasl.password\"]", "must not stand in the configuration"),
        ("kafka.standby.properties.acks", "would break the promise"),
        ("kafka.standby.properties[\"message.max.bytes\"]", "one for both clusters"),
        ("kafka.standby.properties[\"linger.ms\"]", "expected"),
        ("kafka.standby.properties", "bootstrap.servers"),
    ] {
        let is_there = |fault: &&String| fault.starts_with(path) && fault.contains(message);
        assert!(faults.iter().any(|fault| is_there(&fault)), "{path}: {message} not in {faults:#?}");
    }
    assert_eq!(faults.len(), 9, "{faults:#?}");
}

#[test]
fn the_first_cluster_is_no_standby() {
    let faults = faults(", standby: { properties: { bootstrap.servers: 'a:1' } }");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("the first cluster itself"), "{faults:?}");
}
