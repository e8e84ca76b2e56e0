//! examples/pyspark: structured streaming, each message once, and counts by type.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::duplicates::{Deliveries, Process, example};
use super::support::ledgers::message;
use super::support::scene::Plan;
use super::support::wait::eventually;

/// A start takes 20 s on an idle machine, and each batch some seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// The messages in the batches that are whole.
fn events(results: &Path) -> Vec<Value> {
    let entries = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let mut batches = entries(&results.join("events"));
    batches.retain(|batch| batch.join("_SUCCESS").exists());
    let files = batches.iter().flat_map(|batch| entries(batch));
    let parts = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    let texts: Vec<String> = parts.map(|file| fs::read_to_string(file).unwrap_or_default()).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn keys(results: &Path) -> Vec<String> {
    events(results).iter().map(|event| event["key"].as_str().expect("a key").to_owned()).collect()
}

fn counts(results: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(results.join("counts.json")).ok()?).ok()
}

#[test]
#[ignore = "heavy (PySpark: 500 MB, two minutes): scripts/test --all"]
fn the_pyspark_job_counts_each_message_once() {
    let venv = example("pyspark").parent().and_then(Path::parent).expect("the environment").to_owned();
    let jars =
        fs::read_dir(venv.join("connector")).expect("the connector").map(|jar| jar.expect("a jar").path());
    let jars: Vec<String> = jars.map(|jar| jar.display().to_string()).collect();
    let scene = Plan::of("svix").partitions(3).start();
    let dir = tempfile::tempdir().expect("a directory");
    let results = dir.path().join("results");
    let start = || {
        let mut command = Command::new(venv.join("bin/spark-submit"));
        command.args(["--master", "local[2]", "--driver-memory", "1g", "--jars", &jars.join(",")]);
        command.args(["--conf", "spark.sql.shuffle.partitions=2", "--conf", "spark.ui.enabled=false"]);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pyspark/job.py"));
        command.args(["--bootstrap", &scene.bootstrap, "--topics", &scene.topic, "--every", "1 second"]);
        command.arg("--results").arg(&results);
        command.env("PYSPARK_PYTHON", venv.join("bin/python")).env_remove("SPARK_HOME");
        Process::start(&mut command)
    };

    let deliveries = Deliveries::of(240, message);
    let job = start();
    thread::scope(|scope| {
        let sender = scope.spawn(|| deliveries.send(&scene));
        eventually(PATIENCE, "some results", || (keys(&results).len() >= 24).then_some(()));
        job.kill();
        sender.join().expect("everything was sent");
    });
    deliveries.assert_in_topic(&scene);

    // The same again: by now each message has come two or four times.
    let job = start();
    deliveries.send(&scene);
    scene.send(&scene.event_of("the.last", "msg_last")).assert_received();
    let mut expected = BTreeMap::from([("the.last", 1)]);
    for message in deliveries.messages().values() {
        *expected.entry(message.event_type.as_str()).or_insert(0) += 1;
    }
    eventually(PATIENCE, "the last message, and its count", || {
        let there = keys(&results).iter().any(|key| key == "msg_last");
        let counted = counts(&results)?["the.last"] == 1;
        (there && counted).then_some(())
    });
    let all = keys(&results).into_iter().filter(|key| key != "msg_last").collect();
    deliveries.assert_once_each("after a kill", all);
    assert_eq!(counts(&results), Some(json!(expected)));
    job.kill();
}
