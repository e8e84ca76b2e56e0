//! Avro by an independent reader: what is written here, apache-avro reads back.

use apache_avro::types::Value as AvroValue;
use apache_avro::{from_avro_datum, from_avro_datum_schemata};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::{Compiled, Kind};

fn compile(schema: &Value) -> Compiled {
    Compiled::compile(Kind::Avro, &schema.to_string(), &[], None).unwrap()
}

/// What a reader makes of an event.
fn read_back(schema: &Value, event: &Value) -> Result<AvroValue, Mismatch> {
    let framed = compile(schema).frame(9, &Bytes::from(event.to_string()))?;
    assert_eq!(framed[..5], [0, 0, 0, 0, 9]);
    let schema = Schema::parse_str(&schema.to_string()).unwrap();
    let mut rest = &framed[5..];
    let value = from_avro_datum(&schema, &mut rest, None).unwrap();
    assert_eq!(rest, b"", "octets are left over");
    Ok(value)
}

fn field(kind: &Value, default: Option<Value>) -> Value {
    let mut field = json!({ "name": "f", "type": kind });
    if let Some(default) = default {
        field["default"] = default;
    }
    json!({ "type": "record", "name": "R", "fields": [field] })
}

/// The field's value, where the event is `{"f": value}`.
fn one(kind: Value, value: Value) -> Result<AvroValue, Mismatch> {
    let AvroValue::Record(mut fields) = read_back(&field(&kind, None), &json!({ "f": value, "unknown": 1 }))?
    else {
        panic!("no record")
    };
    Ok(fields.remove(0).1)
}

#[test]
fn every_type_is_read_back() {
    use AvroValue as A;
    let logical = |kind: &str, of: &str| json!({ "type": of, "logicalType": kind });
    for (kind, value, expected) in [
        (json!("boolean"), json!(true), A::Boolean(true)),
        (json!("int"), json!(-2147483648), A::Int(i32::MIN)),
        (json!("int"), json!(3.0), A::Int(3)),
        (json!("long"), json!(i64::MAX), A::Long(i64::MAX)),
        (json!("float"), json!(0.5), A::Float(0.5)),
        (json!("double"), json!(1), A::Double(1.0)),
        (json!("double"), json!(1.25e300), A::Double(1.25e300)),
        (json!("string"), json!("größe"), A::String("größe".to_owned())),
        (json!("bytes"), json!("AAH/"), A::Bytes(vec![0, 1, 255])),
        (json!({ "type": "fixed", "name": "F", "size": 2 }), json!("AAE="), A::Fixed(2, vec![0, 1])),
        (
            json!({ "type": "enum", "name": "E", "symbols": ["A", "B"] }),
            json!("B"),
            A::Enum(1, "B".to_owned()),
        ),
        (json!({ "type": "array", "items": "int" }), json!([]), A::Array(vec![])),
        (json!({ "type": "array", "items": "int" }), json!([1, 2]), A::Array(vec![A::Int(1), A::Int(2)])),
        (json!(["null", "string"]), json!(null), A::Union(0, Box::new(A::Null))),
        (json!(["null", "string"]), json!("a"), A::Union(1, Box::new(A::String("a".to_owned())))),
        (json!(["null", "int", "long"]), json!(1i64 << 40), A::Union(2, Box::new(A::Long(1 << 40)))),
        (logical("date", "int"), json!("2026-11-25"), A::Date(20_782)),
        (logical("time-millis", "int"), json!("00:00:01.5"), A::TimeMillis(1500)),
        (logical("time-micros", "long"), json!(7), A::TimeMicros(7)),
        (logical("timestamp-millis", "long"), json!("1970-01-01T00:00:01.25Z"), A::TimestampMillis(1250)),
        (logical("timestamp-micros", "long"), json!("1970-01-01T01:00:00+01:00"), A::TimestampMicros(0)),
        (
            logical("local-timestamp-millis", "long"),
            json!("1970-01-01T00:00:01"),
            A::LocalTimestampMillis(1000),
        ),
    ] {
        assert_eq!(one(kind.clone(), value.clone()).unwrap(), expected, "{kind} {value}");
    }
    let uuid = "c2d29867-3d0b-d497-9191-18a9d8ee7830";
    let found = one(logical("uuid", "string"), json!(uuid.to_uppercase())).unwrap();
    assert_eq!(found, A::Uuid(uuid.parse().unwrap()));
    let A::Map(map) = one(json!({ "type": "map", "values": "int" }), json!({ "a": 1 })).unwrap() else {
        panic!()
    };
    assert_eq!(map["a"], A::Int(1));
}

