//! An event as CloudEvents says it: its attributes, as headers (binary mode) or in an envelope (structured mode).
//!
//! Takes what `extract` has read. Gives attributes for [`super::encode`]. Pure.
//!
//! Sources: CloudEvents 1.0.2, section 3 (attributes); its Kafka Protocol Binding, section 3; its JSON Event Format,
//! sections 2 and 3.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rdkafka::message::OwnedHeaders;
use serde_json::value::RawValue;

use super::encode::header;
use crate::instant;

/// The media type of a CloudEvent in JSON, as a record's `content-type`.
pub(super) const STRUCTURED: &str = "application/cloudevents+json; charset=UTF-8";

/// What the media type of every CloudEvent that is in one piece begins with.
const ENVELOPE: &str = "application/cloudevents";

/// The attributes of an event. None of them is empty.
pub(super) struct Attributes<'a> {
    pub(super) id: &'a str,
    /// A URI reference: the path of the source.
    pub(super) source: &'a str,
    pub(super) event_type: &'a str,
    /// RFC 3339.
    pub(super) time: &'a str,
    pub(super) subject: Option<&'a str>,
}

impl Attributes<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        [
            ("ce_specversion", "specversion", Some("1.0")),
            ("ce_id", "id", Some(self.id)),
            ("ce_source", "source", Some(self.source)),
            ("ce_type", "type", Some(self.event_type)),
            ("ce_time", "time", Some(self.time)),
            ("ce_subject", "subject", self.subject),
        ]
        .into_iter()
        .filter_map(|(as_header, name, value)| Some((as_header, name, value?)))
    }

    /// Binary mode: a header each, in UTF-8.
    pub(super) fn headers(&self) -> OwnedHeaders {
        self.pairs().fold(OwnedHeaders::new_with_capacity(18), |headers, (name, _, value)| {
            headers.insert(header(name, value))
        })
    }

    /// Structured mode: one JSON object, in which `data` is JSON as it was sent, octet for octet, or where it is none,
    /// `data_base64`.
    pub(super) fn envelope(&self, content_type: Option<&str>, data: &Bytes) -> Bytes {
        let mut json = String::from("{");
        for (_, name, value) in self.pairs() {
            // Writing to a `String` does not fail.
            let _ = write!(json, "\"{name}\":{},", quoted(value));
        }
        if let Some(content_type) = content_type {
            let _ = write!(json, "\"datacontenttype\":{},", quoted(content_type));
        }
        match as_json(content_type, data) {
            Some(data) => json.extend(["\"data\":", data, "}"]),
            None => json.extend(["\"data_base64\":\"", &STANDARD.encode(data), "\"}"]),
        }
        json.into()
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The data, if it is JSON and its media type does not say otherwise. Without one it is JSON (JSON Event Format,
/// section 3.1).
fn as_json<'a>(content_type: Option<&str>, data: &'a [u8]) -> Option<&'a str> {
    if !content_type.is_none_or(is_json) {
        return None;
    }
    let text = std::str::from_utf8(data).ok()?;
    serde_json::from_str::<&RawValue>(text).ok()?;
    Some(text)
}

/// Whether a media type's subtype is `json`, or ends in `+json`.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

