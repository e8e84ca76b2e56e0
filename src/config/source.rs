//! The rules of one source.
//!
//! Takes a [`RawSource`] and what all sources have in common. Gives [`Source`], or every reason why it can't be
//! served.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::checker::Checker;
use super::diagnostic::Path;
use super::provider::{self, ProviderFile};
use super::raw::{RawProvider, RawProviderRef, RawSource, RawTopic, Unmapped};
use super::schema_route::{self, RawRoute};
use super::scheme::Binding;
use super::units::show_duration;
use super::{
    Authentication, CloudEventsMode, NamedKey, RegistryConfig, Server, Source, account, coverage, keys,
    named_key, preset, secret, source_handshake, topics, unproven,
};
use crate::batch::Split;
use crate::kafka::properties::{Properties, RECORD_OVERHEAD_BYTES};
use crate::signature::Scheme;
use crate::topic::{Pattern, Target, TopicMap, TopicName};

/// Where nothing else is known of a provider: the strictest common one waits 5 s.
const DEFAULT_RESPOND_WITHIN: Duration = Duration::from_millis(4500);
/// Long enough for a slow link, and a client that drips octets is cut all the same.
const MAX_DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Far above what providers send. With what surrounds it, it fits a topic of Kafka's default (1,048,588 octets).
const DEFAULT_MAX_BODY_BYTES: usize = 1024 * 1024 - RECORD_OVERHEAD_BYTES;
/// No record is larger: librdkafka's own limit is 1 GB, and one record of it would fill the budget.
const MAX_MAX_BODY_BYTES: usize = 256 * 1024 * 1024;
/// More topics than anybody looks at; each costs the brokers memory.
const DEFAULT_MAX_TOPICS: usize = 1000;

/// Metrics are looked at a few times a minute.
const MIN_EXPECTED_EVERY: Duration = Duration::from_secs(60);

/// Whoever has copied a secret, and whoever has invented one.
const SECRET_HINT: &str = "copy it again from the provider, whole and with its prefix; if you chose it yourself, choose one of 16 octets or more";

/// What the sources have in common.
pub(super) struct Common<'a> {
    pub(super) server: Option<&'a Server>,
    pub(super) kafka: &'a Properties,
    pub(super) dead_letter: Option<TopicName>,
    pub(super) body_timeout: Option<Duration>,
    pub(super) quarantine: Option<unproven::Section>,
    pub(super) registry: Option<&'a RegistryConfig>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// Checks the source called `name` that stands at `path`.
pub(super) fn source(
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
    let account = account::account(check, path, raw);
    let binding = Binding { account: &account, at: path };
    let provider = provider_of(check, path, raw.provider.as_ref(), (!unsigned).then_some(&binding));
    let keys = match keys::are_fetched(raw) {
        true => Some(Vec::new()),
        false => keys(check, path, raw, provider.as_ref(), common.env),
    };
    let topics = mapping(check, path, name, raw);
    let default_topic = TopicName::parse(&format!("webhooks.{name}")).ok();
    let max_body_bytes = max_body_bytes(check, path, raw, common);
    let split = split(check, path, raw.split.as_deref());
    bounds(check, path, raw);
    let report_only = unproven::report_only(check, path, name, raw);
    let quarantine = unproven::quarantine(check, path, raw, common.quarantine.as_ref());
    let file = provider?;
    let fetched_keys = keys::of_source(check, path, raw, &file, common.env);
    let asked = raw.respond_within.map(|duration| duration.0).or(file.respond_within);
    let respond_within = asked.unwrap_or(DEFAULT_RESPOND_WITHIN);
    let body_timeout = common.body_timeout.unwrap_or((respond_within * 4 / 5).min(MAX_DEFAULT_BODY_TIMEOUT));
    relations(check, path, respond_within, body_timeout, common);
    let handshakes = source_handshake::of_source(check, path, raw, &file, common.env);
    let authentication = authentication(check, path, raw, file.scheme, keys, quarantine.is_some())?;
    let topics = topics?;
    let decompress = decompresses(raw, &topics);
    let source = Source {
        name: name.into(),
        path: served_at?,
        provider: file.provider,
        authentication,
        fetched_keys,
        confirm_subscriptions: raw.confirm_subscriptions == Some(true),
        topics,
        default_topic: default_topic?,
        dead_letter: common.dead_letter.clone()?,
        unmapped: raw.unmapped.unwrap_or_default(),
        key: raw.key.unwrap_or_default(),
        namespace: raw.namespace.clone(),
        split: split?,
        cloudevents: raw.cloudevents.unwrap_or_default(),
        decompress,
        max_body_bytes,
        respond_within,
        expected_every: raw.expected_every.map(|duration| duration.0),
        body_timeout,
        report_only,
        quarantine,
        handshakes,
        needs: Vec::new(),
        at: check.position(path),
        account,
    };
    let needs = topics::of_source(check, path, &source);
    let source = Source { needs, ..source };
    whole(check, path, &source, raw, common);
    Some(source)
}

