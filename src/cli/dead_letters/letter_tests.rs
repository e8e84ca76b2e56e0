//! What is read of a record, and what is made of one that nobody of us wrote.

use super::*;

fn letter(headers: &[(&str, &str)]) -> Letter {
    Letter {
        topic: "dead".to_owned(),
        partition: 2,
        offset: 7,
        timestamp_ms: Some(1_767_225_600_250),
        key: b"k".to_vec(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        value: Bytes::from_static(b"{}"),
    }
}

#[test]
fn the_request_is_what_it_was() {
    let kept = letter(&[
        ("ce_id", "1"),
        ("content-type", "application/json"),
        ("webhook-signature", "v1,x"),
        ("hookbridge_reason", "missing_event_type"),
        ("hookbridge_path", "/hooks/a"),
        ("hookbridge_query", "a=%20b"),
        ("hookbridge_received_at", "2026-01-01T00:00:01.500Z"),
    ])
    .kept()
    .unwrap();
    assert_eq!(kept.origin, "dead/2/7");
    assert_eq!(kept.uri.to_string(), "/hooks/a?a=%20b");
    assert_eq!(kept.headers.len(), 2);
    assert_eq!(kept.headers["webhook-signature"], "v1,x");
    assert_eq!(kept.received_at, instant::parse("2026-01-01T00:00:01.5Z").unwrap());
    assert!(kept.was_verified && kept.element.is_none());
}

/// Dead letters of before there were headers for it have the path and the time elsewhere.
#[test]
fn a_record_of_an_earlier_version_is_read() {
    let kept = letter(&[("ce_source", "/hooks/a"), ("hookbridge_reason", "unreadable_body")]).kept().unwrap();
    assert_eq!(kept.uri.path(), "/hooks/a");
    assert_eq!(kept.received_at, instant::parse("2026-01-01T00:00:00.25Z").unwrap());
}

/// What was refused, or never says why it is here, was not verified, whatever else it says.
#[test]
fn only_a_dead_letter_was_verified() {
    let path = ("hookbridge_path", "/hooks/a");
    let reason = ("hookbridge_reason", "missing_event_type");
    for (headers, was_verified) in [
        (vec![path], false),
        (vec![path, ("hookbridge_verification", "failed")], false),
        (vec![path, reason, ("hookbridge_verification", "failed")], false),
        (vec![path, reason], true),
        (vec![path, reason, ("hookbridge_verification", "not_repeated")], true),
    ] {
        assert_eq!(letter(&headers).kept().unwrap().was_verified, was_verified, "{headers:?}");
    }
}

#[test]
fn what_is_no_request_is_none() {
    let path = ("hookbridge_path", "/hooks/a");
    for headers in [
        vec![],
        vec![path, ("hookbridge_received_at", "yesterday")],
        vec![path, ("hookbridge_batch", "3/3")],
        vec![path, ("hookbridge_batch", "one")],
        vec![path, ("no header", "x")],
        vec![path, ("x", "a\nb")],
        vec![("hookbridge_path", "a b")],
    ] {
        assert!(letter(&headers).kept().is_err(), "{headers:?}");
    }
    let element = letter(&[path, ("hookbridge_batch", "2/3")]).kept().unwrap().element;
    assert_eq!(element, Some(Element { index: 2, count: 3 }));
}

#[test]
fn nothing_steers_the_terminal() {
    assert_eq!(clean_octets(b"a\x1b[31m\nb\xff"), "a\u{fffd}[31m\u{fffd}b\u{fffd}");
}
