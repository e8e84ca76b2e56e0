//! The rules: from the shape of a configuration to values that can't be wrong.
//!
//! Takes [`RawConfig`] and the document it came from. Gives [`Config`], or every fault at once. Rules between
//! fields stand here, in [`super::source`] and in [`super::provider`], and nowhere else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::checker::Checker;
use super::diagnostic::{Diagnostics, Path};
use super::document::Document;
use super::raw::{RawConfig, RawProperty, RawServer};
use super::source::{self, Common};
use super::{Config, Invalid, Server, Source, registry, secret, standby, topics, unproven};
use crate::kafka::properties::{self, Properties, SECRET_PROPERTIES};
use crate::topic::TopicName;

/// Longer than the 60 s for which nginx, its ingress controller and AWS's load balancers keep a connection.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
const MAX_IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
/// Within it kube-proxies and most load balancers have noticed, and with the grace it fits into a pod's 30 s.
const DEFAULT_SHUTDOWN_DELAY: Duration = Duration::from_secs(3);
/// Longer than any load balancer is known to take.
const MAX_SHUTDOWN_DELAY: Duration = Duration::from_secs(600);
/// Kubernetes gives a pod 30 s by default; this leaves it time to go.
const DEFAULT_SHUTDOWN_GRACE: Duration = Duration::from_secs(25);
/// The head of a webhook comes in one packet.
const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Some 10 KiB each.
const DEFAULT_MAX_CONNECTIONS: usize = 10_000;
/// What a broker that answers in 100 ms takes at 80,000 events a second.
const DEFAULT_MAX_REQUESTS: usize = 8192;
/// Fits a pod of 512 MiB, twice (here and in librdkafka's queue).
const DEFAULT_MAX_BYTES: usize = 128 * 1024 * 1024;
/// What librdkafka's queue, which is twice as large, can hold.
const MAX_MAX_BYTES: usize = 1024 * 1024 * 1024;
/// As many as librdkafka's queue, which is twice as large, can hold with room for their headers.
const MAX_MAX_REQUESTS: usize = 500_000;

