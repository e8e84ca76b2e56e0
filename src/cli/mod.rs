//! The commands: arguments in, an exit code out.
//!
//! Exit codes: 0 done; 1 it could not be done; 2 wrong arguments; 64 wrong configuration; 128 and the signal's
//! number when a second signal ended a shutdown at once.

pub mod asyncapi;
pub mod check;
pub mod completions;
pub mod dead_letters;
pub mod dev;
pub(crate) mod draft;
mod event;
pub mod explain;
pub mod providers;
pub mod schemas;
pub mod send;
pub mod serve;
mod snippet;
mod tail;
pub mod topics;

use std::ffi::OsString;
use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::config::diagnostic::{Diagnostic, write_diagnostic};
use crate::config::{self, Config};
use crate::telemetry::otlp::Exports;

/// The exit code for a configuration that can't be used (`EX_USAGE` of sysexits.h).
const EXIT_CONFIGURATION: u8 = 64;

/// Receives webhooks, verifies their signatures and publishes every event to Kafka.
///
/// A 2xx is a receipt: it is sent only once Kafka has acknowledged the record. The record's key is the
/// message ID and its value is the exact octets that were signed.
#[derive(Debug, Parser)]
#[command(
    name = "hookbridge",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(
    after_help = "Start with `hookbridge dev`: it needs nothing else and shows events landing in Kafka.\n\
                        Logs go to standard error; HOOKBRIDGE_LOG sets their level (`debug`, `warn`, ...)."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve webhooks, as a configuration file says.
    Serve(ConfigFile),
    /// Check a configuration file and print what is understood of it. No secret is shown.
    Check(check::Check),
    /// Try everything out: an embedded broker, a source for every preset, and a sample event from each of the
    /// first five systems.
    Dev(dev::Dev),
    /// Sign an event as a provider does, and post it.
    Send(send::Send),
    /// List the providers that are known by name, explain one, or check a provider file of your own.
    Providers(providers::Providers),
    /// Say whether a captured request would be accepted, and if not, the likely cause.
    Explain(explain::Explain),
    /// Compare the cluster's topics with the configuration, and create and set them.
    Topics(topics::Topics),
    /// Compare the schemas of the configuration's routes with the schema registry, and register them.
    Schemas(schemas::Schemas),
    /// Print an AsyncAPI document of every topic, key, header and schema that a configuration can produce.
    #[command(name = "asyncapi")]
    AsyncApi(asyncapi::AsyncApi),
    /// List, show and replay what went to the dead-letter topic, or is in quarantine.
    DeadLetters(dead_letters::DeadLetters),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file (YAML). config/hookbridge.yaml is a complete, commented one.
    #[arg(long, short, value_name = "FILE", env = "HOOKBRIDGE_CONFIG")]
    config: PathBuf,
}

/// Runs the command that `arguments`, with the program's name first, ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to fail over a help text.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    if let Err(error) = crate::server::shutdown::end_if_first() {
        return fail(&format!("signals can't be waited for: {error}"), ExitCode::FAILURE);
    }
    let level = if matches!(cli.command, Command::Dev(_) | Command::DeadLetters(_)) {
        LevelFilter::WARN
    } else {
        LevelFilter::INFO
    };
    // Only the service has telemetry to export. It lives as long as the process: none of its threads is waited for.
    let exports = match cli.command {
        Command::Serve(_) => match Exports::from_environment() {
            Ok(exports) => ManuallyDrop::new(exports),
            Err(why) => return fail(&why, ExitCode::from(EXIT_CONFIGURATION)),
        },
        _ => ManuallyDrop::new(Exports::none()),
    };
    let _flush_at_the_end = match crate::telemetry::logs::start(level, &exports) {
        Ok(flush) => flush,
        Err(why) => return fail(&why, ExitCode::from(EXIT_CONFIGURATION)),
    };
    match cli.command {
        Command::Serve(file) => serve::run(&file, &exports),
        Command::Check(check) => check::run(&check),
        Command::Dev(dev) => dev::run(dev),
        Command::Send(send) => send::run(&send),
        Command::Providers(providers) => providers::run(&providers),
        Command::Explain(explain) => explain::run(&explain),
        Command::Topics(topics) => topics::run(&topics),
        Command::Schemas(schemas) => schemas::run(&schemas),
        Command::AsyncApi(asyncapi) => asyncapi::run(&asyncapi),
        Command::DeadLetters(dead_letters) => dead_letters::run(&dead_letters),
        Command::Completions(completions) => completions::run(&completions),
    }
}

/// Prints on standard output. Whoever reads may stop, as `head` does: that is no reason to fail.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Says why on standard error.
fn fail(why: &dyn std::fmt::Display, code: ExitCode) -> ExitCode {
    eprintln!("hookbridge: {why}");
    code
}

/// The configuration, or everything that is wrong with it said, and `consequence` after it.
fn or_say_why(loaded: Result<Config, config::LoadError>, consequence: &str) -> Result<Config, ExitCode> {
    loaded.map_err(|error| {
        match error {
            // The lines speak for themselves, and begin with the file as editors expect.
            config::LoadError::Invalid(invalid) => eprintln!("{invalid}{consequence}"),
            config::LoadError::Unreadable { .. } => eprintln!("{error}"),
        }
        ExitCode::from(EXIT_CONFIGURATION)
    })
}

/// Says what is allowed in `file` and should be known.
fn warn(file: &str, warnings: &[Diagnostic]) {
    for warning in warnings {
        let mut line = String::new();
        if write_diagnostic(&mut line, file, "warning", warning).is_ok() {
            eprint!("{line}");
        }
    }
}
