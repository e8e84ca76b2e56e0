//! Routes with a schema, at a real schema registry: what is published, what is not, and what happens while it is away.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::bridge::hookbridge;
use super::support::command::{Done, run_command};
use super::support::http;
use super::support::kafka::Kafka;
use super::support::registry::{Registry, read_in_java};
use super::support::scene::{Plan, Scene, TYPE};
use super::support::topics::Record;
use super::support::unique;
use super::support::wait::{SOON, eventually};

const REFRESH: &str = "refresh: 1s";

/// A source whose events must fit a schema.
fn plan(registry: &Registry, schema: &str) -> Plan {
    let plan =
        Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {}, {REFRESH} }}", registry.url()));
    let topic = format!("webhooks.{}", plan.name());
    plan.option(&format!("topics: {{ '*': {{ topic: {topic}, schema: {{ {schema} }} }} }}"))
}

fn event(id: &str, amount: &str) -> Vec<u8> {
    format!(r#"{{"id":"{id}","type":"{TYPE}",  "amount":{amount}}}"#).into_bytes()
}

fn json_schema(amount: &str) -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "required": ["id"], "properties": { "id": { "type": "string" }, "amount": { "type": amount } }
    })
}

fn avro_schema(name: &str) -> Value {
    json!({ "type": "record", "name": name, "namespace": "shop", "fields": [
        { "name": "id", "type": "string" }, { "name": "amount", "type": "long" },
        { "name": "note", "type": ["null", "string"], "default": null } ] })
}

fn proto_schema(package: &str) -> Value {
    json!(format!(
        "syntax = \"proto3\"; package {package}; message Order {{ string id = 1; int64 amount = 2; }}"
    ))
}

fn send(scene: &Scene, id: &str, amount: &str) -> http::Answer {
    scene.send(&scene.request(id, &event(id, amount)))
}

/// What every value in the wire format begins with.
fn prefix(id: u32) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..]].concat()
}

#[track_caller]
fn only(records: Vec<Record>) -> Record {
    let [record] = <[Record; 1]>::try_from(records).expect("one record");
    record
}

#[test]
fn json_is_the_signed_octets_behind_the_id() {
    let registry = Registry::shared();
    let scene = plan(registry, "format: json").start();
    let id = registry.register(&format!("{}-value", scene.topic), "JSON", &json_schema("integer"));
    send(&scene, "evt_1", "42").assert_received();
    let record = only(scene.records());
    assert_eq!(record.key, "evt_1");
    assert_eq!(record.value, [prefix(id), event("evt_1", "42")].concat());
    let url = format!("{}/schemas/ids/{id}", registry.url());
    assert_eq!(record.header("ce_dataschema"), Some(url.as_str()));
    assert_eq!(record.header("content-type"), Some("application/json"));
    let read = read_in_java(&scene.bootstrap, registry, &scene.topic, "json");
    assert_eq!(read[0].0, "evt_1");
    assert!(read[0].1.contains("42"), "{read:?}");
}

#[test]
fn avro_and_protobuf_are_read_by_the_registrys_own_deserialisers() {
    let registry = Registry::shared();
    for (format, kind, schema) in
        [("avro", "AVRO", avro_schema("Order")), ("protobuf", "PROTOBUF", proto_schema("shop"))]
    {
        let scene = plan(registry, &format!("format: {format}, raw_header: true")).start();
        let id = registry.register(&format!("{}-value", scene.topic), kind, &schema);
        send(&scene, "evt_1", "9007199254740993").assert_received();
        let record = only(scene.records());
        assert!(record.value.starts_with(&prefix(id)), "{record:?}");
        let sent = event("evt_1", "9007199254740993");
        assert_eq!(record.header("hookbridge_raw").map(str::as_bytes), Some(sent.as_slice()));
        assert_eq!(record.header("content-type"), Some(format!("application/{format}").as_str()));
        let read = read_in_java(&scene.bootstrap, registry, &scene.topic, format);
        assert_eq!(read[0].0, "evt_1");
        for part in ["evt_1", "9007199254740993"] {
            assert!(read[0].1.contains(part), "{read:?}");
        }
    }
}

