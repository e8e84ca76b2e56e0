//! Station 7: where does it go?
//!
//! Takes [`Extracted`]. Gives [`Route`]: a [`Routed`] request, whose events have their topics; or [`Dropped`], where
//! the configuration says to drop all of their types; or [`Empty`], a batch without an event. A defect goes to the
//! dead-letter topic. Refuses with `Unroutable`, and only if the source says `unmapped: reject`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Uri};

use super::Rejection;
use super::extract::{Defect, Element, Event, Extracted, Found, Reason};
use super::several::Several;
use super::source::Ticket;
use crate::config::{RouteSchema, Source, Unmapped};
use crate::telemetry::metrics::Metrics;
use crate::topic::{Destination, TopicName};

/// Of the dead letters of one batch so many are logged each; the rest are counted.
const MAX_LOGGED: usize = 10;

/// Where a request's events go.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "matched where it is made; a box would cost every request an allocation"
)]
#[must_use]
pub enum Route {
    /// To topics.
    Publish(Routed),
    /// Nowhere, as configured.
    Drop(Dropped),
    /// There is none.
    Empty(Empty),
}

/// A request whose events have their topics.
#[derive(Debug)]
#[must_use]
pub struct Routed {
    pub(super) ticket: Ticket,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// What was signed.
    pub(super) body: Bytes,
    pub(super) is_undone: bool,
    /// Never empty.
    pub(super) events: Several<Placed>,
    dropped: usize,
}

/// What becomes a record, and where.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) topic: TopicName,
    /// What the event must fit. A dead letter need not.
    pub(super) schema: Option<Arc<RouteSchema>>,
    pub(super) content: Content,
    /// Which element of a batch it is.
    pub(super) element: Option<Element>,
}

/// What becomes a record.
#[derive(Debug)]
pub(super) enum Content {
    Event(Event),
    DeadLetter(Box<Defect>),
}

impl Routed {
    /// What is wrong with the events that go to the dead-letter topic.
    pub fn defects(&self) -> impl Iterator<Item = &Defect> {
        self.events.as_slice().iter().filter_map(|placed| match &placed.content {
            Content::Event(_) => None,
            Content::DeadLetter(defect) => Some(&**defect),
        })
    }

    /// How many records it becomes.
    pub(super) fn len(&self) -> usize {
        self.events.as_slice().len()
    }

    /// Logs and counts what does not go where its type says.
    pub(super) fn report(&self, metrics: &Metrics) {
        let source = &self.ticket.source.name;
        report_defects(metrics, source, self.defects());
        if self.dropped > 0 {
            metrics.dropped(source, self.dropped);
        }
    }

    /// The source that the events came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.ticket.source
    }
}

/// Logs and counts dead letters.
pub(super) fn report_defects<'d>(
    metrics: &Metrics,
    source: &Arc<str>,
    defects: impl Iterator<Item = &'d Defect>,
) {
    let mut unlogged = 0;
    for (index, defect) in defects.enumerate() {
        metrics.dead_letter(source, defect.reason().as_str());
        match index < MAX_LOGGED {
            true => defect.log(source),
            false => unlogged += 1,
        }
    }
    if unlogged > 0 {
        tracing::warn!(
            source = &**source,
            unlogged,
            "more elements of the batch go to the dead-letter topic"
        );
    }
}

/// Evidence that the configuration says to drop the event, or every one of a batch. Only [`route`] makes it.
#[derive(Debug)]
#[must_use]
pub struct Dropped {
    ticket: Ticket,
    count: usize,
}

impl Dropped {
    /// The source that the events came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.ticket.source
    }

    /// Counts the events.
    pub(super) fn report(&self, metrics: &Metrics) {
        metrics.dropped(&self.ticket.source.name, self.count);
    }
}

/// Evidence that a genuine request is a batch without an element: there is no event to be stored. Only [`route`]
/// makes it.
#[derive(Debug)]
#[must_use]
pub struct Empty {
    ticket: Ticket,
}

impl Empty {
    /// The source that the batch came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.ticket.source
    }

    /// Counts the batch.
    pub(super) fn report(&self, metrics: &Metrics) {
        metrics.empty_batch(&self.ticket.source.name);
    }
}

/// Finds the topics. One event that is refused refuses its whole batch: nothing has been produced yet.
///
/// # Errors
/// `Unroutable`.
pub fn route(extracted: Extracted) -> Result<Route, Rejection> {
    let Extracted { ticket, uri, headers, body, is_undone, found, element } = extracted;
    let source = &ticket.source;
    let (events, dropped) = match found {
        Several::One(found) => match place(source, &body, found, element)? {
            Some(placed) => (Several::One(placed), 0),
            None => return Ok(Route::Drop(Dropped { ticket, count: 1 })),
        },
        Several::Many(found) if found.is_empty() => return Ok(Route::Empty(Empty { ticket })),
        Several::Many(found) => {
            let count = found.len();
            let mut events = Vec::with_capacity(count);
            for (index, found) in found.into_iter().enumerate() {
                events.extend(place(source, &body, found, Some(Element { index, count }))?);
            }
            if events.is_empty() {
                return Ok(Route::Drop(Dropped { ticket, count }));
            }
            let dropped = count - events.len();
            (Several::Many(events), dropped)
        }
    };
    Ok(Route::Publish(Routed { ticket, uri, headers, body, is_undone, events, dropped }))
}

/// The topic of one event; none, if the configuration says to drop its type.
fn place(
    source: &Source,
    body: &Bytes,
    found: Found,
    element: Option<Element>,
) -> Result<Option<Placed>, Rejection> {
    let (topic, schema, content) = match found {
        Err(defect) => (source.dead_letter.clone(), None, Content::DeadLetter(defect)),
        Ok(event) => match source.topics.destination(event.event_type.text()) {
            Destination::Topic(topic, schema) => (topic, schema, Content::Event(event)),
            Destination::Drop => return Ok(None),
            Destination::TooManyTopics => {
                let topic = source.topics.named_by(event.event_type.text());
                let detail = "event types have named as many topics as the source's max_topics allows";
                let defect = Defect::of(event, body, element.is_some(), Reason::TooManyTopics, detail);
                let defect = Box::new(Defect { topic, ..defect });
                (source.dead_letter.clone(), None, Content::DeadLetter(defect))
            }
            Destination::Unmapped => match source.unmapped {
                Unmapped::Topic => (source.default_topic.clone(), None, Content::Event(event)),
                Unmapped::Drop => return Ok(None),
                Unmapped::Reject => return Err(Rejection::Unroutable),
            },
        },
    };
    Ok(Some(Placed { topic, schema, content, element }))
}
