//! What operators ask metrics at night: is a source silent, how old are its signatures, how many are repeats, how near
//! are the limits, how far is Kafka.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::support::http::{Connection, Request};
use super::support::provider::Signer;
use super::support::scene::{Plan, SECRET, Scene, TYPE};
use super::support::unique;
use super::support::wait::{SOON, eventually};

/// A metric of one source, with another label if one is given.
fn of(scene: &Scene, name: &str, source: &str, label: &str) -> Option<f64> {
    scene.bridge.metric(name, &[&format!("hookbridge_source=\"{source}\""), label])
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

const LAST_ACCEPTED: &str = "hookbridge_source_last_accepted_timestamp_seconds";
const EXPECTED_EVERY: &str = "hookbridge_source_expected_every_seconds";

/// Puts another text in the place of one in the configuration's file, and waits until it is in force.
#[track_caller]
fn reload(scene: &Scene, from: &str, to: &str) {
    // The service looks at the file by itself, too, and may yet read what was there before.
    let count = || scene.bridge.log().count("configuration reloaded", |line| line["reason"] == "SIGHUP");
    let file = scene.bridge.file();
    let before = fs::read_to_string(file).expect("read the configuration");
    assert!(before.contains(from), "{from} in\n{before}");
    let reloads = count();
    let draft = file.with_extension("draft");
    fs::write(&draft, before.replacen(from, to, 1)).expect("write a draft");
    fs::rename(&draft, file).expect("put the draft in place");
    scene.bridge.signal("HUP");
    eventually(SOON, "the configuration is reloaded", || (count() > reloads).then_some(()));
}

#[test]
fn a_source_that_falls_silent_can_be_told() {
    let (reporting, unverified) = (unique("reporting"), unique("unverified"));
    let other = format!(
        "{{ provider: svix, secrets: [{{ env: {SECRET} }}], verification: report_only, report_only_topic: {unverified} }}"
    );
    let scene = Plan::of("svix")
        .topic(&unverified)
        .option("expected_every: 1h")
        .option("topics: { dropped: { drop: true } }")
        .source(&reporting, &other)
        .start();
    let last = |source: &str| of(&scene, LAST_ACCEPTED, source, "");
    let before = seconds_now();
    // None of these is an event that Kafka has acknowledged, or that anybody has signed.
    scene.send(&scene.event_of("dropped", "msg_dropped")).assert_received();
    assert_eq!(scene.send(&Request { body: b"{}".to_vec(), ..scene.event("msg_forged") }).status, 401);
    let at_reporting = scene.signer.event(&format!("/webhooks/{reporting}"), "msg_1", TYPE);
    scene.send(&Request { body: b"{}".to_vec(), ..at_reporting }).assert_received();
    assert_eq!((last(&scene.source), last(&reporting)), (None, None));

    scene.send(&scene.event("msg_1")).assert_received();
    let accepted = last(&scene.source).expect("the time of the first event");
    assert!((before as f64..=seconds_now() as f64 + 1.0).contains(&accepted), "{accepted}");
    assert_eq!(last(&reporting), None);
    assert_eq!(of(&scene, EXPECTED_EVERY, &scene.source, ""), Some(3600.0));
    assert_eq!(of(&scene, EXPECTED_EVERY, &reporting, ""), None);
    let info = |source: &str, label: &str| of(&scene, "hookbridge_source_info", source, label);
    assert_eq!(info(&scene.source, "hookbridge_provider=\"svix\""), Some(1.0));
    assert_eq!(info(&reporting, "hookbridge_verification=\"report_only\""), Some(1.0));

    reload(&scene, "expected_every: 1h", "expected_every: 2d");
    assert_eq!(of(&scene, EXPECTED_EVERY, &scene.source, ""), Some(172_800.0));
    assert_eq!(last(&scene.source), Some(accepted), "it is the same source");
    reload(&scene, &format!("  {reporting}: {other}\n"), "");
    assert_eq!(info(&reporting, ""), None, "a source that is gone is not reported");
    assert_eq!(last(&scene.source), Some(accepted));
}

#[test]
fn counters_that_alerts_are_made_of_begin_at_zero() {
    let (late, batches) = (unique("late"), unique("batches"));
    let of_late = format!("{{ provider: generic-hex, secrets: [{{ env: {SECRET} }}], split: '' }}");
    let scene = Plan::of("svix").secrets(&format!("[{{ env: {SECRET}, name: current }}]")).start();
    let at_zero = |source: &str, name: &str, label: &str| {
        assert_eq!(of(&scene, name, source, label), Some(0.0), "{name} {label}");
    };
    let rejections = "hookbridge_rejections_total";
    for reason in
        ["signature_missing", "signature_malformed", "signature_mismatch", "overloaded", "queue_full"]
    {
        at_zero(&scene.source, rejections, &format!("error_type=\"{reason}\""));
    }
    at_zero(&scene.source, rejections, "error_type=\"timestamp_outside_tolerance\"");
    at_zero(&scene.source, "hookbridge_verified_total", "hookbridge_key=\"current\"");
    at_zero(&scene.source, "hookbridge_dead_letters_total", "error_type=\"unreadable_body\"");
    at_zero(&scene.source, "hookbridge_deliveries_repeated_total", "");
    for name in ["hookbridge_connections_refused_total", "hookbridge_logs_lost_total"] {
        assert_eq!(scene.bridge.metric(name, &[]), Some(0.0), "{name}");
    }
    // And so do those of a source that comes later, as far as they can ever count.
    let host = format!("  {}:\n", scene.source);
    reload(&scene, &host, &format!("  {late}: {of_late}\n{host}"));
    at_zero(&late, "hookbridge_verified_total", "hookbridge_key=\"1\"");
    at_zero(&late, "hookbridge_batches_empty_total", "");
    at_zero(&late, "hookbridge_dead_letters_total", "error_type=\"not_a_batch\"");
    let stale = "error_type=\"timestamp_outside_tolerance\"";
    assert_eq!(of(&scene, rejections, &late, stale), None, "it signs no time");
    assert_eq!(of(&scene, rejections, &batches, ""), None);
}

#[test]
fn repeats_are_counted_and_published_all_the_same() {
    let batches = unique("batches");
    let scene = Plan::of("generic-hex")
        .topic(&format!("webhooks.{batches}"))
        .source(&batches, &format!("{{ provider: generic-hex, secrets: [{{ env: {SECRET} }}], split: '' }}"))
        .start();
    let repeated = |source: &str| of(&scene, "hookbridge_deliveries_repeated_total", source, "");
    for id in ["evt_1", "evt_2", "evt_1", "evt_3", "evt_1"] {
        scene.send(&scene.event(id)).assert_received();
    }
    assert_eq!(repeated(&scene.source), Some(2.0));
    assert_eq!(scene.records().len(), 5, "nothing is decided by it");
    // The same ID of another source is another message, and each element of a batch is one.
    let body = format!(r#"[{{"id":"evt_1","type":"{TYPE}"}},{{"id":"evt_4","type":"{TYPE}"}}]"#);
    let batch = scene.signer.request(&format!("/webhooks/{batches}"), "", body.as_bytes());
    scene.send(&batch).assert_received();
    assert_eq!(repeated(&batches), Some(0.0));
    scene.send(&batch).assert_received();
    assert_eq!((repeated(&batches), repeated(&scene.source)), (Some(2.0), Some(2.0)));
    // A dead letter that comes again is one, too.
    for _ in 0..2 {
        scene.send(&scene.request("", b"no JSON")).assert_received();
    }
    assert_eq!(repeated(&scene.source), Some(3.0));
}

#[test]
fn a_stale_clock_is_told_from_a_forged_time() {
    let scene = Plan::of("svix").start();
    let ages = |clock: &str, suffix: &str, label: &str| {
        let name = format!("hookbridge_signature_age_seconds_{suffix}");
        let clock = format!("hookbridge_clock=\"{clock}\"");
        let source = format!("hookbridge_source=\"{}\"", scene.source);
        scene.bridge.metric(&name, &[&source, &clock, label]).unwrap_or(0.0)
    };
    let body = scene.signer.body("", TYPE);
    let at = |signer: &Signer, seconds: u64| signer.request_at(&scene.path(), "msg_1", seconds, &body);
    let now = seconds_now();
    scene.send(&at(&scene.signer, now - 40)).assert_received();
    assert_eq!((ages("behind", "count", ""), ages("behind", "bucket", "le=\"30\"")), (1.0, 0.0));
    assert_eq!(ages("behind", "bucket", "le=\"60\""), 1.0);
    scene.send(&at(&scene.signer, now + 40)).assert_received();
    assert_eq!((ages("ahead", "count", ""), ages("ahead", "bucket", "le=\"60\"")), (1.0, 1.0));
    // Refused, and its provider's all the same.
    assert_eq!(scene.send(&at(&scene.signer, now - 1000)).status, 401);
    assert_eq!((ages("behind", "count", ""), ages("behind", "bucket", "le=\"600\"")), (2.0, 1.0));
    // Whoever has no key says what he likes.
    let forger = Signer::new("svix", "who does not know the secret");
    for seconds in [now, now - 1000, now + 1000] {
        assert_eq!(scene.send(&at(&forger, seconds)).status, 401);
    }
    assert_eq!((ages("behind", "count", ""), ages("ahead", "count", "")), (2.0, 1.0));
    let stale = of(&scene, "hookbridge_rejections_total", &scene.source, "timestamp_outside_tolerance");
    assert_eq!(stale, Some(3.0), "the reason is the same, whoever signed");
}

#[test]
fn limits_stand_beside_what_is_taken_of_them() {
    let scene = Plan::of("svix").server("max_connections: 3").server("max_in_flight_requests: 7").start();
    let metric = |name: &str| scene.bridge.metric(name, &[]);
    for (name, value) in [
        ("hookbridge_connections", 0.0),
        ("hookbridge_connections_limit", 3.0),
        ("hookbridge_in_flight_requests_limit", 7.0),
        ("hookbridge_in_flight_body_limit_bytes", 128.0 * 1024.0 * 1024.0),
    ] {
        assert_eq!(metric(name), Some(value), "{name}");
    }
    let open: Vec<_> = (0..3).map(|_| Connection::open(scene.bridge.public())).collect();
    eventually(SOON, "three are open", || (metric("hookbridge_connections") == Some(3.0)).then_some(()));
    let refused = Connection::open(scene.bridge.public());
    eventually(SOON, "one is refused", || {
        (metric("hookbridge_connections_refused_total") == Some(1.0)).then_some(())
    });
    assert_eq!(metric("hookbridge_connections"), Some(3.0));
    drop((open, refused));
    eventually(SOON, "none is open", || (metric("hookbridge_connections") == Some(0.0)).then_some(()));
    scene.send(&scene.event("msg_1")).assert_received();
    let size = |suffix: &str| {
        of(&scene, &format!("http_server_request_body_size_bytes_{suffix}"), &scene.source, "")
    };
    let octets = scene.event("msg_1").body.len() as f64;
    assert_eq!((size("count"), size("sum")), (Some(1.0), Some(octets)));
}

#[test]
fn what_librdkafka_reports_and_what_the_process_takes_is_there() {
    let scene = Plan::of("svix").start();
    scene.send(&scene.event("msg_1")).assert_received();
    let broker = format!("hookbridge_broker=\"{}\"", scene.bootstrap);
    let of_broker = |name: &str, label: &str| scene.bridge.metric(name, &[&broker, label]);
    let round_trip = "hookbridge_kafka_broker_round_trip_seconds";
    let average = eventually(SOON, "a round trip", || of_broker(round_trip, "hookbridge_statistic=\"avg\""));
    assert!(average > 0.0 && average < 30.0, "{average}");
    assert!(of_broker(round_trip, "hookbridge_statistic=\"p99\"").is_some_and(|seconds| seconds > 0.0));
    assert_eq!(of_broker("hookbridge_kafka_broker_connected", ""), Some(1.0));
    assert_eq!(of_broker("hookbridge_kafka_broker_throttle_seconds", ""), Some(0.0));
    for name in ["requests_retried", "requests_failed", "requests_timed_out", "connections_lost"] {
        assert!(of_broker(&format!("hookbridge_kafka_{name}_total"), "").is_some(), "{name}");
    }
    let metric = |name: &str| scene.bridge.metric(name, &[]).unwrap_or_else(|| panic!("there is {name}"));
    eventually(SOON, "the queue is empty", || {
        (metric("hookbridge_kafka_queue_messages") == 0.0).then_some(())
    });
    assert!(
        metric("hookbridge_kafka_queue_messages_limit")
            >= 2.0 * metric("hookbridge_in_flight_requests_limit")
    );
    assert!(metric("hookbridge_kafka_queue_limit_bytes") >= 16.0 * 1024.0 * 1024.0);

    let up = metric("process_uptime_seconds");
    assert!(up > 0.0 && up < Duration::from_secs(600).as_secs_f64(), "{up}");
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert_eq!(scene.bridge.metric("hookbridge_build_info", &[&version]), Some(1.0));
    if cfg!(target_os = "linux") {
        let cpu = metric("process_cpu_time_seconds_total");
        assert!(cpu > 0.0 && cpu < 600.0, "{cpu}");
        let memory = metric("process_memory_usage_bytes");
        assert!((5e6..5e9).contains(&memory), "{memory}");
        assert!(metric("process_thread_count") > 4.0);
        let files = metric("process_unix_file_descriptor_count");
        assert!((5.0..1000.0).contains(&files), "{files}");
    }
}
