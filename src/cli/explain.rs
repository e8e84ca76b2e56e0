//! `hookbridge explain`: why would this captured request be refused?
//!
//! Takes the configuration that `serve` takes, a source, and a request in files. Gives a report. Kafka is not
//! needed. The exit code is 0 if the request would be accepted, 1 if it would be refused.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;

use super::{ConfigFile, EXIT_CONFIGURATION, fail, say};
use crate::config::diagnostic::did_you_mean;
use crate::config::disclosed::{Disclosed, load_disclosed};
use crate::config::{Config, LoadError};
use crate::explain::Case;
use crate::explain::capture::{Capture, MAX_HEAD_BYTES};
use crate::explain::report::Report;
use crate::signature::UnixSeconds;
use crate::signature::timestamp::TimeUnit;

/// A person waits for it.
const TIME: Duration = Duration::from_secs(5);

/// The exit code for arguments that can't be used.
const EXIT_ARGUMENTS: u8 = 2;

/// A captured request, and where it was to go.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    hookbridge explain --config hookbridge.yaml --source billing --headers headers.txt --body body.bin\n\n\
    The files of a request that arrived: the headers one `Name: value` a line, or as JSON; the body octet for octet.")]
pub struct Explain {
    #[command(flatten)]
    config: ConfigFile,
    /// The source that it was sent to, by its name in the configuration.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The file with the headers: one `Name: value` a line, a whole HTTP head, `curl -v`'s lines, or JSON. `-` is
    /// standard input.
    #[arg(long, value_name = "FILE")]
    headers: PathBuf,
    /// The file with the exact octets of the body. `-` is standard input.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// What follows `?` in the URL, if the head does not say it.
    #[arg(long)]
    query: Option<String>,
    /// When it was received: RFC 3339, or seconds since 1970. Default: now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<UnixSeconds>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<UnixSeconds, String> {
    let read = |unit: TimeUnit| unit.read(text.as_bytes());
    read(TimeUnit::Seconds)
        .or_else(|| read(TimeUnit::Rfc3339))
        .ok_or_else(|| "write 2026-01-01T12:00:00Z, or seconds since 1970".to_owned())
}

pub(super) fn run(explain: &Explain) -> ExitCode {
    if explain.headers.as_os_str() == "-" && explain.body.as_os_str() == "-" {
        return fail(&"--headers and --body can't both be standard input", ExitCode::from(EXIT_ARGUMENTS));
    }
    let (config, all) = match load_disclosed(&explain.config.config) {
        Ok(loaded) => loaded,
        Err(error) => {
            match error {
                LoadError::Invalid(invalid) => eprintln!("{invalid}; nothing was explained"),
                LoadError::Unreadable { .. } => eprintln!("{error}"),
            }
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    match report(explain, &config, &all) {
        Ok(code) => code,
        Err(why) => fail(&why, ExitCode::from(EXIT_ARGUMENTS)),
    }
}

fn report(explain: &Explain, config: &Config, all: &[Disclosed]) -> Result<ExitCode, String> {
    let name = explain.source.as_str();
    if config.disabled.iter().any(|disabled| disabled == name) {
        return Ok(answer(explain, &Report::of_disabled(name, at(explain))));
    }
    let source = config.sources.iter().find(|source| &*source.name == name);
    let disclosed = all.iter().find(|disclosed| disclosed.source == name);
    let (Some(source), Some(disclosed)) = (source, disclosed) else {
        let names: Vec<&str> = config.sources.iter().map(|source| &*source.name).collect();
        let hint = did_you_mean(name, &names);
        let hint = hint.unwrap_or_else(|| "`hookbridge check` lists the sources".to_owned());
        return Err(format!("there is no source `{name}`: {hint}"));
    };
    let head = read(&explain.headers, MAX_HEAD_BYTES + 1)?;
    let mut capture = Capture::parse(&head).map_err(|why| format!("{}: {why}", explain.headers.display()))?;
    capture.body = read(&explain.body, source.max_body_bytes + 1)?.into();
    if let Some(query) = &explain.query {
        capture.query = Some(query.strip_prefix('?').unwrap_or(query).to_owned());
    }
    let started = Instant::now();
    let case = Case {
        config,
        source,
        disclosed,
        all,
        capture: &capture,
        at: at(explain),
        at_given: explain.at.is_some(),
        out_of_time: &|| started.elapsed() > TIME,
    };
    Ok(answer(explain, &crate::explain::explain(&case)))
}

fn at(explain: &Explain) -> UnixSeconds {
    explain.at.unwrap_or_else(|| UnixSeconds::from_system_time(SystemTime::now()))
}

fn answer(explain: &Explain, report: &Report) -> ExitCode {
    match explain.json {
        true => say(format!("{:#}", report.to_json())),
        false => say(report.to_string().trim_end()),
    }
    if report.refusal().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first `limit` octets of a file, or of standard input.
fn read(file: &std::path::Path, limit: usize) -> Result<Vec<u8>, String> {
    let reader: Box<dyn Read> = match file.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(
            std::fs::File::open(file)
                .map_err(|error| format!("{} can't be opened: {error}", file.display()))?,
        ),
    };
    let mut octets = Vec::new();
    reader
        .take(limit as u64)
        .read_to_end(&mut octets)
        .map_err(|error| format!("{} can't be read: {error}", file.display()))?;
    Ok(octets)
}
