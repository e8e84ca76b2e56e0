//! An event, as a provider would send it.
//!
//! Takes a provider, a secret, and what is asked for of the event. Gives the request, signed. Posting it is left to
//! [`super::send`].

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderMap;

use super::draft::{Asked, Draft, header_value};
use crate::config::provider::ProviderFile;
use crate::signature::UnixSeconds;

/// What is to be sent; what is absent comes from the preset's example.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) event_type: Option<&'a str>,
    pub(super) data: Option<Vec<u8>>,
}

/// A signed request, ready to be posted.
#[derive(Debug)]
pub(super) struct SignedRequest {
    pub(super) headers: HeaderMap,
    /// What is to be appended to the URL's query.
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// Signs `event` as `file`'s provider does.
///
/// # Errors
/// A sentence: what is asked for has no place, or only the provider can sign.
pub(super) fn sign(
    file: &ProviderFile,
    secret: &str,
    event: Event<'_>,
    now: SystemTime,
) -> Result<SignedRequest, String> {
    let scheme = file.scheme.as_ref().ok_or("the provider has no signature scheme")?;
    let key = scheme.key(secret)?;
    let provider = &file.provider;
    let new_id = format!("msg_{:x}", now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    let mut draft = Draft::new(provider, event.data)?;
    if let Some(event_type) = event.event_type {
        draft.put(provider, Asked::Type, event_type)?;
    }
    match event.id {
        Some(id) => draft.put(provider, Asked::Id, id)?,
        None => draft.put_new_id(provider, &new_id),
    }
    if let (Some(id), Some(event_type)) = (event.id, event.event_type)
        && draft.read(provider, Asked::Type).as_deref() != Some(event_type)
    {
        let name = &provider.name;
        return Err(format!(
            "an ID of {name} says the type too: `{id}` and `{event_type}` can't both be had"
        ));
    }
    let now = UnixSeconds::from_system_time(now);
    if let Some((pointer, time)) = scheme.body_timestamp(now) {
        draft.put_signed(pointer, &time)?;
    }
    // One that stands in a header may be signed by name.
    let in_header = scheme.id_headers.first().and_then(|name| draft.headers.get(name)?.to_str().ok());
    let id = in_header.or(event.id).unwrap_or(&new_id);
    let signed = scheme.sign(&key, id, now, &draft.headers, &draft.body)?;
    for (name, value) in signed.headers {
        draft.headers.insert(name, header_value(&value)?);
    }
    for (pointer, value) in &signed.body {
        draft.put_signed(pointer, value)?;
    }
    draft.query.extend(signed.query);
    Ok(SignedRequest { headers: draft.headers, query: draft.query, body: Bytes::from(draft.body) })
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
