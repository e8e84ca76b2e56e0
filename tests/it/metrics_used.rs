//! The alerts and the dashboard ask for nothing that docs/metrics.md does not have: no metric, no label, and no label of
//! another metric. What they ask would be empty for ever, and an alert that can't fire looks like one that need not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::metrics_documented::{Shape, documented};

/// What Prometheus and the chart give to every series, and what is in the format.
const OF_THE_TARGET: [&str; 10] = [
    "cluster",
    "container",
    "endpoint",
    "instance",
    "job",
    "le",
    "namespace",
    "otel_scope_name",
    "pod",
    "service",
];

/// How names begin that are hookbridge's, or mean to be.
const PREFIXES: [&str; 5] = ["hookbridge_", "http_", "messaging_", "process_", "error_"];

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The labels of a selector, `{name="value",...}...`.
fn selected(selector: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = selector.strip_prefix('{').unwrap_or_default().trim_start();
    while let Some(end) = rest.find(['=', '!']) {
        let (name, value) = rest.split_at(end);
        names.push(name.trim());
        // A value has no quotation mark in it that ends it early.
        let Some((_, value)) = value.split_once('"') else { break };
        let (_, after) = value.split_once('"').expect("an end of the value");
        match after.trim_start().strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => break,
        }
    }
    names
}

/// What is wrong with an expression, or with a text that names labels.
fn faults(text: &str) -> Vec<String> {
    let documented = documented();
    let labels: BTreeSet<&String> =
        documented.values().filter_map(|(_, labels)| labels.as_ref()).flatten().collect();
    let metric = |name: &str| -> Option<&Shape> {
        let parts = ["_bucket", "_sum", "_count"];
        let histogram = parts.iter().find_map(|part| documented.get(name.strip_suffix(part)?));
        let is_plain = |(kind, _): &&Shape| kind != "histogram";
        histogram.filter(|(kind, _)| kind == "histogram").or_else(|| documented.get(name).filter(is_plain))
    };
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_name) {
        let from = &rest[start..];
        let (name, after) = from.split_at(from.find(|c| !is_name(c)).unwrap_or(from.len()));
        rest = after;
        // `label_replace` makes labels of its own.
        let is_made = text.contains(&format!(", \"{name}\", \""));
        if is_made
            || !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || labels.contains(&name.to_owned())
        {
            continue;
        }
        let Some((_, of_metric)) = metric(name) else {
            faults.push(format!("docs/metrics.md has no {name}"));
            continue;
        };
        for label in selected(after) {
            let is_known = of_metric.as_ref().is_none_or(|labels| labels.contains(label));
            if !is_known && !OF_THE_TARGET.contains(&label) {
                faults.push(format!("{name} has no label {label}"));
            }
        }
    }
    faults
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/hookbridge/files").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// The texts below one of these keys, and how many there are.
fn texts(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(text) if keys.contains(&key.as_str()) => found.push(text.clone()),
                    other => texts(other, keys, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, keys, found)),
        _ => {}
    }
}

#[test]
fn alerts_and_dashboard_ask_for_what_there_is() {
    // Comments may speak of `http_server_*`.
    let alerts: Vec<String> = file("alerts.yaml")
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(str::to_owned)
        .collect();
    let alerts = alerts.join("\n");
    assert!(alerts.matches("expr:").count() > 10, "there are alerts");
    let mut asked = vec![alerts];
    let dashboard: Value = serde_json::from_str(&file("dashboard.json")).expect("JSON");
    texts(&dashboard, &["expr", "query", "definition"], &mut asked);
    assert!(asked.len() > 20, "there are panels");
    let faults: BTreeSet<String> = asked.iter().flat_map(|text| faults(text)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn what_is_not_there_is_found() {
    for (text, fault) in [
        ("rate(hookbridge_rejections_total{hookbridge_source=~\"$source\", error_type!=\"a,b\"}[5m])", None),
        ("histogram_quantile(0.9, rate(hookbridge_signature_age_seconds_bucket[5m]))", None),
        ("{{ $labels.hookbridge_source }}", None),
        ("max by (error_of) (label_replace(hookbridge_ready, \"error_of\", \"a\", \"\", \"\"))", None),
        ("sum by (pod) (hookbridge_ready{pod=\"a\"})", None),
        ("hookbridge_rejection_total > 0", Some("no hookbridge_rejection_total")),
        ("sum by (hookbridge_reason) (x)", Some("no hookbridge_reason")),
        ("hookbridge_ready_count", Some("no hookbridge_ready_count")),
        ("hookbridge_signature_age_seconds > 0", Some("no hookbridge_signature_age_seconds")),
        (
            "a{b=\"c\"} or hookbridge_rejections_total{job=\"x\",hookbridge_key=~\"y\"}",
            Some("hookbridge_rejections_total has no label hookbridge_key"),
        ),
    ] {
        let found = faults(text);
        let expected: Vec<&str> = fault.into_iter().collect();
        assert!(found.len() == expected.len(), "{text}: {found:?}");
        assert!(
            found.iter().zip(expected).all(|(found, expected)| found.contains(expected)),
            "{text}: {found:?}"
        );
    }
}
