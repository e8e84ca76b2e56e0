//! `hookbridge schemas`: do the files and the schema registry agree, and if not, put the files there.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ConfigFile, or_say_why, say, warn};
use crate::config::schema_route::SubjectNameStrategy;
use crate::config::{self, Config, RouteSchema};
use crate::registry::Client;
use crate::schema::Compiled;
use crate::topic::{Pattern, Target, TopicName};

/// Checks and registers the schemas of the configuration's routes.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is well; 1 something is wrong or could not be asked; 64 wrong configuration."
)]
pub struct Schemas {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say of each route's schema what the registry has, and whether its file is that, or could be the next version.
    Check(Options),
    /// Register each route's file under its subject. What is registered already stays as it is.
    Register(Options),
}

#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// A subject that a route's events are published by.
struct Use {
    subject: Result<String, String>,
    schema: Arc<RouteSchema>,
}

/// What is to be said of it.
struct Verdict {
    state: State,
    id: Option<u32>,
    version: Option<u32>,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    /// Not there yet, and could be.
    New,
    Registered,
    Wrong,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::New => "new",
            Self::Registered => "registered",
            Self::Wrong => "wrong",
        }
    }
}

impl Verdict {
    fn wrong(text: impl Into<String>) -> Self {
        Self { state: State::Wrong, id: None, version: None, text: text.into() }
    }
}

