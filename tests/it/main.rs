//! The integration tests: the real executable at a real Kafka. A table of contents.

mod support;

mod admin;
mod batches;
mod broker_loss;
mod commands;
mod dead_letters;
mod delivery;
mod dev;
mod examples;
mod explain;
mod explain_refusals;
mod handshakes;
mod hostile_http;
mod injected_faults;
mod kafka_refusals;
mod kafka_security;
mod keys;
mod limits;
mod load;
mod mapping;
mod providers;
mod quarantine;
mod refusals;
mod reload;
mod shadow;
mod shutdown;
mod slow_clients;
mod standby;
mod tidy;
mod vectors;
mod witnesses;
