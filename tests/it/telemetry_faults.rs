//! A collector that is away, slow, hostile or frozen: requests go on, memory stays, what is lost is counted, and the end
//! comes in time.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use super::support::collector::Collector;
use super::support::hostile::{Answer, Hostile};
use super::support::http::Connection;
use super::support::metrics;
use super::support::scene::{Plan, Scene};
use super::support::wait::{SOON, eventually};

const CONNECTIONS: usize = 8;
const EVENTS_EACH: usize = 250;

/// What 2,000 requests may add to the memory of the process: some times what the queues hold, and far less than what
/// all spans and lines would take.
const MAX_GROWTH_KIB: u64 = 32 * 1024;

/// The end has 2 s for telemetry; the rest is for everything else, on two busy cores.
const END_WITHIN: Duration = Duration::from_secs(12);

/// All three signals, exported all the time.
fn exporting(endpoint: &str) -> Plan {
    Plan::of("svix")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_LOGS_EXPORTER", "otlp")
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "50")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "200")
}

/// Sends thousands of events, and a forged one now and then, which is a line of the log.
fn load(scene: &Scene, round: usize) {
    let sent: usize = thread::scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|sender| {
                scope.spawn(move || {
                    let mut connection = Connection::open(scene.bridge.public());
                    let mut received = 0;
                    for event in 0..EVENTS_EACH {
                        let request = scene.event(&format!("msg_{round}_{sender}_{event}"));
                        received += usize::from(connection.exchange(&request).status == 200);
                        if event % 50 == 0 {
                            let forged = request
                                .with("svix-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
                            assert_eq!(connection.exchange(&forged).status, 401);
                        }
                    }
                    received
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender")).sum()
    });
    assert_eq!(sent, CONNECTIONS * EVENTS_EACH, "every one is a 200");
}

fn lost(scene: &Scene, signal: &str) -> f64 {
    let label = format!("hookbridge_signal=\"{signal}\"");
    scene.bridge.metric("hookbridge_telemetry_lost_total", &[&label]).expect("a counter")
}

fn exports(scene: &Scene, signal: &str, outcome: &str) -> f64 {
    let labels = [format!("hookbridge_signal=\"{signal}\""), format!("hookbridge_outcome=\"{outcome}\"")];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    scene.bridge.metric("hookbridge_telemetry_exports_total", &labels).expect("a counter")
}

fn end(scene: &mut Scene) -> Duration {
    let begun = Instant::now();
    scene.bridge.signal("TERM");
    assert_eq!(scene.bridge.wait_for_end(SOON).code(), Some(0));
    begun.elapsed()
}

/// Loads the bridge twice: the first time everything that has a limit fills, the second time nothing more may be taken.
fn assert_unimpressed(mut scene: Scene) {
    load(&scene, 0);
    let before = scene.bridge.resident_kib();
    load(&scene, 1);
    let growth = scene.bridge.resident_kib().saturating_sub(before);
    assert!(growth < MAX_GROWTH_KIB, "{growth} KiB more after 2,000 requests more");
    for signal in ["traces", "metrics", "logs"] {
        eventually(SOON, &format!("{signal} are counted as lost"), || {
            (lost(&scene, signal) > 0.0).then_some(())
        });
        assert_eq!(exports(&scene, signal, "succeeded"), 0.0, "{signal}");
        let of_signal = |line: &serde_json::Value| line["signal"] == signal;
        // More may be lost for lack of room before the first export has failed, which is when it is said.
        eventually(SOON, "it is said", || scene.bridge.log().find("telemetry is not exported", of_signal));
        assert_eq!(
            scene.bridge.log().count("telemetry is not exported", of_signal),
            1,
            "one line for {signal}"
        );
    }
    scene.bridge.wait_until_idle();
    let took = end(&mut scene);
    assert!(took < END_WITHIN, "the end took {took:?}");
}

#[test]
fn nobody_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    assert_unimpressed(exporting(&url).start());
}

#[test]
fn it_accepts_and_never_answers() {
    assert_unimpressed(exporting(&Hostile::start(Answer::Never).url()).start());
}

#[test]
fn it_accepts_and_never_answers_by_grpc() {
    let plan = exporting(&Hostile::start(Answer::Never).url());
    assert_unimpressed(plan.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").start());
}

#[test]
fn it_is_frozen() {
    let collector = Collector::start();
    collector.signal("STOP");
    assert_unimpressed(exporting(&collector.http()).start());
}

#[test]
fn it_answers_500() {
    let hostile = Hostile::start(Answer::http("500 Internal Server Error", b"no"));
    assert_unimpressed(exporting(&hostile.url()).start());
}

#[test]
fn it_wants_to_be_left_alone_for_a_year() {
    let hostile = Hostile::start(Answer::http("503 Service Unavailable\r\nretry-after: 31536000", b""));
    assert_unimpressed(exporting(&hostile.url()).start());
    assert!(hostile.connections() < 2000, "{} attempts", hostile.connections());
}

#[test]
fn it_answers_with_garbage() {
    assert_unimpressed(exporting(&Hostile::start(Answer::Octets(vec![0xff; 4096])).url()).start());
    let html = Answer::http("200 OK\r\ncontent-type: text/html", b"<html>hello</html>");
    let scene = exporting(&Hostile::start(html).url()).start();
    scene.send(&scene.event("msg_0")).assert_received();
    eventually(SOON, "spans are lost", || (lost(&scene, "traces") > 0.0).then_some(()));
    let garbled = Answer::http("200 OK\r\ncontent-type: application/x-protobuf", &[0xff; 100]);
    let scene = exporting(&Hostile::start(garbled).url()).start();
    scene.send(&scene.event("msg_0")).assert_received();
    eventually(SOON, "spans are lost", || (lost(&scene, "traces") > 0.0).then_some(()));
}

#[test]
fn its_answer_has_no_end() {
    assert_unimpressed(exporting(&Hostile::start(Answer::Endless).url()).start());
    assert_unimpressed(exporting(&Hostile::start(Answer::Trickle).url()).start());
}

#[test]
fn it_sends_elsewhere() {
    let elsewhere = Hostile::start(Answer::http("200 OK", b""));
    let moved = format!("307 Temporary Redirect\r\nlocation: {}/v1/traces", elsewhere.url());
    let hostile = Hostile::start(Answer::http(&moved, b""));
    let secret = "bearer-of-the-test-5f1c";
    let plan = exporting(&hostile.url())
        .env("OTEL_EXPORTER_OTLP_HEADERS", &format!("authorization=Bearer%20{secret}"));
    // A proxy of the environment is not asked either.
    let proxy = Hostile::start(Answer::http("200 OK", b""));
    let plan =
        plan.env("http_proxy", &proxy.url()).env("HTTP_PROXY", &proxy.url()).env("ALL_PROXY", &proxy.url());
    let scene = plan.env("HOOKBRIDGE_LOG", "trace").start();
    scene.send(&scene.event("msg_0")).assert_received();
    eventually(SOON, "spans are lost", || (lost(&scene, "traces") > 0.0).then_some(()));
    assert_eq!((elsewhere.connections(), proxy.connections()), (0, 0));
    let asked = hostile.asked();
    assert!(asked.contains(&format!("authorization: Bearer {secret}")), "{asked}");
    assert!(!scene.bridge.log().text().contains(secret), "a secret is in the log");
}

#[test]
fn it_takes_a_part() {
    // ExportTraceServiceResponse { partial_success { rejected_spans: 1, error_message: "no" } }
    let partly =
        Answer::http("200 OK\r\ncontent-type: application/x-protobuf", &[0x0a, 6, 8, 1, 0x12, 2, b'n', b'o']);
    let plan = exporting(&Hostile::start(partly).url()).env("OTEL_METRICS_EXPORTER", "none");
    let scene = plan.env("OTEL_BSP_SCHEDULE_DELAY", "500").start();
    scene.send(&scene.event("msg_0")).assert_received();
    eventually(SOON, "it is said", || {
        scene.bridge.log().find("telemetry is not exported", |line| line["signal"] == "traces")
    });
    assert!(lost(&scene, "traces") >= 1.0);
    assert_eq!(exports(&scene, "traces", "failed"), 0.0);
}

/// Frozen, and killed, and back: what is sent then arrives.
#[test]
fn it_comes_back() {
    let mut collector = Collector::start();
    let scene = exporting(&collector.http()).start();
    let send = |id: &str| scene.send(&scene.event(id)).assert_received();
    let arrives = |collector: &Collector, id: &str| {
        let key = |span: &serde_json::Value| {
            super::support::collector::attribute(span, "messaging.kafka.message.key").as_deref() == Some(id)
        };
        collector.wait_for_spans(1, key);
    };
    send("msg_first");
    arrives(&collector, "msg_first");
    for (away, id) in [("STOP", "msg_after_stop"), ("KILL", "msg_after_kill")] {
        let before = [lost(&scene, "traces"), exports(&scene, "traces", "failed")];
        let is_said =
            scene.bridge.log().count("telemetry is not exported", |line| line["signal"] == "traces");
        if away == "STOP" {
            collector.signal("STOP");
        } else {
            collector.kill();
        }
        eventually(SOON, "spans are lost", || {
            send("msg_lost");
            (lost(&scene, "traces") > before[0]).then_some(())
        });
        if away == "STOP" {
            collector.signal("CONT");
        } else {
            collector.restart();
        }
        eventually(SOON, "it is said that it is back", || {
            send("msg_more");
            let back =
                scene.bridge.log().count("telemetry is exported again", |line| line["signal"] == "traces");
            (back > is_said).then_some(())
        });
        send(id);
        arrives(&collector, id);
        assert!(exports(&scene, "traces", "failed") > before[1]);
    }
    let text = scene.bridge.get_admin("/metrics").text();
    assert!(metrics::sum(&text, "hookbridge_telemetry_exports_total", &[]).expect("counters") > 4.0);
}
