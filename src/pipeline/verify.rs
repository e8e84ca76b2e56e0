//! Station 4: is it genuine?
//!
//! Takes [`Received`]. Gives [`Verified`], of which this file is the only maker: the field is private, the type
//! can't be cloned, and the module has no children that could see it. Refuses with the `Signature…`,
//! `HeaderRepeated` and `TimestampOutsideTolerance` rejections.
//!
//! The rules themselves stand in [`crate::signature`].

use std::sync::Arc;

use super::Rejection;
use super::body::Received;
use crate::config::{Authentication, Source};
use crate::signature::scheme::at_most_one_header;
use crate::signature::{Coverage, UnixSeconds};

/// Evidence that a request was signed by a holder of one of its source's secrets, or that its source says,
/// in so many words, that it accepts unsigned requests.
///
/// ```compile_fail
/// fn forge(request: hookbridge::pipeline::Received) -> hookbridge::pipeline::Verified {
///     hookbridge::pipeline::Verified { request, key: None }
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Verified {
    request: Received,
    /// Of the key that matched; none where nothing is verified.
    key: Option<Arc<str>>,
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
    let key = match &source.authentication {
        Authentication::Signed { scheme, keys } => {
            let arrived = request.ticket.arrived.wall;
            let now = UnixSeconds::from_system_time(arrived);
            let valid = || keys.iter().filter(|key| key.is_valid_at(arrived));
            let matched = scheme.verify(valid().map(|key| &key.key), &request.headers, &request.body, now)?;
            valid().nth(matched).map(|key| Arc::clone(&key.name))
        }
        Authentication::DangerUnsigned => None,
    };
    Ok(Verified { request, key })
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

    /// The source that it was sent to.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.request.ticket.source
    }

    /// The name of the key that signed it; `None` where the source accepts unsigned requests.
    #[must_use]
    pub fn key_name(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }

    /// The request, for the next station.
    pub(super) fn into_request(self) -> Received {
        self.request
    }
}
