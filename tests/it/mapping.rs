//! Which topic an event goes to, and which go nowhere.

use super::support::provider::sha256_hex;
use super::support::scene::{Plan, Scene, TYPE};
use super::support::unique;

/// Sends an event of each type. The ID is the type.
fn send_each(scene: &Scene, event_types: &[&str]) {
    for event_type in event_types {
        scene.send(&scene.event_of(event_type, event_type)).assert_received();
    }
}

fn keys(scene: &Scene, topic: &str) -> Vec<String> {
    let mut keys: Vec<_> = scene.records_of(topic).into_iter().map(|record| record.key).collect();
    keys.sort();
    keys
}

#[test]
fn exact_names_then_the_most_specific_glob_then_the_rest() {
    let name = unique("map");
    let topics = ["exact", "glob", "tail", "rest"].map(|part| format!("{name}.{part}"));
    let [exact, glob, tail, rest] = &topics;
    let mut plan = Plan::of("generic-hex");
    for topic in &topics {
        plan = plan.topic(topic);
    }
    let scene = plan
        // Not in the order in which they are tried.
        .option(&format!(
            "topics: {{ '*': {rest}, 'order.*': {glob}, order.paid: {exact}, 'order.*.late': {tail}, \
             'order.noise': {{ drop: true }}, 'debug.*': {{ drop: true }} }}"
        ))
        .start();
    send_each(
        &scene,
        &[
            "order.paid",
            "order.paid.late",
            "order.",
            "order.x",
            "order",
            "Order.paid",
            "other",
            "order.noise",
        ],
    );
    send_each(&scene, &["debug.x", "debug.", "debugger"]);
    assert_eq!(keys(&scene, exact), ["order.paid"]);
    assert_eq!(keys(&scene, tail), ["order.paid.late"]);
    assert_eq!(keys(&scene, glob), ["order.", "order.x"]);
    assert_eq!(keys(&scene, rest), ["Order.paid", "debugger", "order", "other"]);
    // `*` leaves nothing for the default.
    scene.send(&scene.request("", b"no JSON")).assert_received();
    assert_eq!(scene.records().len(), 0);
    assert_eq!(scene.dead_letters().len(), 1);
}

#[test]
fn a_template_names_a_legal_topic_for_each_type() {
    let plan = Plan::of("svix");
    let name = plan.name().to_owned();
    let strange = "user créé/ß";
    let hash = &sha256_hex(strange.as_bytes())[..12];
    let plain = format!("tpl.{name}.user.created");
    let altered = format!("tpl.{name}.user_cr____-{hash}");
    let scene = plan.topic(&plain).topic(&altered).option("topics: { '*': 'tpl.{source}.{type}' }").start();
    for (id, event_type) in [("msg_1", "user.created"), ("msg_2", strange), ("msg_3", "user.created")] {
        scene.send(&scene.event_of(event_type, id)).assert_received();
    }
    assert_eq!(keys(&scene, &plain), ["msg_1", "msg_3"]);
    assert_eq!(keys(&scene, &altered), ["msg_2"]);
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn what_nothing_names_goes_to_the_topic_of_the_source() {
    let topic = unique("paid");
    let scene =
        Plan::of("generic-sha256").topic(&topic).option(&format!("topics: {{ paid: {topic} }}")).start();
    send_each(&scene, &["paid", "nobody.thought.of.this"]);
    assert_eq!(keys(&scene, &topic), ["paid"]);
    assert_eq!(keys(&scene, &scene.topic), ["nobody.thought.of.this"]);
}

#[test]
fn unmapped_events_can_be_dropped() {
    let plan = Plan::of("generic-hex").option("unmapped: drop");
    let mapped = format!("topics: {{ {TYPE}: webhooks.{} }}", plan.name());
    let scene = plan.option(&mapped).start();
    send_each(&scene, &["unmapped", "test", "test.happened.not"]);
    scene.assert_nothing_else_landed();
    scene.bridge.wait_until_idle();
}

#[test]
fn dropped_events_are_received_and_land_nowhere() {
    let scene = Plan::of("generic-hex")
        .option("topics: { noise: { drop: true }, '*.noise': { drop: true } }")
        .start();
    send_each(&scene, &["noise", "much.noise"]);
    // But only genuine ones are received.
    let forged = scene.event_of("noise", "x").with("x-webhook-signature", &"0".repeat(64));
    assert_eq!(scene.send(&forged).status, 401);
    scene.assert_nothing_else_landed();
}