#[test]
fn decimals_are_as_long_as_they_must_be() {
    let bytes = json!({ "type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2 });
    for (value, octets) in [
        (json!("1.28"), vec![0, 128]),
        (json!("-1.28"), vec![128]),
        (json!(12.5), vec![4, 226]),
        (json!(0), vec![0]),
        (json!("-0.01"), vec![255]),
    ] {
        let AvroValue::Decimal(found) = one(bytes.clone(), value.clone()).unwrap() else { panic!() };
        assert_eq!(<Vec<u8>>::try_from(&found).unwrap(), octets, "{value}");
    }
    let fixed = json!({ "type": "fixed", "name": "D", "size": 3, "logicalType": "decimal", "precision": 6, "scale": 2 });
    for (value, number) in [("-1.28", -128), ("9999.99", 999_999)] {
        let AvroValue::Decimal(found) = one(fixed.clone(), json!(value)).unwrap() else { panic!() };
        assert_eq!(unscaled(&found), number, "{value}");
    }
    assert_eq!(one(bytes.clone(), json!("1.285")).unwrap_err().path, "/f");
    assert!(one(bytes, json!("99999.99")).is_err());
}

/// Each `{}` of a list would bring the default's octets.
#[test]
fn defaults_can_not_be_made_to_fill_the_memory() {
    let element = json!({ "type": "record", "name": "E", "fields": [
        { "name": "text", "type": "string", "default": "x".repeat(100_000) } ] });
    let schema = compile(&field(&json!({ "type": "array", "items": element }), None));
    let event = |elements: usize| json!({ "f": vec![json!({}); elements] }).to_string();
    assert!(schema.frame(1, &Bytes::from(event(5))).is_ok());
    let fault = schema.frame(1, &Bytes::from(event(100_000))).unwrap_err();
    assert!(fault.message.contains("far larger"), "{fault}");
}

#[test]
fn what_does_not_fit_is_a_fault_with_its_place() {
    for (kind, value) in [
        (json!("int"), json!(2147483648u32)),
        (json!("int"), json!(1.5)),
        (json!("long"), json!(9.3e18)),
        (json!("long"), json!(u64::MAX)),
        (json!("long"), json!("1")),
        (json!("float"), json!(1e300)),
        (json!("string"), json!(1)),
        (json!("boolean"), json!("true")),
        (json!("bytes"), json!("not base64!")),
        (json!({ "type": "fixed", "name": "F", "size": 2 }), json!("AA==")),
        (json!({ "type": "enum", "name": "E", "symbols": ["A"] }), json!("B")),
        (json!(["null", "int"]), json!("a")),
        (json!({ "type": "long", "logicalType": "timestamp-millis" }), json!("yesterday")),
        (json!({ "type": "long", "logicalType": "timestamp-millis" }), json!("1970-01-01T00:00:00.0001Z")),
        (json!({ "type": "string", "logicalType": "uuid" }), json!("no UUID")),
    ] {
        let fault = one(kind.clone(), value.clone()).expect_err(&format!("{kind} {value}"));
        assert_eq!(fault.path, "/f", "{kind} {value}: {fault}");
        assert!(!fault.message.contains("base64!"), "{fault}");
    }
    let list = json!({ "type": "array", "items": { "type": "map", "values": "int" } });
    assert_eq!(one(list, json!([{}, { "a/b": "1" }])).unwrap_err().path, "/f/1/a~1b");
    assert_eq!(read_back(&field(&json!("int"), None), &json!({})).unwrap_err().path, "/f");
    assert_eq!(read_back(&field(&json!("int"), None), &json!([])).unwrap_err().path, "");
}

#[test]
fn a_field_that_is_not_there_is_its_default_or_null() {
    use AvroValue as A;
    let read =
        |kind: Value, default: Option<Value>| match read_back(&field(&kind, default), &json!({})).unwrap() {
            A::Record(mut fields) => fields.remove(0).1,
            other => panic!("{other:?}"),
        };
    assert_eq!(read(json!("int"), Some(json!(7))), A::Int(7));
    assert_eq!(read(json!(["null", "int"]), None), A::Union(0, Box::new(A::Null)));
    assert_eq!(read(json!(["int", "null"]), Some(json!(7))), A::Union(0, Box::new(A::Int(7))));
    assert_eq!(
        read(json!("bytes"), Some(json!("\u{0}\u{ff}"))),
        A::Bytes(vec![0, 255]),
        "as the specification has it"
    );
}

#[test]
fn fields_have_aliases_and_types_refer_to_each_other() {
    let schema = json!({ "type": "record", "name": "Order", "namespace": "shop", "fields": [
        { "name": "order_id", "aliases": ["order-id"], "type": "string" },
        { "name": "first", "type": { "type": "record", "name": "Line", "fields": [{ "name": "n", "type": "int" }] } },
        { "name": "rest", "type": { "type": "array", "items": "shop.Line" } },
        { "name": "parent", "type": ["null", "Order"], "default": null },
    ] });
    assert_eq!(compile(&schema).record_name(), Some("shop.Order"));
    let event = json!({ "order-id": "o", "first": { "n": 1 }, "rest": [{ "n": 2 }],
        "parent": { "order_id": "p", "first": { "n": 3 }, "rest": [] } });
    assert!(read_back(&schema, &event).is_ok());
    let fault = read_back(&schema, &json!({ "order-id": "o", "first": { "n": 1 }, "rest": [{ "n": "2" }] }))
        .unwrap_err();
    assert_eq!(fault.path, "/rest/0/n");

    let line = json!({ "type": "record", "name": "Line", "namespace": "other", "fields": [{ "name": "n", "type": "int" }] });
    let order =
        json!({ "type": "record", "name": "Order", "fields": [{ "name": "line", "type": "other.Line" }] });
    let reference = Reference { name: "other.Line".to_owned(), text: line.to_string() };
    let compiled = Compiled::compile(Kind::Avro, &order.to_string(), &[reference], None).unwrap();
    let framed = compiled.frame(1, &Bytes::from(r#"{"line":{"n":5}}"#)).unwrap();
    let (schema, others) = Schema::parse_str_with_list(&order.to_string(), [line.to_string()]).unwrap();
    let read = from_avro_datum_schemata(&schema, others.iter().collect(), &mut &framed[5..], None);
    assert!(read.is_ok(), "{read:?}");
    assert!(Compiled::compile(Kind::Avro, &order.to_string(), &[], None).is_err());
}

#[test]
fn of_two_records_in_a_union_the_first_that_fits_is_taken() {
    let record = |name: &str, field: &str| json!({ "type": "record", "name": name, "fields": [{ "name": field, "type": "int" }] });
    let kind = json!([record("A", "a"), record("B", "b")]);
    let AvroValue::Union(index, _) = one(kind.clone(), json!({ "b": 1 })).unwrap() else { panic!() };
    assert_eq!(index, 1);
    assert_eq!(one(kind, json!({ "c": 1 })).unwrap_err().path, "/f/a");
}

/// Each level has two ways, none of which fits in the end.
#[test]
fn unions_can_not_be_made_to_take_for_ever() {
    let node = |name: &str| json!({ "type": "record", "name": name, "fields": [{ "name": "f", "type": ["int", "A", "B"] }] });
    let schema = json!({ "type": "record", "name": "A", "fields": [
        { "name": "f", "type": ["int", "A", node("B")] } ] });
    let deep = format!("{}\"no\"{}", "{\"f\":".repeat(60), "}".repeat(60));
    let fault = compile(&schema).frame(1, &Bytes::from(deep)).unwrap_err();
    assert!(!fault.message.is_empty());
}

#[test]
fn the_pointer_to_a_fault_is_short_whatever_the_sender_calls_it() {
    let schema = json!({ "type": "record", "name": "R", "fields": [] });
    for (name, path) in
        [("k".repeat(255), format!("/{}", "k".repeat(255))), ("é".repeat(300_000), String::new())]
    {
        let twice = format!(r#"{{"{name}":1,"{name}":2}}"#);
        let mismatch = compile(&schema).frame(9, &Bytes::from(twice)).unwrap_err();
        assert_eq!(mismatch.path, path);
        assert!(mismatch.to_string().len() < 1000, "{mismatch}");
    }
}

#[test]
fn what_is_no_schema_is_refused() {
    for text in ["", "{", "\"no such type\"", r#"{"type":"record","name":"R"}"#] {
        assert!(Compiled::compile(Kind::Avro, text, &[], None).is_err(), "{text}");
    }
    let duration = json!({ "type": "fixed", "name": "D", "size": 12, "logicalType": "duration" });
    let why = Compiled::compile(Kind::Avro, &duration.to_string(), &[], None).unwrap_err().to_string();
    assert!(why.contains("`duration` are not supported"), "{why}");
}

/// The unscaled number of a decimal that has been read.
fn unscaled(found: &apache_avro::Decimal) -> i128 {
    let octets = <Vec<u8>>::try_from(found).unwrap();
    let is_negative = octets.first().is_some_and(|first| first & 0x80 != 0);
    octets.iter().fold(if is_negative { -1 } else { 0 }, |number, octet| (number << 8) | i128::from(*octet))
}

proptest! {
    #[test]
    fn numbers_and_texts_are_read_back(long in any::<i64>(), double in -1e15..1e15f64, text in "\\PC{0,30}") {
        prop_assert_eq!(one(json!("long"), json!(long)).unwrap(), AvroValue::Long(long));
        prop_assert_eq!(one(json!("double"), json!(double)).unwrap(), AvroValue::Double(double));
        prop_assert_eq!(one(json!("string"), json!(text)).unwrap(), AvroValue::String(text));
    }

    #[test]
    fn no_event_is_too_strange(event in r#"[\[\]{}:,"fa0-9.eE\-]{0,40}"#) {
        let schema = field(&json!(["null", "int", "string", { "type": "array", "items": "double" }]), None);
        let _ = compile(&schema).frame(1, &Bytes::from(event));
    }

    #[test]
    fn no_text_is_too_strange_for_a_schema(text in r#"\{?["a-z:{}\[\], ]{0,60}"#) {
        let _ = Compiled::compile(Kind::Avro, &text, &[], None);
    }
}

/// A JSON number is read as a double where it has a fraction or is beyond 64 bits, and that may be another number.
#[test]
fn a_decimal_is_never_a_rounded_number() {
    let schema =
        field(&json!({ "type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2 }), None);
    let frame = |number: &str| compile(&schema).frame(1, &Bytes::from(format!("{{\"f\":{number}}}")));
    for exact in ["0.1", "-1234567890123.45", "0.00", "1e3", "12345678901234567", "18446744073709551615"] {
        let text = frame(&format!("\"{exact}\"")).unwrap();
        assert_eq!(frame(exact).unwrap(), text, "{exact}");
    }
    for rounded in ["12345678901234567.89", "100000000000000000001", "0.30000000000000004", "1e30"] {
        let fault = frame(rounded).unwrap_err();
        assert!(fault.path == "/f" && fault.message.contains("as text"), "{rounded}: {fault}");
    }
    assert!(frame("\"12345678901234567.89\"").is_ok());
}

/// An event of some kilobytes, made of elements that are all defaults, would take all of the memory.
#[test]
fn defaults_do_not_make_an_event_grow_without_limit() {
    let element = field(&json!("string"), Some(json!("x".repeat(10_000))));
    let schema = compile(&json!({ "type": "array", "items": element }));
    let of = |count: usize| Bytes::from(format!("[{}{{}}]", "{},".repeat(count - 1)));
    assert!(schema.frame(1, &of(100)).is_ok());
    let fault = schema.frame(1, &of(10_000)).unwrap_err();
    assert!(fault.message.contains("defaults"), "{fault}");
}

/// Each reference may be as deep as JSON is, and refer to the next.
#[test]
fn references_may_go_deeper_than_a_thread_of_the_service_could() {
    const REFERENCES: usize = 64;
    const LEVELS: usize = 40;
    let reference = |number: usize| {
        let next = if number + 1 == REFERENCES { json!("int") } else { json!(format!("R{}", number + 1)) };
        let text = (0..LEVELS).rev().fold(next, |inner, level| {
            let name = if level == 0 { format!("R{number}") } else { format!("R{number}_{level}") };
            json!({ "type": "record", "name": name, "fields": [{ "name": "f", "type": inner }] })
        });
        Reference { name: format!("R{number}"), text: text.to_string() }
    };
    let references: Vec<Reference> = (0..REFERENCES).map(reference).collect();
    let text = field(&json!("R0"), None).to_string();
    assert!(Compiled::compile(Kind::Avro, &text, &references, None).is_ok());
}
