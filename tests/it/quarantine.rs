//! `quarantine`: a refused request is refused all the same, and can be verified again from its record.

use std::thread;
use std::time::Instant;

use super::refusals::{assert_refusal, refusals};
use super::support::http::{Connection, Request};
use super::support::provider::{Signer, sha256_hex};
use super::support::scene::{Plan, Scene, TYPE};
use super::support::topics::{self, Record};
use super::support::wait::{SOON, eventually};
use super::support::{unique, unix_millis};

/// A source with a quarantine, its topic, and the lines of the section.
fn keeping(preset: &str, section: &str) -> (Plan, String) {
    let topic = unique("quarantine");
    let plan = Plan::of(preset)
        .top(&format!("quarantine: {{ topic: {topic}{section} }}"))
        .option("quarantine: true");
    (plan, topic)
}

/// What is kept once there are so many.
fn kept(scene: &Scene, topic: &str, count: usize) -> Vec<Record> {
    let records = topics::read_until(&scene.bootstrap, topic, SOON, |records| records.len() >= count);
    assert_eq!(records.len(), count);
    records
}

/// A counter of this source, for one `error.type` or for all.
fn counted(scene: &Scene, name: &str, error_type: Option<&str>) -> f64 {
    let mut labels = vec![format!("hookbridge_source=\"{}\"", scene.source)];
    labels.extend(error_type.map(|error_type| format!("error_type=\"{error_type}\"")));
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    scene.bridge.metric(name, &labels).unwrap_or(0.0)
}

const KEPT: &str = "hookbridge_quarantined_total";
const SKIPPED: &str = "hookbridge_quarantine_skipped_total";

