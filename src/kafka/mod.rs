//! The Kafka side: librdkafka's producer, made safe to wait for and able to heal.
//!
//! `properties` turns configuration into a client; `context` is where librdkafka calls back; `delivery` is
//! what a request waits for; `failure` is the one table of what can go wrong; `health` knows whether Kafka
//! can be reached; `slot` holds the producer, and `supervisor` replaces it when it dies or loses every broker
//! from its sight; `embedded` is the broker of `hookbridge dev`.

pub mod context;
pub mod delivery;
pub mod embedded;
pub mod failure;
pub mod health;
pub mod properties;
pub mod slot;
mod supervisor;
