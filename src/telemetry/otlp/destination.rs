//! Where one signal is sent, and how: the `OTEL_EXPORTER_OTLP_*` variables.
//!
//! Takes the environment, and the files with certificates that it names. Gives a [`Destination`]. Each signal has its own
//! variables, which count before those for all. Values of headers may be secrets: no error quotes them, and no URL with
//! a password in it is taken, since URLs are logged.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use hyper_rustls::ConfigBuilderExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::Signal;
use super::environment::Environment;
use super::settings::percent_decoded;

/// An export takes no longer, in milliseconds.
const MAX_TIMEOUT_MS: u64 = 300_000;
/// The largest file with certificates or a key, in octets.
const MAX_FILE: u64 = 1024 * 1024;

/// Headers that belong to the protocol.
const RESERVED: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// How OTLP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// A message for a body, by HTTP/1.1.
    Http,
    /// A unary call, by HTTP/2.
    Grpc,
}

/// Where one signal is sent, and how.
#[derive(Clone)]
pub(super) struct Destination {
    pub(super) protocol: Protocol,
    /// What is posted to, or of gRPC where the calls go.
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
    /// For one export, with all of its attempts.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) tls: ClientConfig,
}

impl fmt::Debug for Destination {
    /// Without the headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({:?} {self})", self.protocol)
    }
}

impl fmt::Display for Destination {
    /// Scheme, host and port: what comes after may have been given to this sender alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority) = (self.url.scheme_str(), self.url.authority());
        write!(f, "{}://{}", scheme.unwrap_or_default(), authority.map_or("", |authority| authority.as_str()))
    }
}

/// Reads the variables of one signal. `None` if there is a fault, which the environment then knows. Files are read only
/// if the signal `is_exported`.
pub(super) fn read(environment: &mut Environment, signal: Signal, is_exported: bool) -> Option<Destination> {
    let protocol = match environment.of_signal(signal, "PROTOCOL") {
        None => Some(Protocol::Http),
        Some((name, value)) => {
            environment.choice(&name, &value, &[("http/protobuf", Protocol::Http), ("grpc", Protocol::Grpc)])
        }
    };
    let insecure = match environment.of_signal(signal, "INSECURE") {
        None => false,
        Some((name, value)) => environment
            .choice(&name, &value.to_ascii_lowercase(), &[("true", true), ("false", false)])
            .unwrap_or(false),
    };
    let url = protocol.and_then(|protocol| url(environment, signal, protocol, insecure));
    let headers = headers(environment, signal);
    let timeout = match environment.of_signal(signal, "TIMEOUT") {
        None => Some(10_000),
        Some((name, value)) => environment.number_of(&name, &value, 1..=MAX_TIMEOUT_MS),
    };
    let gzip = match environment.of_signal(signal, "COMPRESSION") {
        None => Some(false),
        Some((name, value)) => environment.choice(&name, &value, &[("gzip", true), ("none", false)]),
    };
    let is_tls = url.as_ref().is_some_and(|url| url.scheme_str() == Some("https"));
    let tls = tls(environment, signal, is_tls, is_exported);
    Some(Destination {
        protocol: protocol?,
        url: url?,
        headers: headers?,
        timeout: Duration::from_millis(timeout?),
        gzip: gzip?,
        tls: tls?,
    })
}

fn url(environment: &mut Environment, signal: Signal, protocol: Protocol, insecure: bool) -> Option<Uri> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.variable());
    let default = match protocol {
        Protocol::Http => "http://localhost:4318",
        Protocol::Grpc => "http://localhost:4317",
    };
    let (name, text) = environment
        .of_signal(signal, "ENDPOINT")
        .unwrap_or_else(|| ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), default.to_owned()));
    let text = match protocol {
        // Only gRPC knows addresses without a scheme.
        Protocol::Grpc if !text.contains("://") => {
            format!("{}://{text}", if insecure { "http" } else { "https" })
        }
        _ => text,
    };
    // Not quoted: it may have a password in it.
    let url = match text.parse::<Uri>() {
        Ok(url) if matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some() => url,
        _ => {
            environment.fault(&name, format_args!("a URL is needed, such as {default}"));
            return None;
        }
    };
    let authority = url.authority()?.clone();
    if authority.as_str().contains('@') {
        environment.fault(
            &name,
            "a URL has no place for credentials: put them into OTEL_EXPORTER_OTLP_HEADERS, as authorization=...",
        );
        return None;
    }
    let path = match protocol {
        // A call's path is its method, which the exporter knows.
        Protocol::Grpc => "/".to_owned(),
        // A signal's own URL is used as it is, the one for all is where the signals' paths begin.
        Protocol::Http if name == own => url.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        Protocol::Http if url.query().is_some() => {
            environment
                .fault(&name, format_args!("a URL with a query can only be a signal's own: set {own}"));
            return None;
        }
        Protocol::Http => format!("{}{}", url.path().trim_end_matches('/'), signal.path()),
    };
    let scheme = url.scheme_str().unwrap_or_default();
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}

