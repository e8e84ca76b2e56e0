//! The configuration changes while the service runs: a key is rotated without a lost delivery, a broken file changes
//! nothing, and what can't be changed is said.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::support::http::{self, Connection};
use super::support::provider::Signer;
use super::support::scene::{Plan, SECRET, Scene, TYPE};
use super::support::unique;
use super::support::volume::Volume;
use super::support::wait::{SOON, eventually};

const RELOADED: &str = "configuration reloaded";
const NOT_RELOADED: &str = "configuration not reloaded";

/// Writes a file as editors do: nobody ever sees a part of it.
fn replace(file: &Path, content: &str) {
    let draft = file.with_extension("draft");
    fs::write(&draft, content).expect("write a draft");
    fs::rename(draft, file).expect("put the draft in place");
}

/// Puts another text in the place of one in the configuration's file.
#[track_caller]
fn edit(scene: &Scene, from: &str, to: &str) {
    let before = fs::read_to_string(scene.bridge.file()).expect("read the configuration");
    assert!(before.contains(from), "{from} in\n{before}");
    replace(scene.bridge.file(), &before.replacen(from, to, 1));
}

/// How many lines with this message there are in the log.
fn count(scene: &Scene, message: &str) -> usize {
    scene.bridge.log().count(message, |_| true)
}

/// Waits until the log has as many lines with this message, and no more.
fn wait_for(scene: &Scene, message: &str, lines: usize) {
    let what = format!("{lines} lines in the log: {message}");
    eventually(SOON, &what, || (count(scene, message) >= lines).then_some(()));
    assert_eq!(count(scene, message), lines, "{message}");
}

/// Asks for a reload, and waits for the line that says how it went. On a machine that is slow, a look at the files may
/// have come before it.
fn hang_up(scene: &Scene, message: &str) {
    let asked = || scene.bridge.log().count(message, |line| line["reason"] == "SIGHUP");
    let before = asked();
    scene.bridge.signal("HUP");
    eventually(SOON, message, || (asked() > before).then_some(()));
}

fn reloads(scene: &Scene, outcome: &str) -> f64 {
    let label = format!("hookbridge_outcome=\"{outcome}\"");
    scene.bridge.metric("hookbridge_config_reloads_total", &[&label]).unwrap_or(0.0)
}

fn verified(scene: &Scene, key: &str) -> f64 {
    let labels = [format!("hookbridge_source=\"{}\"", scene.source), format!("hookbridge_key=\"{key}\"")];
    scene.bridge.metric("hookbridge_verified_total", &[&labels[0], &labels[1]]).unwrap_or(0.0)
}

/// Sends an event that this signer signs.
fn send(scene: &Scene, signer: &Signer, id: &str) -> u16 {
    scene.send(&signer.event(&scene.path(), id, TYPE)).status
}

/// Another secret of the same provider.
fn another() -> Signer {
    Signer::new("svix", &unique("another"))
}

#[test]
fn a_hangup_puts_a_new_secret_in_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("secret");
    let plan = Plan::of("svix").secrets(&format!("[{{ file: {}, name: current }}]", file.display()));
    fs::write(&file, Signer::new("svix", plan.name()).secret()).expect("write a secret");
    let scene = plan.start();
    let (old, new) = (scene.signer.clone(), another());
    let loaded = scene.bridge.metric("hookbridge_config_last_load_timestamp_seconds", &[]);
    assert!(loaded.is_some_and(|seconds| seconds > 1.7e9), "{loaded:?}");
    assert_eq!((send(&scene, &old, "msg_1"), send(&scene, &new, "msg_2")), (200, 401));

    replace(&file, new.secret());
    hang_up(&scene, RELOADED);
    assert_eq!((send(&scene, &old, "msg_3"), send(&scene, &new, "msg_4")), (401, 200));
    assert_eq!((verified(&scene, "current"), verified(&scene, "1")), (2.0, 0.0));
    assert!(reloads(&scene, "succeeded") >= 1.0 && reloads(&scene, "failed") == 0.0);
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_1", "msg_4"]);
    for secret in [old.secret(), new.secret()] {
        assert!(!scene.bridge.log().text().contains(secret), "no secret in the log");
    }
}

