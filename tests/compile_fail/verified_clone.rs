// error: E0277
//! Evidence is used once.

use hookbridge::pipeline::Verified;

pub fn is_clone<T: Clone>() {}

pub fn forge() {
    is_clone::<Verified>();
}
