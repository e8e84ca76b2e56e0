// error: E0308
//! A 2xx has evidence behind it.

use hookbridge::pipeline::Accepted;

pub fn forge() -> Accepted {
    Accepted::Delivered(())
}
