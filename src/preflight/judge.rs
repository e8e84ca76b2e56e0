//! What is wrong with the topics, and what would put it right. Pure.
//!
//! Takes [`Needs`] and [`Facts`]. Gives faults, and changes; a fault that a change heals is among both.

use super::facts::{Facts, There, TopicFacts};
use super::{Change, Fault, Needs, Severity};
use crate::config::topics::{Need, TopicSpec};
use crate::kafka::properties::RECORD_OVERHEAD_BYTES;
use crate::topic::TopicName;

/// What a topic takes whose `max.message.bytes` nobody has set (Kafka's documentation, "Topic Configs").
const KAFKAS_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// With fewer copies than this, one broker's end can be the end of acknowledged events.
const SAFE_REPLICATION: usize = 3;

const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const MIN_INSYNC: &str = "min.insync.replicas";

/// What is wrong, and what would put it right.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// What would put it right.
    pub changes: Vec<Change>,
}

/// One topic being looked at.
struct Look<'a> {
    topic: &'a TopicName,
    spec: &'a TopicSpec,
    needs: &'a [Need],
    out: &'a mut Judgement,
}

/// Judges every topic.
#[must_use]
pub fn judge(needs: &Needs, facts: &Facts) -> Judgement {
    let mut out = Judgement::default();
    for (topic, spec, needs) in &needs.topics {
        let mut look = Look { topic, spec, needs, out: &mut out };
        match facts.topics.get(topic) {
            None | Some(TopicFacts::Missing) => look.missing(facts.brokers),
            Some(TopicFacts::Forbidden) => {
                let message = "it may not be seen, so it can't be told whether it is there".to_owned();
                let hint = "allow the service's user Describe and Write on the topic";
                look.fault(Severity::Error, "topic_forbidden", message, hint);
            }
            Some(TopicFacts::Unknown(why)) => {
                let message = format!("it can't be told what is with it: {why}");
                look.fault(Severity::Warning, "topic_unknown", message, "look at the cluster, and try again");
            }
            Some(TopicFacts::There(there)) => look.there(there),
        }
    }
    out
}

