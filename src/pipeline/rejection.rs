//! Every way in which a request can be refused, and what each one answers.
//!
//! Takes the defect that a station met. Gives two messages, one for the sender, who learns nothing that
//! would help to forge, and one for the log; a code, which is also the `error.type` of the metrics; and a
//! status, from a type that has no 2xx, no 3xx and no 410: a provider is never told to stop.

use std::time::Duration;

use http::StatusCode;

use crate::handshake::{Methods, Refusal};
use crate::kafka::failure::Failure;
use crate::keys::Unavailable;
use crate::signature::SignatureError;

/// Why a request is refused. `Display` is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// As many requests, or octets, are under way as may be.
    #[error("as many requests or octets of bodies are under way as the limits allow")]
    Overloaded,
    /// The process is ending.
    #[error("the process is shutting down")]
    Draining,
    /// No enabled source has this path.
    #[error("no source is served at this path")]
    UnknownSource,
    /// Webhooks are posted, and the source answers no handshake of this method.
    #[error("the method is not POST, and the source answers no handshake of this method")]
    MethodNotAllowed(Methods),
    /// The source answers handshakes of this method, and this is none.
    #[error("the method is that of a handshake, and the request is none that the source's provider makes")]
    NoHandshake,
    /// A handshake can't be answered.
    #[error("{0}")]
    HandshakeRefused(Refusal),
    /// A handshake brings another token than the source's.
    #[error("the handshake does not bring the source's `handshake_token`")]
    HandshakeTokenMismatch,
    /// A handshake signs what has the form of this body, for whoever asks.
    #[error(
        "the body has the form of a token, which the provider's handshake signs for whoever asks: no signature over it proves anything"
    )]
    BodyIsToken,
    /// The provider's first request brings the secret, and nobody has said that it is wanted.
    #[error(
        "the request brings a secret, as the provider's first request does; to be shown it, once, on standard output, set `show_offered_secret: true` for the source and set up the webhook again"
    )]
    SecretOffered,
    /// The body is longer than the source allows.
    #[error("the body is longer than the source's {limit} octets")]
    BodyTooLarge {
        /// The source's limit.
        limit: usize,
    },
    /// The body did not come in time.
    #[error("the body did not come within {after:?}")]
    BodyTimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The client broke off, or broke the protocol.
    #[error("the body could not be read: {0}")]
    BodyAborted(String),
    /// A header that the signature needs is absent.
    #[error("{0}")]
    SignatureMissing(SignatureError),
    /// A header that the signature needs is there more than once.
    #[error("{0}")]
    HeaderRepeated(SignatureError),
    /// A header that the signature needs can't be read.
    #[error("{0}")]
    SignatureMalformed(SignatureError),
    /// No configured secret gives the signature.
    #[error("{0}")]
    SignatureMismatch(SignatureError),
    /// The signed time is too far from this machine's clock.
    #[error("{0}")]
    TimestampOutsideTolerance(SignatureError),
    /// The provider's key can't be had now.
    #[error("{0}")]
    KeyUnavailable(Unavailable),
    /// The schema of an event's route can't be had now.
    #[error("{0}")]
    RegistryUnavailable(String),
    /// A subscription could not be confirmed.
    #[error("the subscription can't be confirmed: {0}")]
    ConfirmationFailed(String),
    /// The source maps no topic to this type, and says `unmapped: reject`.
    #[error("no topic is mapped to this event type, and the source says `unmapped: reject`")]
    Unroutable,
    /// Kafka has not answered for a while: enqueueing would only make the sender wait.
    #[error("kafka has not answered for a while")]
    KafkaUnreachable,
    /// The producer's queue is full.
    #[error("the producer's queue is full")]
    QueueFull,
    /// Kafka has not confirmed in time. The record may yet arrive.
    #[error("kafka has not acknowledged the record within the source's respond_within; it may yet arrive")]
    DeliveryTimedOut,
    /// Kafka could not take the record.
    #[error("kafka could not take the record")]
    DeliveryFailed,
    /// The topic is not there, or may not be written.
    #[error("the topic does not exist or may not be written")]
    TopicUnavailable,
    /// The record is larger than the topic allows.
    #[error("the record is larger than the topic or the client allows")]
    RecordTooLarge,
    /// The producer has died or lost Kafka, and a new one takes its place.
    #[error("the kafka producer was replaced before the record was acknowledged; it may yet have arrived")]
    ProducerDead,
    /// The broker refuses the record for good.
    #[error("the broker refuses the record for good")]
    BrokerRefused,
}

/// A status that is neither success, nor redirection, nor 410.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorStatus(StatusCode);

macro_rules! error_status {
    ($($name:ident),+) => { $(const $name: Self = Self(StatusCode::$name);)+ };
}

impl ErrorStatus {
    error_status!(
        BAD_REQUEST,
        UNAUTHORIZED,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        REQUEST_TIMEOUT,
        PAYLOAD_TOO_LARGE,
        INTERNAL_SERVER_ERROR,
        SERVICE_UNAVAILABLE
    );

    /// The status, for the response.
    #[must_use]
    pub fn code(self) -> StatusCode {
        self.0
    }
}

