//! Traces at a real collector: a span for the request, one for each record, and their context in and out.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::support::bridge::Bridge;
use super::support::collector::{Collector, attribute, keys};
use super::support::http::{Connection, Request};
use super::support::kafka::Kafka;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::stub_registry::tls_file;
use super::support::unique;
use super::support::wait::{SOON, eventually};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Exports soon, so that nobody has to wait.
pub(crate) fn traced(plan: Plan, endpoint: &str) -> Plan {
    plan.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_METRICS_EXPORTER", "none")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn with_parent(request: Request, flags: &str) -> Request {
    request.header("traceparent", &format!("00-{TRACE}-{PARENT}-{flags}"))
}

/// Kinds in OTLP.
const SERVER: u64 = 2;
const PRODUCER: u64 = 4;

fn is_of(kind: u64) -> impl Fn(&Value) -> bool {
    move |span| span["kind"] == kind
}

/// One request with a parent: both spans, and the record.
#[track_caller]
fn assert_traced(scene: &Scene, collector: &Collector) {
    let id = unique("msg");
    let request =
        with_parent(scene.event(&id), "01").header("tracestate", "vendor=1").header("user-agent", "x/1");
    scene.send(&request).assert_received();
    let of_trace = |span: &Value| span["traceId"] == TRACE;
    let spans = collector.wait_for_spans(2, of_trace);
    let server = spans.iter().find(|span| span["kind"] == SERVER).expect("a server span");
    let producer = spans.iter().find(|span| span["kind"] == PRODUCER).expect("a producer span");

    assert_eq!(server["parentSpanId"], PARENT);
    assert_eq!(server["traceState"], "vendor=1");
    assert_eq!(server["name"], format!("POST {}", scene.path()));
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", &scene.path()),
        ("url.path", &scene.path()),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "x/1"),
        ("hookbridge.source", &scene.source),
    ] {
        assert_eq!(attribute(server, key).as_deref(), Some(value), "{key} of {server}");
    }
    assert_eq!(attribute(server, "error.type"), None);

    assert_eq!(producer["parentSpanId"], server["spanId"]);
    assert_eq!(producer["name"], format!("send {}", scene.topic));
    let size = request.body.len().to_string();
    for (key, value) in [
        ("messaging.system", "kafka"),
        ("messaging.operation.name", "send"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", &scene.topic),
        ("messaging.destination.partition.id", "0"),
        ("messaging.kafka.offset", "0"),
        ("messaging.kafka.message.key", &id),
        ("messaging.message.body.size", &size),
    ] {
        assert_eq!(attribute(producer, key).as_deref(), Some(value), "{key} of {producer}");
    }
    // One begins and ends within the other.
    assert!(text(server, "startTimeUnixNano") <= text(producer, "startTimeUnixNano"));
    assert!(text(producer, "startTimeUnixNano") <= text(producer, "endTimeUnixNano"));

    let records = scene.records();
    assert_eq!(records.len(), 1);
    let expected = format!("00-{TRACE}-{}-01", text(producer, "spanId"));
    assert_eq!(records[0].header("traceparent"), Some(expected.as_str()));
    assert_eq!(records[0].header("tracestate"), Some("vendor=1"));
}

