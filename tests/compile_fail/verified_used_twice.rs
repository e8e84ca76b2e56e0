// error: E0382
//! One verification, one event.

use hookbridge::pipeline::{Rejection, Verified};
use hookbridge::pipeline::extract::{Extracted, extract};

pub fn forge(verified: Verified) -> Result<(Extracted, Extracted), Rejection> {
    Ok((extract(verified)?, extract(verified)?))
}
