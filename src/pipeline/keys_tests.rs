//! The path from a request to Kafka's door, with a provider on loopback. There is no Kafka: what is genuine is
//! refused only there.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::app::App;
use crate::config::units::show_instant;
use crate::config::{Config, validate};
use crate::keys::test_server::{Asked, Server, status};
use crate::pipeline::again::{Kept, Now, prepare};
use crate::pipeline::limits::Arrival;
use crate::pipeline::{Accepted, Rejection, accept, source};
use crate::telemetry::trace::Trace;

const KID: &str = "9936261a-7d7b-4621-a0f1-964df81f66d3";

const EBAY: &str = "sources:
  s:
    provider:
      extends: ebay
      keys: { url: 'https://keys.example.com/k/{kid}', token_url: https://keys.example.com/token }
    key_credentials: { client_id: { env: ID }, secret: { env: SECRET } }
    handshake: false
    respond_within: 3s
";

const SNS: &str = "sources:
  s:
    provider: { extends: aws-sns, keys: { hosts: keys.example.com } }
    confirm_subscriptions: true
    parameters: { topic_arns: 'arn:aws:sns:us-east-1:1:ours' }
    respond_within: 3s
";

fn config(sources: &str) -> Config {
    let text = format!("kafka: {{ bootstrap.servers: 127.0.0.1:1 }}\n{sources}");
    let env = |name: &str| Some(format!("value of {name}"));
    validate::parse("test", &text, &env).unwrap_or_else(|faults| panic!("{faults}"))
}

fn app(sources: &str, server: &Server) -> std::sync::Arc<App> {
    App::asking_by(&config(sources), server.fetcher()).unwrap()
}

async fn send(app: &App, headers: &[(String, String)], body: Vec<u8>) -> Result<Accepted, Rejection> {
    let mut request = Request::post("/webhooks/s");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    accept(app, source::of(app, &request), request, Arrival::now(), Trace::default()).await
}

/// It was found genuine, and went on to Kafka, which is not there.
fn is_genuine(outcome: &Result<Accepted, Rejection>) -> bool {
    use Rejection::{DeliveryFailed, DeliveryTimedOut, KafkaUnreachable};
    matches!(outcome, Err(KafkaUnreachable | DeliveryTimedOut | DeliveryFailed))
}

/// eBay's vectors: the first case, and the keys by name.
fn ebay() -> (Vec<(String, String)>, Vec<u8>, serde_json::Value) {
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ebay.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let case = &vectors["cases"][0];
    let body = STANDARD.decode(case["body_base64"].as_str().unwrap()).unwrap();
    (serde_json::from_value(case["headers"].clone()).unwrap(), body, vectors["fetched_keys"].clone())
}

/// A provider that has eBay's keys, as eBay gives them.
async fn ebay_server(keys: serde_json::Value) -> Server {
    Server::start(move |(target, ..): &Asked| {
        let answer = match target.strip_prefix("GET /k/") {
            None => serde_json::json!({ "access_token": "t", "expires_in": 7200 }),
            Some(kid) => serde_json::json!({ "key": keys.get(kid)?, "algorithm": "ECDSA", "digest": "SHA1" }),
        };
        Some(Response::new(Full::from(answer.to_string())))
    })
    .await
}

#[tokio::test]
async fn a_request_is_verified_by_the_key_that_is_fetched() {
    let (headers, body, keys) = ebay();
    let server = ebay_server(keys).await;
    let app = app(EBAY, &server);
    let outcome = send(&app, &headers, body.clone()).await;
    assert!(is_genuine(&outcome), "{outcome:?}");
    let altered = [&body[..], b" "].concat();
    for _ in 0..20 {
        let outcome = send(&app, &headers, altered.clone()).await;
        assert!(matches!(outcome, Err(Rejection::SignatureMismatch(_))), "{outcome:?}");
    }
    let targets: Vec<String> = server.asked().into_iter().map(|(target, ..)| target).collect();
    assert_eq!(targets, ["POST /token".to_owned(), format!("GET /k/{KID}")], "asked once");
    // Nothing is asked for a request that names no key.
    for wrong in ["", "e30=", "bm90aGluZw=="] {
        let outcome = send(&app, &[("x-ebay-signature".to_owned(), wrong.to_owned())], body.clone()).await;
        assert!(matches!(outcome, Err(Rejection::SignatureMalformed(_))), "{outcome:?}");
    }
    let outcome = send(&app, &[], body).await;
    assert!(matches!(outcome, Err(Rejection::SignatureMissing(_))), "{outcome:?}");
    assert_eq!(server.asked().len(), 2);
}

/// A rotated secret of another source must not make this one depend on its provider.
#[tokio::test]
async fn known_keys_outlive_a_reload_unless_they_would_be_asked_for_otherwise() {
    let (headers, body, keys) = ebay();
    let server = ebay_server(keys).await;
    let app = app(EBAY, &server);
    for (sources, asked) in [
        (EBAY.to_owned(), 2),
        (format!("{EBAY}    topics: {{ '*': other }}\n"), 2),
        (EBAY.replace("env: SECRET", "env: OTHER"), 4),
        (EBAY.replace("/k/{kid}", "/k/{kid}/v2"), 6),
    ] {
        app.put_sources_in_place(config(&sources).sources);
        let _ = send(&app, &headers, body.clone()).await;
        assert_eq!(server.asked().len(), asked, "{sources}");
    }
}

/// What names no key at all is not genuine, and so a matter for `report_only`; a key that can't be had is not.
#[tokio::test]
async fn under_report_only_a_request_without_a_key_is_not_refused() {
    let (_, body, keys) = ebay();
    let server = ebay_server(keys).await;
    let lenient = format!("{EBAY}    verification: report_only\n    report_only_topic: seen\n");
    let outcome = send(&app(&lenient, &server), &[], body).await;
    assert!(is_genuine(&outcome), "on its way to Kafka, as unverified: {outcome:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_key_that_can_not_be_had_is_a_503_and_never_an_accept() {
    let (headers, body, keys) = ebay();
    let refusing = Server::start(|_| Some(status(StatusCode::INTERNAL_SERVER_ERROR))).await;
    let silent = Server::start(|_| None).await;
    let other = keys.as_object().unwrap().values().find(|key| **key != keys[KID]).unwrap();
    let another_key = ebay_server(serde_json::json!({ KID: other })).await;
    for server in [refusing, silent] {
        let app = app(EBAY, &server);
        let outcome = send(&app, &headers, body.clone()).await;
        let Err(rejection) = outcome else { panic!("{outcome:?}") };
        assert_eq!(rejection.code(), "key_unavailable");
        assert_eq!(rejection.status().code(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(rejection.retry_after().is_some());
    }
    let outcome = send(&app(EBAY, &another_key), &headers, body).await;
    assert!(matches!(outcome, Err(Rejection::SignatureMismatch(_))), "{outcome:?}");
}

/// A message of SNS, signed now; `changed` before it is signed.
fn sns(changed: &[(&str, &str)]) -> serde_json::Value {
    let mut message = serde_json::json!({
        "Type": "SubscriptionConfirmation", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:1:ours",
        "Message": "You have chosen to subscribe", "Timestamp": show_instant(SystemTime::now()),
        "Token": "23", "SignatureVersion": "2",
        "SubscribeURL": "https://keys.example.com/?Action=ConfirmSubscription&Token=23",
        "SigningCertURL": "https://keys.example.com/SimpleNotificationService-1.pem",
    });
    for (name, value) in changed {
        message[*name] = serde_json::Value::from(*value);
    }
    let names: &[&str] = match message["Type"].as_str() {
        Some("Notification") => &["Message", "MessageId", "Timestamp", "TopicArn", "Type"],
        _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    };
    let content: String =
        names.iter().map(|name| format!("{name}\n{}\n", message[*name].as_str().unwrap())).collect();
    let key = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/sns.key")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&key).unwrap();
    let key = RsaKeyPair::from_pkcs8(key.secret_der()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, content.as_bytes(), &mut signature).unwrap();
    message["Signature"] = STANDARD.encode(signature).into();
    message
}

/// SNS: its certificate, and what it answers to a confirmation.
async fn sns_server(confirmation: StatusCode) -> Server {
    Server::start(move |(target, ..): &Asked| {
        let pem = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/sns.pem")).unwrap();
        Some(match target.contains("Action=") {
            true => status(confirmation),
            false => Response::new(Full::from(pem)),
        })
    })
    .await
}

fn confirmations(server: &Server) -> usize {
    server.asked().iter().filter(|(target, ..)| target.contains("Action=ConfirmSubscription")).count()
}

async fn post(app: &App, message: &serde_json::Value) -> Result<Accepted, Rejection> {
    let headers = [("content-type".to_owned(), "text/plain; charset=UTF-8".to_owned())];
    send(app, &headers, serde_json::to_vec(message).unwrap()).await
}

#[tokio::test]
async fn a_subscription_of_ones_own_topic_is_confirmed() {
    let server = sns_server(StatusCode::OK).await;
    let app = app(SNS, &server);
    let outcome = post(&app, &sns(&[])).await;
    assert!(matches!(outcome, Ok(Accepted::Confirmed(_))), "{outcome:?}");
    assert_eq!(server.asked()[1].0, "GET /?Action=ConfirmSubscription&Token=23");
    // Other messages are events.
    for kind in ["Notification", "UnsubscribeConfirmation"] {
        let outcome = post(&app, &sns(&[("Type", kind)])).await;
        assert!(is_genuine(&outcome), "{kind}: {outcome:?}");
    }
    assert_eq!(confirmations(&server), 1);
}

/// Whoever floods a source must not use up what genuine requests need to have a key asked for.
#[tokio::test]
async fn nothing_is_asked_for_a_request_that_no_key_would_prove() {
    let server = sns_server(StatusCode::OK).await;
    let app = app(SNS, &server);
    let mut unsigned = sns(&[]);
    unsigned["Signature"] = "not base64!".into();
    for message in [
        sns(&[("Timestamp", "2020-01-01T00:00:00.000Z")]),
        sns(&[("TopicArn", "arn:aws:sns:us-east-1:1:theirs")]),
        unsigned,
    ] {
        let outcome = post(&app, &message).await;
        assert!(
            matches!(&outcome, Err(why) if why.status().code() == StatusCode::UNAUTHORIZED),
            "{outcome:?}"
        );
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_confirmation_that_fails_is_a_503() {
    let server = sns_server(StatusCode::INTERNAL_SERVER_ERROR).await;
    let outcome = post(&app(SNS, &server), &sns(&[])).await;
    let Err(rejection) = outcome else { panic!("{outcome:?}") };
    assert_eq!(rejection.code(), "confirmation_failed");
    assert_eq!(rejection.status().code(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn nothing_else_is_confirmed() {
    let server = sns_server(StatusCode::OK).await;
    let confirming = app(SNS, &server);
    let anybodys = post(&confirming, &sns(&[("TopicArn", "arn:aws:sns:us-east-1:2:theirs")])).await;
    assert!(matches!(anybodys, Err(Rejection::SignatureMalformed(_))), "{anybodys:?}");
    let mut altered = sns(&[]);
    altered["SubscribeURL"] = "https://keys.example.com/?Action=ConfirmSubscription&Token=24".into();
    let altered = post(&confirming, &altered).await;
    assert!(matches!(altered, Err(Rejection::SignatureMismatch(_))), "{altered:?}");
    for url in [
        "https://example.com/?Action=ConfirmSubscription&Token=2",
        "https://keys.example.com/?Action=Publish&T=2",
    ] {
        let elsewhere = post(&confirming, &sns(&[("SubscribeURL", url)])).await;
        assert!(matches!(elsewhere, Err(Rejection::ConfirmationFailed(_))), "{url}: {elsewhere:?}");
    }
    let unasked = SNS.replace("confirm_subscriptions: true", "confirm_subscriptions: false");
    let event = post(&app(&unasked, &server), &sns(&[])).await;
    assert!(is_genuine(&event), "{event:?}");
    assert_eq!(confirmations(&server), 0);
}

/// The request, kept when it came, and taken through again.
async fn again(app: &App, headers: &[(String, String)], body: Vec<u8>, received_at: SystemTime) -> Now {
    let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let kept = Kept {
        origin: "dead/0/0".to_owned(),
        uri: "/webhooks/s".parse().unwrap(),
        headers: pairs.collect(),
        body: body.into(),
        received_at,
        element: None,
        was_verified: true,
    };
    prepare(app, app.source_at("/webhooks/s").unwrap(), kept, None).await.unwrap()
}

#[tokio::test]
async fn a_kept_request_is_verified_again_by_the_key_that_is_fetched() {
    let (headers, body, keys) = ebay();
    let server = ebay_server(keys).await;
    let app = app(EBAY, &server);
    let altered = again(&app, &headers, [&body[..], b" "].concat(), SystemTime::now()).await;
    assert!(matches!(altered, Now::Refused(Rejection::SignatureMismatch(_))), "{altered:?}");
    let genuine = again(&app, &headers, body, SystemTime::now()).await;
    assert!(matches!(genuine, Now::Publish(_)), "{genuine:?}");
}

/// Signed years ago, and received then: genuine. No subscription is confirmed by it.
#[tokio::test]
async fn a_kept_message_of_sns_is_as_old_as_its_receipt() {
    let server = sns_server(StatusCode::OK).await;
    let app = app(SNS, &server);
    let then = crate::instant::parse("2024-01-01T00:00:00Z").unwrap();
    let signed = ("Timestamp", "2024-01-01T00:00:00.000Z");
    let of = |message: serde_json::Value| serde_json::to_vec(&message).unwrap();
    let notification = of(sns(&[signed, ("Type", "Notification")]));
    let genuine = again(&app, &[], notification.clone(), then).await;
    assert!(matches!(genuine, Now::Publish(_)), "{genuine:?}");
    let stale = again(&app, &[], notification, SystemTime::now()).await;
    assert!(matches!(stale, Now::Refused(Rejection::TimestampOutsideTolerance(_))), "{stale:?}");
    let question = again(&app, &[], of(sns(&[signed])), then).await;
    assert!(matches!(question, Now::NoEvent), "{question:?}");
    assert_eq!(confirmations(&server), 0);
}
