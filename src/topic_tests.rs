//! The topic mapping: legal names, no two types in one topic, the most specific pattern.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn map(entries: &[(&str, &str)]) -> TopicMap {
    let entries = entries.iter().map(|(pattern, topic)| {
        let target = match *topic {
            "drop" => Target::Drop,
            topic => Target::Topic(Pattern::parse(topic, "allfly").unwrap(), None),
        };
        ((*pattern).to_owned(), target)
    });
    TopicMap::new(entries.collect::<Vec<_>>(), 3)
}

fn topic(name: &str) -> Destination {
    Destination::Topic(TopicName::parse(name).unwrap(), None)
}

#[test]
fn the_exact_name_then_the_most_specific_glob_then_the_star() {
    let map = map(&[
        ("*", "webhooks.{source}.{type}"),
        ("order.*", "orders"),
        ("order.*.late", "orders.late"),
        ("*.refunded", "refunds"),
        ("order.paid", "orders.paid"),
        ("noise.*", "drop"),
    ]);
    assert_eq!(map.destination("order.paid"), topic("orders.paid"));
    assert_eq!(map.destination("order.made"), topic("orders"));
    assert_eq!(map.destination("order.paid.late"), topic("orders.late"));
    assert_eq!(map.destination("order.refunded"), topic("refunds"));
    assert_eq!(map.destination("noise.x"), Destination::Drop);
    assert_eq!(map.destination("user.made"), topic("webhooks.allfly.user.made"));
    assert_eq!(map.destination("Order.paid"), topic("webhooks.allfly.Order.paid"));
}

#[test]
fn a_type_without_a_pattern_is_unmapped() {
    assert_eq!(map(&[("a", "b")]).destination("c"), Destination::Unmapped);
}

#[test]
fn topics_that_were_named_count_on_for_the_same_mapping_alone() {
    let mapping = |template: &str, max_topics| {
        TopicMap::new(
            [("*".to_owned(), Target::Topic(Pattern::parse(template, "s").unwrap(), None))],
            max_topics,
        )
    };
    let former = mapping("x.{type}", 1);
    assert!(matches!(former.destination("a"), Destination::Topic(..)));
    let mut same = mapping("x.{type}", 1);
    same.go_on_from(&former);
    assert!(matches!(same.destination("a"), Destination::Topic(..)));
    assert_eq!(same.destination("b"), Destination::TooManyTopics);
    let mut larger = mapping("x.{type}", 2);
    larger.go_on_from(&same);
    assert!(matches!(larger.destination("b"), Destination::Topic(..)));
    assert_eq!(larger.destination("c"), Destination::TooManyTopics);
    let mut other = mapping("y.{type}", 1);
    other.go_on_from(&former);
    assert_eq!(other.destination("b"), Destination::Topic(TopicName::parse("y.b").unwrap(), None));
}

#[test]
fn the_number_of_topics_that_types_name_is_bounded() {
    let map = map(&[("*", "{type}")]);
    for name in ["a", "b", "c", "a"] {
        assert_eq!(map.destination(name), topic(name));
    }
    assert_eq!(map.destination("d"), Destination::TooManyTopics);
    assert_eq!(map.destination("b"), topic("b"));
}

#[test]
fn globs_match_any_text_also_dots() {
    for (glob, text, expected) in [
        ("*", "", true),
        ("a.*", "a.b.c", true),
        ("a.*", "a.", true),
        ("a.*", "a", false),
        ("*.c", "a.b.c", true),
        ("a*a", "a", false),
        ("a*b*c", "a.b.b.c", true),
        ("a*b*c", "acb", false),
        ("**", "x", true),
        ("a*bb*bc", "abbbc", true),
    ] {
        assert_eq!(Glob::new(glob).matches(text), expected, "{glob} {text}");
    }
}

#[test]
fn refuses_what_kafka_would_refuse() {
    for name in ["", ".", "..", "a b", "a/b", "ä", "a\0", &"x".repeat(250)] {
        assert!(TopicName::parse(name).is_err(), "{name}");
    }
    for text in ["{typ}", "{type}{type}", "a{", "a/{type}", &format!("{}{{type}}", "x".repeat(240))] {
        assert!(Pattern::parse(text, "s").is_err(), "{text}");
    }
}

#[test]
fn types_that_differ_only_in_illegal_characters_have_topics_of_their_own() {
    let Pattern::PerType(template) = Pattern::parse("t.{type}", "s").unwrap() else { panic!("no template") };
    let long = "x".repeat(300);
    let types = ["a/b", "a_b", "a b", "a:b", "", " ", long.as_str(), &long[1..], ".", ".."];
    let names: HashSet<_> = types.iter().map(|name| template.fill(name)).collect();
    assert_eq!(names.len(), types.len());
    // A type that spells out the altered name of another is altered itself.
    let forged = template.fill("a/b");
    assert_ne!(template.fill(forged.as_str().strip_prefix("t.").unwrap()), forged);
}

proptest! {
    #[test]
    fn every_type_gives_a_legal_name(before in "[a-z.]{0,230}", event_type in ".{0,400}") {
        if let Ok(Pattern::PerType(template)) = Pattern::parse(&format!("{before}{{type}}"), "s") {
            let name = template.fill(&event_type);
            prop_assert_eq!(TopicName::parse(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn two_types_never_share_a_topic(a in "[a/_.]{0,6}", b in "[a/_.]{0,6}") {
        let Pattern::PerType(template) = Pattern::parse("{type}", "s").unwrap() else { unreachable!() };
        prop_assert_eq!(template.fill(&a) == template.fill(&b), a == b);
    }

    #[test]
    fn a_glob_is_what_its_regular_expression_is(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
        fn naive(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|at| naive(rest, &text[at..])),
                Some((octet, rest)) => text.first() == Some(octet) && naive(rest, &text[1..]),
            }
        }
        prop_assert_eq!(Glob::new(&pattern).matches(&text), naive(pattern.as_bytes(), text.as_bytes()));
    }
}
