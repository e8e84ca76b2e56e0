//! IDs and types: where they stand, whether they are signed, and what becomes a dead letter.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::batch::Split;
use crate::signature::Coverage;

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

/// Reads a request whose body and ID header are signed.
fn with_reader<T>(
    ids: &[Expression],
    types: &[Expression],
    pairs: &[(&'static str, &str)],
    (query, body): (Option<&str>, &str),
    read: impl FnOnce(Reader<'_>) -> T,
) -> T {
    let signed =
        Coverage { body: true, headers: vec![HeaderName::from_static("webhook-id")], ..Coverage::default() };
    let (headers, body) = (headers(pairs), Bytes::copy_from_slice(body.as_bytes()));
    read(Reader::of(ids, types, &Parts { headers: &headers, query, body: &body, signed: &signed }))
}

fn read_all(
    ids: &[Expression],
    types: &[Expression],
    pairs: &[(&'static str, &str)],
    body: &str,
) -> Result<Event, Box<Defect>> {
    with_reader(ids, types, pairs, (None, body), |reader| reader.whole())
}

/// Reads the elements of a batch.
fn read_batch(
    split: &str,
    ids: &[Expression],
    types: &[Expression],
    pairs: &[(&'static str, &str)],
    body: &str,
) -> Several<Found> {
    let split = Split::parse(split).unwrap();
    with_reader(ids, types, pairs, (None, body), |reader| match split.elements(reader.request.body) {
        Ok(elements) => reader.elements(elements),
        Err(why) => Several::One(Err(reader.no_batch(&why))),
    })
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

fn query(name: &str) -> Expression {
    Expression::Query(name.to_owned())
}

fn form(name: &str) -> Expression {
    Expression::Form(name.to_owned())
}

fn join(parts: &[Expression]) -> Expression {
    Expression::Join { parts: parts.to_vec(), with: ".".to_owned() }
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");

#[test]
fn reads_the_query_which_nobody_signed() {
    let read = |query_string| {
        with_reader(&[query("id")], &[query("type")], &[], (query_string, "no JSON"), |reader| reader.whole())
    };
    let event = read(Some("a&type=a%2Eb+c&i=1&id=%C3%A9&%69d2=x")).unwrap();
    assert_eq!(event.message_id, Field::Unsigned("\u{e9}".into()));
    assert_eq!(event.event_type, Field::Unsigned("a.b c".into()));
    assert_eq!(read(None).unwrap_err().reason, Reason::MissingEventType);
    assert_eq!(read(Some("type=&id=1")).unwrap_err().reason, Reason::MissingEventType);
    for (query_string, reason, detail) in [
        ("type=a&id=1&%69d=1", Reason::UnusableMessageId, "the query's id is given twice"),
        ("type=a&id=&id=1", Reason::UnusableMessageId, "the query's id is given twice"),
        ("type=a&id=%FF", Reason::UnusableMessageId, "the query's id is not UTF-8"),
        ("type=a&type=b&id=1", Reason::UnusableEventType, "the query's type is given twice"),
        ("type=%00&id=1", Reason::UnusableEventType, "the query's type has a control character"),
    ] {
        let defect = read(Some(query_string)).unwrap_err();
        assert_eq!((defect.reason, defect.detail.as_str()), (reason, detail), "{query_string}");
    }
}

#[test]
fn reads_a_form_where_the_body_is_one() {
    let (ids, types) = ([form("Sid"), json("/id")], [form("Type"), json("/type")]);
    let event = read_all(&ids, &types, &[FORM], "Type=a%2Eb&Sid=SM1&id=x").unwrap();
    assert_eq!(event.message_id, Field::Signed("SM1".into()));
    assert_eq!(event.event_type, Field::Signed("a.b".into()));
    // The same provider may send JSON, too.
    let body = r#"{"id":"evt_1","type":"a","text":"&Sid=x&Type=evil&"}"#;
    let event = read_all(&ids, &types, &[("content-type", "application/json")], body).unwrap();
    assert_eq!((&**event.message_id.text(), &**event.event_type.text()), ("evt_1", "a"));
    // And nobody signed the content type: it does not let a text in the JSON name the event.
    let event = read_all(&ids, &types, &[FORM], body).unwrap();
    assert_eq!((&**event.message_id.text(), &**event.event_type.text()), ("evt_1", "a"));

    let defect = read_all(&ids, &types, &[FORM], "Type=a&Sid=1&Sid=2").unwrap_err();
    assert_eq!(defect.reason, Reason::UnusableMessageId);
    assert_eq!(read_all(&ids, &types, &[FORM], "").unwrap_err().reason, Reason::MissingEventType);
    // Without a form's content type it is no form.
    assert_eq!(read_all(&ids, &types, &[], "Type=a&Sid=1").unwrap_err().reason, Reason::UnreadableBody);
    // In a form nothing stands at a place of JSON: GitHub sends one unless it is told otherwise.
    assert_eq!(reason(&[json("/type")], &[FORM], "type=a"), Reason::MissingEventType);
    let types = [join(&[header("x-part"), json("/action")]), header("x-part")];
    let event = read_all(&[], &types, &[FORM, ("x-part", "issues")], "payload=%7B%7D").unwrap();
    assert_eq!(event.event_type, Field::Unsigned("issues".into()));
}

#[test]
fn joins_values_if_all_are_there() {
    let read = |ids: &[Expression], body| read_all(ids, &[], &[("webhook-id", "m1"), ("x-part", "p")], body);
    let both = [join(&[json("/code"), json("/ref")]), json("/fallback")];
    assert_eq!(read(&both, r#"{"code":"A","ref":7}"#).unwrap().message_id, Field::Signed("A.7".into()));
    for body in [r#"{"code":"A","fallback":"f"}"#, r#"{"ref":"A","code":"","fallback":"f"}"#] {
        assert_eq!(read(&both, body).unwrap().message_id, Field::Signed("f".into()), "{body}");
    }
    let id = |parts: &[Expression]| read(&[join(parts)], r#"{"a":"1"}"#).unwrap().message_id;
    assert_eq!(id(&[header("webhook-id"), json("/a")]), Field::Signed("m1.1".into()));
    assert_eq!(id(&[header("webhook-id"), header("x-part")]), Field::Unsigned("m1.p".into()));
    assert_eq!(read(&both, r#"{"code":"A","ref":{}}"#).unwrap_err().reason, Reason::UnusableMessageId);
    let long = format!(r#"{{"code":"{0}","ref":"{0}"}}"#, "x".repeat(128));
    assert_eq!(read(&both, &long).unwrap_err().detail, "what is joined is too long");
}

/// The message IDs of a batch, as its elements' defects and events have them.
fn ids(found: &Several<Found>) -> Vec<Field> {
    let id = |found: &'_ Found| match found {
        Ok(event) => event.message_id.clone(),
        Err(defect) => defect.message_id.clone(),
    };
    found.as_slice().iter().map(id).collect()
}

#[test]
fn each_element_of_a_batch_is_an_event_of_its_own() {
    let body = r#"{"object":"page","events":[ {"id":"1","type":"a"}, {"id":2} ,{"type":"b"},[7], {"id":"1","id":"2"}]}"#;
    let found = read_batch("/events", &[json("/id")], &[json("/type")], &[], body);
    let Several::Many(found) = found else { panic!("a batch") };
    let [first, second, third, fourth, fifth] = &found[..] else { panic!("five elements") };
    let first = first.as_ref().unwrap();
    assert_eq!(first.data, r#"{"id":"1","type":"a"}"#);
    assert_eq!((&**first.message_id.text(), &**first.event_type.text()), ("1", "a"));
    let second = second.as_ref().unwrap_err();
    assert_eq!((second.reason, second.message_id.text().as_ref()), (Reason::MissingEventType, "2"));
    assert_eq!(second.data, r#"{"id":2}"#);
    let third = third.as_ref().unwrap();
    assert_eq!(third.message_id, Field::Signed(hex::encode(Sha256::digest(r#"{"type":"b"}"#)).into()));
    assert_eq!(fourth.as_ref().unwrap_err().data, "[7]");
    assert_eq!(fifth.as_ref().unwrap_err().reason, Reason::UnreadableBody);
}

#[test]
fn what_is_of_the_whole_request_is_shared_by_the_elements_but_not_as_their_id() {
    let pairs = [("webhook-id", "m1"), ("x-event", "a")];
    let body = r#"{"object":"page","events":[{"id":"1"},{"id":"2"},{}]}"#;
    let of_body = Expression::Body(Pointer::parse("/object").unwrap());
    let found = read_batch("/events", &[header("webhook-id")], std::slice::from_ref(&of_body), &pairs, body);
    let [zero, one, two] = ["m1/0", "m1/1", "m1/2"].map(|id| Field::Signed(id.into()));
    assert_eq!(ids(&found), [zero, one, two]);
    for found in found.as_slice() {
        assert_eq!(found.as_ref().unwrap().event_type, Field::Signed("page".into()));
    }
    // A part of the element is enough to tell them apart, and the first place with a value counts for each.
    let places = [join(&[of_body.clone(), json("/id")]), header("x-event")];
    let found = read_batch("/events", &places, &[header("x-event")], &pairs, body);
    let expected =
        [Field::Signed("page.1".into()), Field::Signed("page.2".into()), Field::Unsigned("a/2".into())];
    assert_eq!(ids(&found), expected);
    // Without a split it is one document.
    let event = read_all(std::slice::from_ref(&of_body), &[], &[], body).unwrap();
    assert_eq!(event.message_id.text(), "page");
    // What all elements need and can't be read makes one dead letter of all.
    let twice = r#"{"object":"a","object":"b","events":[{"id":"1"}]}"#;
    let found = read_batch("/events", &[json("/id")], &[of_body], &[], twice);
    assert!(
        matches!(&found, Several::One(Err(defect)) if defect.reason == Reason::UnreadableBody && defect.data == twice)
    );
}

#[test]
fn what_is_no_batch_is_one_dead_letter_with_what_its_head_says() {
    for (body, expected) in [("{}", Reason::NotABatch), ("{", Reason::UnreadableBody)] {
        let pairs = [("webhook-id", "m1"), ("x-event", "a")];
        let found = read_batch("/events", &[header("webhook-id")], &[header("x-event")], &pairs, body);
        let Several::One(Err(defect)) = found else { panic!("one defect") };
        assert_eq!((defect.reason, defect.data.as_ref()), (expected, body.as_bytes()));
        assert_eq!(defect.message_id, Field::Signed("m1".into()));
        assert_eq!(defect.event_type, Some(Field::Unsigned("a".into())));
    }
    let found = read_batch("/events", &[json("/id")], &[], &[], r#"{"id":"evt_1","events":{}}"#);
    let Several::One(Err(defect)) = found else { panic!("one defect") };
    assert_eq!(
        defect.message_id.text().len(),
        64,
        "what would stand in an element is not looked for elsewhere"
    );
    assert!(matches!(read_batch("", &[], &[], &[], "[]"), Several::Many(none) if none.is_empty()));
}

proptest! {
    /// P4: a retry is the same octets, and each element finds its key again. Without an ID equal elements share theirs.
    #[test]
    fn keys_are_the_same_in_every_delivery_of_a_batch(
        elements in prop::collection::vec("[1-9][0-9]?|\\{\"id\":\"[ab]\"\\}|\\{\"n\": [01]\\}", 0..8),
        in_header: bool,
    ) {
        let body = format!("[{}]", elements.join(", "));
        let places = if in_header { [header("webhook-id")] } else { [json("/id")] };
        let read = || read_batch("", &places, &[], &[("webhook-id", "m1")], &body);
        let (one, other) = (read(), read());
        let (one, other) = (ids(&one), ids(&other));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.len(), elements.len());
        for i in 0..one.len() {
            for j in 0..i {
                let same = !in_header && elements[i] == elements[j];
                prop_assert_eq!(one[i] == one[j], same, "{} and {}", elements[i], elements[j]);
            }
        }
    }
}
