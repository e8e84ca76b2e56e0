//! What a request itself can be refused for: status, answer, reason in the log, and topics that stay empty (P1).
//!
//! [`super::limits`], [`super::kafka_refusals`] and [`super::injected_faults`] have the rest of the `Rejection`s.
//! One can't be brought about from outside, and is left to unit tests: `QueueFull`, since the queue has twice the
//! room of the service's own limits, which refuse first (`Overloaded`).

use super::support::http::{Answer, Request};
use super::support::provider::Signer;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::unix_millis;

/// An answer that refuses, as far as it follows from the status.
#[track_caller]
pub(crate) fn assert_refusal(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "{} {answer:?}", answer.text());
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("an answer in JSON");
    assert_eq!(body["error"], error, "{body}");
    let message = body["message"].as_str().expect("a sentence");
    assert!(message.ends_with('.') && message.len() > 10, "{message}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "{body}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    let retry_after: Option<u32> = answer.header("retry-after").map(|text| text.parse().expect("seconds"));
    match status {
        503 => assert!(retry_after.is_some_and(|seconds| (1..=60).contains(&seconds)), "{answer:?}"),
        _ => assert_eq!(retry_after, None, "{answer:?}"),
    }
    assert_eq!(answer.header("allow"), (status == 405).then_some("POST"), "{answer:?}");
}

/// How often requests were refused for a reason.
pub(crate) fn refusals(scene: &Scene, error_type: &str, source: &str) -> f64 {
    let labels = [format!("error_type=\"{error_type}\""), format!("hookbridge_source=\"{source}\"")];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    scene.bridge.metric("hookbridge_rejections_total", &labels).unwrap_or(0.0)
}

/// Sends requests, each of which is refused for the same reason, and shows that none of them landed.
#[track_caller]
fn refused(scene: &Scene, status: u16, error: &str, error_type: &str, requests: &[Request]) {
    for request in requests {
        assert_refusal(&scene.send(request), status, error);
    }
    scene.wait_for_refusal(error_type, &scene.source);
    assert_eq!(refusals(scene, error_type, &scene.source), requests.len() as f64, "{error_type}");
    scene.assert_nothing_else_landed();
}

/// One answer for everything about signatures: from outside all their defects look alike.
#[track_caller]
fn unauthorised(scene: &Scene, error_type: &str, requests: &[Request]) {
    let generic = r#"{"error":"invalid_signature","message":"The signature or its timestamp is not valid."}"#;
    refused(scene, 401, "invalid_signature", error_type, requests);
    assert_eq!(scene.send(&requests[0]).text(), generic);
}

#[test]
fn signature_missing() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    let requests = ["svix-id", "svix-timestamp", "svix-signature"].map(|name| event.clone().without(name));
    unauthorised(&scene, "signature_missing", &requests);

    let scene = Plan::of("generic-hex").start();
    unauthorised(&scene, "signature_missing", &[scene.event("evt_1").without("x-webhook-signature")]);
}

#[test]
fn header_repeated() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    let mut requests = Vec::new();
    for name in ["svix-id", "svix-timestamp", "svix-signature"] {
        let value = event.value(name).to_owned();
        requests.push(event.clone().header(name, &value));
        requests.push(event.clone().header(name, "other"));
        // The same under the other name that the scheme knows.
        requests.push(event.clone().header(&name.replace("svix", "webhook"), &value));
    }
    refused(&scene, 400, "header_repeated", "header_repeated", &requests);

    let scene = Plan::of("generic-sha256").start();
    let event = scene.event("evt_1");
    let value = event.value("x-webhook-signature").to_owned();
    let twice = event.clone().header("X-WEBHOOK-SIGNATURE", &value);
    // Not part of the signature, but read: which of the two would it be?
    let two_types = event.header("X-Webhook-Event", "a").header("x-webhook-event", "b");
    refused(&scene, 400, "header_repeated", "header_repeated", &[twice, two_types]);
}

