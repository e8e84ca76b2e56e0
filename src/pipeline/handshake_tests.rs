//! What goes on and what is answered at each of the three stations; and that no answer is a valid signature.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::budget::Budget;
use crate::config::{Authentication, validate};
use crate::pipeline::keys::Keyed;
use crate::pipeline::limits::Arrival;
use crate::pipeline::reply::{Accepted, reply};
use crate::pipeline::verify::{self, Unproven};
use crate::signature::{Message, UnixSeconds};

const SECRET: &str = "a secret of sufficient length";

fn source(lines: &str) -> Arc<Source> {
    let text = format!("kafka: {{ bootstrap.servers: 'kafka:9092' }}\nsources:\n  s:\n{lines}");
    let env = |_: &str| Some(SECRET.to_owned());
    let config = validate::parse("test.yaml", &text, &env).unwrap_or_else(|invalid| panic!("{invalid}"));
    Arc::clone(&config.sources[0])
}

fn with(provider: &str, more: &str) -> Arc<Source> {
    source(&format!(
        "    provider: {{ extends: generic-hex, {provider} }}\n    secrets: [{{ env: SECRET }}]\n{more}"
    ))
}

fn ticket(source: &Arc<Source>) -> Ticket {
    let arrived = Arrival::now();
    let permit = Budget::new(1, 1).admit().unwrap();
    Ticket {
        permit,
        source: Arc::clone(source),
        arrived,
        deadline: arrived.monotonic + source.respond_within,
        trace: crate::telemetry::trace::Trace::default(),
    }
}

fn headed(source: &Arc<Source>, method: &str, target: &str) -> Step<Posted<()>> {
    let request = Request::builder().method(method).uri(target).body(()).unwrap();
    from_head(Addressed { request, ticket: ticket(source) })
}

fn received(source: &Arc<Source>, target: &str, pairs: &[(HeaderName, String)], body: &[u8]) -> Received {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
    }
    let (uri, body) = (target.parse().unwrap(), Bytes::copy_from_slice(body));
    Received { ticket: ticket(source), uri, headers, body }
}

/// The headers of a genuine request.
fn signed(source: &Arc<Source>, body: &[u8]) -> Vec<(HeaderName, String)> {
    let Authentication::Signed { scheme, keys } = &source.authentication else { panic!("signed") };
    let now = UnixSeconds::from_system_time(Arrival::now().wall);
    scheme.sign(&keys[0].key, "msg_1", now, &HeaderMap::new(), body).unwrap().headers
}

fn verify(request: Received) -> Result<Verified, Unproven> {
    verify::verify(Keyed::by_own_keys(request))
}

fn goes_on<T>(step: Step<T>) -> T {
    match step {
        Ok(ControlFlow::Continue(goes_on)) => goes_on,
        Ok(ControlFlow::Break(challenged)) => panic!("answered: {challenged:?}"),
        Err(rejection) => panic!("refused: {rejection}"),
    }
}

fn answered<T>(step: Step<T>) -> Challenged {
    match step {
        Ok(ControlFlow::Break(challenged)) => challenged,
        Ok(ControlFlow::Continue(_)) => panic!("goes on"),
        Err(rejection) => panic!("refused: {rejection}"),
    }
}

fn refused<T>(step: Step<T>) -> Rejection {
    match step {
        Err(rejection) => rejection,
        Ok(_) => panic!("not refused"),
    }
}

const GET: &str = "handshakes: [{ when: { method: GET, query: { c: { present: true } } }, answer: { text: { query: c } } }]";

#[test]
fn a_post_goes_on_whatever_its_head_is() {
    let source = with(GET, "");
    let (request, _) = goes_on(headed(&source, "POST", "/webhooks/s?c=1")).into_request();
    assert_eq!(request.uri(), "/webhooks/s?c=1");
}

#[test]
fn other_methods_are_handshakes_or_refused() {
    let source = with(GET, "");
    let challenged = answered(headed(&source, "GET", "/webhooks/s?c=%3Cb%3E"));
    let response = reply(&Ok(Accepted::Challenged(challenged)));
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(response.status(), 200);
    assert_eq!(header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("content-security-policy"), Some("default-src 'none'"));
    assert_eq!(refused(headed(&source, "GET", "/webhooks/s")), Rejection::NoHandshake);
    let allow = |source: &Arc<Source>, method: &str| {
        let response = reply(&Err(refused(headed(source, method, "/webhooks/s?c=1"))));
        assert_eq!(response.status(), 405);
        response.headers()["allow"].to_str().unwrap().to_owned()
    };
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE", "BREW"] {
        assert_eq!(allow(&source, method), "GET, POST");
    }
    // Where there is none, and where it is switched off.
    assert_eq!(allow(&with("title: none", ""), "GET"), "POST");
    assert_eq!(allow(&with(GET, "    handshake: false\n"), "GET"), "POST");
}

