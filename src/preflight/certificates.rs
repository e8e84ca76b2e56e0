//! When the certificates on the way to Kafka end.
//!
//! Takes librdkafka's properties. Looks at the certificates that they name, and at those that the brokers show. Gives a fault for
//! each that has ended or soon will.

use std::io::Write as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::{Fault, Severity};
use crate::kafka::properties::Properties;
use crate::keys::certificate::Validity;

/// From then on it is worth a warning.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// For one broker to show its certificate.
const SHOW_WITHIN: Duration = Duration::from_secs(3);

/// So many brokers are looked at.
const MAX_BROKERS: usize = 5;

pub(super) fn check(kafka: &Properties, now: SystemTime) -> Vec<Fault> {
    let mut faults = Vec::new();
    for name in ["ssl.certificate.location", "ssl.ca.location"] {
        let Some(file) = kafka.get(name) else { continue };
        match std::fs::read(file) {
            // What is no PEM can't be looked at; librdkafka says itself what it can't read.
            Ok(pem) => faults.extend(of_pem(&format!("{name} {file}"), &pem, now)),
            Err(error) => {
                let message = format!("the file can't be read: {error}");
                let hint = "check the path and its permissions";
                let subject = format!("{name} {file}");
                faults.push(Fault::new(
                    Severity::Error,
                    "certificate_unreadable",
                    subject,
                    (message, hint),
                    &[],
                ));
            }
        }
    }
    for name in ["ssl.certificate.pem", "ssl.ca.pem"] {
        if let Some(pem) = kafka.get(name) {
            faults.extend(of_pem(name, pem.as_bytes(), now));
        }
    }
    let is_tls =
        kafka.get("security.protocol").is_some_and(|protocol| protocol.to_ascii_lowercase().ends_with("ssl"));
    if is_tls {
        let brokers = kafka.get("bootstrap.servers").unwrap_or_default().split(',').map(str::trim);
        for broker in brokers.filter(|broker| !broker.is_empty()).take(MAX_BROKERS) {
            // A broker that does not answer is another check's fault.
            if let Some(shown) = shown_by(broker) {
                faults.extend(of_one(&format!("the certificate of {broker}"), &shown, now));
            }
        }
    }
    faults
}

fn of_pem(subject: &str, pem: &[u8], now: SystemTime) -> Vec<Fault> {
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let mut faults: Vec<Fault> = certificates.filter_map(|der| of_one(subject, &der, now)).collect();
    // The system's bundle holds some that have ended, and nobody minds: one that is good is enough.
    let count = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).count();
    if count > 1 && faults.len() < count && subject.starts_with("ssl.ca") {
        faults.clear();
    }
    faults
}

fn of_one(subject: &str, der: &[u8], now: SystemTime) -> Option<Fault> {
    let validity = Validity::of(der).ok()?;
    let end = humantime::format_rfc3339_seconds(validity.not_after);
    let (severity, kind, message) = if now > validity.not_after {
        (Severity::Error, "certificate_expired", format!("it ended at {end}"))
    } else if now < validity.not_before {
        let begin = humantime::format_rfc3339_seconds(validity.not_before);
        (
            Severity::Error,
            "certificate_not_yet_valid",
            format!("it begins at {begin}, by this machine's clock"),
        )
    } else if now + SOON > validity.not_after {
        (Severity::Warning, "certificate_expires_soon", format!("it ends at {end}"))
    } else {
        return None;
    };
    let hint = "renew it; `serve` takes files of `kafka` over once they have changed";
    Some(Fault::new(severity, kind, subject, (message, hint), &[]))
}

/// The answer to everything: the certificate has been seen, and that is all.
fn only_looked_at<T>() -> Result<T, Error> {
    Err(Error::General("only looked at".to_owned()))
}

/// Keeps the certificate that it is shown, and believes nothing.
#[derive(Debug, Default)]
struct Onlooker(Mutex<Option<Vec<u8>>>);

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        // Nothing is ever sent over this connection.
        only_looked_at()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_looked_at()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_looked_at()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn shown_by(broker: &str) -> Option<Vec<u8>> {
    let address = broker.to_socket_addrs().ok()?.next()?;
    let host = broker.rsplit_once(':')?.0.trim_matches(['[', ']']).to_owned();
    let onlooker = Arc::new(Onlooker::default());
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&onlooker) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from(host).ok()?).ok()?;
    let mut socket = TcpStream::connect_timeout(&address, SHOW_WITHIN).ok()?;
    socket.set_read_timeout(Some(SHOW_WITHIN)).ok()?;
    socket.set_write_timeout(Some(SHOW_WITHIN)).ok()?;
    while connection.is_handshaking() && connection.complete_io(&mut socket).is_ok() {}
    let _ = socket.flush();
    onlooker.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}
