//! Failures that a healthy Kafka does not have, injected by librdkafka's mock cluster.
//!
//! No promise is proven on a mock: here is only what the service makes of an error code.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::refusals::assert_refusal;
use super::support::scene::{Plan, Scene};
use super::support::wait::{SOON, eventually};

type Mock = MockCluster<'static, DefaultProducerContext>;

fn scene_at(plan: Plan) -> (Mock, Scene) {
    let mock = Mock::new(1).expect("a mock cluster");
    for topic in [format!("webhooks.{}", plan.name()), plan.dead_letter()] {
        mock.create_topic(&topic, 1, 1).expect("a topic");
    }
    let scene = plan.at(&mock.bootstrap_servers()).without_topic().start();
    (mock, scene)
}

fn keys(scene: &Scene) -> Vec<String> {
    scene.records().into_iter().map(|record| record.key).collect()
}

#[test]
fn delivery_failed() {
    let (mock, scene) = scene_at(Plan::of("svix").kafka("retries: 1"));
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    mock.request_errors(RDKafkaApiKey::Produce, &[error; 2]);
    assert_refusal(&scene.send(&scene.event("msg_1")), 503, "unavailable");
    scene.wait_for_refusal("delivery_failed", &scene.source);
    scene.bridge.wait_until_idle();
    scene.send(&scene.event("msg_2")).assert_received();
    assert_eq!(keys(&scene), ["msg_2"]);
    drop(scene);
}

#[test]
fn producer_dead_and_the_next_one() {
    let (mock, scene) = scene_at(Plan::of("svix"));
    scene.send(&scene.event("msg_1")).assert_received();
    assert_eq!(scene.bridge.metric("hookbridge_producer_generation", &[]), Some(1.0));
    // What a broker says that has lost the end of its log: an idempotent producer can't go on.
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    mock.request_errors(RDKafkaApiKey::Produce, &[error]);
    assert_refusal(&scene.send(&scene.event("msg_2")), 503, "unavailable");
    scene.wait_for_refusal("producer_dead", &scene.source);
    // The next one takes its place, without a restart.
    eventually(SOON, "the next producer", || {
        (scene.bridge.metric("hookbridge_producer_generation", &[]) == Some(2.0)).then_some(())
    });
    scene.bridge.wait_until_ready();
    scene.send(&scene.event("msg_3")).assert_received();
    assert_eq!(keys(&scene), ["msg_1", "msg_3"]);
    scene.bridge.wait_until_idle();
    drop(scene);
}

#[test]
fn topic_unavailable_when_it_may_not_be_written() {
    let (mock, scene) = scene_at(Plan::of("svix"));
    mock.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED],
    );
    assert_refusal(&scene.send(&scene.event("msg_1")), 503, "unavailable");
    scene.wait_for_refusal("topic_unavailable", &scene.source);
    scene.bridge.wait_until_idle();
    drop(scene);
}
