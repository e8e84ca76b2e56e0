//! Reads a topic from one offset to another, a partition after the other.
//!
//! Takes the configuration's connection and a topic. Gives its records, in each partition's order, up to the end that the
//! topic had at the start; and commits how far they have been dealt with. Every question has a deadline.

use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message as _;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::letter::Letter;
use crate::config::Config;
use crate::topic::TopicName;

/// How long Kafka may take to answer a question, and to give the next record.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const NEXT_RECORD_WITHIN: Duration = Duration::from_secs(30);
/// A topic that has just been created is not known everywhere for a moment.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);
const POLL_TIMEOUT: Duration = Duration::from_millis(200);
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Octets that are read ahead, in KiB.
const READ_AHEAD_KIB: &str = "16384";

/// Some of a partition: from the first offset to the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) partition: i32,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// A reader of one topic.
pub(super) struct Reader {
    /// To end it in order could wait for a broker that is away, and the process is about to end.
    consumer: ManuallyDrop<BaseConsumer>,
    topic: TopicName,
}

impl Reader {
    /// Nothing is asked yet.
    pub(super) fn new(config: &Config, topic: &TopicName, group: &str) -> Result<Self, String> {
        let mut client = config.kafka.client_config();
        // What is said of producers alone means nothing here.
        client.set_log_level(RDKafkaLogLevel::Emerg);
        client
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            .set("queued.max.messages.kbytes", READ_AHEAD_KIB);
        let consumer: BaseConsumer =
            client.create().map_err(|error| format!("the kafka consumer can't be set up: {error}"))?;
        Ok(Self { consumer: ManuallyDrop::new(consumer), topic: topic.clone() })
    }

    /// What each partition, or only one, holds now.
    pub(super) fn spans(&self, only: Option<i32>) -> Result<Vec<Span>, String> {
        let deadline = Instant::now() + KNOWN_WITHIN;
        let partitions = loop {
            match self.partitions() {
                Ok(partitions) if !partitions.is_empty() => break partitions,
                Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)) | Ok(_)
                    if Instant::now() < deadline =>
                {
                    std::thread::sleep(ASK_AGAIN);
                }
                Ok(_) => return Err(format!("the topic {} does not exist, or may not be read", self.topic)),
                Err(error) => return Err(self.cannot(error)),
            }
        };
        if let Some(only) = only.filter(|only| !partitions.contains(only)) {
            let count = partitions.len();
            return Err(format!("the topic {} has no partition {only}; it has {count}", self.topic));
        }
        let wanted = partitions.into_iter().filter(|partition| only.is_none_or(|only| only == *partition));
        let span = |partition| {
            let ends = self.consumer.fetch_watermarks(self.topic.as_str(), partition, ANSWER_WITHIN);
            ends.map(|(from, to)| Span { partition, from, to }).map_err(|error| self.cannot(error))
        };
        wanted.map(span).collect()
    }

    fn partitions(&self) -> KafkaResult<Vec<i32>> {
        let metadata = self.consumer.fetch_metadata(Some(self.topic.as_str()), ANSWER_WITHIN)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        Ok(partitions.map(|partition| partition.id()).collect())
    }

    /// Lets each span begin where the group's last run ended.
    pub(super) fn go_on(&self, spans: &mut [Span]) -> Result<(), String> {
        let mut asked = TopicPartitionList::new();
        for span in spans.iter() {
            asked.add_partition(self.topic.as_str(), span.partition);
        }
        let committed = self
            .consumer
            .committed_offsets(asked, ANSWER_WITHIN)
            .map_err(|error| format!("kafka does not say what the consumer group has committed: {error}"))?;
        for span in spans {
            let found = committed.find_partition(self.topic.as_str(), span.partition);
            if let Some(Offset::Offset(offset)) = found.map(|found| found.offset())
                // Beyond the end: of a topic that was there before this one. Twice is better than never.
                && offset <= span.to
            {
                span.from = span.from.max(offset);
            }
        }
        Ok(())
    }

    /// Gives the records of a span, one after the other, until `each` breaks off.
    pub(super) fn read(
        &self,
        span: Span,
        mut each: impl FnMut(Letter) -> Result<ControlFlow<()>, String>,
    ) -> Result<ControlFlow<()>, String> {
        if span.from >= span.to {
            return Ok(ControlFlow::Continue(()));
        }
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(self.topic.as_str(), span.partition, Offset::Offset(span.from))
            .and_then(|()| self.consumer.assign(&assignment))
            .map_err(|error| self.cannot(error))?;
        let mut last = Instant::now();
        let mut why = "nothing came".to_owned();
        while last.elapsed() < NEXT_RECORD_WITHIN {
            match self.consumer.poll(POLL_TIMEOUT) {
                // Of the partition before, and on its way when that was left.
                Some(Ok(message)) if message.partition() != span.partition => {}
                Some(Ok(message)) if message.offset() >= span.to => return Ok(ControlFlow::Continue(())),
                Some(Ok(message)) => {
                    let is_last = message.offset() + 1 >= span.to;
                    if each(Letter::of(&message))?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    if is_last {
                        return Ok(ControlFlow::Continue(()));
                    }
                    last = Instant::now();
                }
                // There need not be a record at every offset: a topic may be compacted.
                Some(Err(KafkaError::PartitionEOF(partition))) if partition == span.partition => {
                    return Ok(ControlFlow::Continue(()));
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) => why = error.to_string(),
            }
        }
        Err(format!(
            "no record of {} came from kafka within {} s: {why}",
            self.topic,
            NEXT_RECORD_WITHIN.as_secs()
        ))
    }

    /// Everything before `next` has been dealt with.
    pub(super) fn commit(&self, partition: i32, next: i64) -> Result<(), String> {
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(self.topic.as_str(), partition, Offset::Offset(next))
            .and_then(|()| self.consumer.commit(&offsets, CommitMode::Sync))
            .map_err(|error| {
                format!("offset {next} of partition {partition} could not be committed: {error}")
            })
    }

    fn cannot(&self, error: KafkaError) -> String {
        use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
        let is_away = matches!(
            error.rdkafka_error_code(),
            Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut)
        );
        if is_away {
            return format!(
                "the topic {} can't be read: kafka does not answer ({error}); see to `bootstrap.servers` and what \
                 secures the connection",
                self.topic
            );
        }
        format!("the topic {} can't be read: {error}", self.topic)
    }
}
