//! Requests by which a provider sees who is there: answered for the source whose provider makes them, and for no
//! other; and nothing of them lands.

use super::refusals::assert_refusal;
use super::support::http::{self, Answer, Request};
use super::support::scene::{Plan, Scene};
use super::support::wait::{SOON, eventually};

const TOKEN: (&str, &str) = ("HANDSHAKE_TOKEN", "the token that I told them");

/// One handshake of each kind.
const ALL: &str = "handshakes: [\
    { when: { method: GET, query: { mode: subscribe, token: { token: true } } }, answer: { text: { query: challenge } } }, \
    { when: { method: GET, query: { crc: { present: true } } }, \
      answer: { json: { signed: { hmac_sha256: { query: crc } } } } }, \
    { when: { method: OPTIONS, header: { WebHook-Request-Origin: { present: true } } }, \
      answer: { headers: { WebHook-Allowed-Origin: { header: WebHook-Request-Origin } } } }, \
    { when: { method: HEAD }, answer: {} }, \
    { when: { query: { validationToken: { present: true } } }, verified: false, answer: { text: { query: validationToken } } }, \
    { when: { json: { /type: url_verification, /challenge: { present: true } } }, answer: { json: { challenge: { json: /challenge } } } }]";

fn plan() -> Plan {
    let (name, token) = TOKEN;
    Plan::of("generic-hex")
        .extended(ALL)
        .env(name, token)
        .option(&format!("handshake_token: {{ env: {name} }}"))
}

fn ask(scene: &Scene, method: &str, query: &str) -> Answer {
    scene.send(&Request::new(method, &format!("{}{query}", scene.path())))
}

/// What every answer to a handshake has.
#[track_caller]
fn assert_answer(answer: &Answer, content_type: Option<&str>, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (200, body), "{answer:?}");
    assert_eq!(answer.header("content-type"), content_type, "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'"), "{answer:?}");
}

const TEXT: Option<&str> = Some("text/plain; charset=utf-8");

fn handshakes(scene: &Scene, outcome: &str) -> f64 {
    let labels =
        [format!("hookbridge_outcome=\"{outcome}\""), format!("hookbridge_source=\"{}\"", scene.source)];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    scene.bridge.metric("hookbridge_handshakes_total", &labels).unwrap_or(0.0)
}

#[test]
fn a_challenge_comes_back_as_plain_text() {
    let scene = plan().start();
    let token = "the+token%20that+I+told+them";
    let asked =
        |challenge: &str| ask(&scene, "GET", &format!("?mode=subscribe&token={token}&challenge={challenge}"));
    assert_answer(&asked("1158201444"), TEXT, "1158201444");
    // It would run in a browser that took it for HTML.
    let script = asked("%3Cscript%3Ealert(document.domain)%3C%2Fscript%3E");
    assert_answer(&script, TEXT, "<script>alert(document.domain)</script>");
    let answer = asked(&"x".repeat(4096));
    assert_eq!(answer.body.len(), 4096);
    for unusable in ["", "a&challenge=b", &"x".repeat(4097)] {
        assert_refusal(&asked(unusable), 400, "handshake_refused");
    }
    for other in ["", "?mode=other&challenge=1", "?challenge=1"] {
        assert_refusal(&ask(&scene, "GET", other), 400, "no_handshake");
    }
    assert_eq!(handshakes(&scene, "answered"), 3.0);
    assert_eq!(handshakes(&scene, "handshake_refused"), 3.0);
    assert_eq!(handshakes(&scene, "no_handshake"), 3.0);
    eventually(SOON, "a line in the log", || {
        scene.bridge.log().find("handshake", |line| line["level"] == "INFO" && line["source"] == scene.source)
    });
    scene.assert_nothing_else_landed();
    scene.bridge.wait_until_idle();
}

