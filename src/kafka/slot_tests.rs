//! The slot on librdkafka's mock cluster, which can be told to fail as a real broker seldom does.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::budget::Budget;
use crate::kafka::properties::Properties;

struct Bench {
    mock: MockCluster<'static, DefaultProducerContext>,
    slot: ProducerSlot,
    budget: Arc<Budget>,
}

impl Bench {
    fn new() -> Self {
        Self::on(MockCluster::new(1).unwrap())
    }

    fn on(mock: MockCluster<'static, DefaultProducerContext>) -> Self {
        let servers = mock.bootstrap_servers();
        Self::by(mock, &servers, &[])
    }

    fn by(
        mock: MockCluster<'static, DefaultProducerContext>,
        servers: &str,
        others: &[(&str, &str)],
    ) -> Self {
        mock.create_topic("events", 4, 1).unwrap();
        let mut properties = Properties::default();
        properties.insert("bootstrap.servers", servers.to_owned());
        for (name, value) in others {
            properties.insert(name, (*value).to_owned());
        }
        let config = properties.producer_config(100, 1 << 20, 1 << 10);
        let probe = TopicName::parse("events").unwrap();
        let slot = ProducerSlot::start(config, probe, Metrics::new().unwrap()).unwrap();
        Self { mock, slot, budget: Budget::new(100, 1 << 20) }
    }

    fn send(&self) -> Result<Arc<Delivery>, Failure> {
        let topic = TopicName::parse("events").unwrap();
        let delivery = Arc::new(Delivery::new(topic, Arc::new(self.budget.admit().unwrap())));
        let headers = OwnedHeaders::new();
        let record = Outgoing { topic: "events", key: b"k", value: b"v", timestamp_ms: 1, headers };
        self.slot.send(record, Arc::clone(&delivery)).map(|()| delivery)
    }

    async fn deliver(&self) -> Result<(), Failure> {
        let delivery = self.send()?;
        tokio::time::timeout(Duration::from_secs(30), delivery.report()).await.unwrap()
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_dies_is_replaced_and_deliveries_go_on() {
    let mock = MockCluster::new(1).unwrap();
    // An idempotent producer that may not have an id is dead for good, whatever the broker says later.
    mock.request_errors(
        RDKafkaApiKey::InitProducerId,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED],
    );
    let bench = Bench::on(mock);
    eventually("the second generation", || bench.slot.generation() == 2).await;
    eventually("readiness", || bench.slot.health().is_ready()).await;
    bench.deliver().await.unwrap();
    eventually("the permit's return", || bench.budget.requests() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_returns_with_the_report_also_if_nobody_waits() {
    let bench = Bench::new();
    bench.mock.broker_round_trip_time(1, Duration::from_millis(300)).unwrap();
    let delivery = bench.send().unwrap();
    drop(delivery);
    assert_eq!(bench.budget.requests(), 1);
    eventually("the permit's return", || bench.budget.requests() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_broker() {
    let bench = Bench::new();
    assert!(!bench.slot.health().is_ready());
    eventually("readiness", || bench.slot.health().is_ready()).await;
    bench.mock.broker_down(1).unwrap();
    eventually("unreadiness", || !bench.slot.health().is_ready()).await;
    bench.mock.broker_up(1).unwrap();
    eventually("readiness again", || bench.slot.health().is_ready()).await;
}

/// The budget is half the queue, so a service never sees this; the backstop must refuse all the same, and at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once() {
    let mut properties = Properties::default();
    properties.insert("bootstrap.servers", "127.0.0.1:1".to_owned());
    let mut config = properties.producer_config(100, 1 << 20, 1 << 10);
    config.set("queue.buffering.max.messages", "1");
    let probe = TopicName::parse("events").unwrap();
    let slot = ProducerSlot::start(config, probe, Metrics::new().unwrap()).unwrap();
    let bench = Bench { mock: MockCluster::new(1).unwrap(), slot, budget: Budget::new(100, 1 << 20) };
    let first = bench.send().unwrap();
    assert_eq!(bench.send().err(), Some(Failure::QueueFull));
    // What was not enqueued holds no room.
    assert_eq!(bench.budget.requests(), 1);
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_what_is_enqueued() {
    let bench = Bench::new();
    eventually("readiness", || bench.slot.health().is_ready()).await;
    bench.mock.broker_round_trip_time(1, Duration::from_millis(200)).unwrap();
    let delivery = bench.send().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    tokio::task::block_in_place(|| bench.slot.shut_down(deadline));
    delivery.report().await.unwrap();
}

/// Takes the first connection and never says a word; passes every later one on to `to`.
fn deaf_once(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut deaf = None;
        for client in listener.incoming() {
            let client = client.unwrap();
            if deaf.is_none() {
                deaf = Some(client);
                continue;
            }
            let broker = TcpStream::connect(&to).unwrap();
            let (from_client, to_broker) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
            std::thread::spawn(move || copy(from_client, to_broker));
            std::thread::spawn(move || copy(broker, client));
        }
    });
    address
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    // It ends when either side does.
    let _ = std::io::copy(&mut from, &mut to);
}

/// A producer that no longer finds Kafka, although Kafka is there: here, because its one connection is deaf and it
/// would wait five minutes for a word. In the field, because librdkafka had taken every broker out of service.
#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_has_lost_kafka_is_replaced_by_one_that_finds_it() {
    let mock = MockCluster::new(1).unwrap();
    let deaf = deaf_once(mock.bootstrap_servers());
    let patient = [
        ("api.version.request.timeout.ms", "300000"),
        ("socket.timeout.ms", "300000"),
        ("socket.connection.setup.timeout.ms", "300000"),
    ];
    let bench = Bench::by(mock, &deaf, &patient);
    let given_up = bench.send().unwrap();
    eventually("the second generation", || bench.slot.generation() == 2).await;
    // Its sender has long been told to try again; its end is known, and its room is free.
    assert_eq!(given_up.report().await, Err(Failure::Fatal));
    drop(given_up);
    eventually("readiness", || bench.slot.health().is_ready()).await;
    bench.deliver().await.unwrap();
    eventually("the permits' return", || bench.budget.requests() == 0).await;
}
