//! Every preset in the real executable: a genuine request of its vectors lands, an altered one does not.
//!
//! The vectors were signed at one moment. Of a preset that signs the time its genuine request is by now too old, and
//! refused for that and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::support::asyncapi::Document;
use super::support::http::Request;
use super::support::scene::{Plan, Scene};

#[derive(Deserialize)]
struct Vectors {
    provider: String,
    #[serde(default)]
    source: Account,
    fetched_keys: Option<serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize, Default)]
struct Account {
    public_url: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Case {
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    query: Option<String>,
    body_base64: String,
    verdict: String,
}

/// The vectors of every preset that verifies by configured keys.
fn vectors() -> Vec<Vectors> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut all: Vec<Vectors> = Vec::new();
    for entry in fs::read_dir(folder).expect("the vectors") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read(&path).expect("read the vectors");
            all.push(serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
        }
    }
    all.retain(|vectors| vectors.fetched_keys.is_none());
    all
}

/// A source for the `number`th file, whose records all go to one topic.
fn with_source(mut plan: Plan, number: usize, vectors: &Vectors, topic: &str) -> Plan {
    let mut references = Vec::new();
    for (index, secret) in genuine(vectors).secrets.iter().enumerate() {
        let name = format!("PROVIDER_{number}_{index}");
        references.push(format!("{{ env: {name} }}"));
        plan = plan.env(&name, secret);
    }
    let Account { public_url, parameters } = &vectors.source;
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}: '{value}'")).collect();
    let url = public_url.as_ref().map(|url| format!("public_url: '{url}', ")).unwrap_or_default();
    let yaml = format!(
        "{{ provider: {}, secrets: [{}], {url}parameters: {{ {} }}, handshake: false, topics: {{ '*': {topic} }} }}",
        vectors.provider,
        references.join(", "),
        parameters.join(", ")
    );
    plan.source(&format!("p-{number}"), &yaml)
}

fn genuine(vectors: &Vectors) -> &Case {
    let mut accepted = vectors.cases.iter().filter(|case| case.verdict == "accept");
    let found = accepted.clone().find(|case| case.query.is_some()).or_else(|| accepted.next());
    found.unwrap_or_else(|| panic!("{}: a genuine request", vectors.provider))
}

fn request(number: usize, case: &Case, body: &[u8]) -> Request {
    let query = case.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let request = Request::post(&format!("/webhooks/p-{number}{query}"), body);
    case.headers.iter().fold(request, |request, (name, value)| request.raw_header(name, value.as_bytes()))
}

/// How many requests to a source were refused for their time.
fn too_old(scene: &Scene, number: usize) -> f64 {
    let labels = [
        format!("hookbridge_source=\"p-{number}\""),
        "error_type=\"timestamp_outside_tolerance\"".to_owned(),
    ];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    scene.bridge.metric("hookbridge_rejections_total", &labels).unwrap_or(0.0)
}

#[test]
fn every_preset_takes_its_genuine_request_and_refuses_it_altered() {
    let all = vectors();
    assert!(all.len() >= 100, "{}", all.len());
    let mut plan = Plan::of("generic-hex");
    let topic = format!("webhooks.{}", plan.name());
    for (number, vectors) in all.iter().enumerate() {
        plan = with_source(plan, number, vectors, &topic);
    }
    let scene = plan.start();
    let mut landed = BTreeMap::new();
    for (number, vectors) in all.iter().enumerate() {
        let case = genuine(vectors);
        let body = STANDARD.decode(&case.body_base64).expect("a body");
        let answer = scene.send(&request(number, case, &body));
        match answer.status {
            401 => assert!(too_old(&scene, number) > 0.0, "{}: {}", vectors.provider, answer.text()),
            status => {
                assert!((200..300).contains(&status), "{}: {status} {}", vectors.provider, answer.text());
                landed.insert(format!("p-{number}"), (vectors, body.clone()));
            }
        }
        // Another secret's request, whatever the scheme: no preset takes it.
        let mut forged = case.headers.clone();
        for (_, value) in &mut forged {
            *value = value.chars().rev().collect();
        }
        let forged = Case { headers: forged, ..Case::of(case) };
        let answer = scene.send(&request(number, &forged, b"{\"forged\":true}"));
        assert!([400, 401].contains(&answer.status), "{}: {}", vectors.provider, answer.text());
    }
    assert!(landed.len() >= 50, "{} sign no time", landed.len());
    let records = [scene.records(), scene.dead_letters()].concat();
    assert_eq!(records.len(), landed.len());
    let document = Document::of(scene.bridge.file(), &scene.bridge.env());
    let described = [&scene.topic, &scene.dead_letter].map(|topic| document.count(&scene.bootstrap, topic));
    assert_eq!(described.iter().flat_map(|counted| counted.values()).sum::<usize>(), records.len());
    for record in records {
        let source = record.header("hookbridge_source").expect("a source");
        let (vectors, body) = landed.remove(source).expect("a genuine request, once");
        assert_eq!(record.value, body, "{}", vectors.provider);
        // What the signature is over and the record's headers do not have is beside them.
        let query = genuine(vectors).query.as_deref().filter(|_| vectors.source.public_url.is_some());
        assert_eq!(record.header("hookbridge_query"), query, "{}", vectors.provider);
    }
}

impl Case {
    fn of(other: &Case) -> Case {
        Case {
            secrets: other.secrets.clone(),
            headers: Vec::new(),
            // It may be the credential.
            query: None,
            body_base64: other.body_base64.clone(),
            verdict: other.verdict.clone(),
        }
    }
}
