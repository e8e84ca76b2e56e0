//! Logs, on standard error: for people on a terminal, as JSON lines otherwise.
//!
//! Takes the environment variable `HOOKBRIDGE_LOG` (or `RUST_LOG`): levels as `tracing` knows them, such as
//! `debug` or `info,hookbridge=debug`. Levels: ERROR means that somebody should be woken, WARN that something
//! was refused or retried, INFO that the state changed. Bodies, signatures and secrets are never logged.
//!
//! A line that is written for a request has the IDs of its trace; `otlp` gets the same lines, if they are exported.
//!
//! Lines are written by a thread of their own: whoever reads standard error may stop, and nothing here waits for
//! it. Past a limit lines are lost, and counted.

use std::fmt;
use std::io::{IsTerminal as _, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::current;
use super::otlp::Exports;

/// Lines that may wait to be written: some megabytes.
const MAX_WAITING: usize = 8192;

/// How long the end of the process waits for the last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines lost since the start.
pub(crate) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Starts logging. `default` is the level where the environment names none. What is returned writes the last
/// lines when it is dropped.
///
/// # Errors
/// The environment names a filter that can't be understood, or the writer's thread can't be started.
pub fn start(default: LevelFilter, exports: &Exports) -> Result<Flush, String> {
    let named =
        ["HOOKBRIDGE_LOG", "RUST_LOG"].iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
    let filter = match &named {
        Some((name, text)) => EnvFilter::try_new(text)
            .map_err(|error| format!("{name}={text} is no log filter: {error}; try `info` or `debug`"))?,
        None => EnvFilter::default().add_directive(default.into()),
    };
    let (lines, waiting) = sync_channel(MAX_WAITING);
    std::thread::Builder::new()
        .name("logs".to_owned())
        .spawn(move || write_all(&waiting))
        .map_err(|error| format!("the thread that writes logs can't be started: {error}"))?;
    let terminal = std::io::stderr().is_terminal();
    let exported = exports.logger().map(OpenTelemetryTracingBridge::new);
    let subscriber = tracing_subscriber::registry().with(filter).with(exported);
    let written = tracing_subscriber::fmt::layer().with_writer(Lines(lines.clone()));
    if terminal {
        let is_colourful = std::env::var_os("NO_COLOR").is_none();
        subscriber.with(written.with_ansi(is_colourful).with_target(false)).init();
    } else {
        let format = WithTrace(Format::default().json().flatten_event(true));
        subscriber.with(written.event_format(format).fmt_fields(JsonFields::new())).init();
    }
    Ok(Flush(lines))
}

/// JSON lines, with the trace of the request that they were written for.
struct WithTrace(Format<Json>);

impl<S, N> FormatEvent<S, N> for WithTrace
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(ids) = current::ids() else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // An object in one line, of which the last brace is the end.
        let fields = line.trim_end().strip_suffix('}').unwrap_or(&line);
        writeln!(writer, r#"{fields},"trace_id":"{}","span_id":"{}"}}"#, ids.trace, ids.span)
    }
}

enum Message {
    Line(Vec<u8>),
    /// Answered when everything before it has been written.
    Flush(SyncSender<()>),
}

fn write_all(waiting: &Receiver<Message>) {
    for message in waiting {
        match message {
            // Nothing can be said of a failure to say something.
            Message::Line(line) => drop(std::io::stderr().lock().write_all(&line)),
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// Where `tracing` writes: each event in one piece.
struct Lines(SyncSender<Message>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;
    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_vec())).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes the last lines when it is dropped, unless nobody reads them.
#[must_use = "dropped at once, it has nothing to write"]
pub struct Flush(SyncSender<Message>);

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        if self.0.try_send(Message::Flush(done)).is_ok() {
            // In vain if nobody reads.
            let _ = written.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}
