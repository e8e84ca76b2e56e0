//! `explain`: what is refused before or behind the signature, or can't be explained at all for want of a request.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::support::captured::{CRM, Captured, SHOP_KEY, T, TEXT, mac, standard};

const BODY: &[u8] = br#"{"type":"order.paid","data":{}}"#;

#[test]
fn what_is_refused_for_other_reasons() {
    let genuine = Captured::svix("shop", SHOP_KEY, BODY);
    let from = |first: &str| genuine.explained_from(&format!("{first}\n{}", genuine.head()));
    let told = from("GET /webhooks/shop HTTP/1.1");
    assert_eq!((&told.json["error"], &told.json["cause"]), (&"method_not_allowed".into(), &"method".into()));
    assert!(told.text.contains("✓ signature"), "{}", told.text);
    let told = from("POST /webhooks/crm HTTP/1.1");
    assert_eq!((&told.json["status"], &told.json["cause"]), (&404.into(), &"path".into()));
    assert!(told.text.contains("/webhooks/crm is that of the source `crm`"), "{}", told.text);
    let told = Captured::hex("hex", br#"{"id":"e","type":"order.void"}"#).explained();
    assert_eq!((&told.json["error"], &told.json["cause"]), (&"unroutable".into(), &"unmapped".into()));
    let large = Captured::hex("hex", &vec![b' '; 1024 * 1024 + 1]).explained();
    assert_eq!((&large.json["status"], &large.json["cause"]), (&413.into(), &"body_too_large".into()));
    let off = Captured { source: "off", ..genuine.clone() }.explained();
    assert_eq!((off.code, &off.json["cause"]), (1, &"disabled".into()), "{}", off.text);
    let open = Captured::new("open", &[("x-a", "b")], BODY).explained();
    assert!(open.code == 0 && open.text.contains("the source verifies nothing"), "{}", open.text);
    let shadow = Captured { source: "shadow", ..Captured::hex("hex", BODY) }.arrived(b"altered").explained();
    assert!(shadow.code == 1 && shadow.text.contains("all the same, as unverified"), "{}", shadow.text);
    let dead = Captured::hex("hex", b"{}").explained();
    assert_eq!((dead.code, &dead.json["events"][0]["outcome"]), (0, &"dead_letter".into()), "{}", dead.text);
    assert!(
        dead.text.contains("webhooks.dead-letter, as a dead letter: missing_event_type"),
        "{}",
        dead.text
    );
}

#[test]
fn batches_and_handshakes_are_told_as_such() {
    let body = br#"{"events":[{"id":"a","type":"x"},{"id":"b"}]}"#;
    let batch = Captured { source: "batched", ..Captured::hex("hex", body) }.explained();
    assert_eq!(batch.code, 0, "{}", batch.text);
    assert!(batch.text.contains("✓ batch      2 elements"), "{}", batch.text);
    let topics: Vec<_> = (0..2).map(|index| batch.json["events"][index]["topic"].clone()).collect();
    assert_eq!(topics, ["webhooks.batched", "webhooks.dead-letter"]);

    let asked = Captured::new("asked", &[], b"");
    let challenge = "x-okta-verification-challenge: abc\n";
    let told = asked.explained_from(&format!("GET /webhooks/asked HTTP/1.1\n{challenge}"));
    assert!(told.code == 0 && told.text.contains("✓ handshake  the provider's handshake"), "{}", told.text);
    let told = asked.explained_from("GET /webhooks/asked HTTP/1.1\nhost: h\n");
    assert_eq!((&told.json["error"], &told.json["cause"]), (&"no_handshake".into(), &"handshake".into()));
}

#[test]
fn what_cannot_be_read_is_said_and_not_repeated() {
    let genuine = Captured::svix("shop", SHOP_KEY, BODY);
    for (head, more, code, said) in [
        ("hunter2hunter2", &[][..], 2, "line 1 is no header"),
        ("x-a: b", &["--at", "yesterday"], 2, "seconds since 1970"),
        ("x-a: b", &["--headers", "-", "--body", "-"], 2, "can't both be standard input"),
        ("x-a: b", &["--headers", "/nonexistent"], 2, "/nonexistent can't be opened"),
        ("x-a: b", &["--source", "shp"], 2, "did you mean `shop`?"),
        ("x-a: b", &["--config", "/nonexistent"], 64, "can't be read"),
    ] {
        let replaced: Vec<&str> = more.iter().step_by(2).copied().collect();
        let done = genuine.clone().at(&[]).run_instead(head, more, &replaced);
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.stdout.is_empty() && done.stderr.contains(said), "{done:?}");
        assert!(!done.stderr.contains("hunter2"), "{done:?}");
    }
}

/// Every answer in these tests is searched for secrets: the search finds what it should.
#[test]
fn a_secret_that_is_told_is_found() {
    let captured = Captured::svix("shop", SHOP_KEY, BODY).arrived(b"altered");
    let right = standard(SHOP_KEY, "msg_1", T, b"altered");
    let unkeyed = mac(TEXT.as_bytes(), &[b"altered"]);
    for secret in [
        CRM.to_owned(),
        TEXT[..20].to_owned(),
        hex::encode(SHOP_KEY),
        hex::encode(&right),
        STANDARD.encode(&right),
        URL_SAFE_NO_PAD.encode(&unkeyed),
        captured.value("svix-signature"),
    ] {
        let said = format!("before {secret} after");
        assert!(captured.secret_in(&said).is_some(), "{secret}");
    }
    assert_eq!(captured.secret_in("nothing of the kind"), None);
}

#[test]
fn what_is_signed_could_be_another_request() {
    let signature = format!("v1,{}", STANDARD.encode(standard(SHOP_KEY, "msg.1", T, BODY)));
    let headers = [("svix-id", "msg.1"), ("svix-timestamp", T), ("svix-signature", &*signature)];
    let told = Captured::new("shop", &headers, BODY).explained();
    assert_eq!((told.code, &told.json["cause"]), (1, &"content_ambiguous".into()), "{}", told.text);
    assert_eq!(told.json["causes"].as_array().map(Vec::len), Some(1), "{}", told.text);
    assert!(told.text.contains("the signature is right, but a signed value, such as the message ID,"));
    assert!(!told.text.contains("No known mistake"), "{}", told.text);
}
