//! Handshakes: requests by which a provider sees who answers at a URL. They bring no event.
//!
//! Takes a request's query, headers and body, what a provider's file says of its handshakes, and what the source
//! has configured. Gives the answer, or that the request is no handshake, or why it is one that can't be answered.
//! Pure: no I/O, no clock. When it is asked, and what may come of it, is left to [`crate::pipeline::handshake`].

pub mod answer;
pub mod condition;
pub mod offer;
mod request;
pub mod token;
pub mod value;

use http::{HeaderValue, Method};

pub use answer::{Answer, SuccessStatus, Template};
pub use condition::{Conditions, Test};
pub use offer::{Offer, OfferPlace, OfferedSecret};
pub use request::Request;
pub use token::Token;
pub use value::{Facts, Value};

use crate::json::Pointer;
use condition::Likeness;
use request::Places;

/// One handshake, as a provider's file describes it.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// How it is asked.
    pub asked: Asked,
    /// How it is known.
    pub conditions: Conditions,
    /// What is answered.
    pub answer: Template,
    /// The places of the body that conditions and answer look at, each once.
    pub pointers: Vec<Pointer>,
}

/// How a handshake is asked, and so when it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// With GET. The body is not read.
    Get,
    /// With HEAD.
    Head,
    /// With OPTIONS. The body is not read.
    Options,
    /// With POST.
    Post {
        /// Answered only after its signature has been verified.
        verified: bool,
    },
}

impl Asked {
    /// In words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post { verified: true } => "POST, once verified",
            Self::Post { verified: false } => "POST, signed or not",
        }
    }

    /// The ways in which `handshakes` are asked, in words, each once.
    #[must_use]
    pub fn kinds(handshakes: &[Handshake]) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for handshake in handshakes {
            let kind = handshake.asked.describe();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }
}

/// The methods, other than POST, that a source answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Methods {
    get: bool,
    head: bool,
    options: bool,
}

/// Why a handshake is not answered. Names come from the provider's file, and nothing from the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It brings another token than the source's.
    #[error("the handshake does not bring the source's `handshake_token`")]
    WrongToken,
    /// A value that is looked at is given more than once.
    #[error("the handshake's {0} is given more than once")]
    Repeated(String),
    /// A value of the answer can't be made.
    #[error("the handshake's {place} {why}")]
    Unusable {
        /// Which value.
        place: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It asks for a signature over something that could be an event.
    #[error(
        "the handshake asks for a signature over what is no token (1 to 256 letters, digits and `-._~`): it could be an event"
    )]
    NotAToken,
}

/// What a source answers.
#[derive(Debug, Default)]
pub struct Handshakes {
    list: Vec<Handshake>,
    token: Option<Token>,
    offer: Option<Offer>,
    shows_offered_secret: bool,
    signs_tokens: bool,
}

impl Asked {
    /// How a request of this method asks, if handshakes do.
    fn with(method: &Method) -> Option<Self> {
        Some(match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::OPTIONS => Self::Options,
            _ => return None,
        })
    }
}

impl Methods {
    /// For the header `Allow`.
    #[must_use]
    pub fn allow(self) -> HeaderValue {
        HeaderValue::from_static(match (self.get, self.head, self.options) {
            (false, false, false) => "POST",
            (true, false, false) => "GET, POST",
            (false, true, false) => "HEAD, POST",
            (true, true, false) => "GET, HEAD, POST",
            (false, false, true) => "OPTIONS, POST",
            (true, false, true) => "GET, OPTIONS, POST",
            (false, true, true) => "HEAD, OPTIONS, POST",
            (true, true, true) => "GET, HEAD, OPTIONS, POST",
        })
    }
}

impl Handshake {
    /// Judges one request. `None`: it is another.
    fn judge(&self, request: &Request<'_>, facts: &Facts<'_>) -> Result<Option<Answer>, Refusal> {
        let (head, fault) = self.conditions.of_head(request, facts.token);
        if head == Likeness::Other {
            return Ok(None);
        }
        let Some(places) = Places::scan(request.body, &self.pointers) else { return Ok(None) };
        match head.min(self.conditions.of_body(&places, facts.token)) {
            Likeness::Other => Ok(None),
            Likeness::WrongToken => Err(fault.unwrap_or(Refusal::WrongToken)),
            Likeness::Same => match fault {
                Some(fault) => Err(fault),
                None => self.answer.fill(request, &places, facts).map(Some),
            },
        }
    }

