//! One source's keys: asked for, kept, waited for.
//!
//! Takes the name of a key and a deadline. Gives the key. Whoever asks does so in a task of its own, so that a client
//! that goes away leaves nobody waiting.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use zeroize::Zeroizing;

use super::answer::{self, Form};
use super::cache::{Cache, Look, Sender};
use super::fetch::{FetchError, Fetcher, Question};
use super::place::{PinnedUrl, Place, Wanted};
use crate::allowance::TokenBucket;
use crate::json::Pointer;
use crate::signature::Key;
use crate::signature::public_key::PublicAlgorithm;

/// For a key, the token that it may need, and everything else that has to be asked of a provider for it.
const FETCH_WITHIN: Duration = Duration::from_secs(2);

/// A token is not used in the last of its time.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);
/// No token is kept for longer, whatever its issuer says.
const MAX_TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a provider's keys are, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where.
    pub place: Place,
    /// How.
    pub form: Form,
    /// Where in the answer, if that is JSON.
    pub within: Option<Pointer>,
    /// How the provider's questions are asked.
    pub access: Access,
    /// The algorithm that the key is for.
    pub algorithm: PublicAlgorithm,
}

/// What a provider wants to know of whoever asks for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// The account, in the question's body: `{client_id, secret, key_id}`.
    InBody,
    /// A token, which is got for the account: the client credentials grant (RFC 6749, section 4.4).
    Bearer {
        /// Where tokens are.
        token_url: PinnedUrl,
        /// What the token is for.
        scope: Option<String>,
    },
}

/// An account with a provider.
#[derive(PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub client_id: Zeroizing<String>,
    /// Its secret.
    pub secret: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([REDACTED])")
    }
}

/// Why a key can't be had. Sending the request again later may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The provider was not reached, or does not give it.
    #[error("the key at {url} can't be had: {why}")]
    Fetch {
        /// The URL.
        url: String,
        /// Why.
        why: FetchError,
    },
    /// What the provider gave is no key, or none any more.
    #[error("what stands at {url} can't be used: {why}")]
    Answer {
        /// The URL.
        url: String,
        /// Why.
        why: String,
    },
    /// Requests name more keys than are asked for.
    #[error("as many keys were asked for as may be; this one is not known yet")]
    TooMany,
    /// Nobody was asked: `explain` does not.
    #[error("the provider was not asked for the key")]
    NotAsked,
    /// The request's own time is over.
    #[error("the key did not come in time")]
    TimedOut,
}

struct Token {
    value: HeaderValue,
    until: Instant,
}

