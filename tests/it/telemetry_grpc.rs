//! What answers by gRPC and is no friend: what it is sent, what is believed of its answers, and what of them is told.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::support::scene::{Plan, Scene};
use super::support::wait::{SOON, eventually};

/// A server that answers every call in the same way.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Option<HeaderMap>>>,
}

impl Server {
    /// Listens as long as the process lives. The answer is made from the headers of the call.
    fn start(answer: fn(&HeaderMap) -> Response<Full<Bytes>>) -> Server {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("listen");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Option<HeaderMap>>>::default();
        let noted = Arc::clone(&asked);
        let serve = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                let service = service_fn(move |call: Request<Incoming>| {
                    let answer = answer(call.headers());
                    *noted.lock().expect("what was asked") = Some(call.headers().clone());
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        };
        thread::spawn(move || runtime.block_on(serve));
        Server { address, asked }
    }

    fn exporting(&self) -> Plan {
        Plan::of("svix")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", self.address))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            .env("OTEL_METRICS_EXPORTER", "none")
            .env("OTEL_BSP_SCHEDULE_DELAY", "50")
    }
}

fn answering(scene: &Scene) -> String {
    scene.send(&scene.event("msg_0")).assert_received();
    let found = eventually(SOON, "it is said that spans are lost", || {
        scene.bridge.log().find("telemetry is not exported", |line| line["signal"] == "traces")
    });
    eventually(SOON, "they are counted", || {
        scene
            .bridge
            .metric("hookbridge_telemetry_lost_total", &["hookbridge_signal=\"traces\""])
            .filter(|lost| *lost >= 2.0)
    });
    found["reason"].as_str().expect("a reason").to_owned()
}

#[test]
fn it_refuses_and_repeats_what_it_was_sent() {
    let server = Server::start(|call| {
        let answer = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "16")
            .header("grpc-message", call["authorization"].clone());
        answer.body(Full::default()).expect("an answer")
    });
    let secret = "bearer-of-the-test-7a31";
    let scene = server
        .exporting()
        .env("OTEL_EXPORTER_OTLP_HEADERS", &format!("authorization=Bearer%20{secret}"))
        .env("HOOKBRIDGE_LOG", "trace,librdkafka=warn")
        .start();
    let reason = answering(&scene);
    assert_eq!(reason, "the export failed with gRPC code: Unauthenticated");
    assert!(!scene.bridge.log().text().contains(secret), "a secret is in the log");
    let asked = server.asked.lock().expect("what was asked").clone().expect("a call");
    let sent: Vec<_> = asked.get_all("authorization").iter().collect();
    assert_eq!(sent, [&format!("Bearer {secret}")], "once");
    assert!(asked["user-agent"].to_str().expect("text").contains("hookbridge/"), "{asked:?}");
}

/// 1 GiB is announced; then 64 MiB come compressed.
#[test]
fn it_answers_with_more_than_is_read() {
    let server = Server::start(|_| {
        let message = [&[0, 0x40, 0, 0, 0][..], &[0; 1024]].concat();
        let answer = Response::builder().header("content-type", "application/grpc");
        answer.body(Full::from(message)).expect("an answer")
    });
    let reason = answering(&server.exporting().start());
    assert!(reason.contains("OutOfRange"), "{reason}");

    let server = Server::start(|_| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..64 {
            std::io::Write::write_all(&mut encoder, &[0; 1024 * 1024]).expect("compress");
        }
        let bomb = encoder.finish().expect("compress");
        let length = u32::try_from(bomb.len()).expect("a small one").to_be_bytes();
        let message = [&[1][..], &length, &bomb].concat();
        let answer =
            Response::builder().header("content-type", "application/grpc").header("grpc-encoding", "gzip");
        answer.body(Full::from(message)).expect("an answer")
    });
    let reason = answering(&server.exporting().start());
    assert!(reason.contains("ResourceExhausted"), "{reason}");
}
