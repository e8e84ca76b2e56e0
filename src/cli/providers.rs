//! `hookbridge providers`: the catalogue of presets, one of them explained, and one's own file checked.
//!
//! Takes presets, or a file. Gives what they say in the order in which an operator asks: what is verified, what
//! that covers, what identifies and names an event, what the provider expects, what has to be configured.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::snippet::snippet;
use super::{EXIT_CONFIGURATION, fail, say, warn};
use crate::config::catalogue::{self, Entry};
use crate::config::units::show_duration;
use crate::config::{own_provider, preset, raw};
use crate::expression::Expression;
use crate::handshake::Asked;
use crate::pipeline::extract::UNNAMED_TYPE;
use crate::signature::key::KeyUse;
use crate::signature::presented::Label;
use crate::signature::scheme::Proof;

/// The greatest provider file that is read, in octets.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What to do with providers.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a command, every preset is listed. Examples:\n  \
                        hookbridge providers show stripe\n  \
                        hookbridge providers show stripe --yaml > my-provider.yaml\n  \
                        hookbridge providers check my-provider.yaml")]
pub struct Providers {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List every preset: what it verifies, and whether the signature covers ID and type.
    List(List),
    /// Explain one preset.
    Show(Show),
    /// Check a provider file of your own, and explain what is understood of it.
    Check(Check),
}

#[derive(Debug, Args)]
struct List {
    /// As a JSON array.
    #[arg(long)]
    json: bool,
    /// As a Markdown page, which is docs/providers.md.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// The preset's name.
    preset: String,
    /// Print its file as it stands in config/providers/.
    #[arg(long, conflicts_with = "json")]
    yaml: bool,
    /// As a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Check {
    /// The provider file (YAML), with the keys of those in config/providers/.
    file: PathBuf,
}

pub(super) fn run(providers: &Providers) -> ExitCode {
    match &providers.command {
        None => list(&providers.list),
        Some(Command::List(options)) => list(options),
        Some(Command::Show(options)) => show(options),
        Some(Command::Check(options)) => check(options),
    }
}

