//! Which request a thread is working for: its trace, for the lines of the log.
//!
//! Takes the IDs of a request's trace, for as long as something of it is done. Gives them to whoever writes a line
//! meanwhile, on the same thread. Costs a few loads and stores, and no memory.

use opentelemetry::trace::{SpanId, TraceId};

/// The place of something within a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    /// The trace.
    pub(crate) trace: TraceId,
    /// The span in it.
    pub(crate) span: SpanId,
    /// Whether somebody is to record it.
    pub(crate) sampled: bool,
}

tokio::task_local! {
    static CURRENT: Ids;
}

/// Those of the request that this thread is working for, if it is for one.
pub(crate) fn ids() -> Option<Ids> {
    CURRENT.try_with(|ids| *ids).ok()
}

/// Works for the request with these IDs, in a task that may change threads.
pub(crate) fn within<F: Future>(ids: Ids, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(ids, work)
}

/// Works for the request with these IDs, if there are any, here and now.
pub(crate) fn during<T>(ids: Option<Ids>, work: impl FnOnce() -> T) -> T {
    match ids {
        Some(ids) => CURRENT.sync_scope(ids, work),
        None => work(),
    }
}
