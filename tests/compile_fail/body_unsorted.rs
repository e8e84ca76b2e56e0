// error: E0308
//! The body of what was not posted is not read.

use hookbridge::pipeline::body::read;
use hookbridge::pipeline::source::Addressed;
use hookbridge::pipeline::{Received, Rejection};

pub async fn forge(addressed: Addressed<String>) -> Result<Received, Rejection> {
    read(addressed).await
}
