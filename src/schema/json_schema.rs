//! JSON Schema: drafts 4 to 2020-12, by `$schema`; 2020-12 where there is none.
//!
//! Takes a schema and the schemas that its `$ref`s name. Says whether an event fits, and where it does not. `format` says what a
//! value means and refuses nothing, as drafts since 2019-09 have it. Nothing is fetched. Pure.

use std::collections::HashSet;
use std::fmt;

use jsonschema::{PatternOptions, Registry, Retrieve, Uri, Validator};
use reqwest::Url;
use serde_json::Value;

use super::{Mismatch, Reference, references};

/// The base of references that are no absolute URIs.
const BASE: &str = "registry:///";

/// How often a pattern may go back in one text: more than any sensible pattern needs, and some milliseconds at most.
const MAX_BACKTRACKS: usize = 100_000;

/// The largest pattern, compiled, in octets.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

/// Ways through a schema that refers to itself, on which the place of a fault is looked for.
const MAX_WAYS: usize = 50_000;
/// Places that a schema and its references refer to. Who validates goes from one to the next by recursion, and a stack that
/// overflows ends the process.
const MAX_REFERRED: usize = 1_000;

/// A schema, ready for use.
pub(super) struct JsonSchema {
    validator: Validator,
    title: Option<String>,
    /// How deep an event may be for the place of its fault to be looked for.
    told_to: usize,
}

impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonSchema").field("title", &self.title).finish_non_exhaustive()
    }
}

/// What a schema refers to and is not given is not looked for.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{}` is not among the schema's references", uri.as_str()).into())
    }
}

impl JsonSchema {
    pub(super) fn compile(text: &str, references: &[Reference]) -> Result<Self, String> {
        let schema: Value = read(text).map_err(|why| format!("it {why}"))?;
        let mut places = HashSet::new();
        referred(&schema, &mut places);
        let mut registry = Registry::new().retriever(Nowhere);
        let base = ["$id", "id"].iter().find_map(|key| Url::parse(schema.get(key)?.as_str()?).ok());
        let mut others = Vec::new();
        for Reference { name, text } in references {
            let schema = read(text).map_err(|why| format!("its reference `{name}` {why}"))?;
            referred(&schema, &mut places);
            others.push((name.as_str(), schema.clone()));
            for uri in uris(name, base.as_ref()) {
                let schema = schema.clone();
                registry =
                    registry.add(uri, schema).map_err(|error| format!("its reference `{name}`: {error}"))?;
            }
        }
        if places.len() > MAX_REFERRED {
            return Err(format!("it refers to more than {MAX_REFERRED} places"));
        }
        let registry = registry.prepare().map_err(|error| error.to_string())?;
        let validator = jsonschema::options()
            .with_registry(&registry)
            .with_retriever(Nowhere)
            .with_base_uri(BASE)
            .should_validate_formats(false)
            .with_pattern_options(
                PatternOptions::fancy_regex().backtrack_limit(MAX_BACKTRACKS).size_limit(MAX_PATTERN_BYTES),
            )
            .build(&schema)
            .map_err(|error| format!("at `{}`: {error}", error.instance_path()))?;
        let title = schema.get("title").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { validator, title, told_to: references::told_to(&schema, &others, MAX_WAYS) })
    }

    pub(super) fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    pub(super) fn validate(&self, event: &Value) -> Result<(), Mismatch> {
        // What is asked of one value by one part of the schema is asked once here. To tell the place, all ways are gone, and
        // in a schema that refers to itself in several branches their number doubles with each level.
        if self.validator.is_valid(event) {
            return Ok(());
        }
        if references::is_deeper(event, self.told_to) {
            let message =
                "it does not fit, and is too deep for the place to be told: the schema refers to itself";
            return Err(Mismatch::new("", message));
        }
        self.validator.validate(event).map_err(|error| {
            // Masked: a value may be long, and nobody's business.
            Mismatch::new(error.instance_path().to_string(), error.masked())
        })
    }
}

/// Where a reference is found: a relative one also beside the schema, if that says where it is itself.
fn uris(name: &str, base: Option<&Url>) -> Vec<String> {
    if name.contains(':') {
        return vec![name.to_owned()];
    }
    let beside = base.and_then(|base| base.join(name).ok()).map(String::from);
    std::iter::once(format!("{BASE}{name}")).chain(beside).collect()
}