#[test]
fn subjects_are_named_by_topic_or_record() {
    let registry = Registry::shared();
    let record = format!("shop.R{}", unique("r").replace('-', "_"));
    for (strategy, named) in
        [("record_name", record.clone()), ("topic_record_name", format!("{{topic}}-{record}"))]
    {
        let scene = plan(registry, &format!("format: avro, subject: {strategy}, record: {record}")).start();
        let name = record.trim_start_matches("shop.").to_owned();
        let id = registry.register(&named.replace("{topic}", &scene.topic), "AVRO", &avro_schema(&name));
        send(&scene, "evt_1", "1").assert_received();
        assert!(only(scene.records()).value.starts_with(&prefix(id)));
    }
}

#[test]
fn what_was_signed_can_have_a_topic_of_its_own() {
    let registry = Registry::shared();
    let plan = Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {} }}", registry.url()));
    let (topic, raw) = (format!("webhooks.{}", plan.name()), format!("{}.raw", plan.name()));
    let route = format!("{{ topic: {topic}, schema: {{ format: avro, raw_topic: {raw} }} }}");
    let scene = plan.topic(&raw).option(&format!("topics: {{ '*': {route} }}")).start();
    let id = registry.register(&format!("{topic}-value"), "AVRO", &avro_schema("Order"));
    send(&scene, "evt_1", "1").assert_received();
    assert!(only(scene.records()).value.starts_with(&prefix(id)));
    let twin = only(scene.records_of(&raw));
    assert_eq!((twin.key.as_str(), &twin.value), ("evt_1", &event("evt_1", "1")));
    assert!(scene.signer.verifies(&twin));
    let repeated = scene.bridge.metric("hookbridge_deliveries_repeated_total", &[]);
    assert_eq!(repeated, Some(0.0), "both are of one delivery");
}

#[test]
fn what_does_not_fit_is_a_dead_letter_with_the_place_of_the_fault() {
    let registry = Registry::shared();
    let scene = plan(registry, "format: json").start();
    registry.register(&format!("{}-value", scene.topic), "JSON", &json_schema("integer"));
    send(&scene, "evt_1", "\"much\"").assert_received();
    let dead = only(scene.dead_letters());
    assert_eq!((dead.key.as_str(), &dead.value), ("evt_1", &event("evt_1", "\"much\"")));
    assert_eq!(dead.header("hookbridge_reason"), Some("schema_mismatch"));
    assert_eq!(dead.header("hookbridge_fault_path"), Some("/amount"));
    assert_eq!(dead.header("hookbridge_topic"), Some(scene.topic.as_str()));
    assert_eq!(dead.header("hookbridge_source"), Some(scene.source.as_str()));
    assert_eq!(dead.header("ce_type"), Some(TYPE));
    assert!(!dead.header("hookbridge_detail").expect("a detail").contains("much"));
    assert!(scene.signer.verifies(&dead));
    assert_eq!(scene.bridge.metric("hookbridge_dead_letters_total", &["schema_mismatch"]), Some(1.0));
    // Those that fit go on.
    send(&scene, "evt_2", "1").assert_received();
    assert_eq!(only(scene.records()).key, "evt_2");
}

