//! Hypotheses about the scheme: the signature is written, made, or over something else than the source says; or the
//! provider is another.

use super::Case;
use super::bench::Hypothesis;
use super::cause::Cause;
use crate::config::catalogue;
use crate::config::preset;
use crate::signature::key::{HmacAlgorithm, KeyUse};
use crate::signature::presented::{Label, SignatureEncoding};
use crate::signature::public_key::PublicAlgorithm;
use crate::signature::scheme::{Proof, Variant};
use crate::signature::timestamp::TimestampPlace;
use crate::signature::{Account, Content, Scheme};

const ENCODINGS: [SignatureEncoding; 4] = [
    SignatureEncoding::Hex,
    SignatureEncoding::Base64,
    SignatureEncoding::Base64Url,
    SignatureEncoding::Base64Hex,
];
const PREFIXES: [&str; 9] =
    ["", "sha256=", "sha1=", "sha512=", "v1=", "v1,", "v0=", "hmac-sha256=", "Bearer "];
const HASHES: [HmacAlgorithm; 3] = [HmacAlgorithm::Sha1, HmacAlgorithm::Sha256, HmacAlgorithm::Sha512];
const RSA: [PublicAlgorithm; 3] =
    [PublicAlgorithm::RsaSha1, PublicAlgorithm::RsaSha256, PublicAlgorithm::RsaSha512];

/// What is signed, in the orders that are in use; `I` is an ID, `T` a timestamp.
const CONTENTS: [&str; 15] = [
    "{body}",
    "T.{body}",
    "T{body}",
    "T:{body}",
    "T\n{body}",
    "v0:T:{body}",
    "{body}T",
    "{body}.T",
    "I.T.{body}",
    "I{body}",
    "I.{body}",
    "I.T{body}",
    "IT{body}",
    "T.I.{body}",
    "{body_sha256_hex}",
];
/// Headers of each kind that are tried.
const MAX_HEADERS: usize = 4;

/// The presets that the request would be genuine as.
pub(crate) fn presets(case: &Case<'_>, scheme: &Scheme) -> Vec<Hypothesis> {
    let host = case.capture.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let path = case.capture.path.as_deref().unwrap_or(&case.source.path);
    let mut account = case.disclosed.account.clone();
    account.public_url = account.public_url.or_else(|| Some(format!("https://{}{path}", host?)));
    let own = &case.source.provider;
    let of = |name: &str| -> Option<Hypothesis> {
        let file = catalogue::for_account(name, &account).ok()?;
        let other = file.scheme.filter(|other| other != scheme)?;
        let configured = match own.name.as_str() {
            "custom" => "with a scheme of its own",
            name => &format!("as `{name}`"),
        };
        let text = format!(
            "the request is genuine as the preset `{name}` ({}), and the source is configured {configured}",
            file.provider.title
        );
        Some(Hypothesis::scheme(Cause::WrongPreset, text, other))
    };
    preset::names().filter(|name| *name != own.name).filter_map(of).collect()
}

/// The signature is written in another way.
pub(crate) fn written(scheme: &Scheme) -> Vec<Hypothesis> {
    let Some(first) = scheme.variants.first() else { return Vec::new() };
    let own = &first.presented;
    let is_token = matches!(scheme.proof, Proof::Token | Proof::Basic | Proof::Jwt(_));
    let mut encodings = vec![own.encoding];
    encodings.extend(ENCODINGS.into_iter().filter(|other| *other != own.encoding && !is_token));
    let mut labels = vec![own.label.clone()];
    labels.extend(
        PREFIXES.map(|prefix| Label::Prefix(prefix.to_owned())).into_iter().filter(|l| *l != own.label),
    );
    let mut hypotheses = Vec::new();
    for label in &labels {
        for encoding in &encodings {
            if let Some((cause, text)) = written_otherwise(own.encoding, &own.label, *encoding, label) {
                let other = with_first(scheme, |variant| {
                    variant.presented.encoding = *encoding;
                    variant.presented.label = label.clone();
                });
                hypotheses.push(Hypothesis::scheme(cause, text, other));
            }
        }
    }
    hypotheses
}

fn written_otherwise(
    own: SignatureEncoding,
    own_label: &Label,
    encoding: SignatureEncoding,
    label: &Label,
) -> Option<(Cause, String)> {
    let in_other =
        format!("the signature is written in {}, and the scheme expects {}", name(encoding), name(own));
    let label_text = |label: &Label| match label {
        Label::Prefix(prefix) if prefix.is_empty() => "nothing before it".to_owned(),
        Label::Prefix(prefix) => format!("`{prefix}` before it"),
        Label::After(text) => format!("something and `{text}` before it"),
    };
    let labelled = format!(
        "the signature stands with {}, and the scheme expects {}",
        label_text(label),
        label_text(own_label)
    );
    match (own == encoding, own_label == label) {
        (true, true) => None,
        (false, true) => Some((Cause::SignatureEncoding, in_other)),
        (true, false) => Some((Cause::SignaturePrefix, labelled)),
        (false, false) => Some((Cause::SignatureEncoding, format!("{in_other}; and {labelled}"))),
    }
}

