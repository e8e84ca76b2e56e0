//! What a source says about itself: the URL that its provider posts to, and values of the account with it.
//!
//! Takes a [`RawSource`]. Gives [`Account`], which schemes sign and handshakes answer.

use super::checker::Checker;
use super::diagnostic::Path;
use super::raw::RawSource;
use crate::signature::Account;

/// A URL is no longer than proxies take.
const MAX_URL_OCTETS: usize = 2048;
/// A parameter's name, and far more than any account's number.
const MAX_NAME_OCTETS: usize = 64;
const MAX_PARAMETER_OCTETS: usize = 1024;

/// Checks what the source that stands at `path` says about itself.
pub(super) fn account(check: &mut Checker<'_>, path: &Path, raw: &RawSource) -> Account {
    Account { public_url: public_url(check, path, raw), parameters: parameters(check, path, raw) }
}

/// Handshakes and signatures are made over it, octet for octet, the query included.
fn public_url(check: &mut Checker<'_>, path: &Path, raw: &RawSource) -> Option<String> {
    let url = raw.public_url.as_ref()?;
    let is_whole = url.parse::<http::Uri>().is_ok_and(|uri| {
        let host = uri.authority().is_some_and(|host| !host.as_str().contains('@'));
        matches!(uri.scheme_str(), Some("https" | "http")) && host
    });
    if !is_whole || url.contains('#') || url.len() > MAX_URL_OCTETS {
        let message = format!("`{}` is no whole URL", url.escape_debug());
        let hint =
            "write it as you have told it the provider, such as `https://hooks.example.com/webhooks/ebay`";
        check.error_with(&path.key("public_url"), (message, hint.to_owned()));
        return None;
    }
    Some(url.clone())
}

fn parameters(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
) -> std::collections::BTreeMap<String, String> {
    for (name, value) in &raw.parameters {
        let at = path.key("parameters").key(name);
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if name.is_empty() || name.len() > MAX_NAME_OCTETS || !name.bytes().all(legal) {
            check.error(&at, "a parameter's name has 1 to 64 letters, digits, `_` and `-`");
        }
        let visible = |c: char| !c.is_control();
        if value.is_empty() || value.len() > MAX_PARAMETER_OCTETS || !value.chars().all(visible) {
            check.error(&at, "a parameter has 1 to 1024 octets, and no control character");
        }
    }
    raw.parameters.clone()
}
