//! Spans: one for each request, and below it one for each record, until Kafka has reported on it.
//!
//! Takes requests as they arrive, records as they are enqueued, and delivery reports, also late ones. Gives spans with
//! the names and attributes of the semantic conventions to whoever exports them, and to each record the context of its
//! span. No attribute holds a body, a signature, a query, or a header other than `User-Agent`.
//!
//! What is not sampled costs IDs and no more. Where nothing is exported, a request has the IDs of its sender's trace, or
//! of a new one, for the lines of the log and for its records.
//!
//! Source: OpenTelemetry semantic conventions 1.37 for HTTP server and messaging (Kafka) spans.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, ShouldSample, Span};
use rdkafka::message::{Header, OwnedHeaders};

use super::clusters::of_cluster;
use super::current::Ids;
use super::metrics::{method_name, of_source};
use super::otlp::{Propagation, TraceSettings};
use super::w3c;
use crate::config::Source;
use crate::kafka::clusters::Cluster;
use crate::pipeline::limits::Arrival;
use crate::topic::TopicName;

/// The records of a request that have a span each. A larger batch has one for all of its records, or one request could
/// fill the queue of spans.
const MAX_SPANS: usize = 16;

/// The longest value that is taken from a request, in octets.
const MAX_VALUE: usize = 256;

/// The longest `baggage` that is passed on, in octets, as its recommendation asks for.
pub(crate) const MAX_BAGGAGE: usize = 8192;

/// The header with what the sender wants to be passed on.
pub(crate) const BAGGAGE: &str = "baggage";

/// What makes spans.
#[derive(Debug)]
pub(crate) struct Tracing {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    propagation: Propagation,
}

impl Tracing {
    /// What `sampler` lets through has spans, and those that end go to `processor`.
    pub(super) fn start(
        settings: TraceSettings,
        sampler: impl ShouldSample + 'static,
        resource: &Resource,
        processor: impl opentelemetry_sdk::trace::SpanProcessor + 'static,
    ) -> Arc<Self> {
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(sampler)
            .with_max_attributes_per_span(settings.max_attributes)
            .with_span_processor(processor)
            .build();
        let tracer = provider.tracer("hookbridge");
        Arc::new(Self { tracer, provider, propagation: settings.propagation })
    }

    /// Whose end is the end of all spans.
    pub(super) fn provider(&self) -> &SdkTracerProvider {
        &self.provider
    }

    /// A request has arrived, for `source`, if there is one at its path.
    pub(crate) fn request<B>(
        self: &Arc<Self>,
        request: &Request<B>,
        source: Option<&Source>,
        arrived: Arrival,
    ) -> (ServerSpan, Trace) {
        let headers = request.headers();
        let parent = if self.propagation.trace_context { w3c::parent(headers) } else { None };
        let parent = parent.map_or_else(Context::new, |ids| {
            let flags = TraceFlags::default().with_sampled(ids.sampled);
            let context = SpanContext::new(ids.trace, ids.span, flags, true, w3c::state(headers));
            Context::new().with_remote_span_context(context)
        });
        let builder = self.tracer.span_builder("").with_kind(SpanKind::Server).with_start_time(arrived.wall);
        let mut span = self.tracer.build_with_context(builder, &parent);
        if span.is_recording() {
            describe(&mut span, request, source);
        }
        let context = span.span_context().clone();
        let baggage = if self.propagation.baggage { baggage(headers) } else { None };
        let following = Following { tracing: Arc::clone(self), context, baggage };
        (ServerSpan { span, arrived, answered: false }, Trace(Some(Arc::new(following))))
    }
}

fn ids_of(context: &SpanContext) -> Ids {
    Ids { trace: context.trace_id(), span: context.span_id(), sampled: context.is_sampled() }
}

/// As the sender gave it, if it can stand in one header of text.
fn baggage(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(BAGGAGE).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    (value.len() <= MAX_BAGGAGE && value.to_str().is_ok()).then(|| value.clone())
}

