//! The slot on librdkafka's mock cluster, which can be told to fail as a real broker seldom does.

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
        mock.create_topic("events", 4, 1).unwrap();
        let mut properties = Properties::default();
        properties.insert("bootstrap.servers", mock.bootstrap_servers());
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

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_what_is_enqueued() {
    let bench = Bench::new();
    eventually("readiness", || bench.slot.health().is_ready()).await;
    bench.mock.broker_round_trip_time(1, Duration::from_millis(200)).unwrap();
    let delivery = bench.send().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    assert_eq!(tokio::task::block_in_place(|| bench.slot.shut_down(deadline)), 0);
    delivery.report().await.unwrap();
}
