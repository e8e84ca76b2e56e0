//! A message of Amazon SNS: JSON whose values are signed, each with its name.
//!
//! Takes the body. Gives the signed content and what else the verification needs, or refuses a message of another
//! form. Values that are not signed, such as `UnsubscribeURL`, are not read: anybody can alter them.
//!
//! Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages". Stricter here: only
//! `Message` may have more than one line. A line break in another value could move the border between two of them,
//! and let one signed message pass for another with, say, another topic.

use std::sync::LazyLock;

use super::error::SignatureError;
use super::public_key::PublicAlgorithm;
use crate::json::{self, Pointer, Value};

/// The values that are signed in every message. `Subject`, `SubscribeURL` and `Token` are so only in messages of
/// some types.
pub const ALWAYS_SIGNED: [&str; 5] = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"];

const FIELDS: [&str; 10] = [
    "Message",
    "MessageId",
    "Subject",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
    "Signature",
    "SignatureVersion",
];
const NOTIFICATION: &[&str] = &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const CONFIRMATION: &[&str] =
    &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

static POINTERS: LazyLock<Vec<Pointer>> =
    LazyLock::new(|| FIELDS.iter().filter_map(|name| Pointer::parse(&format!("/{name}")).ok()).collect());

/// A message, not yet verified.
#[derive(Debug)]
pub struct Sns {
    /// What kind of message it is.
    pub kind: Kind,
    /// The presented signature, in base64.
    pub signature: String,
    /// The algorithm that its version stands for: SNS names two, and signs with RSA in both.
    pub algorithm: PublicAlgorithm,
    /// What is signed.
    pub content: Vec<u8>,
    /// When it was published, in RFC 3339.
    pub timestamp: String,
    /// The topic it was published to.
    pub topic_arn: String,
    /// Where a subscription is confirmed. Absent from notifications, whose signature does not cover it.
    pub subscribe_url: Option<String>,
}

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event.
    Notification,
    /// The endpoint has been subscribed, and should confirm it.
    SubscriptionConfirmation,
    /// The endpoint has been unsubscribed, and could subscribe again.
    UnsubscribeConfirmation,
}

/// Reads a message.
///
/// # Errors
/// [`SignatureError::Malformed`], [`SignatureError::Missing`].
pub fn read(body: &[u8]) -> Result<Sns, SignatureError> {
    let pointers: Vec<&Pointer> = POINTERS.iter().collect();
    let found = json::scan(body, &pointers)
        .map_err(|_| SignatureError::Malformed("the body is not JSON, or names a signed value twice"))?;
    let value = |name: &str| -> Result<Option<&str>, SignatureError> {
        let slot = FIELDS.iter().position(|field| *field == name).and_then(|slot| found.get(slot));
        match slot.and_then(Option::as_ref) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) if name != "Message" && text.contains(char::is_control) => {
                Err(SignatureError::Malformed("a value of the message has a line break"))
            }
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(SignatureError::Malformed("a value of the message is no text")),
        }
    };
    let needed = |name: &str| {
        value(name)?.ok_or_else(|| SignatureError::Missing(format!("`{name}` in the SNS message")))
    };
    let (kind, names) = match needed("Type")? {
        "Notification" => (Kind::Notification, NOTIFICATION),
        "SubscriptionConfirmation" => (Kind::SubscriptionConfirmation, CONFIRMATION),
        "UnsubscribeConfirmation" => (Kind::UnsubscribeConfirmation, CONFIRMATION),
        _ => return Err(SignatureError::Malformed("the message is of no type that SNS sends")),
    };
    let algorithm = match needed("SignatureVersion")? {
        "1" => PublicAlgorithm::RsaSha1,
        "2" => PublicAlgorithm::RsaSha256,
        _ => return Err(SignatureError::Malformed("the message has another SignatureVersion than 1 and 2")),
    };
    let mut content = String::new();
    for name in names {
        let text = match *name {
            "Subject" => value(name)?,
            name => Some(needed(name)?),
        };
        if let Some(text) = text {
            content.extend([name, "\n", text, "\n"]);
        }
    }
    let subscribe_url = match kind {
        Kind::Notification => None,
        _ => Some(needed("SubscribeURL")?.to_owned()),
    };
    Ok(Sns {
        kind,
        signature: needed("Signature")?.to_owned(),
        algorithm,
        content: content.into_bytes(),
        timestamp: needed("Timestamp")?.to_owned(),
        topic_arn: needed("TopicArn")?.to_owned(),
        subscribe_url,
    })
}

/// The topics in a source's parameter `topic_arns`: separated by commas or blanks, which no ARN has.
#[must_use]
pub fn topic_arns(parameter: Option<&str>) -> Vec<String> {
    let text = parameter.unwrap_or_default();
    text.split([',', ' ', '\n']).filter(|arn| !arn.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(changed: &[(&str, &str)]) -> Vec<u8> {
        let mut message = serde_json::json!({
            "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:us-east-1:1:a",
            "Message": "two\nlines", "Timestamp": "2026-01-01T00:00:00.000Z", "SignatureVersion": "2",
            "Signature": "c2ln", "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
        });
        for (name, value) in changed {
            message[name] = serde_json::Value::from(*value);
        }
        serde_json::to_vec(&message).unwrap()
    }

    #[test]
    fn the_content_is_as_the_guide_says() {
        let sns = read(&message(&[("Subject", "s"), ("Token", "not read")])).unwrap();
        assert_eq!(
            String::from_utf8(sns.content).unwrap(),
            "Message\ntwo\nlines\nMessageId\nm-1\nSubject\ns\nTimestamp\n2026-01-01T00:00:00.000Z\n\
             TopicArn\narn:aws:sns:us-east-1:1:a\nType\nNotification\n"
        );
        let confirmation = [
            ("Type", "SubscriptionConfirmation"),
            ("Token", "t"),
            ("SubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription"),
        ];
        let content = String::from_utf8(read(&message(&confirmation)).unwrap().content).unwrap();
        assert!(content.contains("\nSubscribeURL\nhttps://sns"), "{content}");
        assert!(content.contains("\nToken\nt\nTopicArn\n"), "{content}");
    }

    /// A publisher writes its own message so that the signed octets can be cut in other places.
    #[test]
    fn no_border_can_be_moved() {
        let forged = [
            ("Message", "evil"),
            ("MessageId", "m-2"),
            (
                "TopicArn",
                "arn:aws:sns:us-east-1:2:victim\nType\nNotification\nMessageId\nm-1\nTimestamp\n2026-01-01T00:00:00.000Z\nTopicArn\narn:aws:sns:us-east-1:1:a",
            ),
        ];
        assert!(matches!(read(&message(&forged)), Err(SignatureError::Malformed(_))));
        for name in ["Subject", "Timestamp", "MessageId", "Type"] {
            assert!(read(&message(&[(name, "a\nb")])).is_err(), "{name}");
        }
    }

    #[test]
    fn topics_are_listed_with_commas_or_blanks() {
        assert_eq!(topic_arns(Some("arn:a, arn:b\narn:c")), ["arn:a", "arn:b", "arn:c"]);
        assert!(topic_arns(Some(" ")).is_empty() && topic_arns(None).is_empty());
    }
}
