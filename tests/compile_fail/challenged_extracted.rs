// error: E0308
//! A handshake brings no event.

use hookbridge::pipeline::Challenged;
use hookbridge::pipeline::extract::{Extracted, extract};

pub fn forge(challenged: Challenged) -> Extracted {
    extract(challenged)
}
