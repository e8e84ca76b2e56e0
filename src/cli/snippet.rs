//! What to write into the configuration for a preset.
//!
//! Takes a preset's entry. Gives a source in YAML that `check` takes as it stands, once its variables are set: a test
//! shows it for every preset.

use std::fmt::Write as _;

use crate::config::catalogue::Entry;
use crate::keys::Access;
use crate::signature::native::Native;
use crate::signature::scheme::Proof;

/// The source, below its section `sources`.
pub(super) fn snippet(entry: &Entry) -> String {
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = write_source(&mut out, entry);
    out
}

/// The environment variable called `what` of a preset. A shell takes none that begins with a digit.
fn variable(preset: &str, what: &str) -> String {
    let name = preset.to_ascii_uppercase().replace('-', "_");
    let border = if name.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    format!("{border}{name}_{what}")
}

fn write_source(out: &mut String, entry: &Entry) -> std::fmt::Result {
    let preset = entry.name.as_str();
    let variable = |what: &str| variable(preset, what);
    writeln!(out, "  sources:\n    {preset}:\n      provider: {preset}")?;
    match entry.file.keys.as_ref().map(|keys| &keys.access) {
        None => writeln!(out, "      secrets: [{{ env: {} }}]", variable("SECRET"))?,
        Some(Access::Open) => {}
        Some(_) => writeln!(
            out,
            "      key_credentials: {{ client_id: {{ env: {} }}, secret: {{ env: {} }} }}",
            variable("CLIENT_ID"),
            variable("SECRET")
        )?,
    }
    if entry.file.offer.is_some() {
        writeln!(
            out,
            "      # show_offered_secret: true   # instead of `secrets`, until the provider's first request has brought it"
        )?;
    }
    if entry.needs.handshake_token {
        writeln!(
            out,
            "      handshake_token: {{ env: {} }}   # as you have told it the provider",
            variable("TOKEN")
        )?;
    }
    if entry.needs.public_url {
        writeln!(
            out,
            "      public_url: https://hooks.example.com/webhooks/{preset}   # as the provider has it"
        )?;
    }
    let sns =
        entry.file.scheme.as_ref().is_some_and(|s| matches!(s.proof, Proof::Native(Native::Sns { .. })));
    let parameters = entry.needs.parameters.iter().map(String::as_str).chain(sns.then_some("topic_arns"));
    let parameters: Vec<String> = parameters.map(|name| format!("{name}: ...")).collect();
    if !parameters.is_empty() {
        writeln!(out, "      parameters: {{ {} }}", parameters.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{catalogue, preset, validate};

    /// A secret as the provider writes its own; where it alone has the key that signs, the vectors' public key.
    fn secret(entry: &Entry) -> String {
        entry.development_secret().unwrap_or_else(|| {
            let file = format!("{}/tests/vectors/{}.json", env!("CARGO_MANIFEST_DIR"), entry.name);
            let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            vectors["cases"][0]["secrets"][0].as_str().unwrap_or("a secret of an account").to_owned()
        })
    }

    #[test]
    fn what_is_to_be_written_is_valid_for_every_preset() {
        for name in preset::names() {
            let entry = catalogue::entry(name).unwrap();
            let snippet = snippet(&entry);
            let yaml = format!("kafka: {{ bootstrap.servers: x }}\n{}", snippet.replace("\n  ", "\n"));
            let yaml = yaml.replace("\n  sources", "\nsources");
            let env = |name: &str| match name.starts_with(|c: char| c.is_ascii_digit()) {
                true => None,
                false if name.ends_with("_SECRET") => Some(secret(&entry)),
                false => Some("a value of some length".to_owned()),
            };
            let config = validate::parse(name, &yaml, &env).unwrap_or_else(|why| panic!("{why}\n{yaml}"));
            assert_eq!(config.sources.len(), 1, "{name}");
            // It says all that is needed, and nothing that is not.
            let idle = config.warnings.iter().find(|w| w.message.contains("uses a token"));
            assert_eq!(idle, None, "{name}");
        }
    }

    #[test]
    fn says_what_a_handshake_needs() {
        for (preset, line) in [
            ("meta", "handshake_token: { env: META_TOKEN }"),
            ("ebay", "public_url: https://hooks.example.com/webhooks/ebay"),
            ("asana", "# show_offered_secret: true"),
            (
                "plaid",
                "key_credentials: { client_id: { env: PLAID_CLIENT_ID }, secret: { env: PLAID_SECRET } }",
            ),
            ("360learning", "secrets: [{ env: _360LEARNING_SECRET }]"),
        ] {
            let snippet = snippet(&catalogue::entry(preset).unwrap());
            assert!(snippet.contains(line), "{snippet}");
        }
    }
}
