//! One source, its topics and the bridge that serves it: what most tests begin with.
//!
//! Takes a preset, and what is to differ from the defaults. Gives a [`Scene`]: a running bridge with a source of
//! a name of its own, at a Kafka where its topic and its dead-letter topic exist. Both have one partition
//! unless said otherwise, so that a record that comes second is known to be second.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::bridge::Bridge;
use super::http::{self, Answer, Connection, Request};
use super::kafka::Kafka;
use super::provider::Signer;
use super::topics::{self, Record};
use super::unique;
use super::wait::{SOON, eventually};

/// The environment variable with the source's secret.
pub(crate) const SECRET: &str = "HOOKBRIDGE_TEST_SECRET";

/// A type that no test maps.
pub(crate) const TYPE: &str = "test.happened";

/// A scene that is not set yet.
pub(crate) struct Plan {
    preset: String,
    provider: String,
    source: String,
    bootstrap: Option<String>,
    partitions: i32,
    topic: Option<Vec<(String, String)>>,
    secrets: String,
    sections: [(&'static str, Vec<String>); 2],
    top: String,
    options: Vec<String>,
    more_sources: String,
    more_topics: Vec<String>,
    env: Vec<(String, String)>,
    file: Option<PathBuf>,
}

/// A scene.
pub(crate) struct Scene {
    pub(crate) source: String,
    pub(crate) topic: String,
    pub(crate) dead_letter: String,
    pub(crate) signer: Signer,
    pub(crate) bootstrap: String,
    pub(crate) bridge: Bridge,
}

impl Plan {
    pub(crate) fn of(preset: &str) -> Plan {
        Plan {
            preset: preset.to_owned(),
            provider: preset.to_owned(),
            source: unique(preset),
            bootstrap: None,
            partitions: 1,
            topic: Some(Vec::new()),
            secrets: format!("[{{ env: {SECRET} }}]"),
            sections: [("server", Vec::new()), ("kafka", Vec::new())],
            top: String::new(),
            options: Vec::new(),
            more_sources: String::new(),
            more_topics: Vec::new(),
            env: Vec::new(),
            file: None,
        }
    }

    /// At a Kafka other than the shared one.
    pub(crate) fn at(mut self, bootstrap: &str) -> Plan {
        self.bootstrap = Some(bootstrap.to_owned());
        self
    }

    /// The preset, with these keys of its own, in YAML.
    pub(crate) fn extended(mut self, yaml: &str) -> Plan {
        self.provider = format!("{{ extends: {}, {yaml} }}", self.preset);
        self
    }

    /// The source's name, which its topics are called after.
    pub(crate) fn name(&self) -> &str {
        &self.source
    }

    /// The name of the dead-letter topic.
    pub(crate) fn dead_letter(&self) -> String {
        format!("{}.dead", self.source)
    }

    pub(crate) fn partitions(mut self, partitions: i32) -> Plan {
        self.partitions = partitions;
        self
    }

    /// A configuration of the source's topic, in the broker.
    pub(crate) fn topic_config(mut self, name: &str, value: &str) -> Plan {
        self.topic.get_or_insert_default().push((name.to_owned(), value.to_owned()));
        self
    }

    /// The source's own topic is not created.
    pub(crate) fn without_topic(mut self) -> Plan {
        self.topic = None;
        self
    }

    /// Another topic is created, with this name.
    pub(crate) fn topic(mut self, name: &str) -> Plan {
        self.more_topics.push(name.to_owned());
        self
    }

    /// Secrets other than the one that the scene's signer has, in YAML.
    pub(crate) fn secrets(mut self, yaml: &str) -> Plan {
        yaml.clone_into(&mut self.secrets);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Plan {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The configuration is written to this file, not to one in a directory of its own.
    pub(crate) fn file(mut self, file: PathBuf) -> Plan {
        self.file = Some(file);
        self
    }

    /// A line under `server`.
    pub(crate) fn server(mut self, line: &str) -> Plan {
        self.sections[0].1.push(line.to_owned());
        self
    }

    /// A line under `kafka`.
    pub(crate) fn kafka(mut self, line: &str) -> Plan {
        self.sections[1].1.push(line.to_owned());
        self
    }

    /// A line beside `server`, `kafka` and `sources`.
    pub(crate) fn top(mut self, line: &str) -> Plan {
        writeln!(self.top, "{line}").expect("write to a string");
        self
    }

    /// A line of the source.
    pub(crate) fn option(mut self, line: &str) -> Plan {
        self.options.push(line.to_owned());
        self
    }

    /// Another source, as one line of YAML.
    pub(crate) fn source(mut self, name: &str, yaml: &str) -> Plan {
        writeln!(self.more_sources, "  {name}: {yaml}").expect("write to a string");
        self
    }

    /// Sets the scene and waits until the bridge is ready.
    pub(crate) fn start(self) -> Scene {
        let scene = self.start_unready();
        scene.bridge.wait_until_ready();
        scene
    }

    /// Sets the scene, whose Kafka need not be there if no topic is to be created.
    pub(crate) fn start_unready(self) -> Scene {
        let bootstrap = self.bootstrap.clone().unwrap_or_else(|| Kafka::shared().bootstrap().to_owned());
        let topic = format!("webhooks.{}", self.source);
        let dead_letter = self.dead_letter();
        if let Some(config) = &self.topic {
            let config: Vec<_> = config.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            topics::create(&bootstrap, &topic, self.partitions, &config);
        }
        if self.topic.is_some() || self.bootstrap.is_none() {
            topics::create(&bootstrap, &dead_letter, 1, &[]);
        }
        for topic in &self.more_topics {
            topics::create(&bootstrap, topic, 1, &[]);
        }
        let signer = Signer::new(&self.preset, &self.source);
        let mut env = self.env.clone();
        env.push((SECRET.to_owned(), signer.secret().to_owned()));
        let config = self.config(&bootstrap, &dead_letter);
        let bridge = match &self.file {
            None => Bridge::start(&config, &env),
            Some(file) => {
                fs::write(file, config).expect("write the configuration");
                Bridge::start_from(file, &env)
            }
        };
        Scene { source: self.source, topic, dead_letter, signer, bootstrap, bridge }
    }

    fn config(&self, bootstrap: &str, dead_letter: &str) -> String {
        let [(_, server), (_, kafka)] = &self.sections;
        let lines = |lines: &[String], indent: &str| {
            lines.iter().map(|line| format!("{indent}{line}\n")).collect::<String>()
        };
        format!(
            "server:\n  listen: 127.0.0.1:0\n{}admin:\n  listen: 127.0.0.1:0\n\
             kafka:\n  bootstrap.servers: {bootstrap}\n{}dead_letter: {dead_letter}\n{}\
             sources:\n  {}:\n    provider: {}\n    secrets: {}\n{}{}",
            lines(server, "  "),
            lines(kafka, "  "),
            self.top,
            self.source,
            self.provider,
            self.secrets,
            lines(&self.options, "    "),
            self.more_sources
        )
    }
}

impl Scene {
    /// Where the source is served.
    pub(crate) fn path(&self) -> String {
        format!("/webhooks/{}", self.source)
    }

    /// A genuine event of type [`TYPE`].
    pub(crate) fn event(&self, id: &str) -> Request {
        self.signer.event(&self.path(), id, TYPE)
    }

    /// A genuine event of any type.
    pub(crate) fn event_of(&self, event_type: &str, id: &str) -> Request {
        self.signer.event(&self.path(), id, event_type)
    }

    /// A genuine request with any body.
    pub(crate) fn request(&self, id: &str, body: &[u8]) -> Request {
        self.signer.request(&self.path(), id, body)
    }

    /// Sends a request on a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Answer {
        http::send(self.bridge.public(), request)
    }

    /// What is in the source's topic.
    pub(crate) fn records(&self) -> Vec<Record> {
        topics::read(&self.bootstrap, &self.topic)
    }

    /// What is in the dead-letter topic.
    pub(crate) fn dead_letters(&self) -> Vec<Record> {
        topics::read(&self.bootstrap, &self.dead_letter)
    }

    /// What is in any topic.
    pub(crate) fn records_of(&self, topic: &str) -> Vec<Record> {
        topics::read(&self.bootstrap, topic)
    }

    /// Shows that it still works, and that both topics hold what is sent here and nothing else.
    ///
    /// A topic that is empty at some moment proves little: what was on its way may come later. Both topics
    /// have one partition, so whatever was enqueued before these two events stands before them.
    #[track_caller]
    pub(crate) fn assert_nothing_else_landed(&self) {
        let sentinel = unique("sentinel");
        self.send(&self.event(&sentinel)).assert_received();
        let unreadable = format!("no JSON: {sentinel}");
        self.send(&self.request(&sentinel, unreadable.as_bytes())).assert_received();
        let keys: Vec<String> = self.records().into_iter().map(|record| record.key).collect();
        assert_eq!(keys, [sentinel], "keys in {}", self.topic);
        let values: Vec<Vec<u8>> = self.dead_letters().into_iter().map(|record| record.value).collect();
        assert_eq!(values, [unreadable.into_bytes()], "values in {}", self.dead_letter);
    }

    /// Waits until the log says that a request to this source was refused for this reason.
    pub(crate) fn wait_for_refusal(&self, error_type: &str, source: &str) {
        eventually(SOON, &format!("a refusal in the log: {error_type}"), || {
            self.bridge.log().find("request refused", |line| {
                line["error.type"] == error_type && line["source"] == source && line["level"] == "WARN"
            })
        });
    }

    /// Sends a request but for its last octet, and waits until the bridge holds it.
    pub(crate) fn hold(&self, request: &Request) -> Held {
        let before = self.in_flight();
        let mut connection = Connection::open(self.bridge.public());
        let mut octets = request.octets();
        let last = octets.pop().expect("a body");
        connection.send(&octets);
        eventually(SOON, "the request is under way", || (self.in_flight() > before).then_some(()));
        Held { connection, last }
    }

    /// Requests that have a permit.
    pub(crate) fn in_flight(&self) -> f64 {
        self.bridge.metric("hookbridge_in_flight_requests", &[]).expect("a gauge")
    }
}

/// A request under way, whose last octet is not sent.
pub(crate) struct Held {
    connection: Connection,
    last: u8,
}

impl Held {
    /// Sends it, and gives the answer.
    pub(crate) fn finish(&mut self) -> Answer {
        self.connection.send(&[self.last]);
        self.connection.answer()
    }

    /// Sends it, and sees that the event is received.
    #[track_caller]
    pub(crate) fn release(mut self) {
        self.finish().assert_received();
    }
}
