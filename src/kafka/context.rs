//! Where librdkafka calls back: delivery reports, errors, statistics, log lines.
//!
//! Takes callbacks on librdkafka's polling thread. Completes deliveries, feeds health and metrics, and tells
//! the supervisor of a producer that may have died. Nothing here blocks, allocates much or panics: it would
//! hold up every other delivery report.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Once};

use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::clusters::Cluster;
use super::delivery::Delivery;
use super::failure::Failure;
use super::health::Health;
use super::statistics::Report;
use super::trouble::Trouble;
use crate::telemetry::current;
use crate::telemetry::metrics::Metrics;

static UNREADABLE: Once = Once::new();

/// What the supervisor is told.
#[derive(Debug)]
pub(super) enum Signal {
    /// An error was reported that may be a fatal one.
    MayHaveDied,
    Stop,
}

/// The context of one generation of the producer.
pub struct Context {
    pub(super) generation: u64,
    /// Which of two clusters, where there are two.
    pub(super) cluster: Option<Cluster>,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) supervisor: Sender<Signal>,
}

impl Context {
    pub(super) fn suspect_death(&self) {
        // The supervisor is gone only when the process is about to be.
        let _ = self.supervisor.send(Signal::MayHaveDied);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let generation = self.generation;
        match level {
            // Not even `Emerg` of librdkafka's pages anybody: what follows from it does.
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", generation, facility, "{message}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", generation, facility, "{message}");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", generation, facility, "{message}")
            }
        }
    }

    // Not `stats`: what the crate makes of the text grows with the number of topics and partitions.
    fn stats_raw(&self, statistics: &[u8]) {
        match Report::read(statistics) {
            Ok(report) => {
                self.health.report(self.generation, report.is_assigned());
                self.metrics.kafka.reported(self.generation, self.cluster, &report);
            }
            // It would be said four times a second.
            Err(error) => UNREADABLE.call_once(|| {
                let hint = "readiness is known by them; a librdkafka other than the one in the build writes them otherwise";
                tracing::warn!(%error, hint, "librdkafka's statistics can't be read");
            }),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The event for a fatal error carries the code of its cause, so any error may be one: the supervisor
        // asks librdkafka itself.
        self.suspect_death();
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let trouble = Trouble::of(code, reason);
        tracing::warn!(
            cluster = self.cluster.map(Cluster::name),
            generation = self.generation,
            error = %error,
            error.type = trouble.kind.name(),
            reason,
            hint = trouble.kind.hint(),
            "kafka client error"
        );
        self.health.complain(trouble);
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = Arc<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Arc<Delivery>) {
        let report = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                let failure = Failure::of(code);
                current::during(delivery.ids(), || {
                    tracing::warn!(
                        topic = %delivery.topic(),
                        code = %code,
                        error.type = failure.name(),
                        "record not delivered"
                    );
                });
                if code == RDKafkaErrorCode::Fatal {
                    self.suspect_death();
                }
                Err(failure)
            }
        };
        self.metrics.delivery(
            delivery.topic(),
            delivery.enqueued().elapsed(),
            report.err().map(Failure::name),
            delivery.is_given_up(),
            self.cluster,
        );
        if let (Ok(()), Some(mark)) = (&report, delivery.mark()) {
            self.metrics.acknowledged(mark);
        }
        let place = result.as_ref().map(|message| (message.partition(), message.offset())).ok();
        delivery.end_span(place.ok_or(report.err().map_or("unknown", Failure::name)), self.cluster);
        delivery.complete(report);
    }
}
