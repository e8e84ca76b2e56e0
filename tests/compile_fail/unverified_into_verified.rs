// error: E0277
//! Nothing turns what failed into what held.

use hookbridge::pipeline::{Unverified, Verified};

pub fn forge(unverified: Unverified) -> Verified {
    unverified.into()
}
