//! Station 5: what happened, and which message says so?
//!
//! Takes [`Verified`]. Gives [`Extracted`]: one event, or where the source splits its bodies, one for each element;
//! each with message ID and event type, marked as signed or not, and the data. Sending a genuine request again would
//! not change it, so what can't be read becomes a [`Defect`], which goes to the dead-letter topic. Refuses with
//! `Overloaded`, if there is no room for the records of a batch now.
//!
//! How values are read from their places stands in [`super::places`], how a batch is split in [`crate::batch`].

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, Uri};
use sha2::{Digest as _, Sha256};

use super::places::{Json, Parts, Places, Unusable};
use super::several::Several;
use super::source::Ticket;
use super::verify::Verified;
use super::{Received, Rejection};
use crate::batch::NotABatch;
use crate::budget::ELEMENT_OVERHEAD_BYTES;
use crate::config::Provider;
use crate::expression::Expression;
use crate::json::Pointer;
use crate::topic::TopicName;

pub use super::places::{Field, MAX_NAME_OCTETS};

/// The type of events whose provider names none.
pub const UNNAMED_TYPE: &str = "webhook";

/// One event.
#[derive(Debug)]
pub struct Event {
    pub(super) message_id: Field,
    pub(super) event_type: Field,
    /// The exact octets that were signed.
    pub(super) data: Bytes,
}

impl Event {
    /// The message ID: what the record's key is made of.
    #[must_use]
    pub fn message_id(&self) -> &Field {
        &self.message_id
    }

    /// The event type: what the topic is chosen by.
    #[must_use]
    pub fn event_type(&self) -> &Field {
        &self.event_type
    }
}

/// A genuine request, or an element of a batch, that can't be read as an event.
#[derive(Debug)]
pub struct Defect {
    /// Found before the defect was, or the hash of the data.
    pub(super) message_id: Field,
    pub(super) event_type: Option<Field>,
    pub(super) data: Bytes,
    pub(super) reason: Reason,
    pub(super) detail: String,
    /// Where the fault is: a JSON Pointer into the data, or `header x`, `query x`, `form x`.
    pub(super) fault_path: Option<String>,
    /// Where the event would have gone.
    pub(super) topic: Option<TopicName>,
}

impl Defect {
    /// What is wrong, for machines.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Writes the log line.
    pub(super) fn log(&self, source: &str) {
        let (error_type, reason) = (self.reason.as_str(), self.detail.as_str());
        let message_id = &**self.message_id.text();
        tracing::warn!(source, error.type = error_type, reason, message_id, "event goes to the dead-letter topic");
    }
}

/// Why an event is a dead letter: the value of the header `hookbridge_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The body, or the batch's element, is not JSON, or names the event twice.
    UnreadableBody,
    /// The source splits its bodies, and there is no list where it should be.
    NotABatch,
    /// The batch has more elements than there can be room for.
    TooManyElements,
    /// The message ID is there and can't be one.
    UnusableMessageId,
    /// The event has no type.
    MissingEventType,
    /// The event type is there and can't be one.
    UnusableEventType,
    /// The type would name one topic more than the source may bring into being.
    TooManyTopics,
}

impl Reason {
    /// Every one of them.
    pub const ALL: [Self; 7] = [
        Self::UnreadableBody,
        Self::NotABatch,
        Self::TooManyElements,
        Self::UnusableMessageId,
        Self::MissingEventType,
        Self::UnusableEventType,
        Self::TooManyTopics,
    ];

    /// The text that consumers of the dead-letter topic match on.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableBody => "unreadable_body",
            Self::NotABatch => "not_a_batch",
            Self::TooManyElements => "too_many_elements",
            Self::UnusableMessageId => "unusable_message_id",
            Self::MissingEventType => "missing_event_type",
            Self::UnusableEventType => "unusable_event_type",
            Self::TooManyTopics => "too_many_topics",
        }
    }
}

/// An event, or why there is none.
pub type Found = Result<Event, Box<Defect>>;

/// What a request holds.
#[derive(Debug)]
#[must_use]
pub struct Extracted {
    pub(super) ticket: Ticket,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) found: Several<Found>,
    /// Which element of a batch the one is that was found, if it is taken by itself.
    pub(super) element: Option<Element>,
}

