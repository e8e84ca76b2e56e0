//! Health and metrics, on a port of their own.
//!
//! `GET /livez`: the process answers; never tied to Kafka, since a restart would not mend it. `GET /readyz`:
//! requests can be sent here. `GET /metrics`: the Prometheus text format. Nothing here shows configuration.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::app::App;

/// Probes and scrapers, with room to spare.
const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Serves until the task is aborted: the last thing that a shutdown ends.
pub async fn serve(listener: TcpListener, app: Arc<App>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "an admin connection could not be accepted");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = answer(&app, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an admin connection ended early");
            }
            drop(place);
        });
    }
}

fn answer(app: &App, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => match (app.is_leaving(), app.is_ready()) {
            (true, _) => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: shutting down\n".to_owned()),
            (_, true) => text(StatusCode::OK, "ok\n".to_owned()),
            (_, false) => {
                let trouble = app.producer().health().trouble();
                let why = trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default();
                text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: kafka is not reachable{why}\n"))
            }
        },
        "/metrics" => match app.metrics().to_prometheus() {
            Ok(metrics) => text(StatusCode::OK, metrics),
            Err(error) => {
                tracing::error!(%error, "the metrics can't be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics can't be written\n".to_owned())
            }
        },
        _ => text(StatusCode::NOT_FOUND, "here are /livez, /readyz and /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
