//! What a template cannot say: the signed content of providers who sign values, not octets.
//!
//! Takes a request. Gives the octets to be authenticated, or refuses a request of another form. The rest of the
//! decision (keys, signatures, comparison) is that of every scheme.
//!
//! Sources: Twilio, "Security: Validating Signatures"; Adyen, "Verify HMAC signatures".

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::header::CONTENT_TYPE;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use smallvec::smallvec;
use subtle::ConstantTimeEq as _;

use super::content::Pieces;
use super::error::SignatureError;
use super::message::Message;

/// Fields of a form; Twilio sends some thirty.
const MAX_FIELDS: usize = 1000;
/// Items of one Adyen notification; it sends one.
const MAX_ITEMS: usize = 100;
/// Where the merchant's own reference stands among the signed values of an Adyen item.
const MERCHANT_REFERENCE: usize = 3;

/// A provider's own way to make the signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Native {
    /// The URL, and the form's fields in the order of their names; or, for other bodies, the URL with the body's
    /// SHA-256 in its query.
    Twilio {
        /// The URL as Twilio has it. With a query it is the only one; without, the request's is part of the URL.
        public_url: String,
    },
    /// Eight values of each item, with a colon between them; the signature is among the item's values.
    Adyen,
    /// The values of a message of Amazon SNS, by name: [`super::sns`].
    Sns {
        /// The topics that are listened to; all, if none is named.
        topic_arns: Vec<String>,
    },
    /// The body; the signature stands in JSON in base64: [`super::ebay`].
    Ebay,
}

/// What Twilio appends to the URL where the body is no form.
const BODY_HASH: &str = "bodySHA256";

/// The content that Twilio signs.
///
/// # Errors
/// [`SignatureError::Malformed`], [`SignatureError::Mismatch`] for a body that is not the one of the signed hash.
pub(super) fn twilio<'a>(
    public_url: &'a str,
    message: &Message<'a>,
    keys: usize,
) -> Result<Pieces<'a>, SignatureError> {
    let (base, own_query) = match public_url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (public_url, None),
    };
    let query = message.query.unwrap_or_default();
    if let Some((hash, others)) = hash_parameter(query) {
        // What remains without it must be the URL's own query.
        if own_query.is_some_and(|own| own != others) {
            return Err(SignatureError::Malformed("the query is not that of public_url with bodySHA256"));
        }
        let mut stated = [0; 32];
        hex::decode_to_slice(hash, &mut stated)
            .map_err(|_| SignatureError::Malformed("bodySHA256 is no SHA-256 in hexadecimal"))?;
        if !bool::from(stated.ct_eq(&Sha256::digest(message.body))) {
            return Err(SignatureError::Mismatch { keys });
        }
        let pieces: [&str; 3] = [base, "?", query];
        return Ok(pieces.map(|piece| Cow::Borrowed(piece.as_bytes())).into_iter().collect());
    }
    let mut pieces: Pieces<'a> = smallvec![Cow::Borrowed(public_url.as_bytes())];
    match (own_query, message.query) {
        (Some(own), query) if query != Some(own) => {
            return Err(SignatureError::Malformed("the query is not that of public_url"));
        }
        (None, Some(query)) => pieces.extend([Cow::Borrowed(&b"?"[..]), Cow::Borrowed(query.as_bytes())]),
        _ => {}
    }
    for (name, mut values) in form(message, keys)? {
        // A name that is there several times stands before each of its values, in their order and each once, as in
        // Twilio's own libraries.
        values.sort();
        values.dedup();
        for value in values {
            pieces.push(owned(name.clone()));
            pieces.push(owned(value));
        }
    }
    Ok(pieces)
}

fn owned(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The value of the last `bodySHA256` of a query, which is the one that Twilio appends, and the query without it.
fn hash_parameter(query: &str) -> Option<(&str, String)> {
    let mut parameters: Vec<&str> = query.split('&').collect();
    let is_hash = |parameter: &&str| parameter.split_once('=').is_some_and(|(name, _)| name == BODY_HASH);
    let at = parameters.iter().rposition(is_hash)?;
    let (_, hash) = parameters.remove(at).split_once('=')?;
    Some((hash, parameters.join("&")))
}

/// The fields of a form, by name. Only the one spelling that browsers and Twilio write is taken, since the signature
/// is over the decoded fields: an escape in lower case or a bare space would be another body with the same ones.
fn form<'a>(
    message: &Message<'a>,
    keys: usize,
) -> Result<BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>, SignatureError> {
    let mut fields = BTreeMap::<_, Vec<_>>::new();
    let media_type =
        message.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        // A body of another type is signed by its hash; without one it is not signed at all.
        return match message.body.is_empty() {
            true => Ok(fields),
            false => {
                Err(SignatureError::Malformed("the body is no form, and bodySHA256 is not in the query"))
            }
        };
    }
    if !is_canonical(message.body) {
        return Err(SignatureError::Mismatch { keys });
    }
    for (count, (name, value)) in form_urlencoded::parse(message.body).enumerate() {
        if count == MAX_FIELDS {
            return Err(SignatureError::Malformed("the form has too many fields"));
        }
        fields.entry(name).or_default().push(value);
    }
    Ok(fields)
}

