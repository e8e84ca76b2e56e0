//! What is recognised, what is answered, and what is refused.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::config::{Source, validate};

const TOKEN: &str = "the token that I told them";

fn env(name: &str) -> Option<String> {
    Some(if name == "TOKEN" { TOKEN } else { "a secret of sufficient length" }.to_owned())
}

/// A source whose provider has these handshakes.
fn source(handshakes: &str, more: &str) -> Arc<Source> {
    let text = format!(
        "kafka: {{ bootstrap.servers: 'kafka:9092' }}\nsources:\n  s:\n    provider:\n      extends: generic-hex\n\
         \x20     handshakes: {handshakes}\n    secrets: [{{ env: SECRET }}]\n{more}"
    );
    let config =
        validate::parse("test.yaml", &text, &env).unwrap_or_else(|invalid| panic!("{text}\n{invalid}"));
    Arc::clone(&config.sources[0])
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    headers
}

fn get(source: &Source, query: &str) -> Result<Option<Answer>, Refusal> {
    let headers = HeaderMap::new();
    let request = Request { query: Some(query), headers: &headers, body: b"" };
    source.handshakes.judge_head(&Method::GET, &request, &source.facts(std::time::SystemTime::now()))
}

fn post(source: &Source, pairs: &[(&str, &str)], body: &str) -> Result<Option<Answer>, Refusal> {
    let headers = headers(pairs);
    let request = Request { query: None, headers: &headers, body: body.as_bytes() };
    source.handshakes.judge_post(true, &request, &source.facts(std::time::SystemTime::now()))
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

const META: &str = "[{ when: { method: GET, query: { hub.mode: subscribe, hub.verify_token: { token: true } } }, \
                    answer: { text: { query: hub.challenge } } }]";

#[test]
fn every_condition_must_hold() {
    let source = source(META, "    handshake_token: { env: TOKEN }\n");
    let token = "the+token%20that+I+told+them";
    let answer = get(&source, &format!("hub.mode=subscribe&hub.challenge=1%3C2&hub.verify_token={token}"));
    let answer = answer.unwrap().unwrap();
    assert_eq!(text(&answer), "1<2");
    assert_eq!(answer.content_type().unwrap(), "text/plain; charset=utf-8");
    for other in ["", "hub.mode=unsubscribe", &format!("hub.verify_token={token}&hub.challenge=1")] {
        assert!(get(&source, other).unwrap().is_none(), "{other}");
    }
}

#[test]
fn a_wrong_token_is_refused_and_not_answered() {
    let source = source(META, "    handshake_token: { env: TOKEN }\n");
    for token in ["", "&hub.verify_token=", "&hub.verify_token=the+token", "&hub.verify_token=%ff"] {
        let refused = get(&source, &format!("hub.mode=subscribe&hub.challenge=1{token}"));
        assert_eq!(refused.unwrap_err(), Refusal::WrongToken, "{token}");
    }
}

#[test]
fn a_value_that_is_given_twice_is_refused() {
    let source = source(META, "    handshake_token: { env: TOKEN }\n");
    let whole = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=the+token+that+I+told+them";
    for again in ["hub.mode=subscribe", "hub.challenge=2", "hub.verify_token=x", "hub%2Echallenge=2"] {
        let refused = get(&source, &format!("{whole}&{again}"));
        assert!(matches!(refused.unwrap_err(), Refusal::Repeated(_)), "{again}");
    }
    assert!(get(&source, &format!("{whole}&other=1&other=2")).unwrap().is_some());
}

#[test]
fn a_value_that_is_absent_or_too_long_is_refused() {
    let source = source(
        "[{ when: { method: GET, query: { x: { present: true } } }, answer: { text: { query: c } } }]",
        "",
    );
    let long = value::MAX_ECHO_OCTETS;
    assert!(get(&source, &format!("x=1&c={}", "y".repeat(long))).unwrap().is_some());
    // The limit is on what is answered, not on how it is written.
    assert!(get(&source, &format!("x=1&c={}", "%79".repeat(long))).unwrap().is_some());
    for query in ["x=1", "x=1&c=", "x=1&c", &format!("x=1&c={}", "y".repeat(long + 1))] {
        assert!(matches!(get(&source, query).unwrap_err(), Refusal::Unusable { .. }), "{}", &query[..4]);
    }
}

const SLACK: &str = "[{ when: { json: { /type: url_verification, /challenge: { present: true } } }, \
                     answer: { text: { json: /challenge } } }]";

#[test]
fn what_stands_in_the_body_is_looked_at() {
    let source = source(SLACK, "");
    let answer =
        post(&source, &[], r#"{"type":"url_verification","challenge":"a\u0062c"}"#).unwrap().unwrap();
    assert_eq!(text(&answer), "abc");
    // An event, whatever is wrong with it, is left to the path.
    for event in [
        r#"{"type":"event_callback","challenge":"x"}"#,
        r#"{"type":"url_verification"}"#,
        r#"{"type":"url_verification","challenge":null}"#,
        r#"{"type":"url_verification","challenge":"x","challenge":"y"}"#,
        r#"{"type":"url_verification","challenge":"x""#,
        "[]",
        "",
    ] {
        assert!(post(&source, &[], event).unwrap().is_none(), "{event}");
    }
    let list = r#"{"type":"url_verification","challenge":["x"]}"#;
    assert!(matches!(post(&source, &[], list).unwrap_err(), Refusal::Unusable { .. }));
}

#[test]
fn json_is_written_by_a_writer() {
    let source = source(
        "[{ when: { json: { /type: 1, /other: { absent: true } } }, \
           answer: { json: { '\"': { json: /c }, n: { json: /n }, type: { literal: 1 }, text: { literal: \"1\" } } } }]",
        "",
    );
    let answer = post(&source, &[], r#"{"type":1,"c":"</script>\"}\n","n":12345678901234567890.10}"#);
    let answer = answer.unwrap().unwrap();
    let expected = r#"{"\"":"</script>\"}\n","n":12345678901234567890.10,"text":"1","type":1}"#;
    assert_eq!(text(&answer), expected);
    assert_eq!(answer.content_type().unwrap(), "application/json");
    assert!(post(&source, &[], r#"{"type":1,"other":0,"c":"x","n":1}"#).unwrap().is_none());
    assert!(post(&source, &[], r#"{"type":2,"c":"x","n":1}"#).unwrap().is_none());
}

#[test]
fn headers_are_answered_only_in_visible_ascii() {
    let source = source(
        "[{ when: { header: { X-Hello: { present: true } } }, \
           answer: { status: 204, headers: { X-Hello-Again: { header: X-Hello }, X-Query: { json: /q } } } }]",
        "",
    );
    let answer = post(&source, &[("x-hello", "there")], r#"{"q":"1"}"#).unwrap().unwrap();
    assert_eq!((answer.status().code().as_u16(), answer.content_type()), (204, None));
    let pairs: Vec<_> = answer.headers().iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    assert_eq!(pairs, [("x-hello-again", &b"there"[..]), ("x-query", b"1")]);
    for (hello, body) in [
        ("there", r#"{"q":"a\r\nSet-Cookie: b"}"#),
        ("there", r#"{"q":"a b"}"#),
        ("there", r#"{"q":"é"}"#),
        ("th ere", r#"{"q":"1"}"#),
        ("thére", r#"{"q":"1"}"#),
    ] {
        assert!(post(&source, &[("x-hello", hello)], body).is_err(), "{hello} {body}");
    }
    assert!(post(&source, &[("x-hello", "a"), ("x-hello", "a")], r#"{"q":"1"}"#).is_err());
    assert!(post(&source, &[], r#"{"q":"1"}"#).unwrap().is_none());
}

/// Expected values by `openssl dgst -sha256 -hmac 'a secret of sufficient length'`, and without `-hmac`.
#[test]
fn hashes_are_those_of_others() {
    let source = source(
        "[{ when: { method: GET, query: { t: { present: true } } }, answer: { json: { \
           hex: { hmac_sha256: { query: t } }, \
           base64: { hmac_sha256: { query: t }, encoding: base64, prefix: 'sha256=' }, \
           sum: { sha256: [{ query: t }, { token: true }, { public_url: true }, { parameter: p }] } } } }]",
        "    handshake_token: { env: TOKEN }\n    public_url: https://example.com/x\n    parameters: { p: '7' }\n",
    );
    let answer = get(&source, "t=abc-123").unwrap().unwrap();
    let json: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(json["hex"], HMAC_HEX);
    assert_eq!(json["base64"], HMAC_BASE64);
    assert_eq!(json["sum"], SUM);
}

const HMAC_HEX: &str = "75d54449f3791d2af47f3045cf3a322254a41f8b3cdbff404eb0300534279834";
const HMAC_BASE64: &str = "sha256=ddVESfN5HSr0fzBFzzoyIlSkH4s82/9ATrAwBTQnmDQ=";
const SUM: &str = "9c543bfc10d62c5d255a9a04eb07dcf0629e43b9c02361bbefcfaa700dc88496";

#[test]
fn nothing_but_a_token_is_signed() {
    let source = source(
        "[{ when: { method: GET, query: { t: { present: true } } }, answer: { text: { hmac_sha256: { query: t } } } }]",
        "",
    );
    assert!(source.handshakes.signs_tokens());
    for bad in ["%7B%7D", "a+b", "a%0A", "a%00", "%C3%A9", "a%3D", "v0:1:x", &"x".repeat(257)] {
        assert_eq!(get(&source, &format!("t={bad}")).unwrap_err(), Refusal::NotAToken, "{bad}");
    }
    assert!(get(&source, &format!("t={}", "x".repeat(256))).unwrap().is_some());
}

#[test]
fn the_first_that_can_be_answered_is() {
    let source = source(
        "[{ when: { method: GET, query: { c: { present: true } } }, answer: { text: { query: missing } } }, \
          { when: { method: GET, query: { c: '1' } }, answer: { text: { literal: one } } }, \
          { when: { method: HEAD }, answer: {} }, \
          { when: { json: { /x: { present: true } } }, verified: false, answer: {} }]",
        "",
    );
    assert_eq!(text(&get(&source, "c=1").unwrap().unwrap()), "one");
    assert!(get(&source, "c=2").is_err());
    assert!(get(&source, "").unwrap().is_none());
    assert_eq!(source.handshakes.methods().allow(), "GET, HEAD, POST");
    assert!(source.handshakes.has(&Method::HEAD) && !source.handshakes.has(&Method::OPTIONS));
}

#[test]
fn before_verification_only_the_unsigned_count() {
    let source = source(
        "[{ when: { json: { /a: '1' } }, answer: {} }, { when: { json: { /b: '1' } }, verified: false, answer: {} }]",
        "",
    );
    let headers = HeaderMap::new();
    let judge = |is_verified, body: &'static str| {
        let request = Request { query: None, headers: &headers, body: body.as_bytes() };
        source
            .handshakes
            .judge_post(is_verified, &request, &source.facts(std::time::SystemTime::now()))
            .unwrap()
            .is_some()
    };
    assert!(!judge(false, r#"{"a":1}"#) && judge(true, r#"{"a":1}"#));
    assert!(judge(false, r#"{"b":1}"#) && judge(true, r#"{"b":1}"#));
}

fn offer(place: OfferPlace, pairs: &[(&str, &str)], body: &str) -> Option<Result<(String, Answer), Refusal>> {
    let offer = Offer { place, echo: true };
    let headers = headers(pairs);
    let request = Request { query: None, headers: &headers, body: body.as_bytes() };
    let taken = || offer.take(&request).map(|(secret, answer)| (secret.reveal().to_owned(), answer));
    offer.is_in(&request).then(taken)
}

#[test]
fn an_offered_secret_is_taken_and_its_header_repeated() {
    let place = || OfferPlace::Header(HeaderName::from_static("x-hook-secret"));
    let (secret, answer) = offer(place(), &[("x-hook-secret", "b5374")], "{}").unwrap().unwrap();
    assert_eq!((secret.as_str(), text(&answer)), ("b5374", ""));
    assert_eq!(answer.headers()[0].1, "b5374");
    assert!(offer(place(), &[], "{}").is_none());
    for bad in ["", "a b", "é", &"x".repeat(257)] {
        assert!(offer(place(), &[("x-hook-secret", bad)], "{}").unwrap().is_err(), "{bad}");
    }
    assert!(offer(place(), &[("x-hook-secret", "a"), ("x-hook-secret", "a")], "{}").unwrap().is_err());

    let place = || OfferPlace::Json([Pointer::parse("/verification_token").unwrap()]);
    let (secret, answer) = offer(place(), &[], r#"{"verification_token":"secret_tMrlL1"}"#).unwrap().unwrap();
    assert_eq!((secret.as_str(), answer.headers().len()), ("secret_tMrlL1", 0));
    for none in ["{}", r#"{"verification_token":null}"#, "no json"] {
        assert!(offer(place(), &[], none).is_none(), "{none}");
    }
    for bad in [r#"{"verification_token":1}"#, r#"{"verification_token":"a\nb"}"#] {
        assert!(offer(place(), &[], bad).unwrap().is_err(), "{bad}");
    }
}
