//! One connection: HTTP/1.1 or HTTP/2, with every limit that hyper does not set by itself.
//!
//! Takes a stream. Gives each request to [`pipeline::handle`]. A connection that has had no request under way
//! for a while is closed; one that sends no head in time is cut, also if it sends nothing at all.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Version};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::counted::Counted;
use super::shutdown::Watch;
use crate::app::App;
use crate::pipeline;

/// A connection that is being closed, and has no request under way, gets this long to take what it is owed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest head, and what HTTP/1 reads ahead of it.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// More headers than any provider sends, in HTTP/1.
const MAX_HEADERS: usize = 100;
/// The longest header list in HTTP/2.
const MAX_HEADER_LIST_BYTES: u32 = 32 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// Streams reset before they were accepted, and by this side, after which a connection is cut (CVE-2023-44487
/// and its kin).
const MAX_RESETS: usize = 20;
/// An HTTP/2 peer that is gone is noticed by an unanswered ping.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// What one HTTP/2 stream, and one connection, may send ahead of being read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Answers are a line long.
const MAX_SEND_BYTES: usize = 64 * 1024;

fn builder(idle_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Who has sent a whole request and closes its side may still want the answer.
        .half_close(true)
        // hyper counts from the end of the last answer, so this is the idle timeout; how long a head may take from
        // its first octet is seen to below.
        .header_read_timeout(idle_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Serves one connection to its end.
pub async fn serve(stream: TcpStream, app: Arc<App>, timeouts: Timeouts, mut shutdown: Watch) {
    let activity = Activity::default();
    let service = service_fn(|request: Request<Incoming>| {
        let running = activity.begin(request.version());
        let app = Arc::clone(&app);
        async move {
            let is_http1 = request.version() < Version::HTTP_2;
            let mut response = pipeline::handle(&app, request).await;
            if is_http1 && app.is_leaving() {
                // Closed by the answer, not between two requests, where the sender's next one might be under way.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            drop(running);
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(timeouts.idle);
    let stream = Counted::new(stream);
    let received = stream.received();
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);

    let mut patience = Patience::new(timeouts);
    let mut closing = false;
    let mut ticks = tokio::time::interval(Duration::from_secs(1).min(timeouts.header));
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = shutdown.begun(), if !closing => {
                connection.as_mut().graceful_shutdown();
                closing = true;
                patience.begin_to_close();
            }
            now = ticks.tick() => {
                patience.look(now, &activity, received.load(Ordering::Relaxed));
                if patience.is_head_late(now) || (closing && patience.is_close_late(now)) {
                    return;
                }
                // An HTTP/2 client is told to go; what it has sent before it knows is still answered.
                let goes_away = app.is_leaving() && activity.is_http2();
                if !closing && (goes_away || patience.is_idle_too_long(now)) {
                    connection.as_mut().graceful_shutdown();
                    closing = true;
                    patience.begin_to_close();
                }
            }
        }
    }
}

/// How long a connection may keep this side waiting.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a request's head.
    pub header: Duration,
    /// Without a request under way.
    pub idle: Duration,
}

/// How long the peer has kept this side waiting.
#[derive(Debug)]
struct Patience {
    timeouts: Timeouts,
    /// When a request was last under way, or the connection was opened.
    idle_since: Instant,
    /// When the head that is now awaited was seen to have begun. The first one begins with the connection: a
    /// client that says nothing at all is no better than one that is slow.
    head_since: Option<Instant>,
    /// Requests begun, and octets received, when nothing of a head was there.
    begun: usize,
    received: u64,
}

impl Patience {
    fn new(timeouts: Timeouts) -> Self {
        let now = Instant::now();
        Self { timeouts, idle_since: now, head_since: Some(now), begun: 0, received: 0 }
    }

    fn look(&mut self, now: Instant, activity: &Activity, received: u64) {
        // A short request is seldom under way at the moment of a look.
        if activity.running() > 0 || activity.begun() != self.begun {
            self.idle_since = now;
            (self.begun, self.received, self.head_since) = (activity.begun(), received, None);
        } else if received > self.received && !activity.is_http2() {
            // HTTP/2 has frames between requests, and hyper's own limits on a head.
            self.head_since.get_or_insert(now);
        }
    }

    fn begin_to_close(&mut self) {
        self.idle_since = Instant::now();
    }

    fn is_head_late(&self, now: Instant) -> bool {
        self.head_since.is_some_and(|since| now - since > self.timeouts.header)
    }

    fn is_close_late(&self, now: Instant) -> bool {
        now - self.idle_since > CLOSE_TIMEOUT
    }

    fn is_idle_too_long(&self, now: Instant) -> bool {
        now - self.idle_since > self.timeouts.idle
    }
}

/// The requests of a connection.
#[derive(Debug, Default, Clone)]
struct Activity(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    running: AtomicUsize,
    begun: AtomicUsize,
    http2: AtomicBool,
}

impl Activity {
    fn begin(&self, version: Version) -> Running {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        if version == Version::HTTP_2 {
            self.0.http2.store(true, Ordering::Relaxed);
        }
        Running(Arc::clone(&self.0))
    }

    fn running(&self) -> usize {
        self.0.running.load(Ordering::Relaxed)
    }

    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn is_http2(&self) -> bool {
        self.0.http2.load(Ordering::Relaxed)
    }
}

/// A request under way; dropped also when its connection breaks.
struct Running(Arc<Counters>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
