//! A record, verified again: with the secrets of hookbridge's own configuration, as of the time when it arrived.
//!
//! Takes records. Says of each whether a holder of one of its source's secrets signed it. The record is all that is
//! needed: value, signature headers, query and time of receipt.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hookbridge::config::{self, Authentication, Config};
use hookbridge::signature::{Message, UnixSeconds};
use http::{HeaderMap, HeaderName, HeaderValue};
use rdkafka::message::{Headers as _, Message as _, OwnedMessage};

/// What there is to say of a record.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// This key proves it.
    Genuine(Arc<str>),
    /// There is nothing to verify it with; hookbridge's word stands.
    Unchecked(&'static str),
    /// It is not what hookbridge received, or not to be believed.
    Refused(String),
}

/// The sources, with their secrets.
#[derive(Debug)]
pub(crate) struct Verifier(Config);

/// A header of the record that is there, in UTF-8.
pub(crate) fn header<'a>(record: &'a OwnedMessage, name: &str) -> Option<&'a str> {
    let mut headers = record.headers()?.iter();
    let found = headers.find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}

/// What was signed. In a topic with a JSON Schema, five octets (0 and the schema's ID) stand before it; no JSON begins with 0.
fn body(value: &[u8]) -> &[u8] {
    match value {
        [0, _, _, _, _, body @ ..] => body,
        body => body,
    }
}

impl Verifier {
    /// Reads the configuration, and the secrets that it refers to.
    pub(crate) fn load(file: &Path) -> Result<Verifier, Box<dyn Error>> {
        Ok(Verifier(config::load(file)?))
    }

    /// Whether a record is genuine.
    pub(crate) fn judge(&self, record: &OwnedMessage) -> Verdict {
        match header(record, "hookbridge_verification") {
            None => {}
            Some("not_repeated") => return Verdict::Unchecked("replayed on trust"),
            Some(_) => {
                return Verdict::Refused("hookbridge could not verify it, and has marked it so".to_owned());
            }
        }
        let Some(name) = header(record, "hookbridge_source") else {
            return Verdict::Refused("it does not say which source it is of".to_owned());
        };
        let Some(source) = self.0.sources.iter().find(|source| *source.name == *name) else {
            return Verdict::Refused(format!("there is no source `{name}` in the configuration"));
        };
        if header(record, "hookbridge_batch").is_some() {
            return Verdict::Unchecked("an element of a batch: the signature is over the whole");
        }
        if header(record, "hookbridge_decoded").is_some() {
            return Verdict::Unchecked(
                "without its content-encoding: the signature is over the body with it",
            );
        }
        let kind = header(record, "content-type").unwrap_or_default();
        if ["application/avro", "application/protobuf", "application/cloudevents+json"]
            .iter()
            .any(|encoded| kind.starts_with(encoded))
        {
            return Verdict::Unchecked("encoded anew: the signature is over what came");
        }
        let Authentication::Signed { scheme, keys } = &source.authentication else {
            return Verdict::Unchecked("an unsigned source");
        };
        if keys.is_empty() || scheme.presents_credential() {
            return Verdict::Unchecked("no key, or a credential that is not passed on");
        }
        let arrived = received_at(record);
        let message = Message {
            headers: &http_headers(record),
            query: header(record, "hookbridge_query"),
            body: body(record.payload().unwrap_or_default()),
        };
        let valid = || keys.iter().filter(|key| key.is_valid_at(arrived));
        let now = UnixSeconds::from_system_time(arrived);
        match scheme.verify(valid().map(|key| &key.key), &message, now) {
            Ok(index) => match valid().nth(index) {
                Some(key) => Verdict::Genuine(Arc::clone(&key.name)),
                None => Verdict::Refused("no such key".to_owned()),
            },
            Err(why) => Verdict::Refused(why.to_string()),
        }
    }
}

/// The record's timestamp, which hookbridge sets to the time of receipt.
fn received_at(record: &OwnedMessage) -> SystemTime {
    let since = record.timestamp().to_millis().and_then(|millis| u64::try_from(millis).ok());
    UNIX_EPOCH + Duration::from_millis(since.unwrap_or(0))
}

/// The record's headers as those of a request, which some of them were.
fn http_headers(record: &OwnedMessage) -> HeaderMap {
    let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
    headers
        .filter_map(|header| {
            let name = HeaderName::from_bytes(header.key.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(header.value?).ok()?))
        })
        .collect()
}
