//! The rules: from the shape of a configuration to values that can't be wrong.
//!
//! Takes [`RawConfig`] and the document it came from. Gives [`Config`], or every fault at once. Rules between
//! fields stand here and nowhere else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::checker::Checker;
use super::diagnostic::{Diagnostics, Path, did_you_mean};
use super::document::Document;
use super::provider::{self, ProviderFile};
use super::raw::{RawConfig, RawProperty, RawProviderRef, RawServer, RawSource, RawTopic, Unmapped};
use super::{Authentication, Config, Invalid, Server, Source, preset, secret};
use crate::expression::Expression;
use crate::kafka::properties::{self, Properties, SECRET_PROPERTIES};
use crate::signature::Key;
use crate::topic::{Pattern, Target, TopicMap, TopicName};

/// Where nothing else is known of a provider: the strictest common one waits 5 s.
const DEFAULT_RESPOND_WITHIN: Duration = Duration::from_millis(4500);
/// Long enough for a slow link, and a client that drips octets is cut all the same.
const MAX_DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// The limit that Svix and Standard Webhooks' own guide keep far below, and that Kafka takes by default.
const DEFAULT_MAX_BODY_BYTES: usize = 1024 * 1024;
/// No record is larger: librdkafka's own limit is 1 GB, and one record of it would fill the budget.
const MAX_MAX_BODY_BYTES: usize = 256 * 1024 * 1024;
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
/// More topics than anybody looks at; each costs the brokers memory.
const DEFAULT_MAX_TOPICS: usize = 1000;

/// Reads and checks `text`. `env` looks up environment variables.
///
/// # Errors
/// Every fault, in the order of the file.
pub fn parse(file: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Invalid> {
    let mut faults = Diagnostics::default();
    let config = Document::parse(text, &mut faults).and_then(|mut document| {
        let raw: RawConfig = document.read(&mut faults);
        let mut check = Checker::new(&document, &mut faults);
        config(&mut check, file, raw, env)
    });
    let failed = faults.has_errors();
    let (errors, warnings) = faults.into_sorted();
    match config {
        Some(mut config) if !failed => {
            config.warnings = warnings;
            Ok(config)
        }
        _ => Err(Invalid { file: file.to_owned(), errors }),
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
    let kafka = kafka(check, &root.key("kafka"), &raw.kafka, env);
    let dead_letter_text = raw.dead_letter.as_deref().unwrap_or("webhooks.dead-letter");
    let dead_letter = match TopicName::parse(dead_letter_text) {
        Ok(topic) => Some(topic),
        Err(why) => {
            check.error(&root.key("dead_letter"), why);
            None
        }
    };
    let body_timeout = raw.server.body_timeout.map(|duration| duration.0);
    let common = Common { server: server.as_ref(), kafka: &kafka, dead_letter, body_timeout, env };
    let at = root.key("sources");
    let (mut sources, mut disabled) = (Vec::new(), Vec::new());
    let mut paths: HashMap<String, String> = HashMap::new();
    for (name, raw) in &raw.sources {
        let path = at.key(name);
        if raw.enabled == Some(false) {
            disabled.push(name.clone());
            continue;
        }
        // Compared also where the source has other faults: all of them are reported.
        let served_at = served_at(check, &path, name, raw.path.as_deref());
        if let Some(served_at) = &served_at
            && let Some(other) = paths.insert(served_at.clone(), name.clone())
        {
            let message = format!("the source `{other}` is served at `{served_at}` too");
            check.error(&path.key("path"), message);
        }
        sources.extend(source(check, &path, name, raw, served_at, &common).map(Arc::new));
    }
    if sources.is_empty() && !check.has_error_below(&at) {
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
        dead_letter: dead_letter?,
        sources,
        disabled,
        warnings: Vec::new(),
    })
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
        shutdown_grace: raw.shutdown_grace.map_or(DEFAULT_SHUTDOWN_GRACE, |duration| duration.0),
    };
    for (key, zero) in [
        ("max_connections", server.max_connections == 0),
        ("max_in_flight_requests", server.max_in_flight_requests == 0),
        ("max_in_flight_bytes", server.max_in_flight_bytes == 0),
        ("header_timeout", server.header_timeout.is_zero()),
        ("body_timeout", raw.body_timeout.is_some_and(|duration| duration.0.is_zero())),
    ] {
        if zero {
            check.error(&path.key(key), "must be more than nothing");
        }
    }
    Some(server)
}

