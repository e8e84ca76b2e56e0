//! Logs at a real collector: the lines of standard error, each with the trace of its request.

use serde_json::Value;

use super::support::collector::{Collector, attribute};
use super::support::scene::Plan;
use super::support::wait::{SOON, eventually};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn exporting(collector: &Collector) -> Plan {
    Plan::of("svix")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.http())
        .env("OTEL_LOGS_EXPORTER", "otlp")
        .env("OTEL_TRACES_EXPORTER", "none")
        .env("OTEL_METRICS_EXPORTER", "none")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "50")
}

fn body(record: &Value) -> &str {
    record["body"]["stringValue"].as_str().unwrap_or_default()
}

#[test]
fn a_line_is_a_record_with_the_trace_of_its_request() {
    let collector = Collector::start();
    let scene = exporting(&collector).start();
    let forged = scene.event("msg_0").with("svix-signature", "v1,AAAA");
    let forged = forged.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    assert_eq!(scene.send(&forged).status, 401);
    let records = eventually(SOON, "the refusal", || {
        let records = collector.log_records();
        records.iter().any(|record| body(record) == "request refused").then_some(records)
    });
    let record = records.iter().find(|record| body(record) == "request refused").expect("the refusal");
    assert_eq!((&record["severityText"], &record["severityNumber"]), (&"WARN".into(), &13.into()));
    assert_eq!((&record["traceId"], &record["spanId"]), (&TRACE.into(), &"00f067aa0ba902b7".into()));
    assert_eq!(attribute(record, "error.type").as_deref(), Some("signature_malformed"));
    assert_eq!(attribute(record, "source").as_deref(), Some(scene.source.as_str()));
    // What belongs to no request has no trace.
    let started = records.iter().find(|record| body(record) == "starting").expect("the first line");
    assert_eq!(started["traceId"].as_str().unwrap_or_default(), "");
    let line = scene.bridge.log().find("request refused", |_| true).expect("the line");
    assert_eq!(line["trace_id"], TRACE);
}

#[test]
fn the_filter_counts_and_nothing_goes_round() {
    let collector = Collector::start();
    // What the exporter's own client says at this level would be exported, and say the same again.
    let scene = exporting(&collector).env("HOOKBRIDGE_LOG", "trace,librdkafka=warn").start();
    assert_eq!(scene.send(&scene.event("msg_0").with("svix-signature", "v1,AAAA")).status, 401);
    eventually(SOON, "the refusal", || {
        collector.log_records().iter().any(|record| body(record) == "request refused").then_some(())
    });
    // It is what the log has, by its target.
    let of_client =
        |line: &Value| line["target"].as_str().is_some_and(|target| target.starts_with("hyper_util::client"));
    let logged = scene.bridge.log().text();
    let mut lines = logged.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert!(lines.any(|line| of_client(&line)), "the client says something at this level");
    for scope in collector.all("resourceLogs/scopeLogs") {
        let name = scope["scope"]["name"].as_str().unwrap_or_default();
        assert!(!name.starts_with("hyper_util::client") && !name.starts_with("reqwest"), "{scope}");
    }
    let quiet = exporting(&collector).env("HOOKBRIDGE_LOG", "info,hookbridge::pipeline=error").start();
    let before = collector.log_records().len();
    assert_eq!(quiet.send(&quiet.event("msg_0").with("svix-signature", "v1,AAAA")).status, 401);
    quiet.bridge.wait_until_idle();
    drop(quiet);
    let of_quiet = collector.log_records();
    assert!(
        of_quiet[before..].iter().all(|record| body(record) != "request refused"),
        "{:?}",
        &of_quiet[before..]
    );
}
