//! Vectors of the providers whose keys are fetched: the key comes from the vectors, by the name that the request has,
//! and everything between the request and the verdict is the product's.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::config::catalogue;
use crate::config::provider::ProviderFile;
use crate::keys::answer::{self, Form};
use crate::pipeline::extract::Reader;
use crate::pipeline::places::Parts;
use crate::signature::Account;
use crate::signature::vectors::verdict;

#[derive(Deserialize)]
struct Vectors {
    provider: String,
    now: u64,
    #[serde(default)]
    source: Source,
    fetched_keys: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize, Default)]
struct Source {
    public_url: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize, Clone)]
struct Case {
    name: String,
    headers: Vec<(String, String)>,
    body_base64: String,
    verdict: String,
    message_id: Option<String>,
    event_type: Option<String>,
}

/// The vectors of a preset, or those that its vendor publishes.
fn read_file(path: &str) -> (Vectors, ProviderFile) {
    let path = format!("{}/tests/vectors/{path}.json", env!("CARGO_MANIFEST_DIR"));
    let vectors: Vectors = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let Source { public_url, parameters } = &vectors.source;
    let account = Account { public_url: public_url.clone(), parameters: parameters.clone() };
    let provider = catalogue::for_account(&vectors.provider, &account).unwrap();
    (vectors, provider)
}

fn read(name: &str) -> (Vectors, ProviderFile) {
    let (vectors, provider) = read_file(name);
    assert_eq!(vectors.provider, name);
    (vectors, provider)
}

impl Case {
    fn headers(&self) -> HeaderMap {
        let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.iter().map(|(name, text)| (name.parse().unwrap(), value(text))).fold(
            HeaderMap::new(),
            |mut headers, (name, value): (HeaderName, _)| {
                headers.append(name, value);
                headers
            },
        )
    }

    fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body_base64).unwrap()
    }
}

