// error: E0308
//! What is kept in quarantine is no record, whose acknowledgement would be a receipt.

use hookbridge::app::App;
use hookbridge::pipeline::produce::produce;
use hookbridge::pipeline::{Acknowledged, Rejection, Suspect};

pub async fn forge(app: &App, suspect: Suspect) -> Result<Acknowledged, Rejection> {
    produce(app, suspect).await
}
