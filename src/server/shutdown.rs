//! The end of the process: who asks for it, and how everybody learns of it.
//!
//! Process 1, which a container's is, has none of the signals' defaults: what it does not handle is ignored. So until a
//! [`Shutdown`] listens, and in commands that never have one, [`end_if_first`] sees to it that a signal ends the process.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Who asked for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// SIGTERM, as Kubernetes and systemd send it.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
}

impl Reason {
    /// What a shell reports of a process that this signal has ended: 128 and its number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 143,
            Self::Interrupt => 130,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

/// Whether a signal ends process 1 at once. Of other processes there is none.
static ENDS_AT_ONCE: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGTERM and SIGINT end this process if it is process 1, with [`Reason::exit_code`], as they end any other
/// process by themselves. It lasts until a [`Shutdown`] listens.
///
/// # Errors
/// The system refuses to deliver signals.
pub fn end_if_first() -> std::io::Result<()> {
    if std::process::id() != 1 {
        return Ok(());
    }
    let at_once = ENDS_AT_ONCE.get_or_init(|| Arc::new(AtomicBool::new(true)));
    for (reason, number) in
        [(Reason::Terminate, SignalKind::terminate()), (Reason::Interrupt, SignalKind::interrupt())]
    {
        let code = reason.exit_code().into();
        signal_hook::flag::register_conditional_shutdown(number.as_raw_value(), code, Arc::clone(at_once))?;
    }
    Ok(())
}

/// The signals, and those who want to know.
#[derive(Debug)]
pub struct Shutdown {
    terminate: Signal,
    interrupt: Signal,
    begun: watch::Sender<bool>,
}

/// Tells when connections are to be closed.
#[derive(Debug, Clone)]
pub struct Watch(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for signals from now on.
    ///
    /// # Errors
    /// The system refuses to deliver them.
    pub fn new() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        if let Some(at_once) = ENDS_AT_ONCE.get() {
            at_once.store(false, Ordering::Relaxed);
        }
        Ok(Self { terminate, interrupt, begun: watch::Sender::new(false) })
    }

    /// Waits for the next signal.
    pub async fn requested(&mut self) -> Reason {
        tokio::select! {
            _ = self.terminate.recv() => Reason::Terminate,
            _ = self.interrupt.recv() => Reason::Interrupt,
        }
    }

    /// Tells everybody who watches that connections are to be closed.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// For those who want to know.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.begun.subscribe())
    }
}

impl Watch {
    /// Waits until connections are to be closed.
    pub async fn begun(&mut self) {
        // Without a sender the process is past its end.
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}
