//! `hookbridge dead-letters list`: one line each, and how many there are for each reason.

use std::collections::BTreeMap;
use std::ops::ControlFlow::{Break, Continue};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::letter::{Letter, clean, clean_octets};
use super::reader::Reader;
use super::{Selection, ended, load};
use crate::cli::{ConfigFile, say};
use crate::config::Config;
use crate::config::units::show_instant;

/// Needed by librdkafka, and never joined.
pub(super) const READING_GROUP: &str = "hookbridge-dead-letters";

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    selection: Selection,
    /// Print JSON, a line for each, and no summary.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(list: &List) -> ExitCode {
    match load(&list.config.config) {
        Ok(config) => ended(print(list, &config)),
        Err(code) => code,
    }
}

fn print(list: &List, config: &Config) -> Result<ExitCode, String> {
    let selection = &list.selection;
    let reader = Reader::new(config, selection.topic(config), READING_GROUP)?;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = 0;
    for span in selection.spans(&reader)? {
        let read = reader.read(span, |letter| {
            if selection.limit.is_some_and(|limit| count >= limit) {
                return Ok(Break(()));
            }
            if selection.takes(&letter) {
                count += 1;
                *reasons.entry(clean(letter.reason().unwrap_or("no reason"))).or_default() += 1;
                match list.json {
                    true => say(to_json(&letter)),
                    false => say(line(&letter)),
                }
            }
            Ok(Continue(()))
        })?;
        if read.is_break() {
            break;
        }
    }
    if !list.json {
        say(summary(count, &reasons));
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(count: usize, reasons: &BTreeMap<String, usize>) -> String {
    let of_each: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    match count {
        0 => "no dead letters".to_owned(),
        1 => format!("1 dead letter: {}", of_each.join(", ")),
        _ => format!("{count} dead letters: {}", of_each.join(", ")),
    }
}

fn line(letter: &Letter) -> String {
    let or_dash = |text: Option<&str>| text.filter(|text| !text.is_empty()).map_or("-".to_owned(), clean);
    let received = letter.received_at().map_or("-".to_owned(), show_instant);
    let detail = match letter.header("hookbridge_fault_path") {
        Some(path) => format!("{} (at {})", letter.detail(), if path.is_empty() { "the top" } else { path }),
        None => letter.detail().to_owned(),
    };
    format!(
        "{}  {received}  {}  {}  {}  {}  {}",
        letter.place(),
        or_dash(letter.source()),
        or_dash(letter.reason()),
        or_dash(letter.header("hookbridge_topic")),
        clean_octets(&letter.key),
        clean(&detail)
    )
}

/// What is known of a letter, but for its value.
pub(super) fn to_json(letter: &Letter) -> Value {
    json!({
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "received_at": letter.received_at().map(show_instant),
        "source": letter.source(),
        "reason": letter.reason(),
        "detail": letter.header("hookbridge_detail"),
        "fault_path": letter.header("hookbridge_fault_path"),
        "original_topic": letter.header("hookbridge_topic"),
        "event_type": letter.header("ce_type"),
        "key": String::from_utf8_lossy(&letter.key),
        "octets": letter.value.len(),
    })
}
