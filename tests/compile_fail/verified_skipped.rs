// error: E0308
//! What was received is not extracted unverified.

use hookbridge::pipeline::{Received, Rejection};
use hookbridge::pipeline::decode::{Decoded, decode};

pub fn forge(received: Received) -> Result<Decoded, Rejection> {
    decode(received)
}