const UNSIGNED: &str = "handshakes: [{ when: { json: { /c: { present: true } } }, verified: false, answer: { text: { json: /c } } }]";
const SIGNED: &str =
    "handshakes: [{ when: { json: { /c: { present: true } } }, answer: { text: { json: /c } } }]";

#[test]
fn what_claims_to_be_signed_is_verified_before_anything_else() {
    let source = with(UNSIGNED, "");
    let body = br#"{"id":"1","type":"a","c":"x"}"#;
    let challenged = answered(from_body(received(&source, "/", &[], body)));
    assert_eq!(challenged.answer().body(), "x");
    // A forged one is not answered, and a genuine one is not lost without having been verified.
    let mut pairs = signed(&source, body);
    let verified = verify(goes_on(from_body(received(&source, "/", &pairs, body)))).unwrap();
    assert_eq!(answered(from_verified(verified)).answer().body(), "x");
    pairs[0].1 = "0".repeat(64);
    assert!(verify(goes_on(from_body(received(&source, "/", &pairs, body)))).is_err());
}

#[test]
fn a_signed_handshake_is_answered_only_after_verification() {
    let source = with(SIGNED, "");
    let body = br#"{"c":"x"}"#;
    let unsigned = goes_on(from_body(received(&source, "/", &[], body)));
    assert!(matches!(verify(unsigned), Err(Unproven::Refused(Rejection::SignatureMissing(_)))));
    let verified = verify(goes_on(from_body(received(&source, "/", &signed(&source, body), body)))).unwrap();
    assert_eq!(answered(from_verified(verified)).answer().body(), "x");
    let event = br#"{"id":"1","type":"a"}"#;
    let verified =
        verify(goes_on(from_body(received(&source, "/", &signed(&source, event), event)))).unwrap();
    drop(goes_on(from_verified(verified)));
}

#[test]
fn a_query_is_looked_at_in_a_post_too() {
    let source = with(
        "handshakes: [{ when: { query: { t: { present: true } } }, verified: false, answer: { text: { query: t } } }]",
        "",
    );
    let challenged = answered(from_body(received(&source, "/webhooks/s?t=a%20b", &[], b"")));
    assert_eq!(challenged.answer().body(), "a b");
    drop(goes_on(from_body(received(&source, "/webhooks/s", &[], b""))));
}

const OFFER: &str = "offers_secret: { header: X-Hook-Secret, echo: true }";

#[test]
fn an_offered_secret_is_taken_only_if_it_is_wanted() {
    let offered = [(HeaderName::from_static("x-hook-secret"), "b537207f20cbfa02357cf448134da559".to_owned())];
    let source = with(OFFER, "");
    let rejection = refused(from_body(received(&source, "/", &offered, b"{}")));
    assert_eq!(rejection, Rejection::SecretOffered);
    let shown = rejection.to_string();
    assert!(shown.contains("show_offered_secret") && !shown.contains("b5372"), "{shown}");
    assert_eq!(reply(&Err(rejection)).status(), 401);
    // A genuine event is an event, whatever else it brings.
    let body = br#"{"id":"1","type":"a"}"#;
    let pairs = [signed(&source, body), offered.to_vec()].concat();
    drop(verify(goes_on(from_body(received(&source, "/", &pairs, body)))).unwrap());

    let lines = format!("    provider: {{ extends: generic-hex, {OFFER} }}\n    show_offered_secret: true\n");
    let source = self::source(&lines);
    let challenged = answered(from_body(received(&source, "/", &offered, b"{}")));
    assert_eq!(challenged.answer().headers()[0].1, "b537207f20cbfa02357cf448134da559");
    assert_eq!(challenged.outcome(), "secret_shown");
    // Without a secret nothing else is accepted.
    let pairs = [(HeaderName::from_static("x-webhook-signature"), "0".repeat(64))];
    for pairs in [&pairs[..], &[]] {
        assert!(verify(goes_on(from_body(received(&source, "/", pairs, body)))).is_err());
    }
}

/// Schemes whose signed content can be a token as a whole, and one whose content can't.
const CONTENTS: [&str; 6] = [
    "{body}",
    "{timestamp}.{body}",
    "{timestamp}{body}",
    "{id}.{timestamp}.{body}",
    "{body}.{timestamp}",
    "v0:{timestamp}:{body}",
];

fn oracle(content: &str, encoding: &str) -> Arc<Source> {
    with(
        &format!(
            "signature: {{ header: X-Sig, content: '{content}', encoding: {encoding} }}, timestamp: {}, \
             message_id: {{ header: X-Id }}, handshakes: [{{ when: {{ method: GET, query: {{ t: {{ present: true }} }} }}, \
             answer: {{ text: {{ hmac_sha256: {{ query: t }}, encoding: {encoding} }} }} }}]",
            if content.contains("{timestamp}") { "{ header: X-Ts }" } else { "{}" }
        ),
        "",
    )
}