const SENDERS: usize = 16;
/// In each of the three phases, and while the service looks for what has changed.
const EVENTS_EACH_PHASE: usize = 4000;

/// The configuration with these secrets, each a file of the volume with its own name.
fn with_secrets(volume: &Volume, config: &str, names: &[&str]) -> String {
    let entry = |name: &&str| format!("{{ file: {}, name: {name} }}", volume.path(name).display());
    let list: Vec<String> = names.iter().map(entry).collect();
    let line = config.lines().find(|line| line.trim_start().starts_with("secrets:")).expect("the secrets");
    config.replace(line, &format!("    secrets: [{}]", list.join(", ")))
}

/// P2 over a rotation: the old key, both, the new key, each swapped in as Kubernetes does it.
#[test]
fn a_key_is_rotated_under_load_and_every_event_is_received() {
    let name = unique("rotation");
    let (old, new) = (Signer::new("svix", &name), Signer::new("svix", &format!("{name} again")));
    let mut volume = Volume::mount(&[("hookbridge.yaml", ""), ("old", old.secret())]);
    let secrets = format!("[{{ file: {}, name: old }}]", volume.path("old").display());
    let scene = Plan::of("svix").partitions(6).secrets(&secrets).file(volume.path("hookbridge.yaml")).start();
    let config = volume.read("hookbridge.yaml");

    let (received, by_new, done) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
    let send_all = |sender: usize| {
        let mut connection = Connection::open(scene.bridge.public());
        let mut keys = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let signer = if by_new.load(Ordering::Relaxed) { &new } else { &old };
            let id = format!("msg_{sender}_{}", keys.len());
            let answer = connection.exchange(&signer.event(&scene.path(), &id, TYPE));
            assert_eq!(answer.status, 200, "{id}: {answer:?}");
            received.fetch_add(1, Ordering::Relaxed);
            keys.push(id);
        }
        keys
    };
    let begun = Instant::now();
    let sent: HashSet<String> = thread::scope(|scope| {
        let send_all = &send_all;
        let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(move || send_all(sender))).collect();
        let a_phase = |what: &str| {
            let enough = received.load(Ordering::Relaxed) + EVENTS_EACH_PHASE;
            eventually(SOON, what, || {
                assert!(senders.iter().all(|sender| !sender.is_finished()), "an event was refused: {what}");
                (received.load(Ordering::Relaxed) >= enough).then_some(())
            });
        };
        a_phase("events signed with the old key");
        let both = with_secrets(&volume, &config, &["old", "new"]);
        volume.swap(&[("hookbridge.yaml", &both), ("old", old.secret()), ("new", new.secret())]);
        wait_for(&scene, RELOADED, 1);
        a_phase("events signed with the old key, while both are valid");
        by_new.store(true, Ordering::Relaxed);
        a_phase("events signed with the new key, while both are valid");
        // Each sender has had an answer since it changed to the new key: the old one is no longer used.
        let last_of_old = verified(&scene, "old");
        let only_new = with_secrets(&volume, &config, &["new"]);
        volume.swap(&[("hookbridge.yaml", &only_new), ("new", new.secret())]);
        wait_for(&scene, RELOADED, 2);
        a_phase("events signed with the new key alone");
        assert_eq!(verified(&scene, "old"), last_of_old);
        done.store(true, Ordering::Relaxed);
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
    });
    let rate = sent.len() as f64 / begun.elapsed().as_secs_f64();
    eprintln!("{} events, {rate:.0}/s", sent.len());
    assert!(rate >= 1000.0, "the load was {rate:.0} events/s");

    assert_eq!(verified(&scene, "old") + verified(&scene, "new"), sent.len() as f64);
    assert_eq!(send(&scene, &old, "msg_late"), 401, "the old key is retired");
    let records = scene.records();
    assert_eq!(records.len(), sent.len(), "each once");
    assert!(records.iter().all(|record| sent.contains(&record.key)));
    let by_old = records.iter().filter(|record| old.verifies(record)).count();
    let by_new = records.iter().filter(|record| new.verifies(record)).count();
    assert_eq!(by_old + by_new, records.len(), "what was signed is what landed");
    assert!(by_old >= 2 * EVENTS_EACH_PHASE && by_new >= 2 * EVENTS_EACH_PHASE, "{by_old} and {by_new}");
    // The late one, and no other.
    wait_for(&scene, "request refused", 1);
}

