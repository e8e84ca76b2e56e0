//! The instruments of librdkafka, by what `/metrics` says after reports of one's own making.

use super::*;
use crate::telemetry::metrics::Metrics;

/// A report with these brokers, each written as members of a JSON object.
fn report(metrics: &Metrics, generation: u64, brokers: &[&str]) {
    let brokers: Vec<String> =
        brokers.iter().enumerate().map(|(index, broker)| format!(r#""{index}": {{ {broker} }}"#)).collect();
    let text = format!(
        r#"{{ "msg_cnt": 3, "msg_size": 30, "msg_max": 100, "msg_size_max": 1000, "brokers": {{ {} }} }}"#,
        brokers.join(", ")
    );
    metrics.kafka.reported(generation, None, &Report::read(text.as_bytes()).unwrap());
}

fn learned(id: i64, rest: &str) -> String {
    format!(r#""nodeid": {id}, "nodename": "kafka-{id}:9092", "source": "learned", "state": "UP"{rest}"#)
}

/// The value of the sample `name`, with a label's value if one is given.
fn value(metrics: &Metrics, name: &str, label: &str) -> Option<f64> {
    let text = metrics.to_prometheus().unwrap();
    let mut found = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')) && line.contains(label)
    });
    let value = found.next()?.rsplit_once(' ')?.1.parse().ok();
    assert!(found.next().is_none(), "{name} {label} is there twice:\n{text}");
    value
}

fn in_place(generation: u64) -> Arc<Metrics> {
    let metrics = Metrics::new().unwrap();
    metrics.producer_generation(generation, None);
    metrics
}

#[test]
fn counters_go_on_over_producers() {
    let metrics = in_place(1);
    let retried =
        |metrics: &Metrics| value(metrics, "hookbridge_kafka_requests_retried_total", "kafka-1:9092");
    assert_eq!(retried(&metrics), None);
    report(&metrics, 1, &[&learned(1, r#", "txretries": 5, "txerrs": 1, "rxerrs": 2"#)]);
    report(&metrics, 1, &[&learned(1, r#", "txretries": 7, "txerrs": 1, "rxerrs": 2"#)]);
    assert_eq!(retried(&metrics), Some(7.0));
    assert_eq!(value(&metrics, "hookbridge_kafka_requests_failed_total", "kafka-1:9092"), Some(3.0));
    // The next one is tried first, and counts only once it is in place.
    report(&metrics, 2, &[&learned(1, r#", "txretries": 2"#)]);
    assert_eq!(retried(&metrics), Some(7.0));
    metrics.producer_generation(2, None);
    assert_eq!(retried(&metrics), Some(7.0), "counters don't go back");
    report(&metrics, 2, &[&learned(1, r#", "txretries": 3"#)]);
    report(&metrics, 1, &[&learned(1, r#", "txretries": 99"#)]);
    assert_eq!(retried(&metrics), Some(10.0));
}

#[test]
fn of_what_has_left_no_gauge_stays() {
    let metrics = in_place(1);
    let connected = |broker| value(&metrics, "hookbridge_kafka_broker_connected", broker);
    let (one, two) = (learned(1, r#", "rtt": {"cnt": 1, "sum": 500, "p99": 500}"#), learned(2, ""));
    report(&metrics, 1, &[&one, &two]);
    assert_eq!((connected("kafka-1"), connected("kafka-2")), (Some(1.0), Some(1.0)));
    assert_eq!(value(&metrics, "hookbridge_kafka_broker_round_trip_seconds", "avg"), Some(0.0005));
    report(&metrics, 1, &[&two]);
    assert_eq!((connected("kafka-1"), connected("kafka-2")), (None, Some(1.0)));
    assert_eq!(value(&metrics, "hookbridge_kafka_broker_round_trip_seconds", ""), None);
    assert_eq!(value(&metrics, "hookbridge_kafka_broker_throttle_seconds", "kafka-1"), None);
    assert_eq!(value(&metrics, "hookbridge_kafka_connections_lost_total", "kafka-1"), Some(0.0));
    let queue = || value(&metrics, "hookbridge_kafka_queue_messages", "");
    assert_eq!(queue(), Some(3.0));
    metrics.producer_generation(2, None);
    assert_eq!((connected("kafka-2"), queue()), (None, None), "nothing of a producer that was replaced");
}

#[test]
fn a_broker_by_two_names_is_one_and_the_configuration_s_is_only_a_way() {
    let metrics = in_place(1);
    let connected = |broker| value(&metrics, "hookbridge_kafka_broker_connected", broker);
    let bootstrap = |name: &str| {
        format!(
            r#""nodeid": -1, "nodename": "{name}:9092", "source": "configured", "state": "INIT", "disconnects": 2"#
        )
    };
    report(&metrics, 1, &[&bootstrap("kafka"), &bootstrap("kafka-1")]);
    assert_eq!((connected("kafka:9092"), connected("kafka-1:9092")), (Some(0.0), Some(0.0)));
    let internal = r#""nodeid": -1, "nodename": ":0", "source": "internal", "state": "UP""#;
    let known = learned(1, r#", "disconnects": 1"#);
    report(&metrics, 1, &[&bootstrap("kafka"), &bootstrap("kafka-1"), &known, internal]);
    assert_eq!((connected("kafka:9092"), connected("kafka-1:9092")), (None, Some(1.0)));
    assert_eq!(connected(""), Some(1.0), "there is no other");
    let lost = |broker| value(&metrics, "hookbridge_kafka_connections_lost_total", broker);
    assert_eq!((lost("kafka:9092"), lost("kafka-1:9092")), (Some(2.0), Some(3.0)));
}

#[test]
fn gauges_are_of_a_minute() {
    let metrics = in_place(1);
    let with = |count: u64, each_us: u64, throttle: u64| {
        let rtt = format!(r#""rtt": {{"cnt": {count}, "sum": {}, "p99": {each_us}}}"#, count * each_us);
        learned(1, &format!(r#", {rtt}, "throttle": {{"cnt": 1, "max": {throttle}}}"#))
    };
    report(&metrics, 1, &[&with(1, 900_000, 1500)]);
    for _ in 0..99 {
        report(&metrics, 1, &[&with(4, 1_000, 0)]);
        // Nothing was asked, which says nothing of how long it takes.
        report(&metrics, 1, &[&with(0, 0, 0)]);
    }
    let round_trip = |statistic| value(&metrics, "hookbridge_kafka_broker_round_trip_seconds", statistic);
    let average = round_trip("avg").unwrap();
    assert!((0.003..0.004).contains(&average), "{average}");
    assert_eq!(round_trip("p99"), Some(0.001), "one of 397 is above it");
    let throttle = || value(&metrics, "hookbridge_kafka_broker_throttle_seconds", "");
    assert_eq!(throttle(), Some(1.5));
    for _ in 0..WINDOWS {
        report(&metrics, 1, &[&with(2, 30_000, 0)]);
    }
    assert_eq!((round_trip("avg"), round_trip("p99"), throttle()), (Some(0.03), Some(0.03), Some(0.0)));
}

#[test]
fn brokers_are_bounded() {
    let metrics = in_place(1);
    let brokers = |from: i64| (from..from + 300).map(|id| learned(id, "")).collect::<Vec<_>>();
    let shown = || metrics.to_prometheus().unwrap().matches("hookbridge_kafka_broker_connected{").count();
    let report_of = |all: &[String]| report(&metrics, 1, &all.iter().map(String::as_str).collect::<Vec<_>>());
    report_of(&brokers(0));
    assert_eq!(shown(), MAX_BROKERS);
    // All of them have left, and make room.
    report_of(&brokers(1000));
    assert_eq!(shown(), MAX_BROKERS);
    assert_eq!(value(&metrics, "hookbridge_kafka_broker_connected", "kafka-1000:"), Some(1.0));
}