/// Whether what is sent is a CloudEvent in one piece already: it needs no second envelope.
pub(super) fn is_envelope(content_type: Option<&str>) -> bool {
    content_type
        .and_then(|value| value.get(..ENVELOPE.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(ENVELOPE))
}

/// A provider's time of an event, as RFC 3339: as it stands, if it is that already; from seconds (up to eleven digits)
/// or milliseconds since 1970 otherwise. Nothing, if it is neither.
pub(crate) fn time(text: &str) -> Option<Cow<'_, str>> {
    if instant::parse(text).is_some() {
        return Some(Cow::Borrowed(text));
    }
    let number: u64 = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())??;
    let (since, is_whole) = match text.len() {
        1..=11 => (Duration::from_secs(number), true),
        12..=14 => (Duration::from_millis(number), false),
        _ => return None,
    };
    if since.as_secs() > instant::MAX_SECONDS {
        return None;
    }
    let time = SystemTime::UNIX_EPOCH + since;
    Some(Cow::Owned(match is_whole {
        true => humantime::format_rfc3339_seconds(time).to_string(),
        false => humantime::format_rfc3339_millis(time).to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const EVENT: Attributes<'_> = Attributes {
        id: "msg \"1\" é",
        source: "/webhooks/a",
        event_type: "a.b",
        time: "2026-01-01T12:00:00Z",
        subject: None,
    };

    fn envelope(content_type: Option<&str>, data: &[u8]) -> (String, Value) {
        let envelope = EVENT.envelope(content_type, &Bytes::copy_from_slice(data));
        let text = String::from_utf8(envelope.to_vec()).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn json_is_spliced_in_octet_for_octet() {
        let odd = "{\"a\": 1e999999, \"a\":\u{20}1.000, \"é\":\"\\u00e9\"}\n";
        for content_type in [None, Some("application/json"), Some("Application/Vnd.X+JSON; charset=utf-8")] {
            let envelope = EVENT.envelope(content_type, &Bytes::from(odd));
            let text = std::str::from_utf8(&envelope).unwrap();
            assert!(text.contains(&format!("\"data\":{odd}}}")), "{text}");
            assert!(text.starts_with(
                r#"{"specversion":"1.0","id":"msg \"1\" é","source":"/webhooks/a","type":"a.b","#
            ));
        }
    }

    #[test]
    fn what_is_no_json_is_base64() {
        for (content_type, data) in [
            (Some("text/plain"), &br#"{"a":1}"#[..]),
            (Some("application/x-www-form-urlencoded"), b"a=1"),
            (Some("application/json"), b"not JSON"),
            (None, b"\xff"),
            (None, b""),
        ] {
            let (_, value) = envelope(content_type, data);
            assert_eq!(STANDARD.decode(value["data_base64"].as_str().unwrap()).unwrap(), data);
            assert_eq!(value.get("data"), None);
            assert_eq!(value.get("datacontenttype").and_then(Value::as_str), content_type);
        }
    }

    #[test]
    fn a_time_is_rfc_3339_or_becomes_it() {
        for (given, expected) in [
            ("2026-01-01T12:00:00Z", Some("2026-01-01T12:00:00Z")),
            ("2026-01-01T12:00:00.123456+02:00", Some("2026-01-01T12:00:00.123456+02:00")),
            ("1767225600", Some("2026-01-01T00:00:00Z")),
            ("1767225600123", Some("2026-01-01T00:00:00.123Z")),
            ("0", Some("1970-01-01T00:00:00Z")),
            ("99999999999", Some("5138-11-16T09:46:39Z")),
            ("99999999999999", Some("5138-11-16T09:46:39.999Z")),
            ("2026-01-01 12:00:00", None),
            ("2026-01-01", None),
            ("999999999999999", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("yesterday", None),
        ] {
            assert_eq!(time(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_cloud_event_needs_no_second_envelope() {
        assert!(is_envelope(Some("application/cloudevents+json")));
        assert!(is_envelope(Some("Application/CloudEvents+JSON; charset=utf-8")));
        assert!(!is_envelope(Some("application/json")) && !is_envelope(None) && !is_envelope(Some("é")));
    }

    proptest! {
        #[test]
        fn any_text_is_an_attribute_and_any_octets_are_data(
            id in "\\PC{1,40}", data in proptest::collection::vec(any::<u8>(), 0..200), typed in any::<bool>()
        ) {
            let attributes = Attributes { id: &id, subject: Some(&id), ..EVENT };
            let content_type = typed.then_some("application/octet-stream");
            let envelope = attributes.envelope(content_type, &Bytes::copy_from_slice(&data));
            let value: Value = serde_json::from_slice(&envelope).unwrap();
            prop_assert_eq!(value["id"].as_str(), Some(id.as_str()));
            prop_assert_eq!(value["subject"].as_str(), Some(id.as_str()));
            match value.get("data_base64") {
                Some(text) => prop_assert_eq!(STANDARD.decode(text.as_str().unwrap()).unwrap(), data),
                None => prop_assert_eq!(&value["data"], &serde_json::from_slice::<Value>(&data).unwrap()),
            }
        }
    }
}
