//! Is everything there that the configuration needs?
//!
//! Takes what a configuration needs ([`Needs`]), and asks the cluster, the schema registry and the certificates. Gives [`Fault`]s, each with the
//! lines that need what is wrong, and the [`Change`]s that would put topics right. `hookbridge topics` and
//! `check --live` print them; `serve` logs them, and goes on: what is wrong here may be right in a minute, and events
//! for other topics can be taken meanwhile.
//!
//! `facts` asks, `judge` decides and is pure, `apply` changes; `rights`, `certificates`, `registry` look at the rest.

pub mod apply;
mod certificates;
pub mod facts;
pub mod judge;
mod registry;
mod rights;
pub mod watch;

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::config::topics::{Need, TopicSpec};
use crate::config::{Config, RegistryConfig, RouteSchema};
use crate::kafka::properties::Properties;
use crate::topic::TopicName;

/// One question to the cluster or the registry may take so long.
pub const ASK_WITHIN: Duration = Duration::from_secs(10);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Events can't be taken.
    Error,
    /// They can, and should be safer; or it could not be seen.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for machines: such as `topic_missing`.
    pub kind: &'static str,
    /// Which topic, subject or file.
    pub subject: String,
    /// What it is, for people.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The lines that need it.
    pub needs: Vec<Need>,
}

impl Fault {
    fn new(
        severity: Severity,
        kind: &'static str,
        subject: impl Into<String>,
        (message, hint): (String, &str),
        needs: &[Need],
    ) -> Self {
        Self {
            severity,
            kind,
            subject: subject.into(),
            message,
            hint: hint.to_owned(),
            needs: needs.to_vec(),
        }
    }

    /// For machines.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let needs: Vec<Value> =
            self.needs.iter().map(|need| json!({ "path": need.path, "line": need.at.line })).collect();
        json!({
            "severity": self.severity.to_string(), "kind": self.kind, "subject": self.subject,
            "message": self.message, "hint": self.hint, "needed_by": needs,
        })
    }

    /// For people, with the configuration's file.
    #[must_use]
    pub fn describe(&self, file: &str) -> String {
        let mut text =
            format!("{}: {}: {}\n  hint: {}", self.severity, self.subject, self.message, self.hint);
        for need in &self.needs {
            text.push_str(&format!(
                "\n  needed by {file}:{}:{}: {}",
                need.at.line, need.at.column, need.path
            ));
        }
        text
    }
}

/// What a configuration needs of the world.
#[derive(Debug, Clone)]
pub struct Needs {
    /// librdkafka's properties.
    pub kafka: Properties,
    /// Those of the second cluster, if there is one.
    pub standby: Option<Properties>,
    /// Each topic, how it should be, and who needs it.
    pub topics: Vec<(TopicName, TopicSpec, Vec<Need>)>,
    /// The schema registry, and each schema with its topic.
    pub registry: Option<RegistryConfig>,
    /// The schemas of routes to topics whose names are known.
    pub schemas: Vec<(TopicName, RouteSchema)>,
    /// Whether `serve` creates topics.
    pub create_missing: bool,
}

impl Needs {
    /// What `config` needs.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        use crate::topic::{Pattern, Target};
        let topics = config.needed_topics().into_iter().map(|(topic, needs)| {
            let spec = config.topics.spec(&topic);
            (topic, spec, needs)
        });
        let targets = config.sources.iter().flat_map(|source| source.topics.entries());
        let schemas = targets.filter_map(|(_, target)| match target {
            Target::Topic(Pattern::Fixed(topic), Some(schema)) => Some((topic, RouteSchema::clone(&schema))),
            _ => None,
        });
        Self {
            kafka: config.kafka.clone(),
            standby: config.standby.as_ref().map(|standby| standby.beside(&config.kafka)),
            topics: topics.collect(),
            registry: config.schema_registry.clone(),
            schemas: schemas.collect(),
            create_missing: config.topics.create_missing,
        }
    }
}

