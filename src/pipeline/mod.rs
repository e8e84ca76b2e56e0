//! The path of a webhook, on one screen.
//!
//! Each station is a file, takes the previous station's type *by value* and gives the next: leaving one out
//! or swapping two does not compile. Only [`verify`](verify::verify) makes a [`Verified`], only
//! [`produce`](produce::produce) an [`Acknowledged`], only [`handshake`] a [`Challenged`], only [`confirm`] a
//! [`Confirmed`](confirm::Confirmed), and only a 2xx has any of them behind it. What is not genuine leaves the path at `verify`: refused; refused and kept apart by
//! [`quarantine`]; or, under `verification: report_only`, published apart by [`report_only`]. What was kept is taken
//! through the same stations once more by [`again`].

pub mod again;
pub mod body;
mod cloudevents;
pub mod confirm;
mod dead_letter;
pub mod decode;
pub mod encode;
pub mod extract;
pub mod handshake;
pub mod keys;
pub mod limits;
pub mod places;
pub mod produce;
pub mod quarantine;
pub mod rejection;
pub mod reply;
pub mod report_only;
pub mod route;
mod schemas;
pub mod several;
pub mod source;
pub mod verify;

use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Body;

pub use body::Received;
pub(crate) use cloudevents::time as event_time;
pub(crate) use dead_letter::kept as kept_with_dead_letters;
pub use handshake::Challenged;
pub use keys::Keyed;
pub use produce::Acknowledged;
pub use rejection::Rejection;
pub use reply::Accepted;
pub use verify::{Suspect, Unverified, Verified};

use crate::app::App;
use crate::config::Source;
use crate::telemetry::current;
use crate::telemetry::metrics::Watch;
use crate::telemetry::trace::Trace;
use limits::Arrival;
use route::Route;
use verify::Unproven;

/// Takes a request, whose body has not been read, to its answer.
pub async fn handle<B>(app: &App, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let arrived = Arrival::now();
    let source = source::of(app, &request);
    let name = source.as_ref().map(|source| &source.name);
    let watch = app.metrics().request(name, request.method(), arrived.monotonic);
    let traced = app.tracing().map(|tracing| tracing.request(&request, source.as_deref(), arrived));
    let (span, trace) = traced.map_or_else(Default::default, |(span, trace)| (Some(span), trace));
    let ids = trace.ids(request.headers());
    current::within(ids, async {
        let outcome = accept(app, source.clone(), request, arrived, trace).await;
        let response = reply::reply(&outcome);
        let error_type = outcome.as_ref().err().map(Rejection::code);
        watch.answered(response.status(), error_type);
        if let Some(span) = span {
            span.answered(response.status(), error_type);
        }
        report(app, source.as_ref(), &watch, arrived, &outcome);
        response
    })
    .await
}

/// What is logged and counted of what became of a request, beside its answer.
fn report(
    app: &App,
    source: Option<&Arc<Source>>,
    watch: &Watch<'_>,
    arrived: Arrival,
    outcome: &Result<Accepted, Rejection>,
) {
    match outcome {
        Ok(Accepted::Challenged(challenged)) => {
            challenged.log();
            app.metrics().handshake(&challenged.source().name, challenged.outcome());
        }
        Ok(_) => {}
        Err(rejection) => {
            rejection.log(watch.source(), arrived.monotonic.elapsed());
            if let (true, Some(source)) = (rejection.is_of_handshake(), source) {
                app.metrics().handshake(&source.name, rejection.code());
            }
        }
    }
}

async fn accept<B>(
    app: &App,
    source: Option<Arc<Source>>,
    request: Request<B>,
    arrived: Arrival,
    trace: Trace,
) -> Result<Accepted, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let admitted = limits::admit(app, request, arrived, trace)?;
    let addressed = source::address(source, admitted)?;
    let posted = match handshake::from_head(addressed)? {
        Continue(posted) => posted,
        Break(challenged) => return Ok(Accepted::Challenged(challenged)),
    };
    let received = body::read(posted).await?;
    let source = Arc::clone(&received.ticket.source);
    app.metrics().sources.body(&source.name, received.body.len());
    let received = match handshake::from_body(received)? {
        Continue(received) => received,
        Break(challenged) => return Ok(Accepted::Challenged(challenged)),
    };
    let keyed = keys::gather(app, received).await?;
    let verdict = verify::verify(keyed);
    if let Some((signed, received)) = verify::times(&verdict) {
        app.metrics().sources.signed(&source.name, signed, received);
    }
    let verified = match verdict {
        Ok(verified) => verified,
        Err(Unproven::Refused(rejection)) => return Err(rejection),
        Err(Unproven::Suspect(suspect)) => return Err(quarantine::keep(app, *suspect)),
        Err(Unproven::Unverified(unverified)) => {
            let record = report_only::encode(app.metrics(), *unverified);
            return Ok(Accepted::Delivered(produce::produce(app, record).await?));
        }
    };
    if let Some(key) = verified.key_name() {
        app.metrics().verified(&verified.source().name, key);
    }
    let verified = match handshake::from_verified(verified)? {
        Continue(verified) => verified,
        Break(challenged) => return Ok(Accepted::Challenged(challenged)),
    };
    let verified = match confirm::confirm(app, verified).await? {
        Continue(verified) => verified,
        Break(confirmed) => return Ok(Accepted::Confirmed(confirmed)),
    };
    let extracted = extract::extract(decode::decode(verified)?)?;
    let routed = match route::route(extracted)? {
        Route::Publish(routed) => routed,
        Route::Drop(dropped) => {
            dropped.report(app.metrics());
            return Ok(Accepted::Dropped(dropped));
        }
        Route::Empty(empty) => {
            empty.report(app.metrics());
            return Ok(Accepted::Empty(empty));
        }
    };
    routed.report(app.metrics());
    let records = encode::encode(app, routed).await?;
    records.report(app.metrics());
    let acknowledged = produce::produce(app, records).await?;
    app.metrics().sources.accepted(&source.name);
    Ok(Accepted::Delivered(acknowledged))
}
