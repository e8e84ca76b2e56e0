//! Where the records go: the cluster, how it is connected to, and by which mechanism. Never by which credentials.

use serde_json::{Map, Value, json};

use crate::config::Config;

/// The version of the Kafka bindings that all parts of the document have.
pub(super) const BINDING: &str = "0.5.0";

/// The servers, and the security schemes that they refer to.
pub(super) fn servers(config: &Config) -> (Map<String, Value>, Map<String, Value>) {
    let is_set = |name: &str| config.kafka.get(name).is_some_and(|value| !value.is_empty());
    let protocol = config.kafka.get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
    let (is_sasl, is_tls) = (protocol.contains("sasl"), protocol.contains("ssl"));
    let mut schemes = Map::new();
    if is_sasl {
        schemes.insert("sasl".to_owned(), sasl(config));
    }
    let shown = ["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"];
    if is_tls && shown.iter().any(|name| is_set(name)) {
        let said = "The client shows a certificate.";
        schemes.insert("certificate".to_owned(), json!({ "type": "X509", "description": said }));
    }
    let security: Vec<Value> = schemes
        .keys()
        .map(|name| json!({ "$ref": format!("#/components/securitySchemes/{name}") }))
        .collect();
    let hosts = hosts(config.kafka.get("bootstrap.servers").unwrap_or_default());
    let mut servers = Map::new();
    for (index, host) in hosts.iter().enumerate() {
        let name = if hosts.len() == 1 { "kafka".to_owned() } else { format!("kafka{}", index + 1) };
        let mut server = json!({ "host": host, "protocol": if is_tls { "kafka-secure" } else { "kafka" } });
        if !security.is_empty() {
            server["security"] = security.clone().into();
        }
        server["bindings"] = json!({ "kafka": binding(config) });
        servers.insert(name, server);
    }
    (servers, schemes)
}

fn binding(config: &Config) -> Value {
    let mut binding = Map::new();
    if let Some(url) = config.schema_registry.as_ref().and_then(|registry| registry.urls.first()) {
        binding.insert("schemaRegistryUrl".to_owned(), url.clone().into());
        binding.insert("schemaRegistryVendor".to_owned(), "confluent".into());
    }
    binding.insert("bindingVersion".to_owned(), BINDING.into());
    binding.into()
}

/// Each broker's host and port. librdkafka takes a protocol before them, which is not part of it.
fn hosts(bootstrap: &str) -> Vec<String> {
    let brokers = bootstrap.split(',').map(str::trim).filter(|broker| !broker.is_empty());
    let host = |broker: &str| {
        let broker = broker.rsplit_once("://").map_or(broker, |(_, rest)| rest);
        broker.rsplit_once('@').map_or(broker, |(_, host)| host).to_owned()
    };
    let mut hosts: Vec<String> = Vec::new();
    for broker in brokers.map(host) {
        if !hosts.contains(&broker) {
            hosts.push(broker);
        }
    }
    hosts
}

fn sasl(config: &Config) -> Value {
    let get = |name: &str| config.kafka.get(name);
    let mechanism = get("sasl.mechanisms").or_else(|| get("sasl.mechanism")).unwrap_or("GSSAPI");
    let kind = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => "plain",
        "SCRAM-SHA-256" => "scramSha256",
        "SCRAM-SHA-512" => "scramSha512",
        "OAUTHBEARER" => return bearer(get("sasl.oauthbearer.token.endpoint.url")),
        _ => "gssapi",
    };
    json!({ "type": kind, "description": format!("SASL, mechanism {mechanism}.") })
}

/// Where the token comes from, if it comes from a URL. What may be a credential in it is left out.
fn bearer(token_url: Option<&str>) -> Value {
    let said = "SASL, mechanism OAUTHBEARER.";
    let url = token_url.and_then(|url| reqwest::Url::parse(url).ok()).and_then(|mut url| {
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url.to_string())
    });
    match url {
        None => json!({ "type": "http", "scheme": "bearer", "description": said }),
        Some(url) => json!({ "type": "oauth2", "description": said,
            "flows": { "clientCredentials": { "tokenUrl": url, "availableScopes": {} } } }),
    }
}