impl Needs {
    /// The same of the second cluster, if there is one.
    #[must_use]
    pub fn on_standby(&self) -> Option<Self> {
        let kafka = self.standby.clone()?;
        Some(Self { kafka, standby: None, ..self.clone() })
    }
}

/// A change to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is created. What is not said is the broker's default.
    Create {
        /// Which.
        topic: TopicName,
        /// How.
        spec: TopicSpec,
    },
    /// Its settings are changed; others stay as they are.
    Configure {
        /// Which.
        topic: TopicName,
        /// Name, value, and the value before.
        settings: Vec<(String, String, String)>,
    },
    /// It gets more partitions: keys move to others.
    AddPartitions {
        /// Which.
        topic: TopicName,
        /// How many it has.
        from: usize,
        /// How many it gets.
        to: usize,
    },
}

impl Change {
    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        match self {
            Self::Create { topic, .. }
            | Self::Configure { topic, .. }
            | Self::AddPartitions { topic, .. } => topic,
        }
    }

    /// For machines.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Create { topic, spec } => json!({
                "change": "create", "topic": topic.as_str(), "partitions": spec.partitions,
                "replication_factor": spec.replication_factor, "config": spec.config,
            }),
            Self::Configure { topic, settings } => {
                let settings: Vec<Value> = settings
                    .iter()
                    .map(|(name, to, from)| json!({ "name": name, "from": from, "to": to }))
                    .collect();
                json!({ "change": "configure", "topic": topic.as_str(), "settings": settings })
            }
            Self::AddPartitions { topic, from, to } => {
                json!({ "change": "add_partitions", "topic": topic.as_str(), "from": from, "to": to })
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { topic, spec } => {
                let or_default = |number: Option<i32>| number.map_or("default".to_owned(), |n| n.to_string());
                write!(
                    f,
                    "create {topic}: partitions {}, replication factor {}",
                    or_default(spec.partitions),
                    or_default(spec.replication_factor)
                )?;
                spec.config.iter().try_for_each(|(name, value)| write!(f, ", {name}={value}"))
            }
            Self::Configure { topic, settings } => {
                write!(f, "configure {topic}:")?;
                let mut separator = " ";
                for (name, to, from) in settings {
                    write!(f, "{separator}{name} {from} -> {to}")?;
                    separator = ", ";
                }
                Ok(())
            }
            Self::AddPartitions { topic, from, to } => {
                write!(f, "add partitions to {topic}: {from} -> {to} (keys move to other partitions)")
            }
        }
    }
}

/// Everything that is wrong, the worst first.
#[must_use]
pub fn run(needs: &Needs, with_rights: bool) -> Vec<Fault> {
    let mut faults = of_cluster(needs, with_rights);
    if let Some(standby) = needs.on_standby() {
        faults.extend(
            of_cluster(&standby, with_rights)
                .into_iter()
                .map(|fault| Fault { subject: format!("standby: {}", fault.subject), ..fault }),
        );
    }
    faults.extend(registry::check(needs));
    faults.sort_by_key(|fault| fault.severity);
    faults
}

/// What is wrong with one cluster, and the way to it.
fn of_cluster(needs: &Needs, with_rights: bool) -> Vec<Fault> {
    let mut faults = certificates::check(&needs.kafka, SystemTime::now());
    match facts::ask(needs) {
        Err(why) => faults.push(cluster_away(&why)),
        Ok(facts) => {
            faults.extend(judge::judge(needs, &facts).faults);
            if with_rights {
                faults.extend(rights::check(needs, &facts));
            }
        }
    }
    faults
}

/// The cluster can't be asked at all.
#[must_use]
pub fn cluster_away(why: &str) -> Fault {
    let hint = "look at `bootstrap.servers`, `security.protocol` and the credentials under `kafka`";
    let message = format!("the cluster can't be asked: {why}");
    Fault::new(Severity::Error, "kafka_unreachable", "kafka", (message, hint), &[])
}
