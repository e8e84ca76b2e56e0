//! The instruments of librdkafka: how far its brokers are away, what goes wrong on the way, and how full its queue is.
//!
//! Takes [`Report`]s of the producers in place, four a second of each, on librdkafka's own threads, which wait here for
//! nothing but a scrape that copies a few numbers. Gives gauges and counters to [`super::metrics`], by broker and, where
//! there are two, by cluster.
//!
//! Counters go on when a producer is replaced, whose own counts begin at 0. Of a broker that has left, and of a
//! producer that was replaced, the gauges stay behind no longer. The SDK reports a gauge for ever once it has a value, so
//! what may disappear are asynchronous up-down-counters, which Prometheus sees as gauges too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::clusters::of_cluster;
use crate::kafka::clusters::Cluster;
use crate::kafka::statistics::{self, Report};

/// Brokers of one cluster that are shown. Those that have left make room for others.
const MAX_BROKERS: usize = 256;

/// Reports that gauges are made of: those of a minute. One alone would say what was at the moment of the scrape.
const WINDOWS: usize = 240;

/// What librdkafka says of all clusters.
#[derive(Debug)]
pub(crate) struct KafkaMetrics(Arc<[(Option<Cluster>, Mutex<State>); 3]>);

/// What is known of one cluster.
#[derive(Debug, Default)]
struct State {
    /// Of the producer in place; 0 before there is one.
    generation: u64,
    queue: Option<Queue>,
    brokers: BTreeMap<Box<str>, Broker>,
}

#[derive(Debug, Clone, Copy)]
struct Queue {
    messages: u64,
    bytes: u64,
    max_messages: u64,
    max_bytes: u64,
}

/// How the four counters stand in an array.
const RETRIED: usize = 0;
const FAILED: usize = 1;
const TIMED_OUT: usize = 2;
const LOST: usize = 3;

#[derive(Debug, Default)]
struct Broker {
    /// Since the process's start.
    counts: [u64; 4],
    /// What the producer in place has reported of them.
    reported: [u64; 4],
    /// `None`: it is not there any more.
    connected: Option<bool>,
    windows: VecDeque<Sample>,
}

/// One report on one broker.
#[derive(Debug, Default, Clone, Copy)]
struct Sample {
    count: u64,
    sum_us: u64,
    p99_us: u64,
    throttle_ms: u64,
}

