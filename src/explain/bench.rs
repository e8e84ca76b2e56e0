//! The bench: would the request be genuine, if this were otherwise?
//!
//! Takes what is otherwise: other secrets, another request, another scheme. Asks the engine that `serve` asks, with
//! the clock set to the request's own time. Every question is counted, and there is an end to them.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use zeroize::Zeroizing;

use super::capture::Capture;
use super::cause::Cause;
use crate::signature::key::{KeyFormat, KeyUse};
use crate::signature::{Key, Message, Scheme, SignatureError, UnixSeconds};

/// Signatures that are computed for one request, at most.
const MAX_COMPUTED: usize = 20_000;
/// A public-key signature costs as much as this many MACs of a small body.
const PUBLIC_KEY_COST: usize = 100;

/// A secret in some form.
#[derive(Clone)]
pub(crate) struct SecretForm {
    /// The text.
    pub(crate) text: Zeroizing<String>,
    /// How it is to be read; as the scheme says, if this is absent.
    pub(crate) format: Option<KeyFormat>,
}

/// Makes another body; nothing, where it does not apply.
pub(crate) type BodyChange = Box<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

/// What would be otherwise.
pub(crate) enum Otherwise {
    /// These secrets, and no others.
    Secrets(Vec<SecretForm>),
    /// Another body.
    Body(BodyChange),
    /// Another head.
    Request(Box<Capture>),
    /// Another scheme.
    Scheme(Box<Scheme>),
    /// Another scheme, and another head.
    SchemeAndRequest(Box<Scheme>, Box<Capture>),
}

/// A known mistake: if this were otherwise, would the request be genuine?
pub(crate) struct Hypothesis {
    /// What it would be called.
    pub(crate) cause: Cause,
    /// What would have happened, as a clause.
    pub(crate) text: String,
    /// What would be otherwise.
    pub(crate) otherwise: Otherwise,
}

impl Hypothesis {
    pub(crate) fn new(cause: Cause, text: impl Into<String>, otherwise: Otherwise) -> Self {
        Self { cause, text: text.into(), otherwise }
    }

    /// Of this body.
    pub(crate) fn body(
        cause: Cause,
        text: impl Into<String>,
        change: impl Fn(&[u8]) -> Option<Vec<u8>> + 'static,
    ) -> Self {
        Self::new(cause, text, Otherwise::Body(Box::new(change)))
    }

    /// Of this head.
    pub(crate) fn request(cause: Cause, text: impl Into<String>, capture: Capture) -> Self {
        Self::new(cause, text, Otherwise::Request(Box::new(capture)))
    }

    /// Of this scheme.
    pub(crate) fn scheme(cause: Cause, text: impl Into<String>, scheme: Scheme) -> Self {
        Self::new(cause, text, Otherwise::Scheme(Box::new(scheme)))
    }
}

