//! Station 4: is it genuine?
//!
//! Takes [`Keyed`]. Gives [`Verified`], of which this file is the only maker: the field is private, the type
//! can't be cloned, and the module has no children that could see it. Refuses with the `Signature…`,
//! `HeaderRepeated`, `TimestampOutsideTolerance` and `BodyIsToken` rejections; where the source says so, what is
//! refused is a [`Suspect`], which can be kept for another look, or an [`Unverified`], which is published as such.
//! Neither is ever a [`Verified`], and no station takes the one for the other.
//!
//! The rules themselves stand in [`crate::signature`].

use std::sync::Arc;

use super::Rejection;
use super::body::Received;
use super::keys::Keyed;
use crate::config::{Authentication, Quarantine, Source};
use crate::handshake::token;
use crate::signature::message::at_most_one_header;
use crate::signature::{Coverage, Key, Message, SignatureError, UnixSeconds};
use crate::topic::TopicName;

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

/// What is left of a request that is not genuine.
#[derive(Debug)]
#[must_use]
pub enum Unproven {
    /// The refusal.
    Refused(Rejection),
    /// The refusal, and what may be kept of the request: the source says `quarantine: true`.
    Suspect(Box<Suspect>),
    /// The request, which its source publishes all the same: `verification: report_only`.
    Unverified(Box<Unverified>),
}

/// A request that is refused, and may be kept for another look: it was presented with a signature, which another
/// secret may give. Only [`verify`] makes it.
#[derive(Debug)]
#[must_use]
pub struct Suspect {
    request: Received,
    why: Rejection,
    quarantine: Arc<Quarantine>,
}

/// A request whose signature fails, of a source that only reports it. Only [`verify`] makes it.
#[derive(Debug)]
#[must_use]
pub struct Unverified {
    request: Received,
    why: Rejection,
    topic: TopicName,
}

/// What logs and metrics call a key that the provider serves.
const FETCHED: &str = "fetched";

/// Verifies a request, as of the time when it arrived.
///
/// # Errors
/// See the head of this file.
pub fn verify(keyed: Keyed) -> Result<Verified, Unproven> {
    let Keyed { request, fetched } = keyed;
    match prove(&request, fetched) {
        Ok(key) => Ok(Verified { request, key }),
        Err(why) => Err(unproven(request, why)),
    }
}

/// The name of the key that proves the request; none where nothing is verified.
fn prove(
    request: &Received,
    fetched: Result<Option<Arc<Key>>, SignatureError>,
) -> Result<Option<Arc<str>>, Rejection> {
    let source = &request.ticket.source;
    for names in source.provider.headers_read() {
        at_most_one_header(&request.headers, names)?;
    }
    let fetched = fetched?;
    // Whoever asks is given the source's signature over a token: it proves nothing about a body that is one.
    if source.handshakes.signs_tokens() && token::may_be_signed_as_token(&request.body) {
        return Err(Rejection::BodyIsToken);
    }
    Ok(match &source.authentication {
        Authentication::Signed { scheme, keys } => {
            let arrived = request.ticket.arrived.wall;
            let now = UnixSeconds::from_system_time(arrived);
            let message =
                Message { headers: &request.headers, query: request.uri.query(), body: &request.body };
            let valid = || keys.iter().filter(|key| key.is_valid_at(arrived));
            let matched =
                scheme.verify(valid().map(|key| &key.key).chain(fetched.as_deref()), &message, now)?;
            valid()
                .nth(matched)
                .map_or_else(|| fetched.as_ref().map(|_| FETCHED.into()), |key| Some(Arc::clone(&key.name)))
        }
        Authentication::DangerUnsigned => None,
    })
}

/// What the source says of a request that is refused for this reason.
fn unproven(request: Received, why: Rejection) -> Unproven {
    let source = &request.ticket.source;
    if let Some(report_only) = &source.report_only {
        let topic = report_only.topic.clone();
        return Unproven::Unverified(Box::new(Unverified { request, why, topic }));
    }
    match &source.quarantine {
        Some(quarantine) if may_be_proved_later(&why) => {
            let quarantine = Arc::clone(quarantine);
            Unproven::Suspect(Box::new(Suspect { request, why, quarantine }))
        }
        _ => Unproven::Refused(why),
    }
}

/// Whether another secret, or a scheme put right, may find the request genuine. Without a signature nothing will;
/// and a signed time that was wrong on arrival is what a replay looks like, which must not be let in later.
fn may_be_proved_later(why: &Rejection) -> bool {
    matches!(why, Rejection::SignatureMismatch(_) | Rejection::SignatureMalformed(_))
}

impl Suspect {
    /// The request, why it is refused, and the rules by which it may be kept.
    pub(super) fn into_parts(self) -> (Received, Rejection, Arc<Quarantine>) {
        (self.request, self.why, self.quarantine)
    }
}

impl Unverified {
    /// The request, what speaks against it, and the one topic it may go to.
    pub(super) fn into_parts(self) -> (Received, Rejection, TopicName) {
        (self.request, self.why, self.topic)
    }
}

impl Verified {
    /// What the signature covers. What it does not, the sender of this request need not have written.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        self.request.ticket.source.authentication.coverage()
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

    /// The request.
    pub(super) fn request(&self) -> &Received {
        &self.request
    }

    /// The request, for the next station.
    pub(super) fn into_request(self) -> Received {
        self.request
    }
}
