//! What the service says of itself: metrics and logs.

mod at_zero;
pub(crate) mod clusters;
mod configuration;
pub(crate) mod kafka;
pub(crate) mod limits;
pub mod logs;
pub mod metrics;
pub(crate) mod offered;
mod process;
pub(crate) mod repeats;
pub(crate) mod sources;
