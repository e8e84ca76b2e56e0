//! The variables of OpenTelemetry: what can't be honoured ends the start with 64, before any port is bound, and says why.

use std::fs;
use std::process::{Output, Stdio};

use super::support::bridge::hookbridge;
use super::support::hostile::{Answer, Hostile};
use super::support::scene::{Plan, SECRET};
use super::support::wait::{SOON, eventually};

const CONFIG: &str = "server: { listen: 127.0.0.1:0 }\nadmin: { listen: 127.0.0.1:0 }\n\
    kafka: { bootstrap.servers: '127.0.0.1:1' }\nsources:\n  s: { provider: svix, secrets: [{ env: HOOKBRIDGE_TEST_SECRET }] }\n";

fn serve(variables: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("hookbridge.yaml");
    fs::write(&file, CONFIG).expect("write the configuration");
    let mut command = hookbridge();
    command.args(["serve", "--config"]).arg(&file).env(SECRET, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().and_then(std::process::Child::wait_with_output).expect("run hookbridge")
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_no_secret() {
    let output = serve(&[
        ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_METRICS_EXPORTER", "otlp,none"),
        ("OTEL_LOGS_EXPORTER", "console"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://name:word5f1c@collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%2-secret5f1c,,secret5f1c"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "soon"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a"),
        ("OTEL_CONFIG_FILE", "/etc/otel.yaml"),
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://zipkin"),
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    for expected in [
        "OTEL_TRACES_EXPORTER: `jaeger` is not possible here; possible: otlp, none",
        "OTEL_METRICS_EXPORTER: `none` stands alone",
        "OTEL_LOGS_EXPORTER: `console`",
        "OTEL_TRACES_SAMPLER: `jaeger_remote`",
        "OTEL_TRACES_SAMPLER_ARG: a ratio from 0 to 1",
        "OTEL_PROPAGATORS: `b3` is not possible here; possible: tracecontext, baggage, none",
        "OTEL_EXPORTER_OTLP_PROTOCOL: `http/json` is not possible here; possible: http/protobuf, grpc",
        "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION: `zstd`",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: `0`",
        "OTEL_EXPORTER_OTLP_HEADERS: the value of `authorization`",
        "OTEL_EXPORTER_OTLP_HEADERS: entry 3 is not `name=value`",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: `delta` is not possible here; possible: cumulative",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 5000 is more",
        "OTEL_BLRP_SCHEDULE_DELAY: `soon`",
        "OTEL_RESOURCE_ATTRIBUTES: entry 1",
        "OTEL_CONFIG_FILE: can't be honoured",
        "OTEL_EXPORTER_ZIPKIN_ENDPOINT: can't be honoured",
    ] {
        assert!(said.contains(expected), "{expected} is missing in\n{said}");
    }
    assert!(!said.contains("5f1c"), "a secret in\n{said}");
    assert!(!said.contains("listening"), "nothing was started:\n{said}");
}

#[test]
fn a_url_with_a_password_is_refused() {
    let output = serve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://name:word5f1c@collector:4318")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("OTEL_EXPORTER_OTLP_HEADERS") && !said.contains("5f1c"), "{said}");
}

#[test]
fn an_unknown_name_is_a_warning_and_other_commands_do_not_care() {
    let scene = Plan::of("svix")
        .env("OTEL_TRACE_EXPORTER", "otlp")
        .env("OTEL_JAVAAGENT_ENABLED", "false")
        .env("OTEL_LOG_LEVEL", "debug")
        .start();
    let warned = |what: &str| {
        scene.bridge.log().count("an environment variable of OpenTelemetry is not used", |line| {
            line["reason"].as_str().is_some_and(|reason| reason.contains(what))
        })
    };
    assert_eq!(warned("did you mean OTEL_TRACES_EXPORTER?"), 1, "{}", scene.bridge.log().text());
    assert_eq!((warned("OTEL_LOG_LEVEL"), warned("JAVAAGENT")), (1, 0));
    let listed =
        hookbridge().arg("providers").env("OTEL_TRACES_EXPORTER", "x").output().expect("run hookbridge");
    assert!(listed.status.success());
}

#[test]
fn nothing_is_asked_of_a_collector_that_is_turned_off() {
    let asked = Hostile::start(Answer::http("200 OK", b""));
    let plan = |name: &str, value: &str| {
        Plan::of("svix")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &asked.url())
            .env("OTEL_BSP_SCHEDULE_DELAY", "10")
            .env("OTEL_METRICS_EXPORTER", "prometheus")
            .env(name, value)
    };
    // Disabled, the others are not even looked at.
    let disabled = plan("OTEL_SDK_DISABLED", "TRUE").env("OTEL_PROPAGATORS", "b3").start();
    let none = plan("OTEL_TRACES_EXPORTER", "none").start();
    for scene in [&disabled, &none] {
        scene.send(&scene.event("msg_0")).assert_received();
        scene.bridge.wait_until_idle();
        assert!(scene.bridge.log().find("exporting telemetry", |_| true).is_none());
    }
    drop((disabled, none));
    assert_eq!(asked.connections(), 0);
    let on = plan("OTEL_LOGS_EXPORTER", "none").start();
    on.send(&on.event("msg_0")).assert_received();
    eventually(SOON, "the collector is asked", || (asked.connections() > 0).then_some(()));
}
