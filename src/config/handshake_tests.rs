//! Every provider's handshake, as its file describes it, gives the answer that the provider wants: the cases of
//! tests/handshakes.json, whose hashes were not made here. And what a file or a source can't say.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::*;
use crate::config::diagnostic::Diagnostics;
use crate::config::document::Document;
use crate::config::validate;
use crate::handshake::{Answer, Facts, Handshakes, Refusal, Request, Token};
use crate::signature::Key;
use crate::signature::key::{HmacAlgorithm, KeyEncoding, KeyFormat, KeyUse};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Deserialize)]
struct Cases {
    settings: Settings,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Settings {
    secret: String,
    handshake_token: String,
    public_url: String,
}

#[derive(Deserialize)]
struct Case {
    provider: String,
    name: String,
    request: Asking,
    answer: Expected,
}

#[derive(Deserialize)]
struct Asking {
    method: String,
    query: Option<String>,
    headers: BTreeMap<String, String>,
    body: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Answer { status: u16, content_type: Option<String>, headers: BTreeMap<String, String>, body: String },
    None(String),
}

/// What a provider's file says of handshakes; its other keys are read elsewhere.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    extends: Option<String>,
    handshakes: Option<Vec<RawHandshake>>,
    offers_secret: Option<RawOffer>,
}

fn read<T: serde::de::DeserializeOwned + Default>(text: &str) -> T {
    let mut faults = Diagnostics::default();
    let read = Document::parse(text, &mut faults).unwrap().read(&mut faults);
    assert!(!faults.has_errors(), "{:?}", faults.into_sorted().0);
    read
}

/// The part of the provider called `name`: of its own file, or of those that have none yet.
fn part(name: &str) -> Part {
    if let Ok(text) = std::fs::read_to_string(format!("{ROOT}/config/providers/{name}.yaml")) {
        let mut part: Part = read(&text);
        if let Some(base) = part.extends.take() {
            let base = self::part(&base);
            part.handshakes = part.handshakes.or(base.handshakes);
            part.offers_secret = part.offers_secret.or(base.offers_secret);
        }
        return part;
    }
    let text = std::fs::read_to_string(format!("{ROOT}/tests/handshakes.yaml")).unwrap_or_default();
    let mut parts: BTreeMap<String, Part> = read(&text);
    parts.remove(name).unwrap_or_else(|| panic!("no file says anything of {name}"))
}

fn checked(part: Part) -> (Vec<Handshake>, Option<Offer>) {
    let raw =
        RawProvider { handshakes: part.handshakes, offers_secret: part.offers_secret, ..Default::default() };
    let mut faults = Diagnostics::default();
    let empty = Document::parse("", &mut faults).unwrap();
    let checked = of_provider(&mut Checker::new(&empty, &mut faults), &Path::root(), &raw);
    assert!(!faults.has_errors(), "{:?}", faults.into_sorted().0);
    checked
}

impl Asking {
    fn ask(&self, handshakes: &Handshakes, facts: &Facts<'_>) -> Result<Option<Answer>, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let body = self.body.as_bytes();
        let request = Request { query: self.query.as_deref(), headers: &headers, body };
        match self.method.parse::<Method>().unwrap() {
            Method::POST => handshakes.judge_post(true, &request, facts),
            method => handshakes.judge_head(&method, &request, facts),
        }
    }
}

fn assert_answer(at: &str, found: Result<Option<Answer>, Refusal>, expected: &Expected) {
    let (found, expected) = match (found, expected) {
        (Err(_), Expected::None(word)) if word == "refused" => return,
        (Ok(None), Expected::None(word)) if word == "other" => return,
        (Ok(Some(found)), expected @ Expected::Answer { .. }) => (found, expected),
        (found, _) => panic!("{at}: {found:?}"),
    };
    let Expected::Answer { status, content_type, headers, body } = expected else { panic!("{at}") };
    assert_eq!(found.status().code().as_u16(), *status, "{at}");
    assert_eq!(found.content_type().map(|value| value.to_str().unwrap()), content_type.as_deref(), "{at}");
    for (name, value) in headers {
        let header = found.headers().iter().find(|(other, _)| other == name.as_str());
        assert_eq!(header.map(|(_, found)| found.to_str().unwrap()), Some(value.as_str()), "{at}: {name}");
    }
    let found = std::str::from_utf8(found.body()).unwrap();
    if content_type.as_deref() == Some("application/json") {
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(json(found), json(body), "{at}");
    } else {
        assert_eq!(found, body, "{at}");
    }
}

