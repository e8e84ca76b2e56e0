// error: E0277
//! What is kept for another look has not been verified by the first.

use hookbridge::pipeline::{Suspect, Verified};

pub fn forge(suspect: Suspect) -> Verified {
    suspect.into()
}
