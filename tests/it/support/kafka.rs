//! The real Kafka that the promises are tested against.
//!
//! Takes: the jars that `scripts/kafka-kit` provides, and `java` in `PATH`; or, for the shared
//! broker, the address of a running one in `HOOKBRIDGE_TEST_BOOTSTRAP`.
//! Gives: a broker on loopback that serves metadata, and ways to kill, restart and pause it. It is
//! dead when its `Kafka` is dropped and when the test process ends, however that ends. Its controller is
//! in the same process, or apart, in one that a pause of the broker leaves alone.
//! Leaves to others: topics (none is created on demand), producing and consuming.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A start takes 3 s on an idle machine; a busy two-core CI gets twenty times that.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long one question to the broker may take before it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Starts java so that it cannot outlive the test process.
///
/// libtest never drops statics, and nobody can clean up after a SIGKILL; but the kernel closes the
/// pipe that is this script's stdin. A watcher reads that pipe to its end and then kills java and
/// removes its data, unless it was told to keep them. java is `exec`ed, so its process id is the
/// child's: `$$`, in the watcher too. The explicit `<&3` is needed because a shell gives background
/// jobs an empty stdin. SIGHUP is what the kernel sends to the group when the test process ends and java is
/// paused: java would take it for a request to end in its own time, the watcher must not die of it.
pub(crate) const LEASH: &str = r#"
    dir=$1; shift
    exec 3<&0
    ( trap '' HUP; last_words=$(cat); kill -9 $$
      [ "$last_words" = keep ] || rm -rf "$dir" || { sleep 1; rm -rf "$dir"; } ) <&3 3<&- 2>/dev/null &
    exec "$@" </dev/null 3<&-
"#;

/// A Kafka broker: a process of our own, or one that was running already.
pub(crate) struct Kafka {
    bootstrap: String,
    own: Option<Own>,
    controller: Option<Own>,
}

/// What there is to say about a process that we started.
struct Own {
    process: Child,
    dir: TempDir,
    more: More,
}

/// What a broker has beside what every one has.
#[derive(Clone, Default)]
pub(crate) struct More {
    /// Lines of server.properties. They win over the usual ones.
    pub(crate) properties: String,
    /// Arguments for formatting the storage.
    pub(crate) format: Vec<String>,
    /// Options of java's own.
    pub(crate) java: String,
}

/// What a process is to its cluster.
#[derive(Clone, Copy)]
enum Role {
    /// The broker, which is its own controller.
    Both,
    Broker,
    Controller,
}

impl Kafka {
    /// The broker shared by all tests of this process: `HOOKBRIDGE_TEST_BOOTSTRAP` if set, else
    /// started once.
    pub(crate) fn shared() -> &'static Kafka {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("HOOKBRIDGE_TEST_BOOTSTRAP") {
            Ok(bootstrap) if !bootstrap.is_empty() => {
                let mut existing = Kafka { bootstrap, own: None, controller: None };
                existing.wait_until_ready();
                existing
            }
            _ => Kafka::start(),
        })
    }

    /// A broker of one's own, to be stopped and started by a test.
    pub(crate) fn start() -> Kafka {
        let ports = free_ports();
        Kafka::start_with(ports, More::default())
    }

    /// The same, with more in its configuration, and ports that are known before.
    pub(crate) fn start_with(ports: [u16; 2], more: More) -> Kafka {
        Kafka::of(ports, Own::start(Role::Both, ports, more), None)
    }

    /// A broker of one's own, whose controller runs on, and fences it, while it is paused.
    pub(crate) fn start_with_controller_apart() -> Kafka {
        let ports = free_ports();
        let controller = Own::start(Role::Controller, ports, More::default());
        Kafka::of(ports, Own::start(Role::Broker, ports, More::default()), Some(controller))
    }

    fn of([port, _]: [u16; 2], own: Own, controller: Option<Own>) -> Kafka {
        let bootstrap = format!("{}:{port}", Ipv4Addr::LOCALHOST);
        let mut kafka = Kafka { bootstrap, own: Some(own), controller };
        kafka.wait_until_ready();
        kafka
    }

    /// `host:port`; the same after a restart.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kills the broker the hard way (SIGKILL) and returns when it is dead. Its data stay.
    pub(crate) fn kill(&mut self) {
        self.own_mut().kill();
    }

    /// Starts a killed broker again, with the same port and data, and returns when it answers.
    pub(crate) fn restart(&mut self) {
        let own = self.own_mut();
        own.kill();
        own.process = launch(own.dir.path(), &kit().join("log4j2.xml"), &own.more);
        self.wait_until_ready();
    }

    /// Freezes the broker: connections stay open and are even accepted, but nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Undoes [`Kafka::pause`].
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// How often the controller that is apart has fenced the broker, having heard nothing from it: from
    /// then on it is in nobody's metadata, not even in its own.
    pub(crate) fn times_fenced(&self) -> usize {
        self.controller_says("because its session has timed out")
    }

    /// How often it has let the broker serve: when that had started, and after each fencing.
    pub(crate) fn times_unfenced(&self) -> usize {
        self.controller_says("to unfence has been granted")
    }

    fn controller_says(&self, words: &str) -> usize {
        let controller = self.controller.as_ref().expect("use `Kafka::start_with_controller_apart`");
        controller.log().matches(words).count()
    }

    fn signal(&self, name: &str) {
        let pid = self.own.as_ref().expect(NOT_OURS).process.id();
        // The shell's own `kill`, because a slim image has no other.
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(status.is_ok_and(|status| status.success()), "send SIG{name} to the broker");
    }

    fn own_mut(&mut self) -> &mut Own {
        self.own.as_mut().expect(NOT_OURS)
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let problem = match serves_metadata(&self.bootstrap) {
                Ok(true) => return,
                Ok(false) => "it knows no broker yet".to_owned(),
                Err(error) => error.to_string(),
            };
            let mut logs = String::new();
            for own in self.own.iter_mut().chain(&mut self.controller) {
                if let Some(status) = own.process.try_wait().expect("ask for a process's state") {
                    panic!("kafka ended ({status}) instead of starting:\n{}", own.log_tail());
                }
                logs += &own.log_tail();
            }
            if Instant::now() > deadline {
                panic!("the broker at {} is not ready: {problem}\n{logs}", self.bootstrap);
            }
            thread::sleep(POLL_EVERY);
        }
    }
}

