//! Health and metrics: on their own port alone, under the names that operators know, without a sender's data.

use std::fs;

use super::support::http::{self, Request};
use super::support::scene::{Plan, TYPE};
use super::support::wait::{SOON, eventually};

#[test]
fn health_and_metrics_are_on_the_admin_port_alone() {
    let scene = Plan::of("svix").start();
    let (public, admin) = (scene.bridge.public(), scene.bridge.admin());
    for target in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(http::get(admin, target).expect("an answer").status, 200, "{target}");
        assert_eq!(http::get(public, target).expect("an answer").status, 404, "{target}");
        let head = http::send(admin, &Request::new("HEAD", target));
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
        let post = http::send(admin, &Request::post(target, b"x"));
        assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")), "{target}");
    }
    // Nor are webhooks taken where nobody verifies them.
    assert_eq!(http::send(admin, &scene.event("msg_1")).status, 405);
    for target in ["/", "/config", "/livez/", "/debug", "/webhooks/x", "//metrics"] {
        assert_eq!(http::get(admin, target).expect("an answer").status, 404, "{target}");
    }
    scene.assert_nothing_else_landed();
}

#[test]
fn metrics_have_the_names_of_the_semantic_conventions() {
    let scene = Plan::of("svix").start();
    scene.send(&scene.event("msg_metered")).assert_received();
    assert_eq!(scene.send(&scene.event("msg_refused").with("svix-id", "msg_other")).status, 401);
    assert_eq!(scene.send(&Request { target: "/nobody/here".into(), ..scene.event("msg_lost") }).status, 404);
    let source = format!("hookbridge_source=\"{}\"", scene.source);
    let topic = format!("messaging_destination_name=\"{}\"", scene.topic);
    let metric = |name: &str, labels: &[&str]| scene.bridge.metric(name, labels);
    let code = |code: &str| format!("http_response_status_code=\"{code}\"");

    let duration = "http_server_request_duration_seconds_count";
    assert_eq!(metric(duration, &[&source, &code("200"), "http_request_method=\"POST\""]), Some(1.0));
    assert_eq!(metric(duration, &[&source, &code("401"), "error_type=\"signature_mismatch\""]), Some(1.0));
    assert_eq!(metric(duration, &[&code("404"), "hookbridge_source=\"none\""]), Some(1.0));
    assert!(metric("http_server_request_duration_seconds_sum", &[&source]).is_some_and(|sum| sum > 0.0));
    let rejections = "hookbridge_rejections_total";
    assert_eq!(metric(rejections, &[&source, "error_type=\"signature_mismatch\""]), Some(1.0));
    assert_eq!(metric(rejections, &["error_type=\"unknown_source\""]), Some(1.0));
    let sent = "messaging_client_sent_messages_total";
    assert_eq!(metric(sent, &[&topic, "messaging_system=\"kafka\""]), Some(1.0));
    assert_eq!(metric("messaging_client_operation_duration_seconds_count", &[&topic]), Some(1.0));
    for (name, value) in [
        ("http_server_active_requests", 0.0),
        ("hookbridge_in_flight_requests", 0.0),
        ("hookbridge_in_flight_body_bytes", 0.0),
        ("hookbridge_ready", 1.0),
        ("hookbridge_producer_generation", 1.0),
    ] {
        assert_eq!(metric(name, &[]), Some(value), "{name}");
    }

    let held = scene.hold(&scene.event("msg_held"));
    assert_eq!(metric("http_server_active_requests", &[]), Some(1.0));
    eventually(SOON, "its octets are counted", || {
        metric("hookbridge_in_flight_body_bytes", &[]).filter(|octets| *octets > 0.0)
    });
    held.release();
    scene.bridge.wait_until_idle();
}

#[test]
fn metrics_are_in_prometheus_own_format() {
    let scene = Plan::of("svix").start();
    scene.send(&scene.event("msg_1")).assert_received();
    let answer = scene.bridge.get_admin("/metrics");
    let content_type = answer.header("content-type").expect("a media type");
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    let text = answer.text();
    assert!(text.ends_with('\n'));
    let mut typed = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, _) = rest.split_once(' ').expect("a type");
            assert!(!typed.contains(&name), "{name} is there twice");
            typed.push(name);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().expect("a name");
            assert!(typed.iter().any(|known| name.starts_with(known)), "{line}");
            let (_, value) = line.rsplit_once(' ').expect("a value");
            value.parse::<f64>().unwrap_or_else(|_| panic!("a number in {line}"));
        }
    }
    assert!(typed.len() >= 8, "{typed:?}");
}

#[test]
fn no_sender_writes_into_metrics_or_logs() {
    let scene = Plan::of("generic-sha256").option("namespace: ns-planted").start();
    let planted = "planted4711";
    let event = scene.event_of(&format!("{planted}.type"), &format!("evt_{planted}"));
    let signature = event.value("x-webhook-signature").to_owned();
    scene.send(&event.clone().header("user-agent", planted)).assert_received();
    let forged = Request { body: format!("{{\"id\":\"{planted}\"}}").into_bytes(), ..event };
    assert_eq!(scene.send(&forged).status, 401);
    for (method, target) in
        [("GET", format!("/{planted}")), ("POST", format!("/webhooks/{planted}?{planted}"))]
    {
        assert_eq!(scene.send(&Request::new(method, &target)).status, 404);
    }
    let strange = Request { method: "PLANTED4711".to_owned(), ..scene.event("evt_1") };
    assert_eq!(scene.send(&strange).status, 405);
    let metrics = scene.bridge.get_admin("/metrics").text();
    let log = scene.bridge.log().text();
    for text in [&metrics, &log] {
        for word in [planted, "PLANTED4711", "ns-planted", &signature[7..], scene.signer.secret()] {
            assert!(!text.contains(word), "{word} in\n{text}");
        }
    }
    assert!(metrics.contains("http_request_method=\"_OTHER\""));
}

#[test]
fn a_sender_can_not_break_a_line_of_the_log() {
    let scene = Plan::of("generic-hex").start();
    let id = r#"x\n{\"level\":\"ERROR\",\"message\":\"forged\"}"#;
    let body = format!(r#"{{"id":"{id}","type":{{"\u001b[31m":1}}}}"#);
    scene.send(&scene.request("", body.as_bytes())).assert_received();
    scene
        .send(
            &scene.request("", format!(r#"{{"id":"{}","type":"{TYPE}"}}"#, id.replace("\\n", "")).as_bytes()),
        )
        .assert_received();
    for line in scene.bridge.log().text().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert_ne!(line["level"], "ERROR");
    }
}

#[test]
fn nothing_is_written_to_the_disk() {
    let scene = Plan::of("svix").start();
    scene.send(&scene.event("msg_1")).assert_received();
    let files = scene.bridge.open_files();
    let regular: Vec<_> = files
        .iter()
        .filter(|file| fs::metadata(file).is_ok_and(|metadata| metadata.is_file()))
        .filter(|file| !file.starts_with("/dev") && !file.starts_with("/proc"))
        .collect();
    assert!(regular.is_empty(), "no state: {regular:?}");
}
