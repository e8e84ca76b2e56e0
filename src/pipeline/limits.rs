//! Station 1: is there room?
//!
//! Takes a request whose head has been read, and nothing of its body. Gives [`Admitted`], which holds a permit
//! until the request's last record is accounted for. Refuses with `Draining` and `Overloaded`.

use std::time::{Instant, SystemTime};

use http::Request;

use super::Rejection;
use crate::app::App;
use crate::budget::Permit;
use crate::telemetry::trace::Trace;

/// A request for which there is room.
#[derive(Debug)]
#[must_use]
pub struct Admitted<B> {
    pub(super) request: Request<B>,
    pub(super) permit: Permit,
    pub(super) arrived: Arrival,
    pub(super) trace: Trace,
}

/// When a request arrived: the only place where the path reads a clock.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// For deadlines: it never jumps.
    pub monotonic: Instant,
    /// For signatures and records.
    pub wall: SystemTime,
}

impl Arrival {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }
}

/// Admits a request.
///
/// # Errors
/// `Draining`, `Overloaded`.
pub fn admit<B>(
    app: &App,
    request: Request<B>,
    arrived: Arrival,
    trace: Trace,
) -> Result<Admitted<B>, Rejection> {
    if app.is_draining() {
        return Err(Rejection::Draining);
    }
    let permit = app.budget().admit().ok_or(Rejection::Overloaded)?;
    Ok(Admitted { request, permit, arrived, trace })
}
