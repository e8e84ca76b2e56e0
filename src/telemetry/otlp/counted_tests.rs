//! The bounds of what waits, the deadlines of exports, and what is counted, with the SDK's own processor between.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};

use super::*;
use crate::telemetry::otlp::{Signal, runtime};

const LONG: Duration = Duration::from_secs(60);

/// An exporter whose exports wait until they are let go, and say what they were given.
#[derive(Debug)]
struct Held {
    given: Mutex<Sender<usize>>,
    go: Arc<Mutex<tokio::sync::mpsc::UnboundedReceiver<OTelSdkResult>>>,
}

impl SpanExporter for Held {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.given.lock().unwrap().send(batch.len()).unwrap();
        std::future::poll_fn(|context| self.go.lock().unwrap().poll_recv(context)).await.unwrap()
    }
}

struct Scene {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    tally: Arc<Tally>,
    seen: Receiver<usize>,
    go: tokio::sync::mpsc::UnboundedSender<OTelSdkResult>,
    ending: watch::Sender<Option<Instant>>,
}

fn held(max_queue: usize, max_batch: usize, timeout: Duration) -> Scene {
    let tally = Tally::new(Signal::Traces, "http://c".to_owned(), max_queue);
    let ((given, seen), (go, gone)) = (channel(), tokio::sync::mpsc::unbounded_channel());
    let ending = watch::Sender::new(None);
    let (of_test, seen_by_client) = (ending.subscribe(), Shared::default());
    let course = Course {
        runtime: runtime().unwrap(),
        timeout,
        ending: of_test,
        seen: seen_by_client,
        tally: Arc::clone(&tally),
    };
    let exporter =
        Counted { exporter: Held { given: Mutex::new(given), go: Arc::new(Mutex::new(gone)) }, course };
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(max_queue)
        .with_max_export_batch_size(max_batch)
        .with_scheduled_delay(LONG);
    let processor = BatchSpanProcessor::new(exporter, config.build());
    let processor = Admitting { processor, tally: Arc::clone(&tally) };
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    Scene { tracer: provider.tracer("test"), provider, tally, seen, go, ending }
}

impl Scene {
    fn spans(&self, count: usize) {
        (0..count).for_each(|_| self.tracer.start("a").end());
    }

    fn taken(&self) -> usize {
        self.seen.recv_timeout(LONG).unwrap()
    }
}

#[test]
fn past_its_size_what_comes_is_lost_and_counted() {
    let scene = held(4, 2, LONG);
    scene.spans(2);
    assert_eq!(scene.taken(), 2, "under way, and held");
    scene.spans(8);
    assert_eq!(scene.tally.lost(), 4);
    (0..2).for_each(|_| scene.go.send(Ok(())).unwrap());
    assert_eq!((scene.taken(), scene.taken()), (2, 2));
    scene.go.send(Err(OTelSdkError::InternalFailure("no".to_owned()))).unwrap();
    scene.provider.shutdown().unwrap();
    assert_eq!(scene.tally.lost(), 6, "the last export failed");
    scene.tally.close();
    assert_eq!(scene.tally.lost(), 6, "nothing waits any more");
}

#[test]
fn at_the_end_what_waits_is_exported() {
    let scene = held(10, 10, LONG);
    scene.spans(5);
    scene.go.send(Ok(())).unwrap();
    scene.provider.shutdown().unwrap();
    scene.tally.close();
    assert_eq!((scene.taken(), scene.tally.lost()), (5, 0));
    assert!(!scene.tally.admits());
    assert_eq!(scene.tally.lost(), 1, "there is nobody any more");
}

#[test]
fn the_end_comes_whatever_an_export_does() {
    let scene = held(10, 2, LONG);
    scene.spans(5);
    assert_eq!(scene.taken(), 2);
    scene.ending.send_replace(Some(Instant::now() + Duration::from_millis(20)));
    scene.provider.shutdown_with_timeout(LONG).unwrap();
    scene.tally.close();
    assert_eq!(scene.tally.lost(), 5, "those under way too");
}

#[test]
fn an_export_has_its_time() {
    let scene = held(10, 1, Duration::from_millis(20));
    scene.spans(1);
    assert_eq!(scene.taken(), 1);
    scene.provider.shutdown_with_timeout(LONG).unwrap();
    assert_eq!(scene.tally.lost(), 1);
}

#[test]
fn counts_are_there_for_every_signal() {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
    let provider = SdkMeterProvider::builder().with_reader(exporter).build();
    let tally = Tally::new(Signal::Logs, "http://c".to_owned(), 0);
    crate::telemetry::otlp::tally::observe(&provider.meter("test"), &[Arc::clone(&tally)]);
    tally.exported(5, Err(Failure::TimedOut));
    tally.exported(5, Ok(2));
    tally.exported(5, Ok(0));
    assert!(!tally.admits());
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let line = |start: &str, signal: &str, outcome: &str| {
        let mut lines = text.lines().filter(|line| {
            line.starts_with(start) && line.contains(&format!("\"{signal}\"")) && line.contains(outcome)
        });
        lines.next().and_then(|line| line.rsplit_once(' ')).unwrap_or_else(|| panic!("{text}")).1.to_owned()
    };
    assert_eq!(line("hookbridge_telemetry_lost_total", "logs", ""), "8");
    assert_eq!(line("hookbridge_telemetry_lost_total", "traces", ""), "0");
    assert_eq!(line("hookbridge_telemetry_exports_total", "logs", "failed"), "1");
    assert_eq!(line("hookbridge_telemetry_exports_total", "logs", "succeeded"), "2");
    assert_eq!(line("hookbridge_telemetry_exports_total", "metrics", "failed"), "0");
}