/// The secret in the configuration is another's: what the provider signs is refused, and not lost.
#[test]
fn what_a_wrong_secret_refuses_can_be_verified_again() {
    for preset in ["svix", "standard-webhooks", "generic-hex", "generic-sha256"] {
        let (plan, topic) = keeping(preset, "");
        let wrong = Signer::new(preset, "another account");
        let scene =
            plan.topic(&topic).secrets("[{ env: WRONG_SECRET }]").env("WRONG_SECRET", wrong.secret()).start();
        let event = scene.event("evt_1");
        let request = event
            .clone()
            .header("authorization", "Bearer token-of-somebody")
            .header("cookie", "session=1")
            .header("x-api-key", "key-of-somebody");
        let before = unix_millis();
        assert_refusal(&scene.send(&request), 401, "invalid_signature");
        let record = kept(&scene, &topic, 1).remove(0);

        assert!(scene.signer.verifies(&record), "{preset}: {record:?}");
        assert!(!wrong.verifies(&record));
        assert_eq!(record.value, event.body);
        assert_eq!(record.key, sha256_hex(&event.body));
        for (name, value) in [
            ("hookbridge_source", scene.source.as_str()),
            ("hookbridge_path", &scene.path()),
            ("hookbridge_verification", "failed"),
            ("hookbridge_verification_error", "signature_mismatch"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(record.header(name), Some(value), "{name}");
        }
        assert!(record.header("hookbridge_received_at").is_some_and(|at| at.starts_with("20")));
        assert!((i64::try_from(before).expect("a time")..).contains(&record.timestamp_ms));
        let all = format!("{:?}", record.headers.iter().map(|(n, v)| (n, String::from_utf8_lossy(v))));
        assert!(!all.contains("somebody") && !all.contains("session"), "no credential: {all}");
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["authorization", "cookie", "x-api-key", "ce_id"] {
            assert!(!names.contains(&name), "{names:?}");
        }
        assert_eq!(counted(&scene, KEPT, Some("signature_mismatch")), 1.0);
        assert_eq!(refusals(&scene, "signature_mismatch", &scene.source), 1.0);
        assert_eq!((scene.records().len(), scene.dead_letters().len()), (0, 0));
    }
}

#[test]
fn an_unsigned_header_that_names_the_event_is_kept_with_it() {
    let (plan, topic) = keeping("generic-sha256", "");
    let scene = plan.topic(&topic).start();
    let forger = Signer::new("generic-sha256", "who does not know the secret");
    let forged = forger.event(&scene.path(), "evt_1", TYPE).header("x-webhook-event", TYPE);
    assert_refusal(&scene.send(&forged), 401, "invalid_signature");
    assert_eq!(kept(&scene, &topic, 1)[0].header("x-webhook-event"), Some(TYPE));
    scene.assert_nothing_else_landed();
}

/// Kept is what another secret, or a scheme put right, may prove; not what no secret will, nor what is too large.
#[test]
fn what_can_not_be_verified_later_is_not_kept() {
    let (plan, topic) = keeping("svix", ", max_body_bytes: 100");
    let scene = plan.topic(&topic).start();
    let event = scene.event("msg_1");
    let stale = unix_millis() / 1000 - 3600;
    let body = scene.signer.body("msg_1", TYPE);
    let forger = Signer::new("svix", "who does not know the secret");
    for request in [
        event.clone().without("svix-signature"),
        event.clone().without("svix-id"),
        scene.signer.request_at(&scene.path(), "msg_1", stale, &body),
        forger.request(&scene.path(), "msg_large", &[b' '; 101]),
        event.clone().with("svix-signature", &"v1,x ".repeat(1700)),
    ] {
        assert_refusal(&scene.send(&request), 401, "invalid_signature");
    }
    assert_eq!(scene.send(&event.clone().header("svix-signature", "v1,x")).status, 400);
    // Both have one partition, and are enqueued in this order: what was to come before these would have come.
    let malformed = event.clone().with("svix-signature", "v1,not-base64");
    assert_refusal(&scene.send(&malformed), 401, "invalid_signature");
    let most = forger.request(&scene.path(), "msg_most", &[b' '; 100]);
    assert_refusal(&scene.send(&most), 401, "invalid_signature");
    let records = kept(&scene, &topic, 2);
    assert_eq!(records[0].header("hookbridge_verification_error"), Some("signature_malformed"));
    assert_eq!(records[1].header("svix-id"), Some("msg_most"));
    assert_eq!(counted(&scene, SKIPPED, Some("body_too_large")), 1.0);
    assert_eq!(counted(&scene, SKIPPED, Some("header_too_large")), 1.0);
    assert_eq!(counted(&scene, SKIPPED, None), 2.0);
    scene.assert_nothing_else_landed();
}

#[test]
fn off_by_default_nothing_is_kept() {
    let (plan, topic) = keeping("svix", "");
    let off = unique("off");
    let line = format!("{{ provider: svix, secrets: [{{ env: {} }}] }}", super::support::scene::SECRET);
    let scene = plan.topic(&topic).source(&off, &line).start();
    let forger = Signer::new("svix", "who does not know the secret");
    let to_off = forger.event(&format!("/webhooks/{off}"), "msg_off", TYPE);
    assert_refusal(&scene.send(&to_off), 401, "invalid_signature");
    assert_refusal(&scene.send(&forger.event(&scene.path(), "msg_on", TYPE)), 401, "invalid_signature");
    let record = kept(&scene, &topic, 1).remove(0);
    assert_eq!(record.header("svix-id"), Some("msg_on"));
    scene.assert_nothing_else_landed();
}

/// Sends as many forged requests at once as `connections` let through, and sees each refused.
fn flood(scene: &Scene, connections: usize, each: usize) {
    let forger = Signer::new("svix", "who does not know the secret");
    thread::scope(|scope| {
        for connection in 0..connections {
            let (scene, forger) = (&scene, &forger);
            scope.spawn(move || {
                let mut open = Connection::open(scene.bridge.public());
                for number in 0..each {
                    let id = format!("msg_{connection}_{number}");
                    let forged = forger.event(&scene.path(), &id, TYPE);
                    assert_refusal(&open.exchange(&forged), 401, "invalid_signature");
                }
            });
        }
    });
}

/// Sends genuine events one after the other, and sees each received.
fn genuine(scene: &Scene, count: usize) -> Vec<String> {
    let mut connection = Connection::open(scene.bridge.public());
    let ids: Vec<String> = (0..count).map(|number| format!("genuine_{number}")).collect();
    for id in &ids {
        connection.exchange(&scene.event(id)).assert_received();
    }
    ids
}

fn keys(records: Vec<Record>) -> Vec<String> {
    records.into_iter().map(|record| record.key).collect()
}

#[test]
fn a_flood_is_kept_at_its_rate_and_genuine_events_notice_nothing() {
    const RATE: f64 = 5.0;
    let (plan, topic) = keeping("svix", ", max_per_second: 5");
    let scene = plan.topic(&topic).start();
    let begun = Instant::now();
    let ids = thread::scope(|scope| {
        let genuine = scope.spawn(|| genuine(&scene, 100));
        flood(&scene, 4, 100);
        genuine.join().expect("a sender of genuine events")
    });
    let took = begun.elapsed().as_secs_f64();
    let (kept, skipped) = (counted(&scene, KEPT, None), counted(&scene, SKIPPED, Some("rate_limited")));
    assert_eq!(kept + skipped, 400.0, "each is accounted for");
    assert!((RATE..=RATE * (took + 1.0)).contains(&kept), "{kept} in {took} s");
    assert!(skipped > 0.0, "the flood was faster than the rate: {took} s");
    self::kept(&scene, &topic, kept as usize);
    assert_eq!(keys(scene.records()), ids);
    scene.bridge.wait_until_idle();
}

/// Without the topic every record stays in memory until librdkafka gives it up. They have room of their own.
#[test]
fn what_can_not_be_delivered_takes_no_room_from_genuine_events() {
    let (plan, _missing) = keeping("svix", ", max_per_second: 1000");
    let scene = plan.server("max_in_flight_requests: 8").start();
    // Time stands still for nobody: the flood is repeated until it has met the limit.
    eventually(SOON, "the quarantine has no room", || {
        flood(&scene, 4, 50);
        (counted(&scene, SKIPPED, Some("overloaded")) > 0.0).then_some(())
    });
    assert!(counted(&scene, KEPT, None) >= 64.0);
    assert_eq!(scene.in_flight(), 0.0, "none of them has a genuine request's permit");
    let ids = genuine(&scene, 20);
    assert_eq!(keys(scene.records()), ids);
    assert_eq!(refusals(&scene, "overloaded", &scene.source), 0.0);
    // Their room comes back when librdkafka has given them up. It then knows that the topic is not there, and says so
    // to the next one that finds room.
    eventually(SOON, "room again", || {
        let forged = Request { body: b"{}".to_vec(), ..scene.event("msg_1") };
        assert_refusal(&scene.send(&forged), 401, "invalid_signature");
        (counted(&scene, SKIPPED, Some("topic_unavailable")) > 0.0).then_some(())
    });
}
