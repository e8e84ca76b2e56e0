//! The registry's API, with the types of `schema_registry_converter`.
//!
//! Takes subjects, versions and schemas. Gives what the registry has, says, and takes. Each URL has its share of `timeout` to
//! answer, so that the next one is still asked; other deadlines are the caller's. That crate's own calls set no bound to what
//! is answered and give the first URL all the time there is, so the questions are asked here. Redirections are not
//! followed: whoever answers there would be believed.
//!
//! Source: Confluent's documentation, "Schema Registry API Reference".

use std::error::Error as _;
use std::time::Duration;

use hyper_rustls::ConfigBuilderExt as _;
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, RequestBuilder, Response, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use schema_registry_converter::schema_registry_common::{RawRegisteredSchema, RegisteredReference};
use serde::Deserialize;
use serde_json::json;

use crate::config::RegistryConfig;
use crate::config::registry::Credentials;
use crate::schema::{Kind, MAX_SCHEMA_BYTES, Reference};

/// Schemas that one refers to, directly or not.
const MAX_REFERENCES: usize = 64;

/// The largest answer that is read, in octets: a schema as a JSON string, escapes and all, with what is said about it.
const MAX_ANSWER_BYTES: usize = 4 * MAX_SCHEMA_BYTES;

/// What the registry says is cut off there, in characters.
const MAX_MESSAGE: usize = 500;

/// The media type of its API.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// What it is asked to answer with.
const ACCEPTED: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// To open a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A registry that can be asked.
#[derive(Debug)]
pub struct Client {
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

/// A schema as the registry tells it.
struct Told {
    id: u32,
    version: Option<u32>,
    kind: Option<String>,
    text: String,
    references: Vec<RegisteredReference>,
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
        if config.urls.is_empty() {
            return Err(ClientError::Tls("there is no URL".to_owned()));
        }
        // The next URL is asked as long as there is time.
        let shares = u32::try_from(config.urls.len()).unwrap_or(u32::MAX).max(1);
        let timeout = config.timeout / shares;
        let http = ClientBuilder::new()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN.min(timeout))
            .timeout(timeout)
            .build()
            .map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(Self { http, credentials: config.credentials.clone(), urls: config.urls.clone() })
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
        let schema = self.schema(subject, version).await?;
        let references = self.references(&schema).await?;
        // Registries that know nothing but Avro say no type.
        let kind = match schema.kind.as_deref() {
            Some("AVRO") | None => Some(Kind::Avro),
            Some("JSON") => Some(Kind::Json),
            Some("PROTOBUF") => Some(Kind::Protobuf),
            Some(_) => None,
        };
        Ok(Found { id: schema.id, version: schema.version, kind, text: schema.text, references })
    }

    async fn schema(&self, subject: &str, version: Option<u32>) -> Result<Told, ClientError> {
        let version = version.map_or_else(|| "latest".to_owned(), |version| version.to_string());
        let path = format!("subjects/{}/versions/{version}", segment(subject));
        let raw: RawRegisteredSchema = self.ask(&path, None).await?;
        let (Some(id), Some(text)) = (raw.id, raw.schema) else {
            return Err(ClientError::Refused("an answer without the schema's `id` or text".to_owned()));
        };
        let references = raw.references.unwrap_or_default();
        Ok(Told { id, version: raw.version, kind: raw.schema_type, text, references })
    }

    /// Everything that a schema refers to, directly or not, each once.
    async fn references(&self, schema: &Told) -> Result<Vec<Reference>, ClientError> {
        let mut found: Vec<Reference> = Vec::new();
        let mut waiting = schema.references.clone();
        let mut octets = schema.text.len();
        while let Some(reference) = waiting.pop() {
            if found.iter().any(|known| known.name == reference.name) {
                continue;
            }
            let referred = match self.schema(&reference.subject, Some(reference.version)).await {
                Err(ClientError::Missing) => {
                    let RegisteredReference { name, subject, version, .. } = &reference;
                    let why =
                        format!("it refers to `{name}`, and there is no version {version} of `{subject}`");
                    return Err(ClientError::Refused(why));
                }
                referred => referred?,
            };
            octets += referred.text.len();
            if found.len() == MAX_REFERENCES || octets > MAX_SCHEMA_BYTES {
                let why =
                    format!("it refers to more than {MAX_REFERENCES} schemas, or {MAX_SCHEMA_BYTES} octets");
                return Err(ClientError::Refused(why));
            }
            waiting.extend(referred.references);
            found.push(Reference { name: reference.name, text: referred.text });
        }
        Ok(found)
    }

    /// Registers a schema, and gives its ID: the one it has, if it is there already.
    ///
    /// # Errors
    /// The registry is away, or refuses it, as when it is not compatible with what is there.
    pub async fn register(&self, subject: &str, kind: Kind, text: &str) -> Result<u32, ClientError> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }
        let path = format!("subjects/{}/versions", segment(subject));
        Ok(self.ask::<Registered>(&path, Some(supplied(kind, text))).await?.id)
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
        let path = format!("subjects/{}", segment(subject));
        match self.ask::<Registered>(&path, Some(supplied(kind, text))).await {
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
        let path = format!("compatibility/subjects/{}/versions/latest?verbose=true", segment(subject));
        match self.ask::<Compatibility>(&path, Some(supplied(kind, text))).await {
            Ok(Compatibility { is_compatible: true, .. }) | Err(ClientError::Missing) => Ok(Ok(())),
            Ok(Compatibility { messages, .. }) => Ok(Err(messages.join("; "))),
            Err(error) => Err(error),
        }
    }

    /// Asks each URL in turn, until one answers: what it has, or that it has nothing or refuses.
    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        body: Option<String>,
    ) -> Result<T, ClientError> {
        let mut failure = ClientError::Away(String::new());
        for url in &self.urls {
            let url = format!("{url}/{path}");
            let request = match &body {
                None => self.http.get(url),
                Some(body) => {
                    self.http.post(url).header(reqwest::header::CONTENT_TYPE, MEDIA_TYPE).body(body.clone())
                }
            };
            let response =
                match self.identified(request).header(reqwest::header::ACCEPT, ACCEPTED).send().await {
                    Ok(response) => response,
                    Err(error) => {
                        failure = ClientError::Away(why(&error));
                        continue;
                    }
                };
            let status = response.status();
            let answer = match read(response).await {
                Ok(answer) => answer,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            match status {
                StatusCode::NOT_FOUND => return Err(ClientError::Missing),
                _ if status.is_success() => {
                    return serde_json::from_slice(&answer).map_err(|error| {
                        ClientError::Refused(format!("an answer that can't be read: {error}"))
                    });
                }
                _ => failure = ClientError::Refused(format!("{status}: {}", message_of(&answer))),
            }
            // The next one may be in better health; what one of them refuses, all of them do.
            if !status.is_server_error() {
                break;
            }
        }
        Err(failure)
    }

    fn identified(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credentials {
            Credentials::None => request,
            Credentials::Basic(name, password) => {
                request.basic_auth(name, password.as_ref().map(|password| password.as_str()))
            }
            Credentials::Bearer(token) => request.bearer_auth(token.as_str()),
        }
    }
}

