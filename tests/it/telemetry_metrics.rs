//! Metrics at a real collector: what /metrics says, by the names of OpenTelemetry.

use std::collections::BTreeMap;

use serde_json::Value;

use super::support::collector::{Collector, attribute};
use super::support::scene::{Plan, Scene};
use super::support::wait::{SOON, eventually};

/// The number of a data point: its value, or how many it has counted.
fn number(point: &Value) -> f64 {
    let value = ["asInt", "asDouble", "count"].iter().map(|key| &point[key]).find(|value| !value.is_null());
    let value = value.unwrap_or_else(|| panic!("no number in {point}"));
    value.as_str().map_or_else(|| value.as_f64(), |text| text.parse().ok()).expect("a number")
}

/// The newest of each metric: the sum of its points.
fn newest(collector: &Collector) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for metric in collector.metrics() {
        let points =
            ["sum", "gauge", "histogram"].iter().find_map(|kind| metric[kind]["dataPoints"].as_array());
        let sum = points.into_iter().flatten().map(number).sum::<f64>();
        found.insert(metric["name"].as_str().expect("a name").to_owned(), sum);
    }
    found
}

/// As Prometheus calls it: with its unit, and `_total` if it only grows.
fn prometheus_name(metric: &Value) -> String {
    let mut name = metric["name"].as_str().expect("a name").replace('.', "_");
    match metric["unit"].as_str() {
        Some("s") if !name.ends_with("_seconds") => name += "_seconds",
        Some("By") if !name.ends_with("_bytes") => name += "_bytes",
        _ => {}
    }
    if metric["sum"]["isMonotonic"] == true && !name.ends_with("_total") {
        name += "_total";
    }
    name
}

fn exporting(collector: &Collector, protocol: &str) -> Plan {
    let endpoint = if protocol == "grpc" { collector.grpc() } else { collector.http() };
    Plan::of("svix")
        .env("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", protocol)
        .env("OTEL_METRICS_EXPORTER", "otlp,prometheus")
        .env("OTEL_TRACES_EXPORTER", "none")
        // As it is: for HTTP this is the whole URL.
        .env(
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            &if protocol == "grpc" { endpoint } else { format!("{endpoint}/v1/metrics") },
        )
        .env("OTEL_METRIC_EXPORT_INTERVAL", "200")
}

fn assert_equal(scene: &Scene, collector: &Collector) {
    for n in 0..5 {
        scene.send(&scene.event(&format!("msg_{n}"))).assert_received();
    }
    assert_eq!(scene.send(&scene.event("msg_x").with("svix-signature", "v1,AAAA")).status, 401);
    scene.bridge.wait_until_idle();
    eventually(SOON, "the collector has them all", || {
        let newest = newest(collector);
        let has = |name: &str, value: f64| newest.get(name) == Some(&value);
        (has("http.server.request.duration", 6.0)
            && has("messaging.client.sent.messages", 5.0)
            && has("hookbridge.rejections", 1.0)
            && has("hookbridge.ready", 1.0))
        .then_some(())
    });
    // Every metric is in both, by its name in each.
    let text = scene.bridge.get_admin("/metrics").text();
    let pulled: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| *name != "target_info" && *name != "otel_scope_info")
        .collect();
    let mut pushed: Vec<String> = collector.metrics().iter().map(prometheus_name).collect();
    pushed.sort();
    pushed.dedup();
    let missing: Vec<&&str> =
        pulled.iter().filter(|name| !pushed.iter().any(|other| other == *name)).collect();
    assert!(missing.is_empty(), "not pushed: {missing:?} of {pushed:?}");
    let missing: Vec<&String> = pushed.iter().filter(|name| !pulled.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "not pulled: {missing:?} of {pulled:?}");
    assert!(pulled.len() > 10, "{pulled:?}");
}

#[test]
fn pushed_and_pulled_are_the_same_by_http() {
    let collector = Collector::start();
    let scene = exporting(&collector, "http/protobuf").start();
    assert_equal(&scene, &collector);
    assert_eq!(collector.spans().len() + collector.log_records().len(), 0, "nothing else is exported");
    let resources = collector.all("resourceMetrics");
    assert_eq!(attribute(&resources[0]["resource"], "service.name").as_deref(), Some("hookbridge"));
}

#[test]
fn pushed_and_pulled_are_the_same_by_grpc() {
    let collector = Collector::start();
    let scene = exporting(&collector, "grpc").start();
    assert_equal(&scene, &collector);
}

#[test]
fn the_last_counts_are_sent_at_the_end() {
    let collector = Collector::start();
    let mut scene =
        exporting(&collector, "http/protobuf").env("OTEL_METRIC_EXPORT_INTERVAL", "3600000").start();
    scene.send(&scene.event("msg_0")).assert_received();
    assert!(collector.metrics().is_empty());
    scene.bridge.signal("TERM");
    assert_eq!(scene.bridge.wait_for_end(SOON).code(), Some(0));
    eventually(SOON, "the last count", || {
        (newest(&collector).get("messaging.client.sent.messages") == Some(&1.0)).then_some(())
    });
}
