//! What is refused because of Kafka: each kind of failure with its own status, and no receipt without a record.

use std::io::Read as _;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use super::refusals::{assert_refusal, refusals};
use super::support::http::Connection;
use super::support::scene::Plan;
use super::support::wait::{SOON, eventually};

/// The address of a Kafka that accepts connections and never answers.
fn silent_kafka() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                let mut room = [0; 1024];
                while stream.read(&mut room).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}

#[test]
fn delivery_timed_out_and_kafka_unreachable() {
    let scene = Plan::of("svix")
        .at(&silent_kafka())
        .without_topic()
        .server("body_timeout: 500ms")
        // What is enqueued here never leaves, so the end of the process waits for the grace.
        .server("shutdown_grace: 2s")
        .option("respond_within: 1s")
        .start_unready();
    let sent = Instant::now();
    assert_refusal(&scene.send(&scene.event("msg_1")), 503, "unavailable");
    assert!(sent.elapsed() < Duration::from_secs(6), "{:?}", sent.elapsed());
    scene.wait_for_refusal("delivery_timed_out", &scene.source);
    assert_eq!(scene.bridge.readyz(), Some(503));
    assert_eq!(scene.bridge.get_admin("/livez").status, 200);

    // After 5 s without an answer from Kafka nothing is enqueued any more.
    eventually(SOON, "Kafka counts as unreachable", || {
        let answer = scene.send(&scene.event("msg_2"));
        assert_refusal(&answer, 503, "unavailable");
        (refusals(&scene, "kafka_unreachable", &scene.source) > 0.0).then_some(())
    });
    // But a request that is not genuine learns nothing of that.
    let forged = scene.event("msg_3").with("svix-id", "msg_4");
    assert_refusal(&scene.send(&forged), 401, "invalid_signature");
}

#[test]
fn topic_unavailable() {
    let scene = Plan::of("svix").without_topic().start();
    for id in ["msg_1", "msg_2"] {
        assert_refusal(&scene.send(&scene.event(id)), 503, "unavailable");
    }
    assert_eq!(refusals(&scene, "topic_unavailable", &scene.source), 2.0);
    assert_eq!(scene.dead_letters().len(), 0);
    // One topic that is not there is no reason to send nothing to this replica.
    assert_eq!(scene.bridge.readyz(), Some(200));
    scene.bridge.wait_until_idle();
    // Nor is a restart needed once it is there.
    super::support::topics::create(&scene.bootstrap, &scene.topic, 1, &[]);
    eventually(SOON, "the topic is found", || {
        let answer = scene.send(&scene.event("msg_3"));
        (answer.status == 200).then_some(())
    });
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_3"]);
}

#[test]
fn record_too_large() {
    let scene = Plan::of("generic-hex").topic_config("max.message.bytes", "2000").start();
    let mut body = scene.event("evt_large").body;
    body.resize(4000, b' ');
    assert_refusal(&scene.send(&scene.request("", &body)), 413, "record_too_large");
    scene.wait_for_refusal("record_too_large", &scene.source);
    // The producer survives it.
    scene.assert_nothing_else_landed();
    assert_eq!(scene.bridge.metric("hookbridge_producer_generation", &[]), Some(1.0));
}

#[test]
fn broker_refused() {
    // The topic takes no record that is older than 3 s, and this one is as old as its head, whose body takes
    // its time.
    let scene = Plan::of("svix").topic_config("message.timestamp.before.max.ms", "3000").start();
    let event = scene.event("msg_old");
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(&event.head());
    let begun = Instant::now();
    eventually(SOON, "the request is old", || (begun.elapsed() > Duration::from_secs(4)).then_some(()));
    connection.send(&event.body);
    assert_refusal(&connection.answer(), 500, "internal");
    scene.wait_for_refusal("broker_refused", &scene.source);
    scene.assert_nothing_else_landed();
    assert_eq!(scene.bridge.metric("hookbridge_producer_generation", &[]), Some(1.0));
}
