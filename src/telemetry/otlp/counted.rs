//! Exporters and processors of the SDK, with an account of what passes through them.
//!
//! Takes what is to be exported. Gives it on while there is room, to the SDK's processor, and from its thread to the
//! exporter, within a time; what is lost on the way is counted. The SDK's batch processors drop what they have no room
//! for without telling, their exports have no deadline, and neither has the end of the process.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::logs::LogRecord as _;
use opentelemetry::trace::TraceFlags;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::client::{Failure, Seen, Shared};
use super::tally::Tally;
use crate::telemetry::current;

/// When the process is about to end: when everything has to be over.
pub(super) type Ending = watch::Receiver<Option<Instant>>;

/// How exports are run: one at a time, on the thread of the SDK that asks for it.
#[derive(Debug)]
pub(super) struct Course {
    /// Where connections live; its thread runs as long as the process.
    pub(super) runtime: Handle,
    /// For one export, with all of its attempts.
    pub(super) timeout: Duration,
    pub(super) ending: Ending,
    pub(super) seen: Shared,
    pub(super) tally: Arc<Tally>,
}

impl Course {
    /// Runs one export of `count` things, as long as there is time. Blocks the thread.
    fn run(&self, count: usize, export: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        let mut ending = self.ending.clone();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
        let exported = self.runtime.block_on(async {
            tokio::select! {
                exported = export => exported.map_err(Some),
                () = tokio::time::sleep(self.timeout) => Err(None),
                () = ended(&mut ending) => Err(Some(OTelSdkError::AlreadyShutdown)),
            }
        });
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = match exported {
            Ok(()) => {
                self.tally.exported(count, Ok(seen.refused));
                return Ok(());
            }
            Err(None) => seen.failure.take().unwrap_or(Failure::TimedOut),
            Err(Some(OTelSdkError::AlreadyShutdown)) => Failure::Ending,
            Err(Some(error)) => seen.failure.take().unwrap_or_else(|| Failure::other(&error)),
        };
        drop(seen);
        let error = OTelSdkError::InternalFailure(failure.to_string());
        self.tally.exported(count, Err(failure));
        Err(error)
    }
}

/// When the process has to be over.
async fn ended(ending: &mut Ending) {
    let at = match ending.wait_for(Option::is_some).await {
        Ok(at) => *at,
        // Nobody is there to say so: it has ended.
        Err(_) => None,
    };
    if let Some(at) = at {
        tokio::time::sleep_until(at.into()).await;
    }
}

/// An exporter whose exports have an end, and are counted.
#[derive(Debug)]
pub(super) struct Counted<E> {
    pub(super) exporter: E,
    pub(super) course: Course,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.course.tally.taken(count);
        self.course.run(count, self.exporter.export(batch))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        self.course.tally.taken(count);
        self.course.run(count, self.exporter.export(batch))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Counted<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let metrics_of = metrics.scope_metrics().flat_map(|scope| scope.metrics());
        let count = metrics_of.map(|metric| points(metric.data())).sum();
        self.course.run(count, self.exporter.export(metrics))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

fn points(data: &AggregatedMetrics) -> usize {
    fn of<T>(data: &MetricData<T>) -> usize {
        match data {
            MetricData::Gauge(gauge) => gauge.data_points().count(),
            MetricData::Sum(sum) => sum.data_points().count(),
            MetricData::Histogram(histogram) => histogram.data_points().count(),
            MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
        }
    }
    match data {
        AggregatedMetrics::F64(data) => of(data),
        AggregatedMetrics::U64(data) => of(data),
        AggregatedMetrics::I64(data) => of(data),
    }
}

/// A processor that is given no more than waits at the most.
#[derive(Debug)]
pub(super) struct Admitting<P> {
    pub(super) processor: P,
    pub(super) tally: Arc<Tally>,
}

impl<P: SpanProcessor> SpanProcessor for Admitting<P> {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.tally.admits() {
            self.processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

impl<P: LogProcessor> LogProcessor for Admitting<P> {
    /// With the trace of the request that it was written in.
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if !self.tally.admits() {
            return;
        }
        if let Some(ids) = current::ids() {
            let flags = TraceFlags::default().with_sampled(ids.sampled);
            record.set_trace_context(ids.trace, ids.span, Some(flags));
        }
        self.processor.emit(record, scope);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

#[cfg(test)]
#[path = "counted_tests.rs"]
mod tests;
