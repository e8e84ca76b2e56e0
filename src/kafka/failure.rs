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
    /// The producer has died or lost Kafka, and a new one takes its place. Again later.
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
            | Code::UnknownTopicId => Self::TopicUnavailable,
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Self::TooLarge,
            // A producer that is replaced purges what it has. The record at which one dies carries the cause.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Rejection;
    use crate::pipeline::rejection::ErrorStatus;

    /// Whether a sender should try again is decided by this table alone.
    #[test]
    fn every_class_has_its_answer() {
        for (code, failure, status) in [
            (Code::MessageTimedOut, Failure::Unavailable, 503),
            (Code::NotEnoughReplicas, Failure::Unavailable, 503),
            (Code::InvalidProducerEpoch, Failure::Fatal, 503),
            (Code::QueueFull, Failure::QueueFull, 503),
            (Code::UnknownTopic, Failure::TopicUnavailable, 503),
            (Code::TopicAuthorizationFailed, Failure::TopicUnavailable, 503),
            (Code::MessageSizeTooLarge, Failure::TooLarge, 413),
            (Code::Fatal, Failure::Fatal, 503),
            (Code::PurgeQueue, Failure::Fatal, 503),
            (Code::InvalidRecord, Failure::Refused, 500),
        ] {
            assert_eq!(Failure::of(code), failure, "{code}");
            let rejection = Rejection::from(failure);
            let answer: ErrorStatus = rejection.status();
            assert_eq!(answer.code().as_u16(), status, "{code}");
            assert_eq!(rejection.retry_after().is_some(), status == 503, "{code}");
        }
    }
}
