//! Logs, on standard error: for people on a terminal, as JSON lines otherwise.
//!
//! Takes the environment variable `HOOKBRIDGE_LOG` (or `RUST_LOG`): levels as `tracing` knows them, such as
//! `debug` or `info,hookbridge=debug`. Levels: ERROR means that somebody should be woken, WARN that something
//! was refused or retried, INFO that the state changed. Bodies, signatures and secrets are never logged.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging. `default` is the level where the environment names none.
///
/// # Errors
/// The environment names a filter that can't be understood.
pub fn start(default: LevelFilter) -> Result<(), String> {
    let named =
        ["HOOKBRIDGE_LOG", "RUST_LOG"].iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
    let filter = match &named {
        Some((name, text)) => EnvFilter::try_new(text)
            .map_err(|error| format!("{name}={text} is no log filter: {error}; try `info` or `debug`"))?,
        None => EnvFilter::default().add_directive(default.into()),
    };
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if terminal {
        builder.with_ansi(std::env::var_os("NO_COLOR").is_none()).with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
    Ok(())
}
