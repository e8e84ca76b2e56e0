//! Batches: the exact octets of every element, and what is no batch.

use proptest::prelude::*;

use super::*;

fn elements(pointer: &str, body: &[u8]) -> Result<Vec<Bytes>, NotABatch> {
    Split::parse(pointer).unwrap().elements(&Bytes::copy_from_slice(body))
}

fn texts(pointer: &str, body: &str) -> Vec<String> {
    let elements = elements(pointer, body.as_bytes()).unwrap();
    elements.into_iter().map(|element| String::from_utf8(element.to_vec()).unwrap()).collect()
}

#[test]
fn gives_each_element_as_it_is_written() {
    assert_eq!(texts("", "[1]"), ["1"]);
    assert_eq!(
        texts("", " [ 1.0 , \"a\\u0041\" ,\n{ \"x\" :1 }\t,[],null ] "),
        ["1.0", "\"a\\u0041\"", "{ \"x\" :1 }", "[]", "null"]
    );
    assert_eq!(
        texts("/events", r#"{"n":1,"events":[{"id":1},{"id":2}],"more":[3]}"#),
        [r#"{"id":1}"#, r#"{"id":2}"#]
    );
    assert_eq!(texts("/a/1/b~1c", r#"{"a":[{"b/c":[1]},{"b/c":[2,3]}]}"#), ["2", "3"]);
    assert_eq!(texts("/events", r#"{"ev\u0065nts":[7]}"#), ["7"]);
    assert_eq!(texts("", "[]"), [""; 0]);
    assert_eq!(texts("/events", "{\"events\":[ \n ]}"), [""; 0]);
}

#[test]
fn elements_share_the_octets_of_the_body() {
    let body = Bytes::from_static(br#"{"events":[ {"id":1} ,{"id":2}]}"#);
    let elements = Split::parse("/events").unwrap().elements(&body).unwrap();
    assert_eq!(elements[0].as_ptr(), body[12..].as_ptr());
    assert_eq!(elements[1].as_ptr(), body[22..].as_ptr());
}

#[test]
fn says_what_is_no_batch() {
    for (pointer, body) in [
        ("", "{}"),
        ("", "7"),
        ("", "null"),
        ("/events", "[]"),
        ("/events", "{}"),
        ("/events", r#"{"events":{}}"#),
        ("/events", r#"{"events":null}"#),
        ("/events", r#"{"data":{"events":[]}}"#),
        ("/events/0", r#"{"events":[1]}"#),
        ("/events/00", r#"{"events":[[1]]}"#),
        ("/events/1", r#"{"events":[[1]]}"#),
    ] {
        let why = elements(pointer, body.as_bytes()).unwrap_err();
        assert_eq!(why, NotABatch::NoList(Split::parse(pointer).unwrap()), "{pointer} in {body}");
    }
    for (pointer, body) in [
        ("", ""),
        ("", "["),
        ("", "[1,]"),
        ("", "[1] 2"),
        ("", "[\x01]"),
        ("/events", r#"{"events":[1]"#),
        ("/events", r#"{"events":[1],"events":[2]}"#),
        ("/events", r#"{"events":[1],"\u0065vents":[2]}"#),
        ("/events/a", r#"{"events":{"a":[1]},"events":{}}"#),
    ] {
        let why = elements(pointer, body.as_bytes()).unwrap_err();
        assert!(matches!(why, NotABatch::Unreadable(_)), "{pointer} in {body}: {why:?}");
    }
    assert!(Split::parse("events").is_err());
}

#[test]
fn an_element_that_is_no_utf8_does_not_hide_the_others() {
    let body = b"[{\"a\":\"\xff\xc3\"},{\"a\":\"\xc3\xa4\"}]";
    let elements = elements("", body).unwrap();
    assert_eq!(elements, [&b"{\"a\":\"\xff\xc3\"}"[..], b"{\"a\":\"\xc3\xa4\"}"]);
    for body in [&b"[1,\xff]"[..], b"\xff[1]", b"[1]\xff"] {
        assert!(matches!(super::tests::elements("", body), Err(NotABatch::Unreadable(_))), "{body:?}");
    }
}

#[test]
fn takes_the_most_elements_and_no_more() {
    let body = |count| format!("[{}0]", "0,".repeat(count - 1));
    assert_eq!(elements("", body(MAX_ELEMENTS).as_bytes()).unwrap().len(), MAX_ELEMENTS);
    assert_eq!(elements("", body(MAX_ELEMENTS + 1).as_bytes()), Err(NotABatch::TooMany));
}

#[test]
fn an_element_may_hold_what_a_full_parse_would_refuse() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(texts("", &format!(r#"[{deep},1e999999,"\ud800"]"#)), [&deep, "1e999999", r#""\ud800""#]);
}

fn any_element() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[1-9][0-9]{0,30}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        ".*".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,\n"))),
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let entries: Vec<_> = items.iter().map(|item| format!("\"k\" :\t{item}")).collect();
                format!("{{ {}}}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    /// Together with what stands between them the elements are the body.
    #[test]
    fn the_elements_are_those_that_were_written(
        written in prop::collection::vec((any_element(), "[ \n\r\t]{0,3}", "[ \n\r\t]{0,3}"), 0..6),
        envelope in prop::sample::select(vec![("", "", ""), ("/events", "{\"n\": [1], \"events\" :", ", \"z\":0}"), ("/1/a~0", "[[], {\"a~\":", "}, [2]]")]),
    ) {
        let (pointer, before, after) = envelope;
        let list: Vec<_> = written.iter().map(|(element, left, right)| format!("{left}{element}{right}")).collect();
        let body = Bytes::from(format!("{before}[{}]{after}", list.join(",")));
        let found = Split::parse(pointer).unwrap().elements(&body).unwrap();
        let expected: Vec<_> = written.iter().map(|(element, ..)| element.as_bytes()).collect();
        prop_assert_eq!(&found, &expected);
        // In their order, apart, and nothing but blanks and commas between two.
        let mut end = None;
        for element in &found {
            let from = element.as_ptr() as usize - body.as_ptr() as usize;
            prop_assert_eq!(&body[from..from + element.len()], &element[..]);
            if let Some(end) = end {
                prop_assert!(body[end..from].iter().all(|octet| b", \n\r\t".contains(octet)));
            }
            end = Some(from + element.len());
        }
    }

    /// What another reader takes for the list's elements is what is found.
    #[test]
    fn agrees_with_a_full_parse(body in any_element(), pointer in "(/[k0-2]){0,2}") {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(&body) else { return Ok(()) };
        match elements(&pointer, body.as_bytes()) {
            Ok(found) => {
                let read: Result<Vec<serde_json::Value>, _> = found.iter().map(|element| serde_json::from_slice(element)).collect();
                prop_assert_eq!(json.pointer(&pointer), Some(&read.unwrap().into()));
            }
            Err(NotABatch::NoList(_)) => prop_assert!(!json.pointer(&pointer).is_some_and(serde_json::Value::is_array)),
            // A key is given twice.
            Err(_) => {}
        }
    }

    #[test]
    fn survives_any_octets(body: Vec<u8>) {
        let _ = elements("", &body);
        let _ = elements("/a/0", &body);
    }
}
