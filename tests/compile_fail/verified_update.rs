// error: E0451
//! A genuine request does not vouch for another.

use hookbridge::pipeline::{Received, Verified};

pub fn forge(genuine: Verified, request: Received) -> Verified {
    Verified { request, ..genuine }
}
