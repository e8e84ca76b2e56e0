// error: E0451
//! What a handshake is answered with is what a template of its provider's file gives.

use hookbridge::handshake::{Answer, SuccessStatus};

pub fn forge(other: Answer, status: SuccessStatus) -> Answer {
    Answer { status, ..other }
}
