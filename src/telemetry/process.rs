//! The instruments of the process: what it takes of the machine, how long it runs, and which version it is.
//!
//! Takes what Linux says in `/proc/self`; elsewhere there are version and uptime alone. Names are those of
//! OpenTelemetry's semantic conventions for processes.

use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

/// Reports the process whenever it is asked for.
pub(super) fn observe(meter: &Meter) {
    // Metrics are set up first of all, within milliseconds of the process's start.
    let started = Instant::now();
    meter
        .f64_observable_gauge("process.uptime")
        .with_description("How long the process runs")
        .with_unit("s")
        .with_callback(move |observer| observer.observe(started.elapsed().as_secs_f64(), &[]))
        .build();
    meter
        .u64_observable_gauge("hookbridge.build.info")
        .with_description("Always 1; the label says which version runs")
        .with_callback(|observer| observer.observe(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]))
        .build();
    #[cfg(target_os = "linux")]
    linux::observe(meter);
}

#[cfg(target_os = "linux")]
mod linux {
    use opentelemetry::metrics::Meter;
    use procfs::process::{Process, Stat};

    /// What can't be read is absent.
    fn stat() -> Option<Stat> {
        Process::myself().ok()?.stat().ok()
    }

    pub(super) fn observe(meter: &Meter) {
        meter
            .f64_observable_counter("process.cpu.time")
            .with_description("Time on the processor, of the process and the system on its behalf")
            .with_unit("s")
            .with_callback(|observer| {
                if let Some(stat) = stat() {
                    let ticks = (stat.utime + stat.stime) as f64;
                    observer.observe(ticks / procfs::ticks_per_second() as f64, &[]);
                }
            })
            .build();
        meter
            .i64_observable_up_down_counter("process.memory.usage")
            .with_description("Resident memory")
            .with_unit("By")
            .with_callback(|observer| {
                let resident = stat().and_then(|stat| (stat.rss * procfs::page_size()).try_into().ok());
                if let Some(resident) = resident {
                    observer.observe(resident, &[]);
                }
            })
            .build();
        meter
            .i64_observable_up_down_counter("process.thread.count")
            .with_description("Threads")
            .with_unit("{thread}")
            .with_callback(|observer| {
                if let Some(stat) = stat() {
                    observer.observe(stat.num_threads, &[]);
                }
            })
            .build();
        meter
            .i64_observable_up_down_counter("process.unix.file_descriptor.count")
            .with_description("Open file descriptors")
            .with_unit("{file_descriptor}")
            .with_callback(|observer| {
                let count = Process::myself().and_then(|process| process.fd_count()).ok();
                if let Some(count) = count.and_then(|count| count.try_into().ok()) {
                    observer.observe(count, &[]);
                }
            })
            .build();
    }
}
