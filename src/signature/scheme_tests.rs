//! Vectors from signers that share nothing with this crate, and properties that hold for every request.

use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::config::catalogue;
use crate::config::preset;
use crate::config::provider::ProviderFile;
use crate::pipeline::extract::Reader;
use crate::pipeline::places::Parts;
use crate::signature::vectors::{Case, files, folder, headers, read, verdict};

/// Checks every case of a file. Gives how many were accepted and refused, and what was wrong.
fn check(path: &Path) -> (usize, usize, Vec<String>) {
    let vectors = read(path);
    let provider = catalogue::for_account(&vectors.provider, &vectors.account()).unwrap();
    let scheme = provider.scheme.as_ref().unwrap();
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    for case in &vectors.cases {
        let place = format!("{}: {}", path.file_name().unwrap().display(), case.name);
        let keys: Vec<Key> = case
            .secrets
            .iter()
            .map(|secret| scheme.key(secret).unwrap_or_else(|why| panic!("{place}: {why}")))
            .collect();
        let body = Bytes::from(STANDARD.decode(&case.body_base64).unwrap());
        let headers = headers(case);
        let message = Message { headers: &headers, query: case.query.as_deref(), body: &body };
        match scheme.prove(keys.iter(), &message, UnixSeconds(vectors.now)) {
            Ok(Proven { key: index, signed }) => {
                if !is_in_time(scheme, signed, vectors.now) {
                    wrong.push(format!("{place}: signed at {signed:?}, and accepted"));
                }
                if case.verdict != "accept" || case.key_index.is_some_and(|expected| expected != index) {
                    wrong.push(format!("{place}: accepted by key {index}, not {}", case.verdict));
                }
                check_names(case, &provider, &message, &body, &place, &mut wrong);
                accepted += 1;
            }
            Err(error) => {
                if case.verdict != verdict(&error) && case.verdict != "refused" {
                    wrong.push(format!("{place}: {}, not {}: {error}", verdict(&error), case.verdict));
                }
                refused += 1;
            }
        }
    }
    (accepted, refused, wrong)
}

/// Whether a signed time is there if the scheme has one, and within its tolerance.
pub(super) fn is_in_time(scheme: &Scheme, signed: Option<UnixSeconds>, now: u64) -> bool {
    let tolerance = scheme.timestamp.as_ref().map(|rule| rule.tolerance.as_secs());
    let distance = signed.map(|signed| signed.0.abs_diff(now));
    distance.is_some() == tolerance.is_some() && distance <= tolerance
}

fn check_names(
    case: &Case,
    provider: &ProviderFile,
    message: &Message<'_>,
    body: &Bytes,
    place: &str,
    wrong: &mut Vec<String>,
) {
    let signed = &provider.scheme.as_ref().unwrap().coverage;
    let request = Parts { headers: message.headers, query: message.query, body, signed };
    // A body that is not JSON is a dead letter, also where the type stands in a header.
    let Ok(event) = Reader::new(&provider.provider, &request).whole() else { return };
    for (expected, found) in
        [(&case.message_id, event.message_id().text()), (&case.event_type, event.event_type().text())]
    {
        if expected.as_ref().is_some_and(|expected| *expected != **found) {
            wrong.push(format!("{place}: {found}, not {}", expected.as_deref().unwrap_or_default()));
        }
    }
}

fn assert_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The presets whose keys are not fetched; the vectors of the others are read in `fetched_tests.rs`.
fn with_secrets() -> impl Iterator<Item = &'static str> {
    preset::names().filter(|name| catalogue::named(name).unwrap().keys.is_none())
}

#[test]
fn every_preset_has_vectors_and_they_hold() {
    let mut all = Vec::new();
    for name in with_secrets().chain(["standard-webhooks-v1a"]) {
        let (accepted, refused, wrong) = check(&folder().join(format!("{name}.json")));
        if accepted < 1 || refused < 4 {
            all.push(format!("{name}: {accepted} accepted, {refused} refused"));
        }
        all.extend(wrong);
    }
    assert_right(&all);
}

