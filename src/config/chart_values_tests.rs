//! The chart's values, as they are written down: `helm/hookbridge/values.yaml` is the one place, and what is said elsewhere of them
//! follows from it.
//!
//! Takes the file's comments that begin with `# --`. Gives every value with its default and its description, for
//! [`super::chart_schema_tests`] and for the table in the chart's README. `UPDATE_SCHEMAS=1 cargo test --lib chart` writes both.

use std::fs;

use serde_json::{Map, Value, json};

use super::catalogue;
use super::diagnostic::Diagnostics;
use super::preset;
use super::units;
use super::yaml::{self, Kind, Node};

/// A value that is described.
#[derive(Debug)]
pub(super) struct Described {
    /// The keys that lead to it.
    pub(super) path: Vec<String>,
    /// What the comment says, on one line.
    pub(super) description: String,
    default: Value,
}

impl Described {
    /// Its keys, as one writes them.
    pub(super) fn name(&self) -> String {
        self.path.join(".")
    }
}

/// A file of the repository.
pub(super) fn text_of(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The file at `path` is `expected`, or becomes it if it is asked for.
#[track_caller]
pub(super) fn compare(path: &str, expected: &str) {
    let whole = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&whole, expected).unwrap_or_else(|why| panic!("{whole}: {why}"));
    }
    let found = fs::read_to_string(&whole).unwrap_or_default();
    assert!(found == expected, "{path} is out of step; run UPDATE_SCHEMAS=1 cargo test --lib chart");
}

fn tree(path: &str) -> Node {
    let mut faults = Diagnostics::of_provider_file();
    yaml::parse(&text_of(path), &mut faults).unwrap_or_else(|| panic!("{path} is YAML"))
}

fn json_of(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { text, plain: true } => match text.as_str() {
            "null" | "" => Value::Null,
            "true" | "false" => json!(text == "true"),
            _ => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        },
        Kind::Scalar { text, .. } => json!(text),
        Kind::List(items) => items.iter().map(json_of).collect(),
        Kind::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), json_of(&entry.value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// What the comment above line `line` (from 1) says, if it is a description.
fn comment_above(lines: &[&str], line: usize) -> Option<String> {
    let above = lines[..line - 1].iter().rev().map(|line| line.trim());
    let mut words: Vec<&str> =
        above.take_while(|line| line.starts_with("# ")).map(|line| line[2..].trim()).collect();
    words.reverse();
    words.retain(|words| !words.starts_with('@'));
    Some(words.join(" ").strip_prefix("-- ")?.to_owned())
}

fn describe(node: &Node, path: &[String], lines: &[&str], found: &mut Vec<Described>) {
    let Kind::Map(entries) = &node.kind else { panic!("{} has no description", path.join(".")) };
    assert!(!entries.is_empty(), "{} has no description", path.join("."));
    for entry in entries {
        let path = [path, std::slice::from_ref(&entry.key)].concat();
        match comment_above(lines, entry.key_at.line) {
            Some(description) => found.push(Described { path, description, default: json_of(&entry.value) }),
            None => describe(&entry.value, &path, lines, found),
        }
    }
}

/// Every value of the chart. One without a description, neither its own nor of what it is part of, is a fault.
pub(super) fn described() -> Vec<Described> {
    let text = text_of("helm/hookbridge/values.yaml");
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    describe(&tree("helm/hookbridge/values.yaml"), &[], &lines, &mut found);
    found
}

/// The hand-written part of the schema. A definition that several values share stands at each of them where it holds values that are
/// described, since it is described anew at each.
pub(super) fn hand_written() -> Value {
    let mut whole: Value =
        serde_json::from_str(&text_of("schemas/chart.schema.json")).expect("chart.schema.json is JSON");
    let shared = whole["$defs"].clone();
    for value in described() {
        for depth in 1..value.path.len() {
            let place = pointer(&value.path[..depth]);
            let part = whole.pointer_mut(&place).unwrap_or_else(|| panic!("{place} is in no schema"));
            if let Some(name) = part["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"))
            {
                *part = shared[name].clone();
            }
        }
    }
    whole
}

/// Where the schema says of the value at `path` what it may be.
pub(super) fn pointer(path: &[String]) -> String {
    path.iter().map(|key| format!("/properties/{key}")).collect()
}

/// What kind of value it takes, in the words of the table.
fn kind(value: &Described, schema: &Value) -> String {
    let mut part =
        schema.pointer(&pointer(&value.path)).unwrap_or_else(|| panic!("{} has no schema", value.name()));
    if let Some(name) = part["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        part = match schema["$defs"].get(name) {
            Some(part) => part,
            // What the configuration or Kubernetes defines is an object.
            None => return "object".to_owned(),
        };
    }
    let kinds = match &part["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let named = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            named.collect::<Vec<_>>().join(" or ")
        }
        _ => "string".to_owned(),
    };
    kinds.replace("array", "list").replace("integer", "number")
}

const BEGIN: &str =
    "<!-- The values begin here. Made of values.yaml: UPDATE_SCHEMAS=1 cargo test --lib chart -->\n";
const END: &str = "<!-- The values end here. -->\n";