/// One element of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// The first is 0.
    pub index: usize,
    /// How many the batch has.
    pub count: usize,
}

/// Reads the events.
///
/// # Errors
/// `Overloaded`.
pub fn extract(verified: Verified) -> Result<Extracted, Rejection> {
    let Received { mut ticket, headers, uri, body } = verified.into_request();
    let source = &ticket.source;
    let signed = source.authentication.coverage();
    let request = Parts { headers: &headers, query: uri.query(), body: &body, signed };
    let reader = Reader::new(&source.provider, &request);
    let found = match source.split.as_ref().map(|split| split.elements(&body)) {
        None => Several::One(reader.whole()),
        Some(Err(why)) => Several::One(Err(reader.no_batch(&why))),
        Some(Ok(elements)) => {
            let room = elements.len() * ELEMENT_OVERHEAD_BYTES;
            if !ticket.permit.could_ever_grow(room) {
                Several::One(Err(reader.no_batch(&NotABatch::TooMany)))
            } else if ticket.permit.grow(room) {
                reader.elements(elements)
            } else {
                return Err(Rejection::Overloaded);
            }
        }
    };
    Ok(Extracted { ticket, uri, headers, found, element: None })
}

/// Reads an element of a batch that is taken by itself: its body is the element, and of the rest of the batch nothing
/// is known. ID and type are what they would be if it came with the others.
pub fn extract_element(verified: Verified, element: Element) -> Extracted {
    let Received { ticket, headers, uri, body } = verified.into_request();
    let signed = ticket.source.authentication.coverage();
    let request = Parts { headers: &headers, query: uri.query(), body: &body, signed };
    let reader = Reader::new(&ticket.source.provider, &request);
    let rest = Bytes::new();
    let found = reader.element(&Json::nothing(&rest), element.index, &body);
    Extracted { ticket, uri, headers, found: Several::One(found), element: Some(element) }
}

/// The pure part: the parts of a request in, events and defects out.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    id_places: &'a [Expression],
    type_places: &'a [Expression],
    request: &'a Parts<'a>,
    is_form: bool,
}

impl<'a> Reader<'a> {
    /// What reads the events of a provider.
    pub(crate) fn new(provider: &'a Provider, request: &'a Parts<'a>) -> Self {
        Self::of(&provider.message_id, &provider.event_type, request)
    }

    fn of(id_places: &'a [Expression], type_places: &'a [Expression], request: &'a Parts<'a>) -> Self {
        Self { id_places, type_places, request, is_form: request.is_form() }
    }

