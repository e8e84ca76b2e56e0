// error: E0451
//! No record of a request can be left out of what is acknowledged.

use hookbridge::pipeline::encode::Records;
use hookbridge::pipeline::several::Several;

pub fn forge(genuine: Records) -> Records {
    Records { records: Several::Many(Vec::new()), ..genuine }
}
