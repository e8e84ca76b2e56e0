// error: E0382
//! What has been verified once is read once.

use hookbridge::pipeline::{Rejection, Verified};
use hookbridge::pipeline::decode::{Decoded, decode};

pub fn forge(verified: Verified) -> Result<(Decoded, Decoded), Rejection> {
    Ok((decode(verified)?, decode(verified)?))
}
