//! The end of the process: nothing that is under way is lost, and it ends in any case.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use super::refusals::assert_refusal;
use super::support::http::{self, Connection};
use super::support::scene::{Plan, Scene};
use super::support::wait::{SOON, eventually};

fn in_order(signal: &str) {
    let mut scene = Plan::of("svix").start();
    let requests: Vec<_> = (0..5).map(|number| scene.event(&format!("msg_{number}"))).collect();
    let mut held: Vec<_> = requests.iter().map(|request| scene.hold(request)).collect();
    // This one has nothing under way.
    let mut idle = Connection::open(scene.bridge.public());
    idle.exchange(&scene.event("msg_before")).assert_received();

    scene.bridge.signal(signal);
    eventually(SOON, "/readyz says 503", || (scene.bridge.readyz()? == 503).then_some(()));
    assert!(scene.bridge.get_admin("/readyz").text().contains("shutting down"));
    assert_eq!(scene.bridge.get_admin("/livez").status, 200);
    idle.assert_closed();
    eventually(SOON, "new connections are refused", || Connection::try_open(scene.bridge.public()).err());
    for request in &mut held {
        let answer = request.finish();
        answer.assert_received();
        assert_eq!(answer.header("connection"), Some("close"));
    }
    let status = scene.bridge.wait_for_end(SOON);
    assert_eq!(status.code(), Some(0));
    scene.bridge.log().find("shut down", |line| line["level"] == "INFO").expect("a last word in the log");
    assert!(http::get(scene.bridge.admin(), "/livez").is_err());
    assert_eq!(scene.records().len(), requests.len() + 1);
}

#[test]
fn sigterm_finishes_what_is_under_way() {
    in_order("TERM");
}

#[test]
fn sigint_finishes_what_is_under_way() {
    in_order("INT");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second, code) in [("TERM", "TERM", 143), ("TERM", "INT", 130)] {
        let mut scene = Plan::of("svix").start();
        let held = scene.hold(&scene.event("msg_held"));
        scene.bridge.signal(first);
        eventually(SOON, "the end has begun", || scene.bridge.log().find("shutting down", |_| true));
        assert!(scene.bridge.is_running());
        let asked_again = Instant::now();
        scene.bridge.signal(second);
        let status = scene.bridge.wait_for_end(SOON);
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        assert!(asked_again.elapsed() < Duration::from_secs(10), "long before the grace of 25 s");
        drop(held);
        assert_eq!(scene.records().len(), 0);
    }
}

/// A scene whose Kafka is not there at all.
fn without_kafka(signal: &str) -> Scene {
    let mut scene = Plan::of("svix")
        // Nobody listens at port 1.
        .at("127.0.0.1:1")
        .without_topic()
        .server("body_timeout: 500ms")
        .server("shutdown_grace: 3s")
        .option("respond_within: 1s")
        .start_unready();
    assert_refusal(&scene.send(&scene.event("msg_1")), 503, "unavailable");
    let asked = Instant::now();
    scene.bridge.signal(signal);
    let status = scene.bridge.wait_for_end(SOON);
    assert_eq!(status.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(3 + 7), "within the grace: {:?}", asked.elapsed());
    scene
}

#[test]
fn without_kafka_it_ends_within_the_grace() {
    for signal in ["TERM", "INT"] {
        let scene = without_kafka(signal);
        let warning = "not everything was acknowledged within the grace; none of it was answered 2xx";
        let line = scene.bridge.log().find(warning, |line| line["level"] == "WARN").expect("a warning");
        assert_eq!(line["requests"], 1);
    }
}

#[test]
fn a_client_that_never_finishes_does_not_hold_it_up() {
    let mut scene = Plan::of("svix")
        .server("body_timeout: 500ms")
        .server("shutdown_grace: 2s")
        .option("respond_within: 1s")
        .start();
    let held = scene.hold(&scene.event("msg_held"));
    scene.bridge.signal("TERM");
    assert_eq!(scene.bridge.wait_for_end(SOON).code(), Some(0));
    drop(held);
    assert_eq!(scene.records().len(), 0);
}
