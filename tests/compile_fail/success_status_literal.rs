// error: E0423
//! A handshake's status is a 2xx.

use hookbridge::handshake::SuccessStatus;

pub fn forge() -> SuccessStatus {
    SuccessStatus(302)
}
