//! Every fault by its facts.

use std::collections::BTreeMap;

use super::*;
use crate::config::diagnostic::Position;
use crate::kafka::properties::Properties;

fn topic() -> TopicName {
    TopicName::parse("orders").unwrap()
}

fn need(largest_value: usize) -> Need {
    let at = Position { line: 7, column: 5 };
    Need { topic: topic(), largest_value, path: "sources.s.topics.a".to_owned(), at }
}

fn needs(spec: TopicSpec, largest_value: usize) -> Needs {
    Needs {
        kafka: Properties::default(),
        standby: None,
        topics: vec![(topic(), spec, vec![need(largest_value)])],
        registry: None,
        schemas: Vec::new(),
        create_missing: false,
    }
}

fn spec(partitions: Option<i32>, replication_factor: Option<i32>, config: &[(&str, &str)]) -> TopicSpec {
    let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    TopicSpec { partitions, replication_factor, config }
}

fn config(entries: &[(&str, &str)]) -> Option<BTreeMap<String, (String, bool)>> {
    let defaults = [("max.message.bytes", "1048588"), ("min.insync.replicas", "2")];
    let all = defaults.iter().chain(entries);
    Some(all.map(|(name, value)| ((*name).to_owned(), ((*value).to_owned(), false))).collect())
}

fn there(partitions: &[(bool, usize, usize)], entries: &[(&str, &str)]) -> TopicFacts {
    TopicFacts::There(There { partitions: partitions.to_vec(), config: config(entries), is_ahead: false })
}

fn judged(needs: &Needs, told: TopicFacts) -> (Vec<&'static str>, Vec<Change>) {
    let facts = Facts { brokers: 3, topics: [(topic(), told)].into() };
    let Judgement { faults, changes } = judge(needs, &facts);
    for fault in &faults {
        assert_eq!(fault.needs, needs.topics[0].2, "{fault:?}");
        assert!(
            !fault.hint.is_empty() && fault.describe("h.yaml").contains("h.yaml:7:5: sources.s.topics.a")
        );
    }
    (faults.iter().map(|fault| fault.kind).collect(), changes)
}

const GOOD: &[(bool, usize, usize)] = &[(true, 3, 3), (true, 3, 3)];

#[test]
fn a_topic_as_it_should_be_is_left_alone() {
    let wanted = spec(Some(2), Some(3), &[("cleanup.policy", "delete, compact"), ("retention.ms", "1000")]);
    let told = there(GOOD, &[("cleanup.policy", "compact,delete"), ("retention.ms", "1000")]);
    assert_eq!(judged(&needs(wanted, 960 * 1024), told), (vec![], vec![]));
    assert_eq!(judged(&needs(TopicSpec::default(), 1), there(GOOD, &[])), (vec![], vec![]));
}

#[test]
fn a_missing_topic_is_created_with_room_for_its_records() {
    let (faults, changes) = judged(&needs(spec(Some(4), Some(3), &[]), 4_000_000), TopicFacts::Missing);
    assert_eq!(faults, ["topic_missing"]);
    let [Change::Create { spec: created, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(*created, spec(Some(4), Some(3), &[("max.message.bytes", "4065536")]));
    let (faults, changes) = judged(&needs(spec(None, Some(4), &[]), 1), TopicFacts::Missing);
    assert_eq!((faults, changes), (vec!["topic_missing", "too_few_brokers"], vec![]));
}

#[test]
fn every_fault_has_its_name_and_what_can_be_healed_its_change() {
    let none = TopicSpec::default;
    let set = |name: &str, to: &str, from: &str| {
        vec![Change::Configure {
            topic: topic(),
            settings: vec![(name.to_owned(), to.to_owned(), from.to_owned())],
        }]
    };
    for (wanted, largest, told, faults, changes) in [
        (none(), 1, TopicFacts::Forbidden, vec!["topic_forbidden"], vec![]),
        (none(), 1, TopicFacts::Unknown("x".to_owned()), vec!["topic_unknown"], vec![]),
        (none(), 1, there(&[(false, 3, 2)], &[]), vec!["no_leader"], vec![]),
        (none(), 1, there(&[(true, 3, 1)], &[]), vec!["under_min_insync"], vec![]),
        (none(), 1, there(&[(true, 1, 1)], &[("min.insync.replicas", "1")]), vec!["replication_low"], vec![]),
        (none(), 1, there(&[(true, 1, 1)], &[]), vec!["replication_low", "min_insync_unreachable"], vec![]),
        (none(), 1, there(GOOD, &[("min.insync.replicas", "3")]), vec!["min_insync_tight"], vec![]),
        (none(), 1, there(GOOD, &[("min.insync.replicas", "1")]), vec!["min_insync_low"], vec![]),
        (
            none(),
            1,
            there(GOOD, &[("unclean.leader.election.enable", "true")]),
            vec!["unclean_leader_election"],
            vec![],
        ),
        (spec(None, Some(2), &[]), 1, there(GOOD, &[]), vec!["replication_differs"], vec![]),
        (spec(Some(1), None, &[]), 1, there(GOOD, &[]), vec!["too_many_partitions"], vec![]),
        (
            spec(Some(3), None, &[]),
            1,
            there(GOOD, &[]),
            vec!["too_few_partitions"],
            vec![Change::AddPartitions { topic: topic(), from: 2, to: 3 }],
        ),
        (
            none(),
            2_000_000,
            there(GOOD, &[]),
            vec!["max_message_bytes_too_small"],
            set("max.message.bytes", "2065536", "1048588"),
        ),
        (
            spec(None, None, &[("max.message.bytes", "1000000")]),
            2_000_000,
            there(GOOD, &[("max.message.bytes", "1000000")]),
            vec!["max_message_bytes_too_small"],
            vec![],
        ),
        (
            spec(None, None, &[("retention.ms", "1000")]),
            1,
            there(GOOD, &[("retention.ms", "5")]),
            vec!["settings_differ"],
            set("retention.ms", "1000", "5"),
        ),
        (
            spec(None, None, &[("retention.ms", "1000")]),
            1,
            there(GOOD, &[]),
            vec!["settings_differ"],
            set("retention.ms", "1000", "unset"),
        ),
    ] {
        let label = format!("{wanted:?} {told:?}");
        assert_eq!(judged(&needs(wanted, largest), told), (faults, changes), "{label}");
    }
    let unseen = TopicFacts::There(There { partitions: GOOD.to_vec(), config: None, is_ahead: true });
    assert_eq!(judged(&needs(none(), 1), unseen).0, ["settings_unknown", "clock_behind"]);
}

#[test]
fn nothing_is_changed_that_would_end_what_works() {
    let few = there(&[(true, 1, 1)], &[("min.insync.replicas", "1")]);
    let wanted = spec(None, Some(1), &[("min.insync.replicas", "2")]);
    assert_eq!(judged(&needs(wanted, 1), few), (vec!["min_insync_out_of_reach"], vec![]));
    let large = there(GOOD, &[("max.message.bytes", "3000000")]);
    let wanted = spec(None, None, &[("max.message.bytes", "1000000")]);
    assert_eq!(judged(&needs(wanted, 2_000_000), large), (vec!["max_message_bytes_too_small"], vec![]));
}
