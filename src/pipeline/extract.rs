//! Station 6: what happened, and which message says so?
//!
//! Takes [`Decoded`]. Gives [`Extracted`]: one event, or where the source splits its bodies, one for each element;
//! each with message ID, event type, and if they are known its time and subject, marked as signed or not, and the data. Sending a genuine request again would
//! not change it, so what can't be read becomes a [`Defect`], which goes to the dead-letter topic. Refuses with
//! `Overloaded`, if there is no room for the records of a batch now.
//!
//! How values are read from their places stands in [`super::places`], how a batch is split in [`crate::batch`].

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, Uri};
use sha2::{Digest as _, Sha256};

use super::Received;
use super::Rejection;
use super::decode::{Decoded, Plain};
use super::places::{Json, Parts, Places, Unusable};
use super::several::Several;
use super::source::Ticket;
use super::verify::Verified;
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
#[derive(Debug, Clone)]
pub struct Event {
    pub(super) message_id: Field,
    pub(super) event_type: Field,
    /// When it happened, as the provider writes it: any text.
    pub(super) time: Option<Field>,
    /// What it happened to.
    pub(super) subject: Option<Field>,
    /// The exact octets that were signed; without their content-encoding, where the source says `decompress`.
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

    /// When it happened, as the provider writes it.
    pub(crate) fn time(&self) -> Option<&Field> {
        self.time.as_ref()
    }

    /// What it happened to.
    pub(crate) fn subject(&self) -> Option<&Field> {
        self.subject.as_ref()
    }

    /// The octets that are published.
    pub(crate) fn data(&self) -> &Bytes {
        &self.data
    }
}

/// A genuine request, or an element of a batch, that can't be read as an event.
#[derive(Debug, Clone)]
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
    /// An event that can't be published where its type says. What is kept is what was signed.
    pub(super) fn of(
        event: Event,
        body: &Bytes,
        is_element: bool,
        reason: Reason,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            message_id: event.message_id,
            event_type: Some(event.event_type),
            data: if is_element { event.data } else { body.clone() },
            reason,
            detail: detail.into(),
            fault_path: None,
            topic: None,
        }
    }

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
    /// The body has a content-encoding that can't be undone, and something has to be read of it.
    UndecodableBody,
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
    /// The event does not fit its route's schema.
    SchemaMismatch,
    /// The type would name one topic more than the source may bring into being.
    TooManyTopics,
}

impl Reason {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::UnreadableBody,
        Self::UndecodableBody,
        Self::NotABatch,
        Self::TooManyElements,
        Self::UnusableMessageId,
        Self::MissingEventType,
        Self::UnusableEventType,
        Self::SchemaMismatch,
        Self::TooManyTopics,
    ];

    /// The text that consumers of the dead-letter topic match on.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableBody => "unreadable_body",
            Self::UndecodableBody => "undecodable_body",
            Self::NotABatch => "not_a_batch",
            Self::TooManyElements => "too_many_elements",
            Self::UnusableMessageId => "unusable_message_id",
            Self::MissingEventType => "missing_event_type",
            Self::UnusableEventType => "unusable_event_type",
            Self::SchemaMismatch => "schema_mismatch",
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
    /// What was signed.
    pub(super) body: Bytes,
    /// Whether a body that is one event is published without its content-encoding. Elements of a batch always are.
    pub(super) is_undone: bool,
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
pub fn extract(decoded: Decoded) -> Result<Extracted, Rejection> {
    let Decoded { mut ticket, headers, uri, body, plain } = decoded;
    let source = &ticket.source;
    let signed = source.authentication.coverage();
    let readable = if let Plain::Undone(undone) = &plain { undone } else { &body };
    let request = Parts { headers: &headers, query: uri.query(), body: readable, signed };
    let published = if source.decompress { readable } else { &body };
    let reader = Reader::new(&source.provider, &request).publishing(published, &body);
    let is_undone = matches!(plain, Plain::Undone(_)) && source.decompress;
    if let (Plain::Unreadable(why), true) = (&plain, reader.reads_body() || source.needs_plain_body()) {
        let found = Several::One(Err(reader.undecodable(why)));
        return Ok(Extracted { ticket, uri, headers, body, is_undone, found, element: None });
    }
    let found = match source.split.as_ref().map(|split| split.elements(readable)) {
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
    Ok(Extracted { ticket, uri, headers, body, is_undone, found, element: None })
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
    let found = Several::One(found);
    Extracted { ticket, uri, headers, body, is_undone: false, found, element: Some(element) }
}

/// The pure part: the parts of a request in, events and defects out.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    id_places: &'a [Expression],
    type_places: &'a [Expression],
    time_places: &'a [Expression],
    subject_places: &'a [Expression],
    request: &'a Parts<'a>,
    /// What a body that is one event is published as.
    published: &'a Bytes,
    /// What it was sent as, which is what a dead letter keeps: with it the signature can be verified again.
    sent: &'a Bytes,
    is_form: bool,
}

impl<'a> Reader<'a> {
    /// What reads the events of a provider.
    pub(crate) fn new(provider: &'a Provider, request: &'a Parts<'a>) -> Self {
        Self {
            time_places: &provider.event_time,
            subject_places: &provider.subject,
            ..Self::of(&provider.message_id, &provider.event_type, request)
        }
    }

    /// The same, for a body that is published in another form than it is read in.
    fn publishing(self, published: &'a Bytes, sent: &'a Bytes) -> Self {
        Self { published, sent, ..self }
    }

