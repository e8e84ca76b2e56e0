//! The broker of `hookbridge dev`: librdkafka's own mock cluster, in this process.
//!
//! It speaks Kafka's protocol, keeps everything in memory and ends with the process. It is for trying out: no
//! promise is proven on it, and Java clients do not understand it. `hookbridge dev --brokers` uses a real one.

use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::topic::TopicName;

/// Partitions of each topic, so that keys can be seen to spread.
const PARTITIONS: i32 = 4;

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

    /// Creates a topic.
    ///
    /// # Errors
    /// It is there already.
    pub fn create_topic(&self, topic: &TopicName) -> KafkaResult<()> {
        self.cluster.create_topic(topic.as_str(), PARTITIONS, 1)
    }
}
