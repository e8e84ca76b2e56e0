//! `hookbridge topics`: what is to be done about the cluster's topics, and doing it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{ConfigFile, fail, or_say_why, say, warn};
use crate::config;
use crate::preflight::{Change, Fault, Needs, apply, cluster_away, facts, judge};

/// The exit code of `plan` if there is something to do.
const EXIT_CHANGES: u8 = 3;

/// Compares the cluster's topics with the configuration, and creates and sets them.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong, and there is nothing to do; 3 (plan) there are changes to make, and \
    they heal every error; 1 something is wrong that `apply` can't heal, or did not heal; 64 wrong configuration.\n\
    Nothing is ever deleted. Topics that a `{type}` template will name are looked at if the section `topics` names them."
)]
pub struct Topics {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong, line by line of the configuration, and what `apply` would do. Nothing is changed.
    Plan(Options),
    /// Create topics that are missing, and set those that are there. A second time there is nothing to do.
    Apply(Apply),
}

#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Look at the second cluster, `kafka.standby`, instead.
    #[arg(long)]
    standby: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Apply {
    #[command(flatten)]
    options: Options,
    /// Add partitions too. Keys move to others: for a while the same message can be in two partitions.
    #[arg(long)]
    allow_more_partitions: bool,
}

/// What a fault's topic is left with, if the changes are made.
fn is_healed(fault: &Fault, changes: &[Change]) -> bool {
    let of_topic = |change: &&Change| change.topic().as_str() == fault.subject;
    changes.iter().filter(of_topic).any(|change| match (change, fault.kind) {
        (Change::Create { .. }, "topic_missing") | (Change::AddPartitions { .. }, "too_few_partitions") => {
            true
        }
        (Change::Configure { .. }, "settings_differ") => true,
        (Change::Configure { settings, .. }, kind) => settings.iter().any(|(name, _, _)| match kind {
            "max_message_bytes_too_small" => name == "max.message.bytes",
            "min_insync_unreachable" | "min_insync_low" | "min_insync_tight" => name == "min.insync.replicas",
            "unclean_leader_election" => name == "unclean.leader.election.enable",
            _ => false,
        }),
        _ => false,
    })
}

pub(super) fn run(topics: &Topics) -> ExitCode {
    let (options, applies, allow_more) = match &topics.command {
        Command::Plan(options) => (options, false, true),
        Command::Apply(apply) => (&apply.options, true, apply.allow_more_partitions),
    };
    let config = match or_say_why(config::load(&options.file.config), "") {
        Ok(config) => config,
        Err(code) => return code,
    };
    warn(&config.file, &config.warnings);
    let needs = match (Needs::of(&config), options.standby) {
        (needs, false) => needs,
        (needs, true) => match needs.on_standby() {
            Some(needs) => needs,
            None => return fail(&"the configuration has no `kafka.standby`", ExitCode::FAILURE),
        },
    };
    let facts = match facts::ask(&needs) {
        Ok(facts) => facts,
        Err(why) => {
            say_all(&config.file, &[cluster_away(&why)], &[], &[], options.json);
            return ExitCode::FAILURE;
        }
    };
    let judgement = judge::judge(&needs, &facts);
    if !applies {
        say_all(&config.file, &judgement.faults, &judgement.changes, &[], options.json);
        let open =
            judgement.faults.iter().any(|fault| is_error(fault) && !is_healed(fault, &judgement.changes));
        return match (open, judgement.changes.is_empty()) {
            (true, _) => ExitCode::FAILURE,
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::from(EXIT_CHANGES),
        };
    }
    let wanted = |change: &Change| allow_more || !matches!(change, Change::AddPartitions { .. });
    let changes: Vec<Change> = judgement.changes.into_iter().filter(wanted).collect();
    let done = match apply::apply(&needs, &facts, &changes) {
        Ok(done) => done,
        Err(why) => return fail(&why, ExitCode::FAILURE),
    };
    let failed = done.iter().any(|(_, outcome)| outcome.is_err());
    // What the broker's defaults have made of a new topic is only seen now. What it has not told everybody yet is done all the same.
    let faults = match facts::ask(&needs) {
        Ok(facts) if !done.is_empty() => judge::judge(&needs, &facts).faults,
        _ => judgement.faults,
    };
    let made: Vec<Change> =
        done.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(change, _)| change.clone()).collect();
    let left = faults.into_iter().filter(|fault| !is_healed(fault, &made)).collect::<Vec<_>>();
    say_all(&config.file, &left, &[], &done, options.json);
    if failed || left.iter().any(is_error) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn is_error(fault: &Fault) -> bool {
    fault.severity == crate::preflight::Severity::Error
}

fn say_all(
    file: &str,
    faults: &[Fault],
    changes: &[Change],
    done: &[(Change, Result<(), String>)],
    as_json: bool,
) {
    if as_json {
        let faults: Vec<_> = faults.iter().map(Fault::to_json).collect();
        let changes: Vec<_> = changes.iter().map(Change::to_json).collect();
        let done: Vec<_> = done
            .iter()
            .map(|(change, outcome)| json!({ "change": change.to_json(), "error": outcome.as_ref().err() }))
            .collect();
        return say(json!({ "faults": faults, "changes": changes, "done": done }));
    }
    for fault in faults {
        say(fault.describe(file));
    }
    for change in changes {
        say(format_args!("to do: {change}"));
    }
    for (change, outcome) in done {
        match outcome {
            Ok(()) => say(format_args!("done: {change}")),
            Err(why) => say(format_args!("failed: {change}: {why}")),
        }
    }
    if faults.is_empty() && changes.is_empty() && done.is_empty() {
        say("every topic is there, and as it should be");
    }
}
