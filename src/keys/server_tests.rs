//! For tests: a provider on loopback, with TLS, that answers as it is told and counts what it is asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::fetch::Fetcher;
use super::resolver::Resolver;

/// The name in its certificate.
pub(crate) const HOST: &str = "keys.example.com";

/// What it was asked: the target, the `Authorization`, the body.
pub(crate) type Asked = (String, Option<String>, String);

type Answer = dyn Fn(&Asked) -> Option<Response<Full<Bytes>>> + Send + Sync;

/// A provider.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Server {
    /// Starts one. Where `answer` gives nothing, it never answers.
    pub(crate) async fn start(
        answer: impl Fn(&Asked) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        Self::held_by(Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)), answer).await
    }

    /// The same, each answer of which takes a permit of `gate`.
    pub(crate) async fn held_by(
        gate: Arc<Semaphore>,
        answer: impl Fn(&Asked) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(&file("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(&file("server.key")).unwrap();
        let tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = Self { address, connections: Arc::clone(&connections), asked: Arc::clone(&asked) };
        let answer: Arc<Answer> = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, asked, answer) = (acceptor.clone(), Arc::clone(&asked), Arc::clone(&answer));
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(|request| respond(request, &gate, &asked, &*answer));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        server
    }

    /// One that gives `body` with 200, to everybody.
    pub(crate) async fn giving(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::start(move |_| Some(Response::new(Full::new(body.clone())))).await
    }

    /// A fetcher for which every name is this server's, and which trusts its authority.
    pub(crate) fn fetcher(&self) -> Arc<Fetcher> {
        Fetcher::with(Resolver::of_loopback(self.address), client_tls(true))
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often it was connected to.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// TLS for the client, with the test's authority or none.
pub(crate) fn client_tls(trusting: bool) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    if trusting {
        roots.add(CertificateDer::from_pem_slice(&file("ca.pem")).unwrap()).unwrap();
    }
    rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn respond(
    request: Request<Incoming>,
    gate: &Semaphore,
    asked: &Mutex<Vec<Asked>>,
    answer: &Answer,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let authorization = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let target = format!("{} {}", head.method, head.uri);
    let question = (target, authorization, String::from_utf8_lossy(&body).into_owned());
    let answer = answer(&question);
    asked.lock().unwrap().push(question);
    gate.acquire().await.unwrap().forget();
    match answer {
        Some(answer) => Ok(answer),
        None => std::future::pending().await,
    }
}

/// An answer with a status and nothing else.
pub(crate) fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
