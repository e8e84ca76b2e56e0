//! `hookbridge send`: an event, signed as a provider signs it, and posted.
//!
//! Takes a preset and a secret, or a source of a configuration, and an event. Gives what was answered. The exit code is 0 for a 2xx, 1 otherwise. How the
//! event is written and signed stands in [`super::event`].

use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use zeroize::Zeroizing;

use super::draft::{header_name, header_value};
use super::event::{Event, SignedRequest, sign, sign_with};
use super::{EXIT_CONFIGURATION, fail, say};
use crate::config::diagnostic::did_you_mean;
use crate::config::{Authentication, Config, catalogue, load};

/// Longer than any source takes to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// An answer is a line; more is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What to send, and where.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hookbridge send --provider stripe                                   # to `hookbridge dev`\n  \
    hookbridge send --provider svix --secret whsec_... --url https://hooks.example.com/webhooks/svix\n  \
    hookbridge send --provider generic-hex --type payment.refunded --data '{\"amount\":1}'\n  \
    hookbridge send --config hookbridge.yaml --source billing --probe")]
pub struct Send {
    /// The preset whose provider to be.
    #[arg(long, value_name = "PRESET", required_unless_present = "source", conflicts_with = "source")]
    provider: Option<String>,
    /// The source whose provider to be, by its name in the file of `--config`: its scheme, and the first of its secrets
    /// that is valid now. For schemes of your own, and to try a configuration as it is deployed.
    #[arg(long, value_name = "NAME", requires = "config")]
    source: Option<String>,
    /// The configuration file that has the source.
    #[arg(long, short, value_name = "FILE", requires = "source")]
    config: Option<PathBuf>,
    /// The shared secret, as the provider shows it. Better given by the environment: arguments can be seen
    /// by other users of this machine. The default is the well-known one that `hookbridge dev` has for the preset, and
    /// with `--source` the source's.
    #[arg(long, env = "HOOKBRIDGE_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// The event type. It is put where the provider has it, in several places if it is joined of them
    /// (`issues.opened` of github); the default is the preset's example.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// The message ID. It is put where the provider has it, likewise; the default is a new one.
    #[arg(long)]
    id: Option<String>,
    /// The body: text, `@FILE`, or `-` for standard input. Where the provider has type or ID in the body
    /// and this has none, `--type` and `--id` are added to it; otherwise it is sent as it is. The default is
    /// the preset's example.
    #[arg(long)]
    data: Option<String>,
    /// An event that says of itself that it is a test, for those who read the topic: its type is `hookbridge.test`, and
    /// its ID begins with `hookbridge-test-`, where the provider has places for them.
    #[arg(long, conflicts_with = "event_type")]
    probe: bool,
    /// Where to post it. The default is where `hookbridge dev` listens: http://127.0.0.1:8080/webhooks/{PRESET}; with
    /// `--source` this machine, at the configuration's port and the source's path.
    #[arg(long, value_parser = whole_url)]
    url: Option<Uri>,
    /// A further header, as `Name: value`. Can be given several times.
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
}

/// Where something can be posted to.
fn whole_url(text: &str) -> Result<Uri, String> {
    let is_whole = |url: &Uri| {
        let scheme = matches!(url.scheme_str(), Some("http" | "https"));
        scheme && url.host().is_some_and(|host| !host.is_empty())
    };
    text.parse().ok().filter(is_whole).ok_or_else(|| {
        "it must be a whole http or https URL, such as http://127.0.0.1:8080/webhooks/svix".to_owned()
    })
}

pub(super) fn run(send: &Send) -> ExitCode {
    let prepared = match (&send.config, &send.source) {
        (Some(config), Some(source)) => match load(config) {
            Ok(config) => of_source(send, &config, source),
            Err(error) => return fail(&error, ExitCode::from(EXIT_CONFIGURATION)),
        },
        _ => of_preset(send),
    };
    let posted = prepared.and_then(|(url, request)| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the async runtime can't be started: {error}"))?;
        runtime.block_on(post(&url, request))
    });
    match posted {
        Ok((status, body)) => {
            say(status);
            say(String::from_utf8_lossy(&body).trim_end());
            if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => fail(&why, ExitCode::FAILURE),
    }
}

fn of_preset(send: &Send) -> Result<(Uri, SignedRequest), String> {
    let name = send.provider.as_deref().unwrap_or_default();
    let provider = catalogue::entry(name)?;
    let well_known =
        provider.development_secret().map(Zeroizing::new).ok_or_else(|| only_the_provider(name))?;
    let secret = send.secret.clone().map_or(well_known, Zeroizing::new);
    let url = send.url_or(|| format!("http://127.0.0.1:8080/webhooks/{name}"))?;
    let request = sign(&provider.file, &secret, send.event()?, SystemTime::now())?;
    Ok((url, send.with_headers(request)?))
}

