//! Providers that post several events at once: each a record of its own (P3, P4), and a receipt only for all (P2).

use serde_json::Value;

use super::refusals::assert_refusal;
use super::support::provider::sha256_hex;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::topics::Record;
use super::support::unique;
use super::support::wait::{SOON, eventually};

/// A source whose bodies are lists, with ID and type in the element.
fn plan() -> Plan {
    Plan::of("generic-hex").option("split: \"\"")
}

fn element(id: &str, event_type: &str) -> String {
    format!(r#"{{"id":"{id}", "type" :"{event_type}"}}"#)
}

fn send(scene: &Scene, body: &str) {
    scene.send(&scene.request("", body.as_bytes())).assert_received();
}

fn keys(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.key.as_str()).collect()
}

fn values(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(&record.value).expect("UTF-8")).collect()
}

#[test]
fn each_element_is_a_record_with_its_exact_octets() {
    let scene = Plan::of("generic-hex").option("split: /events").start();
    let elements: Vec<String> = (0..50)
        .map(|n| {
            format!(r#"{{ "id":"evt_{n}","n":1.{n}e0,"type":"{TYPE}",{}"s":"\u00e9" }}"#, " \n".repeat(n % 3))
        })
        .collect();
    let body = format!("{{\"account\":\"a\",\"events\": [\n{}\t] }}", elements.join(" ,\n "));
    send(&scene, &body);
    let records = scene.records();
    assert_eq!(values(&records), elements);
    for (index, record) in records.iter().enumerate() {
        let id = format!("evt_{index}");
        assert_eq!((record.key.as_str(), record.header("ce_id")), (id.as_str(), Some(id.as_str())));
        assert_eq!(record.header("ce_type"), Some(TYPE));
        assert_eq!(record.header("content-type"), Some("application/json"));
        assert_eq!(record.header("hookbridge_batch"), Some(format!("{index}/50").as_str()));
        assert_eq!(record.header("hookbridge_unsigned"), None);
        // It signs the whole body: a consumer could do nothing with it.
        assert_eq!(record.header("x-webhook-signature"), None);
        assert_eq!(record.header("traceparent"), records[0].header("traceparent"));
        assert_eq!(record.timestamp_ms, records[0].timestamp_ms);
    }
    assert_eq!(scene.dead_letters().len(), 0);
    scene.bridge.wait_until_idle();
}

#[test]
fn a_retry_finds_every_key_and_partition_again() {
    let scene = plan().partitions(5).start();
    let nameless = |n: u32| format!(r#"{{"type":"{TYPE}","n":{n}}}"#);
    let elements = [element("a", TYPE), nameless(1), element("b", TYPE), nameless(2), nameless(1)];
    let body = format!("[{}]", elements.join(","));
    send(&scene, &body);
    let place = |records: Vec<Record>| {
        let mut places: Vec<_> =
            records.into_iter().map(|record| (record.key, record.partition, record.value)).collect();
        places.sort();
        places
    };
    let first = place(scene.records());
    send(&scene, &body);
    let both = place(scene.records());
    assert_eq!(both.iter().step_by(2).cloned().collect::<Vec<_>>(), first);
    assert_eq!(both.iter().skip(1).step_by(2).cloned().collect::<Vec<_>>(), first);
    let mut expected: Vec<String> = vec!["a".into(), "b".into()];
    // Those that are equal have one key: they are the same event.
    expected.extend([1, 2, 1].map(|n| sha256_hex(nameless(n).as_bytes())));
    expected.sort();
    assert_eq!(first.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn an_id_of_the_request_is_told_apart_by_the_index() {
    let scene = Plan::of("svix").option("split: \"\"").start();
    let body = format!(r#"[{{"type":"{TYPE}"}},{{"type":"{TYPE}"}}]"#);
    for _ in 0..2 {
        scene.send(&scene.request("msg_1", body.as_bytes())).assert_received();
    }
    let records = scene.records();
    assert_eq!(keys(&records), ["msg_1/0", "msg_1/1", "msg_1/0", "msg_1/1"]);
    assert!(records.iter().all(|record| record.header("ce_id") == Some(record.key.as_str())));
    assert!(records.iter().all(|record| record.header("hookbridge_unsigned").is_none()));
}

#[test]
fn one_bad_element_does_not_stop_the_others() {
    let scene = plan().start();
    let bad: [&[u8]; 4] = [
        br#"{"id":"evt_bad"}"#,
        br#"{"id":"evt_1","type":"a","type":"b"}"#,
        b"17",
        b"{\"id\":\"evt_\xff\",\"type\":\"a\"}",
    ];
    let mut body = format!("[{}", element("evt_first", TYPE)).into_bytes();
    for element in bad {
        body.push(b',');
        body.extend_from_slice(element);
    }
    body.extend_from_slice(format!(",{}]", element("evt_last", TYPE)).as_bytes());
    scene.send(&scene.request("", &body)).assert_received();
    assert_eq!(keys(&scene.records()), ["evt_first", "evt_last"]);
    let dead = scene.dead_letters();
    assert_eq!(dead.iter().map(|record| &record.value[..]).collect::<Vec<_>>(), bad);
    let reasons: Vec<_> = dead.iter().map(|record| record.header("hookbridge_reason").unwrap()).collect();
    assert_eq!(reasons, ["missing_event_type", "unreadable_body", "missing_event_type", "unreadable_body"]);
    let hashes = bad.map(sha256_hex);
    assert_eq!(keys(&dead), ["evt_bad", &hashes[1], &hashes[2], &hashes[3]]);
    assert_eq!(dead[0].header("hookbridge_batch"), Some("1/6"));
    assert_eq!(
        scene.bridge.metric("hookbridge_dead_letters_total", &["error_type=\"unreadable_body\""]),
        Some(2.0)
    );
}

#[test]
fn what_is_no_batch_is_one_dead_letter() {
    let scene = Plan::of("generic-hex").option("split: /events").start();
    let many = format!(r#"{{"events":[{}0]}}"#, "0,".repeat(10_000));
    let bodies = [
        (r#"{"id":"evt_1","type":"a"}"#, "not_a_batch"),
        (r#"{"events":{"id":"evt_1","type":"a"}}"#, "not_a_batch"),
        ("[]", "not_a_batch"),
        ("no JSON", "unreadable_body"),
        (r#"{"events":[],"events":[{"id":"evt_1","type":"a"}]}"#, "unreadable_body"),
        (many.as_str(), "too_many_elements"),
    ];
    for (body, _) in bodies {
        send(&scene, body);
    }
    let dead = scene.dead_letters();
    assert_eq!(values(&dead), bodies.map(|(body, _)| body));
    for (record, (body, reason)) in dead.iter().zip(bodies) {
        assert_eq!(record.header("hookbridge_reason"), Some(reason), "{body}");
        assert_eq!(record.key, sha256_hex(body.as_bytes()));
        assert_eq!(record.header("hookbridge_batch"), None);
        // It is the whole body, so it can be verified again.
        assert!(scene.signer.verifies(record), "{record:?}");
    }
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn the_largest_batch_fits_into_the_queue_of_a_small_bridge() {
    let scene = plan().server("max_in_flight_requests: 2").option("respond_within: 14s").start();
    let elements: Vec<String> = (0..10_000).map(|n| format!(r#"{{"id":"{n}","type":"{TYPE}"}}"#)).collect();
    send(&scene, &format!("[{}]", elements.join(",")));
    let records = scene.records();
    assert!(values(&records) == elements, "{} records", records.len());
    // All of them have one permit between them.
    scene.bridge.wait_until_idle();
}

#[test]
fn a_batch_for_which_there_can_never_be_room_is_a_dead_letter() {
    // Room for 512 elements.
    let scene = plan().server("max_in_flight_bytes: 1MiB").option("max_body_bytes: 64KiB").start();
    let body = |count| format!("[{}]", vec!["{}"; count].join(","));
    send(&scene, &body(600));
    let dead = scene.dead_letters();
    assert_eq!(values(&dead), [body(600)]);
    assert_eq!(dead[0].header("hookbridge_reason"), Some("too_many_elements"));
    send(&scene, &body(400));
    assert_eq!(scene.dead_letters().len(), 401);
    scene.bridge.wait_until_idle();
}

#[test]
fn a_batch_for_which_there_is_no_room_now_is_to_be_sent_again() {
    // Room for 512 elements.
    let scene = plan()
        .server("max_in_flight_bytes: 1MiB")
        .option("max_body_bytes: 800KiB")
        .option("respond_within: 14s")
        .start();
    let batch = format!("[{}]", vec!["{}"; 400].join(","));
    let batch = scene.request("", batch.as_bytes());
    let large = format!("[{}]", " ".repeat(700 * 1024));
    let held = scene.hold(&scene.request("", large.as_bytes()));
    eventually(SOON, "the body is in memory", || {
        (scene.bridge.metric("hookbridge_in_flight_body_bytes", &[])? >= 700.0 * 1024.0).then_some(())
    });
    assert_refusal(&scene.send(&batch), 503, "unavailable");
    scene.wait_for_refusal("overloaded", &scene.source);
    held.release();
    scene.bridge.wait_until_idle();
    assert_eq!(scene.dead_letters().len(), 0);
    scene.send(&batch).assert_received();
    assert_eq!(scene.dead_letters().len(), 400);
}

#[test]
fn an_empty_batch_is_received_and_nothing_lands() {
    let scene = plan().start();
    for body in ["[]", " [ \n ] "] {
        send(&scene, body);
    }
    assert_eq!(scene.bridge.metric("hookbridge_batches_empty_total", &[]), Some(2.0));
    let forged = scene.request("", b"[]").with("x-webhook-signature", &"0".repeat(64));
    assert_eq!(scene.send(&forged).status, 401);
    assert_eq!((scene.records().len(), scene.dead_letters().len()), (0, 0));
    send(&scene, &format!("[{}]", element("evt_1", TYPE)));
    let records = scene.records();
    assert_eq!(keys(&records), ["evt_1"]);
    // One element is a batch all the same.
    assert_eq!(records[0].header("hookbridge_batch"), Some("0/1"));
    scene.bridge.wait_until_idle();
}

#[test]
fn there_is_no_receipt_until_every_topic_has_its_record() {
    let missing = unique("missing");
    // librdkafka looks for a topic for 5 s.
    let scene =
        plan().option(&format!("topics: {{ missing: {missing} }}")).option("respond_within: 14s").start();
    let body = ["evt_1", "evt_2", "evt_3"]
        .map(|id| element(id, if id == "evt_2" { "missing" } else { TYPE }))
        .join(",");
    let body = format!("[{body}]");
    assert_refusal(&scene.send(&scene.request("", body.as_bytes())), 503, "unavailable");
    scene.wait_for_refusal("topic_unavailable", &scene.source);
    scene.bridge.wait_until_idle();
    // The provider sends the whole again, and once the topic is there all of it is received.
    super::support::topics::create(&scene.bootstrap, &missing, 1, &[]);
    let mut refused = 1;
    eventually(SOON, "the topic is found", || {
        let answer = scene.send(&scene.request("", body.as_bytes()));
        refused += usize::from(answer.status == 503);
        (answer.status == 200).then_some(())
    });
    assert_eq!(keys(&scene.records_of(&missing)), ["evt_2"]);
    // The others had been on their way each time: at least once, with the same keys.
    let records = scene.records();
    let mut distinct = keys(&records);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct, ["evt_1", "evt_3"]);
    assert!(records.len() <= 2 * (refused + 1), "{} records", records.len());
}

#[test]
fn a_record_that_is_refused_for_good_does_not_hide_one_that_may_yet_be_taken() {
    let missing = unique("missing");
    let scene = plan()
        .topic_config("max.message.bytes", "2000")
        .option("respond_within: 14s")
        .option(&format!("topics: {{ missing: {missing} }}"))
        .start();
    let large = format!(r#"{{"id":"evt_large","type":"{TYPE}","x":"{}"}}"#, "x".repeat(4000));
    let body = format!("[{large},{},{}]", element("evt_1", TYPE), element("evt_2", "missing"));
    assert_refusal(&scene.send(&scene.request("", body.as_bytes())), 503, "unavailable");
    let body = format!("[{large},{}]", element("evt_1", TYPE));
    assert_refusal(&scene.send(&scene.request("", body.as_bytes())), 413, "record_too_large");
    scene.wait_for_refusal("record_too_large", &scene.source);
    assert!(keys(&scene.records()).iter().all(|key| *key == "evt_1"));
    scene.bridge.wait_until_idle();
}

#[test]
fn a_dropped_type_drops_its_element_alone() {
    let other = unique("other");
    let scene = plan()
        .topic(&other)
        .option(&format!("topics: {{ noise: {{ drop: true }}, other: {other} }}"))
        .option("unmapped: drop")
        .start();
    let batch = |types: &[&str]| {
        let elements: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(n, event_type)| element(&format!("evt_{n}"), event_type))
            .collect();
        format!("[{}]", elements.join(","))
    };
    send(&scene, &batch(&["noise", "other", "unmapped", "other"]));
    send(&scene, &batch(&["noise", "unmapped"]));
    let records = scene.records_of(&other);
    assert_eq!(keys(&records), ["evt_1", "evt_3"]);
    assert_eq!(records[1].header("hookbridge_batch"), Some("3/4"));
    assert_eq!(scene.bridge.metric("hookbridge_events_dropped_total", &[]), Some(4.0));
    assert_eq!((scene.records().len(), scene.dead_letters().len()), (0, 0));
}

#[test]
fn an_unroutable_element_refuses_the_whole_before_anything_is_produced() {
    let mapped = unique("mapped");
    let scene = plan()
        .topic(&mapped)
        .option(&format!("topics: {{ mapped: {mapped} }}"))
        .option("unmapped: reject")
        .start();
    let body = format!("[{},{},{{}}]", element("evt_1", "mapped"), element("evt_2", "unmapped"));
    assert_refusal(&scene.send(&scene.request("", body.as_bytes())), 400, "unroutable");
    scene.wait_for_refusal("unroutable", &scene.source);
    // What comes after it is all there is: both topics have one partition.
    send(&scene, &format!("[{},{{\"id\":\"evt_4\"}}]", element("evt_3", "mapped")));
    assert_eq!(keys(&scene.records_of(&mapped)), ["evt_3"]);
    assert_eq!(keys(&scene.dead_letters()), ["evt_4"]);
    scene.bridge.wait_until_idle();
}

#[test]
fn the_key_can_be_the_hash_of_the_element_and_the_type_can_stand_in_the_envelope() {
    let name = unique("envelope");
    let plan = Plan::of("generic-hex").source(
        &name,
        "{ provider: { extends: generic-hex, event_type: { json: /object, of: body } }, split: /entry, \
           key: body_sha256, namespace: n, secrets: [{ env: HOOKBRIDGE_TEST_SECRET }] }",
    );
    let topic = format!("webhooks.{name}");
    let scene = plan.topic(&topic).start();
    let body = br#"{"object":"page","entry":[{"id":"1"}, {"id":"2"}]}"#;
    let request = scene.signer.request(&format!("/webhooks/{name}"), "", body);
    scene.send(&request).assert_received();
    let records = scene.records_of(&topic);
    assert_eq!(values(&records), [r#"{"id":"1"}"#, r#"{"id":"2"}"#]);
    for record in &records {
        assert_eq!(record.key, format!("n:{}", sha256_hex(&record.value)));
        assert_eq!(record.header("ce_type"), Some("page"));
        let json: Value = serde_json::from_slice(&record.value).expect("JSON");
        assert_eq!(record.header("ce_id"), json["id"].as_str());
    }
}

#[test]
fn query_form_and_joined_places_are_read() {
    let name = unique("form");
    let plan = Plan::of("generic-hex").source(
        &name,
        "{ provider: { extends: generic-hex, event_type: { query: kind }, \
           message_id: [{ join: [{ form: Account }, { form: Sid }], with: '-' }, { json: /id }] }, \
           secrets: [{ env: HOOKBRIDGE_TEST_SECRET }] }",
    );
    let topic = format!("webhooks.{name}");
    let scene = plan.topic(&topic).start();
    let path = format!("/webhooks/{name}?kind=message%20sent&x=%FF");
    let form = b"Account=AC%31&Sid=SM+1&Body=hello%21";
    let request =
        scene.signer.request(&path, "", form).with("content-type", "application/x-www-form-urlencoded");
    scene.send(&request).assert_received();
    scene.send(&scene.signer.request(&path, "", br#"{"id":"evt_1"}"#)).assert_received();
    let records = scene.records_of(&topic);
    assert_eq!(keys(&records), ["AC1-SM 1", "evt_1"]);
    assert_eq!(records[0].value, form);
    for record in &records {
        assert_eq!(record.header("ce_type"), Some("message sent"));
        assert_eq!(record.header("hookbridge_unsigned"), Some("event_type"));
        assert!(scene.signer.verifies(record), "{record:?}");
    }
}