fn kafka(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &std::collections::BTreeMap<String, RawProperty>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Properties {
    let mut kafka = Properties::default();
    for (name, property) in raw {
        let path = path.key(name);
        let value = match property {
            RawProperty::Value(_) if SECRET_PROPERTIES.contains(&name.as_str()) => {
                let hint = format!("write `{name}: {{ env: NAME }}` or `{{ file: PATH }}`");
                check.error_with(&path, ("a secret must not stand in the configuration".to_owned(), hint));
                continue;
            }
            RawProperty::Value(value) => value.clone(),
            RawProperty::Secret(reference) => match secret::read(reference, env) {
                Ok(secret) => secret.to_string(),
                Err(fault) => {
                    check.error_with(&path, fault);
                    continue;
                }
            },
        };
        match properties::check(name, &value) {
            Ok(()) => kafka.insert(name, value),
            Err(fault) => check.error_with(&path, fault),
        }
    }
    let servers = kafka.get("bootstrap.servers").or_else(|| kafka.get("metadata.broker.list"));
    if servers.is_none_or(|servers| servers.trim().is_empty()) {
        check.missing(path, "bootstrap.servers", "the brokers, such as `kafka:9092`");
    }
    kafka
}

/// What the sources have in common.
struct Common<'a> {
    server: Option<&'a Server>,
    kafka: &'a Properties,
    dead_letter: Option<TopicName>,
    body_timeout: Option<Duration>,
    env: &'a dyn Fn(&str) -> Option<String>,
}

fn source(
    check: &mut Checker<'_>,
    path: &Path,
    name: &str,
    raw: &RawSource,
    served_at: Option<String>,
    common: &Common<'_>,
) -> Option<Source> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
        check.error(path, "a source's name has 1 to 64 letters, digits, `_` and `-`");
        return None;
    }
    let unsigned = raw.danger_accept_unsigned == Some(true);
    let provider = provider_of(check, path, raw.provider.as_ref(), !unsigned);
    let keys = keys(check, path, raw, provider.as_ref(), common.env);
    let topics = topics(check, path, name, raw);
    let default_topic = TopicName::parse(&format!("webhooks.{name}")).ok();
    let max_body_bytes = raw.max_body_bytes.map_or(DEFAULT_MAX_BODY_BYTES, |bytes| bytes.0);
    let largest =
        common.server.map_or(MAX_MAX_BODY_BYTES, |server| server.max_in_flight_bytes.min(MAX_MAX_BODY_BYTES));
    if max_body_bytes == 0 || max_body_bytes > largest {
        let message =
            format!("must be from 1 to {largest} bytes, the least of server.max_in_flight_bytes and 256MiB");
        check.error(&path.key("max_body_bytes"), message);
    }
    if raw.namespace.as_deref().is_some_and(|namespace| namespace.is_empty() || namespace.len() > 64) {
        check.error(&path.key("namespace"), "must have 1 to 64 characters");
    }
    let file = provider?;
    let asked = raw.respond_within.map(|duration| duration.0).or(file.respond_within);
    let respond_within = asked.unwrap_or(DEFAULT_RESPOND_WITHIN);
    let body_timeout = common.body_timeout.unwrap_or((respond_within * 4 / 5).min(MAX_DEFAULT_BODY_TIMEOUT));
    relations(check, path, respond_within, body_timeout, common);
    let authentication = match (file.scheme, unsigned) {
        (_, true) => Authentication::DangerUnsigned,
        (Some(mut scheme), false) => {
            tolerance(check, path, raw, &mut scheme);
            Authentication::Signed { scheme, keys: keys? }
        }
        (None, false) => return None,
    };
    let source = Source {
        name: name.into(),
        path: served_at?,
        provider: file.provider,
        authentication,
        topics: topics?,
        default_topic: default_topic?,
        dead_letter: common.dead_letter.clone()?,
        unmapped: raw.unmapped.unwrap_or_default(),
        key: raw.key.unwrap_or_default(),
        namespace: raw.namespace.clone(),
        max_body_bytes,
        respond_within,
        body_timeout,
    };
    warn_of(check, path, &source);
    Some(source)
}

