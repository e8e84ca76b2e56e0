//! Report-only and quarantine: off unless said, loud where they are on, and apart from everything that is verified.

use std::sync::Arc;

use crate::config::Config;
use crate::config::validate::parse;

const SOURCE: &str = "provider: generic-hex, secrets: [{ env: A }]";

/// A configuration of one source `s` with `rest`, after `top`.
fn read(top: &str, rest: &str) -> Result<Config, String> {
    read_all(top, &format!("s: {{ {SOURCE}{rest} }}"))
}

fn read_all(top: &str, sources: &str) -> Result<Config, String> {
    let text = format!("kafka: {{ bootstrap.servers: kafka:9092 }}\n{top}\nsources:\n  {sources}\n");
    parse("hookbridge.yaml", &text, &|_| Some("a secret of sufficient length".to_owned()))
        .map_err(|invalid| invalid.to_string())
}

#[track_caller]
fn assert_refused(read: Result<Config, String>, expected: &str) {
    let shown = read.err().unwrap_or_default();
    assert!(shown.contains(expected), "{expected}\nis not in\n{shown}");
}

#[test]
fn both_are_off_unless_said() {
    for rest in ["", ", verification: enforce, quarantine: false"] {
        let config = read("", rest).unwrap();
        assert!(config.sources[0].report_only.is_none() && config.sources[0].quarantine.is_none());
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }
    let config = read("quarantine: { topic: kept }", "").unwrap();
    assert!(config.sources[0].quarantine.is_none());
    assert!(config.warnings[0].message.contains("no source says `quarantine: true`"));
}

#[test]
fn report_only_needs_a_topic_and_is_warned_of() {
    let config = read("", ", verification: report_only, report_only_topic: '{source}.unverified'").unwrap();
    assert_eq!(config.sources[0].report_only.as_ref().unwrap().topic.as_str(), "s.unverified");
    let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    assert!(warning.message.contains("FAILS") && warning.message.contains("`s.unverified`"), "{warning:?}");
    for (rest, expected) in [
        (", verification: report_only", "`report_only_topic` is missing"),
        (", report_only_topic: a", "nothing goes there unless the source reports only"),
        (", verification: report_only, report_only_topic: 'a.{type}'", "nobody has signed the type"),
        (", verification: report_only, report_only_topic: 'a b'", "`a b` has ` `"),
        (", verification: off", "unknown value `off`"),
    ] {
        assert_refused(read("", rest), expected);
    }
    let unsigned = "s: { danger_accept_unsigned: true, verification: report_only, report_only_topic: a }";
    assert_refused(read_all("", unsigned), "nothing is verified");
}

#[test]
fn what_is_not_verified_has_topics_of_its_own() {
    let report_only = |topic: &str, rest: &str| {
        read("", &format!(", verification: report_only, report_only_topic: '{topic}'{rest}"))
    };
    for (topic, rest, expected) in [
        ("webhooks.dead-letter", "", "is the dead-letter topic"),
        ("webhooks.s", "", "is the default topic of the source `s`"),
        // Also where nothing goes by default: the name would mislead, and `unmapped` may be altered.
        ("webhooks.s", ", unmapped: drop", "is the default topic of the source `s`"),
        ("a", ", topics: { x: a }", "by `topics` \"x\""),
        ("a", ", topics: { '*': a }", "by `topics` \"*\""),
        ("s.unverified", ", topics: { '*': '{source}.{type}' }", "by `topics` \"*\""),
        ("unverified", ", topics: { 'un*': '{type}' }", "by `topics` \"un*\""),
        // A type can be found whose altered name this is.
        ("s.x-0123456789ab", ", topics: { '*': '{source}.{type}' }", "by `topics` \"*\""),
    ] {
        let shown = report_only(topic, rest);
        assert_refused(shown, "sources.s.report_only_topic");
        assert_refused(report_only(topic, rest), expected);
    }
    for (topic, rest) in [
        ("webhooks.s.unverified", ""),
        ("a", ", topics: { x: b, '*': '{source}.{type}' }"),
        ("s.", ", topics: { '*': '{source}.{type}' }"),
        // The type that would name it goes elsewhere.
        ("unverified", ", topics: { unverified: { drop: true }, '*': '{type}' }"),
        ("unverified", ", topics: { 'x*': '{type}' }"),
    ] {
        report_only(topic, rest).unwrap_or_else(|shown| panic!("{topic} {rest}: {shown}"));
    }
}

