//! Keys and certificates that a provider serves by URL.
//!
//! Takes a request that has not been verified, and what its source says of keys. Gives the one key that the request
//! names, from memory or from the provider. What a request says is a hint that anybody can write, so: the host is
//! pinned by the provider's file; only https, only port 443, no redirects, no addresses that are not public; answers
//! have a size and a time; what was got is kept for a while, and renewed before its end; what could not be got, for some
//! seconds; a key is asked for once, however many requests wait for it; and a flood of names makes no flood of questions.
//!
//! - [`place`]: which key a request names, and whether it may.
//! - [`answer`] and [`certificate`]: what a provider answers.
//! - [`cache`]: what is known, and who may ask.
//! - [`fetch`] and [`resolver`]: the only part that speaks to the network.

pub mod answer;
pub mod cache;
pub mod certificate;
pub mod fetch;
pub mod place;
pub mod resolver;
mod source;
#[cfg(test)]
#[path = "server_tests.rs"]
pub(crate) mod test_server;

pub use fetch::{FetchError, Fetcher};
pub use place::{PinnedUrl, Place, Wanted};
pub use source::{Access, Credentials, KeySource, Rule, Unavailable};