#[test]
fn every_provider_hears_what_it_wants() {
    let text = std::fs::read_to_string(format!("{ROOT}/tests/handshakes.json")).unwrap();
    let Cases { settings, cases } = serde_json::from_str(&text).unwrap();
    let format = KeyFormat { encoding: KeyEncoding::Utf8, strip_prefix: None };
    let key = Key::parse(&settings.secret, &format, KeyUse::Hmac(HmacAlgorithm::Sha256)).unwrap();
    let token = Token::new(Zeroizing::new(settings.handshake_token));
    let (parameters, public_url) = (BTreeMap::new(), Some(settings.public_url.as_str()));
    let facts = Facts { key: Some(&key), token: Some(&token), parameters: &parameters, public_url };
    for case in &cases {
        let (list, _) = checked(part(&case.provider));
        let handshakes = Handshakes::new(list, Some(token.clone()), None);
        let at = format!("{}: {}", case.provider, case.name);
        assert_answer(&at, case.request.ask(&handshakes, &facts), &case.answer);
    }
    let providers: BTreeSet<&str> = cases.iter().map(|case| case.provider.as_str()).collect();
    assert!(providers.len() >= 21, "{providers:?}");
}

#[test]
fn the_handshakes_of_every_file_can_be_used() {
    let folder = std::fs::read_dir(format!("{ROOT}/config/providers")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let (list, offer) = checked(part(&name));
        assert!(list.len() <= 3 && (list.is_empty() || offer.is_none()), "{name}");
    }
}

#[test]
fn the_providers_that_hand_a_secret_over_are_known() {
    let (_, offer) = checked(part("asana"));
    let header = OfferPlace::Header(HeaderName::from_static("x-hook-secret"));
    assert_eq!(offer, Some(Offer { place: header, echo: true }));
    let (_, offer) = checked(part("notion"));
    let json = OfferPlace::Json([Pointer::parse("/verification_token").unwrap()]);
    assert_eq!(offer, Some(Offer { place: json, echo: false }));
}

fn env(name: &str) -> Option<String> {
    match name {
        "UNSET" => None,
        "SHORT" => Some("short".to_owned()),
        _ => Some("a secret of sufficient length".to_owned()),
    }
}

/// What is said of a source with these lines, whose provider has these ones.
fn said(provider: &str, source: &str) -> Result<Vec<String>, String> {
    let text = format!(
        "kafka: {{ bootstrap.servers: 'kafka:9092' }}\nsources:\n  s:\n    provider: {{ extends: generic-hex, {provider} }}\n{source}"
    );
    match validate::parse("test.yaml", &text, &env) {
        Ok(config) => Ok(config.warnings.into_iter().map(|warning| warning.message).collect()),
        Err(invalid) => Err(invalid.to_string()),
    }
}

#[track_caller]
fn refused(provider: &str, source: &str, expected: &str) {
    let secrets = if source.contains("secrets") || source.contains("unsigned") { "" } else { SECRETS };
    let shown = said(provider, &format!("{secrets}{source}")).unwrap_err();
    assert!(shown.contains(expected), "{expected:?} is not said:\n{shown}");
    assert!(!shown.contains("a secret of sufficient length"), "{shown}");
}

const SECRETS: &str = "    secrets: [{ env: SECRET }]\n";