fn describe<B>(span: &mut Span, request: &Request<B>, source: Option<&Source>) {
    let method = method_name(request.method());
    // A method that nobody knows has no place in a name.
    let verb = if method == "_OTHER" { "HTTP" } else { method };
    span.set_attribute(KeyValue::new("http.request.method", method));
    span.set_attribute(KeyValue::new("url.scheme", "http"));
    match source {
        Some(source) => {
            span.update_name(format!("{verb} {}", source.path));
            span.set_attribute(KeyValue::new("http.route", source.path.clone()));
            span.set_attribute(KeyValue::new("url.path", source.path.clone()));
            span.set_attribute(of_source(&source.name));
        }
        // What somebody asks for that is not there may be anything, a secret in the wrong place too.
        None => span.update_name(verb),
    }
    let version = match request.version() {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    span.set_attribute(KeyValue::new("network.protocol.version", version));
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(length) = text(CONTENT_LENGTH).and_then(|length| length.parse::<i64>().ok()) {
        span.set_attribute(KeyValue::new("http.request.body.size", length));
    }
    if let Some(agent) = text(USER_AGENT) {
        // Visible ASCII, so any place is one to cut at.
        span.set_attribute(KeyValue::new(
            "user_agent.original",
            agent[..agent.len().min(MAX_VALUE)].to_owned(),
        ));
    }
}

/// The span of a request, until its answer is known.
#[derive(Debug)]
pub(crate) struct ServerSpan {
    span: Span,
    arrived: Arrival,
    answered: bool,
}

impl ServerSpan {
    /// The answer is known: a success, or a refusal with its `error.type`.
    pub(crate) fn answered(mut self, status: StatusCode, error_type: Option<&'static str>) {
        self.answered = true;
        if !self.span.is_recording() {
            return;
        }
        self.span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if let Some(error_type) = error_type {
            self.span.set_attribute(KeyValue::new("error.type", error_type));
        }
        // By the conventions what the sender did wrong is no error of the server.
        if status.is_server_error() {
            self.span.set_status(Status::error(""));
        }
        self.end();
    }

    fn end(&mut self) {
        self.span.end_with_timestamp(self.arrived.wall + self.arrived.monotonic.elapsed());
    }
}

impl Drop for ServerSpan {
    /// Its connection has broken.
    fn drop(&mut self) {
        if !self.answered && self.span.is_recording() {
            self.span.set_attribute(KeyValue::new("error.type", "connection_closed"));
            self.end();
        }
    }
}

/// The trace of a request, for the spans of its records; by default nothing is exported.
#[derive(Debug, Default)]
pub struct Trace(Option<Arc<Following>>);

/// What the spans of records need of that of their request.
#[derive(Debug)]
struct Following {
    tracing: Arc<Tracing>,
    context: SpanContext,
    baggage: Option<HeaderValue>,
}

impl Trace {
    /// Where the request is in its trace: that of its span, its sender's, or a new one.
    pub(crate) fn ids(&self, headers: &HeaderMap) -> Ids {
        match &self.0 {
            Some(following) => ids_of(&following.context),
            None => w3c::parent(headers).unwrap_or_else(w3c::new_ids),
        }
    }

    /// Whether records get the context of their own span, when they are enqueued.
    pub(crate) fn is_followed(&self) -> bool {
        self.0.as_ref().is_some_and(|following| following.tracing.propagation.trace_context)
    }

    /// The spans of records that are about to be enqueued, to these topics.
    pub(crate) fn sends<'a>(&self, mut topics: impl ExactSizeIterator<Item = &'a TopicName>) -> Sends {
        let following = self.0.clone();
        let sampled = following.as_ref().is_some_and(|following| following.context.is_sampled());
        let count = topics.len();
        let for_all = match &following {
            Some(following) if count > MAX_SPANS && sampled => {
                let first = topics.next();
                let topic = first.filter(|first| topics.all(|topic| topic == *first));
                let mut sending = following.span(topic, count);
                sending.add(KeyValue::new(
                    "messaging.batch.message_count",
                    i64::try_from(count).unwrap_or(i64::MAX),
                ));
                Some(Arc::new(sending))
            }
            _ => None,
        };
        Sends { following, sampled, for_all }
    }
}

