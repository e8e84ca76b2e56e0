// error: E0308
//! What was received is not extracted unverified.

use hookbridge::pipeline::Received;
use hookbridge::pipeline::extract::{Extracted, extract};

pub fn forge(received: Received) -> Extracted {
    extract(received)
}