/// Every way in which `token` can be taken apart into id, timestamp and body, so that it is the signed content.
fn readings(content: &str, token: &str) -> Vec<(String, String, String)> {
    let cuts: Vec<usize> = token.char_indices().map(|(at, _)| at).chain([token.len()]).collect();
    let mut readings = vec![(String::new(), String::new(), token.to_owned())];
    for (index, first) in cuts.iter().enumerate() {
        for second in &cuts[index..] {
            let (a, rest) = token.split_at(*first);
            let (b, c) = rest.split_at(second - first);
            let after = |text: &str| text.strip_prefix('.').unwrap_or(text).to_owned();
            readings.push((a.to_owned(), after(b), after(c)));
            if *first == 0 {
                readings.push((String::new(), b.to_owned(), after(c)));
                readings.push((String::new(), after(c), b.to_owned()));
            }
        }
    }
    readings.retain(|(id, timestamp, body)| {
        let filled = content.replace("{id}", id).replace("{timestamp}", timestamp).replace("{body}", body);
        filled == token
    });
    readings
}

fn forged(id: &str, timestamp: &str, mac: &str) -> Vec<(HeaderName, String)> {
    [("x-id", id), ("x-ts", timestamp), ("x-sig", mac)]
        .map(|(name, value)| (HeaderName::from_static(name), value.to_owned()))
        .to_vec()
}

fn mac_of(source: &Arc<Source>, token: &str) -> String {
    let challenged = answered(headed(source, "GET", &format!("/webhooks/s?t={token}")));
    String::from_utf8(challenged.answer().body().to_vec()).unwrap()
}

#[test]
fn without_the_rule_an_answer_would_be_a_signature() {
    let now = UnixSeconds::from_system_time(Arrival::now().wall).0;
    for (content, token, body) in [
        ("{body}", "forged".to_owned(), "forged"),
        ("{timestamp}.{body}", format!("{now}.forged"), "forged"),
        ("{timestamp}.{body}", format!("{now}."), ""),
        ("{id}.{timestamp}.{body}", format!("m.{now}.forged"), "forged"),
    ] {
        let source = oracle(content, "hex");
        let pairs = forged("m", &now.to_string(), &mac_of(&source, &token));
        let request = received(&source, "/", &pairs, body.as_bytes());
        let Authentication::Signed { scheme, keys } = &source.authentication else { panic!("signed") };
        let now = UnixSeconds::from_system_time(request.ticket.arrived.wall);
        let message = Message { headers: &request.headers, query: None, body: &request.body };
        scheme.verify(keys.iter().map(|key| &key.key), &message, now).unwrap();
        let Err(Unproven::Refused(rejection)) = verify(request) else { panic!("{content}") };
        assert_eq!(rejection, Rejection::BodyIsToken, "{content}");
    }
    // Other bodies are events: longer ones, and those that have anything that is no token.
    let source = oracle("{body}", "hex");
    for body in [&b"{}"[..], b"not a token", b"a=b", &[b'x'; 257]] {
        drop(verify(received(&source, "/", &signed(&source, body), body)).unwrap());
    }
    // And where nothing is signed for others, so is a token.
    let source = with(GET, "");
    drop(verify(received(&source, "/", &signed(&source, b"token"), b"token")).unwrap());
}

proptest! {
    /// For no token is the answer a valid signature of a request that would be accepted.
    #[test]
    fn no_answer_is_a_signature(
        content in prop::sample::select(&CONTENTS[..]),
        encoding in prop::sample::select(&["hex", "base64"][..]),
        words in prop::collection::vec("[A-Za-z0-9_~-]{0,12}", 1..4),
        timed in any::<bool>(),
    ) {
        let source = oracle(content, encoding);
        let now = UnixSeconds::from_system_time(Arrival::now().wall).0.to_string();
        let mut token = words.join(".");
        if timed {
            token = token.replacen('.', &format!(".{now}."), 1);
            if !token.contains(&now) {
                token = format!("{now}.{token}");
            }
        }
        prop_assume!(!token.is_empty());
        let mac = mac_of(&source, &token);
        let readings = readings(content, &token);
        prop_assert!(!readings.is_empty() || content != CONTENTS[0], "nothing was tried");
        for (id, timestamp, body) in readings {
            let request = received(&source, "/", &forged(&id, &timestamp, &mac), body.as_bytes());
            prop_assert!(verify(request).is_err(), "{content} {token} as {id:?} {timestamp:?} {body:?}");
        }
    }
}