/// `name=value,name=value`, the values in percent-encoding.
fn headers(environment: &mut Environment, signal: Signal) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let Some((name, text)) = environment.of_signal(signal, "HEADERS") else { return Some(headers) };
    let mut is_right = true;
    for (index, entry) in text.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty()) {
        let at = index + 1;
        let Some((key, value)) = entry.split_once('=') else {
            environment.fault(&name, format_args!("entry {at} is not `name=value`"));
            is_right = false;
            continue;
        };
        let Ok(key) = HeaderName::try_from(key.trim()) else {
            environment.fault(&name, format_args!("the name of entry {at} can't be that of a header"));
            is_right = false;
            continue;
        };
        if RESERVED.contains(&key.as_str()) {
            environment.fault(&name, format_args!("the header `{key}` is the protocol's own"));
            is_right = false;
            continue;
        }
        match percent_decoded(value.trim()).and_then(|value| HeaderValue::try_from(value).ok()) {
            Some(mut value) => {
                value.set_sensitive(true);
                headers.insert(key, value);
            }
            None => {
                environment.fault(
                    &name,
                    format_args!(
                        "the value of `{key}` is not in percent-encoding, or can't be that of a header"
                    ),
                );
                is_right = false;
            }
        }
    }
    is_right.then_some(headers)
}

/// A file that a variable names, with the variable's name.
fn file(
    environment: &mut Environment,
    signal: Signal,
    what: &str,
    is_used: bool,
) -> Option<Option<(String, Vec<u8>)>> {
    let Some((name, path)) = environment.of_signal(signal, what) else { return Some(None) };
    if !is_used {
        return Some(None);
    }
    let too_large = std::fs::metadata(&path).is_ok_and(|file| file.len() > MAX_FILE);
    match std::fs::read(&path) {
        Ok(_) if too_large => {
            environment.fault(&name, format_args!("`{path}` is larger than {MAX_FILE} octets"));
            None
        }
        Ok(octets) => Some(Some((name, octets))),
        Err(error) => {
            environment.fault(&name, format_args!("`{path}` can't be read: {error}"));
            None
        }
    }
}

fn tls(
    environment: &mut Environment,
    signal: Signal,
    is_tls: bool,
    is_exported: bool,
) -> Option<ClientConfig> {
    let is_used = is_tls && is_exported;
    for what in ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"] {
        if let Some((name, _)) = environment.of_signal(signal, what).filter(|_| is_exported && !is_tls) {
            environment.warn(&name, format_args!("without effect for {signal}: the endpoint is not https"));
        }
    }
    let ca = file(environment, signal, "CERTIFICATE", is_used)?;
    let certificate = file(environment, signal, "CLIENT_CERTIFICATE", is_used)?;
    let key = file(environment, signal, "CLIENT_KEY", is_used)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = match (builder, ca) {
        // Without TLS none are needed, and an image need not have any.
        (Ok(builder), None) if !is_used => builder.with_root_certificates(RootCertStore::empty()),
        (Ok(builder), None) => match builder.with_native_roots() {
            Ok(builder) => builder,
            Err(error) => {
                let why =
                    format_args!("the system's certificates can't be used, and no others are named: {error}");
                environment.fault("OTEL_EXPORTER_OTLP_CERTIFICATE", why);
                return None;
            }
        },
        (Ok(builder), Some((name, pem))) => match roots(&pem) {
            Ok(roots) => builder.with_root_certificates(roots),
            Err(why) => {
                environment.fault(&name, why);
                return None;
            }
        },
        (Err(error), _) => {
            environment.fault("OTEL_EXPORTER_OTLP_CERTIFICATE", error);
            return None;
        }
    };
    match (certificate, key) {
        (None, None) => Some(builder.with_no_client_auth()),
        (Some((name, certificate)), Some((_, key))) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
            let key = PrivateKeyDer::from_pem_slice(&key);
            let identity = match (chain, key) {
                (Ok(chain), Ok(key)) => {
                    builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())
                }
                (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
            };
            identity.map_err(|why| environment.fault(&name, format_args!("with its key: {why}"))).ok()
        }
        (Some((name, _)), None) | (None, Some((name, _))) => {
            environment.fault(&name, "a certificate for this client needs its key, and the other way round");
            None
        }
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in the file".to_owned()) } else { Ok(roots) }
}
