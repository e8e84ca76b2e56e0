//! Beside the path: a request that was kept is taken through the stations again.
//!
//! Takes a [`Kept`]: a dead letter, or what is in quarantine, as it stands in its topic. Gives what becomes of it now
//! ([`Now`]), and where that is a record, [`publish`] produces it. There is no other way through than that of a request which has
//! just come: the same stations, in the same order, with the present configuration. Only the time of arrival is that of
//! the record, so that signatures are judged as of then. Whether it is genuine is decided by [`super::verify`] alone.
//! No handshake is answered and no subscription confirmed: those who asked have long got an answer.

use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;

use super::extract::{Element, Extracted, extract, extract_element};
use super::limits::{self, Arrival};
use super::route::{self, Route};
use super::verify::{AsKept, NotAgain, TopicTrusted, Unrepeatable, Verified, verify_again};
use super::{Acknowledged, Rejection, body, confirm, decode, encode, handshake, keys, produce, source};
use crate::app::App;
use crate::config::Source;
use crate::expression::Expression;
use crate::telemetry::trace::Trace;
use crate::topic::TopicName;

/// The header that says where a record was taken from: `topic/partition/offset`.
pub const REPLAYED_FROM: &str = "hookbridge_replayed_from";

/// A request, as it was kept in a topic.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Where: `topic/partition/offset`.
    pub origin: String,
    /// Path and query.
    pub uri: Uri,
    /// Those of its headers that were kept.
    pub headers: HeaderMap,
    /// The exact octets.
    pub body: Bytes,
    /// When it came.
    pub received_at: SystemTime,
    /// Which element of a batch it is, if it is one.
    pub element: Option<Element>,
    /// Whether it was found genuine then, as the record says.
    pub was_verified: bool,
}

/// What becomes of a kept request now.
#[derive(Debug)]
#[must_use]
pub enum Now {
    /// It becomes records.
    Publish(Ready),
    /// It is a dead letter still.
    StillDead {
        /// The value of `hookbridge_reason`.
        reason: &'static str,
        /// For people.
        detail: String,
    },
    /// Its type is dropped, or it is a batch without an element.
    Dropped,
    /// It is refused.
    Refused(Rejection),
    /// It can't be verified again.
    Unverifiable(Unrepeatable),
    /// It is an element whose ID or type stands in the rest of its batch, which is not kept: its key would be another than
    /// that of a fresh delivery.
    Incomplete,
    /// It is a handshake, or asks for a subscription to be confirmed.
    NoEvent,
}

/// The records of a kept request, with nothing produced yet.
#[derive(Debug)]
#[must_use]
pub struct Ready {
    records: encode::Records,
    /// Elements that go to the dead-letter topic, beside others that do not.
    dead: usize,
}

impl Ready {
    /// Topic and key of each record, in their order.
    pub fn addresses(&self) -> impl Iterator<Item = (&TopicName, &str)> {
        self.records.addresses().map(|(topic, key)| (topic, &**key))
    }

    /// How many elements of a batch become dead letters of their own.
    #[must_use]
    pub fn dead(&self) -> usize {
        self.dead
    }
}

/// Takes a kept request as far as its records. Nothing is produced, counted or answered.
///
/// # Errors
/// What may be otherwise when it is tried again: no room, a key that can't be had now.
pub async fn prepare(
    app: &App,
    source: Arc<Source>,
    kept: Kept,
    trusted: Option<TopicTrusted>,
) -> Result<Now, Rejection> {
    match through(app, source, kept, trusted).await {
        Err(refused) if !refused.is_temporary() => Ok(Now::Refused(refused)),
        outcome => outcome,
    }
}

async fn through(
    app: &App,
    source: Arc<Source>,
    kept: Kept,
    trusted: Option<TopicTrusted>,
) -> Result<Now, Rejection> {
    if kept.element.is_some() && source.split.is_some() && reads_whole_body(&source) {
        return Ok(Now::Incomplete);
    }
    let arrived = Arrival { monotonic: Instant::now(), wall: kept.received_at };
    let as_kept = AsKept { is_element: kept.element.is_some(), was_verified: kept.was_verified };
    let mut request = Request::new(Full::new(kept.body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = kept.uri;
    *request.headers_mut() = kept.headers;

    let admitted = limits::admit(app, request, arrived, Trace::default())?;
    let addressed = source::address(Some(source), admitted)?;
    let Continue(posted) = handshake::from_head(addressed)? else { return Ok(Now::NoEvent) };
    let received = body::read(posted).await?;
    let keyed = keys::gather(app, received).await?;
    let (verified, on_trust) = match verify_again(keyed, as_kept, trusted) {
        Ok(verified) => verified,
        Err(NotAgain::Refused(why)) => return Err(why),
        Err(NotAgain::Unrepeatable(why)) => return Ok(Now::Unverifiable(why)),
    };
    let verified = match handshake::from_verified(verified)? {
        Continue(verified) if !confirm::is_asked(&verified) => verified,
        Continue(_) | Break(_) => return Ok(Now::NoEvent),
    };
    let records = match route::route(read(verified, kept.element)?)? {
        Route::Publish(routed) => routed,
        Route::Drop(_) | Route::Empty(_) => return Ok(Now::Dropped),
    };
    let dead = records.defects().count();
    if let (Some(defect), true) = (records.defects().next(), dead == records.len()) {
        let (reason, detail) = (defect.reason().as_str(), defect.detail().to_owned());
        return Ok(Now::StillDead { reason, detail });
    }
    let records = encode::encode(app, records).await?;
    let dead = dead + records.misfits.len();
    if let (Some(misfit), true) = (records.misfits.first(), dead == records.addresses().count()) {
        return Ok(Now::StillDead { reason: misfit.reason().as_str(), detail: misfit.detail().to_owned() });
    }
    let mut records = records.with_header(REPLAYED_FROM, &kept.origin);
    if on_trust.is_some() {
        records = records.with_header("hookbridge_verification", "not_repeated");
    }
    Ok(Now::Publish(Ready { records, dead }))
}

fn reads_whole_body(source: &Source) -> bool {
    let places = source.provider.message_id.iter().chain(&source.provider.event_type);
    places.flat_map(Expression::places).any(|place| place.body_pointer().is_some())
}

/// A batch's element is no batch; what is whole is read as ever.
fn read(verified: Verified, element: Option<Element>) -> Result<Extracted, Rejection> {
    match element.filter(|_| verified.source().split.is_some()) {
        Some(element) => Ok(extract_element(verified, element)),
        None => extract(decode::decode(verified)?),
    }
}

/// Produces the records, and waits for Kafka's acknowledgement of each.
///
/// # Errors
/// See [`produce::produce`].
pub async fn publish(app: &App, ready: Ready) -> Result<Acknowledged, Rejection> {
    produce::produce(app, ready.records).await
}
