// error: E0308
//! What was received is not verified before its key was looked for.

use hookbridge::pipeline::Received;
use hookbridge::pipeline::verify::{Unproven, verify};
use hookbridge::pipeline::Verified;

pub fn forge(received: Received) -> Result<Verified, Unproven> {
    verify(received)
}
