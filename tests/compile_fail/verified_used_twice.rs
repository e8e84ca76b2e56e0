// error: E0382
//! One verification, one event.

use hookbridge::pipeline::Verified;
use hookbridge::pipeline::extract::{Extracted, extract};

pub fn forge(verified: Verified) -> (Extracted, Extracted) {
    (extract(verified), extract(verified))
}
