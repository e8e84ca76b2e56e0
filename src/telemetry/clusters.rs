//! The instruments of the Kafka clusters: which is in use, how often that has changed, how many producers there were.
//!
//! Takes what `kafka` says. Gives gauges and a counter to [`super::metrics`]. Where there is one cluster only the
//! generation is reported, without a label.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use crate::kafka::clusters::Cluster;

/// The label that names one of two clusters.
pub(super) fn of_cluster(cluster: Cluster) -> KeyValue {
    KeyValue::new("hookbridge.cluster", cluster.name())
}

/// What is known of the clusters. 0 is a generation that never was.
#[derive(Debug)]
pub(crate) struct ClusterMetrics {
    alone: Arc<AtomicU64>,
    of_two: [(Cluster, Arc<AtomicU64>); 2],
    active: Arc<AtomicU64>,
    failovers: Counter<u64>,
}

/// Stands for no cluster in [`ClusterMetrics::active`].
const NONE: u64 = 0;

fn number(cluster: Cluster) -> u64 {
    match cluster {
        Cluster::Primary => 1,
        Cluster::Standby => 2,
    }
}

impl ClusterMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let this = Self {
            alone: Arc::default(),
            of_two: [Cluster::Primary, Cluster::Standby].map(|cluster| (cluster, Arc::default())),
            active: Arc::new(AtomicU64::new(NONE)),
            failovers: meter
                .u64_counter("hookbridge.kafka.failovers")
                .with_description("Switches between the two Kafka clusters, by the one that took over")
                .build(),
        };
        let (alone, of_two) = (Arc::clone(&this.alone), this.of_two.clone());
        meter
            .u64_observable_gauge("hookbridge.producer.generation")
            .with_description(
                "Kafka producers since the start; above 1 one has died, lost every broker from its sight, or been \
                 replaced since its certificates had changed",
            )
            .with_callback(move |observer| {
                let of_two = of_two.iter().map(|(cluster, generation)| (generation, Some(*cluster)));
                for (generation, cluster) in std::iter::once((&alone, None)).chain(of_two) {
                    let generation = generation.load(Ordering::Relaxed);
                    let labels: Vec<KeyValue> = cluster.map(of_cluster).into_iter().collect();
                    if generation != 0 {
                        observer.observe(generation, &labels);
                    }
                }
            })
            .build();
        let active = Arc::clone(&this.active);
        meter
            .u64_observable_gauge("hookbridge.kafka.active_cluster")
            .with_description("1 for the Kafka cluster that takes the records, 0 for the other")
            .with_callback(move |observer| {
                let active = active.load(Ordering::Relaxed);
                if active != NONE {
                    for cluster in [Cluster::Primary, Cluster::Standby] {
                        observer.observe(u64::from(active == number(cluster)), &[of_cluster(cluster)]);
                    }
                }
            })
            .build();
        this
    }

    /// So many producers there have been.
    pub(super) fn generation(&self, generation: u64, cluster: Option<Cluster>) {
        let of_two = self.of_two.iter().find(|(other, _)| Some(*other) == cluster);
        of_two.map_or(&self.alone, |(_, generation)| generation).store(generation, Ordering::Relaxed);
    }

    /// There are two clusters, and this one takes the records.
    pub(crate) fn active(&self, cluster: Cluster) {
        self.active.store(number(cluster), Ordering::Relaxed);
        for cluster in [Cluster::Primary, Cluster::Standby] {
            self.failovers.add(0, &[of_cluster(cluster)]);
        }
    }

    /// This one takes the records from now on.
    pub(crate) fn switched(&self, to: Cluster) {
        self.active(to);
        self.failovers.add(1, &[of_cluster(to)]);
    }
}