impl Rejection {
    /// The status that is answered.
    #[must_use]
    pub fn status(&self) -> ErrorStatus {
        match self {
            Self::HeaderRepeated(_)
            | Self::BodyAborted(_)
            | Self::NoHandshake
            | Self::HandshakeRefused(_)
            | Self::Unroutable => ErrorStatus::BAD_REQUEST,
            Self::SignatureMissing(_)
            | Self::SignatureMalformed(_)
            | Self::SignatureMismatch(_)
            | Self::TimestampOutsideTolerance(_)
            | Self::HandshakeTokenMismatch
            | Self::BodyIsToken
            | Self::SecretOffered => ErrorStatus::UNAUTHORIZED,
            Self::UnknownSource => ErrorStatus::NOT_FOUND,
            Self::MethodNotAllowed(_) => ErrorStatus::METHOD_NOT_ALLOWED,
            Self::BodyTimedOut { .. } => ErrorStatus::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } | Self::RecordTooLarge => ErrorStatus::PAYLOAD_TOO_LARGE,
            Self::BrokerRefused => ErrorStatus::INTERNAL_SERVER_ERROR,
            Self::Overloaded
            | Self::Draining
            | Self::KeyUnavailable(_)
            | Self::RegistryUnavailable(_)
            | Self::ConfirmationFailed(_)
            | Self::KafkaUnreachable
            | Self::QueueFull
            | Self::DeliveryTimedOut
            | Self::DeliveryFailed
            | Self::TopicUnavailable
            | Self::ProducerDead => ErrorStatus::SERVICE_UNAVAILABLE,
        }
    }

    /// The code in the answer's body, and the `error.type` of metrics and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::UnknownSource => "unknown_source",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NoHandshake => "no_handshake",
            Self::HandshakeRefused(_) => "handshake_refused",
            Self::HandshakeTokenMismatch => "handshake_token_mismatch",
            Self::BodyIsToken => "body_is_token",
            Self::SecretOffered => "secret_offered",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimedOut { .. } => "body_timed_out",
            Self::BodyAborted(_) => "body_aborted",
            Self::SignatureMissing(_) => "signature_missing",
            Self::HeaderRepeated(_) => "header_repeated",
            Self::SignatureMalformed(_) => "signature_malformed",
            Self::SignatureMismatch(_) => "signature_mismatch",
            Self::TimestampOutsideTolerance(_) => "timestamp_outside_tolerance",
            Self::KeyUnavailable(_) => "key_unavailable",
            Self::RegistryUnavailable(_) => "registry_unavailable",
            Self::ConfirmationFailed(_) => "confirmation_failed",
            Self::Unroutable => "unroutable",
            Self::KafkaUnreachable => "kafka_unreachable",
            Self::QueueFull => "queue_full",
            Self::DeliveryTimedOut => "delivery_timed_out",
            Self::DeliveryFailed => "delivery_failed",
            Self::TopicUnavailable => "topic_unavailable",
            Self::RecordTooLarge => "record_too_large",
            Self::ProducerDead => "producer_dead",
            Self::BrokerRefused => "broker_refused",
        }
    }

    /// What the sender is told: a code and one sentence. All signature defects look alike from outside.
    #[must_use]
    pub fn public(&self) -> (&'static str, &'static str) {
        match self.status() {
            ErrorStatus::UNAUTHORIZED => {
                ("invalid_signature", "The signature or its timestamp is not valid.")
            }
            ErrorStatus::SERVICE_UNAVAILABLE => {
                ("unavailable", "The event is not confirmed as stored; send it again later.")
            }
            ErrorStatus::INTERNAL_SERVER_ERROR => ("internal", "The event can't be stored."),
            ErrorStatus::PAYLOAD_TOO_LARGE => (self.code(), "The body is larger than is accepted here."),
            ErrorStatus::NOT_FOUND => (self.code(), "Nothing is served at this path."),
            ErrorStatus::METHOD_NOT_ALLOWED => (self.code(), "Webhooks are sent with POST."),
            ErrorStatus::REQUEST_TIMEOUT => (self.code(), "The body did not come in time."),
            _ => (self.code(), "The request can't be accepted."),
        }
    }

    /// Whether what is refused is a handshake, not an event.
    pub(super) fn is_of_handshake(&self) -> bool {
        matches!(
            self,
            Self::NoHandshake
                | Self::HandshakeRefused(_)
                | Self::HandshakeTokenMismatch
                | Self::SecretOffered
        )
    }

    /// Writes the log line: the real reason, which the sender is not told.
    pub(super) fn log(&self, source: &str, took: Duration) {
        let (status, error_type) = (self.status().code().as_u16(), self.code());
        let took_s = took.as_secs_f64();
        tracing::warn!(source, status, error.type = error_type, reason = %self, took_s, "request refused");
    }

    /// Whether to send the request again can help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.status() == ErrorStatus::SERVICE_UNAVAILABLE
    }

    /// How long the sender should wait before it tries again, where trying again can help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.is_temporary().then_some(match self {
            // The next replica may have room at once.
            Self::Overloaded | Self::Draining | Self::QueueFull | Self::ProducerDead => {
                Duration::from_secs(1)
            }
            _ => Duration::from_secs(5),
        })
    }
}

impl From<SignatureError> for Rejection {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Missing(_) => Self::SignatureMissing(error),
            SignatureError::Repeated(_) => Self::HeaderRepeated(error),
            SignatureError::Malformed(_) => Self::SignatureMalformed(error),
            SignatureError::Mismatch { .. } => Self::SignatureMismatch(error),
            SignatureError::TimestampOutsideTolerance { .. } => Self::TimestampOutsideTolerance(error),
        }
    }
}

impl From<Unavailable> for Rejection {
    fn from(why: Unavailable) -> Self {
        Self::KeyUnavailable(why)
    }
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable => Self::DeliveryFailed,
            Failure::QueueFull => Self::QueueFull,
            Failure::TopicUnavailable => Self::TopicUnavailable,
            Failure::TooLarge => Self::RecordTooLarge,
            Failure::Fatal => Self::ProducerDead,
            Failure::Refused => Self::BrokerRefused,
        }
    }
}
