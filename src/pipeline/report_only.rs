//! Beside the path: a request whose signature fails, of a source that says `verification: report_only`.
//!
//! Takes [`Unverified`]. Gives its [`Record`], for the topic that `verify` has put into it and no other. Everything in
//! it is marked: `hookbridge_verification: failed`, the reason, and ID and type as unsigned. It is counted and
//! logged like a refusal, which it would be without those words in the configuration.

use bytestring::ByteString;

use super::body::Received;
use super::encode::{
    Common, Form, Named, Record, Records, Shape, attributes, copied, header, key, received_ms,
    with_media_type,
};
use super::extract::Reader;
use super::places::{Field, Parts};
use super::several::Several;
use super::verify::Unverified;
use crate::signature::coverage::NOTHING;
use crate::telemetry::metrics::Metrics;

/// It is kept as it came.
const AS_SENT: Shape = Shape { is_element: false, form: Form::Sent };

/// The `ce_type` of an unverified request that names no type, or none that can be read.
pub const UNVERIFIED_TYPE: &str = "hookbridge.unverified";

/// Makes the record. The source's `split` is left aside: what nobody has signed is kept in one piece.
pub fn encode(metrics: &Metrics, unverified: Unverified) -> Records {
    let (request, why, topic) = unverified.into_parts();
    let Received { ticket, headers: request_headers, uri, body } = request;
    let source = &ticket.source;
    let (message_id, event_type) = named(&source.provider, &request_headers, uri.query(), &body);

    let error_type = why.code();
    metrics.unverified(&source.name, error_type);
    tracing::warn!(
        source = &*source.name,
        error.type = error_type,
        reason = %why,
        message_id = &**message_id.text(),
        topic = %topic,
        "request not verified, and published as such"
    );
    let common = Common::of(&ticket, &request_headers, uri.query());
    let named = Named::only(&message_id, Some(&event_type));
    let headers = common
        .told(attributes(&common, &named).headers())
        .insert(header("hookbridge_verification", "failed"))
        .insert(header("hookbridge_verification_error", error_type))
        .insert(header("hookbridge_unsigned", "message_id,event_type"))
        .insert(header("hookbridge_body", "unsigned"));
    let headers = copied(&common, false, with_media_type(&common, AS_SENT, headers));
    let key = key(&ticket, &message_id, &body);
    let timestamp_ms = received_ms(&ticket);
    let record = Record { key, timestamp_ms, topic, value: body, headers, is_remembered: false };
    Records { ticket, records: Several::One(record), misfits: Vec::new() }
}

/// The ID and the type that the request has for itself, as far as they can be read: a genuine one would have them
/// at the same places. Nobody has signed them, whatever the scheme covers.
fn named(
    provider: &crate::config::Provider,
    headers: &http::HeaderMap,
    query: Option<&str>,
    body: &bytes::Bytes,
) -> (Field, Field) {
    let request = Parts { headers, query, body, signed: &NOTHING };
    let (message_id, event_type) = match Reader::new(provider, &request).whole() {
        Ok(event) => (event.message_id, Some(event.event_type)),
        Err(defect) => (defect.message_id, defect.event_type),
    };
    let unsigned = |field: Field| Field::Unsigned(field.text().clone());
    let none = || Field::Unsigned(ByteString::from_static(UNVERIFIED_TYPE));
    (unsigned(message_id), event_type.map_or_else(none, unsigned))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::config::catalogue;

    #[test]
    fn whatever_can_be_read_is_unsigned() {
        let svix = catalogue::named("svix").unwrap().provider;
        let hex = catalogue::named("generic-hex").unwrap().provider;
        let mut headers = HeaderMap::new();
        headers.insert("svix-id", "msg_1".parse().unwrap());
        let hash = |body: &str| hex::encode(Sha256::digest(body));
        for (provider, body, id, event_type) in [
            (&svix, r#"{"type":"a"}"#, "msg_1".to_owned(), "a"),
            (&svix, "not JSON", "msg_1".to_owned(), UNVERIFIED_TYPE),
            (&svix, r#"{"type":{}}"#, "msg_1".to_owned(), UNVERIFIED_TYPE),
            (&hex, r#"{"id":"evt_1","type":"a"}"#, "evt_1".to_owned(), "a"),
            (&hex, r#"{"id":"a\nb","type":"a"}"#, hash(r#"{"id":"a\nb","type":"a"}"#), "a"),
            (&hex, "", hash(""), UNVERIFIED_TYPE),
        ] {
            let found = named(provider, &headers, None, &Bytes::from(body));
            let expected = (Field::Unsigned(id.into()), Field::Unsigned(event_type.into()));
            assert_eq!(found, expected, "{body}");
        }
    }
}
