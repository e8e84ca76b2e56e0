//! The schema registry, as the path asks it: without waiting, wherever it can.
//!
//! Takes a subject. Gives the schema that is registered there, compiled, with its ID. Each subject is asked for once,
//! by a task of its own, whoever goes away meanwhile; from then on it is known, and while the registry is away it stays so.
//! The latest version is asked for again now and then, behind everybody's back. What can't be had is `Unavailable`, for a
//! moment, so that a flood of events is no flood of questions.
//!
//! Takes part of nothing else: what a schema makes of an event is [`crate::schema`]'s.

mod client;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

pub use client::{Client, ClientError, Found};

use crate::config::{RegistryConfig, RouteSchema};
use crate::schema::Compiled;
use crate::telemetry::metrics::Metrics;
use crate::topic::TopicName;

/// So many subjects are known at once. Each is some kilobytes; mappings have as many as they have topics.
const MAX_SUBJECTS: usize = 10_000;

/// The texts of all schemas that are known, in octets; compiled they take several times as much.
const MAX_OCTETS: usize = 16 * 1024 * 1024;

/// What could not be had is not asked for again for so long.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A schema in the registry, ready for use.
#[derive(Debug)]
pub struct Schema {
    /// Its ID, which records have.
    pub id: u32,
    /// Its version in the subject, if the registry says.
    pub version: Option<u32>,
    /// Where it can be read: the registry's URL for its ID.
    pub url: String,
    /// What validates and encodes.
    pub compiled: Arc<Compiled>,
    /// The length of the texts that it was compiled from, in octets.
    octets: usize,
    /// What it was compiled from.
    digest: [u8; 32],
    asked: Instant,
}

/// Why a schema can't be had now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema of `{subject}` can't be had: {why}")]
pub struct Unavailable {
    subject: String,
    why: String,
}

/// What is known of one subject.
#[derive(Debug, Default)]
struct Entry {
    known: ArcSwap<Known>,
    /// Held by whoever asks.
    asking: Mutex<()>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    schema: Option<Arc<Schema>>,
    /// When it could not be had last, and why.
    failed: Option<(Instant, String)>,
}

impl Known {
    fn failed_lately(&self) -> Option<&str> {
        self.failed.as_ref().filter(|(at, _)| at.elapsed() < ASK_AGAIN_AFTER).map(|(_, why)| why.as_str())
    }
}

/// What makes two routes have one schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    subject: String,
    version: Option<u32>,
    kind: crate::schema::Kind,
    message: Option<String>,
}

impl Name {
    fn of(route: &RouteSchema, topic: &TopicName) -> Self {
        Self {
            subject: route.subject(topic),
            version: route.version,
            kind: route.kind,
            message: route.record.clone(),
        }
    }
}

/// Why a schema was not had.
struct Fault {
    why: String,
    /// The registry answers, and has no such subject.
    is_missing: bool,
}

impl Fault {
    fn of(why: String) -> Self {
        Self { why, is_missing: false }
    }
}

/// The registry.
#[derive(Debug)]
pub struct Registry {
    client: Client,
    refresh: Duration,
    timeout: Duration,
    entries: RwLock<HashMap<Name, Arc<Entry>>>,
    metrics: Arc<Metrics>,
}

impl Registry {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The certificates can't be used.
    pub fn new(config: &RegistryConfig, metrics: Arc<Metrics>) -> Result<Arc<Self>, ClientError> {
        Ok(Arc::new(Self {
            client: Client::new(config)?,
            refresh: config.refresh,
            timeout: config.timeout,
            entries: RwLock::default(),
            metrics,
        }))
    }