impl Following {
    fn span(&self, topic: Option<&TopicName>, count: usize) -> Sending {
        let parent = Context::new().with_remote_span_context(self.context.clone());
        let name = topic.map_or(Cow::Borrowed("send"), |topic| Cow::Owned(format!("send {topic}")));
        let begun = (Instant::now(), SystemTime::now());
        let builder =
            self.tracing.tracer.span_builder(name).with_kind(SpanKind::Producer).with_start_time(begun.1);
        let span = self.tracing.tracer.build_with_context(builder, &parent);
        let context = span.span_context().clone();
        let state = Mutex::new((span, false));
        let mut this = Sending { state, context, begun, left: AtomicUsize::new(count), is_one: count == 1 };
        this.add(KeyValue::new("messaging.system", "kafka"));
        this.add(KeyValue::new("messaging.operation.name", "send"));
        this.add(KeyValue::new("messaging.operation.type", "send"));
        if let Some(topic) = topic {
            this.add(KeyValue::new("messaging.destination.name", Value::String(topic.shared().into())));
        }
        this
    }
}

/// The spans of a request's records, one after another.
#[derive(Debug)]
pub(crate) struct Sends {
    following: Option<Arc<Following>>,
    sampled: bool,
    /// Where there are too many for one each.
    for_all: Option<Arc<Sending>>,
}

impl Sends {
    /// A record is about to be enqueued: its headers, with the context of its span, and the span.
    pub(crate) fn next(
        &self,
        topic: &TopicName,
        key: &str,
        size: usize,
        mut headers: OwnedHeaders,
    ) -> (OwnedHeaders, Option<Arc<Sending>>) {
        let Some(following) = &self.following else { return (headers, None) };
        let sending = match &self.for_all {
            _ if !self.sampled => None,
            Some(sending) => Some(Arc::clone(sending)),
            None => {
                let mut sending = following.span(Some(topic), 1);
                sending.add(KeyValue::new("messaging.kafka.message.key", cut(key)));
                sending.add(KeyValue::new(
                    "messaging.message.body.size",
                    i64::try_from(size).unwrap_or(i64::MAX),
                ));
                Some(Arc::new(sending))
            }
        };
        if following.tracing.propagation.trace_context {
            let context = sending.as_ref().map_or(&following.context, |sending| &sending.context);
            let traceparent = w3c::text(ids_of(context));
            headers = headers.insert(Header { key: w3c::TRACEPARENT, value: Some(&traceparent) });
            let state = context.trace_state().header();
            if !state.is_empty() {
                headers = headers.insert(Header { key: w3c::TRACESTATE, value: Some(&state) });
            }
        }
        if let Some(baggage) = &following.baggage {
            headers = headers.insert(Header { key: BAGGAGE, value: Some(baggage.as_bytes()) });
        }
        (headers, sending)
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_VALUE)].to_owned()
}

/// The span of a record, or of all of a large batch, until Kafka has reported on it.
#[derive(Debug)]
pub(crate) struct Sending {
    /// The span, and whether one of its records has failed.
    state: Mutex<(Span, bool)>,
    context: SpanContext,
    begun: (Instant, SystemTime),
    left: AtomicUsize,
    is_one: bool,
}

impl Sending {
    fn add(&mut self, attribute: KeyValue) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.0.set_attribute(attribute);
    }

    /// The end of a record is known: where it is, or why it is not there.
    pub(crate) fn reported(
        &self,
        outcome: Result<(i32, i64), &'static str>,
        late: bool,
        cluster: Option<Cluster>,
    ) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (span, has_failed) = &mut *state;
        match outcome {
            Ok((partition, offset)) if self.is_one => {
                span.set_attribute(KeyValue::new(
                    "messaging.destination.partition.id",
                    partition.to_string(),
                ));
                span.set_attribute(KeyValue::new("messaging.kafka.offset", offset));
            }
            Err(error_type) if !*has_failed => {
                *has_failed = true;
                span.set_attribute(KeyValue::new("error.type", error_type));
                span.set_status(Status::error(""));
            }
            Ok(_) | Err(_) => {}
        }
        // Several may come; the last one says it of all.
        if self.left.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        if late {
            span.set_attribute(KeyValue::new("hookbridge.late", true));
        }
        if let Some(cluster) = cluster {
            span.set_attribute(of_cluster(cluster));
        }
        let (monotonic, wall) = self.begun;
        span.end_with_timestamp(wall + monotonic.elapsed());
    }
}

/// A version 4 UUID.
pub(super) fn random_uuid() -> String {
    let ids = w3c::new_ids();
    let octets =
        (u128::from_be_bytes(ids.trace.to_bytes()) & !(0xf << 76) & !(0b11 << 62)) | 4 << 76 | 0b10 << 62;
    let text = format!("{octets:032x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