/// Reads and checks `text`. `env` looks up environment variables.
///
/// # Errors
/// Every fault, in the order of the file.
pub fn parse(file: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Invalid> {
    let mut faults = Diagnostics::default();
    let mut files = Vec::new();
    let config = Document::parse(text, &mut faults).and_then(|mut document| {
        files = document.files();
        let raw: RawConfig = document.read(&mut faults);
        let mut check = Checker::new(&document, &mut faults);
        config(&mut check, file, raw, env)
    });
    let failed = faults.has_errors();
    let (errors, warnings) = faults.into_sorted();
    match config {
        Some(mut config) if !failed => {
            config.warnings = warnings;
            config.files = files;
            Ok(config)
        }
        _ => Err(Invalid { file: file.to_owned(), errors, files }),
    }
}

fn config(
    check: &mut Checker<'_>,
    file: &str,
    raw: RawConfig,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Config> {
    let root = Path::root();
    let server = server(check, &raw.server);
    let admin_listen =
        address(check, &root.key("admin").key("listen"), raw.admin.listen.as_deref(), "0.0.0.0:9090");
    if let (Some(server), Some(admin)) = (&server, admin_listen)
        && server.listen == admin
        && admin.port() != 0
    {
        let hint = "health and metrics need a port of their own, such as 9090".to_owned();
        check.error_with(
            &root.key("admin").key("listen"),
            (format!("{admin} is the address for webhooks already"), hint),
        );
    }
    let kafka = kafka(check, &root.key("kafka"), &raw.kafka.properties, env);
    let standby = standby::section(check, raw.kafka.standby.as_ref(), &kafka, env);
    let dead_letter = dead_letter(check, raw.dead_letter.as_deref());
    let body_timeout = raw.server.body_timeout.map(|duration| duration.0);
    let quarantine = unproven::section(check, raw.quarantine.as_ref());
    let topics = topics::section(check, &raw.topics);
    let schema_registry = registry::section(check, raw.schema_registry.as_ref(), env);
    let registry = schema_registry.as_ref();
    let common = Common {
        server: server.as_ref(),
        kafka: &kafka,
        dead_letter,
        body_timeout,
        quarantine,
        registry,
        env,
    };
    let (sources, disabled) = sources(check, &raw, &common);
    unproven::topics_apart(check, &sources);
    topics::unused(check, &topics, &sources);
    unproven::unused_section(check, raw.quarantine.as_ref(), &sources);
    if sources.is_empty() && !check.has_error_below(&root.key("sources")) {
        check.missing(
            &root,
            "sources",
            "name at least one sender of webhooks; config/minimal.yaml shows how",
        );
    }
    let dead_letter = common.dead_letter;
    Some(Config {
        file: file.to_owned(),
        server: server?,
        admin_listen: admin_listen?,
        kafka,
        kafka_at: check.position(&root.key("kafka")),
        standby,
        dead_letter: dead_letter?,
        schema_registry,
        topics,
        sources,
        disabled,
        warnings: Vec::new(),
        files: Vec::new(),
    })
}

/// Those that are served, and the names of those that are not.
fn sources(check: &mut Checker<'_>, raw: &RawConfig, common: &Common<'_>) -> (Vec<Arc<Source>>, Vec<String>) {
    let at = Path::root().key("sources");
    let (mut sources, mut disabled) = (Vec::new(), Vec::new());
    let mut paths: HashMap<String, String> = HashMap::new();
    for (name, raw) in &raw.sources {
        let path = at.key(name);
        if raw.enabled == Some(false) {
            disabled.push(name.clone());
            continue;
        }
        // Compared also where the source has other faults: all of them are reported.
        let served_at = source::served_at(check, &path, name, raw.path.as_deref());
        if let Some(served_at) = &served_at
            && let Some(other) = paths.insert(served_at.clone(), name.clone())
        {
            let message = format!("the source `{other}` is served at `{served_at}` too");
            check.error_with(&path.key("path"), (message, "give one of them another `path`".to_owned()));
        }
        sources.extend(source::source(check, &path, name, raw, served_at, common).map(Arc::new));
    }
    (sources, disabled)
}

fn dead_letter(check: &mut Checker<'_>, text: Option<&str>) -> Option<TopicName> {
    let name = TopicName::parse(text.unwrap_or("webhooks.dead-letter"));
    name.map_err(|why| check.error(&Path::root().key("dead_letter"), why)).ok()
}

fn address(check: &mut Checker<'_>, path: &Path, text: Option<&str>, default: &str) -> Option<SocketAddr> {
    let text = text.unwrap_or(default);
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("`{text}` is no address and port");
        check.error_with(path, (message, "write `0.0.0.0:8080`, or `[::]:8080` for IPv6".to_owned()));
    }
    address
}

fn server(check: &mut Checker<'_>, raw: &RawServer) -> Option<Server> {
    let path = Path::root().key("server");
    let listen = address(check, &path.key("listen"), raw.listen.as_deref(), "0.0.0.0:8080");
    let server = Server {
        listen: listen?,
        max_connections: raw.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS),
        max_in_flight_requests: raw.max_in_flight_requests.unwrap_or(DEFAULT_MAX_REQUESTS),
        max_in_flight_bytes: raw.max_in_flight_bytes.map_or(DEFAULT_MAX_BYTES, |bytes| bytes.0),
        header_timeout: raw.header_timeout.map_or(DEFAULT_HEADER_TIMEOUT, |duration| duration.0),
        idle_timeout: raw.idle_timeout.map_or(DEFAULT_IDLE_TIMEOUT, |duration| duration.0),
        shutdown_delay: raw.shutdown_delay.map_or(DEFAULT_SHUTDOWN_DELAY, |duration| duration.0),
        shutdown_grace: raw.shutdown_grace.map_or(DEFAULT_SHUTDOWN_GRACE, |duration| duration.0),
    };
    if server.max_in_flight_requests > MAX_MAX_REQUESTS {
        check.error(&path.key("max_in_flight_requests"), format!("must be {MAX_MAX_REQUESTS} at most"));
    }
    if server.max_in_flight_bytes > MAX_MAX_BYTES {
        check.error(&path.key("max_in_flight_bytes"), "must be 1GiB at most");
    }
    if server.idle_timeout > MAX_IDLE_TIMEOUT {
        check.error(&path.key("idle_timeout"), "must be 1h at most");
    }
    if server.shutdown_delay > MAX_SHUTDOWN_DELAY {
        check.error(&path.key("shutdown_delay"), "must be 10m at most");
    }
    for (key, zero) in [
        ("max_connections", server.max_connections == 0),
        ("max_in_flight_requests", server.max_in_flight_requests == 0),
        ("max_in_flight_bytes", server.max_in_flight_bytes == 0),
        ("header_timeout", server.header_timeout.is_zero()),
        ("idle_timeout", server.idle_timeout.is_zero()),
        ("body_timeout", raw.body_timeout.is_some_and(|duration| duration.0.is_zero())),
    ] {
        if zero {
            check.error(&path.key(key), "must be more than nothing");
        }
    }
    Some(server)
}

