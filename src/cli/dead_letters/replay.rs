//! `hookbridge dead-letters replay`: each dead letter goes through the present configuration, and where it belongs.
//!
//! Takes a topic from where the consumer group's last run ended, to the end that it has at the start. Some letters at a time
//! are judged in their order and produced; once Kafka has acknowledged them the group's offset is committed. What fails for
//! a while stops the run before that letter, and is tried again by the next. So nothing is lost, and after a run that was
//! killed some letters come twice, with the same key.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::ops::ControlFlow::{self, Break, Continue};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use super::judge::{Judge, Judged, Outcome};
use super::letter::{Letter, clean, clean_octets};
use super::reader::{Reader, Span};
use super::{Selection, ended, load, unusable};
use crate::app::App;
use crate::cli::{ConfigFile, say};
use crate::config::Config;
use crate::config::units::show_instant;
use crate::pipeline::Rejection;
use crate::pipeline::again::{self, Ready};

/// The consumer group, where no other is named.
const GROUP: &str = "hookbridge-replay";
/// How long Kafka may take until the producer can be used.
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Letters that are produced at once. Their deadlines run from when they were judged, so that may not take long either.
const MAX_AT_ONCE: usize = 64;
const MAX_JUDGING: Duration = Duration::from_millis(500);
/// Between two lines about the progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    selection: Selection,
    /// Say what would become of each, and produce and commit nothing.
    #[arg(long)]
    dry_run: bool,
    /// The consumer group whose offsets say how far replays have come. Default: `hookbridge-replay`; with --source, --reason,
    /// --since or --until a group of that choice alone, since what it passes over has not been dealt with.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Begin at the topic's first record, whatever has been committed: also what was replayed already comes again.
    #[arg(long, conflicts_with = "from_offset")]
    from_beginning: bool,
    /// Take the dead-letter topic's word for what can't be verified again: elements of batches, and events of sources that
    /// are proved by a credential or accept unsigned requests. Whoever can write to the topic can then forge events of these:
    /// say it only if nobody but hookbridge can (an ACL). A wrong signature is refused all the same.
    #[arg(long)]
    accept_unverifiable: bool,
    /// Print JSON: a line for each letter, and one with the summary.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(replay: &Replay) -> ExitCode {
    let config = match load(&replay.config.config) {
        Ok(config) => config,
        Err(code) => return code,
    };
    // First, so that a topic or a Kafka that is not there is all that is said.
    let group = group(replay);
    let (reader, spans) = match what_is_to_do(replay, &config, &group) {
        Ok(to_do) => to_do,
        Err(why) => return ended(Err(why)),
    };
    let app = match App::new(&config) {
        Ok(app) => app,
        Err(error) => return unusable(&error),
    };
    let judge = Judge::new(app, &config, replay.accept_unverifiable);
    let done = through(replay, &judge, &reader, spans, &group);
    // librdkafka may take any time to end its threads, and the process is about to end them all.
    std::mem::forget(judge);
    ended(done)
}

/// From where the group's last run ended, to the topic's present end.
fn what_is_to_do(replay: &Replay, config: &Config, group: &str) -> Result<(Reader, Vec<Span>), String> {
    let selection = &replay.selection;
    let reader = Reader::new(config, selection.topic(config), group)?;
    let mut spans = selection.spans(&reader)?;
    if !replay.from_beginning && selection.from_offset.is_none() {
        reader.go_on(&mut spans)?;
    }
    Ok((reader, spans))
}

/// What the asynchronous part runs in. One thread: tasks begin in the order in which they were spawned, and so the records of
/// one key are enqueued in theirs.
pub(super) fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the async runtime can't be started: {error}"))
}

