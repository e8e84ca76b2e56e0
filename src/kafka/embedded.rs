//! The broker of `hookbridge dev`: librdkafka's own mock cluster, in this process.
//!
//! It speaks Kafka's protocol, keeps everything in memory and ends with the process. It is for trying out: no
//! promise is proven on it, and Java clients do not understand it. `hookbridge dev --brokers` uses a real one.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// A running broker; dropping it ends it.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts one broker on a free loopback port.
    ///
    /// # Errors
    /// librdkafka can't start it.
    pub fn start() -> KafkaResult<Self> {
        Ok(Self { cluster: MockCluster::new(1)? })
    }

    /// Its address.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Has `reader`'s topics created, of four partitions each, when it first asks for them. librdkafka's own call for it
    /// (`rd_kafka_mock_topic_create`) can miss its wake-up if there is another one straight before it, and then takes up
    /// to a second.
    pub fn create_what_is_read(&self, reader: &mut ClientConfig) {
        reader.set("allow.auto.create.topics", "true");
    }
}
