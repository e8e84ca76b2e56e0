//! The harness: a real Kafka, the real executable, an HTTP client that sends exactly what it is told, and
//! signers that share nothing with `src/`.

pub(crate) mod asyncapi;
pub(crate) mod balancer;
pub(crate) mod bridge;
pub(crate) mod captured;
pub(crate) mod collector;
pub(crate) mod command;
pub(crate) mod consumers;
pub(crate) mod duplicates;
pub(crate) mod hostile;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod ledgers;
pub(crate) mod metrics;
pub(crate) mod murmur2;
pub(crate) mod provider;
pub(crate) mod registry;
pub(crate) mod scene;
pub(crate) mod secure_kafka;
pub(crate) mod stub_registry;
pub(crate) mod token_issuer;
pub(crate) mod topics;
pub(crate) mod volume;
pub(crate) mod wait;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A name that no other test, and no earlier run against the same broker, has: for sources and topics.
pub(crate) fn unique(prefix: &str) -> String {
    static RUN: LazyLock<u64> = LazyLock::new(|| unix_millis() << 8 | u64::from(std::process::id() & 0xff));
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{prefix}-{:x}-{}", *RUN, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// This machine's clock.
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_millis()).expect("a clock before the end of time")
}
