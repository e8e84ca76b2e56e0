//! What a checked configuration does not keep: the secrets' texts, and a scheme's content as it is written.
//!
//! Takes the file, once more. Gives [`Disclosed`] for each of its sources, for `explain` alone, which tries secrets
//! in other forms than the configured one. Nothing here is ever shown, and the texts are wiped when dropped.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::diagnostic::Diagnostics;
use super::document::Document;
use super::raw::{RawConfig, RawProviderRef, RawSource};
use super::{Config, LoadError, load, preset, secret, yaml};
use crate::signature::Account;

/// A source's secrets, and what else its scheme was made of.
pub(crate) struct Disclosed {
    /// The source's name.
    pub(crate) source: String,
    /// The secrets' texts, in the order of the file. Of a disabled source, those that can be read.
    pub(crate) secrets: Vec<Zeroizing<String>>,
    /// What the source says about itself.
    pub(crate) account: Account,
    /// The template of what is signed, before the account was filled in.
    pub(crate) content: Option<String>,
}

/// Reads and checks the configuration in `file`, and keeps the texts of its secrets.
///
/// # Errors
/// See [`LoadError`].
pub(crate) fn load_disclosed(file: &Path) -> Result<(Config, Vec<Disclosed>), LoadError> {
    let config = load(file)?;
    let unreadable = |source| LoadError::Unreadable { file: file.display().to_string(), source };
    let mut text = String::new();
    let limit = yaml::MAX_DOCUMENT_BYTES as u64;
    std::fs::File::open(file)
        .and_then(|file| file.take(limit).read_to_string(&mut text))
        .map_err(unreadable)?;
    // The faults have been reported by `load`.
    let mut faults = Diagnostics::default();
    let raw = Document::parse(&text, &mut faults).map(|mut document| document.read::<RawConfig>(&mut faults));
    let sources = raw.map(|raw| raw.sources).unwrap_or_default();
    Ok((config, sources.iter().map(|(name, raw)| Disclosed::of(name, raw)).collect()))
}

impl Disclosed {
    fn of(name: &str, raw: &RawSource) -> Self {
        let env = |name: &str| std::env::var(name).ok();
        let references = raw.secrets.as_deref().unwrap_or_default();
        let provider = match &raw.provider {
            Some(RawProviderRef::Preset(name)) => preset::find(name).ok(),
            Some(RawProviderRef::Inline(provider)) => preset::complete(provider.as_ref().clone()).ok(),
            None => None,
        };
        Self {
            source: name.to_owned(),
            secrets: references
                .iter()
                .filter_map(|reference| secret::read(&reference.reference(), &env).ok())
                .collect(),
            account: Account { public_url: raw.public_url.clone(), parameters: raw.parameters.clone() },
            content: provider.and_then(|provider| provider.signature?.content),
        }
    }
}

impl fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disclosed({}, [REDACTED])", self.source)
    }
}
