//! The section `kafka`, as it is written, and its `standby`: a second cluster that takes over while the first is away.
//!
//! Takes librdkafka's properties, and beside them `standby`. Gives [`Standby`]: the properties of the second cluster
//! and how long is waited before each switch. When to switch is left to [`crate::kafka::clusters`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::checker::Checker;
use super::diagnostic::{Path, Position};
use super::raw::{RawDuration, RawProperty};
use super::units::show_duration;
use super::validate;
use crate::kafka::properties::Properties;

/// Longer than a rolling restart takes a broker, shorter than most providers wait between retries.
const DEFAULT_AFTER: Duration = Duration::from_secs(15);
/// A cluster counts as away after 5 s without an answer; as long again is needed to be sure.
const MIN_AFTER: Duration = Duration::from_secs(10);
/// A cluster that comes back is restarting brokers and moving leaders for a while.
const DEFAULT_BACK_AFTER: Duration = Duration::from_secs(60);
/// Less would be no protection from going back and forth.
const MIN_BACK_AFTER: Duration = Duration::from_secs(10);
/// More is nobody's intention.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// librdkafka's properties that both clusters must have in common: sources are checked against them.
const COMMON: [&str; 2] = ["message.max.bytes", "message.timeout.ms"];

/// librdkafka's properties, by their own names, and a second cluster.
#[derive(Debug, Default, JsonSchema)]
#[schemars(rename = "Kafka")]
pub struct RawKafka {
    /// A second cluster, which takes over while this one is away. Records that it takes are marked
    /// (`hookbridge_cluster: standby`). Consumers must read both clusters. Default: none.
    pub standby: Option<RawStandby>,
    /// librdkafka's properties.
    #[schemars(flatten)]
    pub properties: BTreeMap<String, RawProperty>,
}

/// A second cluster.
#[derive(Debug, Default, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Standby")]
pub struct RawStandby {
    /// How long the first cluster has to be away before the standby takes over, 10s or more. Default: 15s.
    pub after: Option<RawDuration>,
    /// How long the first cluster has to be ready again, without a gap, before records go there again, 10s or more.
    /// Default: 60s.
    pub back_after: Option<RawDuration>,
    /// librdkafka's properties for the standby, by their own names. `bootstrap.servers` is required. None is taken
    /// over from the first cluster but `message.max.bytes` and `message.timeout.ms`, which must not stand here.
    pub properties: BTreeMap<String, RawProperty>,
}

/// `#[serde(flatten)]` would read everything into a buffer first, and faults would lose their place.
impl<'de> Deserialize<'de> for RawKafka {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = RawKafka;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("librdkafka's properties, such as `{ bootstrap.servers: \"kafka:9092\" }`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawKafka, A::Error> {
                let mut kafka = RawKafka::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "standby" => kafka.standby = Some(map.next_value()?),
                        _ => {
                            let value = map.next_value()?;
                            kafka.properties.insert(name, value);
                        }
                    }
                }
                Ok(kafka)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The cluster that takes over while the first one is away.
#[derive(Debug, Clone)]
pub struct Standby {
    /// Its librdkafka properties.
    pub properties: Properties,
    /// How long the first one has to be away.
    pub after: Duration,
    /// How long the first one has to be ready again, without a gap.
    pub back_after: Duration,
    /// Where its properties stand in the file.
    pub at: Position,
}

/// Where it stands in the file is no difference.
impl PartialEq for Standby {
    fn eq(&self, other: &Self) -> bool {
        (&self.properties, self.after, self.back_after) == (&other.properties, other.after, other.back_after)
    }
}

impl Standby {
    /// Its properties, with those that it has in common with the first cluster.
    pub(crate) fn beside(&self, first: &Properties) -> Properties {
        let mut properties = self.properties.clone();
        for name in COMMON {
            if let Some(value) = first.get(name) {
                properties.insert(name, value.to_owned());
            }
        }
        properties
    }
}

impl fmt::Display for Standby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brokers = self.properties.get("bootstrap.servers").unwrap_or_default();
        write!(
            f,
            "standby             {brokers}, once kafka is away for {}; back after {} of readiness",
            show_duration(self.after),
            show_duration(self.back_after)
        )?;
        let others: Vec<&str> = self.properties.names().filter(|name| *name != "bootstrap.servers").collect();
        if !others.is_empty() {
            write!(f, "\n                    also set: {}", others.join(", "))?;
        }
        Ok(())
    }
}

/// The section `kafka.standby`, if there is one.
pub(super) fn section(
    check: &mut Checker<'_>,
    raw: Option<&RawStandby>,
    first: &Properties,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Standby> {
    let raw = raw?;
    let path = Path::root().key("kafka").key("standby");
    let mut wait = |key: &str, given: Option<RawDuration>, default: Duration, least: Duration| {
        let value = given.map_or(default, |duration| duration.0);
        if value < least || value > MAX_WAIT {
            let message = format!("must be {} to {}", show_duration(least), show_duration(MAX_WAIT));
            check.error_with(&path.key(key), (message, format!("the default is {}", show_duration(default))));
        }
        value
    };
    let after = wait("after", raw.after, DEFAULT_AFTER, MIN_AFTER);
    let back_after = wait("back_after", raw.back_after, DEFAULT_BACK_AFTER, MIN_BACK_AFTER);
    let at = path.key("properties");
    let properties = validate::kafka(check, &at, &raw.properties, env);
    for name in COMMON.into_iter().filter(|name| properties.get(name).is_some()) {
        let hint = format!("set `{name}` in `kafka` alone; the standby takes it over");
        check.error_with(&at.key(name), (format!("`{name}` is one for both clusters"), hint));
    }
    let servers = properties.get("bootstrap.servers");
    if servers.is_some() && servers == first.get("bootstrap.servers") {
        let hint = "name the brokers of another cluster, or leave `standby` out".to_owned();
        check.error_with(
            &at.key("bootstrap.servers"),
            ("the standby is the first cluster itself".to_owned(), hint),
        );
    }
    Some(Standby { properties, after, back_after, at: check.position(&at) })
}

#[cfg(test)]
#[path = "standby_tests.rs"]
mod tests;
