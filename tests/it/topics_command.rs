//! `hookbridge topics` and `check --live` at a real cluster: each fault by its name and line, what is healed, and what is left.

use std::fs;
use std::path::PathBuf;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;

use super::support::bridge::{Bridge, hookbridge};
use super::support::command::{Done, run_command};
use super::support::kafka::Kafka;
use super::support::topics::{self, read};
use super::support::unique;
use super::support::wait::{SOON, eventually};

/// A configuration in a file, for topics of its own at the shared broker.
struct Cluster {
    dir: tempfile::TempDir,
    /// What its topics are called after.
    name: String,
    bootstrap: String,
}

impl Cluster {
    /// `{n}` stands for the name.
    fn new(sections: &str, source: &str) -> Cluster {
        Cluster::at(Kafka::shared().bootstrap(), sections, source)
    }

    fn at(bootstrap: &str, sections: &str, source: &str) -> Cluster {
        let cluster = Cluster {
            dir: tempfile::tempdir().expect("a directory"),
            name: unique("t"),
            bootstrap: bootstrap.to_owned(),
        };
        cluster.write(sections, source);
        cluster
    }

    fn write(&self, sections: &str, source: &str) {
        let text = format!(
            "server: {{ listen: 127.0.0.1:0 }}\nadmin: {{ listen: 127.0.0.1:0 }}\n\
             kafka: {{ bootstrap.servers: {} }}\ndead_letter: {{n}}.dead\n{sections}\n\
             sources:\n  shop:\n    danger_accept_unsigned: true\n    {source}\n",
            self.bootstrap
        );
        fs::write(self.file(), text.replace("{n}", &self.name)).expect("write the configuration");
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("hookbridge.yaml")
    }

    fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    fn create(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        topics::create(&self.bootstrap, &self.topic(name), partitions, config);
    }

    fn run(&self, arguments: &[&str]) -> Done {
        run_command(hookbridge().args(arguments).arg("--config").arg(self.file()))
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let done = self.run(&[arguments, &["--json"]].concat());
        let value = serde_json::from_str(&done.stdout);
        (done.code, value.unwrap_or_else(|error| panic!("{error}: {done:?}")))
    }

    /// Kind and topic of every fault, without those that every topic of a single broker has.
    fn faults(&self, arguments: &[&str]) -> Vec<(String, String)> {
        let (_, found) = self.json(arguments);
        let faults = found["faults"].as_array().expect("a list").iter().map(|fault| {
            let text = |key: &str| fault[key].as_str().expect("text").to_owned();
            assert!(!text("hint").is_empty(), "{fault}");
            (text("kind"), text("subject").replace(&format!("{}.", self.name), ""))
        });
        faults.filter(|(kind, _)| kind != "replication_low").collect()
    }

    /// A setting of a topic, as the broker has it.
    fn setting(&self, topic: &str, name: &str) -> String {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().expect("an admin client");
        let topic = self.topic(topic);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = AdminOptions::new().request_timeout(Some(SOON));
        let described =
            runtime.block_on(admin.describe_configs(&[ResourceSpecifier::Topic(&topic)], &options));
        let described = described.expect("ask").pop().expect("one topic").expect("its settings");
        described.get(name).and_then(|entry| entry.value.clone()).expect("a value")
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, topic)| ((*kind).to_owned(), (*topic).to_owned())).collect()
}

const ROUTES: &str = "topics: { a: '{n}.there', b: '{n}.small', c: '{n}.missing', '*': '{n}.partitions' }";

