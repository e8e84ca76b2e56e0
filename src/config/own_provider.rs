//! A provider file of the user's own, outside any configuration.
//!
//! Takes its text. Gives what is understood of it and what should be known, or every fault: those that a source would
//! have with it, and those that only its author can mend.

use http::header::CONTENT_TYPE;

use super::catalogue::{Entry, Needs};
use super::checker::Checker;
use super::diagnostic::{Diagnostic, Diagnostics, Invalid, Path};
use super::document::Document;
use super::preset;
use super::provider::{self, ProviderFile};
use super::raw::RawProvider;
use super::scheme::Binding;
use crate::expression::Expression;

/// Reads the provider file called `file`. Gives warnings beside what is understood.
///
/// # Errors
/// Every fault in it.
pub(crate) fn read(file: &str, text: &str) -> Result<(Entry, Vec<Diagnostic>), Invalid> {
    let mut faults = Diagnostics::of_provider_file();
    let entry = Document::parse(text, &mut faults).and_then(|mut document| {
        let own: RawProvider = document.read(&mut faults);
        let mut check = Checker::new(&document, &mut faults);
        let root = Path::root();
        unverified(&mut check, &own);
        let wanted = own.extends.clone();
        let raw = match preset::complete(own) {
            Ok(raw) => raw,
            Err(why) => {
                let hint = preset::hint(wanted.as_deref().unwrap_or_default());
                check.error_with(&root.key("extends"), (why, hint));
                return None;
            }
        };
        let needs = Needs::of(&raw);
        let account = needs.example("custom");
        let binding = Binding { account: &account, at: &root };
        let checked = provider::check(&mut check, &root, "custom", &raw, Some(&binding))?;
        warn_of(&mut check, &checked);
        let needs = needs.and_of(&checked.handshakes);
        Some(Entry { name: file.to_owned(), raw, file: checked, needs })
    });
    let (errors, warnings) = faults.into_sorted();
    match entry {
        Some(entry) if errors.is_empty() => Ok((entry, warnings)),
        _ => Err(Invalid { file: file.to_owned(), errors, files: Vec::new() }),
    }
}

/// What nothing confirms must be there: a key that was renamed would pass for confirmed.
fn unverified(check: &mut Checker<'_>, own: &RawProvider) {
    let at = Path::root().key("unverified");
    for (index, name) in own.unverified.iter().flatten().enumerate() {
        let key = name.split('.').fold(Path::root(), |path, segment| path.key(segment));
        let is_there = check.has(&key)
            || own.extends.as_deref().is_some_and(|base| preset::has(base, &key))
            // Whether it can be read is said elsewhere.
            || check.has_error_below(&key);
        if !is_there {
            let message = format!("the file has no key `{}`", name.escape_debug());
            let hint = "name a key of the file as a dotted path, such as `timestamp.tolerance`".to_owned();
            check.error_with(&check.item(&at, index), (message, hint));
        }
    }
}

fn warn_of(check: &mut Checker<'_>, file: &ProviderFile) {
    let scheme = file.scheme.as_ref();
    if scheme.is_some_and(|scheme| scheme.variants.iter().any(|variant| variant.is_sha1())) {
        check.warn(
            &Path::root().key("signature").key("algorithm"),
            "the provider signs with SHA-1".to_owned(),
            "ask it for a signature with SHA-256, and name that here if there is one",
        );
    }
    let provider = &file.provider;
    let mut places = provider.message_id.iter().chain(&provider.event_type).flat_map(Expression::places);
    let in_json = places.any(|place| place.pointer().or(place.body_pointer()).is_some());
    let is_form = provider.example.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case(CONTENT_TYPE.as_str())
            && value.starts_with("application/x-www-form-urlencoded")
    });
    if let Some(body) = &provider.example.body
        && in_json
        && !is_form
        && serde_json::from_str::<serde::de::IgnoredAny>(body).is_err()
    {
        check.warn(
            &Path::root().key("example").key("body"),
            "the example is no JSON, and places in JSON are named".to_owned(),
            "`message_id` and `event_type` would find nothing in it: write an event as the provider sends it",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let shown = |all: Vec<Diagnostic>| {
            let lines = all
                .into_iter()
                .map(|d| format!("{}:{}: {} ({})", d.at.line, d.path, d.message, d.hint.unwrap_or_default()));
            lines.collect::<Vec<_>>()
        };
        match read("own.yaml", text) {
            Ok((_, warnings)) => shown(warnings),
            Err(invalid) => shown(invalid.errors),
        }
    }

    #[test]
    fn every_preset_could_be_somebodys_own_file() {
        for name in preset::names() {
            let (_, warnings) = read(name, preset::text(name).unwrap()).unwrap_or_else(|why| panic!("{why}"));
            let others: Vec<_> = warnings.iter().filter(|w| !w.message.contains("SHA-1")).collect();
            assert!(others.is_empty(), "{name}: {others:?}");
        }
    }

    #[test]
    fn what_is_unverified_is_a_key_of_the_file_or_of_what_it_extends() {
        let text = "extends: stripe\nunverified: [timestamp.tolerance, respond_within, signature.colour, '']\n\
                    respond_within: 3s\n";
        let found = faults(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("2:unverified[2]: the file has no key `signature.colour` (name a key"));
        assert!(found[1].starts_with("2:unverified[3]: the file has no key ``"), "{found:?}");
    }

    #[test]
    fn warns_of_sha1_and_of_an_example_that_is_no_json() {
        let text = "signature: { header: X-Sig, algorithm: hmac-sha1, encoding: hex, content: '{body}' }\n\
                    event_type: { join: [{ header: X-A }, { json: /b }], with: '.' }\n\
                    example: { body: 'a=b' }\n";
        let found = faults(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("1:signature.algorithm: the provider signs with SHA-1"), "{found:?}");
        assert!(found[1].contains("3:example.body: the example is no JSON"), "{found:?}");
        let form =
            text.replace("'a=b' }", "'a=b', headers: { content-type: application/x-www-form-urlencoded } }");
        assert_eq!(faults(&form).len(), 1);
        assert_eq!(faults(&text.replace("a=b", "[1e999]")).len(), 1);
    }

    #[test]
    fn hints_name_the_page_on_provider_files() {
        let found = faults("extends: svix\nsignature: { header: 'a b' }\nmessage_ids: 1\n");
        assert!(found[0].contains("(config/providers/README.md explains every key)"), "{found:?}");
        assert!(found[1].contains("did you mean `message_id`?"), "{found:?}");
        let found = faults("extends: nothing-like-it\n");
        assert!(found[0].contains("`hookbridge providers` lists the presets"), "{found:?}");
    }
}
