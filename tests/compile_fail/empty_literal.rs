// error: E0451
//! Only a batch without an element is empty.

use hookbridge::pipeline::Accepted;
use hookbridge::pipeline::route::Empty;
use hookbridge::pipeline::source::Ticket;

pub fn forge(ticket: Ticket) -> Accepted {
    Accepted::Empty(Empty { ticket })
}