    /// Every single place.
    fn places(&self) -> impl Iterator<Item = &'a Expression> {
        self.id_places.iter().chain(self.type_places).flat_map(Expression::places)
    }

    /// The whole body as one event.
    pub(crate) fn whole(&self) -> Found {
        let pointers: Vec<&Pointer> = match self.is_form {
            true => Vec::new(),
            false => self.places().filter_map(|place| place.pointer().or(place.body_pointer())).collect(),
        };
        let scanned = Json::scan(self.request.body, &pointers);
        let nothing = Json::nothing(self.request.body);
        let json = scanned.as_ref().unwrap_or(&nothing);
        let reading = self.reading(json, json, None);
        match &scanned {
            Ok(_) => reading.event(),
            Err(error) => Err(reading.defect(Reason::UnreadableBody, error.to_string())),
        }
    }

    /// Each element of a batch as an event. If what it needs of the whole body can't be read, there is none.
    pub(crate) fn elements(&self, elements: Vec<Bytes>) -> Several<Found> {
        let of_body: Vec<&Pointer> = self.places().filter_map(Expression::body_pointer).collect();
        let body = match Json::scan(self.request.body, &of_body) {
            Ok(body) => body,
            Err(error) => {
                return Several::One(Err(self.no_batch(&NotABatch::Unreadable(error.to_string()))));
            }
        };
        let read = |(index, element): (usize, &Bytes)| self.element(&body, index, element);
        Several::Many(elements.iter().enumerate().map(read).collect())
    }

    /// One element of a batch as an event.
    fn element(&self, body: &Json<'_>, index: usize, element: &Bytes) -> Found {
        let pointers: Vec<&Pointer> = self.places().filter_map(Expression::pointer).collect();
        let scanned = Json::scan(element, &pointers);
        let nothing = Json::nothing(element);
        let reading = self.reading(scanned.as_ref().unwrap_or(&nothing), body, Some(index));
        match &scanned {
            Ok(_) => reading.event(),
            Err(error) => Err(reading.defect(Reason::UnreadableBody, error.to_string())),
        }
    }

    /// The whole body as a dead letter.
    pub(crate) fn no_batch(&self, why: &NotABatch) -> Box<Defect> {
        let reason = match why {
            NotABatch::Unreadable(_) => Reason::UnreadableBody,
            NotABatch::NoList(_) => Reason::NotABatch,
            NotABatch::TooMany => Reason::TooManyElements,
        };
        let nothing = Json::nothing(self.request.body);
        let defect = self.reading(&nothing, &nothing, None).defect(reason, why.to_string());
        Box::new(Defect { fault_path: why.fault_path(), ..*defect })
    }

    fn reading<'r>(&'r self, event: &'r Json<'r>, body: &'r Json<'r>, index: Option<usize>) -> Reading<'r> {
        let places = Places { request: self.request, is_form: self.is_form, event, body };
        let signed = self.request.signed.body;
        let message_id = places.first(self.id_places).map(|found| {
            let (field, place) = found?;
            Some(match index {
                // Elements with one ID between them would be one event to whoever dedupes by key.
                Some(index) if place.is_of_request() => Field::new(
                    ByteString::from(format!("{}/{index}", field.text())),
                    signed && field.is_signed(),
                ),
                _ => field,
            })
        });
        Reading {
            message_id,
            event_type: self.event_type(&places),
            is_whole: places.is_whole(),
            reader: self,
            data: event.document(),
        }
    }

    fn event_type(&self, places: &Places<'_>) -> Result<Option<Field>, Unusable> {
        match self.type_places {
            [] => Ok(Some(Field::Signed(ByteString::from_static(UNNAMED_TYPE)))),
            of_type => Ok(places.first(of_type)?.map(|(field, _)| field)),
        }
    }
}

/// What was read of one event, good or bad.
struct Reading<'a> {
    reader: &'a Reader<'a>,
    message_id: Result<Option<Field>, Unusable>,
    event_type: Result<Option<Field>, Unusable>,
    is_whole: bool,
    /// The exact octets of the body, or the element.
    data: &'a Bytes,
}

impl Reading<'_> {
    fn event(self) -> Found {
        let (reason, Unusable { fault_path, why }) = match (&self.message_id, &self.event_type) {
            (Err(why), _) => (Reason::UnusableMessageId, why.clone()),
            (_, Err(why)) => (Reason::UnusableEventType, why.clone()),
            (_, Ok(None)) => {
                let places = self.reader.type_places;
                let names: Vec<String> = places.iter().map(Expression::to_string).collect();
                let fault_path = places.first().and_then(|place| place.fault_path(self.is_whole));
                let why = format!("nothing stands at {}", names.join(" or "));
                (Reason::MissingEventType, Unusable { fault_path, why })
            }
            (Ok(_), Ok(Some(event_type))) => {
                let event_type = event_type.clone();
                return Ok(Event { event_type, data: self.data.clone(), message_id: self.id_or_hash() });
            }
        };
        Err(Box::new(Defect { fault_path, ..*self.defect(reason, why) }))
    }

    /// A defect keeps what was read.
    fn defect(self, reason: Reason, detail: String) -> Box<Defect> {
        Box::new(Defect {
            event_type: self.event_type.as_ref().ok().cloned().flatten(),
            data: self.data.clone(),
            message_id: self.id_or_hash(),
            reason,
            detail,
            fault_path: None,
            topic: None,
        })
    }

    fn id_or_hash(self) -> Field {
        let hash = || ByteString::from(hex::encode(Sha256::digest(self.data)));
        let id = self.message_id.ok().flatten();
        id.unwrap_or_else(|| Field::new(hash(), self.reader.request.signed.body))
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
