// error: E0308
//! A record that is only encoded is no receipt.

use hookbridge::pipeline::Accepted;
use hookbridge::pipeline::encode::Record;

pub fn forge(record: Record) -> Accepted {
    Accepted::Delivered(record)
}
