//! The instruments of what is limited: requests and octets under way, and connections, each beside its limit.
//!
//! Takes the budget, and what the listener says of connections. Gives gauges and a counter to [`super::metrics`].

use std::sync::Arc;

use opentelemetry::metrics::{Counter, Meter, UpDownCounter};

use super::metrics::counter;
use crate::budget::Budget;

/// Reports what is taken of `budget`, its limits, that of connections, and whether Kafka is `ready`, whenever they are
/// asked for.
pub(super) fn observe(
    meter: &Meter,
    budget: &Arc<Budget>,
    max_connections: usize,
    ready: impl Fn() -> bool + Send + Sync + 'static,
) {
    let gauge = |name, unit, description, value: Box<dyn Fn() -> usize + Send + Sync>| {
        let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(description);
        gauge.with_callback(move |observer| observer.observe(value() as u64, &[])).build();
    };
    let of = |value: fn(&Budget) -> usize| {
        let budget = Arc::clone(budget);
        Box::new(move || value(&budget))
    };
    gauge(
        "hookbridge.in_flight.requests",
        "",
        "Requests under way, up to the last delivery report of their records",
        of(Budget::requests),
    );
    gauge(
        "hookbridge.in_flight.requests.limit",
        "",
        "Requests that may be under way: server.max_in_flight_requests",
        of(Budget::max_requests),
    );
    gauge(
        "hookbridge.in_flight.body",
        "By",
        "Octets of request bodies in memory, with what the records of batches take beside",
        of(Budget::bytes),
    );
    gauge(
        "hookbridge.in_flight.body.limit",
        "By",
        "Octets of request bodies that may be in memory: server.max_in_flight_bytes",
        of(Budget::max_bytes),
    );
    gauge(
        "hookbridge.connections.limit",
        "",
        "Connections that may be open: server.max_connections",
        Box::new(move || max_connections),
    );
    gauge("hookbridge.ready", "", "1 if /readyz says so", Box::new(move || usize::from(ready())));
}

/// The connections of the public listener.
#[derive(Debug)]
pub(crate) struct Connections {
    open: UpDownCounter<i64>,
    refused: Counter<u64>,
}

impl Connections {
    pub(super) fn new(meter: &Meter) -> Self {
        let open = meter.i64_up_down_counter("hookbridge.connections");
        let open = open.with_description("Connections that are open at the public listener").build();
        let description = "Connections closed at once, since as many were open as may be";
        let refused = counter(meter, "hookbridge.connections.refused", description);
        open.add(0, &[]);
        refused.add(0, &[]);
        Self { open, refused }
    }

    /// A connection is open until what is given is dropped.
    pub(crate) fn opened(&self) -> Open {
        self.open.add(1, &[]);
        Open(self.open.clone())
    }

    /// A connection has found no room.
    pub(crate) fn refused(&self) {
        self.refused.add(1, &[]);
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Open(UpDownCounter<i64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}
