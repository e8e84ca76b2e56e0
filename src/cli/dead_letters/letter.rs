//! A record of the dead-letter topic, or of a quarantine, and what its headers say.
//!
//! Takes the record. Gives the fields that people and machines look for, and the request that it was made of. Every word of
//! it may be forged: nothing here is proof of anything.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use crate::instant;
use crate::pipeline::again::Kept;
use crate::pipeline::extract::Element;

/// One record.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Vec<u8>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) value: Bytes,
}

impl Letter {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().unwrap_or_default().to_vec(),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                .collect(),
            value: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
        }
    }

    /// The value of a header: the last one, as CloudEvents' and Kafka's own readers have it.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rev().find(|(other, _)| other == name)?;
        std::str::from_utf8(value).ok()
    }

    pub(super) fn source(&self) -> Option<&str> {
        self.header("hookbridge_source")
    }

    /// Why it is here: of a dead letter, or of a refused request that is in quarantine.
    pub(super) fn reason(&self) -> Option<&str> {
        self.header("hookbridge_reason").or_else(|| self.header("hookbridge_verification_error"))
    }

    pub(super) fn detail(&self) -> &str {
        self.header("hookbridge_detail").unwrap_or_default()
    }

    /// When its request came. A record of before there was a header for it has it as its timestamp.
    pub(super) fn received_at(&self) -> Option<SystemTime> {
        match self.header("hookbridge_received_at") {
            Some(text) => instant::parse(text),
            None => {
                let millis = u64::try_from(self.timestamp_ms?).ok()?;
                SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
            }
        }
    }

    /// `partition:offset`, as `show` takes it.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.partition, self.offset)
    }

    /// Where its request was posted to.
    pub(super) fn path(&self) -> Option<&str> {
        self.header("hookbridge_path").or_else(|| self.header("ce_source"))
    }

    /// The request, as far as it was kept.
    pub(super) fn kept(&self) -> Result<Kept, String> {
        let path = self.path().ok_or("it has no header `hookbridge_path`")?;
        let uri = match self.header("hookbridge_query") {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let element = match self.header("hookbridge_batch") {
            Some(text) => Some(element(text).ok_or("its header `hookbridge_batch` is no `index/count`")?),
            None => None,
        };
        let is_refused = self.header("hookbridge_verification") == Some("failed");
        Ok(Kept {
            origin: format!("{}/{}/{}", self.topic, self.partition, self.offset),
            uri: uri.parse::<Uri>().map_err(|why| format!("its path is none: {why}"))?,
            headers: self.request_headers()?,
            body: self.value.clone(),
            received_at: self.received_at().ok_or("its header `hookbridge_received_at` is no time")?,
            element,
            was_verified: self.header("hookbridge_reason").is_some() && !is_refused,
        })
    }

    /// The headers that are the request's own. One that is there twice stays so, and is refused for it.
    fn request_headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let of_request = |name: &str| !name.starts_with("ce_") && !name.starts_with("hookbridge_");
        for (name, value) in self.headers.iter().filter(|(name, _)| of_request(name)) {
            let parsed =
                HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_bytes(value).ok());
            let (name, value) =
                parsed.ok_or_else(|| format!("its header `{}` is none of HTTP", clean(name)))?;
            headers.try_append(name, value).map_err(|_| "it has too many headers")?;
        }
        Ok(headers)
    }
}

fn element(text: &str) -> Option<Element> {
    let (index, count) = text.split_once('/')?;
    let element = Element { index: index.parse().ok()?, count: count.parse().ok()? };
    (element.index < element.count).then_some(element)
}

/// What a sender wrote must not steer the terminal, nor begin a line.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The same of octets, which may be no text.
pub(super) fn clean_octets(octets: &[u8]) -> String {
    clean(&String::from_utf8_lossy(octets))
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
