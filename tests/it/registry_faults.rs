//! A schema registry that wants to know who is asking, and one that does not do what it should: no event becomes a record
//! by a schema that could not be had, every request is answered in time, and the others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::support::http;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::stub_registry::{Asked, Reply, StubRegistry, tls_file};
use super::support::wait::{SOON, eventually};

const ID: u32 = 258;
const PREFIX: [u8; 5] = [0, 0, 0, 1, 2];

/// After the 5 s for which a failure is remembered.
const HEALED: Duration = SOON;

/// A schema that every event fits.
fn anything() -> Value {
    json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object" })
}

fn found(_: &Asked) -> Reply {
    Reply::schema(ID, "JSON", &anything())
}

/// A source whose events must fit a schema: in one topic, or one for each type other than [`TYPE`], so that nobody asks for
/// those schemas beforehand.
fn plan(registry: &str) -> Plan {
    let plan = Plan::of("generic-hex").top(&format!("schema_registry: {{ {registry} }}"));
    let name = plan.name().to_owned();
    let route = |topic: &str| format!("{{ topic: '{topic}', schema: {{ format: json }} }}");
    let (known, by_type) = (route(&format!("webhooks.{name}")), route(&format!("{name}.{{type}}")));
    plan.topic(&format!("{name}.free"))
        .option(&format!("topics: {{ {TYPE}: {known}, free: {name}.free, '*': {by_type} }}"))
}

fn send(scene: &Scene, event_type: &str) -> http::Answer {
    scene.send(&scene.event_of(event_type, "evt_1"))
}

#[track_caller]
fn assert_refused(scene: &Scene, event_type: &str) {
    let answer = send(scene, event_type);
    assert_eq!(answer.status, 503, "{event_type}: {}", answer.text());
    assert!(answer.header("retry-after").is_some(), "{event_type}");
}

#[test]
fn the_registry_is_told_who_is_asking() {
    let basic = format!("Basic {}", STANDARD.encode("key:pass:word"));
    for (yaml, expected) in [
        ("username: key, password: { env: REGISTRY_SECRET }", basic.as_str()),
        ("token: { env: REGISTRY_SECRET }", "Bearer pass:word"),
    ] {
        let wanted = expected.to_owned();
        let registry = StubRegistry::start(move |asked| match asked.authorization.as_deref() {
            Some(authorization) if authorization == wanted => found(asked),
            _ => Reply::Answer(401, r#"{"error_code":401,"message":"who is there?"}"#.to_owned()),
        });
        let url = registry.url();
        let scene = plan(&format!("url: {url}, {yaml}")).env("REGISTRY_SECRET", "pass:word").start();
        send(&scene, TYPE).assert_received();
        assert!(scene.records()[0].value.starts_with(&PREFIX));
        assert!(!scene.bridge.log().text().contains("pass:word"), "no secret in the log");
        drop(scene);

        let scene = plan(&format!("url: {url}, {yaml}")).env("REGISTRY_SECRET", "another:word").start();
        assert_refused(&scene, TYPE);
        let log = eventually(SOON, "the registry's words in the log", || {
            let text = scene.bridge.log().text();
            text.contains("who is there?").then_some(text)
        });
        assert!(!log.contains("another:word"), "no secret in the log");
        assert_eq!(scene.records().len(), 0);
    }
}

#[test]
fn over_tls_both_sides_show_a_certificate() {
    let registry = StubRegistry::start_tls(found);
    let file = |key: &str, name: &str| format!(", {key}: {}", tls_file(name).display());
    let trusting = file("ca_file", "loopback-ca.pem");
    let known = file("cert_file", "client.pem") + &file("key_file", "client.key");
    for (yaml, is_good) in
        [(trusting.clone() + &known, true), (trusting, false), (file("ca_file", "ca.pem") + &known, false)]
    {
        let scene = plan(&format!("url: {}{yaml}", registry.url())).start();
        if is_good {
            send(&scene, TYPE).assert_received();
            assert!(scene.records()[0].value.starts_with(&PREFIX));
        } else {
            assert_refused(&scene, TYPE);
            assert_eq!(scene.records().len(), 0, "{yaml}");
        }
    }
}

#[test]
fn a_registry_that_hangs_holds_up_its_own_routes_alone() {
    let registry = StubRegistry::start(|_| Reply::Never);
    let respond_within = Duration::from_secs(4);
    let scene = plan(&format!("url: {}", registry.url())).option("respond_within: 4s").start();
    let hanging = scene.event_of(TYPE, "evt_hanging");
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let begun = Instant::now();
                    (scene.send(&hanging).status, begun.elapsed())
                })
            })
            .collect();
        eventually(SOON, "it is asked", || (!registry.asked("/subjects/").is_empty()).then_some(()));
        send(&scene, "free").assert_received();
        for answered in waiting {
            let (status, after) = answered.join().expect("an answer");
            assert_eq!(status, 503);
            assert!(after < respond_within, "{after:?}");
        }
    });
    scene.wait_for_refusal("registry_unavailable", &scene.source);
    assert_eq!(scene.bridge.readyz(), Some(200));
    assert_eq!(scene.records().len(), 0);
    scene.bridge.wait_until_idle();
}