fn through(
    replay: &Replay,
    judge: &Judge<'_>,
    reader: &Reader,
    spans: Vec<Span>,
    group: &str,
) -> Result<ExitCode, String> {
    let runtime = runtime()?;
    if !replay.dry_run {
        runtime.block_on(ready(&judge.app))?;
    }
    let total = spans.iter().map(|span| span.to.saturating_sub(span.from).max(0)).sum();
    let mut run = Run::new(replay, judge, reader, &runtime, total);
    let mut stopped = None;
    for span in spans {
        let read = reader.read(span, |letter| run.take(letter)).and_then(|read| run.settle().map(|()| read));
        match read {
            Ok(Continue(())) => {}
            Ok(Break(())) => break,
            Err(why) => {
                // What was judged before is not lost, but not produced either: the next run begins there.
                stopped = Some(why);
                break;
            }
        }
    }
    run.summary(group, stopped.as_deref());
    match stopped {
        Some(why) => Err(format!("{why}; the replay stopped, and goes on from there when it is run again")),
        None if run.count("failed") > 0 => Ok(ExitCode::FAILURE),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// What passes some letters over must not commit them for those that do not.
fn group(replay: &Replay) -> String {
    let selection = &replay.selection;
    match &replay.group {
        Some(group) => group.clone(),
        None if selection.is_filtered() => {
            let choice = (
                &selection.source,
                &selection.reason,
                selection.since.map(show_instant),
                selection.until.map(show_instant),
            );
            let digest = hex::encode(Sha256::digest(format!("{choice:?}")));
            format!("{GROUP}.{}", digest.get(..8).unwrap_or_default())
        }
        None => GROUP.to_owned(),
    }
}

async fn ready(app: &App) -> Result<(), String> {
    let deadline = Instant::now() + READY_WITHIN;
    while !app.producer().health().is_ready() {
        if Instant::now() > deadline {
            return Err(format!("kafka did not answer within {} s", READY_WITHIN.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// A letter that has been judged.
struct Pending {
    letter: Letter,
    outcome: Outcome,
    ready: Option<Box<Ready>>,
}

/// One run, and what has become of the letters.
struct Run<'a> {
    replay: &'a Replay,
    judge: &'a Judge<'a>,
    reader: &'a Reader,
    runtime: &'a Runtime,
    pending: Vec<Pending>,
    /// When the first of them was judged.
    since: Instant,
    /// Partition, and the offset after the last letter that was read, whether it was meant or not.
    read_to: Option<(i32, i64)>,
    /// By outcome, and by reason where there is one.
    counts: BTreeMap<String, usize>,
    taken: usize,
    read: i64,
    total: i64,
    last_progress: Instant,
}

impl<'a> Run<'a> {
    fn new(
        replay: &'a Replay,
        judge: &'a Judge<'a>,
        reader: &'a Reader,
        runtime: &'a Runtime,
        total: i64,
    ) -> Self {
        let now = Instant::now();
        Self {
            replay,
            judge,
            reader,
            runtime,
            pending: Vec::new(),
            since: now,
            read_to: None,
            counts: BTreeMap::new(),
            taken: 0,
            read: 0,
            total,
            last_progress: now,
        }
    }

    /// Judges a letter, and settles what is pending once that is enough.
    fn take(&mut self, letter: Letter) -> Result<ControlFlow<()>, String> {
        if self.replay.selection.limit.is_some_and(|limit| self.taken >= limit) {
            return Ok(Break(()));
        }
        self.read += 1;
        let place = (letter.partition, letter.offset + 1);
        if self.replay.selection.takes(&letter) {
            if self.pending.is_empty() {
                self.since = Instant::now();
            }
            let judged = match self.runtime.block_on(self.judge.judge(&letter)) {
                Err(Rejection::Overloaded) => {
                    self.settle()?;
                    self.since = Instant::now();
                    self.runtime.block_on(self.judge.judge_when_there_is_room(&letter))
                }
                judged => judged,
            };
            let (outcome, ready) = match judged {
                Ok(Judged::Ready(ready, outcome)) => (outcome, Some(ready)),
                Ok(Judged::Settled(outcome)) => (outcome, None),
                Err(why) => {
                    self.settle()?;
                    return Err(at(&letter, &why));
                }
            };
            self.taken += 1;
            self.pending.push(Pending { letter, outcome, ready });
        }
        self.read_to = Some(place);
        if self.pending.len() >= MAX_AT_ONCE || self.since.elapsed() > MAX_JUDGING {
            self.settle()?;
        }
        Ok(Continue(()))
    }

    /// Produces what is pending, in order, and commits it once it is acknowledged.
    fn settle(&mut self) -> Result<(), String> {
        let pending = std::mem::take(&mut self.pending);
        let app = &self.judge.app;
        let dry = self.replay.dry_run;
        let done = self.runtime.block_on(async {
            let publish = |mut pending: Pending| {
                let ready = pending.ready.take().filter(|_| !dry);
                let app = Arc::clone(app);
                let task = ready.map(|ready| tokio::spawn(async move { again::publish(&app, *ready).await }));
                (pending, task)
            };
            let under_way: Vec<_> = pending.into_iter().map(publish).collect();
            let mut done = Vec::with_capacity(under_way.len());
            for (pending, task) in under_way {
                let end = match task {
                    Some(task) => task.await.unwrap_or(Err(Rejection::ProducerDead)).map(drop),
                    None => Ok(()),
                };
                done.push((pending, end));
            }
            done
        });
        let mut next = self.read_to.take();
        let mut stopped = None;
        for (pending, end) in done {
            let Pending { letter, outcome, .. } = pending;
            match end {
                Ok(()) => self.tell(&letter, &outcome),
                Err(why) if why.is_temporary() => {
                    next = Some((letter.partition, letter.offset));
                    stopped = Some(at(&letter, &why));
                    break;
                }
                Err(why) => self.tell(&letter, &Outcome::failed(&why)),
            }
        }
        if let (Some((partition, offset)), false) = (next, dry) {
            self.reader.commit(partition, offset)?;
        }
        self.since = Instant::now();
        self.progress();
        stopped.map_or(Ok(()), Err)
    }

    fn tell(&mut self, letter: &Letter, outcome: &Outcome) {
        *self.counts.entry(outcome.name().to_owned()).or_default() += 1;
        let dry = self.replay.dry_run;
        if self.replay.json {
            let mut line = outcome.to_json(dry);
            line["partition"] = letter.partition.into();
            line["offset"] = letter.offset.into();
            line["source"] = letter.source().into();
            line["key"] = clean_octets(&letter.key).into();
            return say(line);
        }
        let would = if dry && matches!(outcome, Outcome::Published { .. }) { "would be " } else { "" };
        let source = clean(letter.source().unwrap_or("-"));
        let name = outcome.name().replace('_', " ");
        say(format_args!("{}  {source}  {would}{name}: {}", letter.place(), clean(&outcome.detail())));
    }

    fn count(&self, outcome: &str) -> usize {
        self.counts.get(outcome).copied().unwrap_or_default()
    }

    fn progress(&mut self) {
        if self.last_progress.elapsed() >= PROGRESS_EVERY && std::io::stderr().is_terminal() {
            self.last_progress = Instant::now();
            eprintln!("{} of {} read, {} replayed", self.read, self.total, self.count("replayed"));
        }
    }

    fn summary(&self, group: &str, stopped: Option<&str>) {
        let dry = self.replay.dry_run;
        if self.replay.json {
            return say(json!({
                "summary": self.counts, "read": self.read, "group": group, "dry_run": dry, "stopped": stopped
            }));
        }
        let counts: Vec<String> =
            self.counts.iter().map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
        let counts = if counts.is_empty() { "nothing to replay".to_owned() } else { counts.join(", ") };
        match dry {
            true => say(format_args!("{counts} (dry run: nothing was produced or committed)")),
            false => say(format_args!("{counts} (offsets of the consumer group {group})")),
        }
    }
}

fn at(letter: &Letter, why: &Rejection) -> String {
    format!("the dead letter at {} could not be replayed: {why}", letter.place())
}
