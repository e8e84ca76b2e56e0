//! `hookbridge completions`: a shell's completion script.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Prints a completion script.
#[derive(Debug, Args)]
#[command(after_help = "For example: hookbridge completions bash > /etc/bash_completion.d/hookbridge")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(completions: &Completions) -> ExitCode {
    clap_complete::generate(
        completions.shell,
        &mut super::Cli::command(),
        "hookbridge",
        &mut std::io::stdout(),
    );
    ExitCode::SUCCESS
}