#[test]
fn a_request_is_a_span_and_its_record_another_by_http() {
    let collector = Collector::start();
    let plan = traced(Plan::of("svix"), &collector.http());
    let plan =
        plan.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test%2C1,k8s.pod.name=pod-1");
    let scene = plan.env("OTEL_SERVICE_NAME", "bridge of the test").start();
    assert_traced(&scene, &collector);
    let resources = collector.all("resourceSpans");
    let resource = &resources.first().expect("a resource")["resource"];
    for (key, value) in [
        ("service.name", "bridge of the test"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("deployment.environment.name", "test,1"),
        ("k8s.pod.name", "pod-1"),
    ] {
        assert_eq!(attribute(resource, key).as_deref(), Some(value), "{key} of {resource}");
    }
    assert_eq!(attribute(resource, "service.instance.id").expect("an ID").len(), 36);
    let scopes = collector.all("resourceSpans/scopeSpans");
    assert!(scopes.iter().all(|scope| scope["scope"]["name"] == "hookbridge"));
}

#[test]
fn a_request_is_a_span_and_its_record_another_by_grpc_over_tls() {
    let collector = Collector::start_tls();
    let tls = |name| tls_file(name).display().to_string();
    let scene = traced(Plan::of("svix"), &collector.grpc())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env("OTEL_EXPORTER_OTLP_CERTIFICATE", &tls("loopback-ca.pem"))
        .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &tls("client.pem"))
        .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &tls("client.key"))
        .start();
    assert_traced(&scene, &collector);
}

#[test]
fn compressed_over_tls_by_http() {
    let collector = Collector::start_tls();
    let tls = |name| tls_file(name).display().to_string();
    let scene = traced(Plan::of("svix"), &collector.http())
        .env("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip")
        .env("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", &tls("loopback-ca.pem"))
        .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &tls("client.pem"))
        .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &tls("client.key"))
        .start();
    assert_traced(&scene, &collector);
}

#[test]
fn a_refusal_is_a_span_that_tells_why_and_holds_no_secret() {
    let collector = Collector::start();
    let scene = traced(Plan::of("generic-hex"), &collector.http()).start();
    let forged = scene.event("evt_1").with("x-webhook-signature", &"5".repeat(64));
    assert_eq!(scene.send(&forged).status, 401);
    let unknown = Request::post("/webhooks/my-secret-path?token=secret", b"{}");
    assert_eq!(scene.send(&unknown).status, 404);
    assert_eq!(scene.send(&Request::new("BREW", &scene.path())).status, 405);
    let spans = collector.wait_for_spans(3, is_of(SERVER));

    let expected = [
        (format!("POST {}", scene.path()), "401", "signature_mismatch"),
        ("POST".to_owned(), "404", "unknown_source"),
        (format!("HTTP {}", scene.path()), "405", "method_not_allowed"),
    ];
    for (span, (name, status, error_type)) in spans.iter().zip(expected) {
        assert_eq!(span["name"], name);
        assert_eq!(attribute(span, "http.response.status_code").as_deref(), Some(status));
        assert_eq!(attribute(span, "error.type").as_deref(), Some(error_type));
        // By the conventions it is the sender's.
        assert_ne!(span["status"]["code"], 2);
    }
    assert_eq!(attribute(&spans[2], "http.request.method").as_deref(), Some("_OTHER"));
    let said = Value::from(spans).to_string();
    for secret in ["55555", "my-secret-path", "token=", scene.signer.secret()] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
}

#[test]
fn what_is_not_sampled_has_no_span_but_goes_on() {
    let collector = Collector::start();
    let scene = traced(Plan::of("svix"), &collector.http()).start();
    scene.send(&with_parent(scene.event("msg_0"), "00")).assert_received();
    scene.send(&with_parent(scene.event("msg_1"), "01")).assert_received();
    collector.wait_for_spans(2, |_| true);
    let records = scene.records();
    let header = records[0].header("traceparent").expect("a context");
    assert!(header.starts_with(&format!("00-{TRACE}-")) && header.ends_with("-00"), "{header}");
    assert!(!header.contains(PARENT), "the bridge's own part in it: {header}");
    // Anything of the first would have come before the second's.
    assert_eq!(collector.spans().len(), 2);
}

