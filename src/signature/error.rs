//! Why a request is not taken for genuine. For the log: the sender is told less.

use super::timestamp::UnixSeconds;

/// Why a request is not taken for genuine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Something that the scheme needs is absent; the text says where it should stand.
    #[error("{0} is missing")]
    Missing(String),
    /// Something that the scheme reads is there more than once: which one was signed?
    #[error("{0} is there more than once, or beside one of another family of names")]
    Repeated(String),
    /// Something that the scheme needs can't be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// The signed time is too far from this machine's clock.
    #[error("the timestamp {} is {} s away from this machine's clock", signed.0, signed.0.abs_diff(now.0))]
    TimestampOutsideTolerance {
        /// What the request says.
        signed: UnixSeconds,
        /// What this machine's clock says.
        now: UnixSeconds,
        /// The signed time again, where the signature has been looked at and holds: what the request says is then its
        /// provider's word, and anybody's otherwise.
        proven: Option<UnixSeconds>,
    },
    /// No key gives any of the signatures.
    #[error("none of the {keys} secrets that are valid now gives any of the presented signatures")]
    Mismatch {
        /// How many were tried.
        keys: usize,
    },
}
