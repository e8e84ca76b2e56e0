//! An event, as a provider would send it.
//!
//! Takes a provider, a secret, and what is asked for of the event. Gives the request, signed. Posting it is left to
//! [`super::send`].

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderMap;

use super::draft::{Asked, Draft, header_value};
use crate::config::Provider;
use crate::config::provider::ProviderFile;
use crate::signature::key::Key;
use crate::signature::{Scheme, UnixSeconds};

/// The type of an event that says of itself that it is none. Those who read the topics can tell it by that.
const PROBE_TYPE: &str = "hookbridge.test";

/// What is to be sent; what is absent comes from the preset's example.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) event_type: Option<&'a str>,
    pub(super) data: Option<Vec<u8>>,
    /// Whether it is to say that it is a test, by type and ID, where the provider has a place for them.
    pub(super) is_probe: bool,
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
    sign_with(&file.provider, Some((scheme, &key)), event, now)
}

/// Signs `event` of `provider` by a scheme with a key; without one it stays unsigned.
///
/// # Errors
/// As [`sign`].
pub(super) fn sign_with(
    provider: &Provider,
    proof: Option<(&Scheme, &Key)>,
    event: Event<'_>,
    now: SystemTime,
) -> Result<SignedRequest, String> {
    let prefix = if event.is_probe { "hookbridge-test-" } else { "msg_" };
    let new_id = format!("{prefix}{:x}", now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    let mut draft = Draft::new(provider, event.data)?;
    match event.event_type {
        Some(event_type) => draft.put(provider, Asked::Type, event_type)?,
        // Not every provider has a place for it, and a body of the user's own may say another one.
        None if event.is_probe => drop(draft.put(provider, Asked::Type, PROBE_TYPE)),
        None => {}
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
    let Some((scheme, key)) = proof else { return Ok(draft.into()) };
    let now = UnixSeconds::from_system_time(now);
    if let Some((pointer, time)) = scheme.body_timestamp(now) {
        draft.put_signed(pointer, &time)?;
    }
    // One that stands in a header may be signed by name.
    let in_header = scheme.id_headers.first().and_then(|name| draft.headers.get(name)?.to_str().ok());
    let id = in_header.or(event.id).unwrap_or(&new_id);
    let signed = scheme.sign(key, id, now, &draft.headers, &draft.body)?;
    for (name, value) in signed.headers {
        draft.headers.insert(name, header_value(&value)?);
    }
    for (pointer, value) in &signed.body {
        draft.put_signed(pointer, value)?;
    }
    draft.query.extend(signed.query);
    Ok(draft.into())
}

impl From<Draft> for SignedRequest {
    fn from(draft: Draft) -> Self {
        Self { headers: draft.headers, query: draft.query, body: Bytes::from(draft.body) }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