#[test]
fn samplers_and_propagators_decide() {
    let collector = Collector::start();
    let plan = traced(Plan::of("svix"), &collector.http());
    let scene = plan.env("OTEL_PROPAGATORS", "none").env("OTEL_TRACES_SAMPLER", "traceidratio");
    let scene = scene.env("OTEL_TRACES_SAMPLER_ARG", "1").start();
    scene.send(&with_parent(scene.event("msg_0"), "00")).assert_received();
    let spans = collector.wait_for_spans(2, |_| true);
    assert!(spans.iter().all(|span| span["traceId"] != TRACE), "nobody decides for it: {spans:?}");
    let given = format!("00-{TRACE}-{PARENT}-00");
    assert_eq!(scene.records()[0].header("traceparent"), Some(given.as_str()), "as the sender gave it");
    scene.send(&scene.event("msg_1")).assert_received();
    let header = scene.records()[1].header("traceparent").expect("a context").to_owned();
    assert!(header.ends_with("-00"), "nobody is told to go on with it: {header}");

    let off = traced(Plan::of("svix"), &collector.http()).env("OTEL_TRACES_SAMPLER", "always_off").start();
    off.send(&with_parent(off.event("msg_0"), "01")).assert_received();
    let header = off.records()[0].header("traceparent").expect("a context").to_owned();
    assert!(header.starts_with(&format!("00-{TRACE}-")) && header.ends_with("-00"), "{header}");
}

#[test]
fn baggage_goes_on_if_it_is_asked_for() {
    let collector = Collector::start();
    let with = |propagators: &str| {
        let plan = traced(Plan::of("svix"), &collector.http()).env("OTEL_PROPAGATORS", propagators);
        let scene = plan.start();
        scene.send(&scene.event("msg_0").header("baggage", "a=1,b=2")).assert_received();
        scene.records()[0].header("baggage").map(str::to_owned)
    };
    assert_eq!(with("tracecontext,baggage").as_deref(), Some("a=1,b=2"));
    assert_eq!(with("tracecontext"), None);
}

