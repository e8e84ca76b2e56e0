//! The path of a webhook, on one screen.
//!
//! Each station is a file, takes the previous station's type *by value* and gives the next: leaving one out
//! or swapping two does not compile. Only [`verify`](verify::verify) makes a [`Verified`], only
//! [`produce`](produce::produce) an [`Acknowledged`], and only a 2xx has either behind it.

pub mod body;
pub mod encode;
pub mod extract;
pub mod limits;
pub mod places;
pub mod produce;
pub mod rejection;
pub mod reply;
pub mod route;
pub mod several;
pub mod source;
pub mod verify;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Body;

pub use body::Received;
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
    if let Err(rejection) = &outcome {
        rejection.log(watch.source(), arrived.monotonic.elapsed());
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
    let received = body::read(addressed).await?;
    let verified = verify::verify(received)?;
    let extracted = extract::extract(verified)?;
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
    let records = encode::encode(routed);
    let acknowledged = produce::produce(app, records).await?;
    Ok(Accepted::Delivered(acknowledged))
}
