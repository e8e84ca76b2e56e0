// error: E0277
//! Evidence can't be read from anywhere.

use hookbridge::pipeline::Verified;

pub fn is_deserialize<T: serde::de::DeserializeOwned>() {}

pub fn forge() {
    is_deserialize::<Verified>();
}
