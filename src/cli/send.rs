//! `hookbridge send`: an event, signed as a provider signs it, and posted.
//!
//! Takes a preset, a secret and an event. Gives what was answered. The exit code is 0 for a 2xx, 1 otherwise.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::Args;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{fail, say};
use crate::config::catalogue;
use crate::config::provider::ProviderFile;
use crate::expression::Expression;
use crate::json::Pointer;
use crate::signature::UnixSeconds;

/// Longer than any source takes to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// An answer is a line; more is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What to send, and where.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hookbridge send --provider svix --secret whsec_... --url http://127.0.0.1:8080/webhooks/svix\n  \
    hookbridge send --provider generic-hex --secret ... --type payment.refunded --data '{\"amount\":1}'")]
pub struct Send {
    /// The preset whose provider to be.
    #[arg(long, value_name = "PRESET")]
    provider: String,
    /// The shared secret, as the provider shows it. Better given by the environment: arguments can be seen
    /// by other users of this machine.
    #[arg(long, env = "HOOKBRIDGE_SECRET", hide_env_values = true)]
    secret: String,
    /// The event type. It is put where the provider has it; the default is the preset's example.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// The message ID. It is put where the provider has it; the default is a new one.
    #[arg(long)]
    id: Option<String>,
    /// The body: text, `@FILE`, or `-` for standard input. Where the provider has type or ID in the body
    /// and this has none, `--type` and `--id` are added to it; otherwise it is sent as it is. The default is
    /// the preset's example.
    #[arg(long)]
    data: Option<String>,
    /// Where to post it. Default: http://127.0.0.1:8080/webhooks/{PRESET}.
    #[arg(long)]
    url: Option<Uri>,
    /// A further header, as `Name: value`. Can be given several times.
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
}

/// A signed request, ready to be posted.
#[derive(Debug)]
pub(super) struct SignedRequest {
    pub(super) headers: HeaderMap,
    /// What is to be appended to the URL's query.
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Bytes,
}

