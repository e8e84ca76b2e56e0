//! Station 9: has Kafka got it?
//!
//! Takes [`Records`]. Gives [`Acknowledged`], of which this file is the only maker: it stands for a delivery
//! report of success from librdkafka, that is, for every in-sync replica, for each of them. Refuses with `KafkaUnreachable`,
//! `QueueFull`, `DeliveryTimedOut`, `DeliveryFailed`, `TopicUnavailable`, `RecordTooLarge`, `ProducerDead` and
//! `BrokerRefused`.
//!
//! From the moment of enqueueing nothing here is needed any more for a record to be delivered: the permit
//! travels with it, shared by all of the request's. The future may be dropped, as hyper does when a connection breaks.

use std::sync::Arc;
use std::time::Instant;

use super::Rejection;
use super::encode::{Record, Records};
use super::several::Several;
use super::source::Ticket;
use crate::app::App;
use crate::budget::Permit;
use crate::config::Source;
use crate::kafka::delivery::Delivery;
use crate::kafka::slot::Outgoing;
use crate::telemetry::current;
use crate::telemetry::trace::Sends;

/// Evidence that Kafka has acknowledged every record of a request.
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
    /// The source whose events they were.
    pub(super) fn source(&self) -> &Arc<Source> {
        &self.source
    }
}

/// Enqueues the records and waits for their delivery reports, until the request's deadline at most.
///
/// # Errors
/// See the head of this file.
pub async fn produce(app: &App, records: Records) -> Result<Acknowledged, Rejection> {
    if app.producer().health().is_unreachable() {
        return Err(Rejection::KafkaUnreachable);
    }
    let Records { ticket, records, .. } = records;
    let Ticket { permit, source, deadline, trace, .. } = ticket;
    let sends = trace.sends(records.as_slice().iter().map(|record| &record.topic));
    let permit = Arc::new(permit);
    match records {
        Several::One(record) => {
            let delivery = enqueue(app, &source, record, permit, &sends)?;
            report(&delivery, deadline).await?;
        }
        Several::Many(records) => all(app, &source, records, permit, deadline, &sends).await?,
    }
    Ok(Acknowledged { source })
}

/// Enqueues every record before the first report is waited for. What has been enqueued goes on whatever becomes of
/// the others.
///
/// The answer must not be worse than any of them deserves: if only one record may yet be taken, it is to be sent
/// again, so a failure for good (the topic takes no record of this size) counts only where there is no other.
async fn all(
    app: &App,
    source: &Source,
    records: Vec<Record>,
    permit: Arc<Permit>,
    deadline: Instant,
    sends: &Sends,
) -> Result<(), Rejection> {
    let mut deliveries = Vec::with_capacity(records.len());
    let mut for_good = None;
    for record in records {
        match enqueue(app, source, record, Arc::clone(&permit), sends) {
            Ok(delivery) => deliveries.push(delivery),
            Err(failure) if failure.is_temporary() => {
                deliveries.iter().for_each(|delivery| delivery.give_up());
                return Err(failure);
            }
            Err(failure) => for_good = for_good.or(Some(failure)),
        }
    }
    drop(permit);
    for (index, delivery) in deliveries.iter().enumerate() {
        match report(delivery, deadline).await {
            Ok(()) => {}
            Err(failure) if failure.is_temporary() => {
                deliveries[index..].iter().for_each(|delivery| delivery.give_up());
                return Err(failure);
            }
            Err(failure) => for_good = for_good.or(Some(failure)),
        }
    }
    for_good.map_or(Ok(()), Err)
}

async fn report(delivery: &Delivery, deadline: Instant) -> Result<(), Rejection> {
    match tokio::time::timeout_at(deadline.into(), delivery.report()).await {
        Ok(report) => Ok(report?),
        Err(_) => {
            delivery.give_up();
            Err(Rejection::DeliveryTimedOut)
        }
    }
}

/// librdkafka copies the record, so nothing of it is kept while its report is waited for.
fn enqueue(
    app: &App,
    source: &Source,
    record: Record,
    permit: Arc<Permit>,
    sends: &Sends,
) -> Result<Arc<Delivery>, Rejection> {
    let Record { topic, key, value, timestamp_ms, headers, is_remembered } = record;
    let (headers, span) = sends.next(&topic, &key, value.len(), headers);
    let mark = is_remembered.then(|| app.metrics().mark(&source.name, key.as_bytes()));
    let delivery = Delivery::new(topic.clone(), permit).remembered_by(mark).traced(current::ids(), span);
    let delivery = Arc::new(delivery);
    let outgoing =
        Outgoing { topic: topic.as_str(), key: key.as_bytes(), value: &value, timestamp_ms, headers };
    app.producer()
        .send(outgoing, Arc::clone(&delivery))
        .inspect_err(|failure| delivery.end_span(Err(failure.name()), None))?;
    Ok(delivery)
}
