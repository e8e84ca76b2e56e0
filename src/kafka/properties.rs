//! librdkafka's properties: what the user may say, what is promised, and the client they make.
//!
//! Takes properties by librdkafka's own names. Gives a [`ClientConfig`] that keeps the promises, or names
//! the property that would break one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::{NativeClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::BaseProducer;
use rdkafka::types::RDKafkaConfRes;

/// How often librdkafka reports on itself. Readiness waits for the first report with a producer id, so a
/// longer interval is a slower start. A report costs some tens of microseconds; with nine brokers and hundreds of
/// partitions about a millisecond.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(250);

/// How long a record may wait for Kafka's acknowledgement before librdkafka gives it up. Far longer than any
/// answer: a message that times out makes an idempotent producer drain every partition and take a new
/// epoch, and a short one collapses throughput when a broker is slow.
pub const DEFAULT_MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Room for what surrounds a body in a record: key, headers and framing.
pub const RECORD_OVERHEAD_BYTES: usize = 64 * 1024;

/// What is set where the user says nothing, each for a reason.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "hookbridge"),
    // The default, 5 ms, is most of the latency at low rates; batches form under load all the same, since
    // at most five requests are under way for each broker.
    ("linger.ms", "0.5"),
    // Java's partitioner, so that Kafka Streams and every other client finds a key where it expects it.
    ("partitioner", "murmur2_random"),
    // In a producer librdkafka's default is true: a typo in a topic would become a topic.
    ("allow.auto.create.topics", "false"),
    // A topic that is not there is known to be missing after 5 s, not 30.
    ("topic.metadata.propagation.max.ms", "5000"),
    // A topic that was missing, or whose rights were, is found again after 10 s, not five minutes.
    ("topic.metadata.refresh.interval.ms", "10000"),
    // A hung broker is left after 10 s, not 60; its acknowledgement is waited for somewhat less.
    ("socket.timeout.ms", "10000"),
    ("request.timeout.ms", "6000"),
    ("socket.keepalive.enable", "true"),
    // A returning broker is found within a second.
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "1000"),
    ("retry.backoff.ms", "50"),
    ("retry.backoff.max.ms", "500"),
    // Nothing is sent to the broker's operators that they did not ask for.
    ("enable.metrics.push", "false"),
];

/// Properties whose value is a secret: only a reference will do.
pub const SECRET_PROPERTIES: &[&str] = &[
    "sasl.password",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

/// librdkafka's second names for properties that have one, where a default or a rule here stands under the first.
const ALIASES: &[(&str, &str)] = &[
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("message.send.max.retries", "retries"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
];

/// The one name under which a property is kept.
#[must_use]
pub fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, first)| first)
}

/// Properties, by name. Values may be secrets, so `Debug` shows names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Adds a property, under its first name. False if it was there already.
    pub fn insert(&mut self, name: &str, value: String) -> bool {
        self.0.insert(canonical(name).to_owned(), value).is_none()
    }

    /// The value of a property, by its first name, as the user gave it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The properties' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The names of those that are in only one of the two, or have another value there.
    #[must_use]
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let names: BTreeSet<&str> = self.names().chain(other.names()).collect();
        names.into_iter().filter(|name| self.get(name) != other.get(name)).collect()
    }

    /// How long a record may wait for its acknowledgement.
    #[must_use]
    pub fn message_timeout(&self) -> Duration {
        let given = self.get("message.timeout.ms").and_then(|value| value.trim().parse().ok());
        given.map_or(DEFAULT_MESSAGE_TIMEOUT, Duration::from_millis)
    }

    /// A client for reading what a cluster says of itself, or topics: the same connection and security.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.0 {
            config.set(name, value);
        }
        config
    }

    /// The producer. `max_records` and `max_bytes` are the service's own bounds: the queue is twice as large,
    /// a backstop that is never met before them.
    #[must_use]
    pub fn producer_config(
        &self,
        max_records: usize,
        max_bytes: usize,
        max_body_bytes: usize,
    ) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in DEFAULTS {
            config.set(*name, *value);
        }
        config.set("message.timeout.ms", DEFAULT_MESSAGE_TIMEOUT.as_millis().to_string());
        // librdkafka's bounds: 1000 to 1000000000 octets.
        let largest = (max_body_bytes + RECORD_OVERHEAD_BYTES).clamp(1_000_000, 1_000_000_000);
        config.set("message.max.bytes", largest.to_string());
        for (name, value) in &self.0 {
            config.set(name, value);
        }
        let messages = (2 * max_records).clamp(1_000, 10_000_000);
        let kilobytes = (2 * (max_bytes + max_records * 1024) / 1024).clamp(16_384, 2_097_151);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("queue.buffering.max.messages", messages.to_string())
            .set("queue.buffering.max.kbytes", kilobytes.to_string())
            .set("statistics.interval.ms", STATISTICS_INTERVAL.as_millis().to_string());
        // Errors come by the error callback; librdkafka's own log is for those who ask for its `debug`.
        config.set_log_level(match self.get("debug") {
            Some(_) => RDKafkaLogLevel::Debug,
            None => RDKafkaLogLevel::Emerg,
        });
        config
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Checks one property by itself: would it break a promise, and does librdkafka know it?
///
/// # Errors
/// What is wrong, and what to do. Never the value of a property that can be a secret.
pub fn check(name: &str, value: &str) -> Result<(), (String, String)> {
    let is_word = value.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_word && is_numeric(name) && !is_plain_number(value) {
        return Err((
            format!("the value of `{name}` is not a plain number"),
            "write digits alone: librdkafka would read `60s` as 60 and `0x10` as 16".to_owned(),
        ));
    }
    check_promises(name, value)?;
    match set(name, value) {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => Err((
            format!("librdkafka has no property `{name}`"),
            "the names are those of librdkafka's CONFIGURATION.md".to_owned(),
        )),
        Err(_) => Err((
            format!("librdkafka does not take this value for `{name}`"),
            "librdkafka's CONFIGURATION.md gives the values and their range".to_owned(),
        )),
    }
}

