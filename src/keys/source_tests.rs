//! One source's keys, with a provider on loopback.

use http::Response;
use http_body_util::Full;

use super::super::place::KeyIdIn;
use super::super::test_server::{Asked, HOST, Server, status};
use super::*;

const SPKI: &str = "-----BEGIN PUBLIC KEY-----MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmnR7sTjzDjWClFWfBjPlrSGuVO5nngAqYwtYxxAxbIxJSPm3Y97LfEp8jHDEHYzW0/EI7I4AFevlGeU6DQTRkA==-----END PUBLIC KEY-----";

fn url(path: &str) -> PinnedUrl {
    PinnedUrl::fixed(&format!("https://{HOST}{path}")).unwrap()
}

fn keys(access: Access) -> Arc<KeySource> {
    let key_id = KeyIdIn::Jwt(vec![http::HeaderName::from_static("x-token")]);
    let rule = Rule {
        place: Place::Fixed { url: url("/key/{kid}"), key_id },
        form: Form::PublicKey,
        within: Pointer::parse("/key").ok(),
        access,
        algorithm: PublicAlgorithm::EcdsaP256Sha1,
    };
    let text = |text: &str| Zeroizing::new(text.to_owned());
    let credentials = Credentials { client_id: text("me"), secret: text("my:secret") };
    KeySource::new(rule, Some(credentials))
}

fn bearer() -> Access {
    Access::Bearer { token_url: url("/token"), scope: Some("https://a/b".to_owned()) }
}

fn wanted(name: &str) -> Wanted {
    Wanted { url: url(&format!("/key/{name}")), key_id: Some(name.to_owned()) }
}

fn a_key() -> Response<Full<Bytes>> {
    Response::new(Full::from(serde_json::json!({ "key": SPKI }).to_string()))
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn get(keys: &Arc<KeySource>, server: &Server, name: &str) -> Result<Arc<Key>, Unavailable> {
    keys.key(&server.fetcher(), wanted(name), later()).await
}

#[tokio::test]
async fn a_key_is_got_once_however_many_want_it() {
    let server = Server::start(|_| Some(a_key())).await;
    let keys = keys(Access::Open);
    let wanting: Vec<_> = (0..100)
        .map(|_| {
            let (keys, fetcher) = (Arc::clone(&keys), server.fetcher());
            tokio::spawn(async move { keys.key(&fetcher, wanted("a"), later()).await })
        })
        .collect();
    for one in wanting {
        assert!(one.await.unwrap().is_ok());
    }
    assert!(get(&keys, &server, "a").await.is_ok());
    assert_eq!(server.asked().len(), 1);
    assert!(get(&keys, &server, "b").await.is_ok());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn what_fails_is_said_and_not_asked_for_again_at_once() {
    let server = Server::start(|_| Some(status(StatusCode::NOT_FOUND))).await;
    let keys = keys(Access::Open);
    for _ in 0..10 {
        let why = get(&keys, &server, "a").await.unwrap_err();
        assert!(why.to_string().contains("/key/a can't be had: the provider answered 404"), "{why}");
    }
    assert_eq!(server.asked().len(), 1);
    let garbage = Server::giving("<html>").await;
    let why = get(&keys, &garbage, "b").await.unwrap_err();
    assert!(matches!(why, Unavailable::Answer { .. }), "{why}");
}

#[tokio::test]
async fn a_flood_of_names_makes_no_flood_of_questions() {
    let server = Server::start(|_| Some(status(StatusCode::NOT_FOUND))).await;
    let keys = keys(Access::Open);
    let begun = Instant::now();
    let mut too_many = 0;
    for number in 0..200 {
        let why = get(&keys, &server, &number.to_string()).await.unwrap_err();
        too_many += usize::from(why == Unavailable::TooMany);
    }
    let most = super::super::cache::QUESTIONS_PER_SECOND as usize * (2 + begun.elapsed().as_secs() as usize);
    assert!(server.asked().len() <= most, "{} questions", server.asked().len());
    assert_eq!(server.asked().len() + too_many, 200);
}

#[tokio::test]
async fn nobody_waits_longer_than_its_own_time_and_the_question_goes_on() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let server = Server::held_by(Arc::clone(&gate), |_| Some(a_key())).await;
    let keys = keys(Access::Open);
    let soon = Instant::now() + Duration::from_millis(50);
    let why = keys.key(&server.fetcher(), wanted("a"), soon).await.unwrap_err();
    assert_eq!(why, Unavailable::TimedOut);
    gate.add_permits(1);
    assert!(get(&keys, &server, "a").await.is_ok());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_provider_that_is_silent_is_not_waited_for() {
    let server = Server::start(|_| None).await;
    let begun = Instant::now();
    let why = get(&keys(Access::Open), &server, "a").await.unwrap_err();
    assert!(matches!(why, Unavailable::Fetch { why: FetchError::TimedOut, .. }), "{why}");
    assert!((FETCH_WITHIN..2 * FETCH_WITHIN).contains(&begun.elapsed()));
}

#[tokio::test]
async fn the_account_is_put_into_the_question() {
    let server = Server::start(|_| Some(a_key())).await;
    assert!(get(&keys(Access::InBody), &server, "a").await.is_ok());
    let [(target, authorization, body)] = &server.asked()[..] else { panic!("one question") };
    assert_eq!((target.as_str(), authorization), ("POST /key/a", &None));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, serde_json::json!({ "client_id": "me", "secret": "my:secret", "key_id": "a" }));
}

#[tokio::test]
async fn a_token_is_got_once_and_again_when_it_is_refused() {
    let tokens = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |(target, authorization, _): &Asked| {
        if target == "POST /token" {
            let number = tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let answer = serde_json::json!({ "access_token": format!("t{number}"), "expires_in": 7200 });
            return Some(Response::new(Full::from(answer.to_string())));
        }
        // The first token is withdrawn once it has been used twice.
        match (target.as_str(), authorization.as_deref()) {
            ("GET /key/c", Some("Bearer t0")) => Some(status(StatusCode::UNAUTHORIZED)),
            _ => Some(a_key()),
        }
    })
    .await;
    let keys = keys(bearer());
    assert!(get(&keys, &server, "a").await.is_ok() && get(&keys, &server, "b").await.is_ok());
    assert!(get(&keys, &server, "c").await.is_err());
    assert!(get(&keys, &server, "d").await.is_ok());
    let asked = server.asked();
    let targets: Vec<&str> = asked.iter().map(|(target, ..)| target.as_str()).collect();
    assert_eq!(
        targets,
        ["POST /token", "GET /key/a", "GET /key/b", "GET /key/c", "POST /token", "GET /key/d"]
    );
    let (_, authorization, body) = &asked[0];
    assert_eq!(authorization.as_deref(), Some("Basic bWU6bXk6c2VjcmV0"));
    assert_eq!(body, "grant_type=client_credentials&scope=https%3A%2F%2Fa%2Fb");
    assert_eq!(asked[1].1.as_deref(), Some("Bearer t0"));
    assert_eq!(asked[5].1.as_deref(), Some("Bearer t1"));
}

#[tokio::test]
async fn no_secret_is_shown() {
    let server = Server::start(|_| Some(status(StatusCode::FORBIDDEN))).await;
    let keys = keys(bearer());
    let why = get(&keys, &server, "a").await.unwrap_err();
    for shown in [format!("{keys:?}"), why.to_string(), format!("{why:?}"), format!("{:?}", keys.credentials)]
    {
        assert!(!shown.contains("my:secret") && !shown.contains("bWU6"), "{shown}");
    }
}