/// A record of an unknown schema would be worse than none.
#[test]
fn while_the_registry_is_away_what_is_known_goes_on_and_what_is_not_waits() {
    let mut registry = Registry::start();
    let plan =
        Plan::of("generic-hex").top(&format!("schema_registry: {{ url: {}, {REFRESH} }}", registry.url()));
    let (topic, other) = (format!("webhooks.{}", plan.name()), format!("{}.other", plan.name()));
    let route = |topic: &str| format!("{{ topic: {topic}, schema: {{ format: json }} }}");
    let topics = format!("topics: {{ {TYPE}: {}, other: {} }}", route(&topic), route(&other));
    let scene = plan.topic(&other).option(&topics).start();
    let known = registry.register(&format!("{topic}-value"), "JSON", &json_schema("integer"));
    send(&scene, "evt_1", "1").assert_received();

    registry.kill();
    for number in 2..20 {
        send(&scene, &format!("evt_{number}"), "1").assert_received();
    }
    let refused = scene.send(&scene.event_of("other", "evt_other"));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    scene.wait_for_refusal("registry_unavailable", &scene.source);
    assert_eq!(scene.bridge.readyz(), Some(200), "the other types are served");
    assert_eq!(scene.records_of(&other).len(), 0);

    registry.restart();
    let again = registry.register(&format!("{topic}-value"), "JSON", &json_schema("integer"));
    let fresh = registry.register(&format!("{other}-value"), "JSON", &json_schema("integer"));
    eventually(SOON, "the other type is taken without a restart", || {
        (scene.send(&scene.event_of("other", "evt_other")).status == 200).then_some(())
    });
    assert!(scene.records_of(&other)[0].value.starts_with(&prefix(fresh)));
    for record in scene.records() {
        let is_known = [known, again].iter().any(|id| record.value.starts_with(&prefix(*id)));
        assert!(is_known, "{record:?}");
    }
    assert_eq!(scene.records().len(), 19);
}

#[test]
fn a_subject_that_is_not_there_yet_heals() {
    let registry = Registry::shared();
    let scene = plan(registry, "format: json").start();
    assert_eq!(send(&scene, "evt_1", "1").status, 503);
    registry.register(&format!("{}-value", scene.topic), "JSON", &json_schema("integer"));
    eventually(SOON, "the event is taken", || (send(&scene, "evt_1", "1").status == 200).then_some(()));
    assert_eq!(scene.dead_letters().len(), 0);
}

#[test]
fn a_later_version_is_found_and_what_no_longer_fits_is_a_dead_letter() {
    let registry = Registry::shared();
    let scene = plan(registry, "format: json").start();
    let subject = format!("{}-value", scene.topic);
    let first = registry.register(&subject, "JSON", &json_schema("integer"));
    send(&scene, "evt_1", "1").assert_received();
    assert!(scene.records()[0].value.starts_with(&prefix(first)));
    // Numbers are more than integers: compatible.
    let second = registry.register(&subject, "JSON", &json_schema("number"));
    let newest = |id: u32| {
        eventually(SOON, "the later version is in use", || {
            send(&scene, "evt_2", "2").assert_received();
            scene.records().last().filter(|record| record.value.starts_with(&prefix(id))).map(|_| ())
        });
    };
    newest(second);
    send(&scene, "evt_3", "1.5").assert_received();
    assert_eq!(scene.dead_letters().len(), 0);
    // Forced in, although it is not.
    registry.set_compatibility(&subject, "NONE");
    registry.register(&subject, "JSON", &json_schema("string"));
    eventually(SOON, "what does not fit any more is a dead letter", || {
        send(&scene, "evt_4", "4").assert_received();
        scene
            .dead_letters()
            .last()
            .map(|dead| assert_eq!(dead.header("hookbridge_fault_path"), Some("/amount")))
    });
}

/// What does not fit the schema that was known before a pause may fit the one that there is now.
#[test]
fn after_a_pause_nothing_becomes_a_dead_letter_by_an_old_schema() {
    let registry = Registry::shared();
    let scene = plan(registry, "format: json").start();
    let subject = format!("{}-value", scene.topic);
    registry.register(&subject, "JSON", &json_schema("integer"));
    send(&scene, "evt_1", "1").assert_received();
    let asked = Instant::now();
    let second = registry.register(&subject, "JSON", &json_schema("number"));
    eventually(SOON, "the answer is old", || (asked.elapsed() > Duration::from_millis(1100)).then_some(()));
    send(&scene, "evt_2", "1.5").assert_received();
    assert_eq!(scene.dead_letters().len(), 0);
    assert!(scene.records().pop().expect("a record").value.starts_with(&prefix(second)));
}

