//! `hookbridge serve`: the service.

use std::process::ExitCode;
use std::sync::Arc;

use super::{ConfigFile, EXIT_CONFIGURATION, fail, load};
use crate::app::App;
use crate::config::Config;
use crate::server::{self, Ended};

pub(super) fn run(file: &ConfigFile) -> ExitCode {
    let config = match load(file) {
        Ok(config) => config,
        Err(code) => return code,
    };
    for warning in &config.warnings {
        tracing::warn!(file = config.file, line = warning.at.line, path = %warning.path, "{}", warning.message);
    }
    let app = match App::new(&config) {
        Ok(app) => app,
        Err(error) => return fail(&error, ExitCode::from(EXIT_CONFIGURATION)),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = config.file,
        sources = config.sources.len(),
        "starting"
    );
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&format!("the async runtime can't be started: {error}"), ExitCode::FAILURE);
        }
    };
    let ended = runtime.block_on(serve(&config, Arc::clone(&app)));
    runtime.shutdown_background();
    // librdkafka may take any time to end its threads, and the process is about to end them all.
    std::mem::forget(app);
    match ended {
        Ok(Ended::InOrder) => ExitCode::SUCCESS,
        Ok(Ended::AtOnce(reason)) => ExitCode::from(reason.exit_code()),
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

async fn serve(config: &Config, app: Arc<App>) -> Result<Ended, server::ServeError> {
    let bound = server::bind(config).await?;
    server::serve(config, app, bound).await
}
