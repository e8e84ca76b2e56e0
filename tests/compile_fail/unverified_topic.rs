// error: E0616
//! What is not verified goes to its own topic and no other.

use hookbridge::pipeline::Unverified;
use hookbridge::topic::TopicName;

pub fn forge(mut unverified: Unverified, mapped: TopicName) -> Unverified {
    unverified.topic = mapped;
    unverified
}
