//! IDs and types: where they stand, whether they are signed, and what becomes a dead letter.

use http::HeaderValue;

use super::*;

fn json(pointer: &str) -> Expression {
    Expression::Json(Pointer::parse(pointer).unwrap())
}

fn header(name: &'static str) -> Expression {
    Expression::Header(vec![HeaderName::from_static(name)])
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn read_all(
    ids: &[Expression],
    types: &[Expression],
    pairs: &[(&'static str, &str)],
    body: &str,
) -> Result<Event, Box<Defect>> {
    let signed =
        Coverage { body: true, headers: vec![HeaderName::from_static("webhook-id")], ..Coverage::default() };
    read(ids, types, &headers(pairs), &Bytes::copy_from_slice(body.as_bytes()), &signed)
}

fn reason(types: &[Expression], pairs: &[(&'static str, &str)], body: &str) -> Reason {
    read_all(&[json("/id")], types, pairs, body).unwrap_err().reason
}

#[test]
fn reads_from_the_first_place_that_has_a_value() {
    let types = [json("/type"), header("x-event")];
    let body = r#"{"id":"evt_1","type":"a.b"}"#;
    let event = read_all(&[json("/id")], &types, &[("x-event", "c.d")], body).unwrap();
    assert_eq!(event.message_id, Field::Signed("evt_1".into()));
    assert_eq!(event.event_type, Field::Signed("a.b".into()));
    assert_eq!(event.data, body.as_bytes());

    for body in [r#"{"id":"evt_1"}"#, r#"{"id":"evt_1","type":null}"#, r#"{"id":"evt_1","type":""}"#] {
        let event = read_all(&[json("/id")], &types, &[("x-event", "c.d")], body).unwrap();
        assert_eq!(event.event_type, Field::Unsigned("c.d".into()));
    }
}

#[test]
fn only_the_header_that_the_signature_covers_is_signed() {
    let event = read_all(
        &[header("webhook-id")],
        &[header("x-event")],
        &[("webhook-id", "msg_1"), ("x-event", "a")],
        "not json",
    )
    .unwrap();
    assert!(event.message_id.is_signed());
    assert!(!event.event_type.is_signed());
}

#[test]
fn without_an_id_it_is_the_hash_of_the_body() {
    let event = read_all(&[json("/id")], &[json("/type")], &[], r#"{"type":"a"}"#).unwrap();
    let expected = hex::encode(Sha256::digest(r#"{"type":"a"}"#));
    assert_eq!(event.message_id.text(), expected.as_str());
    let event = read_all(&[], &[], &[], "").unwrap();
    assert_eq!(event.message_id.text(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(event.event_type.text(), UNNAMED_TYPE);
}

#[test]
fn a_number_keeps_every_digit() {
    let event = read_all(&[json("/id")], &[], &[], r#"{"id":123456789012345678901234567890}"#).unwrap();
    assert_eq!(event.message_id.text(), "123456789012345678901234567890");
}

#[test]
fn what_cannot_be_read_is_a_defect_with_a_reason() {
    let types = [json("/type")];
    assert_eq!(reason(&types, &[], "no json"), Reason::UnreadableBody);
    assert_eq!(reason(&types, &[], r#"{"type":"a","type":"b"}"#), Reason::UnreadableBody);
    assert_eq!(reason(&types, &[], r#"{"id":"x"}"#), Reason::MissingEventType);
    assert_eq!(reason(&types, &[], r#"{"id":"x","type":{}}"#), Reason::UnusableEventType);
    assert_eq!(reason(&types, &[], "{\"id\":\"x\",\"type\":\"a\\nb\"}"), Reason::UnusableEventType);
    assert_eq!(
        reason(&types, &[], &format!(r#"{{"id":"x","type":"{}"}}"#, "a".repeat(257))),
        Reason::UnusableEventType
    );
    assert_eq!(reason(&types, &[], r#"{"id":["x"],"type":"a"}"#), Reason::UnusableMessageId);
    assert_eq!(
        reason(&[header("x-event")], &[("x-event", "\u{e4}\u{85}")], r#"{"id":"x"}"#),
        Reason::UnusableEventType
    );
}

#[test]
fn a_defect_keeps_what_was_read() {
    let defect =
        read_all(&[header("webhook-id")], &[json("/type")], &[("webhook-id", "msg_1")], "{").unwrap_err();
    assert_eq!(defect.message_id, Field::Signed("msg_1".into()));
    assert_eq!(defect.data, "{");
    assert!(!defect.detail.contains('{'));
    let defect = read_all(&[json("/id")], &[json("/type")], &[], r#"{"id":"evt_1"}"#).unwrap_err();
    assert_eq!(defect.message_id.text(), "evt_1");
    assert_eq!(defect.detail, "nothing stands at body /type");
}