#[test]
fn the_next_url_is_asked_if_the_first_is_of_no_use() {
    let good = StubRegistry::start(found);
    let hanging = StubRegistry::start(|_| Reply::Never);
    let broken = StubRegistry::start(|_| Reply::Answer(500, "{}".to_owned()));
    let [port, _] = super::support::kafka::free_ports();
    for bad in [hanging.url(), broken.url(), format!("http://127.0.0.1:{port}")] {
        let scene = plan(&format!("url: ['{bad}', '{}']", good.url())).start();
        send(&scene, TYPE).assert_received();
        assert!(scene.records()[0].value.starts_with(&PREFIX), "{bad}");
    }
}

#[test]
fn what_is_no_schema_is_never_used() {
    let (elsewhere, is_mended) = (StubRegistry::start(found), Arc::new(AtomicBool::new(false)));
    let (target, mended) = (elsewhere.url(), Arc::clone(&is_mended));
    let registry = StubRegistry::start(move |asked| {
        let is = |name: &str| asked.target.contains(&format!(".{name}-value"));
        match () {
            () if mended.load(Ordering::SeqCst) => found(asked),
            () if is("broken") => {
                Reply::Answer(500, r#"{"error_code":50001,"message":"out of order"}"#.to_owned())
            }
            () if is("html") => Reply::Answer(200, "<html>a proxy</html>".to_owned()),
            () if is("empty") => Reply::Answer(200, "{}".to_owned()),
            () if is("endless") => Reply::Endless,
            () if is("elsewhere") => Reply::Redirect(format!("{target}{}", asked.target)),
            () if is("avro") => Reply::schema(ID, "AVRO", &json!("string")),
            () if is("unknown") => Reply::schema(ID, "XML", &json!("<a/>")),
            () if is("wrong") => Reply::schema(ID, "JSON", &json!({ "type": "no such type" })),
            () if is("negative") => {
                Reply::Answer(200, r#"{"id":-1,"schema":"{}","schemaType":"JSON"}"#.to_owned())
            }
            () if is("dangling") => {
                let reference = json!([{ "name": "a.json", "subject": "gone", "version": 1 }]);
                let body = json!({ "id": ID, "schemaType": "JSON", "schema": "{}", "references": reference });
                Reply::Answer(200, body.to_string())
            }
            () => Reply::missing(),
        }
    });
    let scene = plan(&format!("url: {}", registry.url())).start();
    for (event_type, said) in [
        ("broken", "out of order"),
        ("html", "can't be read"),
        ("empty", "without the schema's"),
        ("endless", "an answer of more than"),
        ("elsewhere", "302 Found"),
        ("avro", "the registry's schema is Avro"),
        ("unknown", "of a kind of its own"),
        ("wrong", "can't be used"),
        ("negative", "can't be read"),
        ("dangling", "no version 1 of `gone`"),
        ("nowhere", "has nothing there"),
    ] {
        assert_refused(&scene, event_type);
        let message = "the schema registry does not give a schema that can be used";
        eventually(SOON, &format!("{event_type} in the log: {said}"), || {
            scene.bridge.log().find(message, |line| {
                let reason = line["reason"].as_str().unwrap_or_default();
                line["subject"].as_str().is_some_and(|subject| subject.contains(event_type))
                    && reason.contains(said)
            })
        });
    }
    assert_eq!(elsewhere.asked("").len(), 0, "nobody follows a redirection");
    assert_eq!(scene.dead_letters().len(), 0);

    is_mended.store(true, Ordering::SeqCst);
    eventually(HEALED, "it heals without a restart", || {
        // The topic is not there, and that is the answer as soon as the schema is.
        send(&scene, "wrong");
        scene.bridge.log().find("schema in use", |line| {
            line["subject"].as_str().is_some_and(|subject| subject.contains("wrong"))
        })
    });
}

/// Whoever floods the service with a type that nobody has registered does not flood the registry.
#[test]
fn a_flood_of_events_is_no_flood_of_questions() {
    let registry = StubRegistry::start(|asked| match asked.target.contains(".flood-value") {
        true => Reply::missing(),
        false => found(asked),
    });
    let scene = plan(&format!("url: {}", registry.url())).start();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| assert_refused(&scene, "flood")));
        }
    });
    let questions = registry.asked(".flood-value").len();
    // Each failure is remembered for 5 s.
    let most = 1 + usize::try_from(begun.elapsed().as_secs() / 5).expect("a number");
    assert!((1..=most).contains(&questions), "{questions} questions in {:?}", begun.elapsed());
    for number in 0..50 {
        scene.send(&scene.event(&format!("evt_{number}"))).assert_received();
    }
    let known = registry.asked(&format!("/subjects/{}-value/", scene.topic)).len();
    // One of the path's, and those of the looks at whether all is there.
    assert!((1..=3).contains(&known), "{known} questions");
}
