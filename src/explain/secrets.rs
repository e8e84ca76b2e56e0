//! Hypotheses about the secret: it is read in another way than the provider reads it, or is another source's.
//!
//! Takes the configuration's secrets. Gives them in other forms. No text here ever holds a part of one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Case;
use super::bench::{Hypothesis, Otherwise, SecretForm};
use super::cause::Cause;
use crate::config::{Authentication, NamedKey};
use crate::signature::Scheme;
use crate::signature::key::{KeyEncoding, KeyFormat};

/// Prefixes that providers put before their secrets.
const PREFIXES: [&str; 4] = ["whsec_", "whsk_", "base64:", "hex:"];

/// Every form of the source's secrets, and the other sources' as they are.
pub(crate) fn hypotheses(case: &Case<'_>, scheme: &Scheme) -> Vec<Hypothesis> {
    let mut hypotheses = outside_their_time(case);
    hypotheses.extend(surroundings(case));
    hypotheses.extend(prefixes(case, scheme));
    hypotheses.extend(encodings(case, scheme));
    // Another source may have the same secret in its right form: that this one's is not comes first.
    hypotheses.extend(of_other_sources(case));
    hypotheses
}

/// The source's secrets that were not tried at the time of receipt.
fn outside_their_time(case: &Case<'_>) -> Vec<Hypothesis> {
    let Authentication::Signed { keys, .. } = &case.source.authentication else { return Vec::new() };
    let of = |(named, text): (&NamedKey, &Zeroizing<String>)| {
        let said = format!("it is signed with the secret `{}`, which is valid {}", named.name, named.window);
        let form = SecretForm { text: text.clone(), format: None };
        Hypothesis::new(Cause::SecretNotValid, said, Otherwise::Secrets(vec![form]))
    };
    let pairs = keys.iter().zip(&case.disclosed.secrets);
    pairs.filter(|(named, _)| !named.is_valid_at(case.received())).map(of).collect()
}

fn of_other_sources(case: &Case<'_>) -> Vec<Hypothesis> {
    let mut hypotheses = Vec::new();
    for other in case.all.iter().filter(|other| other.source != *case.source.name) {
        for (index, text) in other.secrets.iter().enumerate() {
            let which = match other.secrets.len() {
                1 => "the secret".to_owned(),
                _ => format!("secret {}", index + 1),
            };
            let text_of = format!("it is signed with {which} of the source `{}`", other.source);
            let form = SecretForm { text: text.clone(), format: None };
            let otherwise = Otherwise::Secrets(vec![form]);
            hypotheses.push(Hypothesis::new(Cause::OtherSourcesSecret, text_of, otherwise));
        }
    }
    hypotheses
}

/// The secrets that `change` applies to, changed.
fn changed(
    case: &Case<'_>,
    format: Option<&KeyFormat>,
    change: impl Fn(&str) -> Option<String>,
) -> Option<Otherwise> {
    let forms: Vec<SecretForm> = case
        .disclosed
        .secrets
        .iter()
        .filter_map(|text| Some((text, Zeroizing::new(change(text)?))))
        .filter(|(text, changed)| format.is_some() || *text != changed)
        .map(|(_, text)| SecretForm { text, format: format.cloned() })
        .collect();
    (!forms.is_empty()).then_some(Otherwise::Secrets(forms))
}

fn surroundings(case: &Case<'_>) -> Vec<Hypothesis> {
    type Change = fn(&str) -> Option<String>;
    let unquoted: Change = |text| {
        let text = text.trim();
        ['"', '\'', '`']
            .into_iter()
            .find_map(|quote| Some(text.strip_prefix(quote)?.strip_suffix(quote)?.to_owned()))
    };
    let table: [(&str, Change); 7] = [
        ("the configured secret has spaces or line ends round it, which do not belong to it", |text| {
            Some(text.trim().to_owned())
        }),
        ("the configured secret has quotes round it, which do not belong to it", unquoted),
        ("the sender's secret ends with a newline, and the configured one does not", |text| {
            Some(format!("{text}\n"))
        }),
        (
            "the sender's secret ends with a carriage return and a newline, and the configured one does not",
            |text| Some(format!("{text}\r\n")),
        ),
        ("the sender's secret ends with a carriage return, and the configured one does not", |text| {
            Some(format!("{text}\r"))
        }),
        ("the sender's secret has double quotes round it, and the configured one does not", |text| {
            Some(format!("\"{text}\""))
        }),
        ("the sender's secret ends with a space, and the configured one does not", |text| {
            Some(format!("{text} "))
        }),
    ];
    let hypothesis =
        |(text, change)| Some(Hypothesis::new(Cause::SecretSurroundings, text, changed(case, None, change)?));
    table.into_iter().filter_map(hypothesis).collect()
}

