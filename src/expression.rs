//! Where a value stands in a request: a header, or a place in the body.
//!
//! Takes nothing; it is what a provider's file says of message IDs and event types. Reading the value is left to
//! [`crate::pipeline::extract`].

use std::fmt;

use http::HeaderName;

use crate::json::Pointer;
use crate::signature::Coverage;

/// A place in a request where an ID or a type can stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// In a header; several names if the provider uses one or another.
    Header(Vec<HeaderName>),
    /// At a JSON Pointer into the body.
    Json(Pointer),
}

impl Expression {
    /// The place in the body, if it is one.
    #[must_use]
    pub fn pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Json(pointer) => Some(pointer),
            Self::Header(_) => None,
        }
    }

    /// Whether a signature of this coverage covers what stands here, whichever of its headers it is.
    #[must_use]
    pub fn is_covered(&self, coverage: &Coverage) -> bool {
        match self {
            Self::Header(names) => names.iter().all(|name| coverage.header(name)),
            Self::Json(pointer) => coverage.json(pointer),
        }
    }

    /// The place's headers, if it is one.
    #[must_use]
    pub fn headers(&self) -> Option<&[HeaderName]> {
        match self {
            Self::Header(names) => Some(names),
            Self::Json(_) => None,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(names) => {
                let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
                write!(f, "header {}", names.join(" or "))
            }
            Self::Json(pointer) => write!(f, "body {pointer}"),
        }
    }
}
