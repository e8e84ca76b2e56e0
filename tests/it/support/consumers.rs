//! What the tests of consumers in Java share.
//!
//! Takes a Maven project of this repository, a topic, keys. Gives what the project was built to, records that Kafka's own
//! Java producer has written, and what a consumer sees of a topic that is written in transactions.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::duplicates::Sent;
use super::kafka;
use super::topics::Record;
use super::wait::eventually;

const ASK_FOR: Duration = Duration::from_secs(10);

/// An open transaction of a producer that was killed hides what comes after it until it is aborted: for Kafka Streams
/// after ten seconds, which the broker looks at every ten seconds.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// Builds a Maven project of this repository, and gives the directory with what that made.
pub(crate) fn java_kit(project: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/java-kit");
    let output =
        Command::new(script).arg(project).stdin(Stdio::null()).output().expect("run scripts/java-kit");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/java-kit {project}: {}\n{said}", output.status);
    PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim_end())
}

/// Runs a jar: a quick start matters more than speed later on.
pub(crate) fn java(jar: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-jar"]);
    command.arg(jar);
    command
}

/// Lines for [`produce_with_java`]: for each message, a record of another application with the same key.
pub(crate) fn orders<'a>(messages: impl IntoIterator<Item = &'a Sent>) -> String {
    let messages = messages.into_iter().enumerate();
    messages.map(|(number, message)| format!("{}\t{{\"n\":{number}}}\n", message.id)).collect()
}

/// Sends lines of key, tab and value with the console producer of Apache Kafka: a Java producer as it comes, with its own
/// choice of partition.
pub(crate) fn produce_with_java(bootstrap: &str, topic: &str, lines: &str) {
    let java = kafka::java("org.apache.kafka.tools.ConsoleProducer");
    let mut producer = Command::new(&java[0])
        .args(&java[1..])
        .args(["--bootstrap-server", bootstrap, "--topic", topic])
        .args(["--reader-property", "parse.key=true", "--reader-property", "key.separator=\t"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run java");
    let mut stdin = producer.stdin.take().expect("a pipe");
    // It says next to nothing, so that its own pipes can't fill meanwhile.
    stdin.write_all(lines.as_bytes()).expect("write to the producer");
    drop(stdin);
    let output = producer.wait_with_output().expect("wait for the producer");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("ERROR"), "the producer in Java: {said}");
}

/// Everything that has been committed to a topic by now, in the order of each partition.
pub(crate) fn read_committed(bootstrap: &str, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "hookbridge-tests")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "50")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), ASK_FOR).expect("the topic's metadata");
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        partitions
            .add_partition_offset(topic, partition.id(), Offset::Beginning)
            .expect("assign a partition");
    }
    consumer.assign(&partitions).expect("assign the partitions");
    let mut missing = partitions.count();
    let mut records = Vec::new();
    eventually(READ_WITHIN, &format!("the end of {topic}"), || {
        while missing > 0 {
            match consumer.poll(Duration::from_millis(200))? {
                Ok(message) => records.push(Record::of(&message)),
                Err(KafkaError::PartitionEOF(_)) => missing -= 1,
                Err(error) => eprintln!("reading {topic}: {error}"),
            }
        }
        Some(())
    });
    records
}

/// The keys of records.
pub(crate) fn keys(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| record.key.clone()).collect()
}

/// Fails unless every order lies in the partition that the events of its key lie in.
#[track_caller]
pub(crate) fn assert_co_partitioned(events: &[Record], orders: &[Record]) {
    let at: BTreeMap<&str, i32> = orders.iter().map(|order| (order.key.as_str(), order.partition)).collect();
    for event in events {
        assert_eq!(Some(&event.partition), at.get(event.key.as_str()), "the partition of {:?}", event.key);
    }
}

/// A message whose ID is of one of the kinds that there are: numbers, as JSON and as text, one character, UUID-like,
/// far from ASCII, with odd characters, as long as may be.
pub(crate) fn any_message(number: usize) -> Sent {
    const LONGEST: usize = 256;
    let (id, json) = match number {
        0 => (" ".to_owned(), None),
        1 => ("0".to_owned(), None),
        2 => ("\u{1f980}".to_owned(), None),
        _ => match number % 6 {
            0 => (format!("{}", 9_007_199_254_740_993 + number), Some(())),
            1 => (format!("{number:05}"), None),
            2 => (format!("{number:08x}-0000-4000-8000-000000000000"), None),
            3 => (format!("Größe \u{65e5}\u{672c} \u{1f9fe} {number}"), None),
            4 => (format!(" a=b;/{number}?#%00&:'|,{{}}\u{a0}"), None),
            _ => (format!("{number:x<LONGEST$}"), None),
        },
    };
    let event_type = ["order.paid", "order.cancelled", "attendee.créé", "odd type/+%41"][number * 7 % 4];
    let written = if json.is_some() { id.clone() } else { format!("\"{id}\"") };
    let body = format!(r#"{{"id":{written}, "type":"{event_type}","amount":1.000,"n":{number}}}"#);
    Sent { id, event_type: event_type.to_owned(), body: body.into_bytes() }
}
