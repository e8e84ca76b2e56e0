//! Is the captured request a handshake? Then it is answered, and is no event.
//!
//! Takes a case. Gives the step of the station of that name, in the three places where `serve` asks. What is answered
//! is not shown: it may be signed.

use http::{HeaderMap, Method};

use super::Case;
use super::steps::Step;
use crate::handshake::{Answer, Refusal, Request};
use crate::pipeline::Rejection;

const NAME: &str = "handshake";

/// Whether the source answers the request's method, and it is not POST.
pub(crate) fn has_method(case: &Case<'_>) -> bool {
    method(case).is_some_and(|method| method != Method::POST && case.source.handshakes.has(&method))
}

fn method(case: &Case<'_>) -> Option<Method> {
    Method::from_bytes(case.capture.method.as_deref()?.as_bytes()).ok()
}

/// A handshake before the signature is looked at.
pub(crate) fn unsigned(case: &Case<'_>) -> Option<Step> {
    let source = case.source;
    let (handshakes, capture) = (&source.handshakes, case.capture);
    let facts = source.facts(case.received());
    if let Some(method) = method(case).filter(|_| has_method(case)) {
        let asked = Request { body: b"", ..request(case, &capture.headers) };
        let step = step(handshakes.judge_head(&method, &asked, &facts));
        let none = || Step::failed(NAME, Rejection::NoHandshake.to_string(), Rejection::NoHandshake);
        return Some(step.unwrap_or_else(none));
    }
    if handshakes.is_empty()
        || source.authentication.is_claimed_by(&capture.headers, capture.query.as_deref())
    {
        return None;
    }
    let asked = request(case, &capture.headers);
    if handshakes.offer().is_some_and(|offer| offer.is_in(&asked)) {
        return Some(match handshakes.shows_offered_secret() {
            true => Step::passed(NAME, "the provider brings its secret, and it is shown on standard output"),
            false => Step::failed(NAME, Rejection::SecretOffered.to_string(), Rejection::SecretOffered),
        });
    }
    step(handshakes.judge_post(false, &asked, &facts))
}

/// A handshake whose signature is right.
pub(crate) fn verified(case: &Case<'_>) -> Option<Step> {
    let asked = request(case, &case.capture.headers);
    step(case.source.handshakes.judge_post(true, &asked, &case.source.facts(case.received())))
}

fn request<'a>(case: &Case<'a>, headers: &'a HeaderMap) -> Request<'a> {
    Request { query: case.capture.query.as_deref(), headers, body: &case.capture.body }
}

fn step(judged: Result<Option<Answer>, Refusal>) -> Option<Step> {
    match judged {
        Ok(None) => None,
        Ok(Some(_)) => {
            Some(Step::passed(NAME, "the provider's handshake: it is answered, and nothing is published"))
        }
        Err(refusal) => Some(Step::failed(NAME, refusal.to_string(), refusal.into())),
    }
}
