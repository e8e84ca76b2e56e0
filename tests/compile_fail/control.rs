// compiles
//! The control: what the forgeries beside it do is refused for the one thing that each does wrong. Everything else
//! in them is here, and allowed.

use std::sync::Arc;

use hookbridge::app::App;
use hookbridge::config::raw::RawSecret;
use hookbridge::pipeline::encode::{Records, encode};
use hookbridge::pipeline::decode::decode;
use hookbridge::pipeline::extract::extract;
use hookbridge::pipeline::keys::gather;
use hookbridge::pipeline::produce::produce;
use hookbridge::pipeline::reply::reply;
use hookbridge::pipeline::route::{Route, route};
use hookbridge::pipeline::verify::{Unproven, verify};
use hookbridge::pipeline::{Accepted, Acknowledged, Received, Rejection, Verified};
use hookbridge::pipeline::{quarantine, report_only};

pub fn is_clone<T: Clone>() {}
pub fn is_default<T: Default>() {}
pub fn is_deserialize<T: serde::de::DeserializeOwned>() {}

pub fn traits() {
    is_clone::<RawSecret>();
    is_default::<RawSecret>();
    is_deserialize::<RawSecret>();
    is_clone::<Rejection>();
}

pub async fn to_records(app: &App, received: Received) -> Result<Records, Rejection> {
    let verified: Verified = match verify(gather(app, received).await?) {
        Ok(verified) => verified,
        Err(Unproven::Refused(rejection)) => return Err(rejection),
        Err(Unproven::Suspect(suspect)) => return Err(quarantine::keep(app, *suspect)),
        Err(Unproven::Unverified(unverified)) => return Ok(report_only::encode(app.metrics(), *unverified)),
    };
    match route(extract(decode(verified)?)?)? {
        Route::Publish(routed) => encode(app, routed).await,
        Route::Drop(_) | Route::Empty(_) => Err(Rejection::Draining),
    }
}

pub async fn to_an_answer(app: &App, records: Records) -> u16 {
    let acknowledged: Result<Acknowledged, Rejection> = produce(app, records).await;
    reply(&acknowledged.map(Accepted::Delivered)).status().as_u16()
}

pub fn shared(app: Arc<App>) -> bool {
    app.is_ready()
}
