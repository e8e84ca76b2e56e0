// error: E0308
//! Records that are only encoded are no receipt.

use hookbridge::pipeline::Accepted;
use hookbridge::pipeline::encode::Records;

pub fn forge(records: Records) -> Accepted {
    Accepted::Delivered(records)
}
