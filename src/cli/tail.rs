//! Follows topics and prints every record, as `dev` shows them.
//!
//! Takes the client's properties and topics. Reads each partition from its present end, in a thread of its own,
//! and prints topic, partition, offset, key, headers and value.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::topic::TopicName;

const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(100);
const POLL_TIMEOUT: Duration = Duration::from_millis(200);
/// Longer values are cut when they are shown; nothing else about them is.
const SHOWN_BYTES: usize = 2000;

/// A thread that prints records.
pub(super) struct Tail {
    shown: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Tail {
    /// Starts at the present end of `topics`, all of which exist.
    pub(super) fn start(mut config: ClientConfig, topics: &[TopicName]) -> KafkaResult<Self> {
        config.set("group.id", "hookbridge-dev").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        for topic in topics {
            for (partition, end) in patiently(|| ends(&consumer, topic))? {
                assignment.add_partition_offset(topic.as_str(), partition, Offset::Offset(end))?;
            }
        }
        consumer.assign(&assignment)?;
        let (shown, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped) = (Arc::clone(&shown), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    match consumer.poll(POLL_TIMEOUT) {
                        Some(Ok(record)) => {
                            print(&record);
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        Some(Err(error)) => tracing::warn!(%error, "the topics can't be read at present"),
                        None => {}
                    }
                }
            })
            .map_err(|error| KafkaError::ClientCreation(format!("the reader's thread: {error}")))?;
        Ok(Self { shown, stop, thread })
    }

    /// Records printed so far.
    pub(super) fn shown(&self) -> usize {
        self.shown.load(Ordering::Relaxed)
    }

    /// Ends the thread.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::warn!("the reader of the topics ended with a panic");
        }
    }
}

/// The partitions of `topic`, and where each ends.
fn ends(consumer: &BaseConsumer, topic: &TopicName) -> KafkaResult<Vec<(i32, i64)>> {
    let metadata = consumer.fetch_metadata(Some(topic.as_str()), METADATA_TIMEOUT)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let mut ends = Vec::new();
    for partition in partitions {
        let (_, end) = consumer.fetch_watermarks(topic.as_str(), partition.id(), METADATA_TIMEOUT)?;
        ends.push((partition.id(), end));
    }
    match ends.is_empty() {
        true => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)),
        false => Ok(ends),
    }
}

/// A topic that has just been created is not known, and has no leader, for a moment.
fn patiently<T>(ask: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    let deadline = Instant::now() + METADATA_TIMEOUT;
    loop {
        match ask() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(ASK_AGAIN),
            answer => return answer,
        }
    }
}

fn print(record: &BorrowedMessage<'_>) {
    let mut out = String::new();
    let key = String::from_utf8_lossy(record.key().unwrap_or_default());
    out.push_str(&format!(
        "\n{} partition {} offset {}\n  key      {}\n",
        record.topic(),
        record.partition(),
        record.offset(),
        clean(&key)
    ));
    for header in record.headers().into_iter().flat_map(|headers| headers.iter()) {
        let value = String::from_utf8_lossy(header.value.unwrap_or_default());
        out.push_str(&format!("  header   {}: {}\n", header.key, clean(&value)));
    }
    let value = record.payload().unwrap_or_default();
    let shown = String::from_utf8_lossy(&value[..value.len().min(SHOWN_BYTES)]);
    let more =
        if value.len() > SHOWN_BYTES { format!(" ... ({} octets)", value.len()) } else { String::new() };
    out.push_str(&format!("  value    {}{more}\n", clean(&shown)));
    // A closed pipe is no reason to end the service.
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
}

/// What a sender wrote must not steer the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}
