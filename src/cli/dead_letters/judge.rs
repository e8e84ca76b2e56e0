//! What would become of a dead letter now?
//!
//! Takes a configuration and letters. Gives an [`Outcome`] of each, or the records that it becomes. The stations decide;
//! here is only what they are given, and how it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::letter::Letter;
use crate::app::App;
use crate::config::{Config, Source};
use crate::pipeline::Rejection;
use crate::pipeline::again::{self, Now, Ready};
use crate::pipeline::verify::TopicTrusted;

/// How long room is waited for: what was produced last may not have given its own back yet.
const ROOM_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What becomes, or has become, of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes where it belongs: topics and keys of its records, and how many more of its elements stay dead letters.
    Published {
        to: Vec<(String, String)>,
        dead: usize,
    },
    StillDead {
        reason: &'static str,
        detail: String,
    },
    Dropped,
    Refused {
        code: &'static str,
        detail: String,
    },
    Unverifiable(String),
    UnknownSource(String),
    /// The record is none that hookbridge has written.
    Unusable(String),
    NoEvent,
    /// Kafka refuses it for good.
    Failed {
        code: &'static str,
        detail: String,
    },
}

impl Outcome {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Published { .. } => "replayed",
            Self::StillDead { .. } => "still_dead",
            Self::Dropped => "dropped",
            Self::Refused { .. } => "refused",
            Self::Unverifiable(_) => "unverifiable",
            Self::UnknownSource(_) => "unknown_source",
            Self::Unusable(_) => "unusable",
            Self::NoEvent => "no_event",
            Self::Failed { .. } => "failed",
        }
    }

    /// What there is to say beside its name.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Published { to, dead } => {
                let mut text: Vec<String> =
                    to.iter().map(|(topic, key)| format!("to {topic}, key {key}")).collect();
                if *dead > 0 {
                    text.push(format!("{dead} of these are dead letters of their own"));
                }
                text.join("; ")
            }
            Self::StillDead { reason, detail } => format!("{reason}: {detail}"),
            Self::Dropped => "the configuration drops its type, or it is an empty batch".to_owned(),
            Self::Refused { code, detail } | Self::Failed { code, detail } => format!("{code}: {detail}"),
            Self::Unverifiable(why) => format!("{why}; --accept-unverifiable takes the topic's word for it"),
            Self::UnknownSource(why) | Self::Unusable(why) => why.clone(),
            Self::NoEvent => "it is a handshake or asks for a subscription: it brings no event".to_owned(),
        }
    }

    pub(super) fn to_json(&self, dry: bool) -> Value {
        let name = if dry && matches!(self, Self::Published { .. }) { "would_replay" } else { self.name() };
        let mut value = json!({ "outcome": name, "detail": self.detail() });
        match self {
            Self::Published { to, .. } => {
                let records = to.iter().map(|(topic, key)| json!({ "topic": topic, "key": key }));
                value["records"] = records.collect();
            }
            Self::StillDead { reason: code, .. } | Self::Refused { code, .. } | Self::Failed { code, .. } => {
                value["reason"] = (*code).into();
            }
            _ => {}
        }
        value
    }

    /// Of what Kafka refuses for good.
    pub(super) fn failed(why: &Rejection) -> Self {
        Self::Failed { code: why.code(), detail: why.to_string() }
    }
}

/// A letter's records, or that there are none.
pub(super) enum Judged {
    Ready(Box<Ready>, Outcome),
    Settled(Outcome),
}

/// The stations, set up by the present configuration.
pub(super) struct Judge<'a> {
    pub(super) app: Arc<App>,
    config: &'a Config,
    trusted: Option<TopicTrusted>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(app: Arc<App>, config: &'a Config, trusts_topic: bool) -> Self {
        Self { app, config, trusted: trusts_topic.then(TopicTrusted::as_the_operator_says) }
    }

    /// Asks the stations.
    ///
    /// # Errors
    /// What may be otherwise later.
    pub(super) async fn judge(&self, letter: &Letter) -> Result<Judged, Rejection> {
        let kept = match letter.kept() {
            Ok(kept) => kept,
            Err(why) => return Ok(Judged::Settled(Outcome::Unusable(why))),
        };
        let source = match self.source(letter) {
            Ok(source) => source,
            Err(why) => return Ok(Judged::Settled(Outcome::UnknownSource(why))),
        };
        let now = again::prepare(&self.app, source, kept, self.trusted).await?;
        Ok(match now {
            Now::Publish(ready) => {
                let to = ready.addresses().map(|(topic, key)| (topic.to_string(), key.to_owned())).collect();
                let outcome = Outcome::Published { to, dead: ready.dead() };
                Judged::Ready(Box::new(ready), outcome)
            }
            Now::StillDead { reason, detail } => Judged::Settled(Outcome::StillDead { reason, detail }),
            Now::Dropped => Judged::Settled(Outcome::Dropped),
            Now::Refused(why) => {
                Judged::Settled(Outcome::Refused { code: why.code(), detail: why.to_string() })
            }
            Now::Unverifiable(why) => Judged::Settled(Outcome::Unverifiable(why.to_string())),
            Now::Incomplete => Judged::Settled(Outcome::Unusable(
                "its ID or type stands in the rest of its batch, which is not kept".to_owned(),
            )),
            Now::NoEvent => Judged::Settled(Outcome::NoEvent),
        })
    }

    /// The same, once there is room.
    ///
    /// # Errors
    /// What may be otherwise later.
    pub(super) async fn judge_when_there_is_room(&self, letter: &Letter) -> Result<Judged, Rejection> {
        let deadline = Instant::now() + ROOM_WITHIN;
        loop {
            match self.judge(letter).await {
                Err(Rejection::Overloaded) if Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_EVERY).await
                }
                judged => return judged,
            }
        }
    }

    /// By its name, since its path may have changed; then by its path, since its name may have.
    fn source(&self, letter: &Letter) -> Result<Arc<Source>, String> {
        let name = letter.source().unwrap_or_default();
        let named = self.config.sources.iter().find(|source| &*source.name == name).cloned();
        if let Some(source) = named {
            return Ok(source);
        }
        if self.config.disabled.iter().any(|disabled| disabled == name) {
            return Err(format!("the source `{}` is disabled", super::letter::clean(name)));
        }
        letter.path().and_then(|path| self.app.source_at(path)).ok_or_else(|| {
            format!("there is no source `{}`, nor one at its path", super::letter::clean(name))
        })
    }
}
