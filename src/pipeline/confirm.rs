//! Between stations 4 and 5: a subscription that asks to be confirmed.
//!
//! Takes [`Verified`], and gives it back; or [`Confirmed`] instead, where the request is Amazon SNS's question whether this endpoint wants the
//! events of a topic, the source says `confirm_subscriptions: true`, and SNS has been told so. Only this file makes a [`Confirmed`]. Refuses with `ConfirmationFailed`: SNS asks again.
//!
//! The question is genuine and of one of the source's topics by now. All the same its URL must be one of the
//! provider's hosts, as that of a key.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::Rejection;
use super::verify::Verified;
use crate::app::App;
use crate::config::Source;
use crate::keys::PinnedUrl;
use crate::signature::sns::{self, Kind};

/// What SNS is asked to do.
const ACTION: &str = "ConfirmSubscription";

/// Evidence that a subscription has been confirmed.
#[derive(Debug)]
#[must_use]
pub struct Confirmed {
    source: Arc<Source>,
}

impl Confirmed {
    /// The source whose subscription it is.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// Confirms a subscription, if the request asks for that.
///
/// # Errors
/// `ConfirmationFailed`.
pub async fn confirm(app: &App, verified: Verified) -> Result<ControlFlow<Confirmed, Verified>, Rejection> {
    let ticket = &verified.request().ticket;
    let source = &ticket.source;
    let Some(keys) = source.fetched_keys.as_ref().filter(|_| source.confirm_subscriptions) else {
        return Ok(ControlFlow::Continue(verified));
    };
    let Some(asked) = url(&verified.request().body) else {
        return Ok(ControlFlow::Continue(verified));
    };
    let failed = |why: String| Rejection::ConfirmationFailed(why);
    let allowed = keys.place().allowed().and_then(|allowed| allowed.action(&asked, ACTION));
    let url: PinnedUrl =
        allowed.ok_or_else(|| failed("the SubscribeURL is not one of the provider's".to_owned()))?;
    keys.visit(app.fetcher(), &url, ticket.deadline).await.map_err(|why| failed(why.to_string()))?;
    tracing::info!(source = &*source.name, "subscription confirmed");
    Ok(ControlFlow::Break(Confirmed { source: Arc::clone(source) }))
}

/// Whether the request asks for a subscription to be confirmed, and so brings no event.
pub(super) fn is_asked(verified: &Verified) -> bool {
    let request = verified.request();
    request.ticket.source.confirm_subscriptions && url(&request.body).is_some()
}

fn url(body: &[u8]) -> Option<String> {
    let message = sns::read(body).ok()?;
    message.subscribe_url.filter(|_| message.kind == Kind::SubscriptionConfirmation)
}
