//! What librdkafka reports on itself, several times a second, as JSON.
//!
//! Takes the text. Gives the few values that readiness and metrics are made of, borrowed from it: the rest, which grows
//! with the number of topics and partitions, is passed over. What is absent is nothing, since readiness depends on it.
//!
//! Source: librdkafka's STATISTICS.md (2.12).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// Brokers of one report that are read. Each may be there twice, and no more than half as many are shown.
const MAX_BROKERS: usize = 512;

/// A number that is never negative. librdkafka writes some of them as signed, and a report must not be lost for one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

/// A report on one producer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Report<'a> {
    /// Records in the producer's queue.
    #[serde(rename = "msg_cnt")]
    pub(crate) messages: Count,
    /// Their octets.
    #[serde(rename = "msg_size")]
    pub(crate) bytes: Count,
    /// How many may be there.
    #[serde(rename = "msg_max")]
    pub(crate) max_messages: Count,
    /// How many octets they may have.
    #[serde(rename = "msg_size_max")]
    pub(crate) max_bytes: Count,
    /// The brokers, as librdkafka knows them: one may be there twice, as configured and as the cluster names it.
    #[serde(borrow, deserialize_with = "values")]
    pub(crate) brokers: Vec<Broker<'a>>,
    #[serde(borrow)]
    eos: Idempotence<'a>,
}

/// One broker. Counts are since the producer was made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Broker<'a> {
    /// Its ID in the cluster; negative where it is known from the configuration alone.
    #[serde(rename = "nodeid")]
    pub(crate) id: i64,
    /// `host:port`.
    #[serde(rename = "nodename", borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    /// Requests that could not be sent.
    #[serde(rename = "txerrs")]
    pub(crate) failed_to_send: Count,
    /// Answers that could not be received.
    #[serde(rename = "rxerrs")]
    pub(crate) failed_to_receive: Count,
    /// Requests sent again.
    #[serde(rename = "txretries")]
    pub(crate) retried: Count,
    /// Requests whose answer did not come in time.
    #[serde(rename = "req_timeouts")]
    pub(crate) timed_out: Count,
    /// Connections that have ended, whoever ended them.
    pub(crate) disconnects: Count,
    /// From request to answer, in microseconds.
    #[serde(rename = "rtt")]
    pub(crate) round_trip: Window,
    /// How long the broker has asked to wait, in milliseconds.
    pub(crate) throttle: Window,
}

/// What was measured since the report before.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(crate) struct Window {
    /// How often.
    #[serde(rename = "cnt")]
    pub(crate) count: Count,
    /// All values together.
    pub(crate) sum: Count,
    /// The largest value.
    pub(crate) max: Count,
    /// What 99 of 100 values do not exceed, about.
    pub(crate) p99: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Idempotence<'a> {
    #[serde(borrow)]
    idemp_state: Cow<'a, str>,
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i128::deserialize(deserializer)?;
        Ok(Self(u64::try_from(number).unwrap_or(0)))
    }
}

impl<'a> Report<'a> {
    /// Reads a report.
    ///
    /// # Errors
    /// It is not what librdkafka writes.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Whether the producer has its ID, and so can send.
    pub(super) fn is_assigned(&self) -> bool {
        self.eos.idemp_state == "Assigned"
    }
}

impl Broker<'_> {
    /// Whether it is a broker at all: librdkafka counts its own queues among them.
    pub(crate) fn is_real(&self) -> bool {
        matches!(&*self.source, "learned" | "configured") && !self.name.is_empty()
    }

    /// Whether there is a connection to it.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(&*self.state, "UP" | "UPDATE")
    }
}

/// The values of a mapping. Its keys are made of them.
fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Broker<'de>>, D::Error> {
    struct Values;
    impl<'de> Visitor<'de> for Values {
        type Value = Vec<Broker<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("brokers, by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while map.next_key::<IgnoredAny>()?.is_some() {
                match values.len() < MAX_BROKERS {
                    true => values.push(map.next_value()?),
                    false => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
            Ok(values)
        }
    }
    deserializer.deserialize_map(Values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut down from what librdkafka 2.12.1 writes.
    const REPORT: &str = r#"{ "name": "hookbridge#producer-1", "type": "producer", "ts": 5, "age": 7,
        "msg_cnt": 3, "msg_size": 300, "msg_max": 100000, "msg_size_max": 1073741824,
        "brokers": {
            "kafka-1:9092/1": { "name": "kafka-1:9092/1", "nodeid": 1, "nodename": "kafka-1:9092", "source": "learned",
                "state": "UP", "txerrs": 1, "txretries": 2, "req_timeouts": 3, "rxerrs": 4, "disconnects": 5, "future": [1],
                "rtt": { "min": 100, "max": 900, "avg": 500, "sum": 1000, "cnt": 2, "p99": 900, "outofrange": 0 },
                "throttle": { "min": 0, "max": 7, "sum": -1, "cnt": 1, "p99": 7 },
                "req": { "Produce": 2 }, "toppars": { "a-0": { "topic": "a", "partition": 0 } } },
            ":0/internal": { "nodeid": -1, "nodename": ":0", "source": "internal", "state": "UP" }
        },
        "topics": { "a": { "topic": "a", "partitions": { "0": { "partition": 0, "hi_offset": -1001 } } } },
        "eos": { "idemp_state": "Assigned", "producer_id": 13 } }"#;

    #[test]
    fn reads_what_it_needs() {
        let report = Report::read(REPORT.as_bytes()).unwrap();
        assert!(report.is_assigned());
        assert_eq!((report.messages.0, report.bytes.0), (3, 300));
        assert_eq!((report.max_messages.0, report.max_bytes.0), (100_000, 1 << 30));
        let [broker, internal] = &report.brokers[..] else { panic!("{:?}", report.brokers) };
        assert!(broker.is_real() && broker.is_connected() && !internal.is_real());
        assert_eq!((broker.id, &*broker.name), (1, "kafka-1:9092"));
        let counts = [broker.failed_to_send, broker.retried, broker.timed_out, broker.failed_to_receive];
        assert_eq!((counts.map(|count| count.0), broker.disconnects.0), ([1, 2, 3, 4], 5));
        let Window { count, sum, max, p99 } = broker.round_trip;
        assert_eq!([count, sum, max, p99].map(|count| count.0), [2, 1000, 900, 900]);
        assert_eq!((broker.throttle.max.0, broker.throttle.sum.0), (7, 0), "nothing is less than nothing");
    }

    #[test]
    fn what_is_absent_is_nothing() {
        let report = Report::read(br#"{"eos": {"idemp_state": "WaitPID"}}"#).unwrap();
        assert!(!report.is_assigned() && report.brokers.is_empty());
        assert!(!Report::read(b"{}").unwrap().is_assigned());
        assert!(Report::read(b"nothing").is_err());
    }
}