/// Its ID may be another schema's by now.
#[test]
fn a_subject_that_the_registry_has_lost_is_not_used_on() {
    let registry = Registry::shared();
    let scene = plan(registry, "format: json").start();
    let subject = format!("{}-value", scene.topic);
    registry.register(&subject, "JSON", &json_schema("integer"));
    send(&scene, "evt_1", "1").assert_received();
    registry.delete(&subject);
    eventually(SOON, "the subject is missed", || (send(&scene, "evt_2", "2").status == 503).then_some(()));
    let again = registry.register(&subject, "JSON", &json_schema("integer"));
    eventually(SOON, "the subject is found", || (send(&scene, "evt_3", "3").status == 200).then_some(()));
    let last = scene.records().pop().expect("a record");
    assert!(last.key == "evt_3" && last.value.starts_with(&prefix(again)), "{last:?}");
}

#[test]
fn a_schema_of_another_kind_is_never_used() {
    let registry = Registry::shared();
    let scene = plan(registry, "format: avro").start();
    registry.register(&format!("{}-value", scene.topic), "JSON", &json_schema("integer"));
    assert_eq!(send(&scene, "evt_1", "1").status, 503);
    scene.wait_for_refusal("registry_unavailable", &scene.source);
    assert_eq!(scene.records().len(), 0);
}

/// A configuration with a file for its schema, and the commands that look at it.
struct Files {
    dir: tempfile::TempDir,
    subject: String,
}

impl Files {
    fn new(registry: &Registry) -> Files {
        let dir = tempfile::tempdir().expect("a directory");
        let topic = unique("orders");
        let schema = dir.path().join("order.json");
        let config = format!(
            "kafka: {{ bootstrap.servers: {} }}\nschema_registry: {{ url: {} }}\nsources:\n  shop:\n    \
             danger_accept_unsigned: true\n    topics:\n      '*': {{ topic: {topic}, schema: {{ format: json, file: {} }} }}\n",
            Kafka::shared().bootstrap(),
            registry.url(),
            schema.display()
        );
        fs::write(dir.path().join("hookbridge.yaml"), config).expect("write the configuration");
        Files { dir, subject: format!("{topic}-value") }
    }

    fn write(&self, schema: &Value) {
        fs::write(self.dir.path().join("order.json"), schema.to_string()).expect("write the schema");
    }

    fn run(&self, command: &str) -> Done {
        let file = self.dir.path().join("hookbridge.yaml");
        run_command(hookbridge().args(["schemas", command, "--config"]).arg(file))
    }
}

#[test]
fn schemas_are_checked_and_registered() {
    let registry = Registry::shared();
    let files = Files::new(registry);
    let done = files.run("check");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("can't be read"), "{done:?}");

    files.write(&json_schema("integer"));
    let done = files.run("check");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("new") && done.stdout.contains(&files.subject), "{done:?}");
    assert!(done.stdout.contains("hookbridge.yaml:7:"), "the line that needs it: {done:?}");

    let done = files.run("register");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("registered"), "{done:?}");
    for command in ["check", "register"] {
        let done = files.run(command);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.starts_with("ok ") && done.stdout.contains("version 1"), "{done:?}");
    }

    registry.set_compatibility(&files.subject, "BACKWARD");
    files.write(&json_schema("number"));
    let done = files.run("register");
    assert_eq!(done.code, 0, "{done:?}");
    files.write(&json_schema("integer"));
    let done = files.run("check");
    assert_eq!(done.code, 1, "it is there, and not what events must fit: {done:?}");
    assert!(
        done.stdout.contains("version 1)") && done.stdout.contains("the route uses version 2"),
        "{done:?}"
    );

    files.write(&json_schema("string"));
    for command in ["check", "register"] {
        let done = files.run(command);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("not compatible"), "{done:?}");
    }
    files.write(&json!({ "type": "no such type" }));
    let done = files.run("register");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("order.json: the JSON Schema schema can't be used"), "{done:?}");
}

