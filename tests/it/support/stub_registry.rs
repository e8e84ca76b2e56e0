//! A schema registry that answers as a test tells it to, and counts what it is asked.
//!
//! Over TLS it has a certificate for 127.0.0.1 and wants to see one of the client's, both of the authority in `tests/tls/`. The real
//! registry is [`super::registry`].

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The path.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
}

/// What is done about a question.
pub(crate) enum Reply {
    /// A status, and a body.
    Answer(u16, String),
    /// A status, and octets without an end.
    Endless,
    /// Somewhere else.
    Redirect(String),
    /// Nothing, for as long as it is waited for.
    Never,
}

/// A registry that is none.
pub(crate) struct StubRegistry {
    address: SocketAddr,
    is_tls: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Reply {
    /// A schema.
    pub(crate) fn schema(id: u32, kind: &str, schema: &Value) -> Reply {
        let schema = schema.as_str().map_or_else(|| schema.to_string(), str::to_owned);
        let body = json!({ "subject": "any", "version": 1, "id": id, "schemaType": kind, "schema": schema });
        Reply::Answer(200, body.to_string())
    }

    /// What a registry says of a subject that it does not have.
    pub(crate) fn missing() -> Reply {
        let body = json!({ "error_code": 40401, "message": "Subject not found." });
        Reply::Answer(404, body.to_string())
    }
}

impl StubRegistry {
    /// Starts one, for as long as the process lives.
    pub(crate) fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> StubRegistry {
        Self::with(None, reply)
    }

    /// The same over TLS, for those who show a certificate.
    pub(crate) fn start_tls(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> StubRegistry {
        Self::with(Some(tls()), reply)
    }

    fn with(
        tls: Option<Arc<ServerConfig>>,
        reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> StubRegistry {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let address = listener.local_addr().expect("an address");
        let (asked, is_tls) = (Arc::<Mutex<Vec<Asked>>>::default(), tls.is_some());
        let (noted, reply) = (Arc::clone(&asked), Arc::new(reply));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, noted, reply) = (tls.clone(), Arc::clone(&noted), Arc::clone(&reply));
                thread::spawn(move || match tls {
                    None => serve(stream, &noted, &*reply),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a connection");
                        serve(StreamOwned::new(connection, stream), &noted, &*reply);
                    }
                });
            }
        });
        StubRegistry { address, is_tls, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http{}://{}", if self.is_tls { "s" } else { "" }, self.address)
    }

    /// What it was asked so far, as far as `part` is in the path.
    pub(crate) fn asked(&self, part: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("what was asked");
        asked.iter().filter(|asked| asked.target.contains(part)).cloned().collect()
    }
}

/// One question on each connection. Whoever breaks off has seen enough.
fn serve(stream: impl Read + Write, noted: &Mutex<Vec<Asked>>, reply: &dyn Fn(&Asked) -> Reply) {
    let mut stream = BufReader::new(stream);
    let mut asked = Asked { target: String::new(), authorization: None };
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                asked.authorization = Some(value.to_owned());
            }
            Some(_) => {}
            None => asked.target = line.split(' ').nth(1).unwrap_or_default().to_owned(),
        }
    }
    noted.lock().expect("what was asked").push(asked.clone());
    let stream_of_octets = |status: &str, more: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n{body}")
    };
    let answer = match reply(&asked) {
        Reply::Answer(status, body) => {
            stream_of_octets(&format!("{status} Told"), "content-type: application/json\r\n", &body)
        }
        Reply::Redirect(to) => stream_of_octets("302 Found", &format!("location: {to}\r\n"), ""),
        Reply::Never => {
            let _ = stream.read_to_end(&mut Vec::new());
            return;
        }
        Reply::Endless => {
            let stream = stream.get_mut();
            let mut octets = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\"".to_vec();
            while stream.write_all(&octets).is_ok() {
                octets = vec![b'x'; 64 * 1024];
            }
            return;
        }
    };
    let stream = stream.get_mut();
    let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
}

/// A file of `tests/tls/`.
pub(crate) fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

fn tls() -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let read = |name: &str| CertificateDer::from_pem_file(tls_file(name)).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(read("loopback-ca.pem")).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .expect("a verifier");
    let key = PrivateKeyDer::from_pem_file(tls_file("loopback.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![read("loopback.pem")], key)
        .expect("a certificate");
    Arc::new(config)
}
