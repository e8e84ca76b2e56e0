//! Where a value stands in a request: a header, a place in the body, a field of a form or of the query, or several
//! of them joined.
//!
//! Takes nothing; it is what a provider's file says of message IDs and event types. Reading the value is left to
//! [`crate::pipeline::extract`].

use std::fmt;

use http::HeaderName;

use crate::json::Pointer;
use crate::signature::Coverage;

/// The most places that one value is joined from.
pub const MAX_JOINED: usize = 8;

/// A place in a request where an ID or a type can stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// In a header; several names if the provider uses one or another.
    Header(Vec<HeaderName>),
    /// At a JSON Pointer into the event: the body, or where the source splits it, the element.
    Json(Pointer),
    /// At a JSON Pointer into the whole body, also where the source splits it.
    Body(Pointer),
    /// In the parameter of the query string that has this name.
    Query(String),
    /// In the field of an `application/x-www-form-urlencoded` body that has this name.
    Form(String),
    /// In several places, all of which must have a value.
    Join {
        /// Where the parts stand: 2 to [`MAX_JOINED`], none of them joined itself.
        parts: Vec<Expression>,
        /// What stands between two parts. Never empty, or `a` and `bc` would be `ab` and `c`.
        with: String,
    },
}

impl Expression {
    /// The single places it is made of.
    #[must_use]
    pub fn places(&self) -> &[Self] {
        match self {
            Self::Join { parts, .. } => parts,
            place => std::slice::from_ref(place),
        }
    }

    /// The place in the event's JSON, if it is one.
    #[must_use]
    pub fn pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Json(pointer) => Some(pointer),
            _ => None,
        }
    }

    /// The place in the whole body's JSON, if it is one.
    #[must_use]
    pub fn body_pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Body(pointer) => Some(pointer),
            _ => None,
        }
    }

    /// Whether it is in the body, if it is one place.
    #[must_use]
    pub fn is_of_body(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Body(_) | Self::Form(_))
    }

    /// Whether a signature of this coverage covers what stands here, whichever of its headers it is.
    #[must_use]
    pub fn is_covered(&self, coverage: &Coverage) -> bool {
        match self {
            Self::Header(names) => names.iter().all(|name| coverage.header(name)),
            Self::Json(pointer) | Self::Body(pointer) => coverage.json(pointer),
            Self::Query(_) => coverage.url,
            Self::Form(_) => coverage.body,
            Self::Join { parts, .. } => parts.iter().all(|part| part.is_covered(coverage)),
        }
    }

    /// The place's headers, if it is one.
    #[must_use]
    pub fn headers(&self) -> Option<&[HeaderName]> {
        match self {
            Self::Header(names) => Some(names),
            _ => None,
        }
    }

    /// Where it stands, for machines: a JSON Pointer into the event, or `header x`, `query x`, `form x`; the first place,
    /// if there are several. None where it stands outside of the event's data: in the rest of a batch's body.
    #[must_use]
    pub fn fault_path(&self, is_whole: bool) -> Option<String> {
        match self {
            Self::Header(names) => names.first().map(|name| format!("header {name}")),
            Self::Json(pointer) => Some(pointer.to_string()),
            Self::Body(pointer) => is_whole.then(|| pointer.to_string()),
            Self::Query(name) => Some(format!("query {name}")),
            Self::Form(name) => Some(format!("form {name}")),
            Self::Join { parts, .. } => parts.first()?.fault_path(is_whole),
        }
    }

    /// Whether, in a body that the source splits, it is the same for every element.
    #[must_use]
    pub fn is_of_request(&self) -> bool {
        self.places().iter().all(|place| !matches!(place, Self::Json(_)))
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
            Self::Body(pointer) => write!(f, "whole body {pointer}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Form(name) => write!(f, "form {name}"),
            Self::Join { parts, with } => {
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        write!(f, " `{with}` ")?;
                    }
                    write!(f, "{part}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_value_is_of_the_request_only_if_every_part_is() {
        let json = Expression::Json(Pointer::parse("/id").unwrap());
        let query = Expression::Query("id".to_owned());
        let join = |parts: Vec<Expression>| Expression::Join { parts, with: ".".to_owned() };
        assert!(!json.is_of_request() && query.is_of_request());
        assert!(!join(vec![query.clone(), json.clone()]).is_of_request());
        assert!(join(vec![query.clone(), query.clone()]).is_of_request());
        assert_eq!(join(vec![json, query]).to_string(), "body /id `.` query id");
    }
}
