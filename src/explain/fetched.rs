//! A source whose provider serves the keys: `explain` asks nobody, so it can say which key the request names, and no more.
//!
//! Takes a [`Case`]. Gives the step, which is never passed, and what to do to have the rest explained.

use super::Case;
use super::steps::Step;
use crate::keys::{KeySource, Unavailable};
use crate::pipeline::Rejection;
use crate::signature::Message;

/// What to do.
pub(super) const ADVICE: &str = "the provider serves the key, and `explain` fetches nothing: get the key or \
    certificate that the request names, refer to it in the source's `secrets`, and explain again; `serve` then fetches \
    none either";

/// The key that the request names, if it may be asked for.
pub(super) fn step(case: &Case<'_>, keys: &KeySource) -> Step {
    let capture = case.capture;
    let message = Message { headers: &capture.headers, query: capture.query.as_deref(), body: &capture.body };
    match keys.place().wanted(&message) {
        Ok(wanted) => {
            let text = format!("it is at {}, and was not fetched", wanted.url.as_str());
            Step::failed("key", text, Rejection::KeyUnavailable(Unavailable::NotAsked))
        }
        Err(why) => Step::failed("key", why.to_string(), Rejection::from(why)),
    }
}
