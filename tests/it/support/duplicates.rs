//! What the example consumers are tried with: signed events through the real executable, a fifth of them delivered
//! again, and a consumer that is killed in the middle.
//!
//! Takes a scene, a way to start the consumer, and a way to read the keys of what it has done. Proves that each
//! acknowledged message was worked off exactly once: after a kill -9 in the middle, and when all of the topic is
//! read again. What else the results must say is left to the consumer's own test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::bridge::{Log, signal, wait_for_end};
use super::http::Connection;
use super::scene::Scene;
use super::unique;
use super::wait::eventually;

/// For a consumer to do what is expected of it, on cores that are busy with everything else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

const ASK_FOR: Duration = Duration::from_secs(10);

/// One message: what its sender gives it as ID and type, and the body.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) event_type: String,
    pub(crate) body: Vec<u8>,
}

/// Messages, and the order in which they are delivered: of five deliveries one is a repeat.
#[derive(Debug)]
pub(crate) struct Deliveries {
    messages: Vec<Sent>,
    order: Vec<usize>,
}

impl Deliveries {
    /// `count` messages, which must be a multiple of eight. Every fourth comes twice: one half of the repeats at once,
    /// as when an answer was lost, the other after half of all messages, as when a provider tries again later.
    pub(crate) fn of(count: usize, message: impl Fn(usize) -> Sent) -> Deliveries {
        assert_eq!(count % 8, 0, "so that a fifth is exact");
        let mut order = Vec::new();
        for index in 0..count {
            order.push(index);
            if index % 8 == 3 {
                order.push(index);
            }
            if let Some(earlier) = index.checked_sub(count / 2).filter(|earlier| earlier % 8 == 7) {
                order.push(earlier);
            }
        }
        order.extend((count / 2..count).filter(|index| index % 8 == 7));
        assert_eq!(order.len() * 4, count * 5, "a fifth of the deliveries are repeats");
        Deliveries { messages: (0..count).map(message).collect(), order }
    }

    /// Delivers all, signed anew each time as a provider's retry is, and sees each acknowledged.
    pub(crate) fn send(&self, scene: &Scene) {
        self.send_part(scene, 0..1, 1);
    }

    /// Delivers some of them: these of so many parts.
    fn send_part(&self, scene: &Scene, these: Range<usize>, parts: usize) {
        let at = |part: usize| part * self.order.len() / parts;
        let mut connection = Connection::open(scene.bridge.public());
        for index in &self.order[at(these.start)..at(these.end)] {
            let Sent { id, body, .. } = &self.messages[*index];
            connection.exchange(&scene.request(id, body)).assert_received();
        }
    }

    /// All messages, by their ID.
    pub(crate) fn messages(&self) -> BTreeMap<&str, &Sent> {
        self.messages.iter().map(|message| (message.id.as_str(), message)).collect()
    }

    /// The topic holds every delivery: otherwise a consumer that does not dedupe at all would pass.
    pub(crate) fn assert_in_topic(&self, scene: &Scene) {
        let records = scene.records();
        assert_eq!(records.len(), self.order.len(), "records in {}", scene.topic);
        let mut keys: Vec<_> = records.iter().map(|record| record.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys, self.messages().into_keys().collect::<Vec<_>>());
    }

    /// Each message is among the results, once.
    #[track_caller]
    pub(crate) fn assert_once_each(&self, when: &str, mut keys: Vec<String>) {
        keys.sort_unstable();
        assert_eq!(keys, self.messages().into_keys().collect::<Vec<_>>(), "results {when}");
    }
}

/// A process of an example, with what it says.
pub(crate) struct Process {
    child: Child,
    name: String,
    pub(crate) stdout: Log,
    stderr: Log,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        let name = command.get_program().display().to_string();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("run {name}: {error}"));
        let stdout = Log::follow(child.stdout.take().expect("a pipe"));
        let stderr = Log::follow(child.stderr.take().expect("a pipe"));
        Process { child, name, stdout, stderr }
    }

    /// Waits until there is something to see; the process must not end before.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut look: impl FnMut(&Process) -> Option<T>) -> T {
        eventually(PATIENCE, what, || {
            if let Some(status) = self.child.try_wait().expect("ask for the process's state") {
                panic!("{} ended ({status}) instead of this: {what}", self.name);
            }
            look(self)
        })
    }

    /// kill -9: it can't put anything in order.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kill the process");
        self.child.wait().expect("wait for its end");
    }

    /// Ends it in order.
    pub(crate) fn terminate(mut self) {
        signal(&self.child, "TERM");
        let status = wait_for_end(&mut self.child, PATIENCE);
        assert!(status.success(), "the end of {}: {status}\n{}", self.name, self.stderr.text());
    }

    /// Waits until it has given up, and gives what it said on standard error.
    pub(crate) fn fails(mut self) -> String {
        let status = wait_for_end(&mut self.child, PATIENCE);
        assert!(!status.success(), "{} did not fail\n{}", self.name, self.stderr.text());
        self.stderr.text()
    }

    /// What it has said on standard error.
    pub(crate) fn log(&self) -> String {
        self.stderr.text()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- {}\n{}\n{}\n----", self.name, self.stdout.text(), self.stderr.text());
        }
        // Errors here mean only that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prepares a consumer of `examples/`, and gives its executable or interpreter.
