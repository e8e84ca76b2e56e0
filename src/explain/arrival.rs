//! Where a genuine request's events go.
//!
//! Takes a source and a request. Gives each event with its topic, as the stations behind the signature would.

use bytes::Bytes;
use serde_json::{Value, json};

use super::capture::Capture;
use super::steps::Step;
use crate::config::{Source, Unmapped};
use crate::pipeline::Rejection;
use crate::pipeline::decode::{Plain, plain};
use crate::pipeline::extract::{Field, Found, Reader};
use crate::pipeline::places::Parts;
use crate::topic::Destination;

/// Elements of a batch that are told of.
const MAX_TOLD: usize = 10;

/// What becomes of a genuine request.
pub(crate) struct Arrival {
    events: Vec<Event>,
    is_batch: bool,
}

/// One event.
struct Event {
    /// Type, ID, and those of the two that the signature does not cover; nothing, if it can't be read.
    read: Option<(String, String, Vec<&'static str>)>,
    place: Place,
}

/// Where an event goes.
enum Place {
    Topic(String),
    Dropped,
    DeadLetter { topic: String, reason: &'static str },
    Unmapped,
}

impl Arrival {
    /// Of a request that is taken for genuine.
    pub(crate) fn of(source: &Source, capture: &Capture) -> Self {
        let undone = plain(&capture.headers, &capture.body, source.max_body_bytes, |_| true);
        let body: &Bytes = if let Plain::Undone(undone) = &undone { undone } else { &capture.body };
        let signed = source.authentication.coverage();
        let request = Parts { headers: &capture.headers, query: capture.query.as_deref(), body, signed };
        let reader = Reader::new(&source.provider, &request);
        let place = |found: &Found| Event::of(source, found);
        if let (Plain::Unreadable(why), true) = (&undone, reader.reads_body() || source.needs_plain_body()) {
            return Self { events: vec![place(&Err(reader.undecodable(why)))], is_batch: false };
        }
        match source.split.as_ref().map(|split| split.elements(body)) {
            None => Self { events: vec![place(&reader.whole())], is_batch: false },
            Some(Err(why)) => Self { events: vec![place(&Err(reader.no_batch(&why)))], is_batch: false },
            Some(Ok(elements)) => Self {
                events: reader.elements(elements).as_slice().iter().map(place).collect(),
                is_batch: true,
            },
        }
    }

    /// The last steps.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.is_batch {
            let text = match self.events.len() {
                0 => "no element: it is acknowledged, and nothing is published".to_owned(),
                1 => "1 element".to_owned(),
                count => format!("{count} elements"),
            };
            steps.push(Step::passed("batch", text));
        }
        let unmapped = self.events.iter().skip(MAX_TOLD).filter(|event| event.is_refused());
        for event in self.events.iter().take(MAX_TOLD).chain(unmapped.take(1)) {
            steps.extend(event.steps());
        }
        steps
    }

    /// The same in a clause, for what would happen.
    pub(crate) fn in_words(&self) -> String {
        match (self.events.as_slice(), self.is_batch) {
            ([event], false) => event.in_words(),
            (events, _) => format!("the batch's {} events go on, each by its type", events.len()),
        }
    }

    /// For machines.
    pub(crate) fn to_json(&self) -> Value {
        self.events.iter().map(Event::to_json).collect()
    }
}

impl Event {
    fn of(source: &Source, found: &Found) -> Self {
        let dead = |reason| Place::DeadLetter { topic: source.dead_letter.to_string(), reason };
        let event = match found {
            Err(defect) => return Self { read: None, place: dead(defect.reason().as_str()) },
            Ok(event) => event,
        };
        let fields = [("message ID", event.message_id()), ("event type", event.event_type())];
        let unsigned = |(name, field): (&'static str, &Field)| (!field.is_signed()).then_some(name);
        let unsigned = fields.into_iter().filter_map(unsigned).collect();
        let event_type = event.event_type().text();
        let place = match source.topics.destination(event_type) {
            Destination::Topic(topic, _) => Place::Topic(topic.to_string()),
            Destination::Drop => Place::Dropped,
            Destination::TooManyTopics => dead("too_many_topics"),
            Destination::Unmapped => match source.unmapped {
                Unmapped::Topic => Place::Topic(source.default_topic.to_string()),
                Unmapped::Drop => Place::Dropped,
                Unmapped::Reject => Place::Unmapped,
            },
        };
        Self { read: Some((event_type.to_string(), event.message_id().text().to_string(), unsigned)), place }
    }

    fn is_refused(&self) -> bool {
        matches!(self.place, Place::Unmapped)
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some((event_type, id, unsigned)) = &self.read {
            let unsigned = match unsigned.as_slice() {
                [] => String::new(),
                names => format!("; the signature does not cover the {}", names.join(" and the ")),
            };
            steps.push(Step::passed("event", format!("type `{event_type}`, ID `{id}`{unsigned}")));
        }
        steps.push(match &self.place {
            Place::Topic(topic) => Step::passed("topic", topic.clone()),
            Place::Dropped => Step::passed("topic", "none: the configuration says to drop this type"),
            Place::DeadLetter { topic, reason } => {
                Step::passed("topic", format!("{topic}, as a dead letter: {reason}"))
            }
            Place::Unmapped => Step::failed(
                "topic",
                "no topic is mapped to this event type, and the source says `unmapped: reject`",
                Rejection::Unroutable,
            ),
        });
        steps
    }

    fn in_words(&self) -> String {
        let event = match &self.read {
            Some((event_type, id, _)) => format!("the event `{event_type}`, ID `{id}`,"),
            None => "the event".to_owned(),
        };
        match &self.place {
            Place::Topic(topic) => format!("{event} goes to the topic `{topic}`"),
            Place::Dropped => format!("{event} is dropped, as configured"),
            Place::DeadLetter { topic, reason } => {
                format!("{event} goes to `{topic}` as a dead letter: {reason}")
            }
            Place::Unmapped => format!("{event} is refused: no topic is mapped to its type"),
        }
    }

    fn to_json(&self) -> Value {
        let (outcome, topic, reason) = match &self.place {
            Place::Topic(topic) => ("published", Some(topic), None),
            Place::Dropped => ("dropped", None, None),
            Place::DeadLetter { topic, reason } => ("dead_letter", Some(topic), Some(reason)),
            Place::Unmapped => ("refused", None, None),
        };
        json!({
            "message_id": self.read.as_ref().map(|(_, id, _)| id),
            "event_type": self.read.as_ref().map(|(event_type, ..)| event_type),
            "unsigned": self.read.as_ref().map(|(.., unsigned)| unsigned),
            "outcome": outcome,
            "topic": topic,
            "reason": reason,
        })
    }
}