fn list(options: &List) -> ExitCode {
    let entries = match entries() {
        Ok(entries) => entries,
        Err(why) => return fail(&why, ExitCode::FAILURE),
    };
    if options.json {
        let all: Vec<Value> = entries.iter().map(to_json).collect();
        say(format_args!("{:#}", Value::Array(all)));
        return ExitCode::SUCCESS;
    }
    if options.markdown {
        say(markdown(&entries).trim_end());
        return ExitCode::SUCCESS;
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let by = entries.iter().map(|entry| algorithms(entry).len()).max().unwrap_or(0);
    let mut out = format!("{:width$}  {:by$}  {:8}  {:8}  PROVIDER\n", "PRESET", "VERIFIED BY", "ID", "TYPE");
    for entry in &entries {
        let row = (algorithms(entry), signed(entry, Field::Id), signed(entry, Field::Type));
        let title = &entry.file.provider.title;
        // Writing to a `String` does not fail.
        let _ = writeln!(out, "{:width$}  {:by$}  {:8}  {:8}  {title}", entry.name, row.0, row.1, row.2);
    }
    say(out.trim_end());
    say(format_args!(
        "\n{} presets. ID and TYPE say whether the signature covers them; `hookbridge providers show NAME` explains one.",
        entries.len()
    ));
    ExitCode::SUCCESS
}

/// Every preset, by name.
fn entries() -> Result<Vec<Entry>, String> {
    let mut entries = preset::names().map(catalogue::entry).collect::<Result<Vec<_>, _>>()?;
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// The catalogue as a page of the documentation.
fn markdown(entries: &[Entry]) -> String {
    let mut out = format!(
        "# Providers\n\n<!-- Written by `hookbridge providers list --markdown`; a test keeps it in step. -->\n\n\
         The {} providers that are known by name. `hookbridge providers show NAME` explains one: the facts and their \
         source, what the signature covers, what the provider expects, what has to be configured. A value in *italics* is not \
         covered by the signature: whoever has seen one request can send it again with another one. What has no ID is known \
         by the SHA-256 of its body. How the files are written: [config/providers/README.md](../config/providers/README.md).\n\n\
         | preset | provider | verified by | time signed | message ID | event type | handshake |\n|---|---|---|---|---|---|---|\n",
        entries.len()
    );
    for entry in entries {
        let time = match entry.file.scheme.as_ref().and_then(|scheme| scheme.timestamp.as_ref()) {
            Some(rule) => show_duration(rule.tolerance),
            None => "-".to_owned(),
        };
        let handshake =
            if entry.file.handshakes.is_empty() && entry.file.offer.is_none() { "" } else { "yes" };
        // Writing to a `String` does not fail.
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {time} | {} | {} | {handshake} |",
            entry.name,
            entry.file.provider.title,
            algorithms(entry),
            marked(entry, Field::Id),
            marked(entry, Field::Type),
        );
    }
    out
}

/// The places of a field, those in italics that the signature does not cover.
fn marked(entry: &Entry, field: Field) -> String {
    let coverage = entry.file.scheme.as_ref().map(|scheme| &scheme.coverage);
    let shown = places(entry, field).iter().map(|place| {
        let text = place.to_string().replace('|', "\\|");
        if coverage.is_some_and(|coverage| place.is_covered(coverage)) { text } else { format!("*{text}*") }
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(", else ") }
}

fn show(options: &Show) -> ExitCode {
    let entry = match catalogue::entry(&options.preset) {
        Ok(entry) => entry,
        Err(why) => return fail(&why, ExitCode::FAILURE),
    };
    match (options.yaml, options.json) {
        (true, _) => say(preset::text(&options.preset).unwrap_or_default().trim_end()),
        (_, true) => say(format_args!("{:#}", to_json(&entry))),
        _ => say(explain(&entry, &options.preset).trim_end()),
    }
    ExitCode::SUCCESS
}

fn check(options: &Check) -> ExitCode {
    use std::io::Read as _;
    let name = options.file.display().to_string();
    let mut text = String::new();
    let read = std::fs::File::open(&options.file)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    if let Err(error) = read {
        return fail(&format!("{name} can't be read: {error}"), ExitCode::from(EXIT_CONFIGURATION));
    }
    match own_provider::read(&name, &text) {
        Err(invalid) => {
            eprintln!("{invalid}");
            ExitCode::from(EXIT_CONFIGURATION)
        }
        Ok((entry, warnings)) => {
            warn(&name, &warnings);
            say(format_args!("{name} is valid.\n"));
            say(explain(&entry, "").trim_end());
            ExitCode::SUCCESS
        }
    }
}

#[derive(Clone, Copy)]
enum Field {
    Id,
    Type,
}

fn places(entry: &Entry, field: Field) -> &[Expression] {
    match field {
        Field::Id => &entry.file.provider.message_id,
        Field::Type => &entry.file.provider.event_type,
    }
}

/// Whether the signature covers a field: by its first place, since the further ones are for events without it.
fn signed(entry: &Entry, field: Field) -> &'static str {
    let Some(scheme) = &entry.file.scheme else { return "unsigned" };
    let is_signed = match (places(entry, field).first(), field) {
        (Some(place), _) => place.is_covered(&scheme.coverage),
        (None, Field::Id) => scheme.coverage.body,
        (None, Field::Type) => return "-",
    };
    if is_signed { "signed" } else { "unsigned" }
}

fn algorithms(entry: &Entry) -> String {
    let Some(scheme) = &entry.file.scheme else { return "-".to_owned() };
    let names: Vec<&str> = scheme.variants.iter().map(|variant| variant.key_use.name()).collect();
    match scheme.proof {
        Proof::Basic => "basic auth".to_owned(),
        Proof::Jwt(_) => format!("JWT {}", names.join(" or ")),
        _ => names.join(" or "),
    }
}

fn to_json(entry: &Entry) -> Value {
    let provider = &entry.file.provider;
    let scheme = entry.file.scheme.as_ref();
    let coverage = scheme.map(|scheme| &scheme.coverage);
    let listed = |field| places(entry, field).iter().map(Expression::to_string).collect::<Vec<_>>();
    json!({
        "name": entry.name,
        "title": provider.title,
        "documentation": entry.raw.documentation,
        "verified_by": scheme.map(ToString::to_string),
        "signed": {
            "body": coverage.map(|coverage| coverage.body),
            "timestamp": coverage.map(|coverage| coverage.timestamp),
            "message_id": signed(entry, Field::Id) == "signed",
            "event_type": signed(entry, Field::Type) == "signed",
        },
        "tolerance_seconds": scheme
            .and_then(|scheme| scheme.timestamp.as_ref())
            .map(|rule| rule.tolerance.as_secs()),
        "message_id": listed(Field::Id),
        "event_type": listed(Field::Type),
        "respond_within_ms": entry.file.respond_within.map(|within| within.as_millis() as u64),
        "needs": {
            "public_url": entry.needs.public_url,
            "parameters": entry.needs.parameters,
            "handshake_token": entry.needs.handshake_token,
        },
        "unverified": entry.raw.unverified.clone().unwrap_or_default(),
        "setup": entry.raw.setup,
    })
}

/// One provider, for people. `preset` is its name, or empty for a file of one's own.
fn explain(entry: &Entry, preset: &str) -> String {
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = write_entry(&mut out, entry, preset);
    out
}

fn write_entry(out: &mut String, entry: &Entry, preset: &str) -> std::fmt::Result {
    let (provider, raw) = (&entry.file.provider, &entry.raw);
    match preset.is_empty() {
        true => writeln!(out, "{}", provider.title)?,
        false => writeln!(out, "{preset}: {}", provider.title)?,
    }
    if let Some(documentation) = &raw.documentation {
        writeln!(out, "\n{}", wrapped(documentation.trim(), "  "))?;
    }
    writeln!(out)?;
    if let Some(scheme) = &entry.file.scheme {
        writeln!(out, "verified by   {scheme}")?;
        match &scheme.timestamp {
            Some(rule) => {
                writeln!(out, "timestamp     signed, within {} of the clock", show_duration(rule.tolerance))?
            }
            None => writeln!(
                out,
                "timestamp     none is signed: an old request can be sent again; deduplicate by key"
            )?,
        }
        let values: Vec<String> = scheme.coverage.pointers.iter().map(ToString::to_string).collect();
        let body = match (scheme.coverage.body, values.is_empty()) {
            (true, _) => "signed, every octet".to_owned(),
            (false, true) => "NOT SIGNED: the sender is proved, not what it says".to_owned(),
            (false, false) => format!("these values alone are signed: {}", values.join(", ")),
        };
        writeln!(out, "body          {body}")?;
    }
    let hash = "the SHA-256 of the body";
    writeln!(out, "message ID    {}", listed(entry, Field::Id, hash))?;
    match places(entry, Field::Type).is_empty() {
        true => writeln!(
            out,
            "event type    always `{UNNAMED_TYPE}`: the provider names none, or none for a whole request"
        )?,
        false => writeln!(out, "event type    {}", listed(entry, Field::Type, "dead letter"))?,
    }
    if let Some(within) = entry.file.respond_within {
        writeln!(out, "answers       within {}", show_duration(within))?;
    }
    let success = &provider.success;
    let body = String::from_utf8_lossy(&success.body);
    writeln!(
        out,
        "success       {} {}",
        success.status.as_u16(),
        if body.is_empty() { "(empty)" } else { &body }
    )?;
    writeln!(out, "secret        {}", secret_form(entry))?;
    let handshakes = &entry.file.handshakes;
    if !handshakes.is_empty() {
        let asked = Asked::kinds(handshakes).join("; ");
        writeln!(out, "handshakes    {asked}: answered as the provider wants; see --yaml")?;
    }
    if let Some(unverified) = raw.unverified.as_ref().filter(|unverified| !unverified.is_empty()) {
        writeln!(
            out,
            "unverified    {}: no specification or page of the vendor confirms these",
            unverified.join(", ")
        )?;
    }
    if let Some(setup) = &raw.setup {
        writeln!(out, "\nBy hand:\n{}", wrapped(setup.trim(), "  "))?;
    }
    if !preset.is_empty() {
        write!(out, "\nIn hookbridge.yaml:\n\n{}", snippet(entry))?;
    }
    Ok(())
}

fn listed(entry: &Entry, field: Field, last: &str) -> String {
    let coverage = entry.file.scheme.as_ref().map(|scheme| &scheme.coverage);
    let mut texts: Vec<String> = places(entry, field)
        .iter()
        .map(|place| match coverage.is_some_and(|coverage| place.is_covered(coverage)) {
            true => format!("{place} (signed)"),
            false => format!("{place} (not signed)"),
        })
        .collect();
    texts.push(last.to_owned());
    texts.join(", else ")
}

fn secret_form(entry: &Entry) -> String {
    let raw = &entry.raw;
    if raw.keys.is_some() {
        return "none: the provider's key is fetched (or give its public key in `secrets`, and nothing is)"
            .to_owned();
    }
    let secret = raw.secret.clone().unwrap_or_default();
    let form = match secret.encoding.unwrap_or_default() {
        raw::SecretEncoding::Utf8 => "the text as the provider shows it",
        raw::SecretEncoding::Hex => "hexadecimal",
        raw::SecretEncoding::Base64 => "base64",
        raw::SecretEncoding::PublicKey => "the provider's public key: hexadecimal, base64 or PEM",
    };
    let mut form = match &secret.strip_prefix {
        Some(prefix) => format!("{form}, after `{prefix}`"),
        None => form.to_owned(),
    };
    for variant in entry.file.scheme.iter().flat_map(|scheme| &scheme.variants) {
        if let (Some(prefix), Label::Prefix(label)) = (&variant.secret_prefix, &variant.presented.label) {
            let key = match variant.key_use {
                KeyUse::Public(_) => "the provider's public key",
                _ => "a secret",
            };
            let name = variant.key_use.name();
            // Writing to a `String` does not fail.
            let _ = write!(form, "; or {key} ({name}), `{prefix}...`: its signatures are labelled `{label}`");
        }
    }
    form
}

/// Breaks text into lines of some ninety characters.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() == indent.len() || line.len() + word.len() < 92 => {
                if line.len() > indent.len() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_in_the_documents_is_that_of_the_presets() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md");
        let expected = markdown(&entries().unwrap());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == expected, "{path} is out of step; run UPDATE_SCHEMAS=1 cargo test documents");
    }

    #[test]
    fn what_a_family_takes_is_said_and_handshakes_are_said_once() {
        let shown = |preset: &str| explain(&catalogue::entry(preset).unwrap(), preset);
        for part in ["HMAC-SHA256 or Ed25519 of", "`whpk_...`", "`v1a,`"] {
            assert!(shown("svix").contains(part), "{part}");
        }
        assert_eq!(algorithms(&catalogue::entry("svix").unwrap()), "HMAC-SHA256 or Ed25519");
        for entry in entries().unwrap() {
            let explained = explain(&entry, &entry.name);
            for kind in ["GET", "HEAD", "OPTIONS", "POST, once verified", "POST, signed or not"] {
                let line = explained.lines().find(|line| line.starts_with("handshakes ")).unwrap_or_default();
                assert!(line.matches(kind).count() <= 1, "{}: {line}", entry.name);
            }
        }
    }

    #[test]
    fn every_preset_is_explained() {
        let all = entries().unwrap();
        assert!(all.len() >= 100, "{}", all.len());
        for entry in &all {
            let explained = explain(entry, &entry.name);
            for part in ["verified by", "message ID", "event type", "secret  ", "In hookbridge.yaml:"] {
                assert!(explained.contains(part), "{}: {part}", entry.name);
            }
        }
    }
}