/// What can only be seen of the source as a whole.
fn whole(check: &mut Checker<'_>, path: &Path, source: &Source, raw: &RawSource, common: &Common<'_>) {
    dead_letters_apart(check, path, source);
    schemas(check, path, source, common);
    schema_route::raw_topics_apart(check, path, source);
    warn_of(check, path, source);
    coverage::check(check, path, source, raw.strict_fields == Some(true));
}

/// Whether bodies are published without their content-encoding: an envelope holds what can be read, and so does what a
/// schema makes of it.
fn decompresses(raw: &RawSource, topics: &TopicMap) -> bool {
    raw.decompress == Some(true)
        || raw.cloudevents == Some(CloudEventsMode::Structured)
        || topics.schemas().next().is_some()
}

fn bounds(check: &mut Checker<'_>, path: &Path, raw: &RawSource) {
    if raw.max_topics == Some(0) {
        check.error(&path.key("max_topics"), "must be more than nothing");
    }
    if raw.namespace.as_deref().is_some_and(|namespace| namespace.is_empty() || namespace.len() > 64) {
        check.error(&path.key("namespace"), "must have 1 to 64 characters");
    }
    // Durations are a week at most.
    if raw.expected_every.is_some_and(|every| every.0 < MIN_EXPECTED_EVERY) {
        check.error(&path.key("expected_every"), "must be from 1m to 7d");
    }
}

fn authentication(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
    scheme: Option<Scheme>,
    keys: Option<Vec<NamedKey>>,
    keeps_refused: bool,
) -> Option<Authentication> {
    if raw.danger_accept_unsigned == Some(true) {
        if raw.tolerance.is_some() {
            check.error(&path.key("tolerance"), "nothing is signed, so there is nothing to tolerate");
        }
        return Some(Authentication::DangerUnsigned);
    }
    let mut scheme = scheme?;
    tolerance(check, path, raw, &mut scheme);
    if keeps_refused && !scheme.can_be_kept() {
        let why = "the scheme presents a credential, which is never kept: nothing could be verified later";
        check.error(&path.key("quarantine"), why);
    }
    Some(Authentication::Signed { scheme: Box::new(scheme), keys: keys? })
}

/// The path a source is served at.
pub(super) fn served_at(
    check: &mut Checker<'_>,
    path: &Path,
    name: &str,
    given: Option<&str>,
) -> Option<String> {
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
    signed: Option<&Binding<'_>>,
) -> Option<ProviderFile> {
    let at = path.key("provider");
    let (name, complete) = match raw {
        // Where nothing is verified, nothing need be known: the key is then the body's hash.
        None if signed.is_none() => ("custom", Ok(RawProvider::default())),
        None => {
            let hint = "a preset (`hookbridge providers` lists them), or the provider's scheme";
            check.missing(path, "provider", hint);
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
            check.error_with(&at, (why, preset::hint(wanted)));
            None
        }
    }
}

