//! Within the station `encode`: does an event fit the schema of its route?
//!
//! Takes what `route` has placed. Gives what a record's value is made of, in the wire format, by the schema that the registry
//! has; an event that does not fit becomes a dead letter, each for itself. Refuses with `RegistryUnavailable`: without its
//! schema nothing can be made of an event, and nothing else must be.

use std::sync::Arc;

use bytes::Bytes;

use super::Rejection;
use super::extract::{Defect, Reason};
use super::route::{Content, Placed};
use super::several::Several;
use super::source::Ticket;
use crate::app::App;
use crate::registry::{Registry, Schema};
use crate::schema::{Kind, Mismatch, PREFIX_BYTES};

/// An event, and what its schema makes of it.
pub(super) struct Fitted {
    pub(super) placed: Placed,
    pub(super) framed: Option<Framed>,
}

/// A value in the wire format.
pub(super) struct Framed {
    pub(super) value: Bytes,
    /// Where the schema can be read.
    pub(super) schema_url: String,
    /// The value's media type, if it is not that of the data.
    pub(super) media_type: Option<&'static str>,
}

impl Fitted {
    /// The octets that it takes beside the body of `body` octets, which has room already.
    pub(super) fn added(&self, body: usize) -> usize {
        let (Some(framed), Some(route)) = (&self.framed, &self.placed.schema) else { return 0 };
        let raw = match (&self.placed.content, self.placed.element) {
            (Content::Event(event), Some(_)) => event.data.len(),
            _ => body,
        };
        let copies = usize::from(route.raw_header) + usize::from(route.raw_topic.is_some());
        framed.value.len() + copies * raw
    }

    /// Without a schema.
    pub(super) fn as_it_is(placed: Placed) -> Self {
        Self { placed, framed: None }
    }
}

/// Fits each event to its schema. All schemas are there before anything is made.
pub(super) async fn fit(
    app: &App,
    ticket: &Ticket,
    body: &Bytes,
    events: Several<Placed>,
) -> Result<(Several<Fitted>, Vec<Defect>), Rejection> {
    let Some(registry) = app.registry() else {
        return Err(Rejection::RegistryUnavailable("no schema registry is set up".to_owned()));
    };
    let mut schemas = Vec::with_capacity(events.as_slice().len());
    for placed in events.as_slice() {
        schemas.push(schema_of(registry, ticket, placed).await?);
    }
    let mut schemas = schemas.into_iter();
    let fitted = events.map(|placed| match schemas.next().flatten() {
        Some(schema) => frame(ticket, body, placed, &schema),
        None => Fitted::as_it_is(placed),
    });
    let misfits = fitted.as_slice().iter().filter_map(misfit).cloned().collect();
    Ok((fitted, misfits))
}

fn misfit(fitted: &Fitted) -> Option<&Defect> {
    match &fitted.placed.content {
        Content::DeadLetter(defect) if defect.reason == Reason::SchemaMismatch => Some(defect),
        _ => None,
    }
}

async fn schema_of(
    registry: &Arc<Registry>,
    ticket: &Ticket,
    placed: &Placed,
) -> Result<Option<Arc<Schema>>, Rejection> {
    let Some(route) = &placed.schema else { return Ok(None) };
    let found = registry.schema(route, &placed.topic, ticket.deadline).await;
    let schema = found.map_err(|unavailable| Rejection::RegistryUnavailable(unavailable.to_string()))?;
    // After a pause the schema may be an old one, and what does not fit it may fit the present one.
    if registry.is_old(route, &schema)
        && let Content::Event(event) = &placed.content
        && schema.compiled.frame(schema.id, &event.data).is_err()
    {
        return Ok(Some(registry.renewed(route, &placed.topic, schema, ticket.deadline).await));
    }
    Ok(Some(schema))
}

fn frame(ticket: &Ticket, body: &Bytes, placed: Placed, schema: &Schema) -> Fitted {
    let Placed { topic, schema: route, content, element } = placed;
    let event = match content {
        Content::Event(event) => event,
        content @ Content::DeadLetter(_) => {
            return Fitted::as_it_is(Placed { topic, schema: route, content, element });
        }
    };
    let framed = schema.compiled.frame(schema.id, &event.data);
    match framed.and_then(|value| within(ticket.source.max_body_bytes, schema.compiled.kind(), value)) {
        Ok(value) => {
            let media_type = match schema.compiled.kind() {
                Kind::Json => None,
                Kind::Avro => Some("application/avro"),
                Kind::Protobuf => Some("application/protobuf"),
            };
            let framed = Framed { value, schema_url: schema.url.clone(), media_type };
            let content = Content::Event(event);
            Fitted { placed: Placed { topic, schema: route, content, element }, framed: Some(framed) }
        }
        Err(mismatch) => {
            let detail = format!("it does not fit the schema {}: {mismatch}", schema.id);
            let is_element = element.is_some();
            let defect = Defect {
                fault_path: Some(mismatch.path),
                topic: Some(topic),
                ..Defect::of(event, body, is_element, Reason::SchemaMismatch, detail)
            };
            let content = Content::DeadLetter(Box::new(defect));
            let topic = ticket.source.dead_letter.clone();
            Fitted::as_it_is(Placed { topic, schema: None, content, element })
        }
    }
}

/// What the producer and the topic have room for. A list of small numbers, say, may be larger in Avro than as JSON, and
/// would be refused for good.
fn within(max_body_bytes: usize, kind: Kind, value: Bytes) -> Result<Bytes, Mismatch> {
    let octets = value.len().saturating_sub(PREFIX_BYTES);
    if octets <= max_body_bytes {
        return Ok(value);
    }
    Err(Mismatch {
        path: String::new(),
        message: format!("in {kind} it has {octets} octets, and max_body_bytes is {max_body_bytes}"),
    })
}
