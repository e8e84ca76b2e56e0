//! Keys that a provider serves by URL: what its file says of them, and what a source adds.
//!
//! Takes a provider file's `keys`, and a source's `key_credentials` and `confirm_subscriptions`. Gives a
//! [`Rule`], and a [`KeySource`] that fetches by it, or every reason why not.

use std::sync::Arc;

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checker::Checker;
use super::diagnostic::Path;
use super::expressions::header_names;
use super::provider::ProviderFile;
use super::raw::{OneOrMany, RawProviderRef, RawSecret, RawSource};
use super::{preset, secret};
use crate::json::Pointer;
use crate::keys::answer::Form;
use crate::keys::place::{Allowed, KEY_ID, KeyIdIn, NamedBy, Pattern, PinnedUrl};
use crate::keys::{Access, Credentials, KeySource, Place, Rule};
use crate::signature::Scheme;
use crate::signature::key::KeyUse;
use crate::signature::native::Native;
use crate::signature::scheme::{Proof, SignaturePlace};

/// Where the provider serves its keys. A source then needs no `secrets`; if it has some, they are used instead, and
/// nothing is fetched. Only https, port 443 and public addresses; no redirects.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Keys")]
pub struct RawKeys {
    /// Where the request names the key's URL, as `{ header: NAME }` or `{ json: /POINTER }`; or the URL itself, in which
    /// `{kid}` stands for the key's name in the signature.
    pub url: Option<RawKeyUrl>,
    /// The hosts that a request may name; in each, `*` may stand for one of the first labels, or `{region}` for one that
    /// names a region of Amazon.
    pub hosts: Option<OneOrMany>,
    /// The path that a request may name, with one `*`.
    pub path: Option<String>,
    /// How a key is written.
    pub format: Option<RawKeyForm>,
    /// Where the key stands in an answer that is JSON, as a JSON Pointer.
    pub answer: Option<String>,
    /// What the provider wants to know of whoever asks. Default: `open`.
    pub access: Option<RawKeyAccess>,
    /// Of `access: bearer`: where access tokens are got (RFC 6749, section 4.4).
    pub token_url: Option<String>,
    /// Of `access: bearer`: what the token is for.
    pub scope: Option<String>,
}

/// Where the URL of a key stands, or the URL.
#[derive(Debug, Clone)]
pub enum RawKeyUrl {
    /// The URL.
    Fixed(String),
    /// A place in the request.
    Named(RawKeyPlace),
}

/// Where a request names the URL of its key.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "KeyPlace")]
pub struct RawKeyPlace {
    /// In this header.
    pub header: Option<String>,
    /// At this JSON Pointer into the body.
    pub json: Option<String>,
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawKeyForm {
    /// An X.509 certificate in PEM. Its dates are checked; who issued it is not, since the host is pinned.
    Certificate,
    /// A JSON Web Key (RFC 7517).
    Jwk,
    /// A public key in PEM or base64.
    PublicKey,
}

/// What a provider wants to know of whoever asks for a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawKeyAccess {
    /// Nothing.
    #[default]
    Open,
    /// `client_id` and `secret` in a posted JSON body, beside `key_id`.
    JsonBody,
    /// An access token for the client credentials.
    Bearer,
}

/// The account by which a provider's keys are asked for.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "KeyCredentials")]
pub struct RawKeyCredentials {
    /// Its name with the provider.
    pub client_id: Option<RawSecret>,
    /// Its secret.
    pub secret: Option<RawSecret>,
}

/// What `over` says, and where it says nothing, what `base` says.
pub(super) fn merge(over: RawKeys, base: RawKeys) -> RawKeys {
    RawKeys {
        url: over.url.or(base.url),
        hosts: over.hosts.or(base.hosts),
        path: over.path.or(base.path),
        format: over.format.or(base.format),
        answer: over.answer.or(base.answer),
        access: over.access.or(base.access),
        token_url: over.token_url.or(base.token_url),
        scope: over.scope.or(base.scope),
    }
}

