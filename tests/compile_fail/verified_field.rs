// error: E0616
//! What was verified can't be changed afterwards.

use hookbridge::pipeline::{Received, Verified};

pub fn forge(mut genuine: Verified, request: Received) -> Verified {
    genuine.request = request;
    genuine
}
