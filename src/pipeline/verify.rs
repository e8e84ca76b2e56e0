//! Station 4: is it genuine?
//!
//! Takes [`Received`]. Gives [`Verified`], of which this file is the only maker: the field is private, the type
//! can't be cloned, and the module has no children that could see it. Refuses with the `Signature…`,
//! `HeaderRepeated`, `TimestampOutsideTolerance` and `BodyIsToken` rejections.
//!
//! The rules themselves stand in [`crate::signature`].

use super::Rejection;
use super::body::Received;
use crate::config::Authentication;
use crate::handshake::token;
use crate::signature::scheme::at_most_one_header;
use crate::signature::{Coverage, UnixSeconds};

/// Evidence that a request was signed by a holder of one of its source's secrets, or that its source says,
/// in so many words, that it accepts unsigned requests.
///
/// ```compile_fail
/// fn forge(request: hookbridge::pipeline::Received) -> hookbridge::pipeline::Verified {
///     hookbridge::pipeline::Verified { request }
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Verified {
    request: Received,
}

/// Verifies a request, as of the time when it arrived.
///
/// # Errors
/// See the head of this file.
pub fn verify(request: Received) -> Result<Verified, Rejection> {
    let source = &request.ticket.source;
    for names in source.provider.headers_read() {
        at_most_one_header(&request.headers, names)?;
    }
    // Whoever asks is given the source's signature over a token: it proves nothing about a body that is one.
    if source.handshakes.signs_tokens() && token::may_be_signed_as_token(&request.body) {
        return Err(Rejection::BodyIsToken);
    }
    match &source.authentication {
        Authentication::Signed { scheme, keys } => {
            let now = UnixSeconds::from_system_time(request.ticket.arrived.wall);
            scheme.verify(keys, &request.headers, &request.body, now)?;
        }
        Authentication::DangerUnsigned => {}
    }
    Ok(Verified { request })
}

impl Verified {
    /// What the signature covers. What it does not, the sender of this request need not have written.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        match &self.request.ticket.source.authentication {
            Authentication::Signed { scheme, .. } => scheme.coverage(),
            Authentication::DangerUnsigned => Coverage::NONE,
        }
    }

    /// The request.
    pub(super) fn request(&self) -> &Received {
        &self.request
    }

    /// The request, for the next station.
    pub(super) fn into_request(self) -> Received {
        self.request
    }
}
