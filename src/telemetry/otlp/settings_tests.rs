//! What the environment says.

use super::*;
use crate::telemetry::otlp::destination::Protocol;

fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::read(variables).map_err(|faults| faults.to_string())
}

fn exported(variables: &[(&str, &str)]) -> [bool; 3] {
    let settings = read(variables).unwrap();
    [settings.traces.is_some(), settings.metrics.is_some(), settings.logs.is_some()]
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");

#[test]
fn an_endpoint_or_an_exporter_turns_a_signal_on() {
    assert_eq!(exported(&[]), [false, false, false]);
    assert_eq!(exported(&[ENDPOINT]), [true, true, false]);
    assert_eq!(exported(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/x")]), [true, false, false]);
    assert_eq!(exported(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://c/x")]), [false, false, false]);
    assert_eq!(exported(&[("OTEL_LOGS_EXPORTER", "otlp")]), [false, false, true]);
    assert_eq!(exported(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]), [false, true, false]);
    assert_eq!(exported(&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "prometheus")]), [true, false, false]);
    assert_eq!(exported(&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "prometheus, otlp")]), [true, true, false]);
    assert_eq!(exported(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", " ")]), [true, true, false], "empty is unset");
    assert_eq!(exported(&[ENDPOINT, ("OTEL_SDK_DISABLED", "True")]), [false, false, false]);
    assert!(read(&[("OTEL_SDK_DISABLED", "yes")]).is_err());
    assert!(read(&[("OTEL_TRACES_EXPORTER", "prometheus")]).is_err());
}

#[track_caller]
fn destination(variables: &[(&str, &str)]) -> Destination {
    let on = ("OTEL_TRACES_EXPORTER", "otlp");
    read(&[&[on], variables].concat()).unwrap().traces.unwrap()
}

#[test]
fn a_signals_own_variable_counts_before_that_for_all() {
    let url = |variables: &[(&str, &str)]| destination(variables).url.to_string();
    assert_eq!(url(&[]), "http://localhost:4318/v1/traces");
    assert_eq!(url(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/base/")]), "http://c:1/base/v1/traces");
    let own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    assert_eq!(url(&[ENDPOINT, (own, "http://d:1")]), "http://d:1/");
    assert_eq!(url(&[ENDPOINT, (own, "http://d/x?key=1")]), "http://d/x?key=1");
    assert_eq!(destination(&[(own, "http://d/x?key=1")]).to_string(), "http://d", "no more in the log");

    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(url(&[grpc]), "http://localhost:4317/");
    assert_eq!(url(&[grpc, ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317")]), "https://c:4317/");
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert_eq!(url(&[grpc, insecure, ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317")]), "http://c:4317/");
    let other = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
    assert_eq!(destination(&[grpc, other]).protocol, Protocol::Http);

    let all = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=x%20y, b = 2 ,"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
    ];
    let found = destination(&all);
    assert_eq!(found.headers.len(), 2);
    assert_eq!(
        (&found.headers["api-key"], &found.headers["b"]),
        (&"x y".parse().unwrap(), &"2".parse().unwrap())
    );
    assert!(found.headers.values().all(http::HeaderValue::is_sensitive));
    assert_eq!((found.timeout, found.gzip), (Duration::from_millis(2), true));
    assert!(!format!("{found:?}").contains("x y"), "no header is shown");
}

#[test]
fn what_can_not_be_honoured_is_refused_by_its_name() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector/?key=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://me:you@collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "content-type=text/html"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no header=1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0a"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1000000000"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_PROPAGATORS", "baggage"),
        ("OTEL_PROPAGATORS", "none,tracecontext"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10"),
    ] {
        let why = read(&[(name, value)]).unwrap_err();
        assert!(why.contains(&format!("\n  {name}: ")), "{name}={value}: {why}");
    }
}

#[test]
fn certificates_are_read_only_where_they_are_used() {
    let missing = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem");
    let why = read(&[missing, ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c")]).unwrap_err();
    assert!(why.contains("OTEL_EXPORTER_OTLP_CERTIFICATE: `/nowhere/ca.pem` can't be read"), "{why}");
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c");
    assert_eq!(read(&[("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/nowhere"), own]).unwrap().warnings.len(), 0);
    let settings = read(&[missing, ENDPOINT]).unwrap();
    assert!(settings.warnings.iter().any(|warning| warning.starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE: ")));
}

#[test]
fn queues_and_times_are_as_they_are_named() {
    let settings = read(&[
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "2"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "3"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "500"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5"),
    ])
    .unwrap();
    let ms = Duration::from_millis;
    assert_eq!(settings.spans, Batching { delay: ms(1), timeout: ms(2), max_queue: 100, max_batch: 100 });
    assert_eq!(
        settings.records,
        Batching { delay: ms(1000), timeout: ms(30_000), max_queue: 2048, max_batch: 3 }
    );
    assert_eq!((settings.interval, settings.metrics_timeout), (ms(1000), ms(500)));
    assert_eq!(settings.max_attributes, 5);
}

#[test]
fn samplers_are_those_of_the_specification() {
    let sampler = |variables: &[(&str, &str)]| format!("{:?}", read(variables).unwrap().sampler);
    let named = |value| ("OTEL_TRACES_SAMPLER", value);
    assert_eq!(sampler(&[]), "ParentBased(AlwaysOn)");
    assert_eq!(sampler(&[named("always_off")]), "AlwaysOff");
    let ratio = ("OTEL_TRACES_SAMPLER_ARG", "0.25");
    assert_eq!(sampler(&[named("traceidratio"), ratio]), "TraceIdRatioBased(0.25)");
    assert_eq!(sampler(&[named("parentbased_traceidratio")]), "ParentBased(TraceIdRatioBased(1.0))");
    assert_eq!(read(&[]).unwrap().per_second, Some(PER_SECOND));
    assert_eq!(
        read(&[named("parentbased_always_on")]).unwrap().per_second,
        None,
        "named, it is as it is named"
    );
    let settings = read(&[ratio]).unwrap();
    assert!(settings.warnings[0].starts_with("OTEL_TRACES_SAMPLER_ARG: without effect"));
    let settings = read(&[named("always_on"), ratio]).unwrap();
    assert!(settings.warnings[0].starts_with("OTEL_TRACES_SAMPLER_ARG: without effect"));
}

#[test]
fn a_name_that_nobody_reads_is_a_warning() {
    let warnings = read(&[
        ("OTEL_TRACE_EXPORTER", "otlp"),
        ("OTEL_PYTHON_LOG_LEVEL", "x"),
        ("OTEL_NODE_RESOURCE_DETECTORS", "x"),
        ("OTEL_WHATEVER_IT_MAY_BE_CALLED", "x"),
        ("NOT_OTEL_X", "x"),
    ])
    .unwrap()
    .warnings;
    assert_eq!(
        warnings,
        [
            "OTEL_TRACE_EXPORTER: not known here, and without effect; did you mean OTEL_TRACES_EXPORTER?",
            "OTEL_WHATEVER_IT_MAY_BE_CALLED: not known here, and without effect",
        ]
    );
}
