//! What the service says of itself: metrics and logs.

pub(crate) mod clusters;
mod configuration;
pub mod logs;
pub mod metrics;
pub(crate) mod offered;
