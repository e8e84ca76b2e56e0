//! `hookbridge serve`: the service.

use std::process::ExitCode;
use std::sync::Arc;

use super::{ConfigFile, EXIT_CONFIGURATION, fail, or_say_why};
use crate::app::App;
use crate::config::{Config, Loaded, load_stable};
use crate::preflight::{Needs, watch::Watch};
use crate::reload::{Reloader, log_warnings};
use crate::server::{self, Ended, ServeError};
use crate::telemetry::otlp::Exports;

pub(super) fn run(file: &ConfigFile, exports: &Exports) -> ExitCode {
    let Loaded { result, files, look } = load_stable(&file.config, &[]);
    let config = match or_say_why(result, "; nothing was started") {
        Ok(config) => config,
        Err(code) => return code,
    };
    log_warnings(&config);
    let reloader = Reloader::new(file.config.clone(), &config, files, look);
    let app = match App::exported_by(&config, exports) {
        Ok(app) => app,
        Err(error) => return fail(&error, ExitCode::from(EXIT_CONFIGURATION)),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = config.file,
        sources = config.sources.len(),
        "starting"
    );
    exports.log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&format!("the async runtime can't be started: {error}"), ExitCode::FAILURE);
        }
    };
    let ended = runtime.block_on(serve(&config, Arc::clone(&app), reloader));
    if let Some(deadline) = app.ends_at().filter(|_| !matches!(ended, Ok(Ended::AtOnce(_)))) {
        exports.shut_down(deadline);
    }
    runtime.shutdown_background();
    // librdkafka may take any time to end its threads, and the process is about to end them all.
    std::mem::forget(app);
    match ended {
        Ok(Ended::InOrder) => ExitCode::SUCCESS,
        Ok(Ended::AtOnce(reason)) => ExitCode::from(reason.exit_code()),
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

async fn serve(config: &Config, app: Arc<App>, reloader: Reloader) -> Result<Ended, ServeError> {
    let preflight = Watch::start(&app, Needs::of(config)).map_err(ServeError::Reloading)?;
    let reloader = reloader.telling(preflight);
    reloader.start(Arc::clone(&app)).map_err(ServeError::Reloading)?;
    let bound = server::bind(config).await?;
    server::serve(config, app, bound).await
}
