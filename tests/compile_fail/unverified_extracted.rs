// error: E0308
//! What is not verified has no event.

use hookbridge::pipeline::{Rejection, Unverified};
use hookbridge::pipeline::decode::{Decoded, decode};

pub fn forge(unverified: Unverified) -> Result<Decoded, Rejection> {
    decode(unverified)
}
