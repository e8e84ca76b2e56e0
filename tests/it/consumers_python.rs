//! examples/python: each of EventsAir's thin events enriched once, by a GraphQL API that fails now and then.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::support::duplicates::{
    Deliveries, Process, Sent, example, has_consumed, prove_exactly_once, prove_moves,
};
use super::support::scene::{Plan, Scene};
use super::support::unique;

const TYPES: [&str; 3] =
    ["Event.Registration.Created", "Event.Registration.Updated", "Event.Registration.Cancelled"];

/// Reads the tables of the database that the consumer writes, whether it runs or not.
const READ: &str = r#"
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.row_factory = sqlite3.Row
tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
wanted = ["registrations", "dead_ends"]
rows = [dict(row, table=table) for table in wanted if table in tables for row in db.execute(f"SELECT * FROM {table}")]
print(json.dumps(rows))
"#;

fn rows(python: &Path, database: &Path) -> Vec<Value> {
    if !database.exists() {
        return Vec::new();
    }
    let output = Command::new(python).args(["-c", READ]).arg(database).output().expect("run python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Of twelve one is unknown to the API, one makes it fail, and one names no registration.
fn message(number: usize) -> Sent {
    let event_type = TYPES[number % 3].to_owned();
    let registration = match number % 12 {
        5 => format!("gone-{number}"),
        6 => format!("broken-{number}"),
        _ => format!("reg-{number}"),
    };
    let name = if number % 12 == 7 { "somethingElse" } else { "registrationId" };
    let body = format!(
        r#"{{"type":"{event_type}","data":{{"eventId":"ev-{}","{name}":"{registration}","correlationId":"c"}}}}"#,
        number % 4
    );
    Sent { id: format!("msg_{number}"), event_type, body: body.into_bytes() }
}

fn assert_enriched(row: &Value) {
    let key = row["key"].as_str().expect("a key");
    let number: usize = key.strip_prefix("msg_").and_then(|number| number.parse().ok()).expect("a number");
    assert_eq!(row["type"], TYPES[number % 3], "{row}");
    let reason = match number % 12 {
        5 => "the API knows no registration",
        6 => "the API answers 500",
        7 => "no eventId and registrationId in it",
        _ => {
            assert_eq!(row["table"], "registrations", "{row}");
            assert_eq!(row["first_name"], format!("First reg-{number}"), "{row}");
            assert_eq!(row["last_name"], format!("Last reg-{number}"), "{row}");
            assert_eq!(row["event_name"], format!("Event ev-{}", number % 4), "{row}");
            assert!(
                ["Early", "Regular", "Staff"].iter().any(|kind| row["registration_type"] == *kind),
                "{row}"
            );
            return;
        }
    };
    assert_eq!(row["table"], "dead_ends", "{row}");
    assert!(row["reason"].as_str().is_some_and(|text| text.starts_with(reason)), "{row}");
}

/// A consumer, with its Python, its results and the API that it asks.
struct Setup {
    python: PathBuf,
    dir: TempDir,
}

impl Setup {
    fn new() -> Setup {
        Setup { python: example("python"), dir: tempfile::tempdir().expect("a directory") }
    }

    fn run(&self, file: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python").join(file));
        command
    }

    /// Starts the stub, at this port; 0 takes a free one. Gives its address.
    fn stub(&self, port: &str) -> (Process, String) {
        let mut stub = Process::start(self.run("stub.py").args(["--port", port]));
        let said = |stub: &Process| stub.stdout.text().lines().next().map(str::to_owned);
        let url = stub.wait_for("the stub's address", said);
        (stub, url)
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("results.sqlite")
    }

    fn consumer(&self, scene: &Scene, url: &str, group: &str, instance: Option<&str>) -> Process {
        let mut command = self.run("consumer.py");
        command.args(["--bootstrap", &scene.bootstrap, "--group", group]);
        command.args(instance.map(|name| format!("--instance={name}")));
        command.args(["--topics", &scene.topic, "--graphql", &format!("{url}/graphql")]);
        command.args(["--token-url", &format!("{url}/token"), "--attempts", "3", "--database"]);
        command.arg(self.database());
        command.env("EVENTSAIR_CLIENT_ID", "client").env("EVENTSAIR_CLIENT_SECRET", "secret");
        Process::start(&mut command)
    }

    fn rows(&self) -> Vec<Value> {
        rows(&self.python, &self.database())
    }

    fn keys(&self) -> Vec<String> {
        self.rows().iter().map(|row| row["key"].as_str().expect("a key").to_owned()).collect()
    }
}

#[test]
fn the_python_consumer_enriches_each_event_once() {
    let setup = Setup::new();
    let (_stub, url) = setup.stub("0");
    let scene = Plan::of("eventsair").partitions(3).start();
    let deliveries = Deliveries::of(240, message);
    let start = |group: &str| setup.consumer(&scene, &url, group, Some("one"));
    prove_exactly_once(&scene, &deliveries, start, || setup.keys());
    setup.rows().iter().for_each(assert_enriched);
}

#[test]
fn the_python_consumer_waits_for_an_api_that_is_away() {
    let setup = Setup::new();
    let (stub, url) = setup.stub("0");
    stub.kill();
    let scene = Plan::of("eventsair").partitions(3).start();
    let deliveries = Deliveries::of(40, message);
    deliveries.send(&scene);
    let group = unique("consumers");
    let mut consumer = setup.consumer(&scene, &url, &group, Some("one"));
    consumer.wait_for("it waits", |consumer| consumer.log().contains("waiting for the API").then_some(()));
    // What it waits for is not committed: another one begins with it.
    consumer.kill();
    assert_eq!(setup.rows(), Vec::<Value>::new());
    let mut consumer = setup.consumer(&scene, &url, &group, Some("one"));
    consumer.wait_for("it waits", |consumer| consumer.log().contains("waiting for the API").then_some(()));
    let port = url.rsplit(':').next().expect("a port");
    let (_stub, _) = setup.stub(port);
    let consumed = || has_consumed(&scene.bootstrap, &group, &scene.topic).then_some(());
    consumer.wait_for("everything is consumed", |_| consumed());
    deliveries.assert_once_each("once the API is there", setup.keys());
    setup.rows().iter().for_each(assert_enriched);
    consumer.terminate();
}

#[test]
fn python_consumers_share_a_topic() {
    let setup = Setup::new();
    let (_stub, url) = setup.stub("0");
    let scene = Plan::of("eventsair").partitions(3).start();
    // Without dead ends, which take their time.
    let deliveries = Deliveries::of(400, |number| message(number * 12));
    let start = |group: &str| setup.consumer(&scene, &url, group, None);
    prove_moves(&scene, &deliveries, start, || setup.keys());
    setup.rows().iter().for_each(assert_enriched);
}
