//! Topics: created before a test, and read back from their first record after it.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::wait::{SOON, eventually};

const ASK_FOR: Duration = Duration::from_secs(10);
const POLL_FOR: Duration = Duration::from_millis(200);

/// A record, as a consumer sees it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) timestamp_ms: i64,
}

impl Record {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Record {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Record {
            partition: message.partition(),
            key: String::from_utf8(message.key().expect("a key").to_vec()).expect("a key in UTF-8"),
            // An empty body must not become a tombstone.
            value: message.payload().expect("a value that is not null").to_vec(),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.expect("a header's value").to_vec()))
                .collect(),
            timestamp_ms: message.timestamp().to_millis().expect("a timestamp"),
        }
    }

    /// The value of a header that is there at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "the header {name} is there twice: {self:?}");
        Some(std::str::from_utf8(value).expect("a header in UTF-8"))
    }
}

/// Creates a topic.
pub(crate) fn create(bootstrap: &str, topic: &str, partitions: i32, config: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("an admin client");
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in config {
        new = new.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(SOON)).request_timeout(Some(SOON));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let created = runtime.block_on(admin.create_topics([&new], &options)).expect("ask for a topic");
    for topic in created {
        topic.unwrap_or_else(|(topic, why)| panic!("create the topic {topic}: {why}"));
    }
}

/// Everything that is in a topic now, in the order of each partition.
pub(crate) fn read(bootstrap: &str, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "hookbridge-tests")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "50")
        // A record that is there and can't be had is a failure, not something to wait for.
        .set("auto.offset.reset", "error")
        .create()
        .expect("a consumer");
    let partitions = eventually(SOON, &format!("the partitions of {topic}"), || {
        let metadata = consumer.fetch_metadata(Some(topic), ASK_FOR).ok()?;
        let partitions = metadata.topics().first()?.partitions().iter();
        let ids: Vec<i32> = partitions.map(|partition| partition.id()).collect();
        (!ids.is_empty()).then_some(ids)
    });
    let mut assignment = TopicPartitionList::new();
    let mut missing = 0;
    for partition in partitions {
        let (low, high) = eventually(SOON, &format!("the ends of {topic}/{partition}"), || {
            consumer.fetch_watermarks(topic, partition, ASK_FOR).ok()
        });
        missing += usize::try_from(high - low).expect("ends in their order");
        assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("assign a partition");
    }
    consumer.assign(&assignment).expect("assign the partitions");
    let mut records = Vec::with_capacity(missing);
    eventually(SOON, &format!("{missing} records of {topic}"), || {
        // Without a transaction there is a record at every offset.
        while records.len() < missing {
            match consumer.poll(POLL_FOR)? {
                Ok(message) => records.push(Record::of(&message)),
                Err(error) => eprintln!("reading {topic}: {error}"),
            }
        }
        Some(())
    });
    records
}

/// Reads a topic again and again until it holds what is wanted.
pub(crate) fn read_until(
    bootstrap: &str,
    topic: &str,
    within: Duration,
    enough: impl Fn(&[Record]) -> bool,
) -> Vec<Record> {
    eventually(within, &format!("what is wanted of {topic}"), || {
        let records = read(bootstrap, topic);
        enough(&records).then_some(records)
    })
}

/// Writes one record with a timestamp of its own.
pub(crate) fn write_at(bootstrap: &str, topic: &str, timestamp_ms: u64) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("a producer");
    let timestamp = i64::try_from(timestamp_ms).expect("a timestamp");
    let record = BaseRecord::to(topic).key("k").payload("v").timestamp(timestamp);
    producer.send(record).map_err(|(error, _)| error).expect("enqueue a record");
    producer.flush(SOON).expect("deliver a record");
}
