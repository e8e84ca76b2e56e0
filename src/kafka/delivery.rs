//! One record on its way: what a request waits for, and what the delivery report completes.
//!
//! Takes the record's topic and a share of the request's permit. Lives until librdkafka has reported on the
//! record, whoever still waits: a client that hangs up, or an answer at the deadline, changes nothing about
//! the record, and the permit returns when the record's end is known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::Notify;

use super::clusters::Cluster;
use super::failure::Failure;
use crate::budget::Permit;
use crate::telemetry::current::Ids;
use crate::telemetry::repeats::Mark;
use crate::telemetry::trace::Sending;
use crate::topic::TopicName;

/// One record between its enqueueing and its delivery report.
#[derive(Debug)]
pub struct Delivery {
    topic: TopicName,
    enqueued: Instant,
    report: OnceLock<Result<(), Failure>>,
    reported: Notify,
    given_up: AtomicBool,
    mark: Option<Mark>,
    _permit: Arc<Permit>,
    /// Of the request.
    ids: Option<Ids>,
    span: Option<Arc<Sending>>,
}

impl Delivery {
    /// A record for `topic`, about to be enqueued.
    #[must_use]
    pub fn new(topic: TopicName, permit: Arc<Permit>) -> Self {
        Self {
            topic,
            enqueued: Instant::now(),
            report: OnceLock::new(),
            reported: Notify::new(),
            given_up: AtomicBool::new(false),
            mark: None,
            _permit: permit,
            ids: None,
            span: None,
        }
    }

    /// The same, which counts as a repeat if it is acknowledged and its mark is remembered.
    #[must_use]
    pub(crate) fn remembered_by(self, mark: Option<Mark>) -> Self {
        Self { mark, ..self }
    }

    /// The same, as a part of a request's trace.
    #[must_use]
    pub(crate) fn traced(self, ids: Option<Ids>, span: Option<Arc<Sending>>) -> Self {
        Self { ids, span, ..self }
    }

    /// Ends the record's span: its partition and offset are known, or why it has none.
    pub(crate) fn end_span(&self, outcome: Result<(i32, i64), &'static str>, cluster: Option<Cluster>) {
        if let Some(span) = &self.span {
            span.reported(outcome, self.is_given_up(), cluster);
        }
    }

    /// The request's place in its trace, for the log.
    pub(super) fn ids(&self) -> Option<Ids> {
        self.ids
    }

    /// Waits for the delivery report. One task at a time.
    ///
    /// # Errors
    /// Why the record has no acknowledgement.
    pub async fn report(&self) -> Result<(), Failure> {
        loop {
            if let Some(report) = self.report.get() {
                return *report;
            }
            self.reported.notified().await;
        }
    }

    /// The request has been answered without the report, which is then counted as late.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Completes the delivery. Only librdkafka's callback does.
    pub(super) fn complete(&self, report: Result<(), Failure>) {
        // A second report for one record would be librdkafka's defect; the first one stands.
        let _ = self.report.set(report);
        self.reported.notify_one();
    }

    pub(super) fn topic(&self) -> &TopicName {
        &self.topic
    }

    pub(super) fn enqueued(&self) -> Instant {
        self.enqueued
    }

    pub(super) fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}