/// The verdict, and whether the vectors had the key: `Ok(None)` stands for a key that the provider does not have.
fn verify(
    vectors: &Vectors,
    provider: &ProviderFile,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<usize>, SignatureError> {
    let message = Message { headers, query: None, body };
    let rule = provider.keys.as_ref().unwrap();
    let wanted = rule.place.wanted(&message)?;
    let by_name = wanted.key_id.as_deref().unwrap_or(wanted.url.as_str());
    let Some(text) = vectors.fetched_keys.get(by_name) else { return Ok(None) };
    let now = UNIX_EPOCH + Duration::from_secs(vectors.now);
    let key = key(text, provider, now);
    let scheme = provider.scheme.as_ref().unwrap();
    let Proven { key, signed } = scheme.prove(std::iter::once(&key), &message, UnixSeconds(vectors.now))?;
    assert!(super::tests::is_in_time(scheme, signed, vectors.now), "{signed:?}");
    Ok(Some(key))
}

/// The vectors have all keys in PEM; how the providers answer is shown by the tests of `answer`.
fn key(text: &str, provider: &ProviderFile, now: SystemTime) -> Key {
    let rule = provider.keys.as_ref().unwrap();
    let form = if rule.form == Form::Jwk { Form::PublicKey } else { rule.form };
    answer::read(text.as_bytes(), form, None, rule.algorithm, None, now).unwrap().0
}

#[test]
fn the_vectors_of_providers_that_serve_their_keys_hold() {
    for (name, least) in
        [("paypal", 4), ("aws-sns", 4), ("plaid", 4), ("ebay", 4), ("official/ebay-published", 2)]
    {
        let (vectors, provider) = read_file(name);
        let (mut accepted, mut refused) = (0, 0);
        for case in &vectors.cases {
            let place = format!("{name}: {}", case.name);
            let (headers, body) = (case.headers(), Bytes::from(case.body()));
            match verify(&vectors, &provider, &headers, &body) {
                Ok(Some(_)) => {
                    assert_eq!(case.verdict, "accept", "{place}");
                    check_names(case, &provider, &headers, &body);
                    accepted += 1;
                }
                Ok(None) => {
                    assert_eq!(case.verdict, "refused", "{place}: there is no such key");
                    assert!(case.name.ends_with("-unknown"), "{place} reaches for a key that is not pinned");
                    refused += 1;
                }
                Err(error) => {
                    assert!(case.verdict == verdict(&error) || case.verdict == "refused", "{place}: {error}");
                    refused += 1;
                }
            }
        }
        assert!(accepted >= 1 && refused >= least, "{name}: {accepted} accepted, {refused} refused");
    }
}

fn check_names(case: &Case, provider: &ProviderFile, headers: &HeaderMap, body: &Bytes) {
    let signed = &provider.scheme.as_ref().unwrap().coverage;
    let request = Parts { headers, query: None, body, signed };
    let event = Reader::new(&provider.provider, &request).whole();
    let event = event.unwrap_or_else(|defect| panic!("{}: {defect:?}", case.name));
    if let Some(id) = &case.message_id {
        assert_eq!(event.message_id().text(), id.as_str(), "{}", case.name);
    }
    if let Some(event_type) = &case.event_type {
        assert_eq!(event.event_type().text(), event_type.as_str(), "{}", case.name);
    }
}

#[test]
fn what_is_not_signed_is_said_to_be_so() {
    let signed = |name: &str| {
        let (vectors, provider) = read(name);
        let case = vectors.cases.iter().find(|case| case.verdict == "accept").unwrap();
        let signed = &provider.scheme.as_ref().unwrap().coverage;
        let (headers, body) = (case.headers(), case.body().into());
        let request = Parts { headers: &headers, query: None, body: &body, signed };
        let event = Reader::new(&provider.provider, &request).whole().unwrap();
        (event.message_id().is_signed(), event.event_type().is_signed())
    };
    // A checksum of the body is no signature over it.
    assert_eq!(signed("paypal"), (false, false));
    assert_eq!(signed("aws-sns"), (true, true));
    assert_eq!(signed("plaid"), (true, true));
    assert_eq!(signed("ebay"), (true, true));
    let (_, sns) = read("aws-sns");
    let coverage = &sns.scheme.as_ref().unwrap().coverage;
    for (pointer, covered) in
        [("/TopicArn", true), ("/Message", true), ("/UnsubscribeURL", false), ("/x", false)]
    {
        assert_eq!(coverage.json(&Pointer::parse(pointer).unwrap()), covered, "{pointer}");
    }
}

#[test]
fn a_source_listens_to_its_own_topics_alone() {
    let (vectors, _) = read("aws-sns");
    let case = vectors.cases.iter().find(|case| case.verdict == "accept").unwrap();
    let with = |topic_arns: &str| {
        let parameters = [("topic_arns".to_owned(), topic_arns.to_owned())].into();
        let provider = catalogue::for_account("aws-sns", &Account { public_url: None, parameters }).unwrap();
        verify(&vectors, &provider, &case.headers(), &case.body())
    };
    assert_eq!(with("arn:aws:sns:us-east-1:1:a, arn:aws:sns:us-east-1:123456789012:MyTopic"), Ok(Some(0)));
    assert!(matches!(with("arn:aws:sns:us-east-1:123456789012:MyTopi"), Err(SignatureError::Malformed(_))));
}

#[test]
fn a_message_of_sns_grows_old() {
    let (mut vectors, provider) = read("aws-sns");
    let case = vectors.cases.iter().find(|case| case.verdict == "accept").unwrap().clone();
    let mut at = |later: u64| {
        vectors.now = 1_767_225_598 + later;
        verify(&vectors, &provider, &case.headers(), &case.body())
    };
    assert_eq!(at(70 * 60), Ok(Some(0)));
    assert!(matches!(at(70 * 60 + 1), Err(SignatureError::TimestampOutsideTolerance { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// One octet of anything that the signature covers is changed.
    #[test]
    fn no_altered_octet_of_a_signed_body_is_accepted(at: prop::sample::Index, flip in 1u8..=255) {
        for name in ["plaid", "ebay", "paypal"] {
            let (vectors, provider) = read(name);
            let case = vectors.cases.iter().find(|case| case.verdict == "accept").unwrap();
            let mut body = case.body();
            let at = at.index(body.len());
            body[at] ^= flip;
            let verdict = verify(&vectors, &provider, &case.headers(), &body);
            prop_assert!(!matches!(verdict, Ok(Some(_))), "{name}");
        }
    }

    #[test]
    fn no_altered_value_of_a_message_is_accepted(
        which in 0usize..6,
        at: prop::sample::Index,
        flip in 1u8..=127,
    ) {
        let (vectors, provider) = read("aws-sns");
        let case = vectors.cases.iter().find(|case| case.verdict == "accept").unwrap();
        let mut message: serde_json::Value = serde_json::from_slice(&case.body()).unwrap();
        let name = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"][which];
        let mut text = message[name].as_str().unwrap().as_bytes().to_vec();
        let at = at.index(text.len());
        text[at] ^= flip;
        let text = String::from_utf8_lossy(&text).into_owned();
        prop_assume!(message[name] != text.as_str());
        message[name] = text.into();
        let body = serde_json::to_vec(&message).unwrap();
        let verdict = verify(&vectors, &provider, &case.headers(), &body);
        prop_assert!(!matches!(verdict, Ok(Some(_))), "{name}");
    }
}
