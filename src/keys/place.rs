//! Which key does a request name, and may it?
//!
//! Takes a request, not yet verified. Gives the URL of the key, of a host and a path that the provider's file names,
//! or refuses. URLs are compared in the one spelling that providers write: nothing is decoded, and what two readers
//! could understand differently (user-info, ports, escapes, dots for a parent) is refused.

use http::HeaderName;

use crate::json::Pointer;
use crate::signature::{Message, SignatureError, ebay, jwt};

/// The longest URL that a request may name, in octets.
const MAX_URL_OCTETS: usize = 2048;

/// The longest name of a key, in octets.
const MAX_KEY_ID_OCTETS: usize = 128;

/// What stands in a fixed URL for the key's name.
pub const KEY_ID: &str = "{kid}";

/// Where a provider's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The request names the whole URL.
    Named {
        /// Where.
        by: NamedBy,
        /// Which URLs it may name.
        allowed: Allowed,
    },
    /// The provider's file names the URL, and the request the key.
    Fixed {
        /// The URL; [`KEY_ID`] in it stands for the key's name.
        url: PinnedUrl,
        /// Where the key's name stands.
        key_id: KeyIdIn,
    },
}

/// Where a request names the URL of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedBy {
    /// In a header.
    Header(HeaderName),
    /// In the body.
    Json(Pointer),
}

/// Where a request names the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyIdIn {
    /// In the header of the JSON Web Token in this header.
    Jwt(Vec<HeaderName>),
    /// In the JSON of eBay's signature in this header.
    Ebay(Vec<HeaderName>),
}

/// The key that a request names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Where it is.
    pub url: PinnedUrl,
    /// Its name, where the URL has none.
    pub key_id: Option<String>,
}

/// A URL that may be asked: https, and of a host that the provider's file names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PinnedUrl(String);

/// Hosts and a path, of which a request may name one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The hosts. Never empty.
    pub hosts: Vec<Pattern>,
    /// The path.
    pub path: Pattern,
}

/// What stands in a host for the name of one of Amazon's regions. Not every name there is one of them: buckets, whose
/// names and contents are their owners', are at `NAME.s3.amazonaws.com` and `NAME.s3-REGION.amazonaws.com`.
pub const REGION: &str = "{region}";

/// A text in which one thing may stand open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    /// What stands open, and what comes after it.
    open: Option<(Open, String)>,
}

/// What may stand where a pattern is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `*` in a host: letters, digits and `-`.
    Label,
    /// [`REGION`] in a host, such as `us-east-1` and `us-gov-west-1`.
    Region,
    /// `*` in a path: letters, digits, `-`, `_` and `.`, but no two dots together.
    Path,
}

impl PinnedUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a URL in the configuration, in which [`KEY_ID`] may stand once in the path.
    ///
    /// # Errors
    /// A sentence.
    pub fn fixed(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` must be `https://`, a host's name without a port, and a path");
        let (host, path) = split(text).ok_or_else(wrong)?;
        Pattern::host(host)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        if host.contains('*') || path.contains("..") || !path.replacen(KEY_ID, "", 1).chars().all(legal) {
            return Err(wrong());
        }
        Ok(Self(text.to_owned()))
    }

    /// For tests of what comes after.
    #[cfg(test)]
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn with_key_id(&self, key_id: String) -> Wanted {
        match self.0.contains(KEY_ID) {
            true => Wanted { url: Self(self.0.replace(KEY_ID, &key_id)), key_id: Some(key_id) },
            false => Wanted { url: self.clone(), key_id: Some(key_id) },
        }
    }
}

impl Pattern {
    /// A host: a name in lower case, in which one label, but none of the last two, may be `*` or [`REGION`].
    ///
    /// # Errors
    /// A sentence.
    pub fn host(text: &str) -> Result<Self, String> {
        let labels: Vec<&str> = text.split('.').collect();
        let open = |label: &&str| ["*", REGION].contains(label);
        let legal = |label: &&str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            !label.is_empty() && label.len() <= 63 && (open(label) || label.chars().all(plain))
        };
        let (_, domain) = labels.split_at(labels.len().saturating_sub(2));
        let is_name = labels.last().is_some_and(|last| last.chars().all(|c| c.is_ascii_lowercase()));
        if labels.len() < 2 || !labels.iter().all(legal) || !is_name || domain.iter().any(open) {
            return Err(format!(
                "`{text}` is no host: a name in lower case, in which `*` or `{REGION}` may stand for one of the first labels"
            ));
        }
        match text.contains(REGION) {
            true => Self::with(text, REGION, Open::Region),
            false => Self::with(text, "*", Open::Label),
        }
    }

    /// A path.
    ///
    /// # Errors
    /// A sentence.
    pub fn path(text: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "/-._~*".contains(c);
        if !text.starts_with('/') || text.contains("..") || !text.chars().all(legal) {
            return Err(format!("`{text}` is no path: it begins with `/`, and may have one `*`"));
        }
        Self::with(text, "*", Open::Path)
    }

    fn with(text: &str, mark: &str, open: Open) -> Result<Self, String> {
        let (before, after) = match text.split_once(mark) {
            None => (text, None),
            Some((before, after)) => (before, Some(after)),
        };
        if [before, after.unwrap_or_default()].iter().any(|rest| rest.contains(['*', '{'])) {
            return Err(format!("`{text}` has more than one `*` or `{REGION}`"));
        }
        Ok(Self { before: before.to_owned(), open: after.map(|after| (open, after.to_owned())) })
    }

    fn matches(&self, text: &str) -> bool {
        let Some((open, after)) = &self.open else { return text == self.before };
        let between =
            text.strip_prefix(self.before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
        between.is_some_and(|between| open.takes(between))
    }
}

