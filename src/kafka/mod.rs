//! The Kafka side: librdkafka's producer, made safe to wait for and able to heal.
//!
//! `properties` turns configuration into a client; `context` is where librdkafka calls back, and `statistics` what it
//! reports on itself; `delivery` is
//! what a request waits for; `failure` is the one table of what can go wrong; `health` knows whether Kafka
//! can be reached, and `trouble` says in words why not; `slot` holds the producer, and `supervisor` replaces it when it
//! dies, loses every broker from its sight, or has `certificates` that have changed; `clusters` is the place of one or
//! two such slots, and `switching` decides which of them takes the records; `embedded` is the broker of `hookbridge dev`.

mod certificates;
pub mod clusters;
pub mod context;
pub mod delivery;
pub mod embedded;
pub mod failure;
pub mod health;
pub mod properties;
pub mod slot;
pub(crate) mod statistics;
mod supervisor;
mod switching;
pub mod trouble;
