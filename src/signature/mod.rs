//! Is this request genuine, that is, does a holder of one of these keys stand behind it? And, for `send` and `dev`:
//! sign it so.
//!
//! Takes header values, the exact octets of a body, keys and a clock value. Gives the index of the key that
//! matched, or the reason why none did. Pure: no I/O, no clock of its own, nothing that Kafka or HTTP
//! servers bring. What a provider's scheme *is* stands as data in `config/providers/`; what a template cannot say
//! in [`native`].

pub(crate) mod borders;
pub mod content;
pub mod coverage;
mod describe;
pub mod ebay;
pub mod error;
mod in_body;
pub mod jwt;
pub mod key;
pub mod message;
pub mod native;
pub mod presented;
pub mod public_key;
pub mod query;
pub mod scheme;
mod sign;
pub mod sns;
pub mod timestamp;

#[cfg(test)]
mod alteration_tests;
#[cfg(test)]
#[path = "vectors_tests.rs"]
mod vectors;

pub use content::{Account, Content};
pub use coverage::Coverage;
pub use error::SignatureError;
pub use key::Key;
pub use message::Message;
pub use presented::Presented;
pub use scheme::Scheme;
pub use sign::Signed;
pub use timestamp::{TimestampRule, UnixSeconds};
