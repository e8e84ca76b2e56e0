//! `hookbridge check`: is this configuration right, and what is understood of it?

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;

use super::{ConfigFile, or_say_why, say, warn};
use crate::config::units::{show_bytes, show_duration};
use crate::config::{self, Authentication, CloudEventsMode, Config, KeyFrom, Source, Unmapped};
use crate::expression::Expression;
use crate::handshake::Asked;
use crate::pipeline::extract::UNNAMED_TYPE;
use crate::preflight::{self, Needs, Severity};
use crate::topic::{Pattern, Target};

/// Checks a configuration file.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 it is right; 1 (--live) something that it needs is not there; 64 it is wrong."
)]
pub struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Ask the cluster, the schema registry and the certificates too: is everything there that the file needs, and may
    /// the service write? Nothing is written to find out.
    #[arg(long)]
    live: bool,
    /// With --live: print what is wrong as one JSON object.
    #[arg(long, requires = "live")]
    json: bool,
}

/// Everything that is wrong out there.
fn live(config: &Config, as_json: bool) -> ExitCode {
    let faults = preflight::run(&Needs::of(config), true);
    if as_json {
        let faults: Vec<_> = faults.iter().map(preflight::Fault::to_json).collect();
        say(serde_json::json!({ "faults": faults }));
    } else if faults.is_empty() {
        say("\neverything that it needs is there");
    } else {
        say("");
        faults.iter().for_each(|fault| say(fault.describe(&config.file)));
    }
    match faults.iter().any(|fault| fault.severity == Severity::Error) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

pub(super) fn run(check: &Check) -> ExitCode {
    let config = match or_say_why(config::load(&check.file.config), "") {
        Ok(config) => config,
        Err(code) => return code,
    };
    warn(&config.file, &config.warnings);
    if !check.json {
        say(describe(&config).trim_end());
    }
    if check.live { live(&config, check.json) } else { ExitCode::SUCCESS }
}

/// What is understood of a configuration. Never a secret, nor the value of a property that may be one.
fn describe(config: &Config) -> String {
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = write_config(&mut out, config);
    out
}

fn write_config(out: &mut String, config: &Config) -> std::fmt::Result {
    let server = &config.server;
    writeln!(out, "{} is valid.\n", config.file)?;
    writeln!(out, "webhooks            {}", server.listen)?;
    writeln!(out, "health and metrics  {}", config.admin_listen)?;
    let brokers = config.kafka.get("bootstrap.servers").or_else(|| config.kafka.get("metadata.broker.list"));
    writeln!(out, "kafka               {}", brokers.unwrap_or_default())?;
    let others: Vec<&str> = config.kafka.names().filter(|name| *name != "bootstrap.servers").collect();
    if !others.is_empty() {
        writeln!(out, "                    also set: {}", others.join(", "))?;
    }
    if let Some(standby) = &config.standby {
        writeln!(out, "{standby}")?;
    }
    if let Some(registry) = &config.schema_registry {
        writeln!(out, "schema registry     {}", registry.urls.join(", "))?;
    }
    writeln!(out, "dead letters        {}", config.dead_letter)?;
    writeln!(
        out,
        "limits              {} requests and {} of bodies under way, {} connections",
        server.max_in_flight_requests,
        show_bytes(server.max_in_flight_bytes),
        server.max_connections
    )?;
    for source in &config.sources {
        write_source(out, source)?;
    }
    for name in &config.disabled {
        writeln!(out, "\nsource {name}: disabled")?;
    }
    Ok(())
}

fn write_source(out: &mut String, source: &Source) -> std::fmt::Result {
    let provider = &source.provider;
    writeln!(out, "\nsource {}: POST {}", source.name, source.path)?;
    match provider.title == provider.name {
        true => writeln!(out, "  provider    {}", provider.name)?,
        false => writeln!(out, "  provider    {} ({})", provider.name, provider.title)?,
    }
    match &source.authentication {
        Authentication::DangerUnsigned => {
            writeln!(out, "  verifies    NOTHING: danger_accept_unsigned is true")?
        }
        Authentication::Signed { scheme, keys } => {
            let secrets = if source.fetched_keys.is_some() {
                "the provider's key, which is fetched".to_owned()
            } else {
                match keys.len() {
                    0 => "a secret that is not there yet (nothing is accepted)".to_owned(),
                    1 => "1 secret".to_owned(),
                    several => format!("any of {several} secrets"),
                }
            };
            write!(out, "  verifies    {scheme}, by {secrets}")?;
            match &scheme.timestamp {
                Some(rule) => writeln!(out, ", within {} of the clock", show_duration(rule.tolerance))?,
                None => writeln!(out, "; no timestamp is signed")?,
            }
        }
    }
    write_unproven(out, source)?;
    write_keys(out, &source.authentication, SystemTime::now())?;
    write_handshakes(out, source)?;
    let key = match source.key {
        KeyFrom::MessageId => places(&provider.message_id, "SHA-256 of the body"),
        KeyFrom::BodySha256 => "SHA-256 of the body".to_owned(),
    };
    let namespace = source.namespace.as_ref().map(|namespace| format!("{namespace}:")).unwrap_or_default();
    writeln!(out, "  key         {namespace}{key}")?;
    let unnamed = format!("`{UNNAMED_TYPE}`");
    match provider.event_type.is_empty() {
        true => writeln!(out, "  event type  always {unnamed}")?,
        false => writeln!(out, "  event type  {}", places(&provider.event_type, "dead letter"))?,
    }
    for (what, at, otherwise) in
        [("event time", &provider.event_time, "the time of receipt"), ("subject", &provider.subject, "none")]
    {
        if !at.is_empty() {
            writeln!(out, "  {what:<10}  {}", places(at, otherwise))?;
        }
    }
    if source.cloudevents == CloudEventsMode::Structured {
        writeln!(out, "  record      one CloudEvent in JSON (structured mode)")?;
    } else if source.decompress {
        writeln!(out, "  record      without the body's content-encoding")?;
    }
    if let Some(split) = &source.split {
        writeln!(
            out,
            "  splits      the list at {split}: an event for each element; an ID of the whole request gets its index"
        )?;
    }
    write_times(out, source)?;
    write_topics(out, source)
}

/// How soon it answers, and how often it should be asked.
fn write_times(out: &mut String, source: &Source) -> std::fmt::Result {
    writeln!(
        out,
        "  answers     within {}, bodies up to {}",
        show_duration(source.respond_within),
        show_bytes(source.max_body_bytes)
    )?;
    if let Some(every) = source.expected_every {
        writeln!(
            out,
            "  expected    at least every {}; metrics tell if it is silent for longer",
            show_duration(every)
        )?;
    }
    Ok(())
}

fn write_topics(out: &mut String, source: &Source) -> std::fmt::Result {
    for (pattern, target) in source.topics.entries() {
        let (target, schema) = match target {
            Target::Topic(Pattern::Fixed(topic), schema) => (topic.to_string(), schema),
            Target::Topic(Pattern::PerType(template), schema) => (template.to_string(), schema),
            Target::Drop => ("(dropped)".to_owned(), None),
        };
        let schema = schema.map(|schema| format!(" ({schema})")).unwrap_or_default();
        writeln!(out, "  topics      {pattern} -> {target}{schema}")?;
    }
    if !source.topics.entries().iter().any(|(pattern, _)| pattern == "*") {
        let target = match source.unmapped {
            Unmapped::Topic => source.default_topic.to_string(),
            Unmapped::Drop => "(dropped)".to_owned(),
            Unmapped::Reject => "(answered 400)".to_owned(),
        };
        writeln!(out, "  topics      anything else -> {target}")?;
    }
    Ok(())
}

/// What becomes of requests whose signature fails, where they are not only refused.
fn write_unproven(out: &mut String, source: &Source) -> std::fmt::Result {
    if let Some(report_only) = &source.report_only {
        let topic = &report_only.topic;
        writeln!(out, "  unverified  ACKNOWLEDGED and published to {topic}: verification is report_only")?;
    }
    if let Some(quarantine) = &source.quarantine {
        writeln!(
            out,
            "  quarantine  refused requests are kept in {}: bodies up to {}, {} a second, {} of all sources",
            quarantine.topic,
            show_bytes(quarantine.allowance.max_body_bytes()),
            quarantine.max_per_second,
            quarantine.max_per_second_total
        )?;
    }
    Ok(())
}

/// The names of the secrets, and when they are tried.
fn write_keys(out: &mut String, authentication: &Authentication, now: SystemTime) -> std::fmt::Result {
    let Authentication::Signed { keys, .. } = authentication else { return Ok(()) };
    for key in keys {
        let state = match (key.is_valid_at(now), key.window.is_over(now)) {
            (true, _) => "",
            (false, true) => " (not any more)",
            (false, false) => " (not yet)",
        };
        writeln!(out, "  secret      {}, tried {}{state}", key.name, key.window)?;
    }
    Ok(())
}

fn write_handshakes(out: &mut String, source: &Source) -> std::fmt::Result {
    let asked = Asked::kinds(source.handshakes.list());
    if !asked.is_empty() {
        writeln!(out, "  handshakes  {}", asked.join("; "))?;
    }
    match (source.handshakes.offer(), source.handshakes.shows_offered_secret()) {
        (Some(_), true) => writeln!(out, "  secret      SHOWN on standard output when a request brings one"),
        (Some(_), false) => writeln!(
            out,
            "  secret      the provider's first request brings it; show_offered_secret: true shows it"
        ),
        (None, _) => Ok(()),
    }
}

fn places(places: &[Expression], last: &str) -> String {
    let mut texts: Vec<String> = places.iter().map(Expression::to_string).collect();
    texts.push(last.to_owned());
    texts.join(", else ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::validate;

    #[test]
    fn says_how_many_secrets_there_are() {
        for (source, said) in [
            ("show_offered_secret: true", ", by a secret that is not there yet (nothing is accepted); no"),
            ("secrets: [{ env: A }]", ", by 1 secret; no"),
            ("secrets: [{ env: A }, { env: B }]", ", by any of 2 secrets; no"),
        ] {
            let text = format!(
                "kafka: {{ bootstrap.servers: x }}\nsources: {{ s: {{ provider: asana, {source} }} }}\n"
            );
            let env = |name: &str| Some(format!("a secret of sufficient length called {name}"));
            let config = validate::parse("a.yaml", &text, &env).unwrap();
            assert!(describe(&config).contains(said), "{}", describe(&config));
        }
    }
}
