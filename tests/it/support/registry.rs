//! A real schema registry: Apicurio, by Confluent's API, with its content in memory.
//!
//! Started by the tests that ask for it, and ended with the process, as Kafka is. Restarted, it has forgotten everything.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{self, Request};
use super::kafka::{LEASH, free_ports};
use super::wait::eventually;

/// A start takes 10 s on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(120);

const API: &str = "/apis/ccompat/v7";

/// A registry.
pub(crate) struct Registry {
    address: SocketAddr,
    process: Option<Child>,
    dir: TempDir,
}

impl Registry {
    /// The registry shared by all tests of this process. Subjects are unique.
    pub(crate) fn shared() -> &'static Registry {
        static SHARED: OnceLock<Registry> = OnceLock::new();
        SHARED.get_or_init(Registry::start)
    }

    /// One of a test's own, to be stopped.
    pub(crate) fn start() -> Registry {
        let [port, _] = free_ports();
        let dir = tempfile::Builder::new().prefix("hookbridge-registry-").tempdir();
        let dir = dir.expect("a directory for the registry");
        let mut registry = Registry { address: (Ipv4Addr::LOCALHOST, port).into(), process: None, dir };
        registry.restart();
        registry
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{API}", self.address)
    }

    /// The URL of its own API, which its own deserialisers ask.
    pub(crate) fn own_url(&self) -> String {
        format!("http://{}/apis/registry/v2", self.address)
    }

    /// Kills it the hard way.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            if let Some(mut leash) = process.stdin.take() {
                // The watcher may be gone already, with java.
                let _ = leash.write_all(b"keep");
            }
            let _ = process.kill();
            process.wait().expect("wait for the registry's end");
        }
    }

    /// Starts it at the same port, with nothing in it, and returns when it answers.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let log = std::fs::File::create(self.dir.path().join("registry.log")).expect("the registry's log");
        let process = Command::new("sh")
            .args(["-c", LEASH, "sh"])
            .arg(self.dir.path())
            .args([
                "java",
                "-Xmx400m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-jar",
            ])
            .arg(runner())
            .env("QUARKUS_HTTP_HOST", "127.0.0.1")
            .env("QUARKUS_HTTP_PORT", self.address.port().to_string())
            .stdin(Stdio::piped())
            .stderr(log.try_clone().expect("share the registry's log"))
            .stdout(log)
            .process_group(0)
            .spawn()
            .expect("run sh");
        self.process = Some(process);
        let log = self.dir.path().join("registry.log");
        eventually(READY_WITHIN, "the schema registry answers", || {
            let process = self.process.as_mut().expect("it was started");
            if let Some(status) = process.try_wait().expect("ask for a process's state") {
                panic!(
                    "the registry ended ({status}):\n{}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                );
            }
            TcpStream::connect(self.address).ok()?;
            let answer = http::get(self.address, &format!("{API}/subjects")).ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Registers a schema, and gives its ID.
    #[track_caller]
    pub(crate) fn register(&self, subject: &str, kind: &str, schema: &Value) -> u32 {
        let schema = schema.as_str().map_or_else(|| schema.to_string(), str::to_owned);
        let answer = self
            .post(&format!("subjects/{subject}/versions"), &json!({ "schema": schema, "schemaType": kind }));
        let id = answer["id"].as_u64();
        u32::try_from(id.unwrap_or_else(|| panic!("register {subject}: {answer}"))).expect("an id")
    }

    /// Takes a subject away with all of its versions.
    pub(crate) fn delete(&self, subject: &str) {
        for target in [format!("subjects/{subject}"), format!("subjects/{subject}?permanent=true")] {
            let request = Request { method: "DELETE".to_owned(), ..self.request(&target, "") };
            let answer = http::send(self.address, &request);
            assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
        }
    }

    /// What it must be compatible with from now on, such as `BACKWARD`.
    pub(crate) fn set_compatibility(&self, subject: &str, level: &str) {
        let body = json!({ "compatibility": level }).to_string();
        let request =
            Request { method: "PUT".to_owned(), ..self.request(&format!("config/{subject}"), &body) };
        let answer = http::send(self.address, &request);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = http::send(self.address, &self.request(path, &body.to_string()));
        serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{}", answer.text()))
    }

    fn request(&self, path: &str, body: &str) -> Request {
        Request::post(&format!("{API}/{path}"), body.as_bytes())
            .header("content-type", "application/vnd.schemaregistry.v1+json")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the Java project `tests/schema-registry` was built to; the first test that asks has it built.
fn kit() -> &'static Path {
    static KIT: OnceLock<PathBuf> = OnceLock::new();
    KIT.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/java-kit");
        let output = Command::new(script)
            .arg("tests/schema-registry")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("run scripts/java-kit");
        assert!(output.status.success(), "scripts/java-kit failed: {}", output.status);
        PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim_end())
    })
}

fn runner() -> PathBuf {
    let files = std::fs::read_dir(kit().join("registry")).expect("the registry's directory");
    let mut jars = files.map(|file| file.expect("a file").path());
    jars.find(|path| path.to_string_lossy().ends_with("-runner.jar")).expect("the registry's jar")
}

/// What a consumer in Java reads of a topic with the registry's own deserialiser: key and value of each record.
#[track_caller]
pub(crate) fn read_in_java(
    bootstrap: &str,
    registry: &Registry,
    topic: &str,
    format: &str,
) -> Vec<(String, String)> {
    let kit = kit();
    let class_path = format!("{}:{}/*", kit.join("classes").display(), kit.join("lib").display());
    let output = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &class_path, "SchemaReader"])
        .args([bootstrap, &registry.own_url(), topic, format])
        .output()
        .expect("run java");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.lines()
        .map(|line| {
            let (key, value) = line.split_once('\t').unwrap_or_else(|| panic!("{out}\n{err}"));
            (key.to_owned(), value.to_owned())
        })
        .collect()
}
