//! The query of a request whose URL is signed.
//!
//! Takes what the public URL says of it. Says whether a request's query can stand in the signed content.

use super::error::SignatureError;
use super::message::Message;

/// What the query must be, where the URL is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryRule {
    /// This one.
    Is(String),
    /// Any, or none, of the characters that RFC 3986 allows: none of them begins or ends a JSON body.
    Any,
}

impl QueryRule {
    pub(super) fn check(&self, message: &Message<'_>) -> Result<(), SignatureError> {
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&octet);
        match (self, message.query) {
            (Self::Is(expected), query) if query == Some(expected) => Ok(()),
            (Self::Is(_), _) => {
                Err(SignatureError::Malformed("the query is not that of public_url, which is signed"))
            }
            (Self::Any, Some(query)) if !query.bytes().all(legal) => {
                Err(SignatureError::Malformed("the query, which is signed, has a character that no URL has"))
            }
            (Self::Any, _) => Ok(()),
        }
    }
}
