// error: E0423
//! A refusal has no status of success: only the constants make an `ErrorStatus`.

use hookbridge::pipeline::rejection::ErrorStatus;

pub fn forge() -> ErrorStatus {
    ErrorStatus(200)
}
