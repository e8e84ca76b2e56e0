//! The end of the process: who asks for it, and how everybody learns of it.

use std::fmt;

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
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            begun: watch::Sender::new(false),
        })
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
