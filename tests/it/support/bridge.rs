//! The real executable, serving.
//!
//! Takes a configuration file's text and an environment. Gives the addresses that it says it listens at, its
//! log, its health and metrics, and signals to send. When it is dropped it must end in order, with exit code 0
//! and no ERROR in its log, or the test fails: a service that can't be shut down, or that calls somebody
//! out of bed, has a defect whatever else it did.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::http::{self, Answer};
use super::metrics;
use super::wait::{SOON, eventually};

/// The longest grace that a test configures is the default, 25 s.
const END_WITHIN: Duration = Duration::from_secs(40);

/// A running bridge.
pub(crate) struct Bridge {
    process: Child,
    log: Log,
    shown: Log,
    public: SocketAddr,
    admin: SocketAddr,
    ended: bool,
    file: PathBuf,
    env: Vec<(String, String)>,
    /// Where the file is, if that directory was made for it.
    dir: Option<TempDir>,
}

/// What a process says, line by line: on standard error, JSON.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn follow(stream: impl Read + Send + 'static) -> Log {
        let log = Log::default();
        let lines = Arc::clone(&log.0);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lines.lock().expect("the log").push(line);
            }
        });
        log
    }

    /// The first line with this message that `accept` takes.
    pub(crate) fn find(&self, message: &str, accept: impl Fn(&Value) -> bool) -> Option<Value> {
        let lines = self.0.lock().expect("the log");
        let mut parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.find(|line| line["message"] == message && accept(line))
    }

    /// How many lines have this message and are such that `accept` takes them.
    pub(crate) fn count(&self, message: &str, accept: impl Fn(&Value) -> bool) -> usize {
        let lines = self.0.lock().expect("the log");
        let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.filter(|line| line["message"] == message && accept(line)).count()
    }

    /// As long as this is held nobody reads what the process says, and its pipe fills.
    pub(crate) fn stop_reading(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("the log")
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().expect("the log").join("\n")
    }

    fn errors(&self) -> Vec<String> {
        let lines = self.0.lock().expect("the log");
        let is_error = |line: &&String| {
            let level = serde_json::from_str::<Value>(line).map(|line| line["level"] == "ERROR");
            level.unwrap_or(line.contains("panicked at"))
        };
        lines.iter().filter(is_error).cloned().collect()
    }
}

