//! Station 3: the exact octets.
//!
//! Takes [`Posted`]. Gives [`Received`]: headers and body, the body under the source's limit and read within
//! its time. A content-encoding is left as it is: signatures are over the octets as they were sent. Refuses with
//! `BodyTooLarge`, `BodyTimedOut`, `BodyAborted` and `Overloaded`.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use super::Rejection;
use super::handshake::Posted;
use super::source::Ticket;
use crate::budget::Permit;

/// A whole request: its head and its body.
#[derive(Debug)]
#[must_use]
pub struct Received {
    pub(super) ticket: Ticket,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Reads the body. What the head already tells is refused before the first octet is asked for: hyper sends
/// `100 Continue` only when the body is polled.
///
/// # Errors
/// See the head of this file.
pub async fn read<B>(posted: Posted<B>) -> Result<Received, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (request, mut ticket) = posted.into_request();
    let (head, body) = request.into_parts();
    let limit = ticket.source.max_body_bytes;
    let declared = head.headers.get(CONTENT_LENGTH).and_then(parse_length);
    if declared.is_some_and(|length| length > limit) {
        return Err(Rejection::BodyTooLarge { limit });
    }
    let allowed = ticket.source.body_timeout;
    let body =
        within(ticket.arrived.monotonic + allowed, allowed, collect(body, limit, &mut ticket.permit)).await?;
    Ok(Received { ticket, uri: head.uri, headers: head.headers, body })
}

async fn within<T>(
    deadline: std::time::Instant,
    allowed: Duration,
    reading: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    match tokio::time::timeout_at(deadline.into(), reading).await {
        Ok(read) => read,
        Err(_) => Err(Rejection::BodyTimedOut { after: allowed }),
    }
}

fn parse_length(value: &HeaderValue) -> Option<usize> {
    value.to_str().ok()?.parse().ok()
}

/// Most bodies come in one frame, which is passed on as it is. Room is taken for what has come, never for
/// what was announced.
async fn collect<B>(mut body: B, limit: usize, permit: &mut Permit) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Rejection::BodyAborted(error.to_string()))?;
        // Trailers were not there when the request was signed.
        let Ok(mut data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(Rejection::BodyTooLarge { limit });
        }
        if !permit.grow(data.len()) {
            return Err(Rejection::Overloaded);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(data.chunk());
            data.advance(data.len());
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
