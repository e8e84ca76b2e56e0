//! The topics and what is in them, as an AsyncAPI document, for whoever reads them.
//!
//! Takes a configuration. Gives the document: every topic, key, header and schema that it can produce, and no credential. Pure, but for the
//! schemas that routes name.
//!
//! Source: AsyncAPI Specification 3.0.0; AsyncAPI Kafka bindings 0.5.0.

mod channels;
mod examples;
mod headers;
mod messages;
mod payloads;
mod servers;
mod types;

use serde_json::{Map, Value, json};

use servers::Servers;

use crate::config::Config;
use crate::registry::Found;

/// What the document says of itself.
#[derive(Debug, Clone)]
pub struct Info {
    /// The API's title.
    pub title: String,
    /// The API's version.
    pub version: String,
}

/// Gives what the schema registry has by a subject's name: the latest version, or the one that is asked for.
pub type Registry<'a> = dyn Fn(&str, Option<u32>) -> Result<Found, String> + 'a;

/// The document. Schemas are read from the registry, if one is given, and otherwise from the files that routes name.
///
/// # Errors
/// The schema of a route can't be had, or is none.
pub fn document(config: &Config, info: &Info, registry: Option<&Registry<'_>>) -> Result<Value, String> {
    let Servers { servers, schemes } = Servers::of(config);
    let (mut channels, mut operations) = (Map::new(), Map::new());
    for (address, channel) in &channels::channels(config, registry)? {
        let id = free_id(&channels, address);
        let messages: Vec<Value> = channel
            .messages
            .keys()
            .map(|name| json!({ "$ref": format!("#/channels/{id}/messages/{name}") }))
            .collect();
        let operation = json!({
            "action": "send",
            "channel": { "$ref": format!("#/channels/{id}") },
            "summary": format!("Publishes to {address}."),
            "messages": messages,
        });
        operations.insert(format!("send.{id}"), operation);
        channels.insert(id, channels::object(config, address, channel));
    }
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": info.title,
            "version": info.version,
            "description": "Webhooks, as hookbridge publishes them to Kafka: at least once, keyed by message ID, with the exact octets that \
                were signed. Made by `hookbridge asyncapi` from its configuration.",
        },
        "defaultContentType": "application/json",
        "servers": servers,
        "channels": channels,
        "operations": operations,
    });
    if !schemes.is_empty() {
        document["components"] = json!({ "securitySchemes": schemes });
    }
    Ok(document)
}

/// A channel's name: its topic. A template's braces can't stand in it.
fn free_id(taken: &Map<String, Value>, address: &str) -> String {
    let mut id = address.replace(['{', '}'], "_");
    while taken.contains_key(&id) {
        id.push('_');
    }
    id
}
