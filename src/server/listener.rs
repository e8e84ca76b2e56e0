//! Accepts connections, within a limit, until the shutdown begins.
//!
//! Takes the public socket. Gives each connection a task, and ends when the last one has.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{self, Timeouts};
use super::shutdown::Watch;
use crate::app::App;
use crate::config::Server;

/// How long to wait when the system has no file descriptor left: accepting at once would only fail again.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Accepts until the shutdown begins, then waits for the open connections.
pub async fn accept(listener: TcpListener, app: Arc<App>, server: Server, mut shutdown: Watch) {
    let room = Arc::new(Semaphore::new(server.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Ended connections are taken off the set as they end, so that it does not grow.
            Some(_) = connections.join_next() => continue,
            () = shutdown.begun() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            app.metrics().connections.refused();
            tracing::warn!(
                limit = server.max_connections,
                "a connection was closed: as many are open as may be"
            );
            continue;
        };
        // A webhook's answer is one small packet; waiting for more would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let (app, shutdown) = (Arc::clone(&app), shutdown.clone());
        let timeouts = Timeouts { header: server.header_timeout, idle: server.idle_timeout };
        let open = app.metrics().connections.opened();
        connections.spawn(async move {
            connection::serve(stream, app, timeouts, shutdown).await;
            drop((place, open));
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
