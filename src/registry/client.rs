//! The registry's API, by the client of `schema_registry_converter`.
//!
//! Takes subjects, versions and schemas. Gives what the registry has, says, and takes. Deadlines are the caller's, beside one for each
//! question. Redirections are not followed: whoever answers there would be believed.
//!
//! Source: Confluent's documentation, "Schema Registry API Reference".

use std::time::Duration;

use hyper_rustls::ConfigBuilderExt as _;
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_referenced_schema, get_schema_by_subject_and_version, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RegisteredSchema, SchemaType, SuppliedSchema};
use serde::Deserialize;
use serde_json::json;

use crate::config::RegistryConfig;
use crate::config::registry::Credentials;
use crate::schema::{Kind, MAX_SCHEMA_BYTES, Reference};

/// Schemas that one refers to, directly or not.
const MAX_REFERENCES: usize = 64;

/// To open a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A registry that can be asked.
#[derive(Debug)]
pub struct Client {
    settings: SrSettings,
    http: reqwest::Client,
    credentials: Credentials,
    /// Without a slash at the end. Never empty.
    urls: Vec<String>,
}

/// What a registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The schema's ID.
    pub id: u32,
    /// Its version, if the registry says.
    pub version: Option<u32>,
    /// Its kind; none, if it is one that is not known here.
    pub kind: Option<Kind>,
    /// The schema.
    pub text: String,
    /// What it refers to.
    pub references: Vec<Reference>,
}

/// Why a registry did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Certificates or keys can't be used.
    #[error("the registry's TLS can't be set up: {0}")]
    Tls(String),
    /// It does not answer.
    #[error("the registry does not answer: {0}")]
    Away(String),
    /// It says no.
    #[error("the registry says: {0}")]
    Refused(String),
    /// It has no such thing.
    #[error("the registry has nothing there")]
    Missing,
}

impl From<SRCError> for ClientError {
    fn from(error: SRCError) -> Self {
        let cause = error.cause.unwrap_or_default();
        // Only the converter's own words, which have the status: the cause has the URL, or the registry's words.
        let (is_missing, is_refused) =
            (error.error.contains("failed with status 404"), error.error.contains("failed with status"));
        let text = if cause.is_empty() { error.error } else { format!("{}: {cause}", error.error) };
        if is_missing {
            Self::Missing
        } else if is_refused {
            Self::Refused(text)
        } else {
            Self::Away(text)
        }
    }
}

/// The registry's word on whether a schema may be the next version.
#[derive(Debug, Deserialize)]
struct Compatibility {
    is_compatible: bool,
    #[serde(default)]
    messages: Vec<String>,
}

impl Client {
    /// Sets the client up. Nothing is asked yet.
    ///
    /// # Errors
    /// Certificates or keys can't be used.
    pub fn new(config: &RegistryConfig) -> Result<Self, ClientError> {
        let tls = tls(config).map_err(ClientError::Tls)?;
        let [first, more @ ..] = config.urls.as_slice() else {
            return Err(ClientError::Tls("there is no URL".to_owned()));
        };
        let builder = || {
            ClientBuilder::new()
                .tls_backend_preconfigured(tls.clone())
                .redirect(Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT_WITHIN.min(config.timeout))
                .timeout(config.timeout)
        };
        let mut settings = SrSettings::new_builder(first.clone());
        settings.set_timeout(config.timeout);
        for url in more {
            settings.add_url(url.clone());
        }
        match &config.credentials {
            Credentials::None => {}
            Credentials::Basic(name, password) => {
                settings.set_basic_authorization(name, password.as_ref().map(|password| password.as_str()));
            }
            Credentials::Bearer(token) => {
                settings.set_token_authorization(token);
            }
        }
        let settings = settings.build_with(builder()).map_err(|error| ClientError::Tls(error.to_string()))?;
        let http = builder().build().map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(Self { settings, http, credentials: config.credentials.clone(), urls: config.urls.clone() })
    }

    /// Where a schema can be read.
    #[must_use]
    pub fn url_of(&self, id: u32) -> String {
        format!("{}/schemas/ids/{id}", self.urls[0])
    }

    /// What a subject has: the latest version, or the one that is asked for.
    ///
    /// # Errors
    /// The registry is away, says no, or has nothing there.
    pub async fn find(&self, subject: &str, version: Option<u32>) -> Result<Found, ClientError> {
        let schema = get_schema_by_subject_and_version(&self.settings, subject, version).await?;
        let references = self.references(&schema).await?;
        let kind = match &schema.schema_type {
            SchemaType::Avro => Some(Kind::Avro),
            SchemaType::Json => Some(Kind::Json),
            SchemaType::Protobuf => Some(Kind::Protobuf),
            _ => None,
        };
        Ok(Found { id: schema.id, version: schema.version, kind, text: schema.schema, references })
    }

    /// Everything that a schema refers to, each once, what is referred to before what refers to it.
    async fn references(&self, schema: &RegisteredSchema) -> Result<Vec<Reference>, ClientError> {
        let mut found: Vec<Reference> = Vec::new();
        let mut waiting = schema.references.clone();
        let mut octets = schema.schema.len();
        while let Some(reference) = waiting.pop() {
            if found.iter().any(|known| known.name == reference.name) {
                continue;
            }
            let referred = get_referenced_schema(&self.settings, &reference).await?;
            octets += referred.schema.len();
            if found.len() == MAX_REFERENCES || octets > MAX_SCHEMA_BYTES {
                let why =
                    format!("it refers to more than {MAX_REFERENCES} schemas, or {MAX_SCHEMA_BYTES} octets");
                return Err(ClientError::Refused(why));
            }
            waiting.extend(referred.references.iter().cloned());
            found.insert(0, Reference { name: reference.name, text: referred.schema });
        }
        Ok(found)
    }