    /// The schema for the values of `topic`. Waits only if it is not known yet, and until `deadline` at most.
    ///
    /// # Errors
    /// The registry does not answer, has no such subject, or what it has can't be used.
    pub async fn schema(
        self: &Arc<Self>,
        route: &RouteSchema,
        topic: &TopicName,
        deadline: Instant,
    ) -> Result<Arc<Schema>, Unavailable> {
        let name = Name::of(route, topic);
        let unavailable = |why: String| Unavailable { subject: name.subject.clone(), why };
        let entry = self.entry(&name).ok_or_else(|| {
            unavailable(format!("{MAX_SUBJECTS} subjects are known, and there is no room for more"))
        })?;
        let known = entry.known.load();
        if let Some(schema) = &known.schema {
            if self.is_old(route, schema) && known.failed_lately().is_none() {
                self.refresh_aside(&entry, &name);
            }
            return Ok(Arc::clone(schema));
        }
        if let Some(why) = known.failed_lately() {
            return Err(unavailable(why.to_owned()));
        }
        drop(known);
        // A task of its own: whoever goes away must not leave the others waiting for nothing.
        let (registry, asked) = (Arc::clone(self), name.clone());
        let asking = tokio::spawn(async move { registry.ask_once(&entry, &asked).await });
        match tokio::time::timeout_at(deadline.into(), asking).await {
            Ok(Ok(found)) => found.map_err(unavailable),
            Ok(Err(_)) => Err(unavailable("the question broke off".to_owned())),
            Err(_) => Err(unavailable("the registry has not answered in time".to_owned())),
        }
    }

    /// Whether there may be a later version, which nobody has asked for of late.
    #[must_use]
    pub fn is_old(&self, route: &RouteSchema, schema: &Schema) -> bool {
        route.version.is_none() && schema.asked.elapsed() >= self.refresh
    }

    /// The schema as the registry has it now, asked for until `deadline` at most; the one that is known, if it can't be had.
    pub async fn renewed(
        self: &Arc<Self>,
        route: &RouteSchema,
        topic: &TopicName,
        known: Arc<Schema>,
        deadline: Instant,
    ) -> Arc<Schema> {
        let name = Name::of(route, topic);
        let Some(entry) = self.entry(&name) else { return known };
        let registry = Arc::clone(self);
        let asking = tokio::spawn(async move { registry.ask_if_old(&entry, &name).await });
        match tokio::time::timeout_at(deadline.into(), asking).await {
            Ok(Ok(Some(schema))) => schema,
            _ => known,
        }
    }

