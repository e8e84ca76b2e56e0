//! What is refused because there is too much of it, or because it takes too long (P7), and while the process
//! ends.

use std::time::{Duration, Instant};

use super::refusals::{assert_refusal, refusals};
use super::support::http::Connection;
use super::support::scene::Plan;
use super::support::wait::{SOON, eventually};

#[test]
fn overloaded_with_requests() {
    let scene = Plan::of("svix").server("max_in_flight_requests: 1").start();
    let held = scene.event("msg_held");
    let connection = scene.hold(&held);
    for _ in 0..3 {
        let answer = scene.send(&scene.event("msg_refused"));
        assert_refusal(&answer, 503, "unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"), "another replica may have room");
    }
    assert_eq!(refusals(&scene, "overloaded", &scene.source), 3.0);
    connection.release();
    scene.bridge.wait_until_idle();
    scene.send(&scene.event("msg_after")).assert_received();
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_held", "msg_after"]);
    assert_eq!(scene.dead_letters().len(), 0);
}

#[test]
fn overloaded_with_octets() {
    let scene =
        Plan::of("generic-hex").server("max_in_flight_bytes: 64KiB").option("max_body_bytes: 64KiB").start();
    let padded = |id: &str| {
        let mut body = scene.event(id).body;
        body.resize(40 * 1024, b' ');
        scene.request("", &body)
    };
    let held = padded("evt_held");
    let connection = scene.hold(&held);
    eventually(SOON, "its octets are held", || {
        let octets = scene.bridge.metric("hookbridge_in_flight_body_bytes", &[])?;
        (octets >= 40.0 * 1024.0 - 1.0).then_some(())
    });
    let mut refused = Connection::open(scene.bridge.public());
    // It may be refused, and the connection closed, before all of it is sent.
    let _ = refused.try_send(&padded("evt_refused").octets());
    assert_refusal(&refused.answer(), 503, "unavailable");
    assert_eq!(refusals(&scene, "overloaded", &scene.source), 1.0);
    scene.send(&scene.event("evt_small")).assert_received();
    connection.release();
    scene.bridge.wait_until_idle();
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["evt_small", "evt_held"]);
}

#[test]
fn body_too_large_by_its_length() {
    let scene = Plan::of("svix").option("max_body_bytes: 1KiB").start();
    let large = scene.request("msg_large", &[b' '; 1025]);
    // Nothing of the body is sent, nor invited.
    for expect in ["", "expect: 100-continue\r\n"] {
        let mut connection = Connection::open(scene.bridge.public());
        let head = [large.open_head(), format!("{expect}content-length: 1025\r\n\r\n").into_bytes()].concat();
        connection.send(&head);
        assert_refusal(&connection.answer(), 413, "body_too_large");
        connection.assert_closed();
    }
    for length in ["1048576", "9223372036854775807", "18446744073709551615"] {
        let mut connection = Connection::open(scene.bridge.public());
        connection
            .send(&[large.open_head(), format!("content-length: {length}\r\n\r\n").into_bytes()].concat());
        let answer = connection.answer();
        // hyper refuses by itself what no integer of its own can hold.
        assert!([413, 431].contains(&answer.status), "{answer:?}");
    }
    scene.assert_nothing_else_landed();
}

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let scene = Plan::of("svix").option("max_body_bytes: 1KiB").start();
    let event = scene.event("msg_waits").header("expect", "100-continue");
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(&event.head());
    assert_eq!(connection.answer().status, 100);
    connection.send(&event.body);
    connection.answer().assert_received();
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn body_too_large_in_chunks() {
    let scene = Plan::of("svix").option("max_body_bytes: 1KiB").start();
    let event = scene.event("msg_1");
    let mut fits = event.body.clone();
    fits.resize(1024, b' ');
    let mut too_large = fits.clone();
    too_large.push(b' ');
    for size in [1, 7, 1024, 4096] {
        let mut connection = Connection::open(scene.bridge.public());
        connection.send(&scene.request("msg_large", &too_large).chunked_octets(size));
        assert_refusal(&connection.answer(), 413, "body_too_large");
    }
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(&scene.request("msg_fits", &fits).chunked_octets(7));
    connection.answer().assert_received();
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].key.as_str(), &records[0].value), ("msg_fits", &fits));
    assert_eq!(scene.dead_letters().len(), 0);
}

#[test]
fn body_timed_out() {
    let scene = Plan::of("svix").server("body_timeout: 1s").option("respond_within: 3s").start();
    let event = scene.event("msg_1");
    let octets = event.octets();
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(&octets[..octets.len() - 20]);
    let begun = Instant::now();
    // One octet at a time is not quick enough either.
    let answer = eventually(SOON, "an answer", || {
        connection.set_patience(Duration::from_millis(100));
        // The connection may be closed under it.
        let _ = connection.try_send(b" ");
        connection.answer_if_any()
    });
    assert_refusal(&answer, 408, "body_timed_out");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(refusals(&scene, "body_timed_out", &scene.source), 1.0);
    scene.bridge.wait_until_idle();
    scene.assert_nothing_else_landed();
}

#[test]
fn body_aborted() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    // A client that goes in the middle of its body.
    let octets = event.octets();
    for keep in [1, octets.len() - event.body.len() + 5, octets.len() - 1] {
        let mut connection = Connection::open(scene.bridge.public());
        connection.send(&octets[..keep]);
        connection.end_sending();
        if let Some(answer) = connection.answer_or_end() {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    // Chunks that can't be read.
    for chunks in ["zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}XX0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "2 {}\r\n"] {
        let mut connection = Connection::open(scene.bridge.public());
        connection.send(&event.open_head());
        connection.send(format!("transfer-encoding: chunked\r\n\r\n{chunks}").as_bytes());
        connection.end_sending();
        if let Some(answer) = connection.answer_or_end() {
            assert_refusal(&answer, 400, "body_aborted");
        }
    }
    eventually(SOON, "refusals are counted", || {
        (refusals(&scene, "body_aborted", &scene.source) > 0.0).then_some(())
    });
    scene.bridge.wait_until_idle();
    scene.assert_nothing_else_landed();
}

#[test]
fn draining() {
    let mut scene = Plan::of("svix").server("shutdown_delay: 0s").start();
    // A request whose head has begun when the signal comes, and is whole only after it.
    let late = scene.event("msg_late").octets();
    let mut connection = Connection::open(scene.bridge.public());
    connection.send(&late[..40]);
    let held = scene.event("msg_held");
    let in_flight = scene.hold(&held);
    scene.bridge.signal("TERM");
    eventually(SOON, "the end has begun", || scene.bridge.log().find("shutting down", |_| true));
    eventually(SOON, "/readyz says 503", || (scene.bridge.readyz()? == 503).then_some(()));
    eventually(SOON, "new connections are refused", || Connection::try_open(scene.bridge.public()).err());
    connection.send(&late[40..]);
    let answer = connection.answer();
    assert_refusal(&answer, 503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"), "another replica has room");
    scene.wait_for_refusal("draining", &scene.source);
    in_flight.release();
    assert_eq!(scene.bridge.wait_for_end(SOON).code(), Some(0));
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_held"]);
    assert_eq!(scene.dead_letters().len(), 0);
}
