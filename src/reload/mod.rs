//! Reading the configuration again while the service runs.
//!
//! Takes SIGHUP, and looks at the configuration's file and every file that it refers to. Gives the [`App`] new
//! sources, all at once, when they have changed and everything in them is right; a broken file changes nothing but
//! the log and a metric. Runs in a thread of its own: a file system may take any time.
//!
//! What is bound, sized or connected at the start (`server`, `admin`, `kafka`) stays as it is until a restart.
//! Environment variables are those of the start: nobody can change them from outside.

mod fixed;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::config::{self, Config, Loaded, Look};
use crate::preflight::{Needs, watch::Watch};
use fixed::Fixed;

/// Between two looks at the files, and so at least the time in which a change must be complete: what two looks in a
/// row find unchanged is read. A new secret is good, and a retired one refused, after two of them, that is within a
/// second; nobody writes a file for longer, and Kubernetes swaps its own at once. Looking costs two system calls a file.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long after a failure the same files are tried again: what is wrong may be none of them, as when there is no
/// file descriptor left to open one with. It is also how often files that never stay the same are complained of.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Logs what is allowed in `config` and should be known: at the start, and whenever it is read again.
pub fn log_warnings(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!(file = config.file, line = warning.at.line, path = %warning.path, "{}", warning.message);
    }
}

/// Keeps an [`App`]'s sources in step with the files.
#[derive(Debug)]
pub struct Reloader {
    file: PathBuf,
    fixed: Fixed,
    /// What is looked at.
    files: Vec<PathBuf>,
    /// How it looked when it was last read, rightly or in vain; `None` if it changed meanwhile.
    read: Option<Look>,
    /// How it looked last, if that is something else.
    changed: Option<Look>,
    /// Since when it looks different every time.
    restless: Option<Instant>,
    failed: Option<Instant>,
    /// Who looks whether what the configuration needs is there.
    preflight: Option<Watch>,
}

impl Reloader {
    /// For the running configuration `config`, which was `read` from `file` and `files` when they looked so.
    #[must_use]
    pub fn new(file: PathBuf, config: &Config, files: Vec<PathBuf>, read: Option<Look>) -> Self {
        Self {
            file,
            fixed: Fixed::of(config),
            files,
            read,
            changed: None,
            restless: None,
            failed: None,
            preflight: None,
        }
    }

    /// Tells `preflight` of every configuration that is put in place.
    #[must_use]
    pub fn telling(self, preflight: Watch) -> Self {
        Self { preflight: Some(preflight), ..self }
    }

    /// Starts: listens for SIGHUP from now on, which would otherwise end the process, and looks at the files until
    /// the shutdown begins. To be called within the async runtime.
    ///
    /// # Errors
    /// The system refuses to deliver the signal, or another thread.
    pub fn start(self, app: Arc<App>) -> std::io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        // One that waits is enough: it is read after the last of them has come.
        let (asked, inbox) = sync_channel(1);
        std::thread::Builder::new().name("reload".to_owned()).spawn(move || self.run(&app, &inbox))?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                ask(&asked);
            }
        });
        Ok(())
    }

    fn run(mut self, app: &App, inbox: &Receiver<()>) {
        loop {
            let asked = inbox.recv_timeout(LOOK_EVERY);
            if app.is_draining() {
                return;
            }
            match asked {
                Ok(()) => self.read(app, "SIGHUP"),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(reason) = self.look() {
                        self.read(app, reason);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks at the files. Gives the reason why they are to be read, if there is one.
    fn look(&mut self) -> Option<&'static str> {
        let now = Look::at(&self.files);
        if self.read.as_ref() == Some(&now) {
            (self.changed, self.restless) = (None, None);
            let due = self.failed.is_some_and(|failed| failed.elapsed() >= TRY_AGAIN_AFTER);
            return due.then_some("it failed before");
        }
        // Somebody may be about to write more of it.
        let settled = self.changed.as_ref() == Some(&now);
        self.changed = Some(now);
        let restless = self.restless.get_or_insert_with(Instant::now);
        if !settled && restless.elapsed() >= TRY_AGAIN_AFTER {
            *restless = Instant::now();
            tracing::warn!(file = %self.file.display(), "not reloaded: the files are never the same for two looks");
        }
        settled.then_some("a file has changed")
    }

    fn read(&mut self, app: &App, reason: &'static str) {
        (self.changed, self.restless) = (None, None);
        let Some(loaded) = self.load() else { return };
        let result = loaded.and_then(|config| self.fixed.admit(&config).map(|()| config));
        match result {
            Ok(config) => {
                self.failed = None;
                self.put_in_place(app, config, reason);
            }
            Err(faults) => {
                // What is no file stays none until something changes.
                let can_mend_itself = self.read.as_ref().is_none_or(|look| look.not_a_file().is_none());
                self.failed = can_mend_itself.then(Instant::now);
                app.metrics().configuration_read(false);
                let file = self.file.display();
                tracing::warn!(%file, reason, faults, "configuration not reloaded");
            }
        }
    }

    /// Reads the files; `None` if they change all the while, and are to be looked at again.
    fn load(&mut self) -> Option<Result<Config, String>> {
        let before = Look::at(&self.files);
        if let Some(path) = before.not_a_file() {
            let fault =
                format!("{}: error: this is no file, and can be read at the start alone", path.display());
            self.read = Some(before);
            return Some(Err(fault));
        }
        let Loaded { result, files, look } = config::load_stable(&self.file, &self.files);
        self.files = files;
        self.read = look;
        if self.read.is_none() {
            tracing::warn!(file = %self.file.display(), "not reloaded: the files change while they are read");
            return None;
        }
        Some(result.map_err(|error| error.to_string()))
    }

    fn put_in_place(&self, app: &App, config: Config, reason: &'static str) {
        log_warnings(&config);
        let needs_restart = self.fixed.differences(&config);
        if !needs_restart.is_empty() {
            let keys = needs_restart.join(", ");
            tracing::warn!(
                file = config.file,
                keys,
                "what these keys say needs a restart; the rest is in place"
            );
        }
        let sources = config.sources.len();
        let needs = Needs::of(&config);
        app.put_sources_in_place(config.sources);
        if let Some(preflight) = &self.preflight {
            preflight.renew(needs);
        }
        app.metrics().configuration_read(true);
        tracing::info!(config = config.file, sources, reason, "configuration reloaded");
    }
}

fn ask(asked: &SyncSender<()>) {
    // Full: it is about to be read anyway. Disconnected: the shutdown has begun.
    let _ = asked.try_send(());
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
