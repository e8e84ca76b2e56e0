//! Tests of the JSON styles, against what the serialisers themselves write.

use std::collections::BTreeSet;

use super::*;
use crate::explain::bench::Otherwise;

/// All that is made of a body.
fn all(body: &str) -> BTreeSet<String> {
    let written = |hypothesis: Hypothesis| match hypothesis.otherwise {
        Otherwise::Body(change) => change(body.as_bytes()),
        _ => None,
    };
    hypotheses(MOST_CHANGES)
        .into_iter()
        .filter_map(written)
        .map(|body| String::from_utf8(body).unwrap())
        .collect()
}

const BODY: &str = r#"{"b":[1.0,{}, [],"é/<\ud83d\ude00"],"a":{"x":null,"n":-1.50}}"#;

#[test]
fn the_usual_serialisers_are_among_them() {
    let all = all(BODY);
    for expected in [
        // JavaScript, JSON.stringify.
        r#"{"b":[1,{},[],"é/<😀"],"a":{"x":null,"n":-1.5}}"#,
        // Python, json.dumps.
        r#"{"b": [1.0, {}, [], "\u00e9/<\ud83d\ude00"], "a": {"x": null, "n": -1.50}}"#,
        // PHP, json_encode.
        r#"{"b":[1.0,{},[],"\u00e9\/<\ud83d\ude00"],"a":{"x":null,"n":-1.50}}"#,
        // .NET, System.Text.Json.
        r#"{"b":[1.0,{},[],"\u00E9/\u003C\uD83D\uDE00"],"a":{"x":null,"n":-1.50}}"#,
        // Go, json.Marshal of a map.
        r#"{"a":{"n":-1.50,"x":null},"b":[1.0,{},[],"é/\u003c😀"]}"#,
        // Indented, with a newline at its end.
        "{\n  \"b\": [\n    1.0,\n    {},\n    [],\n    \"é/<\\ud83d\\ude00\"\n  ],\n  \"a\": {\n    \"x\": null,\n    \"n\": -1.50\n  }\n}\n",
    ] {
        assert!(all.contains(expected), "{expected}");
    }
}

#[test]
fn every_style_is_the_same_document() {
    let sorted = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let original = sorted(BODY);
    for style in all(BODY) {
        assert_eq!(sorted(&style)["a"]["x"], original["a"]["x"], "{style}");
        assert_eq!(sorted(&style)["b"][3], original["b"][3], "{style}");
        assert_eq!(sorted(&style)["a"]["n"].as_f64(), Some(-1.5), "{style}");
    }
    assert!(all("a=b").is_empty() && all("{").is_empty());
}

#[test]
fn one_number_alone_is_changed() {
    assert!(all(r#"{"a": 1,  "b":2}"#).contains(r#"{"a": 1,  "b":2.0}"#));
}