#[test]
fn a_broken_file_changes_nothing_and_says_so_until_it_is_mended() {
    let scene = Plan::of("svix").start();
    let failed = || scene.bridge.metric("hookbridge_config_reload_failed", &[]);
    assert_eq!(failed(), Some(0.0));
    edit(&scene, "provider: svix", "provider: svux\n    unmapped: perhaps");
    wait_for(&scene, NOT_RELOADED, 1);
    let line = scene.bridge.log().find(NOT_RELOADED, |line| line["level"] == "WARN").expect("a warning");
    let faults = line["faults"].as_str().expect("the faults");
    for fault in
        ["no preset `svux`", "did you mean `svix`?", "unmapped: unknown value `perhaps`", "2 errors in"]
    {
        assert!(faults.contains(fault), "{fault} in {faults}");
    }
    assert_eq!((failed(), reloads(&scene, "failed"), reloads(&scene, "succeeded")), (Some(1.0), 1.0, 0.0));
    assert_eq!(scene.bridge.readyz(), Some(200));
    scene.send(&scene.event("msg_meanwhile")).assert_received();

    edit(&scene, "provider: svux\n    unmapped: perhaps", "provider: svix");
    wait_for(&scene, RELOADED, 1);
    assert_eq!((failed(), reloads(&scene, "succeeded")), (Some(0.0), 1.0));
    scene.send(&scene.event("msg_mended")).assert_received();
}

#[test]
fn no_kind_of_broken_file_is_put_in_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("secret");
    let plan = Plan::of("svix").secrets(&format!("[{{ file: {} }}]", secret.display()));
    let good = Signer::new("svix", plan.name()).secret().to_owned();
    fs::write(&secret, &good).expect("write a secret");
    let scene = plan.start();
    let config = fs::read_to_string(scene.bridge.file()).expect("read the configuration");
    let mut failures = 0.0;
    let mut refused = |what: &str, expected: &str| {
        hang_up(&scene, NOT_RELOADED);
        failures += 1.0;
        let found = |line: &Value| line["faults"].as_str().is_some_and(|faults| faults.contains(expected));
        assert!(
            scene.bridge.log().find(NOT_RELOADED, found).is_some(),
            "{what}: {}",
            scene.bridge.log().text()
        );
        assert!(reloads(&scene, "failed") >= failures, "{what}");
        scene.send(&scene.event(&unique("msg"))).assert_received();
        assert_eq!(scene.bridge.readyz(), Some(200), "{what}");
    };
    let twin = format!(
        "  twin: {{ provider: svix, path: /webhooks/{}, secrets: [{{ env: {SECRET} }}] }}\n",
        scene.source
    );
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    for (what, text, expected) in [
        ("nothing at all", String::new(), "`sources` is missing"),
        ("half of it", config[..config.len() / 2].to_owned(), "error"),
        ("no YAML", "server: [".to_owned(), "not valid YAML"),
        ("an unknown key", config.replace("provider:", "providr:"), "did you mean `provider`?"),
        ("an alias bomb", bomb.to_owned(), "YAML anchors are not supported"),
        ("a path twice", format!("{config}{twin}"), "is served at"),
        ("too much", "#".repeat(5 * 1024 * 1024), "at most"),
        ("a broken property", config.replace("kafka:\n", "kafka:\n  acks: 1\n"), "2xx is a receipt"),
        (
            "an unset variable",
            config.replace("secrets: [", "secrets: [{ env: NOT_SET }, "),
            "`NOT_SET` is not set",
        ),
    ] {
        replace(scene.bridge.file(), &text);
        refused(what, expected);
    }
    fs::remove_file(scene.bridge.file()).expect("remove the configuration");
    refused("no file", "can't be read");
    fs::create_dir(scene.bridge.file()).expect("a directory");
    refused("a directory", "this is no file");
    fs::remove_dir(scene.bridge.file()).expect("remove the directory");
    replace(scene.bridge.file(), &config);
    for (what, text, expected) in [
        ("an empty secret", "", "is empty"),
        ("no base64", "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!", "is not base64"),
        ("too short a secret", "whsec_c2hvcnQ=", "at least 16"),
    ] {
        replace(&secret, text);
        refused(what, expected);
    }
    fs::remove_file(&secret).expect("remove the secret");
    refused("no secret", "can't be opened");
    replace(&secret, &good);
    hang_up(&scene, RELOADED);
    scene.send(&scene.event("msg_last")).assert_received();
}

