//! The edge: sockets in, requests to the path, answers out; health and metrics beside it; and the end.
//!
//! Takes a [`Config`] and an [`App`]. Runs until a signal, then ends in the order that loses nothing: not
//! ready, go on until whoever sends requests here has noticed, stop accepting, finish what is under way, flush.

pub mod admin;
pub mod connection;
mod counted;
pub mod listener;
pub mod shutdown;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::app::App;
use crate::config::Config;
use shutdown::{Reason, Shutdown};

/// Why the service can't be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address can't be listened at.
    #[error("can't listen at {address} (`{key}.listen`): {source}")]
    Listen {
        /// The section of the configuration that names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The public listener has ended by itself: a defect.
    #[error("the listener for webhooks has ended unexpectedly")]
    ListenerEnded,
    /// The configuration can't be kept in step with its file.
    #[error("can't wait for a change of the configuration: {0}")]
    Reloading(#[source] std::io::Error),
    /// The system does not deliver signals.
    #[error("can't wait for signals: {0}")]
    Signals(#[source] std::io::Error),
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was under way has been given its time.
    InOrder,
    /// A second signal came, and nothing more was waited for.
    AtOnce(Reason),
}

/// Both listeners, bound.
#[derive(Debug)]
pub struct Bound {
    public: TcpListener,
    admin: TcpListener,
    /// The public address, with the port that was really taken.
    pub public_address: SocketAddr,
    /// The admin address, with the port that was really taken.
    pub admin_address: SocketAddr,
}

/// Binds both listeners.
///
/// # Errors
/// [`ServeError::Listen`].
pub async fn bind(config: &Config) -> Result<Bound, ServeError> {
    let (public, public_address) = listen("server", config.server.listen).await?;
    let (admin, admin_address) = listen("admin", config.admin_listen).await?;
    Ok(Bound { public, admin, public_address, admin_address })
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { key, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves until the process is told to end.
///
/// # Errors
/// [`ServeError::Signals`].
pub async fn serve(config: &Config, app: Arc<App>, bound: Bound) -> Result<Ended, ServeError> {
    let mut shutdown = Shutdown::new().map_err(ServeError::Signals)?;
    let mut public = tokio::spawn(listener::accept(
        bound.public,
        Arc::clone(&app),
        config.server.clone(),
        shutdown.watch(),
    ));
    let admin = tokio::spawn(admin::serve(bound.admin, Arc::clone(&app)));
    tracing::info!(address = %bound.public_address, "listening for webhooks");
    tracing::info!(address = %bound.admin_address, "listening for health and metrics");

    let reason = tokio::select! {
        reason = shutdown.requested() => reason,
        // It ends only after a shutdown has begun, so this is a defect; a process that serves nothing must not
        // go on looking alive.
        _ = &mut public => return Err(ServeError::ListenerEnded),
    };
    // Nobody who presses Ctrl-C has a load balancer in front.
    let delay = if reason == Reason::Terminate { config.server.shutdown_delay } else { Duration::ZERO };
    let grace = config.server.shutdown_grace;
    tracing::info!(%reason, ?delay, ?grace, "shutting down");
    app.leave();
    let again = tokio::select! {
        () = tokio::time::sleep(delay) => None,
        // Whoever asks twice does not want to wait.
        reason = shutdown.requested() => Some(reason),
    };
    let ended = match again {
        Some(reason) => Ended::AtOnce(reason),
        None => {
            let deadline = Instant::now() + grace;
            app.end_by(deadline);
            app.drain();
            shutdown.begin();
            tokio::select! {
                () = finish(public, Arc::clone(&app), deadline) => Ended::InOrder,
                reason = shutdown.requested() => Ended::AtOnce(reason),
            }
        }
    };
    admin.abort();
    match ended {
        Ended::InOrder => tracing::info!("shut down"),
        Ended::AtOnce(reason) => tracing::warn!(%reason, "asked again; not waiting for what is under way"),
    }
    Ok(ended)
}

/// Waits until connections and deliveries have ended, or the deadline.
async fn finish(public: tokio::task::JoinHandle<()>, app: Arc<App>, deadline: Instant) {
    if tokio::time::timeout_at(deadline.into(), public).await.is_err() {
        tracing::warn!("connections are still open at the end of the grace");
    }
    let budget = Arc::clone(app.budget());
    let flushing = tokio::task::spawn_blocking(move || app.producer().shut_down(deadline));
    if let Err(error) = flushing.await {
        tracing::error!(%error, "the producer could not be shut down");
    }
    let requests = budget.requests();
    if requests > 0 {
        tracing::warn!(
            requests,
            "not everything was acknowledged within the grace; none of it was answered 2xx"
        );
    }
}
