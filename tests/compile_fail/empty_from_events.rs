// error: E0308
//! A request that holds events is not empty.

use hookbridge::pipeline::Accepted;
use hookbridge::pipeline::route::Routed;

pub fn forge(routed: Routed) -> Accepted {
    Accepted::Empty(routed)
}
