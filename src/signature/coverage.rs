//! What a signature covers. What it does not cover, anybody who saw one request can change and send again.

use http::HeaderName;

use crate::json::Pointer;

/// What a signature of a scheme covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Every octet of the body, and so every field in it.
    pub body: bool,
    /// The URL, with its query.
    pub url: bool,
    /// The time of the delivery.
    pub timestamp: bool,
    /// These headers.
    pub headers: Vec<HeaderName>,
    /// These values in the body, where the whole is not covered.
    pub pointers: Vec<Pointer>,
}

/// Nothing is signed.
pub static NOTHING: Coverage =
    Coverage { body: false, url: false, timestamp: false, headers: Vec::new(), pointers: Vec::new() };

impl Coverage {
    /// Whether a header's value is signed.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> bool {
        self.headers.contains(name)
    }

    /// Whether a value in the body is signed.
    #[must_use]
    pub fn json(&self, pointer: &Pointer) -> bool {
        self.body || self.pointers.contains(pointer)
    }
}
