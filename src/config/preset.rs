//! Presets: what is known of a provider, as data.
//!
//! Takes a preset's name. Gives the provider file of that name in `config/providers/`, which is part of the
//! binary, with everything it `extends` filled in.

use super::diagnostic::{Diagnostics, Path, did_you_mean};
use super::document::Document;
use super::raw::{RawProvider, RawSecretFormat, RawSignature, RawSuccess, RawTimestamp};

macro_rules! presets {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../config/providers/", $name, ".yaml")))),+]
    };
}

/// Every preset's name and file, in the order in which they are listed. A test keeps it in step with the
/// folder.
const PRESETS: &[(&str, &str)] = presets![
    "standard-webhooks",
    "svix",
    "allfly",
    "eventsair",
    "wristband",
    "generic-hex",
    "generic-sha256",
    "360learning",
    "adyen",
    "airtable",
    "airwallex",
    "alchemy",
    "asana",
    "auth0",
    "beam",
    "bigcommerce",
    "bitbucket",
    "box",
    "brex",
    "buildkite",
    "calendly",
    "chargebee",
    "circleci",
    "clerk",
    "clickup",
    "cloudevents",
    "coinbase-commerce",
    "customer-io",
    "discord",
    "docusign",
    "dropbox",
    "elevenlabs",
    "emailit",
    "event-grid",
    "figma",
    "forgejo",
    "front",
    "gemini",
    "gitea",
    "github",
    "gitlab-signing",
    "gitlab",
    "gocardless",
    "grafana",
    "hubspot",
    "hugging-face",
    "incident-io",
    "intercom",
    "iron",
    "jira",
    "knock",
    "line",
    "linear",
    "linkedin",
    "lithic",
    "mailgun",
    "meta",
    "microsoft-graph",
    "monday",
    "netlify",
    "notion",
    "nylas",
    "okta",
    "openai",
    "orb",
    "oura",
    "paddle",
    "pagerduty",
    "paystack",
    "persona",
    "pipedrive",
    "polar",
    "postmark",
    "razorpay",
    "recurly",
    "replicate",
    "resend",
    "revolut",
    "ringcentral",
    "sanity",
    "segment",
    "sendgrid",
    "sentry",
    "sharepoint",
    "shipbob",
    "shopify",
    "signatureapi",
    "slack",
    "smartcar",
    "solidgate",
    "square",
    "statsig",
    "stripe",
    "tally",
    "tebex",
    "telegram",
    "telnyx",
    "tiktok",
    "trello",
    "twilio",
    "twitch",
    "typeform",
    "uber",
    "vercel",
    "vonage",
    "webflow",
    "websub",
    "wechat-pay",
    "whatsapp",
    "woocommerce",
    "workos",
    "worldpay",
    "x",
    "xero",
    "zendesk",
    "zoom",
    "paypal",
    "aws-sns",
    "plaid",
    "ebay",
];

/// A preset may build on one that builds on another, and so on; no deeper than this.
const MAX_EXTENDS: usize = 4;

/// The presets' names.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The file of the preset called `name`.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(preset, _)| *preset == name).map(|(_, text)| *text)
}

/// The hint for a preset that there is not: the one that may be meant, or where all are listed.
pub(super) fn hint(wanted: &str) -> String {
    let names: Vec<&str> = names().collect();
    did_you_mean(wanted, &names).unwrap_or_else(|| "`hookbridge providers` lists the presets".to_owned())
}

/// Whether the file of the preset called `name`, or one that it extends, says anything at `path`.
pub(super) fn has(name: &str, path: &Path) -> bool {
    let mut name = name.to_owned();
    for _ in 0..=MAX_EXTENDS {
        let mut faults = Diagnostics::default();
        let Some(document) = text(&name).and_then(|text| Document::parse(text, &mut faults)) else {
            return false;
        };
        match raw(&name).and_then(|preset| preset.extends) {
            _ if document.has(path) => return true,
            Some(base) => name = base,
            None => return false,
        }
    }
    false
}

/// The preset called `name`, as it stands in its file.
fn raw(name: &str) -> Option<RawProvider> {
    let text = text(name)?;
    let mut faults = Diagnostics::default();
    // That every preset can be read is shown by a test.
    Some(Document::parse(text, &mut faults)?.read(&mut faults))
}

