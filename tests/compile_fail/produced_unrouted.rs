// error: E0308
//! What was received is not produced as it is.

use hookbridge::app::App;
use hookbridge::pipeline::produce::produce;
use hookbridge::pipeline::{Acknowledged, Received, Rejection};

pub async fn forge(app: &App, received: Received) -> Result<Acknowledged, Rejection> {
    produce(app, received).await
}