#[test]
fn sources_come_and_go() {
    let name = unique("guest");
    let scene = Plan::of("svix").topic(&format!("webhooks.{name}")).start();
    let guest = |id: &str| {
        http::send(scene.bridge.public(), &scene.signer.event(&format!("/webhooks/{name}"), id, TYPE))
    };
    assert_eq!(guest("msg_early").status, 404);
    let host = format!("  {}:\n", scene.source);
    let with_guest = format!("  {name}: {{ provider: svix, secrets: [{{ env: {SECRET} }}] }}\n{host}");
    edit(&scene, &host, &with_guest);
    hang_up(&scene, RELOADED);
    guest("msg_guest").assert_received();
    scene.send(&scene.event("msg_host")).assert_received();
    edit(&scene, &with_guest, &host);
    hang_up(&scene, RELOADED);
    assert_eq!(guest("msg_late").status, 404);
    scene.send(&scene.event("msg_host_again")).assert_received();
    let keys: Vec<_> =
        scene.records_of(&format!("webhooks.{name}")).into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_guest"]);
}

#[test]
fn a_request_under_way_keeps_the_source_that_it_began_with() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("secret");
    let plan = Plan::of("svix").secrets(&format!("[{{ file: {} }}]", file.display()));
    fs::write(&file, Signer::new("svix", plan.name()).secret()).expect("write a secret");
    let other = format!("{}.other", plan.name());
    let scene = plan.topic(&other).start();
    let new = another();
    let held = scene.hold(&scene.event("msg_held"));
    replace(&file, new.secret());
    edit(&scene, "    provider: svix\n", &format!("    provider: svix\n    topics: {{ '*': {other} }}\n"));
    hang_up(&scene, RELOADED);
    assert_eq!(send(&scene, &scene.signer, "msg_old"), 401, "the old key is retired");
    assert_eq!(send(&scene, &new, "msg_new"), 200);
    held.release();
    let keys = |topic: &str| -> Vec<String> {
        scene.records_of(topic).into_iter().map(|record| record.key).collect()
    };
    assert_eq!((keys(&scene.topic), keys(&other)), (vec!["msg_held".to_owned()], vec!["msg_new".to_owned()]));
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_put_in_place() {
    let scene = Plan::of("svix").server("header_timeout: 9s").option("danger_accept_unsigned: false").start();
    edit(&scene, "header_timeout: 9s", "header_timeout: 8s");
    edit(&scene, "kafka:\n", "kafka:\n  linger.ms: 7\n");
    edit(&scene, "    provider: svix\n", "    provider: svix\n    path: /elsewhere\n");
    hang_up(&scene, RELOADED);
    let restart = "what these keys say needs a restart; the rest is in place";
    let line = scene.bridge.log().find(restart, |line| line["level"] == "WARN").expect("a warning");
    assert_eq!(line["keys"], "server.header_timeout, kafka.linger.ms");
    http::send(scene.bridge.public(), &scene.signer.event("/elsewhere", "msg_1", TYPE)).assert_received();
    assert_eq!(scene.send(&scene.event("msg_2")).status, 404);

    // What does not fit into what runs is not put in place at all.
    edit(&scene, "path: /elsewhere", "path: /third\n    max_body_bytes: 3MiB");
    hang_up(&scene, NOT_RELOADED);
    let faults = scene.bridge.log().find(NOT_RELOADED, |_| true).expect("a warning")["faults"].clone();
    let faults = faults.as_str().expect("the faults");
    assert!(faults.contains(".max_body_bytes: must be at most 960KiB"), "{faults}");
    assert!(faults.contains("until a restart"), "{faults}");
    assert_eq!(http::send(scene.bridge.public(), &scene.signer.event("/third", "msg_3", TYPE)).status, 404);
    http::send(scene.bridge.public(), &scene.signer.event("/elsewhere", "msg_4", TYPE)).assert_received();
}