fn set(name: &str, value: &str) -> KafkaResult<NativeClientConfig> {
    let mut config = ClientConfig::new();
    config.set(name, value);
    config.create_native_config()
}

/// librdkafka does not say what type a property has, but a number is what takes 1 (or more, where the least is more)
/// and neither of the others.
fn is_numeric(name: &str) -> bool {
    let takes = |value| set(name, value).is_ok();
    (takes("1") || takes("1000")) && !takes("x") && !takes("true")
}

fn is_plain_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// Whether librdkafka takes the properties together. Nothing is connected to.
///
/// # Errors
/// librdkafka's own words.
pub fn check_together(config: &ClientConfig) -> Result<(), String> {
    let mut config = config.clone();
    // The port that nothing answers at: only the configuration is to be tried.
    config.set("bootstrap.servers", "127.0.0.1:9");
    match config.create::<BaseProducer>() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientCreation(why)) => Err(why),
        Err(error) => Err(error.to_string()),
    }
}

fn check_promises(name: &str, value: &str) -> Result<(), (String, String)> {
    let is = |allowed: &[&str]| allowed.contains(&value.trim());
    let refuse = |why: &str, what: &str| Err((format!("`{name}: {value}` {why}"), what.to_owned()));
    const RECEIPT: &str = "would break the promise that a 2xx is a receipt";
    const REMOVE: &str = "leave it out; hookbridge sets it";
    match name {
        "acks" | "request.required.acks" if !is(&["all", "-1"]) => {
            refuse(&format!("{RECEIPT}: every in-sync replica must have the record"), REMOVE)
        }
        "enable.idempotence" if !is(&["true"]) => {
            refuse("would let librdkafka's own retries duplicate and reorder records", REMOVE)
        }
        "max.in.flight.requests.per.connection" | "max.in.flight" if !is(&["1", "2", "3", "4", "5"]) => {
            refuse("contradicts `enable.idempotence`", "use 1 to 5, or leave it out")
        }
        "retries" | "message.send.max.retries" if is(&["0"]) => refuse(
            "contradicts `enable.idempotence`",
            "leave it out; `message.timeout.ms` bounds the retries",
        ),
        "delivery.report.only.error" if !is(&["false"]) => {
            refuse(&format!("{RECEIPT}: success would never be reported"), REMOVE)
        }
        "queuing.strategy" if !is(&["fifo"]) => refuse("contradicts `enable.idempotence`", REMOVE),
        "enable.gapless.guarantee" if !is(&["false"]) => {
            refuse("would end the producer at the first record that times out", REMOVE)
        }
        "message.timeout.ms" | "delivery.timeout.ms" if is(&["0"]) => {
            refuse("means no limit; everything here has one", "use a number of milliseconds, such as 60000")
        }
        "partitioner" if !is(&["murmur2_random", "murmur2"]) => refuse(
            "would put keys where Java clients and Kafka Streams do not look for them",
            "leave it out; it is murmur2_random",
        ),
        name if name.starts_with("test.") || name.starts_with("ut_") => Err((
            format!(
                "`{name}` is for librdkafka's own tests: with it, events can be acknowledged that no Kafka has"
            ),
            "leave it out; `hookbridge dev` has a broker for trying out".to_owned(),
        )),
        "transactional.id" | "transaction.timeout.ms" => Err((
            format!("`{name}` has no use here: hookbridge's producer is idempotent, not transactional"),
            "leave it out".to_owned(),
        )),
        "queue.buffering.max.messages" | "queue.buffering.max.kbytes" => Err((
            format!("`{name}` follows from hookbridge's own limits"),
            "use `server.max_in_flight_requests` and `server.max_in_flight_bytes`".to_owned(),
        )),
        "statistics.interval.ms" => {
            Err((format!("`{name}` is what readiness is known by"), REMOVE.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_by_name_what_would_break_a_promise() {
        for (name, value) in [
            ("acks", "1"),
            ("acks", "0"),
            ("request.required.acks", "1"),
            ("enable.idempotence", "false"),
            ("max.in.flight.requests.per.connection", "6"),
            ("max.in.flight", "1000000"),
            ("retries", "0"),
            ("message.send.max.retries", "0"),
            ("delivery.report.only.error", "true"),
            ("queuing.strategy", "lifo"),
            ("partitioner", "random"),
            ("transactional.id", "x"),
            ("message.timeout.ms", "0"),
            ("statistics.interval.ms", "0"),
            ("message.timeout.ms", "60s"),
            ("message.timeout.ms", "0x64"),
            ("linger.ms", "5 ms"),
            ("retries", "00"),
            ("retries", "+0"),
            ("test.mock.num.brokers", "3"),
            ("ut_handle_ProduceResponse", "x"),
            ("no.such.property", "1"),
            ("linger.ms", "soon"),
        ] {
            let (message, hint) = check(name, value).expect_err(name);
            assert!(message.contains(name) && !hint.is_empty(), "{message}");
        }
        for (name, value) in [
            ("acks", "all"),
            ("acks", "-1"),
            ("enable.idempotence", "true"),
            ("max.in.flight", "5"),
            ("linger.ms", "2"),
            ("linger.ms", "0.5"),
            ("socket.keepalive.enable", "true"),
            ("message.max.bytes", "2000000"),
            ("bootstrap.servers", "10.0.0.1:9092"),
            ("compression.type", "zstd"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("security.protocol", "SASL_SSL"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_user_can_change_defaults_and_no_promise() {
        let mut properties = Properties::default();
        properties.insert("linger.ms", "3".to_owned());
        properties.insert("acks", "1".to_owned());
        let config = properties.producer_config(10, 10, 10);
        assert_eq!(config.get("linger.ms"), Some("3"));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("enable.idempotence"), Some("true"));
        config.create_native_config().unwrap();
    }

    #[test]
    fn contradictions_are_told_before_a_start() {
        let mut properties = Properties::default();
        assert_eq!(check_together(&properties.producer_config(10, 10, 10)), Ok(()));
        properties.insert("ssl.ca.location", "/nowhere/at/all".to_owned());
        properties.insert("security.protocol", "ssl".to_owned());
        assert!(check_together(&properties.producer_config(10, 10, 10)).is_err());
    }

    #[test]
    fn a_second_name_is_the_same_property() {
        let mut properties = Properties::default();
        assert!(properties.insert("delivery.timeout.ms", "70000".to_owned()));
        assert!(!properties.insert("message.timeout.ms", "80000".to_owned()));
        assert!(properties.insert("queue.buffering.max.ms", "7".to_owned()));
        assert_eq!(properties.message_timeout(), Duration::from_secs(80));
        let config = properties.producer_config(10, 10, 10);
        assert_eq!(config.get("linger.ms"), Some("7"));
        assert_eq!(config.get("queue.buffering.max.ms"), None);
    }

    #[test]
    fn values_are_not_shown() {
        let mut properties = Properties::default();
        properties.insert("sasl.password", "hunter2".to_owned());
        assert!(!format!("{properties:?}").contains("hunter2"));
    }
}