#[test]
fn a_plan_names_each_fault_and_apply_heals_what_it_may() {
    let sections = "topics:\n  defaults: { partitions: 3, replication_factor: 1, config: { min.insync.replicas: 1, retention.ms: 86400000 } }";
    let cluster = Cluster::new(sections, &format!("max_body_bytes: 2MiB\n    {ROUTES}"));
    cluster.create("there", 3, &[("max.message.bytes", "4000000"), ("retention.ms", "86400000")]);
    cluster.create("small", 3, &[("retention.ms", "86400000"), ("segment.ms", "1234567")]);
    cluster.create("partitions", 1, &[("max.message.bytes", "4000000"), ("retention.ms", "5")]);

    let expected = pairs(&[
        ("topic_missing", "dead"),
        ("topic_missing", "missing"),
        ("too_few_partitions", "partitions"),
        ("settings_differ", "partitions"),
        ("max_message_bytes_too_small", "small"),
    ]);
    assert_eq!(cluster.faults(&["topics", "plan"]), expected);
    let done = cluster.run(&["topics", "plan"]);
    assert_eq!(done.code, 3, "there is something to do, and it heals everything: {done:?}");
    for said in [
        ": sources.shop.topics.b",
        "hookbridge.yaml:11:",
        "error: ",
        "hint: `hookbridge topics apply` creates it",
        &format!(
            "to do: create {}: partitions 3, replication factor 1, max.message.bytes=2162688",
            cluster.topic("missing")
        ),
        &format!("to do: configure {}: max.message.bytes 1048588 -> 2162688", cluster.topic("small")),
        "retention.ms 5 -> 86400000",
        "1 -> 3 (keys move to other partitions)",
    ] {
        assert!(done.stdout.contains(said), "{said}: {}", done.stdout);
    }

    let done = cluster.run(&["topics", "apply"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(cluster.faults(&["topics", "plan"]), pairs(&[("too_few_partitions", "partitions")]));
    assert_eq!(cluster.setting("small", "max.message.bytes"), "2162688");
    assert_eq!(cluster.setting("small", "segment.ms"), "1234567", "what is not named stays");
    assert_eq!(cluster.setting("partitions", "retention.ms"), "86400000");

    let done = cluster.run(&["topics", "apply"]);
    assert!(!done.stdout.contains("done:"), "partitions move keys, and are added only on request: {done:?}");
    let done = cluster.run(&["topics", "apply", "--allow-more-partitions"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("done: add partitions"), "{done:?}");
    for command in [&["topics", "plan"][..], &["topics", "apply", "--allow-more-partitions"]] {
        let (code, found) = cluster.json(command);
        assert_eq!(code, 0, "{found}");
        assert_eq!((&found["changes"], &found["done"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    }
}

#[test]
fn what_apply_can_not_heal_is_said_and_is_a_failure() {
    let sections = "topics:\n  defaults: { replication_factor: 1 }\n  named:\n    '{n}.wide': { replication_factor: 3 }\n    \
                    '{n}.small': { config: { max.message.bytes: 1000 } }\n    '{n}.strict': { partitions: 1 }";
    let routes = "topics: { a: '{n}.wide', b: '{n}.small', '*': '{n}.strict' }";
    let cluster = Cluster::new(sections, routes);
    cluster.create("dead", 1, &[]);
    cluster.create("strict", 2, &[("min.insync.replicas", "2")]);
    let expected = pairs(&[
        ("topic_missing", "small"),
        ("max_message_bytes_too_small", "small"),
        ("too_many_partitions", "strict"),
        ("min_insync_unreachable", "strict"),
        ("topic_missing", "wide"),
        ("too_few_brokers", "wide"),
    ]);
    assert_eq!(cluster.faults(&["topics", "plan"]), expected);
    assert_eq!(cluster.run(&["topics", "plan"]).code, 1);
    let done = cluster.run(&["topics", "apply"]);
    assert_eq!(done.code, 1, "{done:?}");
    for said in ["done: create", "a replication factor of 3 is wanted"] {
        assert!(done.stdout.contains(said), "{said}: {done:?}");
    }
    assert_eq!(cluster.setting("small", "max.message.bytes"), "1000", "as the file says");
}

#[test]
fn check_live_finds_the_same_and_writes_nothing() {
    let cluster =
        Cluster::new("topics:\n  defaults: { replication_factor: 1 }", "topics: { '*': '{n}.there' }");
    cluster.create("there", 2, &[("min.insync.replicas", "1")]);
    assert_eq!(cluster.faults(&["check", "--live"]), pairs(&[("topic_missing", "dead")]));
    cluster.create("dead", 1, &[("min.insync.replicas", "1")]);
    let done = cluster.run(&["check", "--live"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("everything that it needs is there"), "{done:?}");
    assert_eq!(read(&cluster.bootstrap, &cluster.topic("there")).len(), 0);
    assert_eq!(read(&cluster.bootstrap, &cluster.topic("dead")).len(), 0);
    // Without --live nobody is asked.
    cluster.write("", "topics: { '*': '{n}.nowhere' }");
    assert_eq!(cluster.run(&["check"]).code, 0);
}

#[test]
fn a_cluster_that_is_away_is_said_to_be() {
    let cluster = Cluster::at("127.0.0.1:9", "", "path: /a");
    for command in [&["topics", "plan"][..], &["topics", "apply"], &["check", "--live"]] {
        let (code, found) = cluster.json(command);
        assert_eq!(code, 1, "{found}");
        let kinds: Vec<&str> =
            found["faults"].as_array().expect("a list").iter().filter_map(|f| f["kind"].as_str()).collect();
        assert_eq!(kinds, ["kafka_unreachable"], "{found}");
    }
}

#[test]
fn a_schema_that_is_not_there_and_a_clock_that_is_behind_are_found() {
    let registry = super::support::registry::Registry::shared();
    let sections = format!(
        "schema_registry: {{ url: {} }}\ntopics: {{ defaults: {{ replication_factor: 1 }} }}",
        registry.url()
    );
    let cluster =
        Cluster::new(&sections, "topics: { '*': { topic: '{n}.there', schema: { format: json } } }");
    cluster.create(
        "there",
        1,
        &[("min.insync.replicas", "1"), ("message.timestamp.after.max.ms", "9223372036854775807")],
    );
    cluster.create("dead", 1, &[("min.insync.replicas", "1")]);
    let subject = format!("{}-value", cluster.topic("there"));
    assert_eq!(cluster.faults(&["check", "--live"]), pairs(&[("schema_unavailable", "there-value")]));
    registry.register(
        &subject,
        "JSON",
        &serde_json::json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object" }),
    );
    assert_eq!(cluster.faults(&["check", "--live"]), pairs(&[]));
    topics::write_at(&cluster.bootstrap, &cluster.topic("there"), super::support::unix_millis() + 3_600_000);
    assert_eq!(cluster.faults(&["check", "--live"]), pairs(&[("clock_behind", "there")]));
}

#[test]
fn serve_says_what_is_wrong_and_what_no_longer_is() {
    let cluster =
        Cluster::new("topics: { defaults: { replication_factor: 1 } }", "topics: { '*': '{n}.late' }");
    cluster.create("dead", 1, &[("min.insync.replicas", "1")]);
    let bridge = Bridge::start_from(&cluster.file(), &[]);
    bridge.wait_until_ready();
    let message = "preflight: something is wrong";
    let line = eventually(SOON, "the fault is in the log", || bridge.log().find(message, |_| true));
    assert_eq!((&line["kind"], &line["subject"]), (&"topic_missing".into(), &cluster.topic("late").into()));
    assert!(
        line["needed_by"].as_str().is_some_and(|lines| lines.contains("line 9: sources.shop.topics")),
        "{line}"
    );
    assert_eq!(bridge.metric("hookbridge_preflight_faults", &["error"]), Some(1.0));
    assert_eq!(bridge.readyz(), Some(200), "the service goes on");
    cluster.create("late", 1, &[("min.insync.replicas", "1")]);
    // A reload looks again at once.
    cluster.write(
        "topics: { defaults: { replication_factor: 1 } }",
        "key: body_sha256\n    topics: { '*': '{n}.late' }",
    );
    eventually(SOON, "the fault is gone", || bridge.log().find("preflight: no longer so", |_| true));
    eventually(SOON, "the gauge is 0", || {
        (bridge.metric("hookbridge_preflight_faults", &["error"]) == Some(0.0)).then_some(())
    });
}

#[test]
fn topics_are_created_only_if_the_configuration_says_so() {
    let sections = "topics: { create_missing: true, defaults: { partitions: 2, replication_factor: 1, config: { min.insync.replicas: 1 } } }";
    let cluster = Cluster::new(sections, "topics: { '*': '{n}.made' }");
    let bridge = Bridge::start_from(&cluster.file(), &[]);
    for name in ["made", "dead"] {
        let topic = cluster.topic(name);
        let created = "topic created, as `topics.create_missing` says";
        eventually(SOON, "the topic is created", || {
            bridge.log().find(created, |line| line["topic"] == topic.as_str())
        });
        assert_eq!(cluster.setting(name, "min.insync.replicas"), "1");
    }
    eventually(SOON, "an event is taken", || {
        let answer = super::support::http::send(
            bridge.public(),
            &super::support::http::Request::post("/webhooks/shop", b"{}"),
        );
        (answer.status == 200).then_some(())
    });
    assert_eq!(read(&cluster.bootstrap, &cluster.topic("made")).len(), 1);
}