impl KafkaMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let clusters = [None, Some(Cluster::Primary), Some(Cluster::Standby)];
        let this = Self(Arc::new(clusters.map(|cluster| (cluster, Mutex::default()))));
        this.observe_queue(meter);
        this.observe_gauges(meter);
        this.observe_counters(meter);
        this
    }

    fn of(&self, cluster: Option<Cluster>) -> Option<MutexGuard<'_, State>> {
        let (_, state) = self.0.iter().find(|(other, _)| *other == cluster)?;
        Some(state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The producer of this generation is in place, and no other is reported from now on.
    pub(super) fn in_place(&self, generation: u64, cluster: Option<Cluster>) {
        if let Some(mut state) = self.of(cluster) {
            state.in_place(generation);
        }
    }

    /// The producer of this generation has reported on itself.
    pub(crate) fn reported(&self, generation: u64, cluster: Option<Cluster>, report: &Report<'_>) {
        if let Some(mut state) = self.of(cluster) {
            state.take(generation, report);
        }
    }

    /// Calls `each` for every cluster that has a producer in place, with what labels it.
    fn each(&self, mut each: impl FnMut(&State, &[KeyValue])) {
        for (cluster, state) in self.0.iter() {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.generation > 0 {
                match cluster {
                    Some(cluster) => each(&state, &[of_cluster(*cluster)]),
                    None => each(&state, &[]),
                }
            }
        }
    }

    /// The same for every broker.
    fn each_broker(&self, mut each: impl FnMut(&Broker, &[KeyValue])) {
        self.each(|state, labels| {
            for (name, broker) in &state.brokers {
                let mut labels = labels.to_vec();
                labels.push(KeyValue::new("hookbridge.broker", String::from(&**name)));
                each(broker, &labels);
            }
        });
    }

    fn again(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn observe_queue(&self, meter: &Meter) {
        let gauge = |name, unit, description, value: fn(&Queue) -> u64| {
            let this = self.again();
            let gauge = meter.i64_observable_up_down_counter(name).with_unit(unit);
            gauge
                .with_description(description)
                .with_callback(move |observer| {
                    this.each(|state, labels| {
                        let value = state.queue.as_ref().map(value);
                        if let Some(Ok(value)) = value.map(i64::try_from) {
                            observer.observe(value, labels);
                        }
                    });
                })
                .build();
        };
        gauge(
            "hookbridge.kafka.queue.messages",
            "",
            "Records in librdkafka's queue, sent or not, whose end is not known",
            |queue| queue.messages,
        );
        gauge("hookbridge.kafka.queue.size", "By", "Their octets", |queue| queue.bytes);
        gauge(
            "hookbridge.kafka.queue.messages.limit",
            "",
            "Records that librdkafka's queue may hold: twice what the limits of the service allow",
            |queue| queue.max_messages,
        );
        gauge("hookbridge.kafka.queue.limit", "By", "Octets that librdkafka's queue may hold", |queue| {
            queue.max_bytes
        });
    }

    fn observe_gauges(&self, meter: &Meter) {
        let this = self.again();
        meter
            .f64_observable_up_down_counter("hookbridge.kafka.broker.round_trip")
            .with_description("From a request to the broker's answer, of any kind, in the last minute")
            .with_unit("s")
            .with_callback(move |observer| {
                this.each_broker(|broker, labels| {
                    for (statistic, value) in [("avg", broker.average()), ("p99", broker.p99())] {
                        if let Some(seconds) = value {
                            let statistic = KeyValue::new("hookbridge.statistic", statistic);
                            observer.observe(seconds, &[labels, &[statistic]].concat());
                        }
                    }
                });
            })
            .build();
        let this = self.again();
        meter
            .f64_observable_up_down_counter("hookbridge.kafka.broker.throttle")
            .with_description(
                "The longest that the broker has asked to wait, for its quotas, in the last minute",
            )
            .with_unit("s")
            .with_callback(move |observer| {
                this.each_broker(|broker, labels| {
                    if broker.connected.is_some() {
                        observer.observe(broker.throttle(), labels);
                    }
                });
            })
            .build();
        let this = self.again();
        meter
            .i64_observable_up_down_counter("hookbridge.kafka.broker.connected")
            .with_description(
                "1 if there is a connection to the broker. librdkafka has one where it needs one",
            )
            .with_callback(move |observer| {
                this.each_broker(|broker, labels| {
                    if let Some(connected) = broker.connected {
                        observer.observe(i64::from(connected), labels);
                    }
                });
            })
            .build();
    }

    fn observe_counters(&self, meter: &Meter) {
        for (name, description, index) in [
            ("hookbridge.kafka.requests.retried", "Requests sent to the broker again", RETRIED),
            (
                "hookbridge.kafka.requests.failed",
                "Requests that could not be sent, or whose answer could not be received",
                FAILED,
            ),
            ("hookbridge.kafka.requests.timed_out", "Requests whose answer did not come in time", TIMED_OUT),
            (
                "hookbridge.kafka.connections.lost",
                "Connections to the broker that have ended, whoever ended them",
                LOST,
            ),
        ] {
            let this = self.again();
            meter
                .u64_observable_counter(name)
                .with_description(description)
                .with_callback(move |observer| {
                    this.each_broker(|broker, labels| observer.observe(broker.counts[index], labels));
                })
                .build();
        }
    }
}

impl State {
    fn in_place(&mut self, generation: u64) {
        self.generation = generation;
        self.queue = None;
        for broker in self.brokers.values_mut() {
            broker.reported = [0; 4];
            broker.leave();
        }
    }

    fn take(&mut self, generation: u64, report: &Report<'_>) {
        // One that is tried, or was replaced.
        if generation != self.generation {
            return;
        }
        self.queue = Some(Queue {
            messages: report.messages.0,
            bytes: report.bytes.0,
            max_messages: report.max_messages.0,
            max_bytes: report.max_bytes.0,
        });
        let there = || report.brokers.iter().filter(|broker| broker.is_real());
        // What the configuration names is a way to the cluster, and of no interest once its brokers are known.
        let are_known = there().any(|broker| broker.id >= 0);
        for (name, broker) in &mut self.brokers {
            if !there().any(|other| *other.name == **name && (other.id >= 0 || !are_known)) {
                broker.leave();
            }
        }
        for (index, broker) in there().enumerate() {
            // One that is there twice is taken once.
            if there().take(index).any(|before| before.name == broker.name) {
                continue;
            }
            let same = || there().filter(|other| other.name == broker.name);
            if let Some(known) = self.known(&broker.name) {
                known.count(same());
                if same().any(|other| other.id >= 0 || !are_known) {
                    known.measure(same());
                }
            }
        }
    }

    /// The broker of this name, if there is room for it.
    fn known(&mut self, name: &str) -> Option<&mut Broker> {
        if !self.brokers.contains_key(name) {
            if self.brokers.len() >= MAX_BROKERS {
                self.brokers.retain(|_, broker| broker.connected.is_some());
            }
            if self.brokers.len() >= MAX_BROKERS {
                return None;
            }
            self.brokers.insert(name.into(), Broker::default());
        }
        self.brokers.get_mut(name)
    }
}

impl Broker {
    fn leave(&mut self) {
        self.connected = None;
        self.windows.clear();
    }

    /// Adds what has been counted since the last report.
    fn count<'r>(&mut self, same: impl Iterator<Item = &'r statistics::Broker<'r>>) {
        let mut now = [0; 4];
        for broker in same {
            now[RETRIED] += broker.retried.0;
            now[FAILED] += broker.failed_to_send.0 + broker.failed_to_receive.0;
            now[TIMED_OUT] += broker.timed_out.0;
            now[LOST] += broker.disconnects.0;
        }
        for ((count, reported), now) in self.counts.iter_mut().zip(&mut self.reported).zip(now) {
            // Less than before: librdkafka has dropped one of the broker's entries, and its count with it.
            *count += now.saturating_sub(*reported);
            *reported = now;
        }
    }

    fn measure<'r>(&mut self, same: impl Iterator<Item = &'r statistics::Broker<'r>>) {
        let mut sample = Sample::default();
        let mut connected = false;
        for broker in same {
            connected |= broker.is_connected();
            sample.count += broker.round_trip.count.0;
            sample.sum_us += broker.round_trip.sum.0;
            sample.p99_us = sample.p99_us.max(broker.round_trip.p99.0);
            sample.throttle_ms = sample.throttle_ms.max(broker.throttle.max.0);
        }
        self.connected = Some(connected);
        if self.windows.len() >= WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(sample);
    }

    /// In seconds; `None` if nothing was asked.
    fn average(&self) -> Option<f64> {
        let count: u64 = self.windows.iter().map(|sample| sample.count).sum();
        let sum: u64 = self.windows.iter().map(|sample| sample.sum_us).sum();
        (count > 0).then(|| sum as f64 / count as f64 / 1e6)
    }

    /// What 99 of 100 requests do not exceed, in seconds, as well as it can be told from the same of each report: the
    /// least that is not exceeded by those of the reports with 99 of 100 requests.
    fn p99(&self) -> Option<f64> {
        let mut samples: Vec<Sample> =
            self.windows.iter().filter(|sample| sample.count > 0).copied().collect();
        samples.sort_unstable_by_key(|sample| sample.p99_us);
        let all: u64 = samples.iter().map(|sample| sample.count).sum();
        let wanted = (all * 99).div_ceil(100);
        let mut below = 0;
        let found = samples.iter().find(|sample| {
            below += sample.count;
            below >= wanted
        });
        found.map(|sample| sample.p99_us as f64 / 1e6)
    }

    fn throttle(&self) -> f64 {
        self.windows.iter().map(|sample| sample.throttle_ms).max().unwrap_or(0) as f64 / 1e3
    }
}

#[cfg(test)]
#[path = "kafka_tests.rs"]
mod tests;
