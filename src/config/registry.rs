//! The schema registry: where it is, and who is asking.
//!
//! Takes [`RawRegistry`], the section `schema_registry`. Gives [`RegistryConfig`], or every reason why it can't be used. Asking is
//! left to [`crate::registry`].

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::checker::Checker;
use super::diagnostic::{Path, Position};
use super::raw::{OneOrMany, RawDuration, RawSecret};
use super::secret;

/// One question: a registry answers in milliseconds, and the strictest provider waits 3 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two looks for a later version of a subject.
const DEFAULT_REFRESH: Duration = Duration::from_secs(60);
/// More often than this is a load and no use.
const MIN_REFRESH: Duration = Duration::from_secs(1);

/// The schema registry, by Confluent's API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SchemaRegistry")]
pub struct RawRegistry {
    /// Its URL, or several that are tried in order.
    pub url: Option<OneOrMany>,
    /// For basic authentication: the user's name, or the key of an API.
    pub username: Option<String>,
    /// For basic authentication.
    pub password: Option<RawSecret>,
    /// For bearer authentication.
    pub token: Option<RawSecret>,
    /// The certificates that the registry's must come from, as PEM. Default: the system's.
    pub ca_file: Option<String>,
    /// The certificate that the service shows, as PEM.
    pub cert_file: Option<String>,
    /// Its key, as PEM.
    pub key_file: Option<String>,
    /// How long one question may take. Shorter than every source's `respond_within`. Default: 2s.
    pub timeout: Option<RawDuration>,
    /// How often the latest version of a subject is asked for again. Default: 1m.
    pub refresh: Option<RawDuration>,
}

/// The schema registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    /// Its URLs, in the order in which they are tried. Without a slash at the end.
    pub urls: Vec<String>,
    /// Who is asking.
    pub credentials: Credentials,
    /// The certificates that its own must come from; the system's, if there are none.
    pub ca: Option<Vec<u8>>,
    /// Certificate and key that the service shows, one after the other, as PEM.
    pub identity: Option<Pem>,
    /// How long one question may take.
    pub timeout: Duration,
    /// How often the latest version is asked for again.
    pub refresh: Duration,
    /// Where it stands in the file.
    pub at: Position,
}

/// Who is asking.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Anybody.
    None,
    /// A user, with a password.
    Basic(String, Option<Zeroizing<String>>),
    /// Whoever has this token.
    Bearer(Zeroizing<String>),
}

/// A certificate with its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// The certificate, and those that it comes from.
    pub certificate: Vec<u8>,
    /// The key.
    pub key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(..) => "Basic([REDACTED])",
            Self::Bearer(_) => "Bearer([REDACTED])",
        })
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem([REDACTED])")
    }
}

/// Checks the section.
pub(super) fn section(
    check: &mut Checker<'_>,
    raw: Option<&RawRegistry>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<RegistryConfig> {
    let raw = raw?;
    let path = Path::root().key("schema_registry");
    let timeout = raw.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0);
    if timeout.is_zero() {
        check.error(&path.key("timeout"), "must be more than nothing");
    }
    let refresh = raw.refresh.map_or(DEFAULT_REFRESH, |refresh| refresh.0);
    if refresh < MIN_REFRESH {
        check.error(&path.key("refresh"), "must be 1s or more");
    }
    let credentials = credentials(check, &path, raw, env);
    let ca = raw.ca_file.as_deref().map(|file| pem(check, &path.key("ca_file"), file));
    let identity = identity(check, &path, raw);
    let urls = urls(check, &path, raw.url.as_ref())?;
    let at = check.position(&path);
    Some(RegistryConfig {
        urls,
        credentials: credentials?,
        ca: match ca {
            Some(ca) => Some(ca?),
            None => None,
        },
        identity: identity?,
        timeout,
        refresh,
        at,
    })
}

fn urls(check: &mut Checker<'_>, path: &Path, raw: Option<&OneOrMany>) -> Option<Vec<String>> {
    let Some(OneOrMany(urls)) = raw.filter(|OneOrMany(urls)| !urls.is_empty()) else {
        check.missing(path, "url", "the registry's, such as `http://schema-registry:8081`");
        return None;
    };
    let mut good = Vec::new();
    for url in urls {
        let at = path.key("url");
        match reqwest::Url::parse(url) {
            Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() => {
                let hint = "such as `http://schema-registry:8081`".to_owned();
                check.error_with(&at, ("this is no http or https URL".to_owned(), hint));
            }
            // The text is not repeated: it may hold a password.
            Ok(parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
                let hint = "write `username` and `password: { env: NAME }` beside it".to_owned();
                check.error_with(&at, ("a URL must not hold credentials".to_owned(), hint));
            }
            Ok(parsed) if parsed.query().is_some() || parsed.fragment().is_some() => {
                check.error(&at, "the registry's URL has no query and no fragment");
            }
            Ok(_) => good.push(url.trim_end_matches('/').to_owned()),
            Err(error) => check.error(&at, format!("this is no URL: {error}")),
        }
    }
    (good.len() == urls.len()).then_some(good)
}

fn credentials(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawRegistry,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Credentials> {
    let mut read = |key: &str, reference: Option<&RawSecret>| match reference {
        None => Some(None),
        Some(reference) => match secret::read(reference, env) {
            Ok(secret) => Some(Some(secret)),
            Err(fault) => {
                check.error_with(&path.key(key), fault);
                None
            }
        },
    };
    let (password, token) = (read("password", raw.password.as_ref()), read("token", raw.token.as_ref()));
    let (password, token) = (password?, token?);
    match (&raw.username, password, token) {
        (None, None, None) => Some(Credentials::None),
        (Some(name), password, None) => Some(Credentials::Basic(name.clone(), password)),
        (None, None, Some(token)) => Some(Credentials::Bearer(token)),
        (None, Some(_), None) => {
            check.missing(path, "username", "a password goes with a user's name");
            None
        }
        _ => {
            check.error(path, "either `username` and `password`, or `token`");
            None
        }
    }
}

fn identity(check: &mut Checker<'_>, path: &Path, raw: &RawRegistry) -> Option<Option<Pem>> {
    match (raw.cert_file.as_deref(), raw.key_file.as_deref()) {
        (None, None) => Some(None),
        (Some(certificate), Some(key)) => {
            let certificate = pem(check, &path.key("cert_file"), certificate);
            let key = pem(check, &path.key("key_file"), key);
            Some(Some(Pem { certificate: certificate?, key: Zeroizing::new(key?) }))
        }
        _ => {
            check.error(path, "`cert_file` and `key_file` go together");
            None
        }
    }
}

fn pem(check: &mut Checker<'_>, path: &Path, file: &str) -> Option<Vec<u8>> {
    match secret::read(&RawSecret { env: None, file: Some(file.to_owned()) }, &|_| None) {
        Ok(pem) if pem.contains("-----BEGIN ") => Some(pem.as_bytes().to_vec()),
        Ok(_) => {
            let hint = "it begins with `-----BEGIN`; convert it with openssl".to_owned();
            check.error_with(path, (format!("{file} is no PEM"), hint));
            None
        }
        Err((why, hint)) => {
            check.error_with(path, (why.replacen("the secret's file", "the file", 1), hint));
            None
        }
    }
}