#[test]
fn a_wrong_token_is_refused_and_nothing_comes_back() {
    let scene = plan().start();
    for token in
        ["", "x", "the+token+that+I+told+the", "the+token+that+I+told+them+", "The+token+that+I+told+them"]
    {
        let answer = ask(&scene, "GET", &format!("?mode=subscribe&token={token}&challenge=echo-of-1"));
        assert_refusal(&answer, 401, "invalid_signature");
        assert!(!answer.text().contains("echo-of-1"), "{answer:?}");
    }
    scene.wait_for_refusal("handshake_token_mismatch", &scene.source);
    assert_eq!(handshakes(&scene, "handshake_token_mismatch"), 5.0);
    assert!(!scene.bridge.log().text().contains("echo-of-1") && !scene.bridge.log().text().contains(TOKEN.1));
    scene.assert_nothing_else_landed();
}

#[test]
fn options_and_head_are_answered() {
    let scene = plan().start();
    let asked =
        Request::new("OPTIONS", &scene.path()).header("WebHook-Request-Origin", "eventemitter.example.com");
    let answer = scene.send(&asked);
    assert_answer(&answer, TEXT, "");
    assert_eq!(answer.header("webhook-allowed-origin"), Some("eventemitter.example.com"));
    // What a browser asks before it lets a page read an answer is not what it hears.
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_refusal(&scene.send(&asked.with("WebHook-Request-Origin", "two words")), 400, "handshake_refused");
    assert_refusal(&ask(&scene, "OPTIONS", ""), 400, "no_handshake");
    assert_answer(&ask(&scene, "HEAD", ""), TEXT, "");
    assert_eq!(ask(&scene, "PUT", "").header("allow"), Some("GET, HEAD, OPTIONS, POST"));
    scene.assert_nothing_else_landed();
}