impl Open {
    fn takes(self, text: &str) -> bool {
        let plain = |more: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || more.contains(c))
        };
        match self {
            Self::Label => plain(""),
            Self::Region => is_region(text),
            Self::Path => plain("_.") && !text.contains(".."),
        }
    }
}

/// Two letters for the part of the world, words, and a number.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [world, words @ .., number] = parts.as_slice() else { return false };
    let word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    world.len() == 2 && word(world) && !words.is_empty() && words.iter().all(word) && is_number
}

impl Allowed {
    /// The URL of a key, if it is one of those that are allowed.
    #[must_use]
    pub fn key(&self, url: &str) -> Option<PinnedUrl> {
        let (host, path) = split(url)?;
        (self.has(host) && self.path.matches(path)).then(|| PinnedUrl(url.to_owned()))
    }

    /// A URL of an allowed host that does what `action` says: `/?Action=` and it are what it begins with.
    #[must_use]
    pub fn action(&self, url: &str, action: &str) -> Option<PinnedUrl> {
        let (host, target) = split(url)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~:/?&=%+".contains(c);
        let query = target.strip_prefix("/?Action=")?.strip_prefix(action)?.strip_prefix('&')?;
        (self.has(host) && query.chars().all(legal)).then(|| PinnedUrl(url.to_owned()))
    }

    fn has(&self, host: &str) -> bool {
        let lower = host.chars().all(|c| !c.is_ascii_uppercase());
        lower && self.hosts.iter().any(|pattern| pattern.matches(host))
    }
}

/// The host and what follows it. Anything but a name before the first `/` is left for the host's pattern to refuse.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://").filter(|_| url.len() <= MAX_URL_OCTETS)?;
    Some(rest.split_at(rest.find('/')?))
}

impl Place {
    /// The key that a request names.
    ///
    /// # Errors
    /// [`SignatureError::Missing`] and [`SignatureError::Repeated`] of the name, [`SignatureError::Malformed`] for
    /// one that is not allowed.
    pub fn wanted(&self, message: &Message<'_>) -> Result<Wanted, SignatureError> {
        match self {
            Self::Named { by, allowed } => {
                let refused = || {
                    SignatureError::Malformed("the URL of the key is not one of those that the provider has")
                };
                let url = by.read(message)?;
                let url = allowed.key(&url).ok_or_else(refused)?;
                Ok(Wanted { url, key_id: None })
            }
            Self::Fixed { url, key_id } => Ok(url.with_key_id(key_id.read(message)?)),
        }
    }

    /// The header that names the URL of the key, if one does.
    #[must_use]
    pub fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Named { by: NamedBy::Header(name), .. } => Some(name),
            _ => None,
        }
    }

    /// What a request may name, where it names the URL.
    #[must_use]
    pub fn allowed(&self) -> Option<&Allowed> {
        match self {
            Self::Named { allowed, .. } => Some(allowed),
            Self::Fixed { .. } => None,
        }
    }
}

impl NamedBy {
    fn read(&self, message: &Message<'_>) -> Result<String, SignatureError> {
        match self {
            Self::Header(name) => {
                let value = message.header(std::slice::from_ref(name), &mut None)?;
                let text = std::str::from_utf8(value);
                text.map(str::to_owned)
                    .map_err(|_| SignatureError::Malformed("the URL of the key is no text"))
            }
            Self::Json(pointer) => {
                let value = message.json(&[pointer])?.into_iter().next().flatten();
                let missing =
                    || SignatureError::Missing(format!("the URL of the key, {pointer} in the body,"));
                value.map(|url| url.into_owned()).ok_or_else(missing)
            }
        }
    }
}

impl KeyIdIn {
    fn read(&self, message: &Message<'_>) -> Result<String, SignatureError> {
        let key_id = match self {
            // What may stand before it, such as `Bearer`, ends with a space, and a token has none.
            Self::Jwt(names) => {
                let value = message.header(names, &mut None)?;
                value.rsplit(|octet| *octet == b' ').next().and_then(jwt::key_id)
            }
            Self::Ebay(names) => Some(ebay::read(message.header(names, &mut None)?)?.kid.into_owned()),
        };
        // It becomes a part of a URL.
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        key_id
            .filter(|id| !id.is_empty() && id.len() <= MAX_KEY_ID_OCTETS && id.chars().all(legal))
            .ok_or(SignatureError::Malformed("the signature names no key, or one by an impossible name"))
    }
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
