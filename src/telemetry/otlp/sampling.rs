//! Which requests have spans: as `OTEL_TRACES_SAMPLER` says, as long as there is room for them.
//!
//! Takes the sampler of the specification that was chosen, and decides once more where it says yes. A request that finds no
//! room in what waits for the collector has no spans at all: making them only to lose them would cost requests most just
//! when the collector is slow or away. Where no sampler is named, no more requests than [`PER_SECOND`] have spans, whatever
//! senders say in a `traceparent`.

use std::sync::Arc;
use std::time::Instant;

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::tally::Tally;
use crate::allowance::TokenBucket;

/// Requests of a second that have spans where no sampler is named: enough to see every kind of request, and next to nothing
/// beside ten thousand of them.
pub(super) const PER_SECOND: u32 = 100;

/// A sampler, and the room that there is for what it lets through.
#[derive(Debug, Clone)]
pub(super) struct WithinRoom {
    sampler: Sampler,
    rate: Option<Arc<TokenBucket>>,
    tally: Arc<Tally>,
}

impl WithinRoom {
    /// No more than `per_second` requests, if it is given.
    pub(super) fn new(sampler: Sampler, per_second: Option<u32>, tally: Arc<Tally>) -> Self {
        let rate = per_second.map(|per_second| Arc::new(TokenBucket::new(per_second, Instant::now())));
        Self { sampler, rate, tally }
    }
}

impl ShouldSample for WithinRoom {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.sampler.should_sample(parent, trace, name, kind, attributes, links);
        // The records of a request do what it does, or its trace would be torn.
        let is_request = *kind == SpanKind::Server;
        if is_request && result.decision == SamplingDecision::RecordAndSample {
            let is_allowed = self.rate.as_ref().is_none_or(|rate| rate.take(Instant::now()));
            if !is_allowed || !self.tally.has_room() {
                result.decision = SamplingDecision::Drop;
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::otlp::Signal;

    const ON: Sampler = Sampler::AlwaysOn;

    fn sampled(sampler: &WithinRoom, kind: SpanKind) -> bool {
        let result = sampler.should_sample(None, TraceId::from(1), "", &kind, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn a_request_that_finds_no_room_has_no_span_and_is_counted() {
        let tally = Tally::new(Signal::Traces, String::new(), 2);
        let sampler = WithinRoom::new(ON, None, Arc::clone(&tally));
        assert!(sampled(&sampler, SpanKind::Server));
        assert!(tally.admits() && tally.admits());
        assert!(!sampled(&sampler, SpanKind::Server));
        assert_eq!(tally.lost(), 1);
        assert!(sampled(&sampler, SpanKind::Producer), "its request has one");
        tally.taken(1);
        assert!(sampled(&sampler, SpanKind::Server));
        assert_eq!(tally.lost(), 1);
    }

    #[test]
    fn without_a_named_sampler_so_many_of_a_second_have_one() {
        let tally = Tally::new(Signal::Traces, String::new(), 100_000);
        let sampler = WithinRoom::new(ON, Some(50), Arc::clone(&tally));
        let begun = Instant::now();
        let count = (0..10_000).filter(|_| sampled(&sampler.clone(), SpanKind::Server)).count();
        let most = 50 + 50 * (begun.elapsed().as_secs() as usize + 1);
        assert!((50..=most).contains(&count), "{count}");
        assert_eq!(tally.lost(), 0, "what is not sampled is not lost");
        let off = WithinRoom::new(Sampler::AlwaysOff, Some(50), tally);
        assert!(!sampled(&off, SpanKind::Server));
    }
}
