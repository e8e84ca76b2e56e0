// error: E0451
//! A request is not verified by saying so.

use hookbridge::pipeline::{Received, Verified};

pub fn forge(request: Received) -> Verified {
    Verified { request, key: None }
}
