//! What the service says of itself: metrics, logs and traces.

mod at_zero;
pub(crate) mod clusters;
mod configuration;
pub(crate) mod current;
pub(crate) mod kafka;
pub(crate) mod limits;
pub mod logs;
pub mod metrics;
pub(crate) mod offered;
pub mod otlp;
mod process;
pub(crate) mod repeats;
pub(crate) mod sources;
pub mod trace;
pub(crate) mod w3c;