fn prefixes(case: &Case<'_>, scheme: &Scheme) -> Vec<Hypothesis> {
    let Some(format) = scheme.variants.first().map(|variant| &variant.key_format) else { return Vec::new() };
    let mut hypotheses = Vec::new();
    for prefix in PREFIXES {
        let bare = KeyFormat { strip_prefix: None, ..format.clone() };
        let stripped = changed(case, Some(&bare), |text| Some(text.strip_prefix(prefix)?.to_owned()));
        if let Some(otherwise) = stripped.filter(|_| format.strip_prefix.as_deref() != Some(prefix)) {
            let text = format!(
                "the sender's key is what follows `{prefix}` in the secret, and here the prefix is part of it"
            );
            hypotheses.push(Hypothesis::new(Cause::SecretPrefix, text, otherwise));
        }
        let whole = KeyFormat { strip_prefix: None, encoding: KeyEncoding::Utf8 };
        for text_of in [
            |text: &str, prefix: &str| text.starts_with(prefix).then(|| text.to_owned()),
            |text: &str, prefix: &str| (!text.starts_with(prefix)).then(|| format!("{prefix}{text}")),
        ] {
            if let Some(otherwise) = changed(case, Some(&whole), |text| text_of(text, prefix)) {
                let text = format!(
                    "the sender's key is the text of the secret with `{prefix}` before it, and here the prefix is no part of it"
                );
                hypotheses.push(Hypothesis::new(Cause::SecretPrefix, text, otherwise));
            }
        }
    }
    hypotheses
}

fn encodings(case: &Case<'_>, scheme: &Scheme) -> Vec<Hypothesis> {
    let Some(format) = scheme.variants.first().map(|variant| &variant.key_format) else { return Vec::new() };
    if format.encoding == KeyEncoding::PublicKey {
        return Vec::new();
    }
    let name = |encoding| match encoding {
        KeyEncoding::Hex => "as hexadecimal",
        KeyEncoding::Base64 => "as base64",
        KeyEncoding::Utf8 | KeyEncoding::PublicKey => "as its text stands",
    };
    let mut hypotheses = Vec::new();
    // Printable text in base64 is hardly a provider's own doing.
    let decoded = changed(case, None, |text| {
        let octets = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let text = std::str::from_utf8(&octets).ok()?.trim_end();
        (!text.contains(char::is_control)).then(|| text.to_owned())
    });
    if let Some(otherwise) = decoded {
        let text = "the configured secret is the base64 of the real one, as when a Kubernetes Secret is encoded twice";
        hypotheses.push(Hypothesis::new(Cause::SecretEncoding, text, otherwise));
    }
    for encoding in [KeyEncoding::Utf8, KeyEncoding::Base64, KeyEncoding::Hex] {
        if encoding == format.encoding {
            continue;
        }
        let text = format!(
            "the sender takes the secret {}, and here it is taken {}",
            name(encoding),
            name(format.encoding)
        );
        for strip_prefix in [format.strip_prefix.clone(), Some("whsec_".to_owned()), None] {
            let format = KeyFormat { encoding, strip_prefix };
            let same = changed(case, Some(&format), |text| Some(text.trim().to_owned()));
            hypotheses.extend(same.map(|same| Hypothesis::new(Cause::SecretEncoding, text.clone(), same)));
        }
    }
    let url_safe = changed(case, None, |text| Some(text.replace('-', "+").replace('_', "/")));
    if let Some(otherwise) = url_safe.filter(|_| format.encoding == KeyEncoding::Base64) {
        let text = "the secret is written in the URL-safe base64 alphabet";
        hypotheses.push(Hypothesis::new(Cause::SecretEncoding, text, otherwise));
    }
    if let Some(otherwise) = changed(case, None, |text| Some(STANDARD.encode(text))) {
        let text = "the sender's key is the base64 of the configured secret";
        hypotheses.push(Hypothesis::new(Cause::SecretEncoding, text, otherwise));
    }
    hypotheses
}
