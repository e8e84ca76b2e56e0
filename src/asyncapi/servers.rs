//! Where the records go: the cluster, how it is connected to, and by which mechanism. Never by which credentials.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::kafka::properties::Properties;

/// The version of the Kafka bindings that all parts of the document have.
pub(super) const BINDING: &str = "0.5.0";

/// The brokers of the clusters, and how they are connected to.
#[derive(Default)]
pub(super) struct Servers {
    /// By name: that of the cluster, with a number where it has several.
    pub(super) servers: Map<String, Value>,
    /// The security schemes that they refer to.
    pub(super) schemes: Map<String, Value>,
}

impl Servers {
    /// Those of a configuration.
    pub(super) fn of(config: &Config) -> Self {
        let mut servers = Self::default();
        servers.cluster("kafka", &config.kafka, &binding(config));
        if let Some(standby) = &config.standby {
            servers.cluster("standby", &standby.beside(&config.kafka), &binding(config));
        }
        servers
    }

    fn cluster(&mut self, cluster: &str, kafka: &Properties, binding: &Value) {
        let is_set = |name: &&str| kafka.get(name).is_some_and(|value| !value.is_empty());
        let protocol = kafka.get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
        let (is_sasl, is_tls) = (protocol.contains("sasl"), protocol.contains("ssl"));
        let mut schemes = Vec::new();
        if is_sasl {
            schemes.push(("sasl", sasl(kafka)));
        }
        let shown = ["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"];
        if is_tls && shown.iter().any(is_set) {
            let said = "The client shows a certificate.";
            schemes.push(("certificate", json!({ "type": "X509", "description": said })));
        }
        let mut security = Vec::new();
        for (kind, scheme) in schemes {
            let name = format!("{cluster}-{kind}");
            security.push(json!({ "$ref": format!("#/components/securitySchemes/{name}") }));
            self.schemes.insert(name, scheme);
        }
        let hosts = hosts(kafka.get("bootstrap.servers").unwrap_or_default());
        for (index, host) in hosts.iter().enumerate() {
            let name = if hosts.len() == 1 { cluster.to_owned() } else { format!("{cluster}{}", index + 1) };
            let mut server =
                json!({ "host": host, "protocol": if is_tls { "kafka-secure" } else { "kafka" } });
            if !security.is_empty() {
                server["security"] = security.clone().into();
            }
            server["bindings"] = json!({ "kafka": binding });
            self.servers.insert(name, server);
        }
    }
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

fn sasl(kafka: &Properties) -> Value {
    let get = |name: &str| kafka.get(name);
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
