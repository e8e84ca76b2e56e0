// error: E0277
//! There is no evidence by default.

use hookbridge::pipeline::Acknowledged;

pub fn is_default<T: Default>() {}

pub fn forge() {
    is_default::<Acknowledged>();
}
