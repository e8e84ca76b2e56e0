// error: E0451
//! A request is not unverified by saying so: only a failed verification gives the topic for those.

use hookbridge::pipeline::{Received, Rejection, Unverified};
use hookbridge::topic::TopicName;

pub fn forge(request: Received, why: Rejection, topic: TopicName) -> Unverified {
    Unverified { request, why, topic }
}
