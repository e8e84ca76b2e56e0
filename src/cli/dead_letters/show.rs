//! `hookbridge dead-letters show`: everything that is known of one, and what would become of it now.

use std::io::Write as _;
use std::ops::ControlFlow::Break;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};

use super::judge::{Judge, Judged};
use super::letter::{Letter, clean, clean_octets};
use super::list::{READING_GROUP, to_json};
use super::reader::{Reader, Span};
use super::{ended, load, topic, unusable};
use crate::app::App;
use crate::cli::{ConfigFile, say};
use crate::config::Config;
use crate::topic::TopicName;

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    config: ConfigFile,
    /// Which one, as `list` names it.
    #[arg(value_name = "PARTITION:OFFSET", value_parser = place)]
    place: Place,
    /// The topic: by default the configuration's `dead_letter`.
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    topic: Option<TopicName>,
    /// Write the exact octets of the value to standard output, and nothing else.
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print JSON. A value that is no UTF-8 is `value_base64`.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    partition: i32,
    offset: i64,
}

fn place(text: &str) -> Result<Place, String> {
    let parsed = text.split_once(':').and_then(|(partition, offset)| {
        let place = Place { partition: partition.parse().ok()?, offset: offset.parse().ok()? };
        (place.partition >= 0 && place.offset >= 0).then_some(place)
    });
    parsed.ok_or_else(|| "write the partition and the offset, such as 0:12".to_owned())
}

pub(super) fn run(show: &Show) -> ExitCode {
    let config = match load(&show.config.config) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let letter = match find(show, &config) {
        Ok(letter) => letter,
        Err(why) => return ended(Err(why)),
    };
    if show.raw {
        // Whoever reads may stop.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&letter.value).and_then(|()| out.flush());
        return ExitCode::SUCCESS;
    }
    let app = match App::new(&config) {
        Ok(app) => app,
        Err(error) => return unusable(&error),
    };
    let judge = Judge::new(app, &config, false);
    let done = now(&judge, &letter).map(|(text, json)| {
        match show.json {
            true => say(whole_json(&letter, json)),
            false => say(whole(&letter, &text)),
        }
        ExitCode::SUCCESS
    });
    // librdkafka may take any time to end its threads, and the process is about to end them all.
    std::mem::forget(judge);
    ended(done)
}

fn find(show: &Show, config: &Config) -> Result<Letter, String> {
    let topic = show.topic.as_ref().unwrap_or(&config.dead_letter);
    let reader = Reader::new(config, topic, READING_GROUP)?;
    let Place { partition, offset } = show.place;
    let spans = reader.spans(Some(partition))?;
    let holds = spans.iter().find(|span| (span.from..span.to).contains(&offset));
    let mut found = None;
    if holds.is_some() {
        let _broken_off = reader.read(Span { partition, from: offset, to: offset + 1 }, |letter| {
            found = Some(letter);
            Ok(Break(()))
        })?;
    }
    found.ok_or_else(|| format!("the topic {topic} has no record at {partition}:{offset}"))
}

/// What would become of it, for people and for machines.
fn now(judge: &Judge<'_>, letter: &Letter) -> Result<(String, Value), String> {
    let runtime = super::replay::runtime()?;
    Ok(match runtime.block_on(judge.judge(letter)) {
        Ok(Judged::Ready(_, outcome)) => {
            (format!("would be replayed {}", outcome.detail()), outcome.to_json(true))
        }
        Ok(Judged::Settled(outcome)) => {
            (format!("{}: {}", outcome.name(), outcome.detail()), outcome.to_json(true))
        }
        Err(why) => (
            format!("can't be told at present: {why}"),
            json!({ "outcome": "unknown", "reason": why.code(), "detail": why.to_string() }),
        ),
    })
}

fn whole(letter: &Letter, now: &str) -> String {
    let mut text = format!("{} {}\n  key      {}\n", letter.topic, letter.place(), clean_octets(&letter.key));
    for (name, value) in &letter.headers {
        text.push_str(&format!("  header   {}: {}\n", clean(name), clean_octets(value)));
    }
    // Laid out for reading; `--raw` gives what it is. Numbers and order would be lost to many readers.
    let value = match serde_json::from_slice::<Value>(&letter.value) {
        Ok(value) => format!("{value:#}"),
        Err(_) => String::from_utf8_lossy(&letter.value).into_owned(),
    };
    text.push_str(&format!("  value    {} octets\n", letter.value.len()));
    for line in value.lines() {
        text.push_str(&format!("    {}\n", clean(line)));
    }
    text.push_str(&format!("  now      {}", clean(now)));
    text
}

fn whole_json(letter: &Letter, now: Value) -> Value {
    let mut whole = to_json(letter);
    let headers = letter.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)]));
    whole["headers"] = headers.collect();
    match std::str::from_utf8(&letter.value) {
        Ok(text) => whole["value"] = text.into(),
        Err(_) => whole["value_base64"] = STANDARD.encode(&letter.value).into(),
    }
    whole["now"] = now;
    whole
}