/// One source's keys.
pub struct KeySource {
    rule: Rule,
    credentials: Option<Credentials>,
    cache: Mutex<Cache>,
    token: tokio::sync::Mutex<Option<Token>>,
    confirmations: TokenBucket,
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl KeySource {
    /// Keys by `rule`, none of them known yet. `credentials` are there where the rule's access needs them.
    #[must_use]
    pub fn new(rule: Rule, credentials: Option<Credentials>) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            rule,
            credentials,
            cache: Mutex::new(Cache::new(now)),
            token: tokio::sync::Mutex::new(None),
            confirmations: TokenBucket::new(super::cache::QUESTIONS_PER_SECOND, now),
        })
    }

    /// Whether `other` would ask the same, in the same name.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        self.rule == other.rule && self.credentials == other.credentials
    }

    /// Where the keys are.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.rule.place
    }

    /// The key, from memory or from the provider, before `deadline`.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub async fn key(
        self: &Arc<Self>,
        fetcher: &Arc<Fetcher>,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Arc<Key>, Unavailable> {
        // The lock is free again before anything is asked.
        let look = self.lock().look(&wanted, Instant::now());
        let mut waiting = match look {
            Look::Settled(outcome) => return outcome,
            Look::Renew(key) => {
                self.begin_to_ask(fetcher, wanted, None);
                return Ok(key);
            }
            Look::Asked(waiting) => waiting,
            Look::Ask(sender, waiting) => {
                self.begin_to_ask(fetcher, wanted, Some(sender));
                waiting
            }
        };
        let settled = waiting.wait_for(Option::is_some);
        let settled = tokio::time::timeout_at(deadline.into(), settled).await;
        match settled.as_ref().map(|settled| settled.as_ref().map(|outcome| outcome.as_ref())) {
            Ok(Ok(Some(outcome))) => outcome.clone(),
            _ => Err(Unavailable::TimedOut),
        }
    }

    /// Asks in a task of its own, keeps the outcome, and tells those who wait for it.
    fn begin_to_ask(self: &Arc<Self>, fetcher: &Arc<Fetcher>, wanted: Wanted, sender: Option<Sender>) {
        let (keys, fetcher) = (Arc::clone(self), Arc::clone(fetcher));
        tokio::spawn(async move {
            let outcome = keys.ask(&fetcher, &wanted).await;
            if let Err(error) = &outcome {
                tracing::warn!(reason = %error, "a provider's key can't be had");
            }
            keys.lock().settle(&wanted, outcome.clone(), Instant::now());
            if let Some(sender) = sender {
                // Nobody need wait any more.
                let _ = sender.send(Some(outcome.map(|(key, _)| key)));
            }
        });
    }

    /// Asks for `url`, of whose answer nothing is kept, as often as may be.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub async fn visit(
        &self,
        fetcher: &Fetcher,
        url: &PinnedUrl,
        deadline: Instant,
    ) -> Result<(), Unavailable> {
        let now = Instant::now();
        if !self.confirmations.take(now) {
            return Err(Unavailable::TooMany);
        }
        let question = Question { url, authorization: None, body: None };
        let answer = fetcher.ask(question, deadline.min(now + FETCH_WITHIN)).await;
        answer.map(|_| ()).map_err(|why| Unavailable::of(url, why))
    }

    /// No thread panics while it holds the lock, and nothing is half done if one did.
    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, fetcher: &Fetcher, wanted: &Wanted) -> Result<(Arc<Key>, Duration), Unavailable> {
        let deadline = Instant::now() + FETCH_WITHIN;
        let url = &wanted.url;
        let (mut authorization, mut body) = (None, None);
        match (&self.rule.access, &self.credentials) {
            (Access::InBody, Some(credentials)) => {
                let question = serde_json::json!({
                    "client_id": *credentials.client_id,
                    "secret": *credentials.secret,
                    "key_id": wanted.key_id,
                });
                body = Some((Bytes::from(question.to_string()), "application/json"));
            }
            (Access::Bearer { token_url, scope }, Some(credentials)) => {
                let token = self.token(fetcher, token_url, scope.as_deref(), credentials, deadline).await?;
                authorization = Some(token);
            }
            _ => {}
        }
        let answer = fetcher.ask(Question { url, authorization, body }, deadline).await;
        if answer == Err(FetchError::Status(StatusCode::UNAUTHORIZED)) {
            *self.token.lock().await = None;
        }
        let answer = answer.map_err(|why| Unavailable::of(url, why))?;
        let Rule { form, within, algorithm, .. } = &self.rule;
        let key_id = wanted.key_id.as_deref();
        answer::read(&answer, *form, within.as_ref(), *algorithm, key_id, SystemTime::now())
            .map(|(key, good_for)| (Arc::new(key), good_for))
            .map_err(|why| Unavailable::Answer { url: url.as_str().to_owned(), why })
    }

    /// The value of `Authorization`.
    async fn token(
        &self,
        fetcher: &Fetcher,
        url: &PinnedUrl,
        scope: Option<&str>,
        credentials: &Credentials,
        deadline: Instant,
    ) -> Result<HeaderValue, Unavailable> {
        let unusable = |why: &str| Unavailable::Answer { url: url.as_str().to_owned(), why: why.to_owned() };
        // Held while a token is got, so that one is got for all. Whoever holds it is done by its own deadline.
        let mut known = self.token.lock().await;
        if let Some(token) = known.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.value.clone());
        }
        let account = Zeroizing::new(format!("{}:{}", *credentials.client_id, *credentials.secret));
        let authorization = Zeroizing::new(format!("Basic {}", STANDARD.encode(account.as_bytes())));
        let question = Question {
            url,
            authorization: Some(
                secret_value(&authorization).ok_or_else(|| unusable("the credentials can't be sent"))?,
            ),
            body: Some((token_request(scope), "application/x-www-form-urlencoded")),
        };
        let answer = fetcher.ask(question, deadline).await.map_err(|why| Unavailable::of(url, why))?;
        let answer: TokenAnswer =
            serde_json::from_slice(&answer).map_err(|_| unusable("the answer holds no access token"))?;
        let value = secret_value(&Zeroizing::new(format!("Bearer {}", *Zeroizing::new(answer.access_token))));
        let value = value.ok_or_else(|| unusable("the access token can't be sent"))?;
        let life = Duration::from_secs(answer.expires_in).min(MAX_TOKEN_LIFE).saturating_sub(TOKEN_MARGIN);
        *known = Some(Token { value: value.clone(), until: Instant::now() + life });
        Ok(value)
    }
}

/// RFC 6749, section 4.4.2.
fn token_request(scope: Option<&str>) -> Bytes {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    form.extend_pairs(scope.map(|scope| ("scope", scope)));
    Bytes::from(form.finish())
}

#[derive(serde::Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

/// A header's value that is never shown.
fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Unavailable {
    fn of(url: &PinnedUrl, why: FetchError) -> Self {
        // Its query may hold what confirms a subscription.
        let shown = url.as_str().split('?').next().unwrap_or_default();
        Self::Fetch { url: shown.to_owned(), why }
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
