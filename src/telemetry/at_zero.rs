//! Counters that are there before anything is counted: a rate over a counter whose first sample is 1 sees nothing of
//! that one.
//!
//! Takes the sources that are served. Adds nothing to the counters that alerts are made of, with every label that they
//! will have: of each source its keys, the reasons for which its requests are refused and its events become dead letters.
//! What a configuration rules out is left out.

use std::sync::Arc;

use opentelemetry::KeyValue;

use super::metrics::{Metrics, of_key, of_source};
use crate::config::{Authentication, Source};
use crate::pipeline::extract::Reason;
use crate::pipeline::verify::FETCHED;

/// Sources that begin with counters at zero. The SDK has 2000 series for each instrument, and puts all further ones
/// into one: those that something happens to must find room.
const MAX_SOURCES: usize = 100;

/// Why a signature is refused.
const SIGNATURE: &[&str] = &["signature_missing", "signature_malformed", "signature_mismatch"];
const STALE: &str = "timestamp_outside_tolerance";
/// Why a genuine request is.
const UNCONFIRMED: &[&str] = &["overloaded", "queue_full", "kafka_unreachable", "delivery_timed_out"];

impl Metrics {
    pub(super) fn begin_at_zero(&self, sources: &[Arc<Source>]) {
        for source in sources.iter().take(MAX_SOURCES) {
            self.signatures_at_zero(source);
            for reason in UNCONFIRMED {
                self.rejections.add(0, &[of_source(&source.name), KeyValue::new("error.type", *reason)]);
            }
            for reason in Reason::ALL.into_iter().filter(|reason| is_possible(*reason, source)) {
                let reason = KeyValue::new("error.type", reason.as_str());
                self.dead_letters.add(0, &[of_source(&source.name), reason]);
            }
            if source.split.is_some() {
                self.empty_batches.add(0, &[of_source(&source.name)]);
            }
            self.repeated.add(0, &[of_source(&source.name)]);
        }
    }

    fn signatures_at_zero(&self, source: &Source) {
        let Authentication::Signed { scheme, keys } = &source.authentication else { return };
        let counter = match &source.report_only {
            Some(_) => &self.not_genuine.unverified,
            None => &self.rejections,
        };
        let stale = scheme.timestamp.as_ref().map(|_| STALE);
        for reason in SIGNATURE.iter().copied().chain(stale) {
            counter.add(0, &[of_source(&source.name), KeyValue::new("error.type", reason)]);
        }
        let fetched = source.fetched_keys.as_ref().map(|_| FETCHED.into());
        for key in keys.iter().map(|key| &key.name).chain(&fetched) {
            self.verified.add(0, &[of_source(&source.name), of_key(key)]);
        }
    }
}

/// Whether an event of the source can become a dead letter for this reason.
fn is_possible(reason: Reason, source: &Source) -> bool {
    match reason {
        Reason::NotABatch | Reason::TooManyElements => source.split.is_some(),
        Reason::SchemaMismatch => source.topics.schemas().next().is_some(),
        Reason::UnreadableBody
        | Reason::UndecodableBody
        | Reason::UnusableMessageId
        | Reason::MissingEventType
        | Reason::UnusableEventType
        | Reason::TooManyTopics => true,
    }
}
