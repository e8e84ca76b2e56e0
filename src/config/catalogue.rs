//! Presets outside any configuration.
//!
//! Takes a preset's name. Gives what it says, complete and checked, as it would be checked for a source. A scheme that
//! signs what a source says about itself gets an example of it. Files that a user writes are left to
//! [`super::own_provider`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checker::Checker;
use super::diagnostic::{Diagnostics, Invalid, Path};
use super::document::Document;
use super::preset;
use super::provider::{self, ProviderFile};
use super::raw::RawProvider;
use super::scheme::Binding;
use crate::handshake::{Handshake, Value};
use crate::signature::key::{KeyEncoding, KeyUse};
use crate::signature::scheme::Proof;
use crate::signature::{Account, Content};

/// A provider file, as it stands and as it is understood.
#[derive(Debug)]
pub struct Entry {
    /// The preset's name, or the file's.
    pub name: String,
    /// Everything that the file says, with what it extends filled in.
    pub raw: RawProvider,
    /// What is understood of it.
    pub file: ProviderFile,
    /// What a source has to say about itself, besides its secrets.
    pub needs: Needs,
}

/// What a source has to say about itself, because its provider's scheme signs it, or its handshakes need it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The URL that the provider posts to.
    pub public_url: bool,
    /// Parameters, by name.
    pub parameters: Vec<String>,
    /// The token that the provider's handshakes bring.
    pub handshake_token: bool,
}

impl Needs {
    pub(super) fn of(raw: &RawProvider) -> Self {
        let signature = raw.signature.as_ref();
        let content = signature.and_then(|signature| Content::parse(signature.content.as_deref()?).ok());
        let twilio = signature.is_some_and(|s| s.native == Some(super::raw::RawNative::Twilio));
        let mut parameters: Vec<String> = Vec::new();
        for name in content.iter().flat_map(Content::parameters) {
            if !parameters.iter().any(|other| other == name) {
                parameters.push(name.to_owned());
            }
        }
        let public_url = twilio || content.as_ref().is_some_and(Content::has_url);
        Self { public_url, parameters, handshake_token: false }
    }

    /// With what the provider's handshakes need.
    pub(super) fn and_of(mut self, handshakes: &[Handshake]) -> Self {
        self.handshake_token = handshakes.iter().any(Handshake::needs_token);
        for handshake in handshakes {
            handshake.answer.visit(&mut |value| match value {
                Value::PublicUrl => self.public_url = true,
                Value::Parameter(name) if !self.parameters.contains(name) => {
                    self.parameters.push(name.clone());
                }
                _ => {}
            });
        }
        self
    }

    pub(super) fn example(&self, name: &str) -> Account {
        Account {
            public_url: Some(format!("https://hooks.example.com/webhooks/{name}")),
            parameters: self.parameters.iter().map(|name| (name.clone(), "example".to_owned())).collect(),
        }
    }
}

impl Entry {
    /// A secret made of `text`, written as the provider writes its own; none where the provider alone has the key that
    /// signs.
    pub(crate) fn secret_of(&self, text: &str) -> Option<String> {
        let scheme = self.file.scheme.as_ref()?;
        let variant =
            scheme.variants.first().filter(|variant| !matches!(variant.key_use, KeyUse::Public(_)))?;
        let encoded = match (variant.key_format.encoding, &scheme.proof) {
            (KeyEncoding::Hex, _) => hex::encode(text),
            (KeyEncoding::Base64, _) => STANDARD.encode(text),
            (_, Proof::Basic) => format!("hookbridge:{}", text.replace(' ', "-")),
            (KeyEncoding::Utf8 | KeyEncoding::PublicKey, _) => text.replace(' ', "-"),
        };
        Some(format!("{}{encoded}", variant.key_format.strip_prefix.as_deref().unwrap_or_default()))
    }

    /// The secret of the development source of this preset: well known, and as the provider writes its own. None where the
    /// provider alone can sign.
    pub(crate) fn development_secret(&self) -> Option<String> {
        self.secret_of(&format!("hookbridge development secret for {}", self.name))
    }

    /// What a source could say about itself so that every scheme can be tried, and `send` and `dev` agree on it.
    pub(crate) fn account(&self) -> Account {
        self.needs.example(&self.name)
    }
}

/// The preset called `name`, for those who sign rather than verify.
///
/// # Errors
/// There is no such preset.
pub(crate) fn named(name: &str) -> Result<ProviderFile, String> {
    entry(name).map(|entry| entry.file)
}

/// The preset called `name`, whole.
///
/// # Errors
/// There is no such preset.
pub(crate) fn entry(name: &str) -> Result<Entry, String> {
    let raw = find(name)?;
    let needs = Needs::of(&raw);
    let file = checked(name, &raw, &needs.example(name))?;
    let needs = needs.and_of(&file.handshakes);
    Ok(Entry { name: name.to_owned(), raw, file, needs })
}

/// The preset called `name`, for an account.
///
/// # Errors
/// There is no such preset, or it needs more of the account.
pub(crate) fn for_account(name: &str, account: &Account) -> Result<ProviderFile, String> {
    checked(name, &find(name)?, account)
}

fn find(name: &str) -> Result<RawProvider, String> {
    preset::find(name).map_err(|why| format!("{why}: {}", preset::hint(name)))
}

fn checked(name: &str, raw: &RawProvider, account: &Account) -> Result<ProviderFile, String> {
    let mut faults = Diagnostics::default();
    let empty = Document::parse("", &mut faults).ok_or("an empty document can't be read")?;
    let mut check = Checker::new(&empty, &mut faults);
    let root = Path::root();
    let checked = provider::check(&mut check, &root, name, raw, Some(&Binding { account, at: &root }));
    let (errors, _) = faults.into_sorted();
    match checked {
        Some(checked) if errors.is_empty() => Ok(checked),
        _ => Err(Invalid { file: name.to_owned(), errors, files: Vec::new() }.to_string()),
    }
}
