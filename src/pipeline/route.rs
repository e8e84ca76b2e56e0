//! Station 6: where does it go?
//!
//! Takes [`Extracted`]. Gives [`Route`]: a [`Routed`] event with its topic, or [`Dropped`], where the
//! configuration says to drop its type. A defect goes to the dead-letter topic. Refuses with `Unroutable`, and
//! only if the source says `unmapped: reject`.

use http::HeaderMap;

use super::Rejection;
use super::extract::{Defect, Event, Extracted, Reason};
use super::source::Ticket;
use crate::config::{Source, Unmapped};
use crate::topic::{Destination, TopicName};

/// Where a request's event goes.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "matched where it is made; a box would cost every request an allocation"
)]
#[must_use]
pub enum Route {
    /// To a topic.
    Publish(Routed),
    /// Nowhere, as configured.
    Drop(Dropped),
}

/// An event with its topic.
#[derive(Debug)]
#[must_use]
pub struct Routed {
    pub(super) ticket: Ticket,
    pub(super) headers: HeaderMap,
    pub(super) topic: TopicName,
    pub(super) content: Content,
}

impl Routed {
    /// What is wrong with the event, if it goes to the dead-letter topic.
    #[must_use]
    pub fn defect(&self) -> Option<&Defect> {
        match &self.content {
            Content::Event(_) => None,
            Content::DeadLetter(defect) => Some(defect),
        }
    }

    /// The source that the event came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.ticket.source
    }
}

/// What becomes a record.
#[derive(Debug)]
pub(super) enum Content {
    Event(Event),
    DeadLetter(Box<Defect>),
}

/// Evidence that the configuration says to drop an event. Only [`route`] makes it.
#[derive(Debug)]
#[must_use]
pub struct Dropped {
    ticket: Ticket,
}

impl Dropped {
    /// The source that the event came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.ticket.source
    }
}

/// Finds the topic.
///
/// # Errors
/// `Unroutable`.
pub fn route(extracted: Extracted) -> Result<Route, Rejection> {
    let Extracted { ticket, headers, found } = extracted;
    let source = &ticket.source;
    let (topic, content) = match found {
        Err(defect) => (source.dead_letter.clone(), Content::DeadLetter(defect)),
        Ok(event) => match source.topics.destination(event.event_type.text()) {
            Destination::Topic(topic) => (topic, Content::Event(event)),
            Destination::Drop => return Ok(Route::Drop(Dropped { ticket })),
            Destination::TooManyTopics => {
                (source.dead_letter.clone(), Content::DeadLetter(one_too_many(event)))
            }
            Destination::Unmapped => match source.unmapped {
                Unmapped::Topic => (source.default_topic.clone(), Content::Event(event)),
                Unmapped::Drop => return Ok(Route::Drop(Dropped { ticket })),
                Unmapped::Reject => return Err(Rejection::Unroutable),
            },
        },
    };
    Ok(Route::Publish(Routed { ticket, headers, topic, content }))
}

fn one_too_many(event: Event) -> Box<Defect> {
    Box::new(Defect {
        message_id: event.message_id,
        event_type: Some(event.event_type),
        data: event.data,
        reason: Reason::TooManyTopics,
        detail: "event types have named as many topics as the source's max_topics allows".to_owned(),
    })
}
