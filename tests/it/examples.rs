//! Every configuration that is shown to people is one that `hookbridge check` takes.
//!
//! What an example refers to is not here: its environment variables are set to a secret that fits every scheme,
//! and its files are replaced by one with that secret.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::asyncapi::Document;
use super::support::command::run;
use super::support::provider::PRESETS;
use super::support::secure_kafka::{authority, certificate};

/// Hexadecimal, base64 and text at once, and long enough for a key.
const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// The files below `dir` with this extension, if there is such a directory; hidden ones and what is built are
/// left out.
fn files(dir: &Path, extension: &str, deep: bool) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() && deep {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|other| other == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn files_below(dir: &Path, extension: &str) -> Vec<PathBuf> {
    files(dir, extension, true)
}

/// The fenced blocks of YAML in a Markdown file, each with its line.
fn yaml_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut inside: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut inside {
            None if ["```yaml", "```yml"].contains(&line.trim()) => {
                inside = Some((number + 2, String::new()))
            }
            None => {}
            Some(_) if line.trim() == "```" => blocks.extend(inside.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    assert!(inside.is_none(), "a block without an end");
    blocks
}

/// The words that stand after `key:` somewhere in the text.
fn values_of(text: &str, key: &str) -> Vec<String> {
    let key = format!("{key}:");
    let values = text.split(key.as_str()).skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(' ');
        let end = rest.find([' ', ',', '}', '\n', '#']).unwrap_or(rest.len());
        let word = rest[..end].trim_matches(['"', '\'']);
        (!word.is_empty()).then(|| word.to_owned())
    });
    values.collect()
}

/// Whether it is a whole configuration, and not a part of one, or something else.
fn is_configuration(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("sources:"))
}

/// Puts real certificates in the place of those that are named: librdkafka reads them when it is set up.
fn certificates(dir: &Path, text: &mut String) {
    if !text.contains("ssl.ca.location:") {
        return;
    }
    authority(dir, "ca");
    certificate(dir, "ca", "client", "hookbridge", 1);
    for (property, name) in [("ca", "ca.crt"), ("certificate", "client.crt"), ("key", "client.key")] {
        let file = dir.join(name).display().to_string();
        for named in values_of(text, &format!("ssl.{property}.location")) {
            *text = text.replace(&named, &file);
        }
    }
}

fn assert_valid(name: &str, text: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("secret");
    fs::write(&secret, SECRET).expect("write a secret");
    let mut text = text.to_owned();
    for file in values_of(&text, "{ file") {
        text = text.replace(&file, secret.to_str().expect("a path in UTF-8"));
    }
    certificates(dir.path(), &mut text);
    let config = dir.path().join("hookbridge.yaml");
    fs::write(&config, &text).expect("write a configuration");
    let variables = values_of(&text, "env");
    let env: Vec<_> = variables.iter().map(|variable| (variable.as_str(), SECRET)).collect();
    let done = run(&["check", "--config", config.to_str().expect("a path in UTF-8")], &env);
    assert_eq!(done.code, 0, "{name}:\n{text}\n{}", done.stderr);
    assert!(!done.stdout.contains(SECRET), "{name}: {}", done.stdout);
    // The files of schemas that documents name are nowhere.
    if !text.contains("schema: {") {
        Document::of(&config, &env);
    }
}

#[test]
fn configurations_in_the_documents_are_valid() {
    let mut documents = files(root(), "md", false);
    documents.extend(files_below(&root().join("docs"), "md"));
    let mut shown = Vec::new();
    for document in &documents {
        for (line, block) in yaml_blocks(&read(document)) {
            let name = format!("{}:{line}", document.display());
            if is_configuration(&block) {
                assert_valid(&name, &block);
                shown.push(name);
            } else {
                // Something else, or a part: a part would be taken for right by everybody who reads it.
                let ours = ["kafka:", "server:", "admin:", "provider:", "topics:"];
                let part = block.lines().any(|line| ours.iter().any(|key| line.starts_with(key)));
                assert!(!part, "{name} is a part of a configuration: show a whole one, which can be checked");
            }
        }
    }
    assert!(
        shown.iter().any(|name| name.contains("README.md")),
        "README.md shows a configuration: {shown:?}"
    );
}