    fn entry(&self, name: &Name) -> Option<Arc<Entry>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(name) {
            return Some(Arc::clone(entry));
        }
        drop(entries);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_SUBJECTS && !entries.contains_key(name) {
            // Subjects that nobody has registered must not keep out those that somebody has.
            entries.retain(|_, entry| {
                let known = entry.known.load();
                known.schema.is_some() || known.failed.is_none() || known.failed_lately().is_some()
            });
            if entries.len() >= MAX_SUBJECTS {
                return None;
            }
        }
        Some(Arc::clone(entries.entry(name.clone()).or_default()))
    }

    /// Asks, unless somebody else has meanwhile.
    async fn ask_once(&self, entry: &Entry, name: &Name) -> Result<Arc<Schema>, String> {
        let _asking = entry.asking.lock().await;
        let known = entry.known.load_full();
        match (&known.schema, known.failed_lately()) {
            (Some(schema), _) => Ok(Arc::clone(schema)),
            (None, Some(why)) => Err(why.to_owned()),
            (None, None) => self.ask(entry, name).await,
        }
    }

    /// Asks for the latest version again, while the one that is known goes on being used.
    fn refresh_aside(self: &Arc<Self>, entry: &Arc<Entry>, name: &Name) {
        // Somebody is asking: a flood of events needs no task each.
        if entry.asking.try_lock().is_err() {
            return;
        }
        let (registry, entry, name) = (Arc::clone(self), Arc::clone(entry), name.clone());
        tokio::spawn(async move { registry.ask_if_old(&entry, &name).await });
    }

    /// Asks, unless somebody else has meanwhile, or it has just failed. What goes wrong is noted and logged.
    async fn ask_if_old(&self, entry: &Entry, name: &Name) -> Option<Arc<Schema>> {
        let _asking = entry.asking.lock().await;
        let known = entry.known.load_full();
        match &known.schema {
            Some(schema) if schema.asked.elapsed() < self.refresh => Some(Arc::clone(schema)),
            _ if known.failed_lately().is_some() => None,
            _ => self.ask(entry, name).await.ok(),
        }
    }

    async fn ask(&self, entry: &Entry, name: &Name) -> Result<Arc<Schema>, String> {
        let known = entry.known.load_full();
        let found = tokio::time::timeout(self.timeout, self.find(name, known.schema.as_deref())).await;
        let found = found.unwrap_or_else(|_| {
            Err(Fault::of(format!("the registry did not answer within {:?}", self.timeout)))
        });
        let found = found.and_then(|schema| {
            self.has_room_for(&schema, known.schema.as_deref()).map_err(Fault::of)?;
            Ok(schema)
        });
        match found {
            Ok(schema) => {
                self.metrics.registry_asked(true);
                let schema = Arc::new(schema);
                if known.schema.as_ref().is_none_or(|before| before.id != schema.id) {
                    let (id, version) = (schema.id, schema.version);
                    tracing::info!(subject = name.subject, id, version, "schema in use");
                }
                entry.known.store(Arc::new(Known { schema: Some(Arc::clone(&schema)), failed: None }));
                Ok(schema)
            }
            Err(Fault { why, is_missing }) => {
                self.metrics.registry_asked(false);
                // A registry that has lost the subject may give its ID to another schema.
                let schema = known.schema.clone().filter(|_| !is_missing);
                let goes_on = schema.is_some();
                tracing::warn!(
                    subject = name.subject,
                    reason = why,
                    goes_on,
                    "the schema registry does not give a schema that can be used"
                );
                let failed = Some((Instant::now(), why.clone()));
                entry.known.store(Arc::new(Known { schema, failed }));
                Err(why)
            }
        }
    }

    /// All schemas that are known have room together.
    fn has_room_for(&self, schema: &Schema, before: Option<&Schema>) -> Result<(), String> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let known =
            entries.values().filter_map(|entry| entry.known.load().schema.as_ref().map(|known| known.octets));
        let others = known.sum::<usize>().saturating_sub(before.map_or(0, |before| before.octets));
        match others + schema.octets > MAX_OCTETS {
            true => {
                Err(format!("the schemas that are known have {others} octets, and there is no room for more"))
            }
            false => Ok(()),
        }
    }

    async fn find(&self, name: &Name, known: Option<&Schema>) -> Result<Schema, Fault> {
        let found = self
            .client
            .find(&name.subject, name.version)
            .await
            .map_err(|error| Fault { why: error.to_string(), is_missing: error == ClientError::Missing })?;
        if found.kind != Some(name.kind) {
            let kind = found.kind.map_or_else(|| "of a kind of its own".to_owned(), |kind| kind.to_string());
            return Err(Fault::of(format!("the registry's schema is {kind}, and the route's {}", name.kind)));
        }
        let (id, version, digest) = (found.id, found.version, digest(&found));
        let octets =
            found.text.len() + found.references.iter().map(|reference| reference.text.len()).sum::<usize>();
        let compiled = match known {
            // Not by its ID: a registry that has lost everything begins to count anew.
            Some(known) if known.digest == digest => Arc::clone(&known.compiled),
            _ => compile(name, found).await.map_err(Fault::of)?,
        };
        let url = self.client.url_of(id);
        Ok(Schema { id, version, url, compiled, octets, digest, asked: Instant::now() })
    }
}

/// Not on a thread that serves requests: a large schema takes a while.
async fn compile(name: &Name, found: Found) -> Result<Arc<Compiled>, String> {
    let (kind, message) = (name.kind, name.message.clone());
    let compiling = tokio::task::spawn_blocking(move || {
        Compiled::compile(kind, &found.text, &found.references, message.as_deref())
    });
    match compiling.await {
        Ok(compiled) => compiled.map(Arc::new).map_err(|error| error.to_string()),
        Err(_) => Err(format!("the {kind} schema can't be used: its compiler broke off")),
    }
}

/// What a schema is compiled from, as one number.
fn digest(found: &Found) -> [u8; 32] {
    let mut hash = Sha256::new();
    let parts = found.references.iter().flat_map(|reference| [&reference.name, &reference.text]);
    for part in std::iter::once(&found.text).chain(parts) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
