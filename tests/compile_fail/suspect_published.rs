// error: E0308
//! What is refused is not published as unverified.

use hookbridge::app::App;
use hookbridge::pipeline::Suspect;
use hookbridge::pipeline::encode::Record;
use hookbridge::pipeline::report_only::encode;

pub fn forge(app: &App, suspect: Suspect) -> Record {
    encode(app.metrics(), suspect)
}