impl Look<'_> {
    fn fault(&mut self, severity: Severity, kind: &'static str, message: String, hint: &str) {
        let fault = Fault::new(severity, kind, self.topic.as_str(), (message, hint), self.needs);
        self.out.faults.push(fault);
    }

    /// The largest record that must fit: the value, and what surrounds it.
    fn largest_record(&self) -> usize {
        let largest = self.needs.iter().map(|need| need.largest_value).max().unwrap_or(0);
        largest + RECORD_OVERHEAD_BYTES
    }

    fn missing(&mut self, brokers: usize) {
        self.fault(
            Severity::Error,
            "topic_missing",
            "the topic is not there".to_owned(),
            "`hookbridge topics apply` creates it",
        );
        let mut spec = self.spec.clone();
        let replicas = spec.replication_factor.and_then(|replicas| usize::try_from(replicas).ok());
        if replicas.is_some_and(|replicas| replicas > brokers) {
            let message = format!(
                "a replication factor of {} is wanted, and the cluster has {brokers} brokers",
                spec.replication_factor.unwrap_or_default()
            );
            let hint = "lower `replication_factor` in the section `topics`, or add brokers";
            return self.fault(Severity::Error, "too_few_brokers", message, hint);
        }
        let needed = self.largest_record();
        if needed > KAFKAS_MAX_MESSAGE_BYTES && !spec.config.contains_key(MAX_MESSAGE_BYTES) {
            spec.config.insert(MAX_MESSAGE_BYTES.to_owned(), needed.to_string());
        }
        self.named_too_small(needed);
        self.out.changes.push(Change::Create { topic: self.topic.clone(), spec });
    }

    /// The file itself asks for less than the file needs.
    fn named_too_small(&mut self, needed: usize) {
        let named =
            self.spec.config.get(MAX_MESSAGE_BYTES).and_then(|value| value.trim().parse::<usize>().ok());
        if let Some(named) = named.filter(|named| *named < needed) {
            let message = format!(
                "the section `topics` asks for {MAX_MESSAGE_BYTES} {named}, and records can have {needed} octets"
            );
            let hint = "raise it there, or lower the `max_body_bytes` of the sources that need it";
            self.fault(Severity::Error, "max_message_bytes_too_small", message, hint);
        }
    }

    fn there(&mut self, there: &There) {
        self.partitions(there);
        let replication = there.partitions.iter().map(|(_, replicas, _)| *replicas).min().unwrap_or(0);
        self.replication(replication);
        match &there.config {
            None => {
                let message = "its settings may not be seen".to_owned();
                let hint = "allow the service's user DescribeConfigs on the topic, to have them checked";
                self.fault(Severity::Warning, "settings_unknown", message, hint);
            }
            Some(_) => self.settings(there, replication),
        }
        if there.is_ahead {
            let message =
                "it has a record from more than 10 s in the future, by this machine's clock".to_owned();
            let hint = "this clock is behind, or that of the broker or of another producer is ahead: look at NTP on both";
            self.fault(Severity::Warning, "clock_behind", message, hint);
        }
    }

    fn partitions(&mut self, there: &There) {
        let leaderless = there.partitions.iter().filter(|(has_leader, _, _)| !has_leader).count();
        if leaderless > 0 {
            let message = format!("{leaderless} of its {} partitions have no leader", there.partitions.len());
            self.fault(Severity::Error, "no_leader", message, "a broker is away: look at the cluster");
        }
        let Some(wanted) = self.spec.partitions.and_then(|wanted| usize::try_from(wanted).ok()) else {
            return;
        };
        let is = there.partitions.len();
        if wanted > is {
            let message = format!("it has {is} partitions, and {wanted} are wanted");
            let hint = "`hookbridge topics apply --allow-more-partitions` adds them; keys then move, so that duplicates over that moment are in two partitions";
            self.fault(Severity::Warning, "too_few_partitions", message, hint);
            self.out.changes.push(Change::AddPartitions { topic: self.topic.clone(), from: is, to: wanted });
        } else if wanted < is {
            let message = format!("it has {is} partitions, and {wanted} are wanted");
            let hint = "partitions can't be taken away: correct `partitions`, or move to a new topic";
            self.fault(Severity::Warning, "too_many_partitions", message, hint);
        }
    }

    fn replication(&mut self, is: usize) {
        let wanted = self.spec.replication_factor.and_then(|wanted| usize::try_from(wanted).ok());
        match wanted {
            Some(wanted) if wanted != is => {
                let message = format!("its replication factor is {is}, and {wanted} is wanted");
                let hint = "replicas are moved with Kafka's own kafka-reassign-partitions.sh";
                self.fault(Severity::Warning, "replication_differs", message, hint);
            }
            None if is < SAFE_REPLICATION => {
                let message = format!(
                    "its replication factor is {is}: a broker's end can be that of acknowledged events"
                );
                let hint = "3 is usual; say `replication_factor` in the section `topics` if less is meant";
                self.fault(Severity::Warning, "replication_low", message, hint);
            }
            _ => {}
        }
    }

    fn settings(&mut self, there: &There, replication: usize) {
        let is = |name: &str| there.config.as_ref()?.get(name).map(|(value, _)| value.as_str());
        let needed = self.largest_record();
        let takes = is(MAX_MESSAGE_BYTES).and_then(|value| value.parse::<usize>().ok());
        let mut changes: Vec<(String, String, String)> = Vec::new();
        for (name, wanted) in &self.spec.config {
            match is(name) {
                Some(value) if same(name, value, wanted) => {}
                // Left as it is: an event that fits now must not be refused. The fault is that of the file.
                _ if name == MAX_MESSAGE_BYTES
                    && wanted
                        .trim()
                        .parse::<usize>()
                        .is_ok_and(|wanted| wanted < needed && takes.is_some_and(|takes| wanted < takes)) => {
                }
                _ if name == MIN_INSYNC && self.out_of_reach(wanted, replication) => {}
                value => changes.push((name.clone(), wanted.clone(), value.unwrap_or("unset").to_owned())),
            }
        }
        if !self.spec.config.contains_key(MAX_MESSAGE_BYTES)
            && let Some(takes) = takes.filter(|takes| *takes < needed)
        {
            changes.push((MAX_MESSAGE_BYTES.to_owned(), needed.to_string(), takes.to_string()));
            let message = format!("its {MAX_MESSAGE_BYTES} is {takes}, and records can have {needed} octets");
            let hint = "`hookbridge topics apply` raises it; or lower the `max_body_bytes` of the sources that need it";
            self.fault(Severity::Error, "max_message_bytes_too_small", message, hint);
        }
        self.named_too_small(needed);
        self.in_sync(there, replication, is(MIN_INSYNC));
        if is("unclean.leader.election.enable") == Some("true") {
            let message =
                "unclean.leader.election.enable is true: acknowledged events can be lost".to_owned();
            let hint = "set it to false under `config` in the section `topics`";
            self.fault(Severity::Warning, "unclean_leader_election", message, hint);
        }
        if !changes.is_empty() {
            let names: Vec<&str> = changes.iter().map(|(name, _, _)| name.as_str()).collect();
            if names != [MAX_MESSAGE_BYTES] || self.spec.config.contains_key(MAX_MESSAGE_BYTES) {
                let message = format!("it is not set as the section `topics` says: {}", names.join(", "));
                self.fault(
                    Severity::Warning,
                    "settings_differ",
                    message,
                    "`hookbridge topics apply` sets them",
                );
            }
            self.out.changes.push(Change::Configure { topic: self.topic.clone(), settings: changes });
        }
    }

    /// To set this would take a topic away that can be written now: it waits for the replicas.
    fn out_of_reach(&mut self, wanted: &str, replication: usize) -> bool {
        let is_too_many = wanted.trim().parse::<usize>().is_ok_and(|wanted| wanted > replication);
        if is_too_many {
            let message = format!(
                "{MIN_INSYNC} {wanted} is wanted, and it has {replication} replicas: with it nothing could be written"
            );
            let hint = "it is left as it is. Add replicas with kafka-reassign-partitions.sh, or say less for this topic under `named`";
            self.fault(Severity::Warning, "min_insync_out_of_reach", message, hint);
        }
        is_too_many
    }

    fn in_sync(&mut self, there: &There, replication: usize, value: Option<&str>) {
        let Some(in_sync) = value.and_then(|value| value.parse::<usize>().ok()) else { return };
        let hint =
            "set `min.insync.replicas` under `config` in the section `topics`; 2, with 3 replicas, is usual";
        if in_sync > replication {
            let message = format!(
                "{MIN_INSYNC} is {in_sync}, and it has {replication} replicas: nothing can ever be written"
            );
            let hint = "say less for this topic in the section `topics`, or add replicas with kafka-reassign-partitions.sh; 2, with 3 replicas, is usual";
            return self.fault(Severity::Error, "min_insync_unreachable", message, hint);
        }
        let fewest = there.partitions.iter().map(|(_, _, in_sync)| *in_sync).min().unwrap_or(0);
        if fewest < in_sync {
            let message = format!("a partition has {fewest} replicas in sync, and {MIN_INSYNC} is {in_sync}");
            self.fault(
                Severity::Error,
                "under_min_insync",
                message,
                "a broker is away or behind: look at the cluster",
            );
        } else if replication > 1 && in_sync == replication {
            let message =
                format!("{MIN_INSYNC} is {in_sync}, as many as it has replicas: no broker may be away");
            self.fault(Severity::Warning, "min_insync_tight", message, hint);
        } else if replication > 1 && in_sync == 1 {
            let message = format!("{MIN_INSYNC} is 1: an acknowledged event may be on one broker alone");
            self.fault(Severity::Warning, "min_insync_low", message, hint);
        }
    }
}

/// Whether two values of a setting are one: lists in any order, numbers however they are written.
fn same(name: &str, is: &str, wanted: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
        parts.sort();
        parts
    };
    match (is.trim().parse::<f64>(), wanted.trim().parse::<f64>()) {
        (Ok(is), Ok(wanted)) => is == wanted,
        _ if name == "cleanup.policy" => parts(is) == parts(wanted),
        _ => is.trim() == wanted.trim(),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
