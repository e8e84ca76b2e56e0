// error: E0308
//! A handshake brings no event.

use hookbridge::pipeline::{Challenged, Rejection};
use hookbridge::pipeline::decode::{Decoded, decode};

pub fn forge(challenged: Challenged) -> Result<Decoded, Rejection> {
    decode(challenged)
}
