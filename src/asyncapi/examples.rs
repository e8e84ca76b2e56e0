//! Examples: the provider's own event, as the record that it would become.
//!
//! Takes a provider's example. Gives a [`Sample`], read by the service's own reader, and of that headers and payload. Where none can be
//! made of it, there is none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::headers::{EXAMPLE_TIME, Form, Headers};
use super::payloads::Known;
use super::types::Types;
use crate::cli::draft::{Asked, Draft};
use crate::config::{KeyFrom, Source};
use crate::pipeline::event_time;
use crate::pipeline::extract::Reader;
use crate::pipeline::places::Parts;
use crate::signature::coverage::NOTHING;

/// An event.
pub(super) struct Sample {
    pub(super) content_type: Option<String>,
    id: String,
    event_type: String,
    time: String,
    subject: Option<String>,
    data: Bytes,
    is_element: bool,
    /// Those of the request, of which a record has some.
    request: HeaderMap,
}

/// The provider's example, with a type that `types` take.
pub(super) fn of(source: &Source, types: Option<&Types>) -> Option<Sample> {
    let provider = &source.provider;
    provider.example.body.as_ref()?;
    let mut draft = Draft::new(provider, None).ok()?;
    if let Some(types) = types.filter(|_| !provider.event_type.is_empty()) {
        let own = draft.read(provider, Asked::Type);
        if !own.is_some_and(|own| types.accepts(&own)) {
            draft.put(provider, Asked::Type, &types.one()).ok()?;
        }
    }
    draft.put_new_id(provider, "msg_2b6c1f");
    let body = Bytes::from(std::mem::take(&mut draft.body));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&draft.query).finish();
    let parts = Parts { headers: &draft.headers, query: Some(&query), body: &body, signed: &NOTHING };
    let reader = Reader::new(provider, &parts);
    let elements = source.split.as_ref().and_then(|split| split.elements(&body).ok());
    let event = match elements.filter(|elements| !elements.is_empty()) {
        Some(elements) => reader.elements(elements).into_vec().into_iter().next()?.ok()?,
        None => reader.whole().ok()?,
    };
    let event_type = event.event_type().text().to_string();
    if types.is_some_and(|types| !types.accepts(&event_type)) {
        return None;
    }
    let content_type =
        draft.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // Of what is no event it is the time of receipt.
    let time =
        event.time().filter(|_| types.is_some()).and_then(|time| Some(event_time(time.text())?.into_owned()));
    Some(Sample {
        content_type,
        id: event.message_id().text().to_string(),
        event_type,
        time: time.unwrap_or_else(|| EXAMPLE_TIME.to_owned()),
        subject: event.subject().map(|subject| subject.text().to_string()),
        data: event.data().clone(),
        is_element: source.split.is_some(),
        request: draft.headers,
    })
}

impl Sample {
    /// The record's key.
    pub(super) fn key(&self, source: &Source) -> String {
        let key = match source.key {
            KeyFrom::MessageId => self.id.clone(),
            KeyFrom::BodySha256 => hex::encode(Sha256::digest(&self.data)),
        };
        match &source.namespace {
            Some(namespace) => format!("{namespace}:{key}"),
            None => key,
        }
    }

    /// The Message Example Object.
    pub(super) fn example(
        &self,
        source: &Source,
        headers: &Headers,
        form: Form<'_>,
        file: Option<&Known>,
    ) -> Option<Value> {
        // What does not fit would be a dead letter.
        if file.is_some_and(|file| file.compiled.frame(1, &self.data).is_err()) {
            return None;
        }
        let of_request = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let request: Vec<(String, String)> = self.request.iter().filter_map(of_request).collect();
        let mut known =
            vec![("ce_id", self.id.as_str()), ("ce_type", &self.event_type), ("ce_time", &self.time)];
        let media_type = match form {
            Form::Data | Form::AsSigned => self.content_type.as_deref(),
            Form::Framed(schema) if schema.kind == crate::schema::Kind::Json => self.content_type.as_deref(),
            Form::Framed(_) | Form::Envelope => None,
        };
        known.extend(media_type.map(|media_type| ("content-type", media_type)));
        known.extend(self.subject.as_deref().map(|subject| ("ce_subject", subject)));
        let sent = String::from_utf8_lossy(&self.data);
        known.push(("hookbridge_raw", &sent));
        known.extend(
            request
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .filter(|(name, _)| *name != CONTENT_TYPE.as_str()),
        );
        let payload = match form {
            Form::Envelope => self.envelope(source),
            Form::Data | Form::AsSigned | Form::Framed(_) => self.payload(),
        };
        Some(json!({ "name": "example", "headers": headers.example(&known)?, "payload": payload }))
    }

    /// JSON, or text.
    fn payload(&self) -> Value {
        serde_json::from_slice(&self.data).unwrap_or_else(|_| String::from_utf8_lossy(&self.data).into())
    }

    fn envelope(&self, source: &Source) -> Value {
        let mut envelope = Map::new();
        let mut put = |name: &str, value: Value| drop(envelope.insert(name.to_owned(), value));
        put("specversion", "1.0".into());
        put("id", self.id.clone().into());
        put("source", source.path.clone().into());
        put("type", self.event_type.clone().into());
        put("time", self.time.clone().into());
        if let Some(subject) = &self.subject {
            put("subject", subject.clone().into());
        }
        let content_type = self.content_type.as_deref();
        if let Some(content_type) = content_type {
            put("datacontenttype", content_type.into());
        }
        let is_json = content_type.is_none_or(|content_type| content_type.contains("json"));
        match serde_json::from_slice::<Value>(&self.data) {
            Ok(data) if is_json || self.is_element => put("data", data),
            _ => put("data_base64", STANDARD.encode(&self.data).into()),
        }
        envelope.into()
    }
}
