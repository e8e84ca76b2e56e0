//! `send --source`: an event of a source, as its configuration says it, to the service that runs by the same file.

use super::support::command::{Done, run};
use super::support::scene::{Plan, Scene};
use super::support::unique;

/// A scheme that no preset has.
const OWN: &str = "{ signature: { header: X-Own-Signature, algorithm: hmac-sha256, encoding: hex, content: '{timestamp}.{body}' }, \
                   timestamp: { header: X-Own-Time }, message_id: { json: /id }, event_type: { json: /kind } }";

fn send(scene: &Scene, arguments: &[&str]) -> Done {
    let file = scene.bridge.file().display().to_string();
    let url = |source: &str| format!("http://{}/webhooks/{source}", scene.bridge.public());
    let source = arguments[0];
    let mut all = vec!["send", "--config", &file, "--source", source];
    let url = url(source);
    all.extend(["--url", &url]);
    all.extend(&arguments[1..]);
    run(&all, &scene.bridge.env())
}

#[test]
fn an_event_of_each_kind_of_source_is_received() {
    let plan = Plan::of("svix");
    let topic = format!("webhooks.{}", plan.name());
    let (own, open) = (unique("own"), unique("open"));
    let topics = format!("topics: {{ '*': {topic} }}");
    // The first key is over; the second one counts.
    let secrets = "secrets: [{ env: OLD, not_after: 2020-01-01T00:00:00Z }, { env: NEW }]";
    let scene = plan
        .source(&own, &format!("{{ provider: {OWN}, {secrets}, {topics} }}"))
        .source(&open, &format!("{{ provider: generic-hex, danger_accept_unsigned: true, {topics} }}"))
        .env("OLD", "a secret that is over and done with")
        .env("NEW", "a secret that is valid from now on")
        .start();
    for source in [scene.source.as_str(), &own, &open] {
        let done = send(&scene, &[source, "--probe"]);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{source}: {done:?}");
        let records = scene.records();
        let last = records.last().expect("a record");
        assert_eq!(last.header("hookbridge_source"), Some(source));
        assert_eq!(last.header("ce_type"), Some("hookbridge.test"), "{source}");
        assert!(last.key.starts_with("hookbridge-test-"), "{source}: {}", last.key);
    }
    assert_eq!(scene.records().len(), 3);

    let done = send(&scene, &[&own, "--type", "order.paid", "--id", "ord_1"]);
    assert_eq!(done.code, 0, "{done:?}");
    let records = scene.records();
    let last = records.last().expect("a record");
    assert_eq!((last.key.as_str(), last.header("ce_type")), ("ord_1", Some("order.paid")));

    let done = send(&scene, &[&own, "--secret", "another secret, which is not the source's"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.starts_with("401 "), "{done:?}");
    assert_eq!(scene.records().len(), 4, "what is signed with another secret lands nowhere");
}

#[test]
fn what_is_wrong_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("hookbridge.yaml");
    let text = "kafka: { bootstrap.servers: 'a:1' }\nsources:\n  shop: { provider: generic-hex, secrets: [{ env: SHOP }] }\n  \
                mail: { provider: sendgrid, secrets: [{ env: MAIL }] }\n  pay: { provider: paypal, parameters: { webhook_id: '1' } }\n";
    std::fs::write(&file, text).expect("write a configuration");
    let file = file.to_str().expect("a path in UTF-8");
    // A public key, as SendGrid shows it.
    let public = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
    let env = [("SHOP", "a secret of some length"), ("MAIL", public)];
    for (source, env, code, said) in [
        ("shpo", &env[..], 1, "there is no source `shpo` that is served: did you mean `shop`?"),
        ("mail", &env[..], 1, "only the provider can sign"),
        ("pay", &env[..], 1, "only the provider can sign as paypal does"),
        ("shop", &[], 64, "SHOP"),
    ] {
        let done = run(&["send", "--config", file, "--source", source], env);
        assert_eq!(done.code, code, "{source}: {done:?}");
        assert!(done.stderr.contains(said), "`{said}` in {done:?}");
        assert!(!format!("{done:?}").contains("a secret of some length"), "{done:?}");
    }
    for arguments in [
        &["send", "--source", "shop"][..],
        &["send", "--config", file],
        &["send", "--config", file, "--source", "shop", "--provider", "svix"],
        &["send", "--provider", "svix", "--probe", "--type", "a"],
        &["send"],
    ] {
        assert_eq!(run(arguments, &[]).code, 2, "{arguments:?}");
    }
}
