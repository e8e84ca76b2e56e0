// error: E0308
//! What is not verified has no event.

use hookbridge::pipeline::Unverified;
use hookbridge::pipeline::extract::{Extracted, extract};

pub fn forge(unverified: Unverified) -> Extracted {
    extract(unverified)
}
