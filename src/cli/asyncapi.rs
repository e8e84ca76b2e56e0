//! `hookbridge asyncapi`: the topics and what is in them, as an AsyncAPI document.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{ConfigFile, fail, or_say_why, say, warn};
use crate::asyncapi::{Info, document};
use crate::config::{self, Config, RegistryConfig};
use crate::registry::Client;

/// Prints an AsyncAPI 3.0.0 document (JSON, and so YAML) of every topic, key, header and schema that a configuration can
/// produce.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is connected to, unless --registry is given, and no credential is in it. Exit codes: 0 printed; \
    1 a schema can't be had; 64 wrong configuration."
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
    /// Ask the schema registry for the schemas of routes. Without this they are read from the files that routes name.
    #[arg(long)]
    registry: bool,
}

pub(super) fn run(asyncapi: &AsyncApi) -> ExitCode {
    let config = match or_say_why(config::load(&asyncapi.file.config), "") {
        Ok(config) => config,
        Err(code) => return code,
    };
    warn(&config.file, &config.warnings);
    let info = Info { title: asyncapi.title.clone(), version: asyncapi.api_version.clone() };
    let made = match config.schema_registry.as_ref().filter(|_| asyncapi.registry) {
        None => document(&config, &info, None),
        Some(registry) => by_registry(&config, &info, registry),
    };
    match made {
        Ok(document) => {
            say(format_args!("{document:#}"));
            ExitCode::SUCCESS
        }
        Err(why) => fail(&why, ExitCode::FAILURE),
    }
}

fn by_registry(config: &Config, info: &Info, registry: &RegistryConfig) -> Result<Value, String> {
    let client = Client::new(registry).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the async runtime can't be started: {error}"))?;
    let find = |subject: &str, version: Option<u32>| {
        runtime.block_on(client.find(subject, version)).map_err(|error| error.to_string())
    };
    document(config, info, Some(&find))
}
