//! docs/metrics.md and `/metrics` say the same, both ways: of a server to which everything has happened that is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::support::http::Request;
use super::support::kafka::Kafka;
use super::support::provider::Signer;
use super::support::scene::{Plan, SECRET, Scene, TYPE};
use super::support::unique;
use super::support::wait::{SOON, eventually};

/// What every series has, and what belongs to the format.
const UNDOCUMENTED_LABELS: [&str; 2] = ["otel_scope_name", "le"];

/// Type and labels of a metric. No labels: those of the resource, which the environment decides.
pub(crate) type Shape = (String, Option<BTreeSet<String>>);

fn in_backticks(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What the tables of the document say.
pub(crate) fn documented() -> BTreeMap<String, Shape> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = fs::read_to_string(path).expect("read docs/metrics.md");
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, says] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else { continue };
        assert!(!says.is_empty(), "{name} says nothing");
        let labels = (!labels.starts_with('(')).then(|| in_backticks(labels));
        let before = found.insert(name.to_owned(), (kind.to_owned(), labels));
        assert!(before.is_none(), "{name} is there twice");
    }
    assert!(found.len() > 50, "only {} metrics were found", found.len());
    found
}

/// The names of the labels of a sample, `name{label="value",...} 1`.
fn labels(sample: &str) -> BTreeSet<String> {
    let Some((_, labels)) = sample.split_once('{') else { return BTreeSet::new() };
    let (labels, _) = labels.rsplit_once('}').expect("an end of the labels");
    // No value that a test can bring about has a quotation mark in it.
    let names = labels.split('"').step_by(2).map(|name| name.trim_matches([',', '=']));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What `/metrics` says.
fn reported(text: &str) -> BTreeMap<String, Shape> {
    let mut found: BTreeMap<String, Shape> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (named, kind) = rest.split_once(' ').expect("a name and a type");
            named.clone_into(&mut name);
            found.insert(name.clone(), (kind.to_owned(), Some(BTreeSet::new())));
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&name), "{line} is not of {name}");
            let (_, all) = found.get_mut(&name).expect("a type before the first sample");
            let new = labels(line).into_iter().filter(|label| !UNDOCUMENTED_LABELS.contains(&label.as_str()));
            all.get_or_insert_default().extend(new);
        }
    }
    found
}

/// A source of each kind, with all that can be configured and is counted.
struct Stage {
    scene: Scene,
    reporting: String,
    lost: String,
    batches: String,
    asking: String,
}

fn stage() -> Stage {
    let plan = Plan::of("svix");
    let source = plan.name().to_owned();
    let (reporting, lost, batches, asking) =
        (unique("reporting"), unique("lost"), unique("batches"), unique("asking"));
    let [quarantine, unverified] = ["quarantine", "unverified"].map(unique);
    let secret = Signer::new("generic-hex", &source);
    let at = Kafka::shared().bootstrap().replace("127.0.0.1", "localhost");
    let generic =
        |rest: &str| format!("{{ provider: generic-hex, secrets: [{{ env: GENERIC_SECRET }}], {rest} }}");
    let handshakes = "handshakes: [{ when: { method: HEAD }, answer: {} }]";
    let scene = plan
        .topic(&quarantine)
        .topic(&unverified)
        .topic(&format!("webhooks.{batches}"))
        .secrets(&format!("[{{ env: {}, name: first, not_after: 2099-01-01T00:00:00Z }}]", SECRET))
        .env("GENERIC_SECRET", secret.secret())
        .kafka(&format!("standby: {{ after: 10s, back_after: 10s, properties: {{ bootstrap.servers: '{at}' }} }}"))
        .top(&format!("quarantine: {{ topic: {quarantine}, max_body_bytes: 1KiB }}"))
        .top("schema_registry: { url: 'http://127.0.0.1:9', timeout: 500ms }")
        .option("quarantine: true")
        .option("expected_every: 1h")
        .option(&format!(
            "topics: {{ dropped: {{ drop: true }}, schema: {{ topic: a.b, schema: {{ format: json }} }}, '*': 'webhooks.{source}' }}"
        ))
        .source(
            &reporting,
            &generic(&format!("verification: report_only, report_only_topic: {unverified}")),
        )
        .source(&lost, &generic("respond_within: 1s"))
        .source(&batches, &generic("split: ''"))
        .source(
            &asking,
            &format!("{{ provider: {{ extends: generic-hex, {handshakes} }}, secrets: [{{ env: GENERIC_SECRET }}] }}"),
        )
        .start();
    Stage { scene, reporting, lost, batches, asking }
}