    /// Whether the answer is an HMAC with the source's key.
    #[must_use]
    pub fn signs_tokens(&self) -> bool {
        let mut signs = false;
        self.answer.visit(&mut |value| signs |= matches!(value, Value::Hmac(..)));
        signs
    }

    /// Whether it needs the source's `handshake_token`.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        let mut needs = self.conditions.tests().any(|test| *test == Test::Token);
        self.answer.visit(&mut |value| needs |= *value == Value::Token);
        needs
    }
}

impl Handshakes {
    /// What a source answers.
    #[must_use]
    pub fn new(list: Vec<Handshake>, token: Option<Token>, offer: Option<(Offer, bool)>) -> Self {
        let signs_tokens = list.iter().any(Handshake::signs_tokens);
        let shows_offered_secret = matches!(offer, Some((_, true)));
        Self { list, token, offer: offer.map(|(offer, _)| offer), shows_offered_secret, signs_tokens }
    }

    /// Whether there is nothing to answer: then nothing is looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.offer.is_none()
    }

    /// Whether it signs tokens for whoever asks. Then no body that could be one is an event.
    #[must_use]
    pub fn signs_tokens(&self) -> bool {
        self.signs_tokens
    }

    /// The methods, other than POST, that are answered.
    #[must_use]
    pub fn methods(&self) -> Methods {
        let has = |asked| self.list.iter().any(|handshake| handshake.asked == asked);
        Methods { get: has(Asked::Get), head: has(Asked::Head), options: has(Asked::Options) }
    }

    /// Whether any handshake is asked with this method, which is not POST.
    #[must_use]
    pub fn has(&self, method: &Method) -> bool {
        let asked = Asked::with(method);
        asked.is_some_and(|asked| self.list.iter().any(|handshake| handshake.asked == asked))
    }

    /// How many there are, by the way in which they are asked.
    #[must_use]
    pub fn list(&self) -> &[Handshake] {
        &self.list
    }

    /// Where the provider's first request holds the secret.
    #[must_use]
    pub fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// Whether such a secret is to be shown.
    #[must_use]
    pub fn shows_offered_secret(&self) -> bool {
        self.shows_offered_secret
    }

    /// The source's `handshake_token`.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Judges a request that is not a POST.
    ///
    /// # Errors
    /// It is a handshake that can't be answered.
    pub fn judge_head(
        &self,
        method: &Method,
        request: &Request<'_>,
        facts: &Facts<'_>,
    ) -> Result<Option<Answer>, Refusal> {
        let asked = Asked::with(method);
        self.judge(|handshake| Some(handshake.asked) == asked, request, facts)
    }

    /// Judges a POST. Before it has been verified only those handshakes count that need no signature.
    ///
    /// # Errors
    /// It is a handshake that can't be answered.
    pub fn judge_post(
        &self,
        is_verified: bool,
        request: &Request<'_>,
        facts: &Facts<'_>,
    ) -> Result<Option<Answer>, Refusal> {
        let counts = |handshake: &Handshake| match handshake.asked {
            Asked::Post { verified } => is_verified || !verified,
            _ => false,
        };
        self.judge(counts, request, facts)
    }

    /// The first that can be answered is; if none, the first reason counts.
    fn judge(
        &self,
        counts: impl Fn(&Handshake) -> bool,
        request: &Request<'_>,
        facts: &Facts<'_>,
    ) -> Result<Option<Answer>, Refusal> {
        let mut refusal = None;
        for handshake in self.list.iter().filter(|handshake| counts(handshake)) {
            match handshake.judge(request, facts) {
                Ok(None) => {}
                Ok(Some(answer)) => return Ok(Some(answer)),
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        refusal.map_or(Ok(None), Err)
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
