// error: E0308
//! What is kept in quarantine is refused all the same: keeping it is no receipt.

use hookbridge::app::App;
use hookbridge::pipeline::quarantine::keep;
use hookbridge::pipeline::{Accepted, Suspect};

pub fn forge(app: &App, suspect: Suspect) -> Accepted {
    Accepted::Delivered(keep(app, suspect))
}