/// The configuration of docs/schemas.md, with the schemas that are delivered.
#[test]
fn the_schemas_of_the_first_systems_are_registered_as_the_document_says() {
    let registry = Registry::shared();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/schemas.md")).expect("read the document");
    let shown =
        document.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    assert!(shown.contains("url: http://schema-registry:8081"), "{shown}");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("hookbridge.yaml");
    fs::write(&file, shown.replace("http://schema-registry:8081", &registry.url())).expect("write");
    let names = ["ALLFLY", "EVENTSAIR", "WRISTBAND", "PARTNER", "BILLING", "RESOURCES", "PROJECTS"];
    let run = |command: &str| {
        let mut hookbridge = hookbridge();
        hookbridge.args(["schemas", command, "--json", "--config"]).arg(&file).current_dir(root);
        for name in names {
            hookbridge.env(format!("{name}_SECRET"), "00112233445566778899aabbccddeeff");
        }
        let done = run_command(&mut hookbridge);
        let lines = done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        (done.code, lines.collect::<Vec<Value>>())
    };
    let subjects = |lines: &[Value]| -> Vec<String> {
        let mut subjects: Vec<_> = lines.iter().map(|line| line["subject"].to_string()).collect();
        subjects.sort();
        subjects
    };
    let (code, registered) = run("register");
    assert_eq!(code, 0, "{registered:?}");
    // One for each file of schemas/events/, but its README.
    assert_eq!(registered.len(), fs::read_dir(root.join("schemas/events")).expect("a directory").count() - 1);
    assert!(
        subjects(&registered).contains(&"\"hookbridge.events.AllFlyEvent\"".to_owned()),
        "{registered:?}"
    );
    let (code, checked) = run("check");
    assert_eq!(code, 0, "{checked:?}");
    assert_eq!(subjects(&checked), subjects(&registered));
    assert!(checked.iter().all(|line| line["state"] == "ok" && line["id"].is_u64()), "{checked:?}");
}

#[test]
fn a_configuration_that_can_not_work_is_refused() {
    for (registry, source, said) in [
        ("", "topics: { a: { topic: a, schema: { format: json } } }", "there is no schema registry"),
        ("url: http://x", "topics: { a: { topic: a, schema: {} } }", "`format` is missing"),
        ("url: http://x", "topics: { a: { topic: a, schema: { format: xml } } }", "format"),
        (
            "url: http://x",
            "topics: { a: { topic: a, schema: { format: avro, subject: record_name } } }",
            "`record` is missing",
        ),
        ("url: http://x", "topics: { a: { schema: { format: json } } }", "`topic` is missing"),
        (
            "url: http://x",
            "cloudevents: structured\n    topics: { a: { topic: a, schema: { format: json } } }",
            "exclude each other",
        ),
        ("url: http://user:pass@x", "path: /a", "must not hold credentials"),
        ("url: ftp://x", "path: /a", "no http or https URL"),
        ("username: a", "path: /a", "`url` is missing"),
        ("url: http://x, password: { env: HOME }", "path: /a", "`username` is missing"),
        ("url: http://x, refresh: 10ms", "path: /a", "must be 1s or more"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("hookbridge.yaml");
        let registry =
            if registry.is_empty() { String::new() } else { format!("schema_registry: {{ {registry} }}\n") };
        let config = format!(
            "kafka: {{ bootstrap.servers: x }}\n{registry}sources:\n  s:\n    danger_accept_unsigned: true\n    {source}\n"
        );
        fs::write(&file, config).expect("write the configuration");
        let done = run_command(hookbridge().args(["check", "--config"]).arg(&file));
        assert_eq!(done.code, 64, "{source}: {done:?}");
        assert!(done.stderr.contains(said), "{said}: {done:?}");
        assert!(!done.stderr.contains("user:pass"), "{done:?}");
    }
}