/// The properties of one cluster, which stand at `path`.
pub(super) fn kafka(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &std::collections::BTreeMap<String, RawProperty>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Properties {
    let mut kafka = Properties::default();
    for (name, property) in raw {
        let path = path.key(name);
        let (value, is_secret) = match property {
            RawProperty::Value(_) if SECRET_PROPERTIES.contains(&name.as_str()) => {
                let hint = format!("write `{name}: {{ env: NAME }}` or `{{ file: PATH }}`");
                check.error_with(&path, ("a secret must not stand in the configuration".to_owned(), hint));
                continue;
            }
            RawProperty::Value(value) => (value.clone(), false),
            RawProperty::Secret(reference) => match secret::read(reference, env) {
                Ok(secret) => (secret.to_string(), true),
                Err(fault) => {
                    check.error_with(&path, fault);
                    continue;
                }
            },
        };
        match properties::check(name, &value) {
            Ok(()) if kafka.insert(name, value) => {}
            Ok(()) => {
                let other = properties::canonical(name);
                let message = format!("`{name}` and `{other}` are one property, given twice");
                check.error_with(
                    &path,
                    (message, format!("leave out one of them; `{other}` is the usual name")),
                );
            }
            // The message may quote the value.
            Err(_) if is_secret => {
                let message = format!("the value that is referred to can't be used for `{name}`");
                check.error_with(
                    &path,
                    (message, "only passwords and keys need to be referred to".to_owned()),
                );
            }
            Err(fault) => check.error_with(&path, fault),
        }
    }
    if kafka.get("bootstrap.servers").is_none_or(|servers| servers.trim().is_empty()) {
        check.missing(path, "bootstrap.servers", "the brokers, such as `kafka:9092`");
    }
    unused_security(check, path, &kafka);
    kafka
}

/// Passwords and certificates that librdkafka takes and leaves unused, since the protocol is another.
fn unused_security(check: &mut Checker<'_>, path: &Path, kafka: &Properties) {
    let protocol = kafka.get("security.protocol").unwrap_or("plaintext").trim().to_ascii_uppercase();
    for (prefix, is_used, hint) in [
        ("sasl.", protocol.starts_with("SASL"), "write `security.protocol: SASL_SSL`, or take them out"),
        ("ssl.", protocol.ends_with("SSL"), "write `security.protocol: SSL` or `SASL_SSL`, or take them out"),
    ] {
        let unused: Vec<&str> = kafka.names().filter(|name| name.starts_with(prefix)).collect();
        if !unused.is_empty() && !is_used {
            let message = format!("the protocol is {protocol}, which does not use {}", unused.join(", "));
            check.warn(path, message, hint);
        }
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "security_tests.rs"]
mod security_tests;