#[test]
fn the_charts_readme_has_every_value() {
    let path = "helm/hookbridge/README.md";
    let schema = hand_written();
    let mut table = String::from("| value | type | default | |\n|---|---|---|---|\n");
    for value in described() {
        let default = match &value.default {
            Value::Null => String::new(),
            default => format!("`{default}`"),
        };
        let cells = [format!("`{}`", value.name()), kind(&value, &schema), default, value.description];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        table += &format!("| {} |\n", cells.join(" | "));
    }
    let text = text_of(path);
    let (before, rest) = text.split_once(BEGIN).expect("the README says where the values begin");
    let (_, after) = rest.split_once(END).expect("the README says where the values end");
    compare(path, &format!("{before}{BEGIN}\n{table}\n{END}{after}"));
}

#[test]
fn the_readme_installs_the_least_that_is_tested() {
    let readme = text_of("helm/hookbridge/README.md");
    let (_, rest) = readme.split_once("```yaml\n").expect("the README has values");
    let (values, _) = rest.split_once("```").expect("they end");
    let mut faults = Diagnostics::of_provider_file();
    let shown = yaml::parse(values, &mut faults).expect("they are YAML");
    assert_eq!(json_of(&shown), json_of(&tree("helm/hookbridge/ci/minimal-values.yaml")));
    assert!(values.lines().count() <= 12, "a dozen lines are promised");
}

/// The objects of the hand-written schema, and what they hold, by the keys that lead there.
fn keys(part: &Value, path: &str, found: &mut Vec<String>) {
    let Some(properties) = part["properties"].as_object() else { return };
    for (key, part) in properties {
        let path = format!("{path}{key}");
        keys(part, &format!("{path}."), found);
        found.push(path);
    }
}

#[test]
fn every_value_that_is_allowed_is_described() {
    let schema = hand_written();
    let mut allowed = Vec::new();
    keys(&schema, "", &mut allowed);
    let described: Vec<String> = described().iter().map(Described::name).collect();
    // What a described value holds is a matter of its description.
    let is_within = |key: &str| described.iter().any(|name| key.starts_with(&format!("{name}.")));
    let leads_to = |key: &str| described.iter().any(|name| name.starts_with(&format!("{key}.")));
    allowed.retain(|key| key != "global" && !described.contains(key) && !is_within(key) && !leads_to(key));
    assert_eq!(allowed, Vec::<String>::new(), "values.yaml does not have these");
}

#[test]
fn the_chart_is_of_this_version() {
    let chart = tree("helm/hookbridge/Chart.yaml");
    assert_eq!(json_of(&chart)["appVersion"], json!(env!("CARGO_PKG_VERSION")));
}

/// The chart adds up durations of the configuration, and has to know their units.
#[test]
fn the_chart_knows_the_units_of_durations() {
    let helpers = text_of("helm/hookbridge/templates/_helpers.tpl");
    let (_, rest) = helpers.split_once("{{- $factors := dict ").expect("there are factors");
    let (factors, _) = rest.split_once(" -}}").expect("they end");
    let words: Vec<&str> = factors.split(' ').collect();
    let known: Vec<&str> = words.chunks(2).map(|pair| pair[0].trim_matches('"')).collect();
    for pair in words.chunks(2) {
        let unit = pair[0].trim_matches('"');
        let seconds =
            units::duration(&format!("1{unit}")).unwrap_or_else(|why| panic!("{why}")).as_secs_f64();
        assert_eq!(pair[1].parse(), Ok(seconds), "{unit}");
    }
    for unit in ["ns", "us", "ms", "s", "m", "h", "d", "w", "y"] {
        assert_eq!(units::duration(&format!("1{unit}")).is_ok(), known.contains(&unit), "{unit}");
    }
}

/// The presets that a helper of the chart lists.
fn listed(helper: &str) -> Vec<String> {
    let helpers = text_of("helm/hookbridge/templates/_helpers.tpl");
    let begin = format!("{{{{- define \"hookbridge.{helper}\" -}}}}\n");
    let (_, rest) = helpers.split_once(&begin).unwrap_or_else(|| panic!("there is no helper {helper}"));
    rest.lines().next().expect("a line").split(' ').map(str::to_owned).collect()
}

fn presets(of_interest: impl Fn(&str) -> bool) -> Vec<String> {
    let mut presets: Vec<_> = preset::names().filter(|name| of_interest(name)).map(str::to_owned).collect();
    presets.sort_unstable();
    presets
}

#[test]
fn the_chart_knows_every_preset() {
    assert_eq!(listed("presets"), presets(|_| true));
}

#[test]
fn the_chart_knows_whose_keys_are_asked_for() {
    let served = |name: &str| preset::find(name).unwrap_or_else(|why| panic!("{why}")).keys.is_some();
    assert_eq!(listed("presetsWithServedKeys"), presets(served));
}

#[test]
fn the_chart_knows_for_whom_nobody_else_can_sign() {
    let entry = |name: &str| catalogue::entry(name).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(listed("presetsWithPrivateKeys"), presets(|name| entry(name).development_secret().is_none()));
}