/// As a source of `config`, with what it verifies by.
fn of_source(send: &Send, config: &Config, name: &str) -> Result<(Uri, SignedRequest), String> {
    let source = config.sources.iter().find(|source| &*source.name == name).ok_or_else(|| {
        let names: Vec<&str> = config.sources.iter().map(|source| &*source.name).collect();
        let hint = did_you_mean(name, &names);
        let hint = hint.unwrap_or_else(|| "`hookbridge check` lists the sources".to_owned());
        format!("there is no source `{name}` that is served: {hint}")
    })?;
    let now = SystemTime::now();
    let event = send.event()?;
    let request = match &source.authentication {
        Authentication::DangerUnsigned => sign_with(&source.provider, None, event, now)?,
        Authentication::Signed { scheme, keys } => {
            let own = send.secret.clone().map(Zeroizing::new);
            let own = own.map(|secret| scheme.key(&secret)).transpose()?;
            let valid = keys.iter().find(|key| key.is_valid_at(now)).map(|named| &named.key);
            let key = own.as_ref().or(valid).ok_or_else(|| match source.fetched_keys {
                Some(_) => only_the_provider(&source.provider.name),
                None => format!("no secret of the source `{name}` is valid now"),
            })?;
            sign_with(&source.provider, Some((scheme, key)), event, now)?
        }
    };
    let listen = config.server.listen;
    let host = if listen.ip().is_unspecified() { "127.0.0.1".to_owned() } else { url_host(listen.ip()) };
    let url = send.url_or(|| format!("http://{host}:{}{}", listen.port(), source.path))?;
    Ok((url, send.with_headers(request)?))
}

fn only_the_provider(name: &str) -> String {
    format!("only the provider can sign as {name} does: it has the private key")
}

fn url_host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

impl Send {
    fn event(&self) -> Result<Event<'_>, String> {
        let data = self.data.as_deref().map(read_data).transpose()?;
        let (id, event_type) = (self.id.as_deref(), self.event_type.as_deref());
        Ok(Event { id, event_type, data, is_probe: self.probe })
    }

    fn url_or(&self, default: impl FnOnce() -> String) -> Result<Uri, String> {
        match &self.url {
            Some(url) => Ok(url.clone()),
            None => default().parse().map_err(|error| format!("no URL can be made by default: {error}")),
        }
    }

    fn with_headers(&self, mut request: SignedRequest) -> Result<SignedRequest, String> {
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("`{header}` is no header; write `Name: value`"))?;
            request.headers.append(header_name(name.trim())?, header_value(value.trim())?);
        }
        Ok(request)
    }
}

fn read_data(argument: &str) -> Result<Vec<u8>, String> {
    match (argument, argument.strip_prefix('@')) {
        ("-", _) => {
            let mut data = Vec::new();
            std::io::stdin()
                .read_to_end(&mut data)
                .map_err(|error| format!("standard input can't be read: {error}"))?;
            Ok(data)
        }
        (_, Some(file)) => std::fs::read(file).map_err(|error| format!("{file} can't be read: {error}")),
        (text, None) => Ok(text.as_bytes().to_vec()),
    }
}

/// Posts `request` to `url`. Gives the status and the body of the answer.
pub(super) async fn post(url: &Uri, request: SignedRequest) -> Result<(StatusCode, Bytes), String> {
    let url = &with_query(url, &request.query)?;
    // Root certificates are read only where they are needed: a bare container has none.
    if url.scheme() != Some(&http::uri::Scheme::HTTPS) {
        return post_by(HttpConnector::new(), url, request).await;
    }
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("this machine's root certificates can't be read: {error}"))?
        .https_only()
        .enable_http1()
        .build();
    post_by(connector, url, request).await
}

pub(super) fn with_query(url: &Uri, query: &[(String, String)]) -> Result<Uri, String> {
    if query.is_empty() {
        return Ok(url.clone());
    }
    let appended = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let separator = if url.query().is_some() { '&' } else { '?' };
    format!("{url}{separator}{appended}")
        .parse()
        .map_err(|error| format!("the query can't be appended: {error}"))
}

async fn post_by<C>(connector: C, url: &Uri, request: SignedRequest) -> Result<(StatusCode, Bytes), String>
where
    C: Connect + Clone + std::marker::Send + Sync + 'static,
{
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let mut post = Request::post(url.clone())
        .body(Full::new(request.body))
        .map_err(|error| format!("nothing can be posted to {url}: {error}"))?;
    *post.headers_mut() = request.headers;
    let exchange = async {
        let response = client.request(post).await.map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{url} can't be reached: {error}{cause}")
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
        let body =
            body.collect().await.map_err(|error| format!("the answer of {url} can't be read: {error}"))?;
        Ok((status, body.to_bytes()))
    };
    match tokio::time::timeout(TIMEOUT, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("{url} did not answer within {} s", TIMEOUT.as_secs())),
    }
}
