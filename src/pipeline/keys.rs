//! Between stations 3 and 4: the key that the provider serves.
//!
//! Takes [`Received`]. Gives [`Keyed`]: the same, and the key that it names, where its source has keys fetched. Nothing
//! is verified by that, and what is wrong with the name is left to the next station to refuse. For every other source it
//! does nothing. Refuses with `KeyUnavailable`.

use std::sync::Arc;

use super::Rejection;
use super::body::Received;
use crate::app::App;
use crate::config::Authentication;
use crate::signature::{Key, Message, SignatureError, UnixSeconds};

/// A whole request, with the key to verify it by.
#[derive(Debug)]
#[must_use]
pub struct Keyed {
    pub(super) request: Received,
    /// Of the provider, where the source has none of its own; or what is wrong with the request whatever the key, such
    /// as that it names none that may be asked for.
    pub(super) fetched: Result<Option<Arc<Key>>, SignatureError>,
}

impl Keyed {
    /// Of a source that has its keys.
    pub(super) fn by_own_keys(request: Received) -> Self {
        Self { request, fetched: Ok(None) }
    }
}

/// Gets the key that the request names.
///
/// # Errors
/// See the head of this file.
pub async fn gather(app: &App, request: Received) -> Result<Keyed, Rejection> {
    let Some(keys) = &request.ticket.source.fetched_keys else {
        return Ok(Keyed::by_own_keys(request));
    };
    let message = Message { headers: &request.headers, query: request.uri.query(), body: &request.body };
    if let Some(why) = refused_without_a_key(&request, &message) {
        return Ok(Keyed { request, fetched: Err(why) });
    }
    let wanted = match keys.place().wanted(&message) {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Keyed { request, fetched: Err(why) }),
    };
    let key = Arc::clone(keys).key(app.fetcher(), wanted, request.ticket.deadline).await?;
    Ok(Keyed { request, fetched: Ok(Some(key)) })
}

/// What is wrong with the request whatever the key: for such a one the provider is not asked, or anybody could have it
/// asked until genuine requests find no room.
fn refused_without_a_key(request: &Received, message: &Message<'_>) -> Option<SignatureError> {
    let Authentication::Signed { scheme, .. } = &request.ticket.source.authentication else { return None };
    let now = UnixSeconds::from_system_time(request.ticket.arrived.wall);
    match scheme.verify(std::iter::empty(), message, now) {
        Ok(_) | Err(SignatureError::Mismatch { .. }) => None,
        Err(why) => Some(why),
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
