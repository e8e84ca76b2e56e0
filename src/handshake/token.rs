//! Tokens: the only texts that a handshake signs, and a secret that the operator and the provider share.
//!
//! A handshake that answers with an HMAC signs, with the source's own key, what anybody sends. Without a rule it
//! would sign forged bodies. The rule has two halves, which stand here side by side: what is signed must have the
//! form of a token ([`is_token`]), and nothing that could be signed content of that form is ever accepted as an
//! event ([`may_be_signed_as_token`], asked by [`crate::pipeline::verify`]).

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The longest token, in octets. Providers send 16 to 64.
pub const MAX_TOKEN_OCTETS: usize = 256;

/// Whether a handshake may sign this: 1 to 256 of the characters that RFC 3986 (section 2.3) calls unreserved.
#[must_use]
pub fn is_token(value: &[u8]) -> bool {
    !value.is_empty() && may_be_signed_as_token(value)
}

/// Whether a body is such that signed content which ends with it, or is it, could be a token. The empty body is
/// one: `{timestamp}.{body}` with nothing in the body is still a token.
#[must_use]
pub fn may_be_signed_as_token(body: &[u8]) -> bool {
    body.len() <= MAX_TOKEN_OCTETS
        && body.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'~' | b'-'))
}

/// What the operator has told the provider, so that each knows the other by it: the source's `handshake_token`.
/// It is wiped from memory when dropped, and never shown.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A token of this text.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Whether `other` is it. The time it takes does not tell where they differ.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// For hashing, and for nothing else.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_short_and_has_only_unreserved_characters() {
        for good in ["a", "AZaz09_.~-", &"x".repeat(256)] {
            assert!(is_token(good.as_bytes()), "{good}");
        }
        for bad in ["", "a b", "a=b", "{}", "a/b", "a+b", "\u{e9}", "a\n", "%41", &"x".repeat(257)] {
            assert!(!is_token(bad.as_bytes()), "{bad}");
        }
        assert!(may_be_signed_as_token(b""));
    }

    #[test]
    fn is_compared_whole_and_never_shown() {
        let token = Token::new(Zeroizing::new("correct horse".to_owned()));
        assert!(token.is("correct horse"));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token([REDACTED])");
    }
}
