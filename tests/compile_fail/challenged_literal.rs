// error: E0451
//! Only a handshake that was recognised is answered, and with its own answer.

use hookbridge::handshake::Answer;
use hookbridge::pipeline::Challenged;

pub fn forge(other: Challenged, answer: Answer) -> Challenged {
    Challenged { answer, ..other }
}
