//! A secret that a provider has handed over: for the operator's eyes, on standard output.
//!
//! Takes the secret. Writes it once, with what to do next. Logs are collected and kept by others, and never hold
//! it. A thread of its own writes, so that nobody waits for a reader who has stopped.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use zeroize::Zeroizing;

use crate::handshake::OfferedSecret;

/// Secrets that may wait to be written. Providers offer one when a webhook is set up.
const MAX_WAITING: usize = 16;

static WRITER: OnceLock<Option<SyncSender<Zeroizing<String>>>> = OnceLock::new();

/// Shows a secret that was offered to `source`. False if it can't be: nobody reads what is shown.
#[must_use]
pub(crate) fn show(source: &str, secret: OfferedSecret) -> bool {
    let text = Zeroizing::new(text(source, &secret));
    let writer = WRITER.get_or_init(|| {
        let (texts, waiting) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new().name("offered secrets".to_owned());
        thread.spawn(move || write_all(&waiting)).ok().map(|_| texts)
    });
    writer.as_ref().is_some_and(|texts| texts.try_send(text).is_ok())
}

fn text(source: &str, secret: &OfferedSecret) -> String {
    format!(
        "the source `{source}` was offered this secret by its provider:\n  {}\n\
         Store it where the source can refer to it, add the reference to its `secrets`, and take \
         `show_offered_secret` out.\n\
         Do so only if you have set up the webhook a moment ago: anybody can send such a request.\n",
        secret.reveal()
    )
}

fn write_all(waiting: &Receiver<Zeroizing<String>>) {
    for text in waiting {
        let mut out = std::io::stdout().lock();
        // Nothing can be said of a failure to say something.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
