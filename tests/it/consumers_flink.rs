//! examples/flink-sql: each message once, joined with what a Java producer wrote, and counts by type.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::support::consumers::{
    any_message, assert_co_partitioned, java, java_kit, keys, orders, produce_with_java, read_committed,
};
use super::support::duplicates::{Deliveries, Process, has_consumed};
use super::support::scene::Plan;
use super::support::topics::{self, Record};

const MESSAGES: usize = 1_200;
const PARTITIONS: i32 = 12;

fn json(record: &Record) -> Value {
    serde_json::from_slice(&record.value).expect("JSON")
}

#[test]
#[ignore = "heavy (Flink: 135 MB, a minute): scripts/test --all"]
fn flink_sql_takes_each_message_once_and_finds_every_pair() {
    let scene = Plan::of("generic-hex").partitions(PARTITIONS).start();
    let [orders_topic, joined_topic, counts_topic] =
        ["orders", "joined", "counts"].map(|which| format!("{}.{which}", scene.topic));
    topics::create(&scene.bootstrap, &orders_topic, PARTITIONS, &[]);
    topics::create(&scene.bootstrap, &joined_topic, 3, &[]);
    topics::create(&scene.bootstrap, &counts_topic, 1, &[("cleanup.policy", "compact")]);
    let deliveries = Deliveries::of(MESSAGES, any_message);
    let messages = deliveries.messages();

    let jar = java_kit("examples/flink-sql").join("flink-sql.jar");
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flink-sql/webhook-events.sql");
    let mut process = Process::start(java(&jar).arg(sql).envs([
        ("BOOTSTRAP", &scene.bootstrap),
        ("NAME", &scene.source),
        ("EVENTS", &scene.topic),
        ("ORDERS", &orders_topic),
        ("JOINED", &joined_topic),
        ("COUNTS", &counts_topic),
    ]));
    deliveries.send(&scene);
    deliveries.assert_in_topic(&scene);
    produce_with_java(&scene.bootstrap, &orders_topic, &orders(messages.values().copied()));
    assert_co_partitioned(&scene.records(), &scene.records_of(&orders_topic));

    for topic in [&scene.topic, &orders_topic] {
        process.wait_for("everything is consumed", |_| {
            has_consumed(&scene.bootstrap, &scene.source, topic).then_some(())
        });
    }
    let read = |topic: &str| read_committed(&scene.bootstrap, topic);
    process.wait_for("every pair", |_| (read(&joined_topic).len() >= MESSAGES).then_some(()));
    let mut expected = BTreeMap::new();
    for message in messages.values() {
        *expected.entry(message.event_type.clone()).or_insert(0) += 1;
    }
    process.wait_for("the counts", |_| {
        let counts = read(&counts_topic).into_iter().map(|record| {
            let count = json(&record)["events"].as_i64().expect("a number");
            (record.key, count)
        });
        (counts.collect::<BTreeMap<_, _>>() == expected).then_some(())
    });
    process.kill();

    let joined = read(&joined_topic);
    deliveries.assert_once_each("in `joined`", keys(&joined));
    let numbers: BTreeMap<&str, usize> = messages.keys().copied().zip(0..).collect();
    for record in &joined {
        let (pair, message) = (json(record), messages[record.key.as_str()]);
        assert_eq!(pair["event_type"], message.event_type, "{record:?}");
        assert_eq!(pair["event"].as_str().map(str::as_bytes), Some(message.body.as_slice()), "{record:?}");
        let order = format!("{{\"n\":{}}}", numbers[record.key.as_str()]);
        assert_eq!(pair["order"], order, "{record:?}");
    }
}
