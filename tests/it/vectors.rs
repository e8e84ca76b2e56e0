//! The vectors of `tests/vectors` over real HTTP: their verdicts are the service's.
//!
//! `generic-sha256` signs no timestamp, so its requests are as good today as on the day they were made. Each case
//! has a source of its own, with its own secrets, and all write to one topic.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::support::http::Request;
use super::support::scene::Plan;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    body_base64: String,
    verdict: String,
    message_id: Option<String>,
    event_type: Option<String>,
}

#[test]
fn verdicts_hold_over_http() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/generic-sha256.json");
    let text = fs::read_to_string(file).expect("read the vectors");
    let vectors: Vectors = serde_json::from_str(&text).expect("vectors");
    let mut plan = Plan::of("generic-sha256");
    let topic = format!("webhooks.{}", plan.name());
    for (number, case) in vectors.cases.iter().enumerate() {
        let mut references = Vec::new();
        for (index, secret) in case.secrets.iter().enumerate() {
            let name = format!("CASE_{number}_{index}");
            references.push(format!("{{ env: {name} }}"));
            plan = plan.env(&name, secret);
        }
        let yaml = format!(
            "{{ provider: generic-sha256, secrets: [{}], topics: {{ '*': {topic} }} }}",
            references.join(", ")
        );
        plan = plan.source(&format!("case-{number}"), &yaml);
    }
    let scene = plan.start();

    let mut accepted = BTreeMap::new();
    for (number, case) in vectors.cases.iter().enumerate() {
        let body = STANDARD.decode(&case.body_base64).expect("a body");
        let mut request = Request::post(&format!("/webhooks/case-{number}"), &body);
        for (name, value) in &case.headers {
            request = request.header(name, value);
        }
        let answer = scene.send(&request);
        let expected = match case.verdict.as_str() {
            "accept" => 200,
            "header_repeated" => 400,
            _ => 401,
        };
        assert_eq!(answer.status, expected, "{}: {}", case.name, answer.text());
        if case.verdict == "accept" {
            accepted.insert(format!("case-{number}"), (case, body));
        } else {
            scene.wait_for_refusal(&case.verdict, &format!("case-{number}"));
        }
    }

    // What has no type is a dead letter; either way every accepted one is there once, and nothing else.
    let records = [scene.records(), scene.dead_letters()].concat();
    assert_eq!(records.len(), accepted.len());
    for record in &records {
        let source = record.header("hookbridge_source").expect("a source");
        let (case, body) = accepted.remove(source).expect("an accepted case, once");
        assert_eq!(&record.value, &body, "{}", case.name);
        if let Some(message_id) = &case.message_id {
            assert_eq!(&record.key, message_id, "{}", case.name);
        }
        match &case.event_type {
            Some(event_type) => {
                assert_eq!(record.header("ce_type"), Some(event_type.as_str()), "{}", case.name)
            }
            None => assert!(record.header("hookbridge_reason").is_some(), "{}", case.name),
        }
    }
}