#[test]
fn signature_malformed() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    let signature = event.value("svix-signature").to_owned();
    let bare = signature.strip_prefix("v1,").expect("a version");
    let mut requests: Vec<Request> =
        ["", "v1,", "v1,AAAA", bare, &format!("v2,{bare}"), &format!("{signature}=")]
            .iter()
            .map(|value| event.clone().with("svix-signature", value))
            .collect();
    for id in ["", "msg.1", "msg 1", &"m".repeat(257)] {
        requests.push(scene.request(id, &event.body));
    }
    for timestamp in ["", "-1", "1e9", "0", "01", "99999999999999999999"] {
        requests.push(event.clone().with("svix-timestamp", timestamp));
    }
    unauthorised(&scene, "signature_malformed", &requests);

    let scene = Plan::of("generic-sha256").start();
    let event = scene.event("evt_1");
    let signature = event.value("x-webhook-signature").to_owned();
    let bare = signature.strip_prefix("sha256=").expect("a prefix");
    let requests =
        ["", bare, "sha256=", &signature[..70], &format!("{signature}0"), &format!("SHA256={bare}")]
            .map(|value| event.clone().with("x-webhook-signature", value));
    unauthorised(&scene, "signature_malformed", &requests);
}

#[test]
fn signature_mismatch() {
    let scene = Plan::of("svix").start();
    let path = scene.path();
    let event = scene.event("msg_1");
    let altered = Request { body: [event.body.as_slice(), b" "].concat(), ..event.clone() };
    let now = unix_millis() / 1000;
    let requests = [
        altered,
        Request { body: Vec::new(), ..event.clone() },
        event.clone().with("svix-id", "msg_2"),
        event.clone().with("svix-timestamp", &(now + 2).to_string()),
        Signer::new("svix", "another secret").event(&path, "msg_1", TYPE),
        // Signed for another scheme, with the same secret.
        event.with("svix-signature", &format!("v1,{}", "A".repeat(43) + "=")),
    ];
    unauthorised(&scene, "signature_mismatch", &requests);

    let scene = Plan::of("generic-hex").start();
    let event = scene.event("evt_1");
    let altered = Request { body: event.body.to_ascii_uppercase(), ..event.clone() };
    let zeros = event.with("x-webhook-signature", &"0".repeat(64));
    unauthorised(&scene, "signature_mismatch", &[altered, zeros]);
}

#[test]
fn timestamp_outside_tolerance() {
    let scene = Plan::of("standard-webhooks").start();
    let now = unix_millis() / 1000;
    let body = scene.signer.body("msg_1", TYPE);
    // A minute beyond the tolerance, so that a slow machine does not change the outcome.
    let requests = [now - 360, now + 360, 1, 999_999_999_999]
        .map(|timestamp| scene.signer.request_at(&scene.path(), "msg_1", timestamp, &body));
    unauthorised(&scene, "timestamp_outside_tolerance", &requests);
}

#[test]
fn a_timestamp_within_the_tolerance_is_accepted() {
    let scene = Plan::of("standard-webhooks").option("tolerance: 10m").start();
    let now = unix_millis() / 1000;
    let body = scene.signer.body("", TYPE);
    for (id, timestamp) in [("msg_past", now - 540), ("msg_future", now + 540)] {
        scene.send(&scene.signer.request_at(&scene.path(), id, timestamp, &body)).assert_received();
    }
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["msg_past", "msg_future"]);
}

#[test]
fn unknown_source() {
    let scene = Plan::of("svix").source("off", "{ provider: svix, enabled: false }").start();
    let event = scene.event("msg_1");
    for target in ["/", "/webhooks", "/webhooks/", "/webhooks/nobody", "/webhooks/off", "/metrics", "/readyz"]
    {
        let request = Request { target: target.to_owned(), ..event.clone() };
        assert_refusal(&scene.send(&request), 404, "unknown_source");
    }
    scene.wait_for_refusal("unknown_source", "none");
    assert_eq!(refusals(&scene, "unknown_source", "none"), 7.0);
    scene.assert_nothing_else_landed();
}

#[test]
fn method_not_allowed() {
    let scene = Plan::of("svix").start();
    let event = scene.event("msg_1");
    let requests = ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
        .map(|method| Request { method: method.to_owned(), ..event.clone() });
    refused(&scene, 405, "method_not_allowed", "method_not_allowed", &requests);
    let head = Request { method: "HEAD".to_owned(), body: Vec::new(), ..event };
    assert_eq!(scene.send(&head).status, 405);
}

#[test]
fn unroutable() {
    let plan = Plan::of("generic-hex").option("unmapped: reject");
    let mapped = format!("topics: {{ {TYPE}: webhooks.{}, 'known.*': {{ drop: true }} }}", plan.name());
    let scene = plan.option(&mapped).start();
    let requests =
        ["test.happened.not", "test", "unknown"].map(|event_type| scene.event_of(event_type, "evt_1"));
    refused(&scene, 400, "unroutable", "unroutable", &requests);
    // A dropped type is not an unknown one.
    scene.send(&scene.event_of("known.one", "evt_2")).assert_received();
}
