//! What a running service can't change: what it has bound, sized and connected at its start.
//!
//! Takes the configuration of the start. Says of a later one which keys need a restart, and refuses it if its
//! sources would not fit into what was set up.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::units::{show_bytes, show_duration};
use crate::config::{Config, RegistryConfig, Server, Source, Standby};
use crate::kafka::properties::{Properties, RECORD_OVERHEAD_BYTES};

/// The part of a configuration that stays as it was at the start.
#[derive(Debug)]
pub(super) struct Fixed {
    server: Server,
    admin_listen: SocketAddr,
    kafka: Properties,
    registry: Option<RegistryConfig>,
    standby: Option<Standby>,
    /// The largest body for which the producer takes a record.
    largest_body: usize,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            server: config.server.clone(),
            admin_listen: config.admin_listen,
            kafka: config.kafka.clone(),
            registry: config.schema_registry.clone(),
            standby: config.standby.clone(),
            largest_body: largest_body(config),
        }
    }

    /// The keys that `config` gives another value than they have.
    pub(super) fn differences(&self, config: &Config) -> Vec<String> {
        let (here, there) = (&self.server, &config.server);
        let mut keys: Vec<String> = [
            ("server.listen", here.listen == there.listen),
            ("server.max_connections", here.max_connections == there.max_connections),
            ("server.max_in_flight_requests", here.max_in_flight_requests == there.max_in_flight_requests),
            ("server.max_in_flight_bytes", here.max_in_flight_bytes == there.max_in_flight_bytes),
            ("server.header_timeout", here.header_timeout == there.header_timeout),
            ("server.idle_timeout", here.idle_timeout == there.idle_timeout),
            ("server.shutdown_delay", here.shutdown_delay == there.shutdown_delay),
            ("server.shutdown_grace", here.shutdown_grace == there.shutdown_grace),
            ("admin.listen", self.admin_listen == config.admin_listen),
            ("schema_registry", self.is_same_registry(config)),
            ("kafka.standby", self.standby == config.standby),
        ]
        .into_iter()
        .filter(|(_, same)| !same)
        .map(|(key, _)| key.to_owned())
        .collect();
        keys.extend(self.kafka.differing(&config.kafka).into_iter().map(|name| format!("kafka.{name}")));
        keys
    }

    /// Whether the schema registry is the one that was set up, wherever in the file it stands.
    fn is_same_registry(&self, config: &Config) -> bool {
        match (&self.registry, &config.schema_registry) {
            (Some(here), Some(there)) => RegistryConfig { at: here.at, ..there.clone() } == *here,
            (here, there) => here.is_none() == there.is_none(),
        }
    }

    /// Whether the sources of `config` fit into what was set up. The file's own `server` and `kafka` are those that
    /// it has been checked against, and need not be these.
    ///
    /// # Errors
    /// A line for each thing that does not fit.
    pub(super) fn admit(&self, config: &Config) -> Result<(), String> {
        let faults: Vec<String> =
            config.sources.iter().flat_map(|source| self.misfits(&config.file, source)).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    fn misfits(&self, file: &str, source: &Source) -> Vec<String> {
        let shorter = |limit: Duration| source.respond_within < limit;
        let size = |limit: usize| (limit, source.max_body_bytes <= limit);
        let value = |limit: usize| (limit, source.largest_value() <= limit);
        let mut faults = Vec::new();
        let mut fault = |key: &str, bound: String| {
            faults.push(format!(
                "{file}: error: sources.{}.{key}: must be {bound} until a restart\n  hint: restart, or give the \
                 source a value that fits",
                source.name
            ));
        };
        let (limit, fits) = value(self.largest_body);
        if !fits {
            let producer = "which is the largest body that the running producer was set up for";
            fault("max_body_bytes", format!("at most {} ({limit} octets), {producer},", show_bytes(limit)));
        }
        let (limit, fits) = size(self.server.max_in_flight_bytes);
        if !fits {
            fault(
                "max_body_bytes",
                format!("at most the running server.max_in_flight_bytes, {}", show_bytes(limit)),
            );
        }
        if self.registry.is_none() && source.topics.schemas().next().is_some() {
            fault("topics", "without a `schema`, since no schema registry was set up,".to_owned());
        }
        for (name, limit) in [
            ("server.shutdown_grace", self.server.shutdown_grace),
            ("kafka's message.timeout.ms", self.kafka.message_timeout()),
        ] {
            if !shorter(limit) {
                fault(
                    "respond_within",
                    format!("shorter than the running {name}, {},", show_duration(limit)),
                );
            }
        }
        faults
    }
}