    /// Whether anything is read of the body.
    pub(crate) fn reads_body(&self) -> bool {
        self.id_places.iter().chain(self.type_places).flat_map(Expression::places).any(Expression::is_of_body)
    }

    fn of(id_places: &'a [Expression], type_places: &'a [Expression], request: &'a Parts<'a>) -> Self {
        Self {
            id_places,
            type_places,
            time_places: &[],
            subject_places: &[],
            request,
            published: request.body,
            sent: request.body,
            is_form: request.is_form(),
        }
    }

    fn pointers(&self, of: impl Fn(&'a Expression) -> Option<&'a Pointer>) -> Pointers<'a> {
        let in_places = |places: &'a [Expression]| places.iter().flat_map(Expression::places);
        let mut all: Vec<&Pointer> =
            in_places(self.id_places).chain(in_places(self.type_places)).filter_map(&of).collect();
        let needed = all.len();
        all.extend(in_places(self.time_places).chain(in_places(self.subject_places)).filter_map(&of));
        Pointers { all, needed }
    }

    /// The whole body as one event.
    pub(crate) fn whole(&self) -> Found {
        let pointers = match self.is_form {
            true => Pointers::default(),
            false => self.pointers(|place| place.pointer().or(place.body_pointer())),
        };
        let scanned = pointers.scan(self.request.body);
        let nothing = Json::nothing(self.request.body);
        let json = scanned.as_ref().unwrap_or(&nothing);
        let reading = self.reading(json, json, None, (self.published, self.sent));
        match &scanned {
            Ok(_) => reading.event(),
            Err(error) => Err(reading.defect(Reason::UnreadableBody, error.to_string())),
        }
    }

    /// Each element of a batch as an event. If what it needs of the whole body can't be read, there is none.
    pub(crate) fn elements(&self, elements: Vec<Bytes>) -> Several<Found> {
        let of_body = self.pointers(Expression::body_pointer);
        let body = match of_body.scan(self.request.body) {
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
        let pointers = self.pointers(Expression::pointer);
        let scanned = pointers.scan(element);
        let nothing = Json::nothing(element);
        let json = scanned.as_ref().unwrap_or(&nothing);
        let reading = self.reading(json, body, Some(index), (element, element));
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
        let reading = self.reading(&nothing, &nothing, None, (self.published, self.sent));
        let defect = reading.defect(reason, why.to_string());
        Box::new(Defect { fault_path: why.fault_path(), ..*defect })
    }

    /// A body whose content-encoding can't be undone, as a dead letter.
    pub(crate) fn undecodable(&self, why: &str) -> Box<Defect> {
        let nothing = Json::nothing(self.request.body);
        let reading = self.reading(&nothing, &nothing, None, (self.published, self.sent));
        reading.defect(Reason::UndecodableBody, format!("the body can't be read: {why}"))
    }

    fn reading<'r>(
        &'r self,
        event: &'r Json<'r>,
        body: &'r Json<'r>,
        index: Option<usize>,
        (data, sent): (&'r Bytes, &'r Bytes),
    ) -> Reading<'r> {
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
        // What says more of an event does not make it a defect.
        let attribute = |at: &[Expression]| Some(places.first(at).ok()??.0);
        Reading {
            message_id,
            event_type: self.event_type(&places),
            time: attribute(self.time_places),
            subject: attribute(self.subject_places),
            is_whole: places.is_whole(),
            reader: self,
            data,
            sent,
        }
    }

    fn event_type(&self, places: &Places<'_>) -> Result<Option<Field>, Unusable> {
        match self.type_places {
            [] => Ok(Some(Field::Signed(ByteString::from_static(UNNAMED_TYPE)))),
            of_type => Ok(places.first(of_type)?.map(|(field, _)| field)),
        }
    }
}

/// What is looked for in a document.
#[derive(Default)]
struct Pointers<'a> {
    all: Vec<&'a Pointer>,
    /// So many of them, the first, are of ID and type; the others say more of the event, and what is wrong about them is no
    /// defect of it.
    needed: usize,
}

impl Pointers<'_> {
    fn scan<'s>(&'s self, document: &'s Bytes) -> Result<Json<'s>, serde_json::Error> {
        let scanned = Json::scan(document, &self.all);
        match scanned {
            Err(_) if self.needed < self.all.len() => Json::scan(document, &self.all[..self.needed]),
            scanned => scanned,
        }
    }
}

/// What was read of one event, good or bad.
struct Reading<'a> {
    reader: &'a Reader<'a>,
    message_id: Result<Option<Field>, Unusable>,
    event_type: Result<Option<Field>, Unusable>,
    time: Option<Field>,
    subject: Option<Field>,
    is_whole: bool,
    /// The octets of the body, or the element, as they are published.
    data: &'a Bytes,
    /// The same as they were sent.
    sent: &'a Bytes,
}

impl Reading<'_> {
    fn event(mut self) -> Found {
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
                let (time, subject) = (self.time.take(), self.subject.take());
                let data = self.data.clone();
                return Ok(Event { event_type, time, subject, data, message_id: self.id_or_hash() });
            }
        };
        Err(Box::new(Defect { fault_path, ..*self.defect(reason, why) }))
    }

    /// A defect keeps what was read.
    fn defect(self, reason: Reason, detail: String) -> Box<Defect> {
        Box::new(Defect {
            event_type: self.event_type.as_ref().ok().cloned().flatten(),
            data: self.sent.clone(),
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
