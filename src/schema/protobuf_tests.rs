//! Protobuf by an independent reader: what is written here, prost-reflect's decoder reads back.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::{Compiled, Kind};

const ORDER: &str = r#"
    syntax = "proto3";
    package shop;
    import "google/protobuf/timestamp.proto";
    import "shop/money.proto";
    message Order {
      string order_id = 1;
      int64 number = 2;
      bytes blob = 3;
      google.protobuf.Timestamp at = 4;
      State state = 5;
      repeated Line lines = 6;
      map<string, int32> counts = 7;
      Money total = 8;
      message Line { int32 n = 1; }
    }
    enum State { UNKNOWN = 0; PAID = 1; }
    message Other { message Inner { string a = 1; } Inner inner = 1; }
"#;

fn references() -> Vec<Reference> {
    let text = "syntax = \"proto3\"; package shop; message Money { string currency = 1; int64 units = 2; }";
    vec![Reference { name: "shop/money.proto".to_owned(), text: text.to_owned() }]
}

fn compile(message: Option<&str>) -> Compiled {
    Compiled::compile(Kind::Protobuf, ORDER, &references(), message).unwrap()
}

/// What a reader makes of an event, whose message is at these indexes.
fn read_back(message: &str, indexes: &[u8], event: &Value) -> Result<Value, Mismatch> {
    let framed = compile(Some(message)).frame(258, &Bytes::from(event.to_string()))?;
    assert_eq!(framed[..5], [0, 0, 0, 1, 2]);
    let payload = framed[5..].strip_prefix(indexes).unwrap();
    let Ok(Protobuf { message, .. }) = Protobuf::compile(ORDER, &references(), Some(message)) else {
        panic!()
    };
    let message = DynamicMessage::decode(message, payload).unwrap();
    Ok(serde_json::to_value(&message).unwrap())
}

#[test]
fn an_event_is_read_back_by_the_json_mapping() {
    let event = json!({
        "order_id": "o", "number": "9007199254740993", "blob": "AAH/", "at": "2026-01-01T12:00:00.250Z",
        "state": 1, "lines": [{ "n": 1 }, { "n": 2 }], "counts": { "a": 1 }, "total": { "currency": "EUR", "units": 5 },
        "unknown": { "is": ["left", "out"] },
    });
    let expected = json!({
        "orderId": "o", "number": "9007199254740993", "blob": "AAH/", "at": "2026-01-01T12:00:00.250Z",
        "state": "PAID", "lines": [{ "n": 1 }, { "n": 2 }], "counts": { "a": 1 }, "total": { "currency": "EUR", "units": "5" },
    });
    assert_eq!(read_back("shop.Order", &[0], &event).unwrap(), expected);
}

#[test]
fn a_message_is_found_by_its_indexes() {
    assert_eq!(compile(None).record_name(), Some("shop.Order"));
    // One index, zig-zag: 1 -> 2.
    assert_eq!(
        read_back("shop.Other", &[2, 2], &json!({ "inner": { "a": "x" } })).unwrap()["inner"]["a"],
        "x"
    );
    assert_eq!(read_back("shop.Other.Inner", &[4, 2, 0], &json!({ "a": "x" })).unwrap()["a"], "x");
    assert_eq!(read_back("shop.Order.Line", &[4, 0, 0], &json!({ "n": 1 })).unwrap()["n"], 1);
    for missing in ["Order", "shop.None", "shop.Money", "google.protobuf.Timestamp"] {
        let why = Compiled::compile(Kind::Protobuf, ORDER, &references(), Some(missing)).unwrap_err();
        assert!(why.to_string().contains(missing), "{why}");
    }
}

#[test]
fn a_fault_has_its_place() {
    for (event, path) in [
        (json!({ "number": "x" }), "/number"),
        (json!({ "number": 1.5 }), "/number"),
        (json!({ "number": 9.3e18 }), "/number"),
        (json!({ "blob": "!" }), "/blob"),
        (json!({ "at": "yesterday" }), "/at"),
        (json!({ "state": "SOLD" }), "/state"),
        (json!({ "order_id": 1 }), "/order_id"),
        (json!({ "lines": [{ "n": 1 }, { "n": 2147483648u32 }] }), "/lines/1/n"),
        (json!({ "lines": {} }), "/lines"),
        (json!({ "counts": { "a": 1, "b/c": "x" } }), "/counts/b~1c"),
        (json!({ "total": { "units": [] } }), "/total/units"),
        (json!([]), ""),
    ] {
        let fault = compile(None).frame(1, &Bytes::from(event.to_string())).expect_err(&event.to_string());
        assert_eq!(fault.path, path, "{event}: {fault}");
    }
}