/// The preset called `name`, complete.
///
/// # Errors
/// A sentence, if there is no such preset.
pub(crate) fn find(name: &str) -> Result<RawProvider, String> {
    let preset = raw(name).ok_or_else(|| format!("there is no preset `{name}`"))?;
    complete(preset)
}

/// Fills in what `provider` extends.
///
/// # Errors
/// A sentence, if there is no such preset.
pub(super) fn complete(mut provider: RawProvider) -> Result<RawProvider, String> {
    for _ in 0..MAX_EXTENDS {
        let Some(base) = provider.extends.take() else { return Ok(provider) };
        let base = raw(&base).ok_or_else(|| format!("there is no preset `{base}` to extend"))?;
        provider = merge(provider, base);
    }
    match provider.extends {
        None => Ok(provider),
        Some(base) => Err(format!("`extends: {base}` goes deeper than {MAX_EXTENDS} presets")),
    }
}

/// What `over` says, and where it says nothing, what `base` says.
fn merge(over: RawProvider, base: RawProvider) -> RawProvider {
    RawProvider {
        extends: base.extends,
        title: over.title.or(base.title),
        documentation: over.documentation.or(base.documentation),
        unverified: over.unverified.or(base.unverified),
        setup: over.setup.or(base.setup),
        signature: both(over.signature, base.signature, |over, base| RawSignature {
            header: over.header.or(base.header),
            together: over.together.or(base.together),
            json: over.json.or(base.json),
            query: over.query.or(base.query),
            after: over.after.or(base.after),
            native: over.native.or(base.native),
            body_hash: over.body_hash.or(base.body_hash),
            variants: over.variants.or(base.variants),
            algorithm: over.algorithm.or(base.algorithm),
            encoding: over.encoding.or(base.encoding),
            prefix: over.prefix.or(base.prefix),
            separator: over.separator.or(base.separator),
            content: over.content.or(base.content),
        }),
        secret: both(over.secret, base.secret, |over, base| RawSecretFormat {
            encoding: over.encoding.or(base.encoding),
            strip_prefix: over.strip_prefix.or(base.strip_prefix),
        }),
        timestamp: both(over.timestamp, base.timestamp, |over, base| RawTimestamp {
            header: over.header.or(base.header),
            prefix: over.prefix.or(base.prefix),
            json: over.json.or(base.json),
            claim: over.claim.or(base.claim),
            unit: over.unit.or(base.unit),
            tolerance: over.tolerance.or(base.tolerance),
        }),
        keys: both(over.keys, base.keys, super::keys::merge),
        message_id: over.message_id.or(base.message_id),
        event_type: over.event_type.or(base.event_type),
        event_time: over.event_time.or(base.event_time),
        subject: over.subject.or(base.subject),
        respond_within: over.respond_within.or(base.respond_within),
        success: both(over.success, base.success, |over, base| RawSuccess {
            status: over.status.or(base.status),
            body: over.body.or(base.body),
            content_type: over.content_type.or(base.content_type),
        }),
        handshakes: over.handshakes.or(base.handshakes),
        offers_secret: over.offers_secret.or(base.offers_secret),
        example: over.example.or(base.example),
    }
}

fn both<T>(over: Option<T>, base: Option<T>, merge: impl FnOnce(T, T) -> T) -> Option<T> {
    match (over, base) {
        (Some(over), Some(base)) => Some(merge(over, base)),
        (over, base) => over.or(base),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_a_preset_and_reads_without_a_fault() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/providers");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| file != "README.md")
            .collect();
        let presets: BTreeSet<String> = names().map(|name| format!("{name}.yaml")).collect();
        assert_eq!(files, presets);
        for (name, text) in PRESETS {
            let mut faults = Diagnostics::default();
            let preset: RawProvider = Document::parse(text, &mut faults).unwrap().read(&mut faults);
            assert!(!faults.has_errors(), "{name}: {:?}", faults.into_sorted().0);
            assert!(preset.title.is_some() && preset.documentation.is_some(), "{name}");
            let complete = find(name).unwrap();
            assert!(complete.example.is_some(), "{name}");
        }
    }
}
