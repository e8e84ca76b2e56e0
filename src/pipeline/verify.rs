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
use crate::signature::scheme::{Proven, SignaturePlace};
use crate::signature::{Coverage, Key, Message, SignatureError, UnixSeconds};
use crate::topic::TopicName;

/// Evidence that a request was signed by a holder of one of its source's secrets, or that its source says,
/// in so many words, that it accepts unsigned requests; or that it is a dead letter which was found genuine once, can't
/// be verified again, and is trusted by its operator's word ([`verify_again`]).
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
    /// What proved it; none where nothing is verified.
    key: Option<Match>,
}

/// The key that matched, and what else was signed.
#[derive(Debug)]
struct Match {
    name: Arc<str>,
    signed: Option<UnixSeconds>,
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
pub(crate) const FETCHED: &str = "fetched";

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

/// An operator's word that nobody but hookbridge writes to the topic that dead letters are read from, so that each was
/// verified when it came.
#[derive(Debug, Clone, Copy)]
pub struct TopicTrusted(());

impl TopicTrusted {
    /// The operator has said so, in so many words: `--accept-unverifiable`.
    #[must_use]
    pub fn as_the_operator_says() -> Self {
        Self(())
    }
}

/// How a request that is taken through again was kept.
#[derive(Debug, Clone, Copy)]
pub struct AsKept {
    /// It is an element of a batch.
    pub is_element: bool,
    /// It was found genuine when it came, as its record says: a dead letter, and nothing from a quarantine.
    pub was_verified: bool,
}

/// Why a request can't be verified a second time, whatever the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrepeatable {
    /// The signature was over the whole batch, which is not kept.
    #[error("it is an element of a batch, and the signature was over the whole")]
    Element,
    /// What proved it is a credential, or stood where credentials do.
    #[error("what proved it is a credential, and those are never kept")]
    NotKept,
    /// The source accepts unsigned requests.
    #[error("its source accepts unsigned requests, so nothing proves that it was received by it")]
    Unsigned,
}

/// Why a kept request is not taken for genuine.
#[derive(Debug)]
#[must_use]
pub enum NotAgain {
    /// Verified again, it is refused.
    Refused(Rejection),
    /// It can't be verified again, and nobody has said that the topic is trusted.
    Unrepeatable(Unrepeatable),
}

/// Verifies a kept request again, as of the time when it arrived. Where that is impossible for any request of this kind
/// it is taken on trust, if the operator says so; one whose signature is wrong never is.
///
/// # Errors
/// See [`NotAgain`].
pub fn verify_again(
    keyed: Keyed,
    kept: AsKept,
    trusted: Option<TopicTrusted>,
) -> Result<(Verified, Option<Unrepeatable>), NotAgain> {
    match (unrepeatable(&keyed.request.ticket.source, kept.is_element), trusted) {
        (Some(why), Some(TopicTrusted(()))) if kept.was_verified => {
            Ok((Verified { request: keyed.request, key: None }, Some(why)))
        }
        (Some(why), _) => Err(NotAgain::Unrepeatable(why)),
        (None, _) => match verify(keyed) {
            Ok(verified) => Ok((verified, None)),
            Err(Unproven::Refused(why)) => Err(NotAgain::Refused(why)),
            Err(Unproven::Suspect(suspect)) => Err(NotAgain::Refused(suspect.why)),
            Err(Unproven::Unverified(unverified)) => Err(NotAgain::Refused(unverified.why)),
        },
    }
}

/// Why no request of this kind can be verified again: not what the record says of itself, but what its source is.
fn unrepeatable(source: &Source, is_element: bool) -> Option<Unrepeatable> {
    let Authentication::Signed { scheme, .. } = &source.authentication else {
        return Some(Unrepeatable::Unsigned);
    };
    let is_in_lost_query = matches!(scheme.place, SignaturePlace::Query(_)) && !scheme.signs_query();
    if !scheme.can_be_kept() || is_in_lost_query {
        return Some(Unrepeatable::NotKept);
    }
    // Anybody could call a record an element: of a source that splits nothing it is none.
    (is_element && source.split.is_some()).then_some(Unrepeatable::Element)
}

/// What proves the request; none where nothing is verified.
fn prove(
    request: &Received,
    fetched: Result<Option<Arc<Key>>, SignatureError>,
) -> Result<Option<Match>, Rejection> {
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
            let prove =
                |now| scheme.prove(valid().map(|key| &key.key).chain(fetched.as_deref()), &message, now);
            let Proven { key, signed } = prove(now).map_err(|error| stale_or_forged(error, prove))?;
            let name = valid().nth(key).map(|key| Arc::clone(&key.name));
            name.or_else(|| fetched.as_ref().map(|_| FETCHED.into())).map(|name| Match { name, signed })
        }
        Authentication::DangerUnsigned => None,
    })
}

/// A request whose time is wrong is refused for that. Whether it is also its provider's is of interest to the metrics: a
/// clock that is wrong is to be told from somebody who makes up times. At its own time a genuine one is proved.
fn stale_or_forged(
    error: SignatureError,
    prove: impl Fn(UnixSeconds) -> Result<Proven, SignatureError>,
) -> SignatureError {
    let SignatureError::TimestampOutsideTolerance { signed, now, .. } = error else { return error };
    let proven = prove(signed).ok().and_then(|proven| proven.signed);
    SignatureError::TimestampOutsideTolerance { signed, now, proven }
}

/// When a request was signed and when it arrived, if it has a signed time and its signature holds.
pub(super) fn times(verdict: &Result<Verified, Unproven>) -> Option<(UnixSeconds, UnixSeconds)> {
    let why = match verdict {
        Ok(verified) => {
            let received = UnixSeconds::from_system_time(verified.request.ticket.arrived.wall);
            return Some((verified.key.as_ref()?.signed?, received));
        }
        Err(Unproven::Refused(why)) => why,
        Err(Unproven::Suspect(suspect)) => &suspect.why,
        Err(Unproven::Unverified(unverified)) => &unverified.why,
    };
    match why {
        Rejection::TimestampOutsideTolerance(SignatureError::TimestampOutsideTolerance {
            proven: Some(signed),
            now,
            ..
        }) => Some((*signed, *now)),
        _ => None,
    }
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
        self.key.as_ref().map(|key| &key.name)
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
