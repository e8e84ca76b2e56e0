// error: E0451
//! What stands behind the verification can't be made without it.

use hookbridge::pipeline::extract::{Event, Extracted};
use hookbridge::pipeline::several::Several;

pub fn forge(genuine: Extracted, event: Event) -> Extracted {
    Extracted { found: Several::One(Ok(event)), ..genuine }
}
