//! The integration tests: the real executable at a real Kafka. A table of contents.

mod support;

mod admin;
mod batches;
mod broker_loss;
mod cloudevents;
mod commands;
mod consumers_go;
mod consumers_pyspark;
mod consumers_python;
mod consumers_rust;
mod dead_letters;
mod delivery;
mod dev;
mod encoded_bodies;
mod examples;
mod explain;
mod explain_refusals;
mod handshakes;
mod hostile_http;
mod injected_faults;
mod kafka_refusals;
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
mod tidy;
mod vectors;
mod witnesses;
