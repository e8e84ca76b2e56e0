//! Is this request the handshake?
//!
//! Takes what a provider's file says of a handshake, and a request. Gives yes, no, or that it would be the
//! handshake if it brought the source's token.

use std::borrow::Cow;

use http::HeaderName;

use super::Refusal;
use super::request::{Places, Request};
use super::token::Token;
use crate::json::{Pointer, Value};

/// What is asked of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is this text, or this number.
    Is(String),
    /// It is there and not empty.
    Present,
    /// It is not there, or empty.
    Absent,
    /// It is the source's `handshake_token`.
    Token,
}

/// How a handshake is known. All must hold.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Of parameters of the query string.
    pub query: Vec<(String, Test)>,
    /// Of headers.
    pub headers: Vec<(HeaderName, Test)>,
    /// Of places in the body.
    pub json: Vec<(Pointer, Test)>,
}

/// What a request is to a handshake. The least of several is what holds of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Another request.
    Other,
    /// The handshake, but for the token.
    WrongToken,
    /// The handshake.
    Same,
}

impl Conditions {
    /// Every test there is.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        let query = self.query.iter().map(|(_, test)| test);
        let headers = self.headers.iter().map(|(_, test)| test);
        query.chain(headers).chain(self.json.iter().map(|(_, test)| test))
    }

    /// Whether the head is that of the handshake: if not, the body need not be looked at. What is wrong with a
    /// value counts only if everything else is the handshake's.
    pub(super) fn of_head(
        &self,
        request: &Request<'_>,
        token: Option<&Token>,
    ) -> (Likeness, Option<Refusal>) {
        let query = self.query.iter().map(|(name, test)| (test, request.query(name)));
        let header = |name| request.header(name).map(|value| value.map(Cow::Borrowed));
        let headers = self.headers.iter().map(|(name, test)| (test, header(name)));
        let (mut likeness, mut refusal) = (Likeness::Same, None);
        for (test, value) in query.chain(headers) {
            match value {
                Ok(value) => likeness = likeness.min(test.of_text(value.as_deref(), token)),
                Err(why) => refusal = Some(why),
            }
        }
        (likeness, refusal)
    }

    /// Whether the body is that of the handshake.
    pub(super) fn of_body(&self, places: &Places<'_, '_>, token: Option<&Token>) -> Likeness {
        let of_one = |(pointer, test): &(Pointer, Test)| match (places.get(pointer), test) {
            (None, test) => test.of_text(None, token),
            (Some(Value::Text(text)), test) => test.of_text(Some(text), token),
            (Some(Value::Number(text)), test) => test.of_text(Some(text), token),
            // A boolean, a list or an object is there, and equals no text.
            (Some(Value::Null | Value::Other), Test::Present) => Likeness::Same,
            (Some(Value::Null | Value::Other), Test::Is(_) | Test::Absent) => Likeness::Other,
            (Some(Value::Null | Value::Other), Test::Token) => Likeness::WrongToken,
        };
        self.json.iter().map(of_one).min().unwrap_or(Likeness::Same)
    }
}

impl Test {
    fn of_text(&self, value: Option<&str>, token: Option<&Token>) -> Likeness {
        let holds = match (self, value) {
            (Self::Is(wanted), value) => value == Some(wanted),
            (Self::Present, value) => value.is_some(),
            (Self::Absent, value) => value.is_none(),
            (Self::Token, Some(value)) if token.is_some_and(|token| token.is(value)) => true,
            (Self::Token, _) => return Likeness::WrongToken,
        };
        if holds { Likeness::Same } else { Likeness::Other }
    }
}
