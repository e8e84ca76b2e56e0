//! `hookbridge dead-letters`: what could not be read, listed, shown, and taken through the present configuration again.
//!
//! Takes the configuration that `serve` takes, and the topic of dead letters or of the quarantine. Gives, a file each:
//! `list` and `show`, which only read; and `replay`. `reader` reads a topic from one offset to another, `letter` knows what
//! stands in a record, `judge` asks the stations of [`crate::pipeline::again`] what would become of it now.

mod judge;
mod letter;
mod list;
mod reader;
mod replay;
mod show;

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, Subcommand};

use super::{EXIT_CONFIGURATION, fail, or_say_why};
use crate::config::{self, Config, units};
use crate::topic::TopicName;
use letter::Letter;
use reader::{Reader, Span};

/// List, show and replay what went to the dead-letter topic.
#[derive(Debug, Args)]
pub struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters: where each is, when and where it came from, why, and how many there are for each reason.
    List(list::List),
    /// Show everything that is known of one dead letter, and what would become of it now.
    Show(show::Show),
    /// Take dead letters through the present configuration again: each is verified as of its time of receipt, and produced
    /// where it belongs now.
    ///
    /// Offsets are committed for a consumer group, after Kafka has acknowledged what came before: a replay that is ended in
    /// between goes on from there, and a second one has nothing to do. What is still dead stays in the topic.
    Replay(replay::Replay),
}

/// Runs the command.
pub(super) fn run(dead_letters: &DeadLetters) -> ExitCode {
    match &dead_letters.command {
        Command::List(list) => list::run(list),
        Command::Show(show) => show::run(show),
        Command::Replay(replay) => replay::run(replay),
    }
}

/// Which records.
#[derive(Debug, Clone, Args)]
struct Selection {
    /// The topic: by default the configuration's `dead_letter`. A quarantine's topic can be named too.
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    topic: Option<TopicName>,
    /// Only those of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only those with this reason, such as `missing_event_type`; in a quarantine, such as `signature_mismatch`.
    #[arg(long)]
    reason: Option<String>,
    /// Only those received at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = units::instant)]
    since: Option<SystemTime>,
    /// Only those received before this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = units::instant)]
    until: Option<SystemTime>,
    /// Only this partition.
    #[arg(long, value_name = "NUMBER")]
    partition: Option<i32>,
    /// Only from this offset of the partition on.
    #[arg(long, value_name = "OFFSET", requires = "partition", value_parser = clap::value_parser!(i64).range(0..))]
    from_offset: Option<i64>,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

fn topic(name: &str) -> Result<TopicName, String> {
    TopicName::parse(name)
}

impl Selection {
    fn topic<'a>(&'a self, config: &'a Config) -> &'a TopicName {
        self.topic.as_ref().unwrap_or(&config.dead_letter)
    }

    /// Whether only some of the records that are read are meant.
    fn is_filtered(&self) -> bool {
        self.source.is_some() || self.reason.is_some() || self.since.is_some() || self.until.is_some()
    }

    fn takes(&self, letter: &Letter) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let received = letter.received_at();
        is(&self.source, letter.source())
            && is(&self.reason, letter.reason())
            && self.since.is_none_or(|since| received.is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| received.is_some_and(|at| at < until))
    }

    /// What there is to read, up to the topic's present end.
    fn spans(&self, reader: &Reader) -> Result<Vec<Span>, String> {
        let mut spans = reader.spans(self.partition)?;
        for span in &mut spans {
            span.from = self.from_offset.map_or(span.from, |offset| offset.max(span.from));
        }
        Ok(spans)
    }
}

/// The configuration, or the exit code after what is wrong with it has been said.
fn load(file: &Path) -> Result<Config, ExitCode> {
    or_say_why(config::load(file), "; nothing was read")
}

/// Ends a command: what it could not do is said.
fn ended(done: Result<ExitCode, String>) -> ExitCode {
    done.unwrap_or_else(|why| fail(&why, ExitCode::FAILURE))
}

/// The exit code for a configuration that is right by itself, and can't be run.
fn unusable(why: &dyn std::fmt::Display) -> ExitCode {
    fail(why, ExitCode::from(EXIT_CONFIGURATION))
}
