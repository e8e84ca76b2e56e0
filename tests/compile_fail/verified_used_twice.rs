// error: E0382
//! What has been verified once is read once.

use hookbridge::pipeline::{Rejection, Verified};
use hookbridge::pipeline::extract::{Extracted, extract};

pub fn forge(verified: Verified) -> Result<(Extracted, Extracted), Rejection> {
    Ok((extract(verified)?, extract(verified)?))
}