pub(super) fn run(send: &Send) -> ExitCode {
    let posted = prepare(send).and_then(|(url, request)| {
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

fn prepare(send: &Send) -> Result<(Uri, SignedRequest), String> {
    let provider = catalogue::named(&send.provider)?;
    let url = match &send.url {
        Some(url) => url.clone(),
        None => format!("http://127.0.0.1:8080/webhooks/{}", send.provider)
            .parse()
            .map_err(|error| format!("no URL can be made of the preset's name: {error}"))?,
    };
    let data = send.data.as_deref().map(read_data).transpose()?;
    let event = Event { id: send.id.as_deref(), event_type: send.event_type.as_deref(), data };
    let mut request = sign(&provider, &Zeroizing::new(send.secret.clone()), event, SystemTime::now())?;
    for header in &send.headers {
        let (name, value) =
            header.split_once(':').ok_or_else(|| format!("`{header}` is no header; write `Name: value`"))?;
        request.headers.append(header_name(name.trim())?, header_value(value.trim())?);
    }
    Ok((url, request))
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

/// What is to be sent; what is absent comes from the preset's example.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) event_type: Option<&'a str>,
    pub(super) data: Option<Vec<u8>>,
}

/// Signs `event` as `provider` does.
pub(super) fn sign(
    provider: &ProviderFile,
    secret: &str,
    event: Event<'_>,
    now: SystemTime,
) -> Result<SignedRequest, String> {
    let scheme = provider.scheme.as_ref().ok_or("the provider has no signature scheme")?;
    let key = scheme.key(secret)?;
    let example = &provider.provider.example;
    let own_data = event.data.is_some();
    let new_id = format!("msg_{:x}", now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    let id = event.id.unwrap_or(&new_id);
    let body = match event.data {
        Some(data) => data,
        None => example.body.clone().unwrap_or_else(|| "{}".to_owned()).into_bytes(),
    };
    // In a body of one's own only what was asked for is put; in the example, a new ID as well.
    let id_in_body = if own_data { event.id } else { Some(id) };
    let body = place(body, &provider.provider.message_id, id_in_body, own_data)?;
    let body = place(body, &provider.provider.event_type, event.event_type, own_data)?;

    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
        .insert(USER_AGENT, HeaderValue::from_static(concat!("hookbridge-send/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &example.headers {
        headers.insert(header_name(name)?, header_value(value)?);
    }
    let named = event.event_type.or(example.event_type.as_deref());
    for (places, value) in [(&provider.provider.message_id, Some(id)), (&provider.provider.event_type, named)]
    {
        let first = places.iter().find_map(Expression::headers).and_then(<[HeaderName]>::first);
        if let (Some(name), Some(value)) = (first, value) {
            headers.insert(name.clone(), header_value(value)?);
        }
    }
    let now = UnixSeconds::from_system_time(now);
    let mut body = body;
    if let Some((pointer, time)) = scheme.body_timestamp(now) {
        body = with_value(&body, pointer, &time)?;
    }
    let signed = scheme.sign(&key, id, now, &headers, &body)?;
    for (name, value) in signed.headers {
        headers.insert(name, header_value(&value)?);
    }
    for (pointer, value) in &signed.body {
        body = with_value(&body, pointer, value)?;
    }
    Ok(SignedRequest { headers, query: signed.query, body: Bytes::from(body) })
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("`{name}` can't be a header's name"))
}

fn header_value(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("`{value}` can't be a header's value"))
}

/// Puts `value` where the first JSON place of `places` is. A body of the user's own is left as it is if it
/// has the value already, and a contradiction is an error.
fn place(
    body: Vec<u8>,
    places: &[Expression],
    value: Option<&str>,
    own_data: bool,
) -> Result<Vec<u8>, String> {
    let pointer = places.iter().find_map(Expression::pointer);
    let (Some(pointer), Some(value)) = (pointer, value) else { return Ok(body) };
    let no_object = || format!("`{value}` belongs at {pointer} in the body, but --data is no JSON object");
    let mut json: Value = serde_json::from_slice(&body).map_err(|_| no_object())?;
    match json.pointer(&pointer.to_string()) {
        Some(Value::String(present)) if present == value => return Ok(body),
        Some(present) if own_data => {
            return Err(format!(
                "--data has {present} at {pointer}, and `{value}` was asked for; leave out one of them"
            ));
        }
        _ => {}
    }
    put(&mut json, pointer, value).ok_or_else(no_object)?;
    serde_json::to_vec(&json).map_err(|error| format!("the body can't be written: {error}"))
}

/// The body with `value` at `pointer`: a number where a number stands.
fn with_value(body: &[u8], pointer: &Pointer, value: &str) -> Result<Vec<u8>, String> {
    let no_object =
        || format!("the scheme has a value at {pointer} in the body, but --data is no JSON object");
    let mut json: Value = serde_json::from_slice(body).map_err(|_| no_object())?;
    let is_number = json.pointer(&pointer.to_string()).is_none_or(Value::is_number);
    put(&mut json, pointer, value).ok_or_else(no_object)?;
    if let (true, Ok(number), Some(slot)) =
        (is_number, value.parse::<u64>(), json.pointer_mut(&pointer.to_string()))
    {
        *slot = Value::from(number);
    }
    serde_json::to_vec(&json).map_err(|error| format!("the body can't be written: {error}"))
}

fn put(json: &mut Value, pointer: &Pointer, value: &str) -> Option<()> {
    let mut slot = json;
    for segment in pointer.segments() {
        if let Value::Array(items) = slot {
            slot = items.get_mut(segment.parse::<usize>().ok()?)?;
            continue;
        }
        slot = slot
            .as_object_mut()?
            .entry(segment.clone())
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    *slot = Value::String(value.to_owned());
    Some(())
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

fn with_query(url: &Uri, query: &[(String, String)]) -> Result<Uri, String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{catalogue, preset};
    use crate::pipeline::extract::{Reader, Reason};
    use crate::pipeline::places::Parts;
    use crate::signature::Message;

    /// What `send` and `dev` post is genuine, and an event of the preset: all that they can sign, which is every preset
    /// but those whose provider alone has the key.
    #[test]
    fn the_example_of_every_preset_is_accepted_and_read() {
        let mut unsigned = Vec::new();
        for name in preset::names() {
            let entry = catalogue::entry(name).unwrap();
            let Some(secret) = entry.secret_of(&format!("a secret of some length for {name}")) else {
                unsigned.push(name);
                continue;
            };
            let now = SystemTime::now();
            let Ok(request) = sign(&entry.file, &secret, Event::default(), now) else {
                unsigned.push(name);
                continue;
            };
            let scheme = entry.file.scheme.as_ref().unwrap();
            let key = scheme.key(&secret).unwrap();
            let query = with_query(&Uri::from_static("http://a/b"), &request.query).unwrap();
            let query = query.query();
            let message = Message { headers: &request.headers, query, body: &request.body };
            let verdict = scheme.verify(std::iter::once(&key), &message, UnixSeconds::from_system_time(now));
            assert_eq!(verdict, Ok(0), "{name}");
            let signed = &scheme.coverage;
            let parts = Parts { headers: &request.headers, query, body: &request.body, signed };
            if let Err(defect) = Reader::new(&entry.file.provider, &parts).whole() {
                assert_eq!(defect.reason(), Reason::MissingEventType, "{name}: {defect:?}");
                unsigned.push(name);
            }
        }
        // Public keys.
        let by_the_provider = ["discord", "sendgrid", "telnyx", "wechat-pay"];
        let fetched = ["paypal", "aws-sns", "plaid", "ebay"];
        assert_eq!(unsigned, [&by_the_provider[..], &fetched].concat());
    }
}
