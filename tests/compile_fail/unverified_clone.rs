// error: E0277
//! One failure, one record.

use hookbridge::pipeline::Unverified;

pub fn is_clone<T: Clone>() {}

pub fn forge() {
    is_clone::<Unverified>();
}
