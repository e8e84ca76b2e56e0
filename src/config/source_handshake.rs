//! What a source must bring for its provider's handshakes.
//!
//! Takes a [`RawSource`] and its provider's handshakes. Gives [`Handshakes`], or every reason why they can't be
//! answered.

use super::checker::Checker;
use super::diagnostic::Path;
use super::provider::ProviderFile;
use super::raw::RawSource;
use super::secret;
use crate::handshake::{Handshake, Handshakes, Token, Value};

/// A token that is shorter can be found by trying.
const SHORT_TOKEN_OCTETS: usize = 16;

/// How to do without.
const OFF: &str = "or say `handshake: false`, if the provider's handshake is not wanted";

/// Checks the handshakes of the source that stands at `path`.
pub(super) fn of_source(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
    file: &ProviderFile,
    env: &dyn Fn(&str) -> Option<String>,
) -> Handshakes {
    let shows = raw.show_offered_secret == Some(true);
    if raw.handshake == Some(false) {
        if shows {
            let message = "`handshake: false` answers nothing: take out one of them";
            check.error(&path.key("show_offered_secret"), message);
        }
        return Handshakes::default();
    }
    let list = &file.handshakes;
    let token = token(check, path, raw, list.iter().any(Handshake::needs_token), env);
    needs(check, path, raw, list);
    if list.iter().any(Handshake::signs_tokens) && raw.danger_accept_unsigned == Some(true) {
        let hint = OFF.trim_start_matches("or ").to_owned();
        let message =
            "the provider's handshake is answered with a signature, and there is no secret".to_owned();
        check.error_with(&path.key("danger_accept_unsigned"), (message, hint));
    }
    // The rule that no token is an event looks at the body. Of a hash of the body, which is a token itself, it
    // would know nothing.
    let is_verbatim = file.scheme.as_ref().is_none_or(|scheme| scheme.signs_verbatim_body());
    if list.iter().any(Handshake::signs_tokens) && !is_verbatim {
        let message =
            "a handshake that is answered with a signature needs a scheme that signs `{body}` itself";
        check.error(&path.key("provider"), message);
    }
    match (&file.offer, shows) {
        (None, true) => {
            let message = "the provider's first request brings no secret: take it out";
            check.error(&path.key("show_offered_secret"), message);
        }
        (Some(_), true) if raw.danger_accept_unsigned == Some(true) => {
            let message = "a source with `danger_accept_unsigned: true` has no use for a secret";
            check.error(&path.key("show_offered_secret"), message);
        }
        (Some(_), true) => {
            let message = "a secret that any request brings is shown on standard output".to_owned();
            let hint = "store the secret, refer to it in `secrets`, and take `show_offered_secret` out";
            check.warn(&path.key("show_offered_secret"), message, hint);
        }
        _ => {}
    }
    Handshakes::new(list.clone(), token, file.offer.clone().map(|offer| (offer, shows)))
}

fn token(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawSource,
    is_needed: bool,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Token> {
    let at = path.key("handshake_token");
    match (&raw.handshake_token, is_needed) {
        (None, false) => None,
        (None, true) => {
            let hint =
                format!("write `handshake_token: {{ env: NAME }}`, as you have told it the provider; {OFF}");
            check.missing(path, "handshake_token", &hint);
            None
        }
        (Some(_), false) => {
            let message = "no handshake of the provider uses a token".to_owned();
            check.warn(&at, message, "take it out");
            None
        }
        (Some(reference), true) => match secret::read(reference, env) {
            Err(fault) => {
                check.error_with(&at, fault);
                None
            }
            Ok(text) => {
                if text.len() < SHORT_TOKEN_OCTETS {
                    let message = format!("the token has less than {SHORT_TOKEN_OCTETS} octets");
                    check.warn(&at, message, "a longer one can't be found by trying");
                }
                Some(Token::new(text))
            }
        },
    }
}

/// What the answers are made of must be configured.
fn needs(check: &mut Checker<'_>, path: &Path, raw: &RawSource, list: &[Handshake]) {
    let mut values = Vec::new();
    for handshake in list {
        handshake.answer.visit(&mut |value| values.push(value));
    }
    if values.contains(&&Value::PublicUrl) && raw.public_url.is_none() {
        let hint = format!("the https URL that the provider's handshake is sent to; {OFF}");
        check.missing(path, "public_url", &hint);
    }
    for value in values {
        if let Value::Parameter(name) = value
            && !raw.parameters.contains_key(name)
        {
            let hint = format!("the provider's handshake is answered with it; {OFF}");
            check.missing(&path.key("parameters"), name, &hint);
        }
    }
}