fn served_at(check: &mut Checker<'_>, path: &Path, name: &str, given: Option<&str>) -> Option<String> {
    let Some(given) = given else { return Some(format!("/webhooks/{name}")) };
    // What RFC 3986 allows in a path, without the escapes that would give one path two spellings.
    let legal = |c: char| c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@".contains(c);
    if !given.starts_with('/') || !given.chars().all(legal) {
        let hint = "such as `/webhooks/billing`: letters, digits and `/-._~!$&'()*+,;=:@`".to_owned();
        check.error_with(&path.key("path"), (format!("`{given}` can't be a path"), hint));
        return None;
    }
    Some(given.to_owned())
}

fn provider_of(
    check: &mut Checker<'_>,
    path: &Path,
    raw: Option<&RawProviderRef>,
    signed: bool,
) -> Option<ProviderFile> {
    let at = path.key("provider");
    let names: Vec<&str> = preset::names().collect();
    let (name, complete) = match raw {
        None => {
            let hint = format!("a preset ({}), or the provider's scheme", names.join(", "));
            check.missing(path, "provider", &hint);
            return None;
        }
        Some(RawProviderRef::Preset(name)) => (name.as_str(), preset::find(name)),
        Some(RawProviderRef::Inline(provider)) => ("custom", preset::complete(provider.as_ref().clone())),
    };
    match complete {
        Ok(complete) => provider::check(check, &at, name, &complete, signed),
        Err(why) => {
            let wanted = match raw {
                Some(RawProviderRef::Inline(provider)) => provider.extends.as_deref().unwrap_or(name),
                _ => name,
            };
            check.error_with(&at, (why, did_you_mean(wanted, &names)));
            None
        }
    }
}

/// The preset called `name`, checked, for those who sign rather than verify.
///
/// # Errors
/// There is no such preset.
pub(crate) fn provider_named(name: &str) -> Result<ProviderFile, String> {
    let names: Vec<&str> = preset::names().collect();
    let raw = preset::find(name).map_err(|why| format!("{why}: {}", did_you_mean(name, &names)))?;
    let mut faults = Diagnostics::default();
    let empty = Document::parse("", &mut faults).ok_or("an empty document can't be read")?;
    let mut check = Checker::new(&empty, &mut faults);
    let checked = provider::check(&mut check, &Path::root(), name, &raw, true);
    checked.ok_or_else(|| format!("the preset `{name}` is broken: {:?}", faults.into_sorted().0))
}

