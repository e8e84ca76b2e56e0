//! The exporters of `opentelemetry-otlp`, made as the environment says.
//!
//! Takes a destination. Gives an exporter for one signal, by HTTP with the client beside this file, or by gRPC over a
//! channel of `tonic` that reads 4 MiB of an answer at the most, which is its default. They would read the
//! environment by themselves: what is said here counts before that, and has been checked.

use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, MetricExporter, Protocol as Spoken, SpanExporter,
    WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use tokio::runtime::Handle;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};

use super::client::{AGENT, CONNECT_WITHIN, Client, Shared};
use super::destination::{Destination, Protocol};

/// What an exporter is made from.
pub(super) struct Parts<'a> {
    pub(super) destination: &'a Destination,
    /// For one export: the least of what the destination and the signal say.
    pub(super) timeout: Duration,
    /// Where connections live.
    pub(super) runtime: &'a Handle,
    /// Where the HTTP client writes down what it sees.
    pub(super) seen: Shared,
}

/// For traces.
///
/// # Errors
/// Something can't be made, as is said. So for the two others.
pub(super) fn spans(parts: &Parts<'_>) -> Result<SpanExporter, String> {
    said(match parts.destination.protocol {
        Protocol::Http => parts.by_http(SpanExporter::builder().with_http())?.build(),
        Protocol::Grpc => parts.by_grpc(SpanExporter::builder().with_tonic())?.build(),
    })
}

/// For metrics.
pub(super) fn metrics(parts: &Parts<'_>) -> Result<MetricExporter, String> {
    said(match parts.destination.protocol {
        Protocol::Http => parts.by_http(MetricExporter::builder().with_http())?.build(),
        Protocol::Grpc => parts.by_grpc(MetricExporter::builder().with_tonic())?.build(),
    })
}

/// For logs.
pub(super) fn records(parts: &Parts<'_>) -> Result<LogExporter, String> {
    said(match parts.destination.protocol {
        Protocol::Http => parts.by_http(LogExporter::builder().with_http())?.build(),
        Protocol::Grpc => parts.by_grpc(LogExporter::builder().with_tonic())?.build(),
    })
}

fn said<T>(made: Result<T, ExporterBuildError>) -> Result<T, String> {
    made.map_err(|error| format!("its exporter can't be made: {error}"))
}

impl Parts<'_> {
    fn by_http<B: WithExportConfig + WithHttpConfig>(&self, builder: B) -> Result<B, String> {
        let client = Client::new(self.destination, self.timeout, self.seen.clone())?;
        let builder = builder
            .with_protocol(Spoken::HttpBinary)
            .with_endpoint(self.destination.url.to_string())
            .with_timeout(self.timeout)
            .with_http_client(client);
        Ok(if self.destination.gzip { builder.with_compression(Compression::Gzip) } else { builder })
    }

    fn by_grpc<B: WithExportConfig + WithTonicConfig>(&self, builder: B) -> Result<B, String> {
        let channel = self.channel().map_err(|error| format!("its channel can't be made: {error}"))?;
        let headers = self.destination.headers.clone();
        let builder = builder.with_timeout(self.timeout).with_channel(channel).with_interceptor(
            move |mut call: tonic::Request<()>| {
                // As by HTTP: these know which of them are secrets.
                let mut all = std::mem::take(call.metadata_mut()).into_headers();
                all.extend(headers.clone());
                *call.metadata_mut() = MetadataMap::from_headers(all);
                Ok(call)
            },
        );
        Ok(if self.destination.gzip { builder.with_compression(Compression::Gzip) } else { builder })
    }

    /// Connects when it is needed, by the TLS that all of this process has.
    fn channel(&self) -> Result<Channel, tonic::transport::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.destination.tls.clone())
            .https_or_http()
            .enable_http2()
            .wrap_connector(tcp);
        let endpoint = Endpoint::from_shared(self.destination.to_string())?
            .user_agent(AGENT)?
            .connect_timeout(CONNECT_WITHIN.min(self.timeout));
        // What holds the connection is started there.
        let _entered = self.runtime.enter();
        Ok(endpoint.connect_with_connector_lazy(connector))
    }
}
