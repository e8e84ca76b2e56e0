// error: E0451
//! Only the configuration drops an event.

use hookbridge::pipeline::Accepted;
use hookbridge::pipeline::route::Dropped;

pub fn forge(genuine: Dropped) -> Accepted {
    Accepted::Dropped(Dropped { ticket: todo!(), ..genuine })
}
