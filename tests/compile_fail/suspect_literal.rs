// error: E0451
//! Only what was refused with a signature is kept.

use std::sync::Arc;

use hookbridge::config::Quarantine;
use hookbridge::pipeline::{Received, Rejection, Suspect};

pub fn forge(request: Received, why: Rejection, quarantine: Arc<Quarantine>) -> Suspect {
    Suspect { request, why, quarantine }
}
