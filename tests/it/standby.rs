//! `kafka.standby`: while the first cluster is away another one takes the records, and every receipt has its record in
//! one of the two (P2).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::support::kafka::Kafka;
use super::support::scene::{Plan, Scene};
use super::support::topics::{self, Record};
use super::support::wait::{SOON, eventually};

/// The shortest waits that may be configured.
const AFTER: Duration = Duration::from_secs(10);
const BACK_AFTER: Duration = Duration::from_secs(10);

/// A bridge with a standby, where the same topics exist.
fn scene(primary: &str, standby: &Kafka) -> Scene {
    let plan = Plan::of("svix")
        .at(primary)
        .server("body_timeout: 1s")
        // What is enqueued at a cluster that stays away never leaves.
        .server("shutdown_grace: 3s")
        .option("respond_within: 2s")
        .kafka(&format!(
            "standby: {{ after: {}s, back_after: {}s, properties: {{ bootstrap.servers: '{}' }} }}",
            AFTER.as_secs(),
            BACK_AFTER.as_secs(),
            standby.bootstrap()
        ));
    topics::create(standby.bootstrap(), &format!("webhooks.{}", plan.name()), 1, &[]);
    topics::create(standby.bootstrap(), &plan.dead_letter(), 1, &[]);
    let plan = if primary == NOBODY { plan.without_topic() } else { plan };
    plan.start_unready()
}

/// The port that nobody answers at.
const NOBODY: &str = "127.0.0.1:9";

/// Sends one event after the other until it is told to stop. Gives the IDs that were acknowledged.
fn send_until(scene: &Scene, sender: &str, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("msg_{sender}_{number}");
        let answer = scene.send(&scene.event(&id));
        match answer.status {
            200 => acknowledged.push(id),
            status => assert_eq!(status, 503, "{}", answer.text()),
        }
        // A steady load, not a flood.
        thread::sleep(Duration::from_millis(20));
    }
    acknowledged
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn is_active(scene: &Scene, cluster: &str) -> bool {
    let label = format!("hookbridge_cluster=\"{cluster}\"");
    scene.bridge.metric("hookbridge_kafka_active_cluster", &[&label]) == Some(1.0)
}

fn sent_to(scene: &Scene, cluster: &str) -> f64 {
    let label = format!("hookbridge_cluster=\"{cluster}\"");
    // Those that were given up have an `error_type`, and count here too.
    scene.bridge.metric("messaging_client_sent_messages_total", &[&label]).unwrap_or(0.0)
}

fn wait_until_active(scene: &Scene, cluster: &str) {
    let within = AFTER + BACK_AFTER + SOON;
    eventually(within, &format!("{cluster} is active"), || is_active(scene, cluster).then_some(()));
}

fn switches(scene: &Scene) -> f64 {
    scene.bridge.metric("hookbridge_kafka_failovers_total", &[]).unwrap_or(0.0)
}

fn keys(records: &[Record]) -> HashSet<&str> {
    records.iter().map(|record| record.key.as_str()).collect()
}

#[test]
fn every_receipt_has_its_record_in_one_of_two_clusters() {
    let (mut primary, standby) = (Kafka::start(), Kafka::start());
    let scene = scene(primary.bootstrap(), &standby);
    scene.bridge.wait_until_ready();
    assert!(is_active(&scene, "primary") && !is_active(&scene, "standby"));
    let stop = AtomicBool::new(false);
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let (scene, stop) = (&scene, &stop);
        let senders: Vec<_> =
            ["a", "b", "c"].map(|name| scope.spawn(move || send_until(scene, name, stop))).into();
        // Also when something fails here: otherwise the scope would wait for ever.
        let _stop = StopAtEnd(stop);
        let more = |cluster: &str| {
            let before = sent_to(scene, cluster);
            eventually(SOON, &format!("records of {cluster}"), || {
                (sent_to(scene, cluster) > before + 20.0).then_some(())
            });
        };
        more("primary");
        primary.kill();
        wait_until_active(scene, "standby");
        assert_eq!(scene.bridge.readyz(), Some(200), "ready as the standby is");
        more("standby");
        let restarted = Instant::now();
        primary.restart();
        wait_until_active(scene, "primary");
        assert!(restarted.elapsed() >= BACK_AFTER, "not before the wait for its return is over");
        more("primary");
        stop.store(true, Ordering::Relaxed);
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
    });
    scene.bridge.wait_until_idle();
    assert_eq!(switches(&scene), 2.0);
    for to in ["standby", "primary"] {
        let says = |line: &serde_json::Value| line["cluster"] == to && line["level"] == "WARN";
        let line = scene.bridge.log().find("records go to the other kafka cluster from now on", says);
        assert!(line.is_some(), "the switch to {to} is logged");
    }
    let (at_primary, at_standby) = (scene.records(), topics::read(standby.bootstrap(), &scene.topic));
    let landed: HashSet<&str> = keys(&at_primary).union(&keys(&at_standby)).copied().collect();
    let missing: Vec<_> = acknowledged.iter().filter(|id| !landed.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "acknowledged and not there: {missing:?}");
    assert!(at_standby.len() > 20);
    assert!(at_standby.iter().all(|record| record.header("hookbridge_cluster") == Some("standby")));
    assert!(at_primary.iter().all(|record| record.header("hookbridge_cluster").is_none()));
}

#[test]
fn a_primary_that_is_not_there_at_the_start_is_left() {
    let standby = Kafka::start();
    let scene = scene(NOBODY, &standby);
    assert_eq!(scene.bridge.readyz(), Some(503), "the primary is waited for first");
    wait_until_active(&scene, "standby");
    scene.bridge.wait_until_ready();
    scene.send(&scene.event("msg_1")).assert_received();
    let records = topics::read(standby.bootstrap(), &scene.topic);
    assert_eq!(keys(&records), HashSet::from(["msg_1"]));
    assert_eq!(switches(&scene), 1.0);
}

#[test]
fn a_flapping_primary_is_not_gone_back_to() {
    let (primary, standby) = (Kafka::start(), Kafka::start());
    let scene = scene(primary.bootstrap(), &standby);
    scene.bridge.wait_until_ready();
    // Away for less than the wait: no switch.
    primary.pause();
    eventually(SOON, "/readyz says 503", || (scene.bridge.readyz()? == 503).then_some(()));
    primary.resume();
    scene.bridge.wait_until_ready();
    assert_eq!(switches(&scene), 0.0);
    primary.pause();
    wait_until_active(&scene, "standby");
    for round in 0..2 {
        primary.resume();
        let ready = Instant::now();
        scene.send(&scene.event(&format!("msg_{round}"))).assert_received();
        eventually(SOON, "a moment of the primary", || (ready.elapsed() > BACK_AFTER / 3).then_some(()));
        primary.pause();
        let away = Instant::now();
        // Long enough to count as away.
        eventually(SOON, "silence", || (away.elapsed() > Duration::from_secs(6)).then_some(()));
        assert!(is_active(&scene, "standby"));
    }
    assert_eq!(switches(&scene), 1.0);
    primary.resume();
    wait_until_active(&scene, "primary");
    scene.send(&scene.event("msg_back")).assert_received();
    assert_eq!(switches(&scene), 2.0);
    assert_eq!(keys(&scene.records()), HashSet::from(["msg_back"]));
}