const NOT_OURS: &str = "the broker was not started by this test: use `Kafka::start` to stop one";

impl Own {
    /// Starts a process that will be listening at these ports, or asking there for the other.
    fn start(role: Role, ports: [u16; 2], more: More) -> Own {
        let dir = tempfile::Builder::new().prefix("hookbridge-kafka-").tempdir();
        let dir = dir.expect("create a directory for kafka");
        let text = properties(role, dir.path(), ports) + &more.properties;
        fs::write(dir.path().join("server.properties"), text).expect("write server.properties");
        let mut logging = kit().join("log4j2.xml");
        if matches!(role, Role::Controller) {
            logging = dir.path().join("log4j2.properties");
            fs::write(&logging, CONTROLLER_LOGGING).expect("write log4j2.properties");
        }
        format_storage(role, dir.path(), &more);
        Own { process: launch(dir.path(), &logging, &more), dir, more }
    }

    fn kill(&mut self) {
        if let Some(mut leash) = self.process.stdin.take() {
            // The watcher may be gone already, with java; then there is nobody to tell.
            let _ = leash.write_all(b"keep");
        }
        // An error here means only that it is dead.
        let _ = self.process.kill();
        self.process.wait().expect("wait for kafka's end");
    }

    fn log(&self) -> String {
        let log = fs::read(self.dir.path().join("kafka.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Dead before `dir` is removed under it.
        self.kill();
    }
}

/// Two ports that nobody listens on and nobody is going to be given.
///
/// Not what binding port 0 gives: the kernel hands the same range to outgoing connections, so while
/// the broker is down one of its clients could be given its port, and a restart would fail.
pub(crate) fn free_ports() -> [u16; 2] {
    const BELOW_EPHEMERAL: std::ops::Range<u64> = 12_000..32_000;
    let random_port = |attempt: u32| {
        let random = RandomState::new().hash_one(attempt);
        let port = BELOW_EPHEMERAL.start + random % (BELOW_EPHEMERAL.end - BELOW_EPHEMERAL.start);
        u16::try_from(port).expect("the range is one of ports")
    };
    // Held until both are found, so that they differ.
    let listeners = [(); 2].map(|()| {
        (0..1_000)
            .find_map(|attempt| TcpListener::bind((Ipv4Addr::LOCALHOST, random_port(attempt))).ok())
            .expect("find a free port")
    });
    listeners.map(|listener| listener.local_addr().expect("ask for a socket's address").port())
}

/// Quiet like the kit's, but for what [`Kafka::times_fenced`] and [`Kafka::times_unfenced`] look for.
const CONTROLLER_LOGGING: &str = "\
    appender.console.type=Console\n\
    appender.console.name=console\n\
    rootLogger=WARN,console\n\
    logger.replication.name=org.apache.kafka.controller.ReplicationControlManager\n\
    logger.replication.level=INFO\n\
    logger.heartbeat.name=org.apache.kafka.controller.BrokerHeartbeatManager\n\
    logger.heartbeat.level=INFO\n";

/// A cluster of one broker and one controller, on loopback, sized for tests.
fn properties(role: Role, dir: &Path, [port, controller_port]: [u16; 2]) -> String {
    let broker = format!("PLAINTEXT://127.0.0.1:{port}");
    let controller = format!("CONTROLLER://127.0.0.1:{controller_port}");
    let (roles, node, listeners) = match role {
        Role::Both => ("broker,controller", 1, format!("{broker},{controller}")),
        Role::Broker => ("broker", 1, broker),
        Role::Controller => ("controller", 2, controller),
    };
    let mut text = format!(
        "process.roles={roles}\n\
         node.id={node}\n\
         listeners={listeners}\n\
         advertised.listeners={listeners}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}\n\
         log.dirs={}\n",
        dir.join("data").display()
    );
    for (name, value, _why) in [
        ("auto.create.topics.enable", "false", "a mistyped topic must be an error"),
        ("offsets.topic.replication.factor", "1", "there is one broker"),
        ("transaction.state.log.replication.factor", "1", "there is one broker"),
        ("transaction.state.log.min.isr", "1", "there is one broker"),
        ("offsets.topic.num.partitions", "1", "50 would be created at the first consumer"),
        ("transaction.state.log.num.partitions", "1", "likewise"),
        ("group.initial.rebalance.delay.ms", "0", "consumers come one at a time"),
        ("log.segment.bytes", "1048576", "the smallest that is allowed"),
        ("log.cleaner.dedupe.buffer.size", "2097152", "128 MiB of the heap by default"),
        ("broker.heartbeat.interval.ms", "500", "to go with the next"),
        ("broker.session.timeout.ms", "3000", "how long a killed broker's restart is refused"),
    ] {
        writeln!(text, "{name}={value}").expect("write to a string");
    }
    text
}

/// The directory of the jars; downloaded by the first test that asks, if ever.
pub(crate) fn kit() -> &'static Path {
    static KIT: OnceLock<PathBuf> = OnceLock::new();
    KIT.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka-kit");
        // Its stderr is not captured: it says what it installs and downloads, or what is missing.
        let output = Command::new(script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("run scripts/kafka-kit");
        assert!(output.status.success(), "scripts/kafka-kit failed: {}", output.status);
        let dir = String::from_utf8(output.stdout).expect("a path in UTF-8");
        PathBuf::from(dir.trim_end())
    })
}

