//! What can go wrong with a record, in one table.
//!
//! Takes librdkafka's error code. Gives the class that decides the answer: whether sending the webhook
//! again can help, and whose fault it is.

use rdkafka::types::RDKafkaErrorCode as Code;

/// Why a record has no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Kafka could not take it now: away, too few replicas, a leader moving. Again later.
    Unavailable,
    /// The client's own queue is full. Again later.
    QueueFull,
    /// The topic is not there, or may not be written. Again later, once somebody has put it right.
    TopicUnavailable,
    /// It is larger than the client or the topic allows. Sending it again can't help.
    TooLarge,
    /// The producer has died; a new one takes its place. Again later.
    Fatal,
    /// The broker refuses this record for good.
    Refused,
}

impl Failure {
    /// The class of an error code.
    #[must_use]
    pub fn of(code: Code) -> Self {
        match code {
            Code::QueueFull => Self::QueueFull,
            Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::TopicAuthorizationFailed
            | Code::UnknownTopicId
            | Code::TopicDeletionDisabled => Self::TopicUnavailable,
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Self::TooLarge,
            Code::Fatal
            | Code::PurgeQueue
            | Code::PurgeInflight
            | Code::OutOfOrderSequenceNumber
            | Code::UnknownProducerId
            | Code::InvalidProducerEpoch
            | Code::ProducerFenced
            | Code::Fenced
            | Code::ClusterAuthorizationFailed
            | Code::UnsupportedFeature => Self::Fatal,
            Code::InvalidRecord
            | Code::InvalidTopic
            | Code::InvalidTimestamp
            | Code::InvalidMessage
            | Code::UnsupportedForMessageFormat
            | Code::PolicyViolation => Self::Refused,
            // Everything else is the state of the cluster or of the way to it, which changes.
            _ => Self::Unavailable,
        }
    }

    /// The value of the `error.type` attribute.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "kafka_unavailable",
            Self::QueueFull => "queue_full",
            Self::TopicUnavailable => "topic_unavailable",
            Self::TooLarge => "record_too_large",
            Self::Fatal => "producer_dead",
            Self::Refused => "broker_refused",
        }
    }
}
