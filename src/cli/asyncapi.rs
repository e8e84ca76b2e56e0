//! `hookbridge asyncapi`: the topics and what is in them, as an AsyncAPI document.

use std::process::ExitCode;

use clap::Args;

use super::{ConfigFile, fail, or_say_why, say, warn};
use crate::asyncapi::{Info, document};
use crate::config;

/// Prints an AsyncAPI 3.0.0 document (JSON, and so YAML) of every topic, key, header and schema that a configuration can
/// produce.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is connected to, and no credential is in it. Exit codes: 0 printed; 1 a schema's file can't be \
    used; 64 wrong configuration."
)]
pub struct AsyncApi {
    #[command(flatten)]
    file: ConfigFile,
    /// The API's title.
    #[arg(long, value_name = "TEXT", default_value = "Webhook events")]
    title: String,
    /// The API's own version.
    #[arg(long, value_name = "VERSION", default_value = "1.0.0")]
    api_version: String,
}

pub(super) fn run(asyncapi: &AsyncApi) -> ExitCode {
    let config = match or_say_why(config::load(&asyncapi.file.config), "") {
        Ok(config) => config,
        Err(code) => return code,
    };
    warn(&config.file, &config.warnings);
    let info = Info { title: asyncapi.title.clone(), version: asyncapi.api_version.clone() };
    match document(&config, &info) {
        Ok(document) => {
            say(format_args!("{document:#}"));
            ExitCode::SUCCESS
        }
        Err(why) => fail(&why, ExitCode::FAILURE),
    }
}
