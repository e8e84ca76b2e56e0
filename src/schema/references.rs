//! Does a JSON Schema refer to itself, and how deep may an event then be for all ways through it to be gone?
//!
//! Takes a schema and those that it refers to. Gives a number of levels. Pure.

use serde_json::Value;

/// Keywords that refer to another part of a schema, or to another one.
const KEYWORDS: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// References that are followed one after the other. A longer way is taken for one without an end.
const MAX_WAY: usize = 100;

/// How deep an event may be so that no more than about `ways` are gone through the schema: without a bound, if the schema does not
/// refer to itself, or in one place alone.
pub(super) fn told_to(schema: &Value, others: &[(&str, Value)], ways: usize) -> usize {
    let mut all = Vec::new();
    for document in std::iter::once(schema).chain(others.iter().map(|(_, other)| other)) {
        collect(document, &mut all);
    }
    if all.len() < 2
        || !(Graph { others, done: Vec::new() }).refers_to_itself(schema, schema, &mut Vec::new())
    {
        return usize::MAX;
    }
    ways.ilog(all.len()) as usize
}

/// Whether a value has more levels of objects and lists.
pub(super) fn is_deeper(value: &Value, levels: usize) -> bool {
    let mut below: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(elements) => Box::new(elements.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => return false,
    };
    levels.checked_sub(1).is_none_or(|levels| below.any(|value| is_deeper(value, levels)))
}

fn collect<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if KEYWORDS.contains(&name.as_str()) => found.push(target),
                    member => collect(member, found),
                }
            }
        }
        _ => {}
    }
}

struct Graph<'a> {
    others: &'a [(&'a str, Value)],
    /// From these nothing comes back.
    done: Vec<&'a Value>,
}

impl<'a> Graph<'a> {
    /// Whether a way from this part of a document comes back to one that it has come through. What can't be followed
    /// (an anchor, an `$id`) may lead anywhere.
    fn refers_to_itself(&mut self, document: &'a Value, part: &'a Value, way: &mut Vec<&'a Value>) -> bool {
        let is_among = |parts: &[&'a Value]| parts.iter().any(|known| std::ptr::eq(*known, part));
        if is_among(&self.done) {
            return false;
        }
        if is_among(way) || way.len() > MAX_WAY {
            return true;
        }
        let mut targets = Vec::new();
        collect(part, &mut targets);
        targets.sort_unstable();
        targets.dedup();
        way.push(part);
        let comes_back = targets.into_iter().any(|target| match self.find(document, target) {
            Some((document, part)) => self.refers_to_itself(document, part, way),
            None => true,
        });
        way.pop();
        self.done.push(part);
        comes_back
    }

    fn find(&self, document: &'a Value, target: &str) -> Option<(&'a Value, &'a Value)> {
        let (name, pointer) = target.split_once('#').unwrap_or((target, ""));
        let document = match name {
            "" => document,
            name => self.others.iter().find(|(other, _)| *other == name).map(|(_, other)| other)?,
        };
        // Escapes of a URI are rare, and are not undone.
        Some((document, document.pointer(pointer)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_that_refers_to_itself_is_found() {
        let money = ("money.json", json!({ "$defs": { "m": { "type": "integer" } }, "$ref": "#/$defs/m" }));
        let back = ("back.json", json!({ "items": { "$ref": "forth.json" } }));
        let forth = ("forth.json", json!({ "items": { "$ref": "back.json" } }));
        let a = json!({ "$ref": "#/$defs/a" });
        for (schema, others, expected) in [
            (json!({ "type": "object" }), vec![], usize::MAX),
            (json!({ "$defs": { "a": { "type": "integer" } }, "oneOf": [a, a] }), vec![], usize::MAX),
            (
                json!({ "oneOf": [{ "$ref": "money.json" }, { "$ref": "money.json#/$defs/m" }] }),
                vec![money],
                usize::MAX,
            ),
            (json!({ "items": { "$ref": "#" } }), vec![], usize::MAX),
            (json!({ "oneOf": [{ "$ref": "#" }, { "items": { "$ref": "#" } }] }), vec![], 15),
            (json!({ "$defs": { "a": { "items": a } }, "oneOf": [a, a] }), vec![], 9),
            (json!({ "items": { "$ref": "back.json" } }), vec![back, forth], 9),
            (json!({ "oneOf": [{ "$ref": "#anchor" }, { "$dynamicRef": "#node" }] }), vec![], 15),
        ] {
            assert_eq!(told_to(&schema, &others, 50_000), expected, "{schema}");
        }
    }

    #[test]
    fn levels_are_counted() {
        for (value, levels) in [(json!(1), 0), (json!({}), 1), (json!([[1], { "a": [{}] }]), 4)] {
            assert!(!is_deeper(&value, levels), "{value}");
            assert_eq!(levels > 0, levels > 0 && is_deeper(&value, levels - 1), "{value}");
        }
    }
}
