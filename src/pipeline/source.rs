//! Station 2: whose webhook is it?
//!
//! Takes [`Admitted`]. Gives [`Addressed`]: the source that is configured at the request's exact path, and the
//! deadline that follows from it. Refuses with `UnknownSource`.

use std::sync::Arc;
use std::time::Instant;

use http::Request;

use super::Rejection;
use super::limits::{Admitted, Arrival};
use crate::app::App;
use crate::budget::Permit;
use crate::config::Source;
use crate::telemetry::trace::Trace;

/// A request to a configured source.
#[derive(Debug)]
#[must_use]
pub struct Addressed<B> {
    pub(super) request: Request<B>,
    pub(super) ticket: Ticket,
}

/// What accompanies a request from here to its answer.
#[derive(Debug)]
pub struct Ticket {
    pub(super) permit: Permit,
    pub(super) source: Arc<Source>,
    pub(super) arrived: Arrival,
    /// When the answer must have been given.
    pub(super) deadline: Instant,
    /// Where it belongs, and what its records' spans begin from.
    pub(super) trace: Trace,
}

/// Finds the source: once for a request, or a reload could come between. Paths are compared octet for octet: what a
/// proxy and this service could understand differently is not served at all.
#[must_use]
pub fn of<B>(app: &App, request: &Request<B>) -> Option<Arc<Source>> {
    app.source_at(request.uri().path())
}

/// Gives the request its source, if there is one, and the deadline.
///
/// # Errors
/// `UnknownSource`.
pub fn address<B>(source: Option<Arc<Source>>, admitted: Admitted<B>) -> Result<Addressed<B>, Rejection> {
    let Admitted { request, permit, arrived, trace } = admitted;
    let source = source.ok_or(Rejection::UnknownSource)?;
    let deadline = arrived.monotonic + source.respond_within;
    Ok(Addressed { request, ticket: Ticket { permit, source, arrived, deadline, trace } })
}