fn batch(scene: &Scene, count: usize) -> Request {
    let elements: Vec<String> =
        (0..count).map(|n| format!(r#"{{"id":"evt_{count}_{n}","type":"{TYPE}"}}"#)).collect();
    scene.request("", format!(r#"{{"events":[{}]}}"#, elements.join(",")).as_bytes())
}

#[test]
fn a_batch_has_a_span_for_each_record_or_one_for_many() {
    let collector = Collector::start();
    let scene = traced(Plan::of("generic-hex").option("split: /events"), &collector.http()).start();
    scene.send(&batch(&scene, 3)).assert_received();
    let each = collector.wait_for_spans(3, is_of(PRODUCER));
    let ids: HashSet<String> = each.iter().map(|span| text(span, "spanId")).collect();
    let carried = |record: &super::support::topics::Record| {
        record.header("traceparent").expect("a context")[36..52].to_owned()
    };
    assert_eq!(scene.records().iter().map(carried).collect::<HashSet<_>>(), ids);

    scene.send(&batch(&scene, 100)).assert_received();
    let spans = collector.wait_for_spans(4, is_of(PRODUCER));
    let one = spans.last().expect("a span");
    assert_eq!(attribute(one, "messaging.batch.message_count").as_deref(), Some("100"));
    assert_eq!(one["name"], format!("send {}", scene.topic));
    assert_eq!(attribute(one, "messaging.kafka.message.key"), None);
    let records = scene.records();
    assert_eq!(records.len(), 103);
    assert!(records[3..].iter().all(|record| carried(record) == text(one, "spanId")));
    assert_eq!(collector.spans().iter().filter(|span| span["kind"] == PRODUCER).count(), 4);
}

#[test]
fn a_late_report_ends_the_producers_span() {
    let (collector, kafka) = (Collector::start(), Kafka::start());
    let plan = traced(Plan::of("svix").at(kafka.bootstrap()), &collector.http());
    let scene = plan.server("body_timeout: 500ms").option("respond_within: 1s").start();
    scene.send(&scene.event("msg_before")).assert_received();
    kafka.pause();
    assert_eq!(scene.send(&scene.event("msg_late")).status, 503);
    kafka.resume();
    let is_late = |span: &Value| attribute(span, "hookbridge.late").as_deref() == Some("true");
    let late = collector.wait_for_spans(1, is_late).swap_remove(0);
    assert_eq!(attribute(&late, "messaging.kafka.message.key").as_deref(), Some("msg_late"));
    assert_eq!(attribute(&late, "error.type"), None, "it arrived");
    let server = collector.wait_for_spans(1, |span| span["spanId"] == late["parentSpanId"]).swap_remove(0);
    assert_eq!(attribute(&server, "error.type").as_deref(), Some("delivery_timed_out"));
    assert_eq!(server["status"]["code"], 2);
    assert!(text(&server, "endTimeUnixNano") < text(&late, "endTimeUnixNano"));
}

#[test]
fn a_failure_for_good_ends_the_producers_span() {
    let collector = Collector::start();
    let scene = traced(Plan::of("svix").topic_config("max.message.bytes", "2000"), &collector.http()).start();
    let body = format!(r#"{{"type":"{TYPE}","fill":"{}"}}"#, "x".repeat(10_000));
    assert_eq!(scene.send(&scene.request("msg_0", body.as_bytes())).status, 413);
    let spans = collector.wait_for_spans(2, |_| true);
    let producer = spans.iter().find(|span| span["kind"] == PRODUCER).expect("a producer span");
    assert_eq!(
        attribute(producer, "error.type").as_deref(),
        Some("record_too_large"),
        "{:?}",
        keys(producer)
    );
    assert_eq!(producer["status"]["code"], 2);
    assert_eq!(attribute(producer, "messaging.kafka.offset"), None);
}

#[test]
fn a_connection_that_breaks_ends_the_span() {
    let collector = Collector::start();
    let scene = traced(Plan::of("svix"), &collector.http()).start();
    let mut octets = scene.event("msg_0").octets();
    octets.pop();
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(&octets);
    eventually(SOON, "the request is under way", || (scene.in_flight() > 0.0).then_some(()));
    drop(connection);
    let spans = collector.wait_for_spans(1, is_of(SERVER));
    let why = attribute(&spans[0], "error.type").expect("a reason");
    assert!(["connection_closed", "body_aborted"].contains(&why.as_str()), "{why}");
}

#[test]
fn the_last_spans_are_sent_at_the_end() {
    let collector = Collector::start();
    let plan = traced(Plan::of("svix"), &collector.http()).env("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let mut scene = plan.start();
    for n in 0..10 {
        scene.send(&scene.event(&format!("msg_{n}"))).assert_received();
    }
    assert_eq!(collector.spans().len(), 0, "they wait for others");
    end(&mut scene.bridge);
    collector.wait_for_spans(20, |_| true);
}

fn end(bridge: &mut Bridge) {
    bridge.signal("TERM");
    assert_eq!(bridge.wait_for_end(Duration::from_secs(30)).code(), Some(0));
}

#[test]
fn without_export_the_log_and_the_record_share_a_trace() {
    let scene = Plan::of("generic-hex").start();
    let given = with_parent(scene.request("", b"no JSON"), "01");
    scene.send(&given).assert_received();
    let line = eventually(SOON, "a line of the log", || {
        scene.bridge.log().find("event goes to the dead-letter topic", |_| true)
    });
    assert_eq!((text(&line, "trace_id").as_str(), text(&line, "span_id").as_str()), (TRACE, PARENT));
    assert_eq!(scene.dead_letters()[0].header("traceparent"), Some(given.value("traceparent")));

    scene.send(&scene.request("", b"nor is this")).assert_received();
    let line = eventually(SOON, "another line", || {
        scene.bridge.log().find("event goes to the dead-letter topic", |line| line["trace_id"] != TRACE)
    });
    let new = scene.dead_letters()[1].header("traceparent").expect("a context").to_owned();
    assert_eq!(new, format!("00-{}-{}-00", text(&line, "trace_id"), text(&line, "span_id")));
}