#[test]
fn requests_signed_by_the_official_libraries_are_accepted() {
    let files = files(&folder().join("official"));
    assert!(files.len() > 15);
    let mut all = Vec::new();
    for file in files.iter().filter(|file| with_secrets().any(|name| name == read(file).provider)) {
        let (accepted, _, wrong) = check(file);
        assert!(accepted >= 1, "{}", file.display());
        all.extend(wrong);
    }
    assert_right(&all);
}

const NOW: UnixSeconds = UnixSeconds(1_767_225_600);

static SVIX: LazyLock<(Scheme, Key)> =
    LazyLock::new(|| scheme_and_key("svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
static BARE: LazyLock<(Scheme, Key)> =
    LazyLock::new(|| scheme_and_key("generic-hex", "a secret of sufficient length"));

fn scheme_and_key(preset: &str, secret: &str) -> (Scheme, Key) {
    let scheme = catalogue::named(preset).unwrap().scheme.unwrap();
    let key = scheme.key(secret).unwrap();
    (scheme, key)
}

fn signed(scheme: &Scheme, key: &Key, id: &str, body: &[u8]) -> Vec<(HeaderName, Vec<u8>)> {
    let signed = scheme.sign(key, id, NOW, &HeaderMap::new(), body).unwrap();
    signed.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect()
}

fn verify(scheme: &Scheme, key: &Key, headers: &HeaderMap, body: &[u8]) -> Result<usize, SignatureError> {
    scheme.verify(std::iter::once(key), &Message { headers, query: None, body }, NOW)
}

fn map(headers: &[(HeaderName, Vec<u8>)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.clone(), HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}

#[test]
fn the_work_does_not_grow_with_what_is_presented() {
    let (scheme, key) = &*SVIX;
    let mut headers = map(&signed(scheme, key, "msg_1", b"{}")).unwrap();
    let valid = headers["svix-signature"].to_str().unwrap().to_owned();
    let verify = |headers: &HeaderMap| verify(scheme, key, headers, b"{}");
    let with = |count: usize| format!("{}{valid}", format!("v1,{} ", STANDARD.encode([7; 32])).repeat(count));
    headers.insert("svix-signature", HeaderValue::from_str(&with(31)).unwrap());
    assert_eq!(verify(&headers), Ok(0));
    headers.insert("svix-signature", HeaderValue::from_str(&with(32)).unwrap());
    assert!(matches!(verify(&headers), Err(SignatureError::Malformed(_))));
}

/// Of headers that count together one may be empty, or of another form, as while the other of two keys is not set.
#[test]
fn of_headers_that_count_together_one_is_enough() {
    let (scheme, key) = scheme_and_key("box", "a secret of sufficient length");
    let body = br#"{"id":"1","trigger":"FILE.UPLOADED"}"#;
    for other in ["", "none", "c2hvcnQ=", &STANDARD.encode([7; 32])] {
        let mut headers = signed(&scheme, &key, "", body);
        headers.push((HeaderName::from_static("box-signature-secondary"), other.into()));
        assert_eq!(verify(&scheme, &key, &map(&headers).unwrap(), body), Ok(0), "{other}");
        headers[1].1 = other.into();
        assert!(verify(&scheme, &key, &map(&headers).unwrap(), body).is_err(), "{other}");
    }
}

/// Octets are moved over the borders in `{id}{timestamp}{body}`, so that the signed content stays the same.
#[test]
fn no_border_of_the_signed_content_can_be_moved() {
    let (time, body) = ("2026-01-01T00:00:00.5Z", r#"{"at":"2026-01-01T00:01:00Z","x":1}"#);
    let (swallowed, rest) = (r#"id-12026-01-01T00:00:00.5Z{"at":""#, r#"","x":1}"#);
    for (preset, names, genuine, moved) in [
        (
            "twitch",
            &["message-id", "message-timestamp", "message-signature"].map(|n| format!("twitch-eventsub-{n}"))
                [..],
            ["id-1", time, body],
            vec![
                ["id-1", "2026-01-01T00:00:00.5", &format!("Z{body}")],
                ["id-1", "2026-01-01T00:00:00", &format!(".5Z{body}")],
                [swallowed, "2026-01-01T00:01:00Z", rest],
            ],
        ),
        (
            "zendesk",
            &["id", "signature-timestamp", "signature"].map(|n| format!("x-zendesk-webhook-{n}"))[..],
            ["", time, body],
            vec![["", "2026-01-01T00:00:00.5", &format!("Z{body}")]],
        ),
    ] {
        let (scheme, key) = scheme_and_key(preset, "a secret of sufficient length");
        let pieces = genuine.map(|text| Cow::Borrowed(text.as_bytes()));
        let signature = scheme.variants[0].presented.write(&key.mac(&pieces).unwrap());
        let verdict = |[id, time, body]: [&str; 3]| {
            let values = names.iter().zip([id, time, &signature]);
            let named = values.map(|(name, value)| (name.parse().unwrap(), value.as_bytes().to_vec()));
            verify(&scheme, &key, &map(&named.collect::<Vec<_>>()).unwrap(), body.as_bytes())
        };
        assert_eq!(verdict(genuine), Ok(0));
        for moved in moved {
            assert!(verdict(moved).is_err(), "{preset} {moved:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_signed_is_accepted(id in "[!-\\-/-~]{1,256}", body: Vec<u8>) {
        for (scheme, key) in [&*SVIX, &*BARE] {
            let headers = map(&signed(scheme, key, &id, &body)).unwrap();
            prop_assert_eq!(verify(scheme, key, &headers, &body), Ok(0));
        }
    }

    /// One octet of anything that the signature covers, or of the signature itself, is changed.
    #[test]
    fn no_altered_octet_is_accepted(
        body in prop::collection::vec(any::<u8>(), 1..200),
        which in 0usize..4,
        at: prop::sample::Index,
        flip in 1u8..=255,
    ) {
        for (scheme, key) in [&*SVIX, &*BARE] {
            let mut headers = signed(scheme, key, "msg_2f8K", &body);
            let mut body = body.clone();
            match headers.get_mut(which) {
                Some((_, value)) => {
                    let at = at.index(value.len());
                    // The case of a hexadecimal digit is no difference.
                    let altered = value[at] ^ flip;
                    prop_assume!(!altered.eq_ignore_ascii_case(&value[at]));
                    value[at] = altered;
                }
                None => {
                    let at = at.index(body.len());
                    body[at] ^= flip;
                }
            }
            if let Some(headers) = map(&headers) {
                prop_assert!(verify(scheme, key, &headers, &body).is_err());
            }
        }
    }

    #[test]
    fn no_octet_more_or_less_is_accepted(body: Vec<u8>, extra: u8, which in 0usize..3, more: bool) {
        for (scheme, key) in [&*SVIX, &*BARE] {
            let mut headers = signed(scheme, key, "msg_2f8K", &body);
            let mut body = body.clone();
            let target = match headers.get_mut(which) {
                Some((_, value)) => value,
                None => &mut body,
            };
            match more {
                true => target.push(extra),
                false => prop_assume!(target.pop().is_some()),
            }
            // A space after the last signature of a list ends it, and means nothing.
            prop_assume!(!(more && which == 2 && extra == b' '));
            if let Some(headers) = map(&headers) {
                prop_assert!(verify(scheme, key, &headers, &body).is_err());
            }
        }
    }

    #[test]
    fn any_header_values_are_survived(id: Vec<u8>, timestamp: Vec<u8>, signature: Vec<u8>) {
        for (scheme, key) in [&*SVIX, &*BARE] {
            let names = ["svix-id", "svix-timestamp", "svix-signature", "x-webhook-signature"];
            let values = [&id, &timestamp, &signature, &signature];
            let headers: Vec<_> = names.iter().zip(values)
                .map(|(name, value)| (HeaderName::from_static(name), value.clone())).collect();
            if let Some(headers) = map(&headers) {
                let verdict = verify(scheme, key, &headers, b"x");
                prop_assert!(verdict.is_err());
            }
        }
    }
}