/// Everything that is counted happens, most of it twice.
fn let_everything_happen(stage: &Stage) {
    let Stage { scene, reporting, lost, batches, asking } = stage;
    let generic = Signer::new("generic-hex", &scene.source);
    let path = |source: &str| format!("/webhooks/{source}");
    for _ in 0..2 {
        scene.send(&scene.event("msg_again")).assert_received();
        scene.send(&scene.event_of("dropped", "msg_dropped")).assert_received();
        scene.send(&scene.request("msg_unreadable", b"no JSON")).assert_received();
        assert_eq!(scene.send(&scene.event_of("schema", "msg_schema")).status, 503, "no registry is there");
        let forged = |octets| Request { body: vec![b' '; octets], ..scene.event("msg_forged") };
        assert_eq!((scene.send(&forged(10)).status, scene.send(&forged(2000)).status), (401, 401));
        let unverified = Request { body: b"{}".to_vec(), ..generic.event(&path(reporting), "evt_1", TYPE) };
        scene.send(&unverified).assert_received();
        scene.send(&generic.request(&path(batches), "", b"[]")).assert_received();
        assert_eq!(scene.send(&generic.event(&path(lost), "evt_1", TYPE)).status, 503, "it has no topic");
        assert_eq!(scene.send(&Request::new("HEAD", &path(asking))).status, 200);
        assert_eq!(scene.send(&Request::new("GET", "/nothing/here")).status, 404);
    }
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let stage = stage();
    let_everything_happen(&stage);
    let metric = |name: &str, label: &str| stage.scene.bridge.metric(name, &[label]);
    // Of what was late, and of librdkafka's brokers, is reported when it is.
    eventually(SOON, "everything is counted", || {
        metric("hookbridge_deliveries_late_total", "outcome=\"topic_unavailable\"")?;
        metric("hookbridge_kafka_broker_round_trip_seconds", "hookbridge_cluster=\"primary\"")?;
        metric("hookbridge_kafka_broker_round_trip_seconds", "hookbridge_cluster=\"standby\"")
    });
    let (documented, reported) = (documented(), reported(&stage.scene.bridge.get_admin("/metrics").text()));
    let mut differences = Vec::new();
    for (name, (kind, labels)) in &reported {
        match documented.get(name) {
            None => differences.push(format!("{name} ({kind}, {labels:?}) is not in docs/metrics.md")),
            Some((said, _)) if said != kind => differences.push(format!("{name} is a {kind}, no {said}")),
            Some((_, Some(said))) if labels.as_ref() != Some(said) => {
                differences.push(format!("{name} has the labels {labels:?}, not {said:?}"));
            }
            Some(_) => {}
        }
    }
    let absent = documented.keys().filter(|name| !reported.contains_key(*name));
    differences.extend(absent.map(|name| format!("{name} is in docs/metrics.md and not there")));
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

/// The texts between quotation marks in a function of a source file.
fn codes(file: &str, function: &str) -> Vec<String> {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("read a source file");
    let (_, rest) = text.split_once(function).expect("the function");
    let (body, _) = rest.split_once("\n    }\n").expect("its end");
    let codes: Vec<String> = body.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(codes.len() > 5, "{codes:?}");
    codes
}

#[test]
fn every_reason_is_documented() {
    let read = |document: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document));
    let (metrics, dead_letters) =
        (read("docs/metrics.md").expect("read"), read("docs/dead-letters.md").expect("read"));
    for (file, function, text) in [
        ("src/pipeline/rejection.rs", "pub fn code(&self)", &metrics),
        ("src/kafka/failure.rs", "pub fn name(self)", &metrics),
        ("src/pipeline/extract.rs", "pub fn as_str(self)", &dead_letters),
    ] {
        for code in codes(file, function) {
            assert!(text.contains(&format!("`{code}`")), "{code} of {file} is not documented");
        }
    }
}