#[test]
fn a_reload_warns_again_and_brings_no_further_topics_into_being() {
    let plan = Plan::of("svix").option("max_topics: 1");
    let prefix = plan.name().to_owned();
    let plan =
        plan.option(&format!("topics: {{ '*': '{prefix}.{{type}}' }}")).topic(&format!("{prefix}.one"));
    let scene = plan.source("open", "{ danger_accept_unsigned: true }").start();
    let warning = "requests are accepted without any signature";
    assert_eq!(count(&scene, warning), 1);
    scene.send(&scene.event_of("one", "msg_1")).assert_received();
    hang_up(&scene, RELOADED);
    assert!(count(&scene, warning) >= 2);
    // The other type first: it must not take the place that is taken.
    scene.send(&scene.event_of("two", "msg_3")).assert_received();
    scene.send(&scene.event_of("one", "msg_2")).assert_received();
    let dead: Vec<_> = scene.dead_letters().into_iter().map(|record| record.key).collect();
    assert_eq!(dead, ["msg_3"]);
    assert_eq!(scene.records_of(&format!("{prefix}.one")).len(), 2);
}

#[test]
fn a_secret_is_tried_in_its_window_alone() {
    let (early, late) = (Signer::new("svix", "early"), Signer::new("svix", "late"));
    let scene = Plan::of("svix")
        .env("EARLY", early.secret())
        .env("LATE", late.secret())
        .secrets(&format!(
            "[{{ env: LATE, not_before: 9999-01-01T00:00:00Z }}, {{ env: EARLY, not_after: 1999-01-01T00:00:00Z }}, \
             {{ env: {SECRET}, name: now, not_before: 1999-01-01T00:00:00Z, not_after: 9999-01-01T00:00:00Z }}]"
        ))
        .start();
    assert!(scene.bridge.log().text().contains("the secret `2` is not tried any more"));
    for (signer, status) in [(&early, 401), (&late, 401), (&scene.signer, 200)] {
        assert_eq!(send(&scene, signer, &unique("msg")), status);
    }
    assert_eq!(["1", "2", "now"].map(|key| verified(&scene, key)), [0.0, 0.0, 1.0]);
    // The end of a window is no reload.
    let ends = SystemTime::now() + Duration::from_secs(1);
    edit(
        &scene,
        "not_after: 9999-01-01T00:00:00Z",
        &format!("not_after: {}", humantime::format_rfc3339(ends)),
    );
    hang_up(&scene, RELOADED);
    eventually(SOON, "the window is over", || {
        (send(&scene, &scene.signer, &unique("msg")) == 401).then_some(())
    });
    assert!(SystemTime::now() > ends);
    let reason = "none of the 0 secrets that are valid now gives any of the presented signatures";
    eventually(SOON, reason, || scene.bridge.log().find("request refused", |line| line["reason"] == reason));
}
