//! Which route an event type takes, by the schema of `ce_type` and by the mapping: the same.

use super::*;
use crate::topic::{Destination, Pattern, Target, TopicMap};

/// The topic of each entry is called after its place.
fn mapping(patterns: &[&str]) -> (TopicMap, Vec<String>) {
    let entry = |(index, pattern): (usize, &&str)| {
        let topic = Pattern::parse(&format!("t{index}"), "s").unwrap();
        ((*pattern).to_owned(), Target::Topic(topic, None))
    };
    let map = TopicMap::new(patterns.iter().enumerate().map(entry), 10);
    let order = map.entries().into_iter().map(|(pattern, _)| pattern).collect();
    (map, order)
}

#[test]
fn just_the_route_that_an_event_takes_accepts_its_type() {
    for patterns in [
        &["a.b", "a.*", "*"][..],
        &["a.b", "a.*", "*.b", "a.*.c", "*"],
        &["a.*", "b.*", "(x)+*", "[", "a.b"],
        &["*b*", "a*b", "ab", "b*"],
        &[],
    ] {
        let (map, order) = mapping(patterns);
        for event_type in
            ["a.b", "a.c", "a.b.c", "x.b", "ab", "b", "acb", "(x)+", "xx", "[", "größe.b", "", "a."]
        {
            let taken = match map.destination(event_type) {
                Destination::Topic(topic, _) => {
                    let place: usize = topic.as_str()[1..].parse().unwrap();
                    order.iter().position(|pattern| pattern == patterns[place]).unwrap()
                }
                _ => order.len(),
            };
            for index in 0..=order.len() {
                let types = Types::of(&order, index, false);
                let schema = jsonschema::draft7::new(&types.schema()).unwrap();
                let is_taken = index == taken;
                let found = (types.accepts(event_type), schema.is_valid(&event_type.into()));
                // No event has an empty type.
                let expected = (is_taken, is_taken && !event_type.is_empty());
                assert_eq!(found, expected, "{patterns:?}, `{event_type}`: {types}");
            }
        }
    }
}

#[test]
fn without_types_there_is_one() {
    let patterns = ["a".to_owned(), "web*".to_owned()];
    let possible: Vec<bool> = (0..3).map(|index| Types::of(&patterns, index, true).is_possible()).collect();
    assert_eq!(possible, [false, true, false]);
    assert_eq!(Types::of(&patterns, 1, true).exact(), Some(UNNAMED_TYPE));
}