/// The answer's octets, as many as are read of any.
async fn read(mut response: Response) -> Result<Vec<u8>, ClientError> {
    let mut octets = Vec::new();
    while let Some(more) = response.chunk().await.map_err(|error| ClientError::Away(why(&error)))? {
        if octets.len() + more.len() > MAX_ANSWER_BYTES {
            return Err(ClientError::Refused(format!("an answer of more than {MAX_ANSWER_BYTES} octets")));
        }
        octets.extend_from_slice(&more);
    }
    Ok(octets)
}

/// What went wrong, down to its cause, without the URL.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause = error.source();
    let mut text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        text = deeper.to_string();
        cause = Some(deeper);
    }
    cut(&text)
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_MESSAGE).collect()
}

/// A subject as a part of a path. A record's name may be any text.
fn segment(subject: &str) -> String {
    form_urlencoded::byte_serialize(subject.as_bytes()).collect::<String>().replace('+', "%20")
}

fn supplied(kind: Kind, text: &str) -> String {
    json!({ "schema": text, "schemaType": type_name(kind) }).to_string()
}

/// The registry's own words in an error's body.
fn message_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    let message = serde_json::from_slice(body).map(|Error { message }| message);
    cut(&message.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()))
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
        // Without TLS none are needed, and an image need not have any.
        None if config.urls.iter().all(|url| url.starts_with("http://")) => {
            builder.with_root_certificates(RootCertStore::empty())
        }
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