/// Checks a provider's `keys`, which stand at `at`. A fault is reported.
pub(super) fn rule(check: &mut Checker<'_>, at: &Path, raw: &RawKeys, scheme: &Scheme) -> Option<Rule> {
    let KeyUse::Public(algorithm) = scheme.variants.first()?.key_use else {
        check.error(at, "the scheme has no public keys that could be fetched");
        return None;
    };
    let place = place(check, at, raw, scheme);
    let form = match raw.format {
        Some(RawKeyForm::Certificate) => Some(Form::Certificate),
        Some(RawKeyForm::Jwk) => Some(Form::Jwk),
        Some(RawKeyForm::PublicKey) => Some(Form::PublicKey),
        None => {
            check.missing(at, "format", "`certificate`, `jwk` or `public_key`");
            None
        }
    };
    let within = raw.answer.as_deref().map(|text| parsed(check, &at.key("answer"), Pointer::parse(text)));
    let access = access(check, at, raw);
    Some(Rule {
        place: place?,
        form: form?,
        within: within.unwrap_or(Some(None))?,
        access: access?,
        algorithm,
    })
}

fn parsed<T, U: From<T>>(check: &mut Checker<'_>, at: &Path, parsed: Result<T, String>) -> Option<U> {
    parsed.map_err(|why| check.error(at, why)).ok().map(U::from)
}

fn place(check: &mut Checker<'_>, at: &Path, raw: &RawKeys, scheme: &Scheme) -> Option<Place> {
    let url_at = at.key("url");
    let named = match &raw.url {
        None => {
            check.missing(at, "url", "`{ header: NAME }`, `{ json: /POINTER }`, or `https://...`");
            return None;
        }
        Some(RawKeyUrl::Fixed(url)) => {
            if raw.hosts.is_some() || raw.path.is_some() {
                check.error(at, "`hosts` and `path` say what a request may name; here the URL is fixed");
            }
            let url: PinnedUrl = parsed(check, &url_at, PinnedUrl::fixed(url))?;
            let key_id = key_id(scheme);
            if key_id.is_none() {
                let why = format!("only JSON Web Tokens and eBay's signature name a key, for `{KEY_ID}`");
                check.error(&url_at, why);
            }
            return Some(Place::Fixed { url, key_id: key_id? });
        }
        Some(RawKeyUrl::Named(named)) => named,
    };
    let by = match (&named.header, &named.json) {
        (Some(name), None) => {
            let names = header_names(check, &url_at.key("header"), &OneOrMany(vec![name.clone()]))?;
            NamedBy::Header(names.into_iter().next()?)
        }
        (None, Some(pointer)) => NamedBy::Json(parsed(check, &url_at.key("json"), Pointer::parse(pointer))?),
        _ => {
            check.error(&url_at, "say one place: `{ header: NAME }` or `{ json: /POINTER }`");
            return None;
        }
    };
    let hosts = raw.hosts.as_ref().map(|OneOrMany(hosts)| hosts).filter(|hosts| !hosts.is_empty());
    let (Some(hosts), Some(path)) = (hosts, &raw.path) else {
        for (key, absent) in [("hosts", hosts.is_none()), ("path", raw.path.is_none())] {
            if absent {
                check.missing(at, key, "anybody can write the request's URL: say which are the provider's");
            }
        }
        return None;
    };
    let hosts: Vec<Option<Pattern>> =
        hosts.iter().map(|host| parsed(check, &at.key("hosts"), Pattern::host(host))).collect();
    let hosts: Option<Vec<Pattern>> = hosts.into_iter().collect();
    let path = parsed(check, &at.key("path"), Pattern::path(path));
    Some(Place::Named { by, allowed: Allowed { hosts: hosts?, path: path? } })
}

fn key_id(scheme: &Scheme) -> Option<KeyIdIn> {
    let names: Vec<HeaderName> = match &scheme.place {
        SignaturePlace::Header(names) => names.clone(),
        _ => return None,
    };
    match &scheme.proof {
        Proof::Jwt(_) => Some(KeyIdIn::Jwt(names)),
        Proof::Native(Native::Ebay) => Some(KeyIdIn::Ebay(names)),
        _ => None,
    }
}