#[test]
fn no_other_sources_topic_either() {
    let with = |other: &str| {
        let sources = format!(
            "s: {{ {SOURCE}, verification: report_only, report_only_topic: forged }}\n  t: {{ {SOURCE}{other} }}"
        );
        read_all("", &sources)
    };
    assert!(with("").is_ok());
    assert_refused(with(", topics: { x: forged }"), "where the source `t` may send verified events");
    let twin = ", topics: { x: { topic: y, schema: { format: avro, raw_topic: forged } } }";
    assert_refused(with(twin), "`forged` is a `raw_topic` of the source `t`");
    // Two that report only may share one: each record names its source.
    assert!(with(", verification: report_only, report_only_topic: forged").is_ok());
    let quarantine = |topic: &str| {
        let sources = format!(
            "s: {{ {SOURCE}, verification: report_only, report_only_topic: forged }}\n  t: {{ {SOURCE}, quarantine: true }}"
        );
        read_all(&format!("quarantine: {{ topic: {topic} }}"), &sources)
    };
    assert!(quarantine("kept").is_ok());
    assert_refused(quarantine("forged"), "`forged` is the quarantine's topic");
    assert_refused(quarantine("webhooks.t"), "quarantine.topic: `webhooks.t` is the default topic");
    assert_refused(quarantine("webhooks.dead-letter"), "is the dead-letter topic");
}

#[test]
fn the_quarantine_has_limits() {
    let quarantine = |section: &str| read(section, ", quarantine: true");
    let kept = |config: &Config| Arc::clone(config.sources[0].quarantine.as_ref().unwrap());
    let default = kept(&quarantine("").unwrap());
    assert_eq!(default.topic.as_str(), "webhooks.quarantine");
    assert_eq!(default.allowance.max_body_bytes(), 64 * 1024);
    assert_eq!((default.max_per_second, default.max_per_second_total), (10, 100));
    let given = kept(
        &quarantine(
            "quarantine: { topic: kept, max_body_bytes: 1MiB, max_per_second: 3, max_per_second_total: 4 }",
        )
        .unwrap(),
    );
    assert_eq!((given.topic.as_str(), given.allowance.max_body_bytes()), ("kept", 1024 * 1024));
    assert_eq!((given.max_per_second, given.max_per_second_total), (3, 4));
    for (section, expected) in [
        ("quarantine: { topic: 'a b' }", "quarantine.topic: `a b` has ` `"),
        ("quarantine: { max_body_bytes: 2MiB }", "must be from 1 byte to 1MiB"),
        ("quarantine: { max_body_bytes: 0 }", "must be from 1 byte to"),
        ("quarantine: { max_per_second: 0 }", "must be from 1 to 10000"),
        ("quarantine: { max_per_second: 10001 }", "must be from 1 to 10000"),
        ("quarantine: { max_per_second_total: 9 }", "is less than `max_per_second`, 10"),
    ] {
        assert_refused(quarantine(section), expected);
    }
    let both = ", quarantine: true, verification: report_only, report_only_topic: a";
    assert_refused(read("", both), "with `verification: report_only` no signature is refused");
    let unsigned = "s: { danger_accept_unsigned: true, quarantine: true }";
    assert_refused(read_all("", unsigned), "with `danger_accept_unsigned: true` no signature is refused");
}

#[test]
fn librdkafkas_queue_has_room_for_what_is_kept() {
    let messages = |rest: &str| {
        let config = read("server: { max_in_flight_requests: 5000 }", rest).unwrap();
        config.producer().get("queue.buffering.max.messages").unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(messages(", quarantine: true"), messages("") + 128);
}

#[test]
fn what_is_not_verified_has_no_raw_topic_of_events() {
    let top = "schema_registry: { url: 'http://r:1' }\nquarantine: { topic: q }";
    let route = |raw: &str| {
        format!(
            ", quarantine: true, topics: {{ a: {{ topic: t, schema: {{ format: avro, raw_topic: {raw} }} }} }}"
        )
    };
    assert!(read(top, &route("raw")).is_ok());
    assert_refused(read(top, &route("q")), "`q` is a `raw_topic` of the source `s`");
}