#[test]
fn a_signed_challenge_is_answered_and_a_forged_one_refused() {
    let scene = plan().start();
    let body = br#"{"type":"url_verification","challenge":"3eZb</script>\"","id":"evt_1"}"#;
    let genuine = scene.request("", body);
    let answer = scene.send(&genuine);
    assert_answer(&answer, Some("application/json"), r#"{"challenge":"3eZb</script>\""}"#);
    for forged in [
        genuine.clone().without("x-webhook-signature"),
        genuine.clone().with("x-webhook-signature", &"0".repeat(64)),
        // Not even together with a handshake that needs no signature.
        Request { target: format!("{}?validationToken=3eZb", scene.path()), ..genuine.clone() }
            .with("x-webhook-signature", &"0".repeat(64)),
    ] {
        let answer = scene.send(&forged);
        assert_refusal(&answer, 401, "invalid_signature");
        assert!(!answer.text().contains("3eZb"), "{answer:?}");
    }
    scene.assert_nothing_else_landed();
}

#[test]
fn an_unsigned_handshake_is_an_echo_and_no_receipt() {
    let scene = plan().start();
    let asked =
        |body: &[u8]| scene.send(&Request::post(&format!("{}?validationToken=a%3Cb", scene.path()), body));
    assert_answer(&asked(b""), TEXT, "a<b");
    // Nobody can take this for the receipt of an event.
    assert_answer(&asked(br#"{"id":"evt_forged","type":"test.happened"}"#), TEXT, "a<b");
    // An event that is signed is an event, at whatever URL it was sent to.
    let path = format!("{}?other=1", scene.path());
    let event = Request { target: path, ..scene.event("evt_1") };
    scene.send(&event).assert_received();
    let keys: Vec<_> = scene.records().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["evt_1"]);
}

#[test]
fn the_answer_to_a_handshake_signs_no_event() {
    let scene = plan().start();
    for body in ["token", "eyJhbGciOiJIUzI1NiJ9.e30", "1"] {
        let answer = ask(&scene, "GET", &format!("?crc={body}"));
        let signed: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        let mac = signed["signed"].as_str().expect("a MAC");
        assert_eq!(mac, scene.signer.signature("", "", body.as_bytes()), "it is that of the body");
        let forged = Request::post(&scene.path(), body.as_bytes()).header("x-webhook-signature", mac);
        assert_refusal(&scene.send(&forged), 401, "invalid_signature");
    }
    scene.wait_for_refusal("body_is_token", &scene.source);
    for event in ["%7B%22id%22%3A%22x%22%7D", "a+b", "%00"] {
        assert_refusal(&ask(&scene, "GET", &format!("?crc={event}")), 400, "handshake_refused");
    }
    scene.assert_nothing_else_landed();
}

#[test]
fn other_sources_answer_none() {
    let off = format!(
        "{{ provider: {{ extends: generic-hex, {ALL} }}, secrets: [{{ env: HANDSHAKE_TOKEN }}], handshake: false }}"
    );
    let scene = plan()
        .source("none", "{ provider: generic-hex, secrets: [{ env: HANDSHAKE_TOKEN }] }")
        .source("off", &off)
        .start();
    for source in ["none", "off"] {
        let path = format!("/webhooks/{source}");
        for method in ["GET", "OPTIONS", "PUT"] {
            let query = "?mode=subscribe&token=the+token+that+I+told+them&challenge=1&crc=1";
            let asked = Request::new(method, &format!("{path}{query}")).header("WebHook-Request-Origin", "a");
            assert_refusal(&scene.send(&asked), 405, "method_not_allowed");
        }
        assert_eq!(scene.send(&Request::new("HEAD", &path)).status, 405);
        let posted = Request::post(&format!("{path}?validationToken=1"), b"");
        assert_refusal(&scene.send(&posted), 401, "invalid_signature");
    }
    assert_refusal(&scene.send(&Request::new("GET", "/webhooks/nobody?crc=1")), 404, "unknown_source");
}

#[test]
fn http2_is_no_other_way() {
    let scene = plan().start();
    let asked = Request::new("GET", &format!("{}?crc=abc", scene.path()));
    let answers = http::send_http2(scene.bridge.public(), &[asked]);
    let expected = format!(r#"{{"signed":"{}"}}"#, scene.signer.signature("", "", b"abc"));
    assert_answer(&answers[0], Some("application/json"), &expected);
}

const OFFER: &str = "offers_secret: { header: X-Hook-Secret, echo: true }";
const OFFERED: &str = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";

#[test]
fn an_offered_secret_is_shown_where_it_is_wanted() {
    let scene =
        Plan::of("generic-hex").extended(OFFER).secrets("[]").option("show_offered_secret: true").start();
    let offer = Request::post(&scene.path(), b"{}").header("X-Hook-Secret", OFFERED);
    let answer = scene.send(&offer);
    assert_answer(&answer, TEXT, "");
    assert_eq!(answer.header("x-hook-secret"), Some(OFFERED));
    let shown = eventually(SOON, "the secret is shown", || {
        Some(scene.bridge.shown()).filter(|shown| shown.contains("moment ago"))
    });
    assert_eq!(shown.matches(OFFERED).count(), 1, "{shown}");
    assert!(shown.contains("show_offered_secret") && shown.contains(&scene.source), "{shown}");
    assert_eq!(handshakes(&scene, "secret_shown"), 1.0);
    // Nothing else is accepted as long as there is no secret to verify it by.
    assert_refusal(&scene.send(&scene.event("evt_1")), 401, "invalid_signature");
    scene.wait_for_refusal("signature_mismatch", &scene.source);
    let log = scene.bridge.log().text();
    assert!(!log.contains(OFFERED), "{log}");
    assert!(log.contains("is shown on standard output"), "{log}");
    assert_eq!((scene.records().len(), scene.dead_letters().len()), (0, 0));
}

#[test]
fn an_offered_secret_that_is_not_wanted_is_refused() {
    let scene = Plan::of("generic-hex").extended(OFFER).start();
    let offer = Request::post(&scene.path(), b"{}").header("X-Hook-Secret", OFFERED);
    let answer = scene.send(&offer);
    assert_refusal(&answer, 401, "invalid_signature");
    assert_eq!(answer.header("x-hook-secret"), None);
    scene.wait_for_refusal("secret_offered", &scene.source);
    let log = scene.bridge.log().text();
    assert!(log.contains("show_offered_secret: true") && !log.contains(OFFERED), "{log}");
    assert!(scene.bridge.shown().is_empty(), "{}", scene.bridge.shown());
    scene.assert_nothing_else_landed();
}