/// The executable under test, with nothing in its environment that would change what it does.
pub(crate) fn hookbridge() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookbridge"));
    for name in ["HOOKBRIDGE_CONFIG", "HOOKBRIDGE_LOG", "HOOKBRIDGE_SECRET", "RUST_LOG"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

impl Bridge {
    /// Serves and returns once both ports are bound. Kafka need not be there.
    pub(crate) fn start(config: &str, env: &[(String, String)]) -> Bridge {
        let dir = tempfile::tempdir().expect("a directory for the configuration");
        let file = dir.path().join("hookbridge.yaml");
        fs::write(&file, config).expect("write the configuration");
        let mut bridge = Bridge::start_from(&file, env);
        bridge.dir = Some(dir);
        bridge
    }

    /// The same with a configuration that stands in a file already.
    pub(crate) fn start_from(file: &Path, env: &[(String, String)]) -> Bridge {
        let mut process = hookbridge()
            .arg("serve")
            .arg("--config")
            .arg(file)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run hookbridge");
        let log = Log::follow(process.stderr.take().expect("a pipe"));
        let shown = Log::follow(process.stdout.take().expect("a pipe"));
        let mut address = |message: &str| {
            eventually(SOON, message, || {
                if let Some(status) = process.try_wait().expect("ask for the bridge's state") {
                    let config = fs::read_to_string(file).unwrap_or_default();
                    panic!("the bridge ended ({status}) instead of serving:\n{}\n{config}", log.text());
                }
                let line = log.find(message, |_| true)?;
                Some(line["address"].as_str()?.parse().expect("an address"))
            })
        };
        let public = address("listening for webhooks");
        let admin = address("listening for health and metrics");
        let (file, env) = (file.to_owned(), env.to_owned());
        Bridge { process, log, shown, public, admin, ended: false, file, env, dir: None }
    }

    /// Where webhooks are sent to.
    pub(crate) fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where health and metrics are.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The configuration's file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What its environment was given beside what every process has.
    pub(crate) fn env(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// What it has said on standard output.
    pub(crate) fn shown(&self) -> String {
        self.shown.text()
    }

    /// The status of `/readyz`; `None` if nobody answers.
    pub(crate) fn readyz(&self) -> Option<u16> {
        http::get(self.admin, "/readyz").ok().map(|answer| answer.status)
    }

    pub(crate) fn wait_until_ready(&self) {
        eventually(SOON, "/readyz says 200", || (self.readyz()? == 200).then_some(()));
    }

    /// A GET on the admin port.
    pub(crate) fn get_admin(&self, target: &str) -> Answer {
        http::get(self.admin, target).unwrap_or_else(|error| panic!("GET {target}: {error}"))
    }

    /// The sum of a metric's samples, as [`metrics::sum`].
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        metrics::sum(&self.get_admin("/metrics").text(), name, labels)
    }

    /// Waits until nothing is under way any more: no permit was lost.
    pub(crate) fn wait_until_idle(&self) {
        for name in [
            "hookbridge_in_flight_requests",
            "hookbridge_in_flight_body_bytes",
            "http_server_active_requests",
        ] {
            eventually(SOON, &format!("{name} is 0 again"), || {
                // It is not there before the first request.
                (self.metric(name, &[]).unwrap_or(0.0) == 0.0).then_some(())
            });
        }
    }

    /// What the process has open, as Linux tells.
    pub(crate) fn open_files(&self) -> Vec<PathBuf> {
        let dir = fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("Linux's /proc");
        dir.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect()
    }

    /// What it has in memory, as Linux tells, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("Linux's /proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("ask for the bridge's state").is_none()
    }

    /// Waits for the end, which the test itself has brought about.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self, within: Duration) -> ExitStatus {
        let status = wait_for_end(&mut self.process, within);
        self.ended = true;
        status
    }
}

/// Sends a signal to a process of this test.
pub(crate) fn signal(process: &Child, name: &str) {
    // The shell's own `kill`, because a slim image has no other.
    let kill = Command::new("sh").args(["-c", &format!("kill -{name} {}", process.id())]).status();
    assert!(kill.is_ok_and(|status| status.success()), "send SIG{name}");
}

/// Waits for a process to end.
#[track_caller]
pub(crate) fn wait_for_end(process: &mut Child, within: Duration) -> ExitStatus {
    eventually(within, "the end of the process", || process.try_wait().expect("ask for the process's state"))
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- the bridge's log\n{}\n----", self.log.text());
            // An error here means only that it has ended.
            let _ = self.process.kill();
            let _ = self.process.wait();
            return;
        }
        if !self.ended {
            if self.is_running() {
                // In the same order as SIGTERM, without `shutdown_delay`.
                self.signal("INT");
            }
            let deadline = Instant::now() + END_WITHIN;
            let status = loop {
                match self.process.try_wait().expect("ask for the bridge's state") {
                    Some(status) => break status,
                    None if Instant::now() > deadline => {
                        let _ = self.process.kill();
                        break self.process.wait().expect("wait for the bridge");
                    }
                    None => thread::sleep(Duration::from_millis(10)),
                }
            };
            let (code, signal) = (status.code(), status.signal());
            assert_eq!(code, Some(0), "the bridge's end (signal {signal:?}):\n{}", self.log.text());
        }
        let errors = self.log.errors();
        assert!(errors.is_empty(), "errors in the bridge's log:\n{}", errors.join("\n"));
    }
}
