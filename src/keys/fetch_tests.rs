//! A provider on loopback, and every way in which it may disappoint.

use std::time::Duration;

use http::Response;

use super::super::place::{Allowed, Pattern};
use super::super::test_server::{HOST, Server, client_tls, status};
use super::*;

fn url(host: &str) -> PinnedUrl {
    PinnedUrl::fixed(&format!("https://{host}/key")).unwrap()
}

async fn ask(fetcher: &Fetcher, url: &PinnedUrl, within: Duration) -> Result<Bytes, FetchError> {
    fetcher.ask(Question { url, authorization: None, body: None }, Instant::now() + within).await
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_pinned_host_is_asked() {
    let server = Server::giving("a key").await;
    assert_eq!(ask(&server.fetcher(), &url(HOST), LONG).await.unwrap(), "a key");
    assert_eq!(server.asked(), [("GET /key".to_owned(), None, String::new())]);
}

#[tokio::test]
async fn what_is_no_200_is_no_answer_and_a_redirect_is_not_followed() {
    for code in [
        StatusCode::NO_CONTENT,
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::NOT_FOUND,
        StatusCode::INTERNAL_SERVER_ERROR,
    ] {
        let server = Server::start(move |_| {
            let mut response = status(code);
            let elsewhere = HeaderValue::from_static("https://keys.example.com/elsewhere");
            response.headers_mut().insert(http::header::LOCATION, elsewhere);
            Some(response)
        })
        .await;
        assert_eq!(ask(&server.fetcher(), &url(HOST), LONG).await, Err(FetchError::Status(code)));
        assert_eq!((server.asked().len(), server.connections()), (1, 1), "{code}");
    }
}

#[tokio::test]
async fn a_long_answer_is_not_read() {
    let fits = Server::giving(vec![b'x'; MAX_ANSWER_BYTES]).await;
    assert_eq!(ask(&fits.fetcher(), &url(HOST), LONG).await.unwrap().len(), MAX_ANSWER_BYTES);
    let too_long = Server::giving(vec![b'x'; MAX_ANSWER_BYTES + 1]).await;
    assert_eq!(ask(&too_long.fetcher(), &url(HOST), LONG).await, Err(FetchError::TooLong));
}

#[tokio::test]
async fn a_late_answer_is_not_waited_for() {
    let silent = Server::start(|_| None).await;
    let begun = Instant::now();
    let answer = ask(&silent.fetcher(), &url(HOST), Duration::from_millis(200)).await;
    assert_eq!(answer, Err(FetchError::TimedOut));
    assert!(begun.elapsed() < LONG && silent.connections() == 1);
}

#[tokio::test]
async fn the_host_must_be_who_it_is() {
    let server = Server::giving("a key").await;
    // Its certificate is for another name.
    let other = ask(&server.fetcher(), &url("api.example.com"), LONG).await.unwrap_err();
    assert!(matches!(&other, FetchError::Unreachable(why) if why.contains("certificate")), "{other}");
    // Nobody vouches for its certificate.
    let fetcher = Fetcher::with(Resolver::of_loopback(server.address), client_tls(false));
    let unknown = ask(&fetcher, &url(HOST), LONG).await.unwrap_err();
    assert!(matches!(&unknown, FetchError::Unreachable(why) if why.contains("certificate")), "{unknown}");
    assert_eq!(server.asked(), []);
}

/// As it is in production: the name has an address that is not the internet's.
#[tokio::test]
async fn a_private_address_is_not_connected_to() {
    let server = Server::giving("a key").await;
    let address = server.address;
    let resolver = Resolver::asking(move |_| async move { Ok(vec![address]) });
    let refused = ask(&Fetcher::with(resolver, client_tls(true)), &url(HOST), LONG).await.unwrap_err();
    assert!(
        matches!(&refused, FetchError::Unreachable(why) if why.contains("no public address")),
        "{refused}"
    );
    assert_eq!(server.connections(), 0);
}

/// The name's address changes after it was looked at: what was looked at is what is connected to.
#[tokio::test]
async fn a_name_is_resolved_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let server = Server::giving("a key").await;
    let (address, times) = (server.address, Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&times);
    let resolver = Resolver::of_loopback_by(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        vec![address]
    });
    let answer = ask(&Fetcher::with(resolver, client_tls(true)), &url(HOST), LONG).await;
    assert_eq!(answer.unwrap(), "a key");
    assert_eq!(times.load(Ordering::SeqCst), 1);
}

/// Even a URL that got past every other check: http, and an address instead of a name, which no resolver sees.
#[tokio::test]
async fn neither_http_nor_an_address_passes() {
    let server = Server::giving("a key").await;
    let port = server.address.port();
    let allowed = Allowed { hosts: vec![Pattern::host(HOST).unwrap()], path: Pattern::path("/key").unwrap() };
    for text in ["http://keys.example.com/key".to_owned(), format!("https://127.0.0.1:{port}/key")] {
        assert_eq!(allowed.key(&text), None, "{text}");
        assert!(PinnedUrl::fixed(&text).is_err(), "{text}");
    }
    for text in [
        "http://keys.example.com/key".to_owned(),
        format!("https://127.0.0.1:{port}/key"),
        format!("https://keys.example.com:{port}/key"),
        "https://user@keys.example.com/key".to_owned(),
        "https://127.0.0.1/key".to_owned(),
        "https://[::1]/key".to_owned(),
    ] {
        let answer = ask(&server.fetcher(), &PinnedUrl::unchecked(&text), LONG).await;
        assert!(matches!(answer, Err(FetchError::Question(_))), "{text}: {answer:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_question_may_have_a_body_and_a_credential() {
    let server = Server::start(|_| Some(Response::new(Full::from("ok")))).await;
    let mut authorization = HeaderValue::from_static("Bearer t");
    authorization.set_sensitive(true);
    let body = Some((Bytes::from_static(b"{}"), "application/json"));
    let question = Question { url: &url(HOST), authorization: Some(authorization), body };
    server.fetcher().ask(question, Instant::now() + LONG).await.unwrap();
    assert_eq!(server.asked(), [("POST /key".to_owned(), Some("Bearer t".to_owned()), "{}".to_owned())]);
}
