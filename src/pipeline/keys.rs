//! Between stations 3 and 4: the key that the provider serves.
//!
//! Takes [`Received`]. Gives [`Keyed`]: the same, and the key that it names, where its source has keys fetched. Nothing
//! is verified by that. For every other source it does nothing. Refuses with `KeyUnavailable`, and with the
//! `Signature…` rejections where a request names no key, or none of its provider's.

use std::sync::Arc;

use super::Rejection;
use super::body::Received;
use crate::app::App;
use crate::signature::{Key, Message};

/// A whole request, with the key to verify it by.
#[derive(Debug)]
#[must_use]
pub struct Keyed {
    pub(super) request: Received,
    /// Of the provider, where the source has none of its own.
    pub(super) fetched: Option<Key>,
}

/// Gets the key that the request names.
///
/// # Errors
/// See the head of this file.
pub async fn gather(app: &App, request: Received) -> Result<Keyed, Rejection> {
    let Some(keys) = &request.ticket.source.fetched_keys else {
        return Ok(Keyed { request, fetched: None });
    };
    let message = Message { headers: &request.headers, query: request.uri.query(), body: &request.body };
    let wanted = keys.place().wanted(&message)?;
    let key = Arc::clone(keys).key(app.fetcher(), wanted, request.ticket.deadline).await?;
    Ok(Keyed { request, fetched: Some(key) })
}
