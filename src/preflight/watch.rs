//! The checks while the service runs: at its start, after each reload, and now and then.
//!
//! Takes [`Needs`]. Gives lines in the log, for what is wrong and for what no longer is, and a gauge; and creates topics, if the
//! configuration says so. A thread of its own does it, and nothing waits for it.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{Change, Fault, Needs, Severity, apply, facts, judge, run};
use crate::app::App;

/// Between two looks at the cluster: long enough to be no load, short enough for a topic that somebody deletes.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// While something is wrong, or Kafka is away, it is looked at more often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How often it is seen whether Kafka answers, and whether the service ends.
const TICK: Duration = Duration::from_millis(500);

/// The way to tell the thread of another configuration.
#[derive(Debug, Clone)]
pub struct Watch(Sender<Needs>);

impl Watch {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(app: &Arc<App>, needs: Needs) -> std::io::Result<Self> {
        let (sender, inbox) = channel();
        let app = Arc::downgrade(app);
        std::thread::Builder::new().name("preflight".to_owned()).spawn(move || watch(&app, needs, &inbox))?;
        Ok(Self(sender))
    }

    /// From now on this is what is needed.
    pub fn renew(&self, needs: Needs) {
        // The thread is gone only when the service is about to be.
        let _ = self.0.send(needs);
    }
}

fn watch(app: &Weak<App>, mut needs: Needs, inbox: &Receiver<Needs>) {
    let mut known: Vec<Fault> = Vec::new();
    // The rights are asked for with a record that no broker takes, which its own metrics may show: once for each
    // configuration.
    let (mut due, mut with_rights) = (Instant::now(), true);
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(renewed) => {
                // What `kafka` and `schema_registry` say needs a restart.
                needs =
                    Needs { kafka: needs.kafka, standby: needs.standby, registry: needs.registry, ..renewed };
                (due, with_rights) = (Instant::now(), true);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some(app) = app.upgrade() else { return };
        if app.is_draining() {
            return;
        }
        if Instant::now() < due || !app.producer().health().is_ready() {
            continue;
        }
        if needs.create_missing {
            create(&needs);
            needs.on_standby().iter().for_each(create);
        }
        let mut found = run(&needs, with_rights);
        if !with_rights {
            found.extend(known.iter().filter(|fault| fault.kind.starts_with("write_")).cloned());
        }
        tell(&app, &known, &found);
        with_rights = found.iter().any(|fault| fault.kind == "write_denied");
        due = Instant::now() + if found.iter().any(is_error) { LOOK_AGAIN } else { LOOK_EVERY };
        known = found;
    }
}

fn is_error(fault: &Fault) -> bool {
    fault.severity == Severity::Error
}

fn tell(app: &App, known: &[Fault], found: &[Fault]) {
    let name = |fault: &Fault| (fault.kind, fault.subject.clone(), fault.message.clone());
    let before: HashSet<_> = known.iter().map(name).collect();
    let now: HashSet<_> = found.iter().map(name).collect();
    for fault in found.iter().filter(|fault| !before.contains(&name(fault))) {
        let needed_by: Vec<String> =
            fault.needs.iter().map(|need| format!("line {}: {}", need.at.line, need.path)).collect();
        tracing::warn!(
            kind = fault.kind,
            severity = %fault.severity,
            subject = fault.subject,
            reason = fault.message,
            hint = fault.hint,
            needed_by = needed_by.join("; "),
            "preflight: something is wrong"
        );
    }
    for fault in known.iter().filter(|fault| !now.contains(&name(fault))) {
        tracing::info!(kind = fault.kind, subject = fault.subject, "preflight: no longer so");
    }
    let errors = found.iter().filter(|fault| is_error(fault)).count();
    app.metrics().preflight(errors, found.len() - errors);
}

fn create(needs: &Needs) {
    let Ok(facts) = facts::ask(needs) else { return };
    let changes = judge::judge(needs, &facts).changes;
    let changes: Vec<Change> =
        changes.into_iter().filter(|change| matches!(change, Change::Create { .. })).collect();
    if changes.is_empty() {
        return;
    }
    match apply::apply(needs, &facts, &changes) {
        Err(why) => tracing::warn!(reason = why, "topics can't be created"),
        Ok(done) => {
            for (change, outcome) in done {
                let topic = change.topic().as_str();
                match outcome {
                    Ok(()) => tracing::info!(topic, "topic created, as `topics.create_missing` says"),
                    Err(why) => tracing::warn!(topic, reason = why, "the topic can't be created"),
                }
            }
        }
    }
}
