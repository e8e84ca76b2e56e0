// error: E0308
//! What is not verified is not routed: the mapping is for what is.

use hookbridge::pipeline::route::{Route, route};
use hookbridge::pipeline::{Rejection, Unverified};

pub fn forge(unverified: Unverified) -> Result<Route, Rejection> {
    route(unverified)
}