pub(crate) fn example(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/example");
    let output = Command::new(script).arg(name).stdin(Stdio::null()).output().expect("run scripts/example");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/example {name}: {}\n{said}", output.status);
    PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim_end())
}

/// Whether a consumer group has committed everything that is in the topic.
pub(crate) fn has_consumed(bootstrap: &str, group: &str, topic: &str) -> bool {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .create()
        .expect("a consumer");
    let Ok(metadata) = consumer.fetch_metadata(Some(topic), ASK_FOR) else { return false };
    let mut asked = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        asked.add_partition(topic, partition.id());
    }
    let Ok(committed) = consumer.committed_offsets(asked, ASK_FOR) else { return false };
    committed.elements().iter().all(|at| {
        let Ok((_, end)) = consumer.fetch_watermarks(topic, at.partition(), ASK_FOR) else { return false };
        end == 0 || at.offset() == Offset::Offset(end)
    })
}

/// Sends `deliveries` while a consumer runs, kills it in the middle, starts it again, and lets it read all of the topic
/// a second time. `start` gets the consumer's group; `keys` reads the results, each with its message's key. Offsets are
/// committed after the work: so once they are, the results must be there.
pub(crate) fn prove_exactly_once(
    scene: &Scene,
    deliveries: &Deliveries,
    start: impl Fn(&str) -> Process,
    keys: impl Fn() -> Vec<String>,
) {
    let group = unique("consumers");
    let some = deliveries.messages.len() / 4;
    let mut consumer = start(&group);
    thread::scope(|scope| {
        let sender = scope.spawn(|| deliveries.send(scene));
        consumer.wait_for("some results", |_| (keys().len() >= some).then_some(()));
        consumer.kill();
        sender.join().expect("everything was sent");
    });
    deliveries.assert_in_topic(scene);

    consumer = start(&group);
    let consumed = |group: &str| has_consumed(&scene.bootstrap, group, &scene.topic).then_some(());
    consumer.wait_for("everything is consumed", |_| consumed(&group));
    deliveries.assert_once_each("after a kill", keys());
    consumer.terminate();

    // As if the offsets were lost: each record comes again.
    let group = unique("consumers-again");
    consumer = start(&group);
    consumer.wait_for("everything is consumed again", |_| consumed(&group));
    deliveries.assert_once_each("after everything came again", keys());
    consumer.terminate();
}

/// What can't be done is not committed either. `results` is where a consumer of all of the topic writes a file for each
/// partition, which it can't at first.
pub(crate) fn prove_work_before_commit(
    scene: &Scene,
    deliveries: &Deliveries,
    results: &Path,
    start: impl Fn(&str) -> Process,
    keys: impl Fn() -> Vec<String>,
) {
    let group = unique("consumers-blocked");
    let partitions: BTreeSet<i32> = scene.records().iter().map(|record| record.partition).collect();
    let file = |partition| results.join(format!("{}-{partition}.jsonl", scene.topic));
    for partition in &partitions {
        fs::create_dir_all(file(partition)).expect("a directory in the way");
    }
    start(&group).fails();
    for partition in &partitions {
        fs::remove_dir(file(partition)).expect("take it out of the way");
    }
    let mut consumer = start(&group);
    let consumed = || has_consumed(&scene.bootstrap, &group, &scene.topic).then_some(());
    consumer.wait_for("everything is consumed", |_| consumed());
    deliveries.assert_once_each("after it could not write", keys());
    consumer.terminate();
}

/// How many members a group has; none while partitions are on the move.
fn members(bootstrap: &str, group: &str) -> Option<usize> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("a consumer");
    let groups = consumer.fetch_group_list(Some(group), ASK_FOR).ok()?;
    let found = groups.groups().iter().find(|found| found.name() == group && found.state() == "Stable");
    found.map(|found| found.members().len())
}

/// A second consumer comes while the first is at work, and goes again, so that partitions move to and fro: still each message
/// once. Neither has a name in the group, so that it leaves when it ends.
pub(crate) fn prove_moves(
    scene: &Scene,
    deliveries: &Deliveries,
    start: impl Fn(&str) -> Process,
    keys: impl Fn() -> Vec<String>,
) {
    let group = unique("consumers-moving");
    let mut first = start(&group);
    first.wait_for("one member", |_| (members(&scene.bootstrap, &group)? == 1).then_some(()));
    deliveries.send_part(scene, 0..1, 4);
    let mut second = thread::scope(|scope| {
        scope.spawn(|| deliveries.send_part(scene, 1..2, 4));
        start(&group)
    });
    second.wait_for("two members", |_| (members(&scene.bootstrap, &group)? == 2).then_some(()));
    deliveries.send_part(scene, 2..3, 4);
    thread::scope(|scope| {
        scope.spawn(|| deliveries.send_part(scene, 3..4, 4));
        second.terminate();
    });
    deliveries.assert_in_topic(scene);
    let consumed = || has_consumed(&scene.bootstrap, &group, &scene.topic).then_some(());
    first.wait_for("everything is consumed", |_| consumed());
    deliveries.assert_once_each("after partitions have moved", keys());
    first.terminate();
}
