//! hookbridge receives webhooks, verifies their signatures and publishes every event, keyed by its message ID,
//! to Kafka topics chosen by event type, with an idempotent producer. It keeps no state.
//!
//! The modules, in reading order:
//!
//! - [`pipeline`]: the path of a request, a file for each station, all of them on one screen.
//! - [`signature`]: is a request genuine? Pure.
//! - [`json`], [`instant`], [`expression`] and [`topic`]: reading a value out of a body, a time, where a value stands, and the mapping from event types to topics. Pure.
//! - [`handshake`]: requests by which a provider sees who is there, and their answers. Pure.
//! - [`batch`]: the elements of a body that holds several events. Pure.
//! - [`budget`]: what may be in memory at once; [`allowance`]: how much of it for what is not genuine.
//! - [`kafka`]: the producer, what a request waits for, and how it heals.
//! - [`config`]: from a YAML file to values that can't be wrong.
//! - [`app`]: the running service as one value; [`server`]: listeners, health and the end of the process.
//! - [`reload`]: the configuration, read again while the service runs.
//! - [`explain`]: why a captured request would be refused. Pure.
//! - [`asyncapi`]: every topic and what is in it, as a document.
//! - [`telemetry`]: metrics and logs. [`cli`]: the commands.
//!
//! Two invariants hold the promises. Only [`pipeline::verify`] makes a [`pipeline::Verified`], and nothing
//! else reaches a mapped topic (what else it makes has topics of its own, and only if that is configured). Only
//! [`pipeline::produce`] makes a [`pipeline::Acknowledged`], and a 2xx has one behind it, or a configured drop, a batch
//! without an event, or a handshake ([`pipeline::handshake`]) that brought none.
//!
//! The library exists for the executable, its tests and its benchmarks; its API promises nothing to others.

pub mod allowance;
pub mod app;
pub mod asyncapi;
pub mod batch;
pub mod budget;
pub mod cli;
pub mod config;
pub mod explain;
pub mod expression;
pub mod handshake;
pub mod instant;
pub mod json;
pub mod kafka;
pub mod keys;
pub mod pipeline;
pub mod preflight;
pub mod registry;
pub mod reload;
pub mod schema;
pub mod server;
pub mod signature;
pub mod telemetry;
pub mod topic;