#[test]
fn shipped_configurations_are_valid() {
    for name in ["hookbridge.yaml", "minimal.yaml"] {
        let file = root().join("config").join(name);
        assert!(is_configuration(&read(&file)), "config/{name} is a whole configuration");
    }
    for file in files(&root().join("config"), "yaml", false) {
        let text = read(&file);
        if is_configuration(&text) {
            assert_valid(&file.display().to_string(), &text);
        }
    }
}

#[test]
fn what_the_reference_has_commented_out_is_valid_too() {
    let text = read(&root().join("config/hookbridge.yaml"));
    let mut tried = 0;
    for (number, line) in text.lines().enumerate() {
        let Some((indent, rest)) = line.split_once("# ") else { continue };
        // A key that is commented out, and not a sentence; one that has keys of its own says nothing alone.
        let key = rest.split_once(": ").is_some_and(|(key, value)| {
            key.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c)) && !value.trim().is_empty()
        });
        let nested = line.contains("#   ") || line.trim_end().ends_with(':');
        if !indent.trim().is_empty() || !key || nested || contradicts(rest) {
            continue;
        }
        let shown: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(other, line)| if other == number { format!("{indent}{rest}") } else { line.to_owned() })
            .collect();
        assert_valid(&format!("config/hookbridge.yaml:{}, shown", number + 1), &(shown.join("\n") + "\n"));
        tried += 1;
    }
    assert!(tried >= 15, "only {tried} lines were tried");
}

/// Sections of several lines, which say nothing one by one.
#[test]
fn what_the_reference_has_commented_out_as_a_section_is_valid_too() {
    let text = read(&root().join("config/hookbridge.yaml"));
    for (head, also) in
        [("schema_registry", ""), ("topics", ""), ("event_attendee.ticket_success", "schema_registry")]
    {
        let mut shown = String::new();
        let mut inside: Option<&str> = None;
        let mut lines = 0;
        for line in text.lines() {
            let (indent, rest) = line.split_once("# ").unwrap_or((line, ""));
            let is_head =
                indent.trim().is_empty() && [head, also].iter().any(|key| rest == format!("{key}:"));
            let is_below = inside == Some(indent) && rest.starts_with("  ");
            inside = if is_head { Some(indent) } else { inside.filter(|_| is_below) };
            lines += usize::from(inside.is_some());
            let line = if inside.is_some() { format!("{indent}{rest}") } else { line.to_owned() };
            shown.push_str(&(line + "\n"));
        }
        for (file, stand_in) in
            [("ca.crt", "loopback-ca.pem"), ("tls.crt", "client.pem"), ("tls.key", "client.key")]
        {
            let stand_in = root().join("tests/tls").join(stand_in).display().to_string();
            shown = shown.replace(&format!("/etc/hookbridge/registry/{file}"), &stand_in);
        }
        assert!(lines > 5, "{head}: {lines} lines");
        assert_valid(&format!("config/hookbridge.yaml, {head} shown"), &shown);
    }
}

/// What is right only together with another change, which the reference says beside it.
fn contradicts(line: &str) -> bool {
    ["extends:", "separator:", "report_only_topic:"].iter().any(|key| line.starts_with(key))
}

#[test]
fn every_preset_is_shown_and_has_vectors() {
    let catalogue = read(&root().join("docs/providers.md"));
    let presets = files(&root().join("config/providers"), "yaml", false);
    let names: Vec<_> =
        presets.iter().map(|file| file.file_stem().expect("a name").to_str().expect("text")).collect();
    assert!(names.len() >= 100 && PRESETS.iter().all(|name| names.contains(name)));
    for name in names {
        assert!(catalogue.contains(&format!("\n| `{name}` |")), "{name} is in the catalogue");
        let vectors = read(&root().join(format!("tests/vectors/{name}.json")));
        let vectors: serde_json::Value = serde_json::from_str(&vectors).expect("vectors");
        let cases = vectors["cases"].as_array().expect("cases");
        let accepted = cases.iter().filter(|case| case["verdict"] == "accept").count();
        assert!(accepted >= 1 && cases.len() - accepted >= 4, "{name}: accepted and refused cases");
    }
}