/// Collects what the `$ref`s of a schema name. Its depth is that of JSON.
fn referred(schema: &Value, places: &mut HashSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(place)) = members.get("$ref") {
                places.insert(place.clone());
            }
            members.values().for_each(|member| referred(member, places));
        }
        Value::Array(elements) => elements.iter().for_each(|element| referred(element, places)),
        _ => {}
    }
}

fn read(text: &str) -> Result<Value, String> {
    let schema: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    match schema {
        Value::Object(_) | Value::Bool(_) => Ok(schema),
        _ => Err("is neither an object nor a boolean".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::schema::{Compiled, Kind};

    fn compile(text: &str) -> Compiled {
        Compiled::compile(Kind::Json, text, &[], None).unwrap()
    }

    #[test]
    fn a_fault_has_its_place_and_no_value() {
        let schema = compile(
            r#"{"title":"Order","type":"object","required":["id"],"properties":{
                "id":{"type":"string","maxLength":3},"lines":{"items":{"properties":{"n/m":{"minimum":1}}}}}}"#,
        );
        assert_eq!(schema.record_name(), Some("Order"));
        for (event, path, why) in [
            (r#"{}"#, "", "required"),
            (r#"{"id":"secret"}"#, "/id", "longer than 3"),
            (r#"{"id":"a","lines":[{},{"n/m":0}]}"#, "/lines/1/n~1m", "minimum of 1"),
            (r#"{"id":"a","id":"b"}"#, "/id", "twice"),
            ("no JSON", "", "no JSON"),
        ] {
            let fault = schema.frame(7, &Bytes::from(event)).unwrap_err();
            assert_eq!(fault.path, path, "{fault}");
            assert!(fault.message.contains(why) && !fault.message.contains("secret"), "{fault}");
        }
    }

    #[test]
    fn drafts_and_references() {
        for draft in
            ["http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#", ""]
        {
            let schema = match draft {
                "" => r#"{"type":"integer"}"#.to_owned(),
                draft => format!(r#"{{"$schema":"{draft}","type":"integer"}}"#),
            };
            assert!(compile(&schema).frame(1, &Bytes::from("1")).is_ok());
            assert!(compile(&schema).frame(1, &Bytes::from("\"1\"")).is_err());
        }
        let reference =
            |name: &str| Reference { name: name.to_owned(), text: r#"{"type":"integer"}"#.to_owned() };
        for name in ["amount.json", "https://example.com/amount.json"] {
            let text = format!(r#"{{"properties":{{"a":{{"$ref":"{name}"}}}}}}"#);
            let schema = Compiled::compile(Kind::Json, &text, &[reference(name)], None).unwrap();
            assert!(schema.frame(1, &Bytes::from(r#"{"a":1}"#)).is_ok());
            assert_eq!(schema.frame(1, &Bytes::from(r#"{"a":""}"#)).unwrap_err().path, "/a");
            let why = Compiled::compile(Kind::Json, &text, &[], None).unwrap_err().to_string();
            assert!(why.contains("not among the schema's references"), "{why}");
        }
    }

    /// A name that is relative is found beside the schema, by whatever the schema calls itself.
    #[test]
    fn references_are_relative_to_the_schemas_own_id() {
        let amount = |id: &str| Reference {
            name: "parts/amount.json".to_owned(),
            text: format!(r#"{{{id}"type":"integer"}}"#),
        };
        for (id, reference) in [
            (r#""$id":"https://example.com/orders/order.json","#, ""),
            (
                r#""$id":"https://example.com/orders/order.json","#,
                r#""$id":"https://example.com/orders/parts/amount.json","#,
            ),
            ("", r#""$id":"https://example.com/amount","#),
        ] {
            let text = format!(r#"{{{id}"properties":{{"a":{{"$ref":"parts/amount.json"}}}}}}"#);
            let schema = Compiled::compile(Kind::Json, &text, &[amount(reference)], None);
            let schema = schema.unwrap_or_else(|error| panic!("{id} {reference}: {error}"));
            assert_eq!(schema.frame(1, &Bytes::from(r#"{"a":""}"#)).unwrap_err().path, "/a");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for text in [
            "",
            "{",
            "1",
            "[]",
            r#"{"type":"no such type"}"#,
            r#"{"pattern":"("}"#,
            r##"{"$ref":"#/nowhere"}"##,
        ] {
            assert!(Compiled::compile(Kind::Json, text, &[], None).is_err(), "{text}");
        }
        let large = format!(r#"{{"title":"{}"}}"#, "x".repeat(crate::schema::MAX_SCHEMA_BYTES));
        assert!(
            Compiled::compile(Kind::Json, &large, &[], None).unwrap_err().to_string().contains("allowed")
        );
    }

    /// Such a pattern takes some engines for ever, with a text that a sender chooses.
    #[test]
    fn a_pattern_can_not_be_made_to_go_back_for_ever() {
        let schema = compile(r#"{"pattern":"^(a|a?)+$(?!b)"}"#);
        let text = format!("\"{}!\"", "a".repeat(10_000));
        assert!(schema.frame(1, &Bytes::from(text)).is_err());
    }

    /// The sender of an event chooses how deep it is.
    #[test]
    fn branches_that_refer_to_their_schema_do_not_take_for_ever() {
        let branch = |own: &str| format!(r##"{{"properties":{{"a":{{"$ref":"#"}}}}{own}}}"##);
        let text = format!(r#"{{"oneOf":[{},{}]}}"#, branch(r#","required":["x"]"#), branch(""));
        let schema = compile(&format!(r#"{{"type":["object","integer"],{}"#, &text[1..]));
        let deep = |depth: usize, core: &str| {
            Bytes::from(format!("{}{core}{}", "{\"a\":".repeat(depth), "}".repeat(depth)))
        };
        let fault = schema.frame(1, &deep(120, "\"x\"")).unwrap_err();
        assert!(fault.path.is_empty() && fault.message.contains("too deep"), "{fault}");
        assert!(schema.frame(1, &deep(120, "{}")).is_ok());
        let fault = schema.frame(1, &deep(4, "\"x\"")).unwrap_err();
        assert!(!fault.message.contains("too deep"), "{fault}");
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let tree = compile(r##"{"properties":{"child":{"$ref":"#"}},"required":["n"]}"##);
        let deep = format!("{}{{\"n\":1}}{}", "{\"n\":1,\"child\":".repeat(100), "}".repeat(100));
        assert!(tree.frame(1, &Bytes::from(deep)).is_ok());
        // Those that only refer to themselves say nothing.
        for text in [
            r##"{"$ref":"#"}"##,
            r##"{"allOf":[{"$ref":"#"}]}"##,
            r##"{"not":{"$ref":"#"}}"##,
            r##"{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"oneOf":[{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}"##,
        ] {
            if let Ok(nothing) = Compiled::compile(Kind::Json, text, &[], None) {
                let _ = nothing.frame(1, &Bytes::from("1"));
            }
        }
    }

    /// Whoever compiles and whoever validates both go down the whole chain, the latter on a worker's stack.
    #[test]
    fn a_chain_of_references_has_an_end() {
        let chain = |length: usize| {
            let link = |at: usize| format!(r##""d{at}":{{"$ref":"#/$defs/d{}"}}"##, at + 1);
            let links: Vec<String> = (1..length).map(link).collect();
            let text = format!(
                r##"{{"$ref":"#/$defs/d1","$defs":{{{},"d{length}":{{"type":"integer"}}}}}}"##,
                links.join(",")
            );
            Compiled::compile(Kind::Json, &text, &[], None)
        };
        let longest = chain(1_000).unwrap();
        assert!(
            longest.frame(1, &Bytes::from("1")).is_ok() && longest.frame(1, &Bytes::from("true")).is_err()
        );
        let why = chain(20_000).unwrap_err().to_string();
        assert!(why.contains("more than 1000 places"), "{why}");
    }

    proptest! {
        #[test]
        fn the_octets_behind_the_prefix_are_the_events_own(
            id in any::<u32>(), event in "( ?[0-9]{1,9}\\.[0-9]{3}\n?|\"\\PC{0,20}\"|\\{ *\\})"
        ) {
            let framed = compile("true").frame(id, &Bytes::from(event.clone()));
            if let Ok(framed) = framed {
                prop_assert_eq!(framed[0], 0);
                prop_assert_eq!(&framed[1..5], id.to_be_bytes());
                prop_assert_eq!(&framed[5..], event.as_bytes());
            }
        }
    }
}
