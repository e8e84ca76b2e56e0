//! A plain consumer of hookbridge's topics: each message once, verified again, offsets committed after the work.
//!
//! Takes records, and optionally hookbridge's own configuration file, by whose sources and secrets it verifies them
//! again. Gives a line of JSON for each message, in a file for each partition. What a message means is left to you:
//! [`Ledger::add`] stands where your work would.
//!
//! It may end at any moment. A record whose offset was not committed comes again, and its key is known by then: the line
//! and the memory of it are the same write.

mod ledger;
mod verify;

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::json;

use ledger::Ledger;
use verify::{Verdict, Verifier, header};

/// Records that are worked off before the disk and the broker are asked to remember it.
const BATCH_RECORDS: usize = 500;
/// How long a batch is waited for.
const BATCH_FOR: Duration = Duration::from_millis(200);

/// Reads hookbridge's topics, each message once.
#[derive(Debug, Parser)]
struct Arguments {
    /// Kafka's addresses.
    #[arg(long, default_value = "localhost:9092")]
    bootstrap: String,
    /// The consumer group.
    #[arg(long, default_value = "example-rust")]
    group: String,
    /// This instance's name in the group: if it is restarted, it has its partitions back at once.
    #[arg(long)]
    instance: Option<String>,
    /// The topics, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    topics: Vec<String>,
    /// The directory for the results.
    #[arg(long)]
    results: PathBuf,
    /// How many messages of each partition are remembered.
    #[arg(long, default_value_t = 1_000_000)]
    remember: usize,
    /// hookbridge's configuration: every record is verified again with its sources' secrets.
    #[arg(long)]
    config: Option<PathBuf>,
    /// More of librdkafka's properties, as name=value.
    #[arg(long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,
}

/// Notes that partitions come or go.
#[derive(Debug, Default)]
struct Moves(AtomicBool);

impl ClientContext for Moves {}

impl ConsumerContext for Moves {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let verifier = arguments.config.as_deref().map(Verifier::load).transpose()?;
    std::fs::create_dir_all(&arguments.results)
        .map_err(|error| format!("create {}: {error}", arguments.results.display()))?;
    let consumer = subscribe(&arguments)?;
    let end = end_on_signal();
    let mut ledgers = HashMap::new();
    while !end.load(Ordering::Relaxed) {
        let mut batch = next_batch(&consumer)?;
        if consumer.context().0.swap(false, Ordering::Relaxed) {
            // Partitions have moved. Records of those that are gone are not worked off: who has them now reads them from the
            // last commit on. Others may have written to the files meanwhile, so these are read anew.
            ledgers.clear();
            let ours = consumer.assignment()?;
            batch.retain(|record| ours.find_partition(record.topic(), record.partition()).is_some());
        }
        work_off(&arguments, verifier.as_ref(), &mut ledgers, &batch)?;
        commit(&consumer, &batch)?;
    }
    Ok(())
}

fn subscribe(arguments: &Arguments) -> Result<BaseConsumer<Moves>, Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &arguments.bootstrap)
        .set("group.id", &arguments.group)
        // Offsets are committed by `commit`, after the work, and by nothing else.
        .set("enable.auto.commit", "false")
        // A new group begins with what is there, instead of leaving it out.
        .set("auto.offset.reset", "earliest");
    if let Some(instance) = &arguments.instance {
        config.set("group.instance.id", instance);
    }
    for property in &arguments.properties {
        let (name, value) = property.split_once('=').ok_or_else(|| format!("no `=` in {property:?}"))?;
        config.set(name, value);
    }
    let consumer: BaseConsumer<Moves> = config.create_with_context(Moves::default())?;
    let topics: Vec<&str> = arguments.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics)?;
    Ok(consumer)
}

/// SIGTERM and SIGINT end the consumer after the batch that is under way.
fn end_on_signal() -> Arc<AtomicBool> {
    let end = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&end);
    thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            set.store(true, Ordering::Relaxed);
        });
    });
    end
}

/// What comes within [`BATCH_FOR`]. librdkafka repairs what can be repaired by itself; what it says meanwhile is only shown.
fn next_batch(consumer: &BaseConsumer<Moves>) -> Result<Vec<OwnedMessage>, KafkaError> {
    let until = Instant::now() + BATCH_FOR;
    let mut batch = Vec::new();
    while batch.len() < BATCH_RECORDS && !consumer.context().0.load(Ordering::Relaxed) {
        match consumer.poll(until.saturating_duration_since(Instant::now())) {
            None => break,
            Some(Ok(message)) => batch.push(message.detach()),
            Some(Err(error)) => {
                if let Some((_, why)) = consumer.client().fatal_error() {
                    eprintln!("the consumer can't go on: {why}");
                    return Err(error);
                }
                eprintln!("reading: {error}");
            }
        }
    }
    Ok(batch)
}

type Ledgers = HashMap<(String, i32), Ledger>;

/// Works off what is new, and returns once it is on the disk.
fn work_off(
    arguments: &Arguments,
    verifier: Option<&Verifier>,
    ledgers: &mut Ledgers,
    batch: &[OwnedMessage],
) -> Result<(), Box<dyn Error>> {
    for record in batch {
        let place = (record.topic().to_owned(), record.partition());
        if !ledgers.contains_key(&place) {
            let file = arguments.results.join(format!("{}-{}.jsonl", place.0, place.1));
            let ledger = Ledger::open(&file, arguments.remember)
                .map_err(|error| format!("open {}: {error}", file.display()))?;
            ledgers.insert(place.clone(), ledger);
        }
        let Some(ledger) = ledgers.get_mut(&place) else { continue };
        let at = format!("{}/{}@{}", place.0, place.1, record.offset());
        let Some(key) = record.key().and_then(|key| std::str::from_utf8(key).ok()) else {
            eprintln!("refused {at}: no key, so it is not hookbridge's");
            continue;
        };
        // Before the dedupe: a record that is not genuine must not pass for the genuine one.
        let verdict = verifier.map_or(Verdict::Unchecked("no configuration"), |by| by.judge(record));
        let (verified, unchecked) = match verdict {
            Verdict::Genuine(name) => (Some(name), None),
            Verdict::Unchecked(why) => (None, Some(why)),
            Verdict::Refused(why) => {
                eprintln!("refused {at}, key {key}: {why}");
                continue;
            }
        };
        ledger.add(&json!({
            "key": key,
            "source": header(record, "hookbridge_source"),
            "type": header(record, "ce_type"),
            "time": header(record, "ce_time"),
            "unsigned": header(record, "hookbridge_unsigned"),
            "verified_by": verified.as_deref(),
            "not_verified_again": unchecked,
            "octets": record.payload().map_or(0, <[u8]>::len),
            "at": at,
        }))?;
    }
    for ledger in ledgers.values_mut() {
        ledger.sync()?;
    }
    Ok(())
}

/// Tells Kafka that the batch is done. If that fails, the batch comes again, and is known.
fn commit(consumer: &BaseConsumer<Moves>, batch: &[OwnedMessage]) -> Result<(), KafkaError> {
    let mut next = TopicPartitionList::new();
    for record in batch {
        let (topic, offset) = (record.topic(), Offset::Offset(record.offset() + 1));
        // Records of a partition come in their order: the last one stands.
        match next.find_partition(topic, record.partition()) {
            Some(mut partition) => partition.set_offset(offset)?,
            None => next.add_partition_offset(topic, record.partition(), offset)?,
        }
    }
    if next.count() > 0
        && let Err(error) = consumer.commit(&next, CommitMode::Sync)
    {
        eprintln!("committing: {error}");
    }
    Ok(())
}