/// One request, and how many questions about it are left.
pub(crate) struct Bench<'a> {
    scheme: Scheme,
    secrets: Vec<SecretForm>,
    capture: &'a Capture,
    at: UnixSeconds,
    left: Cell<usize>,
    tried: Cell<usize>,
    out_of_time: &'a dyn Fn() -> bool,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        scheme: &Scheme,
        secrets: &[Zeroizing<String>],
        capture: &'a Capture,
        at: UnixSeconds,
        out_of_time: &'a dyn Fn() -> bool,
    ) -> Self {
        let as_is = |text: &Zeroizing<String>| SecretForm { text: text.clone(), format: None };
        Self {
            scheme: at_any_time(scheme),
            secrets: secrets.iter().map(as_is).collect(),
            capture,
            at,
            left: Cell::new(MAX_COMPUTED),
            tried: Cell::new(0),
            out_of_time,
        }
    }

    /// Whether there is an end to the questions.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.left.get() == 0 || (self.out_of_time)()
    }

    /// How many questions have been asked.
    pub(crate) fn tried(&self) -> usize {
        self.tried.get()
    }

    /// Which secret proves the request as it is, at its own time.
    pub(crate) fn as_it_is(&self) -> Option<usize> {
        self.asks(&self.scheme, &self.secrets, self.capture)
    }

    /// The request as it would have been, if it is genuine with all of `otherwise`.
    pub(crate) fn proves(&self, otherwise: &[&Otherwise]) -> Option<Capture> {
        // To make another body costs time, too.
        if self.is_exhausted() {
            return None;
        }
        let mut scheme = Cow::Borrowed(&self.scheme);
        let mut secrets = self.secrets.as_slice();
        let mut capture = Cow::Borrowed(self.capture);
        // A head is put in place before the body is changed in it.
        for one in otherwise {
            match one {
                Otherwise::Secrets(forms) => secrets = forms,
                Otherwise::Scheme(other) => scheme = Cow::Owned(at_any_time(other)),
                Otherwise::Request(other) => capture = Cow::Borrowed(other),
                Otherwise::SchemeAndRequest(other, request) => {
                    scheme = Cow::Owned(at_any_time(other));
                    capture = Cow::Borrowed(request);
                }
                Otherwise::Body(_) => {}
            }
        }
        for one in otherwise {
            if let Otherwise::Body(change) = one {
                let body = change(&capture.body).filter(|body| *body != capture.body)?;
                capture.to_mut().body = body.into();
            }
        }
        self.asks(&scheme, secrets, &capture).map(|_| capture.into_owned())
    }

    fn asks(&self, scheme: &Scheme, secrets: &[SecretForm], capture: &Capture) -> Option<usize> {
        if self.is_exhausted() {
            return None;
        }
        let keys: Vec<(usize, Key)> = secrets
            .iter()
            .enumerate()
            .filter_map(|(index, secret)| Some((index, key(scheme, secret)?)))
            .collect();
        let cost: usize = secrets.iter().map(|secret| cost(scheme, secret)).sum();
        self.left.set(self.left.get().saturating_sub(cost));
        self.tried.set(self.tried.get() + 1);
        if keys.is_empty() {
            return None;
        }
        let message =
            Message { headers: &capture.headers, query: capture.query.as_deref(), body: &capture.body };
        let verify = |at| scheme.verify(keys.iter().map(|(_, key)| key), &message, at);
        // A token has bounds of its own, which the tolerance does not widen.
        let found = match verify(self.at) {
            Err(SignatureError::TimestampOutsideTolerance { signed, .. }) => verify(signed),
            found => found,
        };
        keys.get(found.ok()?).map(|(index, _)| *index)
    }
}

fn key(scheme: &Scheme, secret: &SecretForm) -> Option<Key> {
    match (&secret.format, scheme.variants.first()) {
        (Some(format), Some(variant)) => Key::parse(&secret.text, format, variant.key_use).ok(),
        _ => scheme.key(&secret.text).ok(),
    }
}

/// What one question to a secret costs, in MACs.
fn cost(scheme: &Scheme, secret: &SecretForm) -> usize {
    let is_of = |prefix: &str| secret.text.starts_with(prefix);
    let own = scheme.variants.iter().find(|variant| variant.secret_prefix.as_deref().is_some_and(is_of));
    match own.or(scheme.variants.first()).map(|variant| variant.key_use) {
        Some(KeyUse::Public(_)) => PUBLIC_KEY_COST,
        _ => 1,
    }
}

/// The scheme, content with any signed time: how far it is from the clock is another question.
pub(crate) fn at_any_time(scheme: &Scheme) -> Scheme {
    let mut scheme = scheme.clone();
    if let Some(rule) = &mut scheme.timestamp {
        rule.tolerance = Duration::from_secs(u64::MAX);
    }
    scheme
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::catalogue;

    #[test]
    fn there_is_an_end_to_the_questions() {
        let scheme = catalogue::named("generic-hex").unwrap().scheme.unwrap();
        let secrets = [Zeroizing::new("a secret of some length".to_owned())];
        let mut capture = Capture::parse(b"x-webhook-signature: 00").unwrap();
        capture.body = "body".into();
        let at = UnixSeconds(0);
        let late = Bench::new(&scheme, &secrets, &capture, at, &|| true);
        let never = Otherwise::Body(Box::new(|_| panic!("nothing is made when there is no time left")));
        assert!(late.proves(&[&never]).is_none() && late.is_exhausted() && late.tried() == 0);

        let bench = Bench::new(&scheme, &secrets, &capture, at, &|| false);
        let other = Otherwise::Body(Box::new(|body| Some([body, b"!"].concat())));
        while !bench.is_exhausted() {
            assert!(bench.proves(&[&other]).is_none());
        }
        assert_eq!(bench.tried(), MAX_COMPUTED);
    }
}