#[test]
fn what_a_provider_file_can_not_say_of_a_handshake() {
    for (handshake, expected) in [
        ("answer: {}", "`when` is missing"),
        ("when: { method: GET }", "`answer` is missing"),
        ("when: {}, answer: {}", "this would answer every event"),
        ("when: { json: { /a: { absent: true } } }, answer: {}", "this would answer every event"),
        ("when: { method: PUT }, answer: {}", "PUT"),
        ("when: { method: GET }, verified: true, answer: {}", "only what is posted can be verified"),
        ("when: { method: GET, json: { /a: '1' } }, answer: {}", "only the body of a POST is read"),
        ("when: { method: GET }, answer: { text: { json: /a } }", "only the body of a POST is read"),
        ("when: { json: { a: '1' } }, answer: {}", "it must begin with `/`"),
        ("when: { json: { /a: '' } }, answer: {}", "an empty value is not there"),
        ("when: { json: { /a: { present: false } } }, answer: {}", "say one: a text"),
        ("when: { json: { /a: { present: true, token: true } } }, answer: {}", "say one: a text"),
        ("when: { header: { 'a b': '1' } }, answer: {}", "can't be a header's name"),
        ("when: { header: { Authorization: '1' } }, answer: {}", "never read into an answer"),
        ("when: { method: GET }, answer: { status: 302 }", "302 is no success"),
        ("when: { method: GET }, answer: { status: 410 }", "410 is no success"),
        ("when: { method: GET }, answer: { status: 204, text: { literal: x } }", "has no body"),
        ("when: { method: GET }, answer: { text: { literal: x }, json: {} }", "not both"),
        ("when: { method: GET }, answer: { text: {} }", "say one value"),
        ("when: { method: GET }, answer: { text: { query: a, header: b } }", "say one value"),
        ("when: { method: GET }, answer: { text: { query: a, encoding: hex } }", "are for `hmac_sha256`"),
        ("when: { method: GET }, answer: { text: { token: true } }", "the token is a secret"),
        (
            "when: { method: GET }, answer: { text: { hmac_sha256: { token: true } } }",
            "the token is a secret",
        ),
        (
            "when: { method: GET }, answer: { headers: { Set-Cookie: { query: a } } }",
            "never set by a handshake",
        ),
        (
            "when: { method: GET }, answer: { headers: { Content-Type: { literal: text/html } } }",
            "never set by",
        ),
        ("when: { method: GET }, answer: { headers: { X-A: { literal: 'a b' } } }", "visible ASCII"),
        ("when: { method: GET }, answer: { text: { parameter: account } }", "`account` is missing"),
        ("when: { method: GET }, answer: { text: { public_url: true } }", "`public_url` is missing"),
        ("when: { method: GET, query: { t: { token: true } } }, answer: {}", "`handshake_token` is missing"),
    ] {
        refused(&format!("handshakes: [{{ {handshake} }}]"), "", expected);
    }
    let deep = "{ sha256: [".repeat(8) + "{ query: a }" + &"] }".repeat(8);
    refused(&format!("handshakes: [{{ when: {{ method: GET }}, answer: {{ text: {deep} }} }}]"), "", "deep");
    for (offer, expected) in [
        ("{}", "say one place"),
        ("{ header: A, json: /a }", "say one place"),
        ("{ json: /a, echo: true }", "only a header is repeated"),
        ("{ header: Set-Cookie }", "never holds a secret"),
    ] {
        refused(&format!("offers_secret: {offer}"), "", expected);
    }
}

#[test]
fn what_a_source_must_bring() {
    let token = "handshakes: [{ when: { method: GET, query: { t: { token: true } } }, answer: {} }]";
    let signing = "handshakes: [{ when: { method: GET }, answer: { text: { hmac_sha256: { query: t } } } }]";
    let offer = "offers_secret: { header: X-Hook-Secret, echo: true }";
    let none = "title: x";
    for (provider, source, expected) in [
        (token, "    handshake_token: { env: UNSET }\n", "`UNSET` is not set"),
        (token, "    handshake_token: {}\n", "a reference to one place"),
        (none, "    show_offered_secret: true\n", "brings no secret"),
        (offer, "    show_offered_secret: true\n    handshake: false\n", "answers nothing"),
        (offer, "    show_offered_secret: true\n    danger_accept_unsigned: true\n", "no use for a secret"),
        (offer, "    show_offered_secret: false\n    secrets: []\n", "the list is empty"),
        (signing, "    danger_accept_unsigned: true\n", "there is no secret"),
        (none, "    public_url: example.com\n", "is no whole URL"),
        (none, "    public_url: 'https://example.com/#a'\n", "is no whole URL"),
        (none, "    public_url: https://user@example.com/\n", "is no whole URL"),
        (none, "    parameters: { 'a b': x }\n", "a parameter's name"),
        (none, "    parameters: { a: '' }\n", "1 to 1024 octets"),
    ] {
        refused(provider, source, expected);
    }
}

#[test]
fn what_is_allowed_and_should_be_known() {
    let token = "handshakes: [{ when: { method: GET, query: { t: { token: true } } }, answer: {} }]";
    let warnings =
        |provider: &str, source: &str| said(provider, source).unwrap_or_else(|why| panic!("{why}"));
    let of = |source: &str| warnings(token, &format!("{SECRETS}{source}"));
    assert_eq!(of("    handshake_token: { env: TOKEN }\n"), [""; 0]);
    assert_eq!(of("    handshake: false\n"), [""; 0]);
    assert_eq!(of("    handshake_token: { env: SHORT }\n"), ["the token has less than 16 octets"]);
    let unused = warnings("title: x", &format!("{SECRETS}    handshake_token: {{ env: TOKEN }}\n"));
    assert_eq!(unused, ["no handshake of the provider uses a token"]);
    // Until the secret has come there need be none.
    let offer = "offers_secret: { header: X-Hook-Secret, echo: true }";
    let shown = ["a secret that any request brings is shown on standard output"];
    assert_eq!(warnings(offer, "    show_offered_secret: true\n"), shown);
    assert_eq!(warnings(offer, &format!("{SECRETS}    show_offered_secret: true\n")), shown);
    assert_eq!(warnings(offer, SECRETS), [""; 0]);
}
