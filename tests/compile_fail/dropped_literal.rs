// error: E0451
//! Only the configuration drops an event.

use hookbridge::pipeline::Accepted;
use hookbridge::pipeline::route::Dropped;
use hookbridge::pipeline::source::Ticket;

pub fn forge(ticket: Ticket) -> Accepted {
    Accepted::Dropped(Dropped { ticket, count: 1 })
}