pub(super) fn run(schemas: &Schemas) -> ExitCode {
    let (options, registers) = match &schemas.command {
        Command::Check(options) => (options, false),
        Command::Register(options) => (options, true),
    };
    let config = match or_say_why(config::load(&options.file.config), "") {
        Ok(config) => config,
        Err(code) => return code,
    };
    warn(&config.file, &config.warnings);
    let uses = uses(&config);
    let Some(registry) = config.schema_registry.as_ref().filter(|_| !uses.is_empty()) else {
        say("no route has a schema");
        return ExitCode::SUCCESS;
    };
    let client = match Client::new(registry) {
        Ok(client) => client,
        Err(error) => return super::fail(&error, ExitCode::FAILURE),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(&error, ExitCode::FAILURE),
    };
    let mut all_well = true;
    for used in uses {
        let verdict = runtime.block_on(judge(&client, &used, registers));
        all_well &= matches!(verdict.state, State::Ok | State::Registered);
        print(&config.file, &used, &verdict, options.json);
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every subject, once.
fn uses(config: &Config) -> Vec<Use> {
    let mut uses: BTreeMap<(usize, String), Use> = BTreeMap::new();
    for source in &config.sources {
        for (_, target) in source.topics.entries() {
            let Target::Topic(pattern, Some(schema)) = target else { continue };
            let subject = subject(&pattern, &schema);
            let known = uses.values().any(|other| other.subject.is_ok() && other.subject == subject);
            if !known {
                uses.insert((schema.at.line, schema.path.clone()), Use { subject, schema });
            }
        }
    }
    uses.into_values().collect()
}

fn subject(pattern: &Pattern, schema: &RouteSchema) -> Result<String, String> {
    let any_topic = || TopicName::parse("any");
    match (pattern, schema.strategy) {
        (Pattern::Fixed(topic), _) => Ok(schema.subject(topic)),
        (Pattern::PerType(_), SubjectNameStrategy::RecordName) => Ok(schema.subject(&any_topic()?)),
        (Pattern::PerType(template), _) => Err(format!(
            "its subject has the event type in it ({template}); with `subject: record_name` all types share one"
        )),
    }
}

async fn judge(client: &Client, used: &Use, registers: bool) -> Verdict {
    let subject = match &used.subject {
        Ok(subject) => subject,
        Err(why) => return Verdict::wrong(why.clone()),
    };
    match &used.schema.file {
        None => what_is_there(client, subject, &used.schema).await,
        Some(file) => match std::fs::read_to_string(file) {
            Err(error) => Verdict::wrong(format!("the file {file} can't be read: {error}")),
            Ok(text) => of_file(client, subject, &used.schema, (file, &text), registers).await,
        },
    }
}

async fn what_is_there(client: &Client, subject: &str, schema: &RouteSchema) -> Verdict {
    let found = match client.find(subject, schema.version).await {
        Ok(found) => found,
        Err(error) => return Verdict::wrong(error.to_string()),
    };
    if found.kind != Some(schema.kind) {
        return Verdict::wrong(format!("what is registered is no {} schema", schema.kind));
    }
    let compiled = Compiled::compile(schema.kind, &found.text, &found.references, schema.record.as_deref());
    match compiled {
        Ok(_) => Verdict {
            state: State::Ok,
            id: Some(found.id),
            version: found.version,
            text: "registered, and can be used".to_owned(),
        },
        Err(error) => Verdict::wrong(error.to_string()),
    }
}

async fn of_file(
    client: &Client,
    subject: &str,
    schema: &RouteSchema,
    (file, text): (&str, &str),
    registers: bool,
) -> Verdict {
    if let Err(error) = Compiled::compile(schema.kind, text, &[], schema.record.as_deref()) {
        return Verdict::wrong(format!("{file}: {error}"));
    }
    match client.look_up(subject, schema.kind, text).await {
        Err(error) => return Verdict::wrong(error.to_string()),
        Ok(Some(registered)) => return in_use(client, subject, schema, file, registered).await,
        Ok(None) => {}
    }
    match client.is_compatible(subject, schema.kind, text).await {
        Err(error) => return Verdict::wrong(error.to_string()),
        Ok(Err(why)) => {
            let why = if why.is_empty() { "the registry does not say why".to_owned() } else { why };
            return Verdict::wrong(format!("{file} is not compatible with the latest version: {why}"));
        }
        Ok(Ok(())) if !registers => {
            let text =
                format!("{file} is not registered, and could be: `hookbridge schemas register` does it");
            return Verdict { state: State::New, id: None, version: None, text };
        }
        Ok(Ok(())) => {}
    }
    match client.register(subject, schema.kind, text).await {
        Err(error) => Verdict::wrong(format!("{file}: {error}")),
        Ok(id) => {
            let text = format!("{file} is registered now");
            Verdict { state: State::Registered, id: Some(id), version: None, text }
        }
    }
}

/// Whether what is registered is what the route uses, and not an earlier version, say.
async fn in_use(
    client: &Client,
    subject: &str,
    schema: &RouteSchema,
    file: &str,
    (id, version): (u32, u32),
) -> Verdict {
    let used = match client.find(subject, schema.version).await {
        Ok(found) => found.version,
        Err(error) => return Verdict::wrong(error.to_string()),
    };
    let (state, text) = match used {
        Some(used) if used != version => {
            let which = if schema.version.is_some() {
                "the route uses"
            } else {
                "the latest, which the route uses, is"
            };
            (State::Wrong, format!("{file} is registered as version {version}, and {which} version {used}"))
        }
        _ => (State::Ok, format!("{file} is registered")),
    };
    Verdict { state, id: Some(id), version: Some(version), text }
}

fn print(file: &str, used: &Use, verdict: &Verdict, as_json: bool) {
    let RouteSchema { at, path, kind, .. } = &*used.schema;
    let subject = used.subject.as_ref().ok();
    if as_json {
        let line: Value = json!({
            "state": verdict.state.name(), "subject": subject, "format": kind, "id": verdict.id,
            "version": verdict.version, "text": verdict.text, "file": file, "line": at.line, "path": path,
        });
        return say(line);
    }
    let subject = subject.map_or("?", String::as_str);
    let mut numbers = String::new();
    for (name, number) in [("id", verdict.id), ("version", verdict.version)] {
        if let Some(number) = number {
            numbers.push_str(&format!(", {name} {number}"));
        }
    }
    say(format_args!("{:<10} {subject} ({kind}{numbers}): {}", verdict.state.name(), verdict.text));
    say(format_args!("           {file}:{}:{}: {path}", at.line, at.column));
}
