//! Clients that take their time, and more of them than there is room for: cut off, while others are served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::support::http::Connection;
use super::support::scene::Plan;
use super::support::wait::{SOON, eventually};

/// Far from the default of 10 s, and what two busy cores may add.
const CUT_WITHIN: Duration = Duration::from_secs(8);

#[test]
fn a_client_that_says_nothing_is_cut() {
    let scene = Plan::of("svix").server("header_timeout: 1s").start();
    let mut silent = Connection::open(scene.bridge.public());
    let mut half = Connection::open(scene.bridge.public());
    half.send(b"POST /webhooks/x HTTP/1.1\r\nhost: x\r\n");
    let mut preface = Connection::open(scene.bridge.public());
    preface.send(b"PRI * HTTP/2.0\r\n");
    let opened = Instant::now();
    scene.send(&scene.event("msg_1")).assert_received();
    silent.assert_closed();
    preface.assert_closed();
    assert!(half.answer_or_end().is_none_or(|answer| answer.status == 408));
    assert!(opened.elapsed() < CUT_WITHIN, "{:?}", opened.elapsed());
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn a_head_that_drips_is_cut() {
    let scene = Plan::of("svix").server("header_timeout: 1s").start();
    let mut connection = Connection::open(scene.bridge.public());
    let opened = Instant::now();
    connection.send(b"POST /webhooks/x HTTP/1.1\r\nx-drip: ");
    // An octet now and then does not buy more time.
    eventually(SOON, "the connection is cut", || connection.try_send(b"a").err());
    assert!(opened.elapsed() < CUT_WITHIN, "{:?}", opened.elapsed());
    scene.send(&scene.event("msg_1")).assert_received();
}

#[test]
fn the_second_head_has_no_more_time_than_the_first() {
    let scene = Plan::of("svix").server("header_timeout: 1s").start();
    let mut connection = Connection::open(scene.bridge.public());
    connection.exchange(&scene.event("msg_1")).assert_received();
    let begun = Instant::now();
    connection.send(b"POST /webhooks/x HTTP/1.1\r\nx-drip: ");
    eventually(SOON, "the connection is cut", || connection.try_send(b"a").err());
    assert!(begun.elapsed() < CUT_WITHIN, "{:?}", begun.elapsed());
}

/// Senders keep connections and post when they have something: closing in their face loses a delivery.
#[test]
fn a_connection_may_idle_for_longer_than_a_head_may_take() {
    let scene = Plan::of("svix").server("header_timeout: 1s").start();
    let mut idle = Connection::open(scene.bridge.public());
    idle.exchange(&scene.event("msg_1")).assert_received();
    // Whoever comes later and says nothing is cut first.
    Connection::open(scene.bridge.public()).assert_closed();
    Connection::open(scene.bridge.public()).assert_closed();
    idle.exchange(&scene.event("msg_2")).assert_received();
}

/// A short request is seldom under way when the connection is looked at, and it was once closed as idle, a minute after it
/// had been opened.
#[test]
fn a_connection_with_short_requests_is_not_idle() {
    let scene = Plan::of("svix").server("idle_timeout: 1s").start();
    let mut busy = Connection::open(scene.bridge.public());
    for round in 0..3 {
        let mut idle = Connection::open(scene.bridge.public());
        idle.exchange(&scene.event(&format!("msg_{round}"))).assert_received();
        let is_closed = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                idle.assert_closed();
                is_closed.store(true, Ordering::Relaxed);
            });
            for number in 0..100_000 {
                busy.exchange(&scene.event(&format!("msg_{round}_{number}"))).assert_received();
                if is_closed.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
    }
}

#[test]
fn one_connection_too_many_is_closed() {
    let scene = Plan::of("svix").server("max_connections: 2").start();
    let mut open: Vec<_> = (0..2)
        .map(|number| {
            let mut connection = Connection::open(scene.bridge.public());
            connection.exchange(&scene.event(&format!("msg_{number}"))).assert_received();
            connection
        })
        .collect();
    Connection::open(scene.bridge.public()).assert_closed();
    // Those that are open go on, and their place is free once they have gone.
    open[0].exchange(&scene.event("msg_2")).assert_received();
    drop(open);
    eventually(SOON, "there is room again", || {
        let mut connection = Connection::open(scene.bridge.public());
        // It may be closed at once.
        let _ = connection.try_send(&scene.event("msg_3").octets());
        connection.answer_or_end()
    })
    .assert_received();
    assert_eq!(scene.records().len(), 4);
}

/// Forged requests, each with its line in the log, to a service whose log nobody reads.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let scene = Plan::of("svix").start();
    let held = scene.bridge.log().stop_reading();
    let forged =
        scene.event("msg_forged").with("svix-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let mut connection = Connection::open(scene.bridge.public());
    // A pipe holds 64 KiB, a few hundred lines.
    for _ in 0..1000 {
        assert_eq!(connection.exchange(&forged).status, 401);
    }
    scene.send(&scene.event("msg_1")).assert_received();
    drop(held);
    assert_eq!(scene.records().len(), 1);
}