/// The arguments of every java here: a quick start matters more than speed later on.
pub(super) fn java(main_class: &str) -> Vec<String> {
    let kit = kit().display();
    let class_path = format!("{kit}:{kit}/*");
    ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp"]
        .into_iter()
        .chain([class_path.as_str(), main_class])
        .map(str::to_owned)
        .collect()
}

fn format_storage(role: Role, dir: &Path, more: &More) {
    let quorum = match role {
        Role::Both | Role::Controller => "--standalone",
        Role::Broker => "--no-initial-controllers",
    };
    let java = java("kafka.tools.StorageTool");
    // The cluster's name is the same for every broker; none ever meets another.
    let output = Command::new(&java[0])
        .args(&java[1..])
        .args(["format", quorum, "-t", "hookbridge-tests-0000w", "-c"])
        .arg(dir.join("server.properties"))
        .args(&more.format)
        .stdin(Stdio::null())
        .output()
        .expect("run java");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "format kafka's storage: {}", String::from_utf8_lossy(&text));
}

fn launch(dir: &Path, logging: &Path, more: &More) -> Child {
    let log = File::options().create(true).append(true).open(dir.join("kafka.log"));
    let log = log.expect("open kafka's log");
    Command::new("sh")
        .args(["-c", LEASH, "sh"])
        .arg(dir)
        .args(java("kafka.Kafka"))
        .arg(dir.join("server.properties"))
        .env("LOG4J_CONFIGURATION_FILE", logging)
        .env("JAVA_TOOL_OPTIONS", &more.java)
        .stdin(Stdio::piped())
        .stderr(log.try_clone().expect("share kafka's log"))
        .stdout(log)
        // A group of its own: Ctrl-C is for the test process, and its end is what the leash notices.
        .process_group(0)
        .spawn()
        .expect("run sh")
}

/// Whether the cluster behind `bootstrap` knows a live broker. An open port says less: the broker
/// listens before the controller lets it serve.
fn serves_metadata(bootstrap: &str) -> io::Result<bool> {
    let address = bootstrap.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut broker = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    broker.set_read_timeout(Some(ANSWER_WITHIN))?;
    // Kafka frames are big-endian, after their length: Metadata (3) in version 1, correlation 7, no
    // client id (length -1), and an empty list of topics.
    broker.write_all(b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\xff\xff\0\0\0\0")?;
    // Length, correlation, number of brokers.
    let mut answer = [0; 12];
    broker.read_exact(&mut answer)?;
    Ok(answer[4..8] == [0, 0, 0, 7] && answer[8..12] != [0; 4])
}