fn access(check: &mut Checker<'_>, at: &Path, raw: &RawKeys) -> Option<Access> {
    let access = raw.access.unwrap_or_default();
    if access != RawKeyAccess::Bearer && (raw.token_url.is_some() || raw.scope.is_some()) {
        check.error(&at.key("access"), "`token_url` and `scope` belong to `access: bearer`");
        return None;
    }
    match access {
        RawKeyAccess::Open => Some(Access::Open),
        RawKeyAccess::JsonBody => Some(Access::InBody),
        RawKeyAccess::Bearer => match &raw.token_url {
            Some(url) => {
                let token_url = parsed(check, &at.key("token_url"), PinnedUrl::fixed(url))?;
                Some(Access::Bearer { token_url, scope: raw.scope.clone() })
            }
            None => {
                check.missing(at, "token_url", "where access tokens are got");
                None
            }
        },
    }
}

/// Whether a source's keys are fetched: its provider serves them, whatever else may be wrong with it, and the source
/// has none of its own.
pub(super) fn are_fetched(raw: &RawSource) -> bool {
    let complete = match &raw.provider {
        _ if raw.secrets.is_some() || raw.danger_accept_unsigned == Some(true) => return false,
        Some(RawProviderRef::Preset(name)) => preset::find(name),
        Some(RawProviderRef::Inline(provider)) => preset::complete(provider.as_ref().clone()),
        None => return false,
    };
    complete.is_ok_and(|provider| provider.keys.is_some())
}

/// The keys that are fetched for a source at `path`, if any are. A fault is reported.
pub(super) fn of_source(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
    provider: &ProviderFile,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Arc<KeySource>> {
    let rule = provider.keys.as_ref().filter(|_| are_fetched(raw));
    if rule.is_none() && raw.key_credentials.is_some() {
        let why = "no keys are fetched: the provider serves none, or the source has `secrets`";
        check.error(&path.key("key_credentials"), why);
    }
    let confirms = raw.confirm_subscriptions == Some(true);
    let scheme = provider.scheme.as_ref().map(|scheme| &scheme.proof);
    match (rule, scheme) {
        (Some(_), Some(Proof::Native(Native::Sns { topic_arns }))) => {
            warn_of_topics(check, path, confirms, topic_arns)
        }
        _ if confirms => {
            let why = "only subscriptions of Amazon SNS are confirmed, and only where its keys are fetched";
            check.error(&path.key("confirm_subscriptions"), why);
        }
        _ => {}
    }
    let rule = rule?;
    let credentials = match (&rule.access, &raw.key_credentials) {
        (Access::Open, None) => None,
        (Access::Open, Some(_)) => {
            check
                .error(&path.key("key_credentials"), "the provider gives its keys to anybody; take this out");
            return None;
        }
        (_, None) => {
            let hint = "`{ client_id: { env: NAME }, secret: { env: NAME } }`: the provider gives its keys to accounts";
            check.missing(path, "key_credentials", hint);
            return None;
        }
        (_, Some(raw)) => Some(credentials(check, &path.key("key_credentials"), raw, env)?),
    };
    Some(KeySource::new(rule.clone(), credentials))
}

/// Anybody with an account at Amazon can have SNS sign messages, and post them here once it is subscribed.
fn warn_of_topics(check: &mut Checker<'_>, path: &Path, confirms: bool, topic_arns: &[String]) {
    let at = path.key("parameters");
    let hint = "name your topics: `parameters: { topic_arns: \"arn:aws:sns:...\" }`, several with commas";
    match (topic_arns.is_empty(), confirms) {
        (false, _) => {}
        (true, true) => {
            let why = "with `confirm_subscriptions: true` and without `topic_arns`, anybody's topic could write to yours";
            check.error_with(&at, (why.to_owned(), hint.to_owned()));
        }
        (true, false) => {
            let why = "messages of any topic of SNS are taken for genuine, whoever owns it".to_owned();
            check.warn(&at, why, hint);
        }
    }
}

fn credentials(
    check: &mut Checker<'_>,
    at: &Path,
    raw: &RawKeyCredentials,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Credentials> {
    let mut read = |key: &str, reference: &Option<RawSecret>| match reference {
        None => {
            check.missing(at, key, "a reference: `{ env: NAME }` or `{ file: PATH }`");
            None
        }
        Some(reference) => {
            secret::read(reference, env).map_err(|fault| check.error_with(&at.key(key), fault)).ok()
        }
    };
    let (client_id, secret) = (read("client_id", &raw.client_id), read("secret", &raw.secret));
    Some(Credentials { client_id: client_id?, secret: secret? })
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
