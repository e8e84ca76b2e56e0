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
    /// Any, or none. With one, the border between URL and body must be plain where nothing stands between them: the
    /// query has only what RFC 3986 allows, and the body is a JSON object or array.
    Any {
        /// Whether the body stands beside it in the content.
        beside_body: bool,
    },
}

impl QueryRule {
    pub(super) fn check(&self, message: &Message<'_>) -> Result<(), SignatureError> {
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&octet);
        match (self, message.query) {
            (Self::Is(expected), query) if query == Some(expected) => Ok(()),
            (Self::Is(_), _) => {
                Err(SignatureError::Malformed("the query is not that of public_url, which is signed"))
            }
            (Self::Any { .. }, None) => Ok(()),
            (Self::Any { .. }, Some(query)) if !query.bytes().all(legal) => {
                Err(SignatureError::Malformed("the query, which is signed, has a character that no URL has"))
            }
            (Self::Any { beside_body: true }, Some(_)) if !is_document(message.body) => {
                Err(SignatureError::Malformed(
                    "the body, which stands beside the query in what is signed, is no JSON",
                ))
            }
            (Self::Any { .. }, Some(_)) => Ok(()),
        }
    }
}

fn is_document(body: &[u8]) -> bool {
    matches!((body.first(), body.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
}