/// It may be long, and nobody's business.
#[test]
fn a_fault_says_what_is_wanted_and_does_not_repeat_the_value() {
    for (event, said) in [
        (json!({ "number": "s3cret" }), "it is no `int64`"),
        (json!({ "order_id": { "s3cret": 1 } }), "it is no `string`"),
        (json!({ "blob": "s3cret!" }), "it is no `bytes`"),
        (json!({ "at": "s3cret" }), "it is no `google.protobuf.Timestamp`"),
        (json!({ "state": "s3cret" }), "it is no symbol of `shop.State`"),
        (json!({ "lines": "s3cret" }), "a list is wanted"),
        (json!({ "lines": ["s3cret"] }), "it is no `shop.Order.Line`"),
        (json!({ "counts": { "a": "s3cret" } }), "it is no `int32`"),
        (json!({ "counts": ["s3cret"] }), "an object is wanted"),
        (json!("s3cret"), "it is no `shop.Order`"),
    ] {
        let fault = compile(None).frame(1, &Bytes::from(event.to_string())).expect_err(&event.to_string());
        assert!(fault.message.contains(said), "{event}: {fault}");
        assert!(!fault.message.contains("s3cret"), "{fault}");
    }
}

#[test]
fn two_of_a_oneof_exclude_each_other() {
    let schema = "syntax = \"proto3\"; message A { oneof of { string a = 1; string b = 2; } }";
    let schema = Compiled::compile(Kind::Protobuf, schema, &[], None).unwrap();
    assert!(schema.frame(1, &Bytes::from(r#"{"a":"x","b":null}"#)).is_ok());
    let fault = schema.frame(1, &Bytes::from(r#"{"a":"x","b":"y"}"#)).unwrap_err();
    assert_eq!((fault.path.as_str(), fault.message.as_str()), ("", "two members exclude each other"));
}

#[test]
fn what_is_no_schema_is_refused() {
    for text in
        ["", "syntax = \"proto3\";", "message", "syntax = \"proto3\"; import \"nowhere.proto\"; message A {}"]
    {
        assert!(Compiled::compile(Kind::Protobuf, text, &[], None).is_err(), "{text}");
    }
    let number = "syntax = \"proto3\"; message A { int32 a = 08; }";
    assert!(Compiled::compile(Kind::Protobuf, number, &[], None).is_err(), "the compiler itself panics");
    let old = "syntax = \"proto2\"; message A { required string a = 1; optional int32 b = 2 [default = 5]; }";
    assert!(
        Compiled::compile(Kind::Protobuf, old, &[], None)
            .unwrap()
            .frame(1, &Bytes::from(r#"{"a":"x"}"#))
            .is_ok()
    );
}

#[test]
fn a_schema_that_is_very_deep_is_refused() {
    let depth = 100_000;
    let messages = "message A { ".repeat(depth) + &"}".repeat(depth);
    let types = format!("message A {{ {}int32 a = 1; {}", "oneof o { ".repeat(depth), "}".repeat(depth));
    let options = format!("option a = {{ {}{} }};", "a { ".repeat(depth), "}".repeat(depth));
    for text in [messages, types, options] {
        let schema = format!("syntax = \"proto3\"; {text}");
        assert!(Compiled::compile(Kind::Protobuf, &schema, &[], None).is_err());
    }
}

proptest! {
    #[test]
    fn numbers_and_texts_are_read_back(number in any::<i64>(), text in "\\PC{1,30}") {
        let event = json!({ "number": number, "order_id": text });
        let read = read_back("shop.Order", &[0], &event).unwrap();
        prop_assert_eq!(read["orderId"].as_str(), Some(text.as_str()));
        if number != 0 {
            prop_assert_eq!(&read["number"], &json!(number.to_string()));
        }
    }

    #[test]
    fn no_event_is_too_strange(event in r#"[\[\]{}:,"lines0-9.eE\-]{0,40}"#) {
        let _ = compile(None).frame(1, &Bytes::from(event));
    }

    #[test]
    fn no_text_is_too_strange_for_a_schema(text in "(syntax = \"proto3\"; )?[a-z=0-9{};\" .]{0,60}") {
        let _ = Compiled::compile(Kind::Protobuf, &text, &[], None);
    }
}

/// A stack that overflows can't be caught: it would end the service.
#[test]
fn a_schema_is_not_deeper_than_its_compiler_can_read() {
    let deep = |levels: usize, between: &str| {
        let block = format!("message A{{{between}");
        let text = format!("syntax=\"proto3\";{}{}", block.repeat(levels), "}".repeat(levels));
        Compiled::compile(Kind::Protobuf, &text, &[], None)
    };
    assert!(deep(32, "").is_ok());
    for (levels, between, expected) in [
        (33, "", "more than 32 levels deep"),
        (5_000, "", "more than 32 levels deep"),
        (5_000, "/*/**/}*/", "nested block comments"),
        (5_001, "", "more than 5000 blocks"),
    ] {
        let why = deep(levels, between).unwrap_err().to_string();
        assert!(why.contains(expected), "{levels} {between}: {why}");
    }
}
