//! examples/kafka-streams: each message once, counts by type, and a join with what a Java producer wrote (P4).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use super::support::consumers::{
    any_message, assert_co_partitioned, java, java_kit, keys, orders, produce_with_java, read_committed,
};
use super::support::duplicates::{Deliveries, Process, has_consumed};
use super::support::scene::{Plan, Scene};
use super::support::topics::{self, Record};

const MESSAGES: usize = 1_200;
const PARTITIONS: i32 = 12;

/// The application's topics but for the events', and its name.
struct Application<'a> {
    scene: &'a Scene,
    dir: &'a Path,
}

impl Application<'_> {
    fn topic(&self, which: &str) -> String {
        format!("{}.{which}", self.scene.topic)
    }

    fn create(&self, which: &str, partitions: i32) {
        topics::create(&self.scene.bootstrap, &self.topic(which), partitions, &[]);
    }

    fn start(&self) -> Process {
        let settings = format!(
            "application.id={}\nbootstrap.servers={}\nstate.dir={}\n\
             # Who is killed is given up for dead soon.\nsession.timeout.ms=6000\nheartbeat.interval.ms=2000\n\
             events.topic={}\norders.topic={}\nunique.topic={}\ncounts.topic={}\njoined.topic={}\n",
            self.scene.source,
            self.scene.bootstrap,
            self.dir.join("state").display(),
            self.scene.topic,
            self.topic("orders"),
            self.topic("unique"),
            self.topic("counts"),
            self.topic("joined"),
        );
        // What comes later counts, so all else is as the example has it.
        let example =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kafka-streams/webhook-events.properties");
        let example = fs::read_to_string(example).expect("read the example's settings");
        let file = self.dir.join("webhook-events.properties");
        fs::write(&file, example + &settings).expect("write the settings");
        let jar = java_kit("examples/kafka-streams").join("webhook-events.jar");
        Process::start(java(&jar).arg(file))
    }

    fn has_consumed(&self, topic: &str) -> Option<()> {
        has_consumed(&self.scene.bootstrap, &self.scene.source, topic).then_some(())
    }

    fn read(&self, which: &str) -> Vec<Record> {
        read_committed(&self.scene.bootstrap, &self.topic(which))
    }

    /// How many events there are of each type, as the application says last.
    fn counts(&self) -> BTreeMap<String, String> {
        let text = |value| String::from_utf8(value).expect("text");
        self.read("counts").into_iter().map(|record| (record.key, text(record.value))).collect()
    }
}

#[test]
fn kafka_streams_takes_each_message_once_and_finds_every_pair() {
    let scene = Plan::of("generic-hex").partitions(PARTITIONS).start();
    let dir = tempfile::tempdir().expect("a directory");
    let application = Application { scene: &scene, dir: dir.path() };
    for (which, partitions) in [("orders", PARTITIONS), ("unique", PARTITIONS), ("counts", 1), ("joined", 3)]
    {
        application.create(which, partitions);
    }
    let deliveries = Deliveries::of(MESSAGES, any_message);
    let messages = deliveries.messages();
    assert_eq!(messages.len(), MESSAGES, "IDs that differ");

    let lines = orders(messages.values().copied());
    let (half, _) = lines.match_indices('\n').nth(MESSAGES / 2).expect("a line for each message");
    let (before, after) = lines.split_at(half + 1);
    let produce = |lines: &str| produce_with_java(&scene.bootstrap, &application.topic("orders"), lines);
    let mut process = application.start();
    thread::scope(|scope| {
        let sender = scope.spawn(|| deliveries.send(&scene));
        produce(before);
        process.wait_for("a first pair", |_| (!application.read("joined").is_empty()).then_some(()));
        process.kill();
        sender.join().expect("everything was sent");
    });
    deliveries.assert_in_topic(&scene);
    // The events that these belong to are in the state of who was killed.
    produce(after);
    assert_co_partitioned(&scene.records(), &scene.records_of(&application.topic("orders")));

    let mut process = application.start();
    process.wait_for("everything is consumed", |_| application.has_consumed(&scene.topic));
    process.wait_for("every order", |_| application.has_consumed(&application.topic("orders")));
    let mut expected = BTreeMap::new();
    for message in messages.values() {
        *expected.entry(message.event_type.clone()).or_insert(0) += 1;
    }
    let expected = expected.into_iter().map(|(key, count): (_, i32)| (key, count.to_string())).collect();
    process.wait_for("the counts", |_| (application.counts() == expected).then_some(()));
    process.terminate();
    assert_eq!(application.counts(), expected);

    let unique = application.read("unique");
    deliveries.assert_once_each("in `unique`", keys(&unique));
    for record in &unique {
        let message = messages[record.key.as_str()];
        assert_eq!(record.value, message.body, "{record:?}");
        assert_eq!(record.header("ce_type"), Some(message.event_type.as_str()), "{record:?}");
        assert!(scene.signer.verifies(record), "{record:?}");
    }
    let joined = application.read("joined");
    deliveries.assert_once_each("in `joined`", keys(&joined));
    let numbers: BTreeMap<&str, usize> = messages.keys().copied().zip(0..).collect();
    for record in &joined {
        let event: Value = serde_json::from_slice(&messages[record.key.as_str()].body).expect("JSON");
        let expected = json!({ "event": event, "order": { "n": numbers[record.key.as_str()] } });
        assert_eq!(serde_json::from_slice::<Value>(&record.value).expect("JSON"), expected);
    }
}

#[test]
fn kafka_streams_refuses_to_join_topics_that_are_partitioned_differently() {
    let scene = Plan::of("generic-hex").partitions(2).start();
    let dir = tempfile::tempdir().expect("a directory");
    let application = Application { scene: &scene, dir: dir.path() };
    for (which, partitions) in [("orders", 3), ("unique", 1), ("counts", 1), ("joined", 1)] {
        application.create(which, partitions);
    }
    let said = application.start().fails();
    assert!(said.contains("Topics not co-partitioned"), "{said}");
}
