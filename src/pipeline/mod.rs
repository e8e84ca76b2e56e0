//! The path of a webhook, on one screen.
//!
//! Each station is a file, takes the previous station's type *by value* and gives the next: leaving one out
//! or swapping two does not compile. Only [`verify`](verify::verify) makes a [`Verified`], only
//! [`produce`](produce::produce) an [`Acknowledged`], only [`handshake`] a [`Challenged`], and only a 2xx has any of
//! them behind it.

pub mod body;
pub mod encode;
pub mod extract;
pub mod handshake;
pub mod limits;
pub mod produce;
pub mod rejection;
pub mod reply;
pub mod route;
pub mod source;
pub mod verify;

use std::ops::ControlFlow::{Break, Continue};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Body;

pub use body::Received;
pub use handshake::Challenged;
pub use produce::Acknowledged;
pub use rejection::Rejection;
pub use reply::Accepted;
pub use verify::Verified;

use crate::app::App;
use limits::Arrival;
use route::Route;

/// Takes a request, whose body has not been read, to its answer.
pub async fn handle<B>(app: &App, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let arrived = Arrival::now();
    let source = app.source_at(request.uri().path()).map(|source| &source.name);
    let watch = app.metrics().request(source, request.method(), arrived.monotonic);
    let outcome = accept(app, request, arrived).await;
    let response = reply::reply(&outcome);
    watch.answered(response.status(), outcome.as_ref().err().map(Rejection::code));
    match &outcome {
        Ok(Accepted::Challenged(challenged)) => {
            challenged.log();
            app.metrics().handshake(&challenged.source().name, challenged.outcome());
        }
        Ok(_) => {}
        Err(rejection) => {
            rejection.log(watch.source(), arrived.monotonic.elapsed());
            if let (true, Some(source)) = (rejection.is_of_handshake(), source) {
                app.metrics().handshake(source, rejection.code());
            }
        }
    }
    response
}

async fn accept<B>(app: &App, request: Request<B>, arrived: Arrival) -> Result<Accepted, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let admitted = limits::admit(app, request, arrived)?;
    let addressed = source::address(app, admitted)?;
    let posted = match handshake::from_head(addressed)? {
        Continue(posted) => posted,
        Break(challenged) => return Ok(Accepted::Challenged(challenged)),
    };
    let received = match handshake::from_body(body::read(posted).await?)? {
        Continue(received) => received,
        Break(challenged) => return Ok(Accepted::Challenged(challenged)),
    };
    let verified = match handshake::from_verified(verify::verify(received)?)? {
        Continue(verified) => verified,
        Break(challenged) => return Ok(Accepted::Challenged(challenged)),
    };
    let extracted = extract::extract(verified);
    let routed = match route::route(extracted)? {
        Route::Publish(routed) => routed,
        Route::Drop(dropped) => {
            app.metrics().dropped(&dropped.source().name);
            return Ok(Accepted::Dropped(dropped));
        }
    };
    if let Some(defect) = routed.defect() {
        defect.log(&routed.source().name);
        app.metrics().dead_letter(&routed.source().name, defect.reason().as_str());
    }
    let record = encode::encode(routed);
    let acknowledged = produce::produce(app, record).await?;
    Ok(Accepted::Delivered(acknowledged))
}
