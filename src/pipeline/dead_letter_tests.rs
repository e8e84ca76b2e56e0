//! That every reason is documented, and none that is not there.

use super::super::extract::Reason;

/// To be taken up in `ALL` together with a line of the document.
fn is_in_all(reason: Reason) -> bool {
    match reason {
        Reason::UnreadableBody
        | Reason::UndecodableBody
        | Reason::SchemaMismatch
        | Reason::NotABatch
        | Reason::TooManyElements
        | Reason::UnusableMessageId
        | Reason::MissingEventType
        | Reason::UnusableEventType
        | Reason::TooManyTopics => Reason::ALL.contains(&reason),
    }
}

#[test]
fn the_table_of_reasons_is_complete() {
    let document = include_str!("../../docs/dead-letters.md");
    let table = document.split("## ").find(|part| part.starts_with("Reasons")).unwrap();
    let lines = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: Vec<&str> =
        lines.map(|(name, _)| name).filter(|name| *name != "hookbridge_reason").collect();
    assert_eq!(documented, Reason::ALL.map(Reason::as_str));
    assert!(Reason::ALL.into_iter().all(is_in_all));
}