fn is_canonical(form: &[u8]) -> bool {
    let is_digit =
        |octet: Option<&u8>| octet.is_some_and(|o| o.is_ascii_digit() || (b'A'..=b'F').contains(o));
    let is_pair = |pair: &[u8]| pair.iter().filter(|octet| **octet == b'=').count() == 1;
    let is_legal = form.iter().enumerate().all(|(at, octet)| match octet {
        b'%' => is_digit(form.get(at + 1)) && is_digit(form.get(at + 2)),
        b'&' | b'=' | b'+' | b'-' | b'.' | b'_' | b'*' | b'~' | b'!' | b'\'' | b'(' | b')' => true,
        _ => octet.is_ascii_alphanumeric(),
    });
    is_legal && (form.is_empty() || form.split(|octet| *octet == b'&').all(is_pair))
}

#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(borrow, rename = "notificationItems")]
    items: Vec<Wrapper<'a>>,
}

#[derive(Deserialize)]
struct Wrapper<'a> {
    #[serde(borrow, rename = "NotificationRequestItem")]
    item: Item<'a>,
}

/// Unknown fields are skipped; a known one that is given twice is an error, as serde has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow, default)]
    psp_reference: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    original_reference: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    merchant_account_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    merchant_reference: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    success: Option<Cow<'a, str>>,
    #[serde(borrow)]
    amount: Amount<'a>,
    #[serde(borrow)]
    additional_data: AdditionalData<'a>,
}

#[derive(Deserialize)]
struct Amount<'a> {
    #[serde(borrow)]
    value: &'a serde_json::value::RawValue,
    #[serde(borrow)]
    currency: Cow<'a, str>,
}

#[derive(Deserialize)]
struct AdditionalData<'a> {
    #[serde(borrow, rename = "hmacSignature")]
    signature: Cow<'a, str>,
}