fn keys(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
    provider: Option<&ProviderFile>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<Key>> {
    let at = path.key("secrets");
    let references = raw.secrets.as_deref().unwrap_or_default();
    match (references.is_empty(), raw.danger_accept_unsigned == Some(true)) {
        (true, true) => return Some(Vec::new()),
        (true, false) if raw.secrets.is_some() => {
            check.error(&at, "the list is empty; without a secret nothing can be verified");
            return None;
        }
        (true, false) => {
            check.missing(
                path,
                "secrets",
                "write `secrets: [{ env: NAME }]`, or a file with `{ file: PATH }`",
            );
            return None;
        }
        (false, true) => {
            check.error(
                &at,
                "a source with `danger_accept_unsigned: true` has no use for secrets; take out one of them",
            );
            return None;
        }
        (false, false) => {}
    }
    let mut keys = Vec::new();
    for (index, reference) in references.iter().enumerate() {
        let at = at.index(index);
        match secret::read(reference, env) {
            Err(fault) => check.error_with(&at, fault),
            // Without a provider it is not known how the secret is written; that is a fault of its own.
            Ok(secret) => match provider.map(|provider| Key::parse(&secret, &provider.key_format)) {
                Some(Ok(key)) => keys.push(key),
                Some(Err(why)) => {
                    let hint = "copy it again from the provider, whole and with its prefix".to_owned();
                    check.error_with(&at, (why, hint));
                }
                None => {}
            },
        }
    }
    (keys.len() == references.len()).then_some(keys)
}

fn topics(check: &mut Checker<'_>, path: &Path, name: &str, raw: &RawSource) -> Option<TopicMap> {
    let at = path.key("topics");
    let mut entries = Vec::new();
    let mut faulty = false;
    for (event_type, topic) in raw.topics.iter().flatten() {
        let at = at.key(event_type);
        let target = match topic {
            _ if event_type.is_empty() => Err("an event type is never empty".to_owned()),
            RawTopic::Drop(true) => Ok(Target::Drop),
            RawTopic::Drop(false) => Err("`drop: false` says nothing; write the topic's name".to_owned()),
            RawTopic::Template(text) => Pattern::parse(text, name).map(Target::Topic),
        };
        match target {
            Ok(target) => entries.push((event_type.clone(), target)),
            Err(why) => {
                check.error(&at, why);
                faulty = true;
            }
        }
    }
    (!faulty).then(|| TopicMap::new(entries, raw.max_topics.unwrap_or(DEFAULT_MAX_TOPICS)))
}

/// Every deadline must leave room for the next larger one.
fn relations(
    check: &mut Checker<'_>,
    path: &Path,
    respond_within: Duration,
    body_timeout: Duration,
    common: &Common<'_>,
) {
    let at = path.key("respond_within");
    let shown = super::units::show_duration(respond_within);
    if respond_within.is_zero() {
        check.error(&at, "must be more than nothing");
    }
    if body_timeout >= respond_within {
        check.error(&at, format!("{shown} must be longer than server.body_timeout, {body_timeout:?}"));
    }
    if let Some(server) = common.server
        && respond_within >= server.shutdown_grace
    {
        let grace = super::units::show_duration(server.shutdown_grace);
        check.error(&at, format!("{shown} must be shorter than server.shutdown_grace, {grace}"));
    }
    let message_timeout = common.kafka.message_timeout();
    if respond_within >= message_timeout {
        let timeout = super::units::show_duration(message_timeout);
        check.error(&at, format!("{shown} must be shorter than kafka's message.timeout.ms, {timeout}"));
    }
}

fn tolerance(check: &mut Checker<'_>, path: &Path, raw: &RawSource, scheme: &mut crate::signature::Scheme) {
    match (raw.tolerance, &mut scheme.timestamp) {
        (Some(tolerance), Some(rule)) => rule.tolerance = tolerance.0,
        (Some(_), None) => check.error(
            &path.key("tolerance"),
            "the provider signs no timestamp, so there is nothing to tolerate",
        ),
        (None, _) => {}
    }
}

/// What is allowed and should be known.
fn warn_of(check: &mut Checker<'_>, path: &Path, source: &Source) {
    let Authentication::Signed { scheme, .. } = &source.authentication else {
        let message = "requests are accepted without any signature".to_owned();
        check.warn(
            &path.key("danger_accept_unsigned"),
            message,
            "whoever can reach the port can write to the topics",
        );
        return;
    };
    let unsigned = |places: &[Expression]| {
        places.iter().any(|place| match place {
            Expression::Header(names) => {
                !scheme.coverage().id || names.iter().any(|name| !scheme.id_headers.contains(name))
            }
            Expression::Json(_) => false,
        })
    };
    if unsigned(&source.provider.message_id) && source.key == super::KeyFrom::MessageId {
        let message = "the key comes from a header that the signature does not cover".to_owned();
        check.warn(path, message, "with `key: body_sha256` a replayed request keeps its key");
    }
    if unsigned(&source.provider.event_type) {
        let message = "the event type comes from a header that the signature does not cover".to_owned();
        check.warn(path, message, "a replayed request can be given another type, and so another topic");
    }
    let named: Vec<_> = source.topics.entries();
    if source.unmapped == Unmapped::Reject && !named.iter().any(|(pattern, _)| pattern == "*") {
        let message = "event types that `topics` does not name are answered 400".to_owned();
        check.warn(path, message, "many providers disable an endpoint that refuses events");
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