/// What the producer of `config` takes: all that it allows itself, less the room for what surrounds a body, or the
/// largest body that was checked against it.
fn largest_body(config: &Config) -> usize {
    let takes = config.producer().get("message.max.bytes").and_then(|value| value.trim().parse().ok());
    let largest = config.sources.iter().map(|source| source.largest_value()).max().unwrap_or(0);
    takes.unwrap_or(0usize).saturating_sub(RECORD_OVERHEAD_BYTES).max(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::validate;

    fn config(server: &str, kafka: &str, source: &str) -> Config {
        let text = format!(
            "server: {{ {server} }}\nkafka: {{ bootstrap.servers: a:1{kafka} }}\n\
             sources: {{ s: {{ danger_accept_unsigned: true{source} }} }}"
        );
        validate::parse("file", &text, &|name| Some(name.to_owned())).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn names_what_needs_a_restart_and_nothing_else() {
        let fixed = Fixed::of(&config("", ", sasl.password: { env: one }, linger.ms: 5", ""));
        let same =
            config("body_timeout: 1s", ", linger.ms: 5, sasl.password: { env: one }", ", path: /other");
        assert_eq!(fixed.differences(&same), Vec::<String>::new());
        let other = config(
            "listen: 127.0.0.1:1, max_connections: 1, max_in_flight_requests: 1, max_in_flight_bytes: 2MiB, \
             header_timeout: 1s, idle_timeout: 9s, shutdown_delay: 9s, shutdown_grace: 10s",
            ", sasl.password: { env: two }, client.id: x",
            "",
        );
        let keys = fixed.differences(&other);
        let expected = [
            "server.listen",
            "server.max_connections",
            "server.max_in_flight_requests",
            "server.max_in_flight_bytes",
            "server.header_timeout",
            "server.idle_timeout",
            "server.shutdown_delay",
            "server.shutdown_grace",
            "kafka.client.id",
            "kafka.linger.ms",
            "kafka.sasl.password",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn refuses_sources_that_do_not_fit_into_what_runs() {
        let fixed = Fixed::of(&config("", "", ""));
        let wide = "shutdown_grace: 90s, max_in_flight_bytes: 512MiB";
        let wide_kafka = ", message.timeout.ms: 120000";
        for (source, expected) in [
            (", max_body_bytes: 960KiB", ""),
            (", max_body_bytes: 983041", "sources.s.max_body_bytes: must be at most 960KiB"),
            (
                ", max_body_bytes: 900KiB, cloudevents: structured",
                "sources.s.max_body_bytes: must be at most 960KiB",
            ),
            (", max_body_bytes: 200MiB", "the running server.max_in_flight_bytes, 128MiB"),
            (", respond_within: 24s", ""),
            (
                ", respond_within: 25s",
                "sources.s.respond_within: must be shorter than the running server.shutdown_grace, 25s",
            ),
            (", respond_within: 60s", "the running kafka's message.timeout.ms, 1m"),
        ] {
            let refused = fixed.admit(&config(wide, wide_kafka, source));
            match expected {
                "" => assert_eq!(refused, Ok(()), "{source}"),
                _ => {
                    let shown = refused.unwrap_err();
                    assert!(shown.contains(expected) && shown.contains("until a restart"), "{shown}");
                }
            }
        }
    }

    #[test]
    fn a_producer_takes_what_it_was_told_to() {
        let told = Fixed::of(&config("", ", message.max.bytes: 4000000", ""));
        assert_eq!(told.admit(&config("", "", ", max_body_bytes: 3MiB")), Ok(()));
        assert!(told.admit(&config("", "", ", max_body_bytes: 4MiB")).is_err());
        // Small bodies make librdkafka's smallest limit, which has room for larger ones.
        let small = Fixed::of(&config("", "", ", max_body_bytes: 1KiB"));
        assert_eq!(small.admit(&config("", "", ", max_body_bytes: 900KiB")), Ok(()));
        // A body as large as the file allowed at the start is always allowed again.
        let tight = Fixed::of(&config("", ", message.max.bytes: 1048577", ", max_body_bytes: 1MiB"));
        assert_eq!(tight.admit(&config("", "", ", max_body_bytes: 1MiB")), Ok(()));
    }
}
