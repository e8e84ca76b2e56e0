//! Station 8: has Kafka got it?
//!
//! Takes [`Record`]. Gives [`Acknowledged`], of which this file is the only maker: it stands for a delivery
//! report of success from librdkafka, that is, for every in-sync replica. Refuses with `KafkaUnreachable`,
//! `QueueFull`, `DeliveryTimedOut`, `DeliveryFailed`, `TopicUnavailable`, `RecordTooLarge`, `ProducerDead` and
//! `BrokerRefused`.
//!
//! From the moment of enqueueing nothing here is needed any more for the record to be delivered: the permit
//! travels with it. The future may be dropped, as hyper does when a connection breaks.

use std::sync::Arc;
use std::time::Instant;

use super::Rejection;
use super::encode::Record;
use crate::app::App;
use crate::config::Source;
use crate::kafka::delivery::Delivery;
use crate::kafka::slot::Outgoing;

/// Evidence that Kafka has acknowledged the record of a request.
///
/// ```compile_fail
/// fn forge(source: std::sync::Arc<hookbridge::config::Source>) -> hookbridge::pipeline::Acknowledged {
///     hookbridge::pipeline::Acknowledged { source }
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Acknowledged {
    source: Arc<Source>,
}

impl Acknowledged {
    /// The source whose event it was.
    pub(super) fn source(&self) -> &Arc<Source> {
        &self.source
    }
}

/// Enqueues the record and waits for its delivery report, until the request's deadline at most.
///
/// # Errors
/// See the head of this file.
pub async fn produce(app: &App, record: Record) -> Result<Acknowledged, Rejection> {
    if app.producer().health().is_unreachable() {
        return Err(Rejection::KafkaUnreachable);
    }
    let (delivery, source, deadline) = enqueue(app, record)?;
    match tokio::time::timeout_at(deadline.into(), delivery.report()).await {
        Ok(report) => report?,
        Err(_) => {
            delivery.give_up();
            return Err(Rejection::DeliveryTimedOut);
        }
    }
    Ok(Acknowledged { source })
}

/// librdkafka copies the record, so nothing of it is kept while its report is waited for.
fn enqueue(app: &App, record: Record) -> Result<(Arc<Delivery>, Arc<Source>, Instant), Rejection> {
    let Record { ticket, topic, key, value, timestamp_ms, headers } = record;
    let delivery = Arc::new(Delivery::new(topic.clone(), Arc::new(ticket.permit)));
    let outgoing =
        Outgoing { topic: topic.as_str(), key: key.as_bytes(), value: &value, timestamp_ms, headers };
    app.producer().send(outgoing, Arc::clone(&delivery))?;
    Ok((delivery, ticket.source, ticket.deadline))
}
