//! One connection: HTTP/1.1 or HTTP/2, with every limit that hyper does not set by itself.
//!
//! Takes a stream. Gives each request to [`pipeline::handle`]. A connection that has had no request under way
//! for a while is closed; one that sends no head in time is cut, also if it sends nothing at all.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::shutdown::Watch;
use crate::app::App;
use crate::pipeline;

/// An HTTP/2 connection without a request under way is kept this long. For HTTP/1 hyper waits for the next head,
/// and so for an idle client, as long as a head may take.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
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

fn builder(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Who has sent a whole request and closes its side may still want the answer.
        .half_close(true)
        .header_read_timeout(header_timeout)
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
pub async fn serve(stream: TcpStream, app: Arc<App>, header_timeout: Duration, mut shutdown: Watch) {
    let activity = Activity::default();
    let service = service_fn(|request: Request<Incoming>| {
        let running = activity.begin();
        let app = Arc::clone(&app);
        async move {
            let response = pipeline::handle(&app, request).await;
            drop(running);
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(header_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);

    let opened = Instant::now();
    let mut closing = false;
    let mut idle_since = opened;
    let mut ticks = tokio::time::interval(Duration::from_secs(1).min(header_timeout));
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
                idle_since = Instant::now();
            }
            now = ticks.tick() => {
                if activity.running() > 0 {
                    idle_since = now;
                }
                // hyper's own timeout begins when it knows the protocol, which takes the first octets.
                if !activity.has_begun() && now - opened > header_timeout {
                    return;
                }
                if closing && now - idle_since > CLOSE_TIMEOUT {
                    return;
                }
                if !closing && now - idle_since > IDLE_TIMEOUT {
                    idle_since = now;
                    connection.as_mut().graceful_shutdown();
                    closing = true;
                }
            }
        }
    }
}

/// Whether requests are, or have ever been, under way on a connection.
#[derive(Debug, Default, Clone)]
struct Activity(Arc<[AtomicUsize; 2]>);

impl Activity {
    fn begin(&self) -> Running {
        self.0[0].fetch_add(1, Ordering::Relaxed);
        self.0[1].fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.0))
    }

    fn running(&self) -> usize {
        self.0[0].load(Ordering::Relaxed)
    }

    fn has_begun(&self) -> bool {
        self.0[1].load(Ordering::Relaxed) > 0
    }
}

/// A request under way; dropped also when its connection breaks.
struct Running(Arc<[AtomicUsize; 2]>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0[0].fetch_sub(1, Ordering::Relaxed);
    }
}