/// The presented signature and the signed content of every item: each must be genuine.
///
/// # Errors
/// [`SignatureError::Malformed`], [`SignatureError::Missing`].
pub(super) fn adyen(body: &[u8]) -> Result<Vec<(String, Vec<u8>)>, SignatureError> {
    let malformed = SignatureError::Malformed("the body is no Adyen notification whose items are signed");
    let notification: Notification<'_> = serde_json::from_slice(body).map_err(|_| malformed.clone())?;
    if notification.items.is_empty() || notification.items.len() > MAX_ITEMS {
        return Err(malformed);
    }
    let mut contents = Vec::new();
    for Wrapper { item } in notification.items {
        let value = item.amount.value.get();
        // A number in a text would be another spelling of the same.
        if !value.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-') {
            return Err(malformed);
        }
        let fields = [
            item.psp_reference.unwrap_or_default(),
            item.original_reference.unwrap_or_default(),
            item.merchant_account_code.unwrap_or_default(),
            item.merchant_reference.unwrap_or_default(),
            Cow::Borrowed(value),
            item.amount.currency,
            item.event_code.unwrap_or_default(),
            item.success.unwrap_or_default(),
        ];
        // The merchant writes its reference itself. With a colon in one more of them the borders could be moved.
        let has_colon =
            |(index, field): (usize, &Cow<'_, str>)| index != MERCHANT_REFERENCE && field.contains(':');
        if fields.iter().enumerate().any(has_colon) {
            return Err(malformed);
        }
        let content = fields.join(":").into_bytes();
        contents.push((item.additional_data.signature.into_owned(), content));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    /// The example of Twilio's documentation: its URL, fields and the concatenation.
    #[test]
    fn twilio_signs_the_url_and_the_sorted_fields() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        let body = b"Digits=1234&To=%2B18005551212&From=%2B14158675310&Caller=%2B14158675310&CallSid=CA1234567890ABCDE";
        let message = Message { headers: &headers, query: Some("foo=1&bar=2"), body };
        let pieces = twilio("https://mycompany.com/myapp.php?foo=1&bar=2", &message, 1).unwrap();
        assert_eq!(
            String::from_utf8(pieces.concat()).unwrap(),
            "https://mycompany.com/myapp.php?foo=1&bar=2CallSidCA1234567890ABCDECaller+14158675310Digits1234\
             From+14158675310To+18005551212"
        );
        for (query, body) in [
            (Some("foo=1"), &body[..]),
            (None, body),
            (Some("foo=1&bar=2"), b"a=b c"),
            (Some("foo=1&bar=2"), b"a=%2b"),
        ] {
            assert!(
                twilio(
                    "https://mycompany.com/myapp.php?foo=1&bar=2",
                    &Message { headers: &headers, query, body },
                    1
                )
                .is_err()
            );
        }
    }

    #[test]
    fn twilio_signs_the_hash_of_another_body() {
        let headers = HeaderMap::new();
        let query = format!("bodySHA256={}", hex::encode(Sha256::digest(b"{}")));
        let verify = |query: &str, body: &[u8]| {
            twilio("https://a.example/t", &Message { headers: &headers, query: Some(query), body }, 1)
                .map(|pieces| String::from_utf8(pieces.concat()).unwrap())
        };
        assert_eq!(verify(&query, b"{}").unwrap(), format!("https://a.example/t?{query}"));
        assert!(matches!(verify(&query, b"{ }"), Err(SignatureError::Mismatch { .. })));
        assert_eq!(
            verify(&format!("x=1&{query}"), b"{}").unwrap(),
            format!("https://a.example/t?x=1&{query}")
        );
        assert_eq!(
            verify(&format!("{query}&y=2"), b"{}").unwrap(),
            format!("https://a.example/t?{query}&y=2")
        );
        assert!(verify("bodySHA256=00", b"{}").is_err());
    }

    /// A merchant's reference may have colons in it, and the others then be read one place further on.
    #[test]
    fn no_value_of_an_adyen_item_takes_in_its_neighbour() {
        let verify = |values: [&str; 7]| {
            let [psp, original, account, reference, value, currency, rest] = values;
            let (code, success) = rest.split_once(' ').unwrap();
            let item = format!(
                r#"{{"pspReference":"{psp}","originalReference":"{original}","merchantAccountCode":"{account}","merchantReference":"{reference}","amount":{{"value":{value},"currency":"{currency}"}},"eventCode":"{code}","success":"{success}","additionalData":{{"hmacSignature":"c2ln"}}}}"#
            );
            adyen(format!(r#"{{"notificationItems":[{{"NotificationRequestItem":{item}}}]}}"#).as_bytes())
                .map(|contents| String::from_utf8(contents[0].1.clone()).unwrap())
        };
        let content = "7914::Shop:order:12:1130:EUR:AUTHORISATION:true";
        assert_eq!(
            verify(["7914", "", "Shop", "order:12", "1130", "EUR", "AUTHORISATION true"]).unwrap(),
            content
        );
        for moved in [
            ["7914:", "Shop", "order", "12", "1130", "EUR", "AUTHORISATION true"],
            ["7914", ":Shop", "order", "12", "1130", "EUR", "AUTHORISATION true"],
            ["7914", "", "Shop:order", "12", "1130", "EUR", "AUTHORISATION true"],
            ["7914", "", "Shop", "order", "12", "1130:EUR", "AUTHORISATION true"],
            ["7914", "", "Shop", "order", "12", "1130", "EUR:AUTHORISATION true"],
            ["7914", "", "Shop", "order", "12", "1130", "EUR AUTHORISATION:true"],
        ] {
            assert!(verify(moved).is_err(), "{moved:?}");
        }
    }

    #[test]
    fn adyen_signs_eight_values_of_every_item() {
        let item = r#"{"NotificationRequestItem":{"pspReference":"7914073381342284","merchantAccountCode":"TestMerchant","merchantReference":"TestPayment-1","amount":{"value":1130,"currency":"EUR"},"eventCode":"AUTHORISATION","success":"true","additionalData":{"hmacSignature":"c2ln"}}}"#;
        let contents =
            adyen(format!(r#"{{"live":"false","notificationItems":[{item},{item}]}}"#).as_bytes()).unwrap();
        assert_eq!(contents.len(), 2);
        assert_eq!(
            contents[1].1,
            b"7914073381342284::TestMerchant:TestPayment-1:1130:EUR:AUTHORISATION:true"
        );
        for wrong in ["", "{}", r#"{"notificationItems":[]}"#, r#"{"notificationItems":[{}]}"#] {
            assert!(adyen(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
