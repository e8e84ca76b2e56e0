//! Beside the path: is it a handshake?
//!
//! Takes a request at three stations: [`from_head`] takes [`Addressed`] and gives [`Posted`], without which no body
//! is read; [`from_body`] takes and gives [`Received`]; [`from_verified`] takes and gives [`Verified`]. Each may
//! give [`Challenged`] instead, of which this file is the only maker: the answer to a handshake, and the end of the
//! path. No record can come of it. Refuses with `MethodNotAllowed`, `NoHandshake`, `HandshakeRefused`,
//! `SecretOffered` and `Overloaded`.
//!
//! A handshake without a signature proves nothing of who asks. So a request that claims to be signed is judged by
//! [`super::verify`] alone: no genuine event is ever taken for an unsigned handshake, and a forged one is refused.
//! What is recognised, and what is answered, stands in [`crate::handshake`].

use std::ops::ControlFlow;

use http::{Method, Request};

use super::Rejection;
use super::body::Received;
use super::source::{Addressed, Ticket};
use super::verify::Verified;
use crate::config::Source;
use crate::handshake::{self, Answer, Refusal};
use crate::telemetry::offered;

/// A request goes on, or its answer is known.
pub type Step<T> = Result<ControlFlow<Challenged, T>, Rejection>;

/// A request with an event in its body, as far as its head tells. Only [`from_head`] makes it.
#[derive(Debug)]
#[must_use]
pub struct Posted<B> {
    request: Request<B>,
    ticket: Ticket,
}

impl<B> Posted<B> {
    /// The request, for the next station.
    pub(super) fn into_request(self) -> (Request<B>, Ticket) {
        (self.request, self.ticket)
    }
}

/// Evidence that a request was a handshake, and its answer. Only this file makes it.
#[derive(Debug)]
#[must_use]
pub struct Challenged {
    ticket: Ticket,
    answer: Answer,
    stage: Stage,
}

/// Where a handshake was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Verified,
    Offer,
}

impl Challenged {
    /// The source that was asked for.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.ticket.source
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What became of it, for the metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self.stage {
            Stage::Head | Stage::Body | Stage::Verified => "answered",
            Stage::Offer => "secret_shown",
        }
    }

    /// Writes the log line. Nothing of the request stands in it.
    pub(super) fn log(&self) {
        let (source, status) = (&*self.ticket.source.name, self.answer.status().code().as_u16());
        let (verified, outcome) = (self.stage == Stage::Verified, self.outcome());
        tracing::info!(source, status, verified, outcome, "handshake");
    }
}

/// Sorts by the method: a POST goes on, whatever it is; anything else is a handshake or refused.
///
/// # Errors
/// `MethodNotAllowed`, `NoHandshake`, `HandshakeRefused`.
pub fn from_head<B>(addressed: Addressed<B>) -> Step<Posted<B>> {
    let Addressed { request, ticket } = addressed;
    if request.method() == Method::POST {
        return Ok(ControlFlow::Continue(Posted { request, ticket }));
    }
    let handshakes = &ticket.source.handshakes;
    if !handshakes.has(request.method()) {
        return Err(Rejection::MethodNotAllowed(handshakes.methods()));
    }
    let asked = handshake::Request { query: request.uri().query(), headers: request.headers(), body: b"" };
    match handshakes.judge_head(request.method(), &asked, &ticket.source.facts(ticket.arrived.wall))? {
        Some(answer) => Ok(ControlFlow::Break(Challenged { ticket, answer, stage: Stage::Head })),
        None => Err(Rejection::NoHandshake),
    }
}

/// Answers what is posted without a signature: a handshake that its provider does not sign, or the secret that its
/// provider hands over.
///
/// # Errors
/// `HandshakeRefused`, `SecretOffered`, `Overloaded`.
pub fn from_body(received: Received) -> Step<Received> {
    let source = &received.ticket.source;
    if source.handshakes.is_empty() {
        return Ok(ControlFlow::Continue(received));
    }
    if source.handshakes.shows_offered_secret()
        && let Some(answer) = show(&received)?
    {
        return Ok(ControlFlow::Break(Challenged { ticket: received.ticket, answer, stage: Stage::Offer }));
    }
    if source.authentication.is_claimed_by(&received.headers, received.uri.query()) {
        return Ok(ControlFlow::Continue(received));
    }
    let asked = seen(&received);
    if source.handshakes.offer().is_some_and(|offer| offer.is_in(&asked)) {
        return Err(Rejection::SecretOffered);
    }
    match source.handshakes.judge_post(false, &asked, &source.facts(received.ticket.arrived.wall))? {
        Some(answer) => {
            Ok(ControlFlow::Break(Challenged { ticket: received.ticket, answer, stage: Stage::Body }))
        }
        None => Ok(ControlFlow::Continue(received)),
    }
}

/// Answers a handshake whose signature has been verified.
///
/// # Errors
/// `HandshakeRefused`.
pub fn from_verified(verified: Verified) -> Step<Verified> {
    let received = verified.request();
    let source = &received.ticket.source;
    if source.handshakes.list().is_empty() {
        return Ok(ControlFlow::Continue(verified));
    }
    match source.handshakes.judge_post(true, &seen(received), &source.facts(received.ticket.arrived.wall))? {
        Some(answer) => {
            let ticket = verified.into_request().ticket;
            Ok(ControlFlow::Break(Challenged { ticket, answer, stage: Stage::Verified }))
        }
        None => Ok(ControlFlow::Continue(verified)),
    }
}

fn seen(received: &Received) -> handshake::Request<'_> {
    handshake::Request { query: received.uri.query(), headers: &received.headers, body: &received.body }
}

/// Shows the secret that a request brings, if it brings one: on standard output, never in the log.
fn show(received: &Received) -> Result<Option<Answer>, Rejection> {
    let source = &received.ticket.source;
    let asked = seen(received);
    let Some(offer) = source.handshakes.offer().filter(|offer| offer.is_in(&asked)) else { return Ok(None) };
    let (secret, answer) = offer.take(&asked)?;
    // Without the secret having been shown, the provider must not believe that it was taken.
    if offered::show(&source.name, secret) { Ok(Some(answer)) } else { Err(Rejection::Overloaded) }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WrongToken => Self::HandshakeTokenMismatch,
            refusal => Self::HandshakeRefused(refusal),
        }
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
