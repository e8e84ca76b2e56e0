//! Reading YAML with every fault in it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Outer {
    name: Option<String>,
    count: Option<u16>,
    on: Option<bool>,
    inner: Inner,
    list: Option<Vec<Inner>>,
    map: BTreeMap<String, Inner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Inner {
    first: Option<String>,
    kind: Option<Kind>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Apple,
    Pear,
}

fn read(text: &str) -> (Outer, Vec<String>) {
    let mut faults = Diagnostics::default();
    let outer = match Document::parse(text, &mut faults) {
        Some(mut document) => document.read(&mut faults),
        None => Outer::default(),
    };
    let show = |d: super::super::Diagnostic| {
        // The hint that every fault without one of its own has.
        let hint =
            d.hint.expect("a hint").replace("config/hookbridge.yaml shows every key and what it takes", "");
        format!("{}:{} {}: {} ({hint})", d.at.line, d.at.column, d.path, d.message)
    };
    (outer, faults.into_sorted().0.into_iter().map(show).collect())
}

#[test]
fn reads_by_the_type_that_is_asked_for() {
    let (outer, faults) =
        read("name: 1.10\ncount: 7\non: true\ninner: { first: true, kind: pear }\nlist:\n- first: ~\nmap:\n");
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(outer.name.as_deref(), Some("1.10"));
    assert_eq!((outer.count, outer.on), (Some(7), Some(true)));
    assert_eq!(outer.inner.first.as_deref(), Some("true"));
    assert_eq!(outer.inner.kind, Some(Kind::Pear));
    assert_eq!(outer.list.map(|list| list.len()), Some(1));
    assert!(outer.map.is_empty());
}

#[test]
fn reports_every_fault_where_it_stands() {
    let (outer, faults) = read(
        "nam: x\ncount: many\non: 'true'\ninner:\n  frist: a\n  kind: plum\nlist:\n- first: [1]\n- 7\n- { first: ok }\n\
         map:\n  \"a.b\": { firts: x }\ncount: 3\n",
    );
    assert_eq!(
        faults,
        [
            "1:1 nam: unknown key `nam` (did you mean `name`?)",
            "2:8 count: expected a whole number, found text ()",
            "3:5 on: expected a boolean, found text ()",
            "5:3 inner.frist: unknown key `frist` (did you mean `first`?)",
            "6:9 inner.kind: unknown value `plum` (known here: `apple`, `pear`)",
            "8:10 list[0].first: expected text, found a list ()",
            "9:3 list[1]: expected a mapping, found a number ()",
            "12:12 map[\"a.b\"].firts: unknown key `firts` (did you mean `first`?)",
            "13:1 count: the key `count` is given twice; it stands first in line 2 ()",
        ]
    );
    // What is right has been read all the same.
    assert_eq!(outer.list.unwrap().last().unwrap().first.as_deref(), Some("ok"));
}

#[test]
fn refuses_what_a_configuration_has_no_use_for() {
    for (text, expected) in [
        ("a: [1", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
        ("a: &x 1\nb: *x", "anchors"),
        ("a: *x", "not valid YAML"),
        ("a: !!str x", "tags"),
        ("name: x\n---\nname: y", "second YAML document"),
        ("? [a]\n: b", "a key must be text"),
        (&format!("name: {}", "[".repeat(100)), ""),
        (&format!("name: {}1{}", "[".repeat(40), "]".repeat(40)), "levels deep"),
        (&"x".repeat(super::super::yaml::MAX_DOCUMENT_BYTES + 1), "bytes"),
    ] {
        let (_, faults) = read(text);
        assert_eq!(faults.len(), 1, "{text:.40}: {faults:?}");
        assert!(faults[0].contains(expected), "{text:.40}: {faults:?}");
    }
}

#[test]
fn an_empty_file_is_an_empty_mapping_and_another_root_is_a_fault() {
    assert_eq!(read("").1, Vec::<String>::new());
    assert_eq!(read("# nothing\n").1, Vec::<String>::new());
    assert_eq!(read("- a\n").1.len(), 1);
    assert_eq!(read("text").1.len(), 1);
}

#[test]
fn faults_never_show_a_value_that_may_be_a_secret() {
    let (_, faults) = read("count: hunter2-hunter2\non: hunter2\nlist: hunter2\n");
    assert_eq!(faults.len(), 3);
    assert!(faults.iter().all(|fault| !fault.contains("hunter2")), "{faults:?}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        read(&text);
    }

    #[test]
    fn any_yaml_like_text_is_survived(text in "[a-c:\\-{}\\[\\], \n#'\"|>&*!]{0,60}") {
        read(&text);
    }
}
