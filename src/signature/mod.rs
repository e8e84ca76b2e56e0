//! Is this request signed by a holder of one of these keys? And, for `send` and `dev`: sign it so.
//!
//! Takes header values, the exact octets of a body, keys and a clock value. Gives the index of the key that
//! matched, or the reason why none did. Pure: no I/O, no clock of its own, nothing that Kafka or HTTP
//! servers bring. What a provider's scheme *is* stands as data in `config/providers/`.

pub mod content;
pub mod error;
pub mod key;
pub mod presented;
pub mod scheme;
pub mod timestamp;

pub use content::{Content, Coverage};
pub use error::SignatureError;
pub use key::Key;
pub use presented::Presented;
pub use scheme::Scheme;
pub use timestamp::{TimestampRule, UnixSeconds};
