//! A real OpenTelemetry collector: takes OTLP by HTTP and by gRPC, and writes what it was given to a file.
//!
//! Each test has its own. Stopped or killed it can be started again at the same ports. It is built by
//! `scripts/collector-kit`, once.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::bridge::signal;
use super::kafka::{LEASH, free_ports};
use super::wait::{SOON, eventually};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A collector.
pub(crate) struct Collector {
    http: u16,
    grpc: u16,
    is_tls: bool,
    process: Option<Child>,
    dir: TempDir,
}

impl Collector {
    pub(crate) fn start() -> Collector {
        Self::with(false)
    }

    /// Over TLS, for those who show a certificate: all of `tests/tls/`, for 127.0.0.1.
    pub(crate) fn start_tls() -> Collector {
        Self::with(true)
    }

    fn with(is_tls: bool) -> Collector {
        let [http, grpc] = free_ports();
        let dir = tempfile::Builder::new().prefix("hookbridge-collector-").tempdir();
        let dir = dir.expect("a directory for the collector");
        let mut collector = Collector { http, grpc, is_tls, process: None, dir };
        collector.restart();
        collector
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` says for HTTP.
    pub(crate) fn http(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.is_tls { "https" } else { "http" }, self.http)
    }

    /// The same for gRPC.
    pub(crate) fn grpc(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.is_tls { "https" } else { "http" }, self.grpc)
    }

    /// Kills it the hard way.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            if let Some(mut leash) = process.stdin.take() {
                // The watcher may be gone already.
                let _ = leash.write_all(b"keep");
            }
            let _ = process.kill();
            process.wait().expect("wait for the collector's end");
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.process.as_ref().expect("it runs"), name);
    }

    /// Starts it at the same ports; it adds to what it has written.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (dir, log) = (self.dir.path(), self.dir.path().join("collector.log"));
        let config = dir.join("collector.yaml");
        fs::write(&config, self.config()).expect("write the collector's configuration");
        let out = fs::File::create(&log).expect("the collector's log");
        let process = Command::new("sh")
            .args(["-c", LEASH, "sh"])
            .arg(dir)
            .arg(program())
            .arg(format!("--config=file:{}", config.display()))
            .stdin(Stdio::piped())
            .stderr(out.try_clone().expect("share the collector's log"))
            .stdout(out)
            .process_group(0)
            .spawn()
            .expect("run sh");
        self.process = Some(process);
        eventually(READY_WITHIN, "the collector listens", || {
            let process = self.process.as_mut().expect("it was started");
            if let Some(status) = process.try_wait().expect("ask for a process's state") {
                panic!("the collector ended ({status}):\n{}", fs::read_to_string(&log).unwrap_or_default());
            }
            let listens = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            (listens(self.http) && listens(self.grpc)).then_some(())
        });
    }

    fn config(&self) -> String {
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
        let files = files.display();
        let tls = if self.is_tls {
            format!(
                ", tls: {{ cert_file: {files}/loopback.pem, key_file: {files}/loopback.key, client_ca_file: {files}/loopback-ca.pem }}"
            )
        } else {
            String::new()
        };
        let pipelines = ["traces", "metrics", "logs"]
            .map(|signal| format!("    {signal}: {{ receivers: [otlp], exporters: [file] }}\n"))
            .concat();
        format!(
            "receivers:\n  otlp:\n    protocols:\n      http: {{ endpoint: '127.0.0.1:{}'{tls} }}\n      \
             grpc: {{ endpoint: '127.0.0.1:{}'{tls} }}\n\
             exporters:\n  file: {{ path: '{}', append: true, flush_interval: 50ms }}\n\
             service:\n  telemetry: {{ metrics: {{ level: none }}, logs: {{ level: error }} }}\n  pipelines:\n{pipelines}",
            self.http,
            self.grpc,
            self.dir.path().join("received.jsonl").display()
        )
    }

    /// What it has been given so far: each message as OTLP's JSON. The last line may not be whole yet.
    fn received(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.path().join("received.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Everything at `path` of each message, in the order it came: `resourceSpans/scopeSpans/spans`.
    pub(crate) fn all(&self, path: &str) -> Vec<Value> {
        let mut found = self.received();
        for part in path.split('/') {
            let inner = found.iter().filter_map(|value| value[part].as_array());
            found = inner.flatten().cloned().collect();
        }
        found
    }

    pub(crate) fn spans(&self) -> Vec<Value> {
        self.all("resourceSpans/scopeSpans/spans")
    }

    pub(crate) fn log_records(&self) -> Vec<Value> {
        self.all("resourceLogs/scopeLogs/logRecords")
    }

    pub(crate) fn metrics(&self) -> Vec<Value> {
        self.all("resourceMetrics/scopeMetrics/metrics")
    }

    /// Waits for so many spans that `accept` takes, in the order of their start.
    #[track_caller]
    pub(crate) fn wait_for_spans(&self, count: usize, accept: impl Fn(&Value) -> bool) -> Vec<Value> {
        eventually(SOON, &format!("{count} spans"), || {
            let mut spans: Vec<Value> = self.spans().into_iter().filter(|span| accept(span)).collect();
            spans.sort_by_key(|span| span["startTimeUnixNano"].as_str().map(str::to_owned));
            (spans.len() >= count).then_some(spans)
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An attribute's value, as text.
pub(crate) fn attribute(of: &Value, key: &str) -> Option<String> {
    let attributes = of["attributes"].as_array()?;
    let value = &attributes.iter().find(|attribute| attribute["key"] == key)?["value"];
    let (_, value) = value.as_object()?.iter().next()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The keys of all attributes, sorted.
pub(crate) fn keys(of: &Value) -> Vec<String> {
    let attributes = of["attributes"].as_array().cloned().unwrap_or_default();
    let mut keys: Vec<String> =
        attributes.iter().filter_map(|attribute| Some(attribute["key"].as_str()?.to_owned())).collect();
    keys.sort();
    keys
}

/// Where `scripts/collector-kit` has put it; the first test that asks has it built.
fn program() -> &'static Path {
    static KIT: OnceLock<PathBuf> = OnceLock::new();
    KIT.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/collector-kit");
        // Its stderr is not captured: it says what it builds, or what is missing.
        let output = Command::new(script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("run scripts/collector-kit");
        assert!(output.status.success(), "scripts/collector-kit failed: {}", output.status);
        let dir = String::from_utf8(output.stdout).expect("a path in UTF-8");
        PathBuf::from(dir.trim_end()).join("collector")
    })
}