    /// Registers a schema, and gives its ID: the one it has, if it is there already.
    ///
    /// # Errors
    /// The registry is away, or refuses it, as when it is not compatible with what is there.
    pub async fn register(&self, subject: &str, kind: Kind, text: &str) -> Result<u32, ClientError> {
        let schema = SuppliedSchema::new(None, schema_type(kind), text.to_owned());
        Ok(post_schema(&self.settings, subject.to_owned(), schema).await?.id)
    }

    /// Whether a subject has exactly this schema: its ID and version.
    ///
    /// # Errors
    /// The registry is away or says no.
    pub async fn look_up(
        &self,
        subject: &str,
        kind: Kind,
        text: &str,
    ) -> Result<Option<(u32, u32)>, ClientError> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
            version: u32,
        }
        match self.post::<Registered>(&format!("subjects/{subject}"), kind, text).await {
            Ok(Registered { id, version }) => Ok(Some((id, version))),
            Err(ClientError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a schema may be a subject's next version, and if not, why. A subject that is not there takes anything.
    ///
    /// # Errors
    /// The registry is away or says no.
    pub async fn is_compatible(
        &self,
        subject: &str,
        kind: Kind,
        text: &str,
    ) -> Result<Result<(), String>, ClientError> {
        let path = format!("compatibility/subjects/{subject}/versions/latest?verbose=true");
        match self.post::<Compatibility>(&path, kind, text).await {
            Ok(Compatibility { is_compatible: true, .. }) | Err(ClientError::Missing) => Ok(Ok(())),
            Ok(Compatibility { messages, .. }) => Ok(Err(messages.join("; "))),
            Err(error) => Err(error),
        }
    }

    /// Asks each URL in turn, until one answers.
    async fn post<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        kind: Kind,
        text: &str,
    ) -> Result<T, ClientError> {
        let body = json!({ "schema": text, "schemaType": type_name(kind) }).to_string();
        let mut away = ClientError::Away(String::new());
        for url in &self.urls {
            let request = self
                .http
                .post(format!("{url}/{path}"))
                .header(reqwest::header::CONTENT_TYPE, "application/vnd.schemaregistry.v1+json")
                .body(body.clone());
            let request = match &self.credentials {
                Credentials::None => request,
                Credentials::Basic(name, password) => {
                    request.basic_auth(name, password.as_ref().map(|password| password.as_str()))
                }
                Credentials::Bearer(token) => request.bearer_auth(token.as_str()),
            };
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => {
                    away = ClientError::Away(error.without_url().to_string());
                    continue;
                }
            };
            let status = response.status();
            let text = response.text().await.map_err(|error| ClientError::Away(error.to_string()))?;
            return match status {
                StatusCode::NOT_FOUND => Err(ClientError::Missing),
                _ if status.is_success() => serde_json::from_str(&text)
                    .map_err(|error| ClientError::Refused(format!("an answer that can't be read: {error}"))),
                _ => Err(ClientError::Refused(format!("{status}: {}", message_of(&text)))),
            };
        }
        Err(away)
    }
}

/// The registry's own words in an error's body.
fn message_of(body: &str) -> String {
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    let message = serde_json::from_str(body).map_or_else(|_| body.to_owned(), |Error { message }| message);
    message.chars().take(500).collect()
}

fn schema_type(kind: Kind) -> SchemaType {
    match kind {
        Kind::Json => SchemaType::Json,
        Kind::Avro => SchemaType::Avro,
        Kind::Protobuf => SchemaType::Protobuf,
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Json => "JSON",
        Kind::Avro => "AVRO",
        Kind::Protobuf => "PROTOBUF",
    }
}

fn tls(config: &RegistryConfig) -> Result<ClientConfig, String> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &config.ca {
        None => builder.with_native_roots().map_err(|error| format!("the system's certificates: {error}"))?,
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| format!("ca_file: {error}"))?;
                roots.add(certificate).map_err(|error| format!("ca_file: {error}"))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    match &config.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            let certificates: Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(&identity.certificate).collect();
            let certificates = certificates.map_err(|error| format!("cert_file: {error}"))?;
            let key =
                PrivateKeyDer::from_pem_slice(&identity.key).map_err(|error| format!("key_file: {error}"))?;
            builder.with_client_auth_cert(certificates, key).map_err(|error| format!("key_file: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port such as 4041, or a subject's name, made of every fault that there is no such subject.
    #[test]
    fn only_the_status_says_that_there_is_nothing() {
        let of =
            |error: &str, cause: &str| ClientError::from(SRCError::new(error, Some(cause.to_owned()), false));
        let failed = |status: &str| format!("HTTP request to schema registry failed with status {status}");
        let away =
            of("http call to schema registry failed", "error sending request for url (http://r:4041/x)");
        assert!(matches!(away, ClientError::Away(_)), "{away}");
        let refused = of(&failed("409 Conflict"), "Schema for subject t404-value is incompatible");
        assert!(matches!(refused, ClientError::Refused(_)), "{refused}");
        assert_eq!(of(&failed("404 Not Found"), "Subject 'x' not found."), ClientError::Missing);
    }
}
