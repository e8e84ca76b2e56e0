// error: E0277
//! The answer to one request is not that to another.

use hookbridge::pipeline::Challenged;

pub fn is_clone<T: Clone>() {}

pub fn forge() {
    is_clone::<Challenged>();
}