fn keys(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
    provider: Option<&ProviderFile>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<NamedKey>> {
    let at = path.key("secrets");
    let references = raw.secrets.as_deref().unwrap_or_default();
    match (references.is_empty(), raw.danger_accept_unsigned == Some(true)) {
        (true, true) => return Some(Vec::new()),
        // The provider's first request brings it; until then nothing is accepted.
        (true, false) if raw.show_offered_secret == Some(true) => return Some(Vec::new()),
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
    let names = named_key::names(check, &at, references);
    for ((index, reference), name) in references.iter().enumerate().zip(names) {
        let at = check.item(&at, index);
        let window = named_key::window(check, &at, reference);
        match secret::read(&reference.reference(), env) {
            Err(fault) => check.error_with(&at, fault),
            // Without a provider it is not known how the secret is written; that is a fault of its own.
            Ok(secret) => {
                match provider.and_then(|provider| provider.scheme.as_ref()).map(|scheme| scheme.key(&secret))
                {
                    Some(Ok(key)) => keys.push(NamedKey { name, window, key }),
                    Some(Err(why)) => {
                        check.error_with(&at, (why, SECRET_HINT.to_owned()));
                    }
                    None => {}
                }
            }
        }
    }
    named_key::warn_of(check, &at, &keys, SystemTime::now());
    (keys.len() == references.len()).then_some(keys)
}

fn mapping(check: &mut Checker<'_>, path: &Path, name: &str, raw: &RawSource) -> Option<TopicMap> {
    let at = path.key("topics");
    let mut entries = Vec::new();
    let mut faulty = false;
    for (event_type, topic) in raw.topics.iter().flatten() {
        let at = at.key(event_type);
        let target = match topic {
            _ if event_type.is_empty() => Err("an event type is never empty".to_owned()),
            RawTopic::Template(text) => {
                Pattern::parse(text, name).map(|pattern| Target::Topic(pattern, None))
            }
            RawTopic::Route(route) => self::route(check, &at, name, route),
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

/// A route that is written as a mapping.
fn route(check: &mut Checker<'_>, path: &Path, name: &str, raw: &RawRoute) -> Result<Target, String> {
    match (raw.drop, &raw.topic, &raw.schema) {
        (Some(true), None, None) => Ok(Target::Drop),
        (Some(true), ..) => Err("what is dropped has neither topic nor schema".to_owned()),
        (Some(false), None, _) => Err("`drop: false` says nothing; write the topic's name".to_owned()),
        (_, None, _) => Err("`topic` is missing: the topic's name, or `drop: true` instead".to_owned()),
        (_, Some(topic), None) => Pattern::parse(topic, name).map(|pattern| Target::Topic(pattern, None)),
        (_, Some(topic), Some(schema)) => {
            let pattern = Pattern::parse(topic, name)?;
            // Its faults have been said where they stand.
            let schema = schema_route::check(check, &path.key("schema"), schema).map(Arc::new);
            Ok(Target::Topic(pattern, schema))
        }
    }
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
    let shown = show_duration(respond_within);
    let fault = |what: &str, other: Duration, hint: &str| {
        (format!("{shown} must be {what}, {}", show_duration(other)), hint.to_owned())
    };
    if respond_within.is_zero() {
        check.error(&at, "must be more than nothing");
    }
    if body_timeout >= respond_within {
        let hint = "lower server.body_timeout, or leave it out: it then follows from respond_within";
        check.error_with(&at, fault("longer than server.body_timeout", body_timeout, hint));
    }
    if let Some(server) = common.server
        && respond_within >= server.shutdown_grace
    {
        let hint =
            "raise server.shutdown_grace (and the pod's terminationGracePeriodSeconds), or answer sooner";
        check.error_with(&at, fault("shorter than server.shutdown_grace", server.shutdown_grace, hint));
    }
    let message_timeout = common.kafka.message_timeout();
    if respond_within >= message_timeout {
        let hint = "raise message.timeout.ms, or leave it out: it is 60000";
        check.error_with(&at, fault("shorter than kafka's message.timeout.ms", message_timeout, hint));
    }
}

fn tolerance(check: &mut Checker<'_>, path: &Path, raw: &RawSource, scheme: &mut Scheme) {
    match (raw.tolerance, &mut scheme.timestamp) {
        (Some(tolerance), Some(rule)) => rule.tolerance = tolerance.0,
        (Some(_), None) => check.error(
            &path.key("tolerance"),
            "the provider signs no timestamp, so there is nothing to tolerate",
        ),
        (None, _) => {}
    }
}

/// What can't be read must not stand among what can.
fn dead_letters_apart(check: &mut Checker<'_>, path: &Path, source: &Source) {
    let message = format!("`{}` is the dead-letter topic", source.dead_letter);
    let hint = "give it, or `dead_letter`, another name";
    for (pattern, target) in source.topics.entries() {
        if matches!(&target, Target::Topic(Pattern::Fixed(topic), _) if *topic == source.dead_letter) {
            check.error_with(&path.key("topics").key(&pattern), (message.clone(), hint.to_owned()));
        }
    }
    if source.default_topic == source.dead_letter {
        let hint = "give the source, whose default topic it is, or `dead_letter`, another name";
        check.error_with(path, (message, hint.to_owned()));
    }
}

/// What the source's schemas need.
fn schemas(check: &mut Checker<'_>, path: &Path, source: &Source, common: &Common<'_>) {
    if source.topics.schemas().next().is_none() {
        return;
    }
    let raw_header = source.topics.schemas().any(|schema| schema.raw_header);
    if raw_header && takes(common).is_some_and(|takes| takes <= source.largest_value()) {
        let message =
            "must be less than half of kafka's message.max.bytes: with `raw_header` a record has it twice";
        check.error(&path.key("max_body_bytes"), message);
    }
    match common.registry {
        None => {
            let hint = "write `schema_registry: { url: http://... }` at the top of the file".to_owned();
            let message = "a route has a schema, and there is no schema registry".to_owned();
            check.error_with(&path.key("topics"), (message, hint));
        }
        Some(registry) if registry.timeout >= source.respond_within => {
            let message = "must be longer than the schema registry's `timeout`";
            check.error(&path.key("respond_within"), message);
        }
        Some(_) => {}
    }
    // The body, what a schema makes of it, and a copy of what was signed in a header and in a record of its own.
    let room = common.server.map_or(usize::MAX, |server| server.max_in_flight_bytes);
    if room / 4 < source.max_body_bytes {
        let message = "must be a quarter of server.max_in_flight_bytes at most: with a schema an event takes that much room";
        check.error(&path.key("max_body_bytes"), message);
    }
    if source.cloudevents == CloudEventsMode::Structured {
        let message =
            "an event in one piece has no schema: `structured` and a route's `schema` exclude each other";
        check.error(&path.key("cloudevents"), message);
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
    let coverage = &scheme.coverage;
    if scheme.variants.iter().any(|variant| variant.is_sha1()) {
        let message = "the provider signs with SHA-1".to_owned();
        check.warn(
            &path.key("provider"),
            message,
            "ask it for a signature with SHA-256, and name that here if there is one",
        );
    }
    if !coverage.body {
        let values: Vec<String> = coverage.pointers.iter().map(ToString::to_string).collect();
        let (message, hint) = match values.is_empty() {
            true => (
                "the signature does not cover the body".to_owned(),
                "whoever has seen one request can send another body with its credential",
            ),
            false => (
                format!("of the body the signature covers these values alone: {}", values.join(", ")),
                "whoever has seen one request can send it again with the others altered",
            ),
        };
        check.warn(&path.key("provider"), message, hint);
    }
    let named: Vec<_> = source.topics.entries();
    if source.unmapped == Unmapped::Reject && !named.iter().any(|(pattern, _)| pattern == "*") {
        let message = "event types that `topics` does not name are answered 400".to_owned();
        check.warn(path, message, "many providers disable an endpoint that refuses events");
    }
}

/// Where a batch's list stands, if the source splits its bodies at all.
fn split(check: &mut Checker<'_>, path: &Path, raw: Option<&str>) -> Option<Option<Split>> {
    match raw.map(Split::parse).transpose() {
        Ok(split) => Some(split),
        Err(why) => {
            let hint = "where the body itself is the list, write `split: \"\"`".to_owned();
            check.error_with(&path.key("split"), (why, hint));
            None
        }
    }
}

/// What a record may have for librdkafka, where the configuration says so.
fn takes(common: &Common<'_>) -> Option<usize> {
    common.kafka.get("message.max.bytes").and_then(|value| value.trim().parse().ok())
}

/// The source's limit on a body, which the budget and librdkafka must have room for.
fn max_body_bytes(check: &mut Checker<'_>, path: &Path, raw: &RawSource, common: &Common<'_>) -> usize {
    let takes = takes(common);
    let default =
        takes.map_or(DEFAULT_MAX_BODY_BYTES, |takes| takes.saturating_sub(RECORD_OVERHEAD_BYTES).max(1));
    let largest =
        common.server.map_or(MAX_MAX_BODY_BYTES, |server| server.max_in_flight_bytes.min(MAX_MAX_BODY_BYTES));
    let max_body_bytes = raw.max_body_bytes.map_or(default, |bytes| bytes.0);
    if max_body_bytes == 0 || max_body_bytes > largest {
        let message =
            format!("must be from 1 to {largest} bytes, the least of server.max_in_flight_bytes and 256MiB");
        check.error(&path.key("max_body_bytes"), message);
    }
    if takes.is_some_and(|takes| takes <= raw.cloudevents.unwrap_or_default().largest_value(max_body_bytes)) {
        let message = "must be less than kafka's message.max.bytes, which has to hold key and headers too";
        check.error(&path.key("max_body_bytes"), message);
    }
    max_body_bytes
}