fn name(encoding: SignatureEncoding) -> &'static str {
    match encoding {
        SignatureEncoding::Hex | SignatureEncoding::HexUpper => "hexadecimal",
        SignatureEncoding::Base64 => "base64",
        SignatureEncoding::Base64Url => "URL-safe base64",
        SignatureEncoding::Base64Hex => "base64 of hexadecimal",
    }
}

fn with_first(scheme: &Scheme, change: impl FnOnce(&mut Variant)) -> Scheme {
    let mut other = scheme.clone();
    if let Some(first) = other.variants.first_mut() {
        change(first);
    }
    other
}

/// The signature is made with another algorithm.
pub(crate) fn algorithms(scheme: &Scheme) -> Vec<Hypothesis> {
    let Some(first) = scheme.variants.first() else { return Vec::new() };
    let uses: Vec<KeyUse> = match first.key_use {
        KeyUse::Hmac(_) => HASHES.map(KeyUse::Hmac).into(),
        KeyUse::Public(algorithm) if RSA.contains(&algorithm) => RSA.map(KeyUse::Public).into(),
        _ => Vec::new(),
    };
    let mut hypotheses = Vec::new();
    for key_use in uses.into_iter().filter(|other| *other != first.key_use) {
        let text =
            format!("it is signed with {}, and the scheme says {}", key_use.name(), first.key_use.name());
        for encoding in [first.presented.encoding, SignatureEncoding::Hex, SignatureEncoding::Base64] {
            let labels = ["sha1=", "sha256=", "sha512=", ""].map(|prefix| Label::Prefix(prefix.to_owned()));
            for label in [vec![first.presented.label.clone()], labels.into()].concat() {
                let other = with_first(scheme, |variant| {
                    variant.key_use = key_use;
                    variant.presented.encoding = encoding;
                    variant.presented.label = label;
                });
                hypotheses.push(Hypothesis::scheme(Cause::WrongAlgorithm, text.clone(), other));
            }
        }
    }
    hypotheses
}

/// The signature is over something else.
pub(crate) fn contents(case: &Case<'_>, scheme: &Scheme) -> Vec<Hypothesis> {
    let (Proof::Content(own), None) = (&scheme.proof, &scheme.query) else { return Vec::new() };
    let named = |is: &dyn Fn(&str) -> bool| -> Vec<String> {
        let names = case.capture.headers.keys().map(|name| name.as_str()).filter(|name| is(name));
        names.take(MAX_HEADERS).map(|name| format!("{{header:{name}}}")).collect()
    };
    let mut times = named(&|name| {
        name.contains("timestamp") || name.ends_with("-time") || name.ends_with("-ts") || name == "date"
    });
    if scheme.timestamp.as_ref().is_some_and(|rule| !matches!(rule.place, TimestampPlace::Claim(_))) {
        times.insert(0, "{timestamp}".to_owned());
    }
    let mut ids = named(&|name| name.ends_with("-id") || name.ends_with("-uuid"));
    if !scheme.id_headers.is_empty() {
        ids.insert(0, "{id}".to_owned());
    }
    let mut templates: Vec<String> = Vec::new();
    for form in CONTENTS {
        let of_times = if form.contains('T') { times.as_slice() } else { &[String::new()] };
        for time in of_times {
            let of_ids = if form.contains('I') { ids.as_slice() } else { &[String::new()] };
            templates.extend(of_ids.iter().map(|id| form.replace('T', time).replace('I', id)));
        }
    }
    let own_text = case.disclosed.content.clone().unwrap_or_else(|| own.to_string());
    let of = |template: String| {
        let content =
            Content::parse(&template).ok()?.bind(&Account::default()).ok().filter(|other| other != own)?;
        let mut other = scheme.clone();
        if !content.has_timestamp()
            && !matches!(other.timestamp.as_ref().map(|rule| &rule.place), Some(TimestampPlace::Json(_)))
        {
            other.timestamp = None;
        }
        if !content.has_id() {
            other.id_headers.clear();
        }
        other.proof = Proof::Content(content);
        let text = format!(
            "what is signed is `{}`, and the scheme says `{}`",
            template.escape_debug(),
            own_text.escape_debug()
        );
        Some(Hypothesis::scheme(Cause::WrongContent, text, other))
    };
    templates.into_iter().filter_map(of).collect()
}
