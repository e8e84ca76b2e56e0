//! The commands: `check`, `send`, `completions`, help; and what `serve` makes of a configuration that is wrong.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use tempfile::TempDir;

use super::support::bridge::hookbridge;
use super::support::command::{Done, run, run_command};
use super::support::provider::{PRESETS, Signer};
use super::support::scene::{Plan, TYPE};
use super::support::unique;

fn file(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("hookbridge.yaml");
    fs::write(&file, text).expect("write a configuration");
    (dir, file)
}

const PLANTED: &str = "whsec_cGxhbnRlZC1zZWNyZXQtdGhhdC1tdXN0LW5vdC1zaG93";

const VALID: &str = "\
kafka:
  bootstrap.servers: kafka-1:9092
  sasl.password: { env: PLANTED_PASSWORD }
dead_letter: dead.letters
sources:
  shop:
    provider: svix
    path: /hooks/shop
    secrets: [{ env: PLANTED_SECRET }]
    topics: { order.paid: orders.paid, 'order.*': orders, 'noise': { drop: true } }
  crm:
    provider: eventsair
    secrets: [{ env: PLANTED_SECRET }, { env: PLANTED_SECRET }]
    unmapped: reject
  old:
    provider: svix
    enabled: false
    secrets: [{ env: NOT_SET }]
";

fn check_valid(arguments: &[&str], env: &[(&str, &str)]) -> Done {
    let planted = [("PLANTED_SECRET", PLANTED), ("PLANTED_PASSWORD", "hunter2hunter2")];
    run(arguments, &[env, &planted].concat())
}

#[test]
fn check_shows_what_it_understands_and_no_secret() {
    let (_dir, file) = file(VALID);
    let file = file.to_str().expect("a path in UTF-8");
    let done = check_valid(&["check", "--config", file], &[]);
    assert_eq!(done.code, 0, "{done:?}");
    for shown in [
        "kafka-1:9092",
        "sasl.password",
        "dead.letters",
        "source shop: POST /hooks/shop",
        "order.paid -> orders.paid",
        "order.* -> orders",
        "anything else -> webhooks.shop",
        "source crm: POST /webhooks/crm",
        "EventsAir",
        "any of 2 secrets",
        "answered 400",
        "source old: disabled",
    ] {
        assert!(done.stdout.contains(shown), "{shown} in\n{}", done.stdout);
    }
    // A provider may disable an endpoint that refuses events.
    assert!(done.stderr.contains("warning: sources.crm"), "{}", done.stderr);
    for secret in [PLANTED, "cGxhbnRlZ", "planted-secret", "hunter2"] {
        assert!(!format!("{done:?}").contains(secret), "{done:?}");
    }
    // The file can be named by the environment, too.
    let by_environment = check_valid(&["check"], &[("HOOKBRIDGE_CONFIG", file)]);
    assert_eq!((by_environment.code, by_environment.stdout), (0, done.stdout));
    assert_eq!(run(&["check"], &[]).code, 2, "no file is named");
}

const INVALID: &str = "\
server:
  listen: ADDRESS
  max_conections: 5
kafka:
  bootstrap.servers: localhost:9092
  acks: 1
  enable.idempotence: false
  sasl.password: hunter2hunter2
  no.such.property: 1
sources:
  typo:
    provider: svx
    secrets: [{ env: PLANTED_SECRET }]
  unset:
    provider: svix
    secrets: [{ env: NOT_SET }, { env: EMPTY }, { file: /nonexistent/secret }]
  broken:
    provider: svix
    secrets: [{ env: NO_BASE64 }]
  none:
    provider: generic-hex
    secrets: []
  slow:
    provider: generic-hex
    secrets: [{ env: PLANTED_SECRET }]
    respond_within: 40s
    unmapped: perhaps
  topics:
    provider: generic-hex
    secrets: [{ env: PLANTED_SECRET }]
    topics: { a: 'no good', b: '{typ}' }
  one:
    provider: generic-hex
    path: /same
    secrets: [{ env: PLANTED_SECRET }]
  two:
    provider: generic-hex
    secrets: [{ env: PLANTED_SECRET }]
    path: /same
";

/// Line, path and what is said, for each fault of [`INVALID`].
const FAULTS: [(usize, &str, &str); 16] = [
    (3, "server.max_conections", "did you mean `max_connections`?"),
    (6, "kafka.acks", "2xx is a receipt"),
    (7, "kafka[\"enable.idempotence\"]", "hint: "),
    (8, "kafka[\"sasl.password\"]", "must not stand in the configuration"),
    (9, "kafka[\"no.such.property\"]", "librdkafka has no property"),
    (12, "sources.typo.provider", "did you mean `svix`?"),
    (16, "sources.unset.secrets[0]", "`NOT_SET` is not set"),
    (16, "sources.unset.secrets[1]", "`EMPTY` is empty"),
    (16, "sources.unset.secrets[2]", "/nonexistent/secret can't be opened"),
    (19, "sources.broken.secrets[0]", "hint: copy it again"),
    (22, "sources.none.secrets", "the list is empty"),
    (26, "sources.slow.respond_within", "shorter than server.shutdown_grace"),
    (27, "sources.slow.unmapped", "`topic`"),
    (31, "sources.topics.topics.a", "Kafka allows"),
    (31, "sources.topics.topics.b", "{type}"),
    (39, "sources.two.path", "the source `one` is served at `/same` too"),
];

#[test]
fn every_fault_is_reported_at_once_and_nothing_is_bound() {
    // The port is taken: whoever binds it before reading the rest fails in another way.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    let (_dir, file) = file(&INVALID.replace("ADDRESS", &address));
    let name = file.to_str().expect("a path in UTF-8");
    for command in ["check", "serve"] {
        let done = run(
            &[command, "--config", name],
            &[("PLANTED_SECRET", PLANTED), ("EMPTY", ""), ("NO_BASE64", "whsec_hunter2-hunter2-hunter2")],
        );
        assert_eq!(done.code, 64, "{done:?}");
        assert!(done.stdout.is_empty(), "{done:?}");
        for (line, path, said) in FAULTS {
            let mut faults = done.stderr.split(name);
            assert!(
                faults.any(|fault| fault.starts_with(&format!(":{line}:"))
                    && fault.contains(&format!("error: {path}: "))
                    && fault.contains(said)),
                "{name}:{line}: {path}: {said} in\n{}",
                done.stderr
            );
        }
        let count = done.stderr.matches(": error: ").count();
        assert_eq!(count, FAULTS.len(), "no more and no fewer:\n{}", done.stderr);
        assert!(done.stderr.contains("16 errors in"), "{}", done.stderr);
        // `check` would have started nothing in any case.
        assert_eq!(done.stderr.contains("nothing was started"), command == "serve", "{}", done.stderr);
        assert!(!done.stderr.contains("hunter2") && !done.stderr.contains(PLANTED), "{}", done.stderr);
    }
}

/// Of two sources at one path, one has another fault: both faults are to be mended in one go.
#[test]
fn a_path_that_is_taken_is_reported_beside_other_faults() {
    let (_dir, file) = file(
        "kafka: { bootstrap.servers: 'kafka:9092' }\nsources:\n\
         \x20 one: { provider: generic-hex, path: /same, secrets: [{ env: PLANTED_SECRET }] }\n\
         \x20 two: { provider: generic-hex, path: /same, secrets: [{ env: PLANTED_SECRET }], topics: { a: '!' } }\n",
    );
    let done = check_valid(&["check", "--config", file.to_str().expect("a path in UTF-8")], &[]);
    assert_eq!(done.code, 64, "{done:?}");
    assert!(done.stderr.contains("sources.two.topics.a: "), "{}", done.stderr);
    assert!(done.stderr.contains("the source `one` is served at `/same` too"), "{}", done.stderr);
}

#[test]
fn a_file_that_is_no_configuration_is_refused() {
    for (text, said) in [
        ("", "sources"),
        ("[]", "error"),
        ("kafka: { bootstrap.servers: x", "error"),
        ("kafka: 1\nkafka: 2\n", "error"),
        ("{ sources: { a: { provider: svix } }, kafka: { bootstrap.servers: 'x:1' } }", "secrets"),
    ] {
        let (_dir, file) = file(text);
        let done = run(&["serve", "--config", file.to_str().expect("a path in UTF-8")], &[]);
        assert_eq!(done.code, 64, "{text}: {done:?}");
        assert!(done.stderr.contains(said) && done.stderr.contains("hookbridge.yaml:"), "{text}: {done:?}");
    }
    let done = run(&["serve", "--config", "/nonexistent/hookbridge.yaml"], &[]);
    assert_eq!(done.code, 64, "{done:?}");
    assert!(done.stderr.contains("/nonexistent/hookbridge.yaml"), "{done:?}");
}

#[test]
fn an_address_that_is_taken_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    let (_dir, file) = file(&format!("server: {{ listen: '{address}' }}\n{VALID}"));
    let done = check_valid(&["serve", "--config", file.to_str().expect("a path in UTF-8")], &[]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains(&address) && done.stderr.contains("server.listen"), "{done:?}");
    assert!(!format!("{done:?}").contains(PLANTED), "{done:?}");
}

#[test]
fn send_posts_as_every_preset_does() {
    let mut plan = Plan::of("svix");
    let topic = format!("webhooks.{}", plan.name());
    let mut sources = Vec::new();
    for preset in PRESETS {
        let source = unique(preset);
        let signer = Signer::new(preset, &source);
        let secret = format!("SECRET_OF_{preset}").replace('-', "_");
        let topics = format!("topics: {{ '*': {topic} }}");
        plan = plan
            .source(&source, &format!("{{ provider: {preset}, secrets: [{{ env: {secret} }}], {topics} }}"))
            .env(&secret, signer.secret());
        sources.push((preset, source, signer));
    }
    let scene = plan.start();
    for (preset, source, signer) in &sources {
        let url = format!("http://{}/webhooks/{source}", scene.bridge.public());
        let id = unique("msg");
        let send = |secret: &str| {
            run(
                &["send", "--provider", preset, "--type", TYPE, "--id", &id, "--url", &url],
                &[("HOOKBRIDGE_SECRET", secret)],
            )
        };
        let done = send(signer.secret());
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done:?}");
        assert!(
            done.stdout.starts_with("200 ") && done.stdout.contains(r#"{"status":"received"}"#),
            "{done:?}"
        );
        let other = Signer::new(preset, "another");
        let done = send(other.secret());
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.starts_with("401 ") && done.stdout.contains("invalid_signature"), "{done:?}");

        let records = scene.records();
        let (last, count) = (records.last().expect("a record"), records.len());
        assert_eq!(last.key, id, "{preset}");
        assert_eq!(last.header("ce_type"), Some(TYPE), "{preset}");
        assert!(signer.verifies(last), "{preset}: {last:?}");
        let index = sources.iter().position(|(other, ..)| other == preset).expect("itself");
        assert_eq!(count, index + 1, "what is sent with a wrong secret lands nowhere");
    }
    assert_eq!(scene.dead_letters().len(), 0);
}

#[test]
fn send_takes_data_as_it_is() {
    let scene = Plan::of("generic-hex").start();
    let url = format!("http://{}{}", scene.bridge.public(), scene.path());
    let data = format!("{{ \"id\":\"evt_own\",\n\t\"type\" : \"{TYPE}\", \"n\": 1e999 }}\n");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &data).expect("write the data");
    let by_file = format!("@{}", file.path().display());
    for argument in [data.as_str(), &by_file] {
        let secret = scene.signer.secret();
        let arguments =
            ["send", "--provider", "generic-hex", "--secret", secret, "--url", &url, "--data", argument];
        assert_eq!(run(&arguments, &[]).code, 0);
    }
    let records = scene.records();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.value == data.as_bytes() && record.key == "evt_own"));
}

#[test]
fn send_says_what_is_wrong() {
    let send = |provider: &str, url: &str| {
        run(&["send", "--provider", provider, "--secret", PLANTED, "--url", url], &[])
    };
    let done = send("svx", "http://127.0.0.1:1/");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("did you mean `svix`?"), "{done:?}");
    let done = send("svix", "http://127.0.0.1:1/");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("http://127.0.0.1:1/ can't be reached"), "{done:?}");
    assert!(!format!("{done:?}").contains(PLANTED), "{done:?}");
    for url in ["nonsense", "/webhooks/svix", "ftp://127.0.0.1/", "http://"] {
        let done = send("svix", url);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains("--url") && done.stderr.contains("whole http or https URL"), "{done:?}");
    }
    // Only the provider has the key, whatever is given.
    let done = send("discord", "http://127.0.0.1:1/");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("only the provider can sign as discord does"), "{done:?}");
}

#[test]
fn help_version_and_completions() {
    let version = run(&["--version"], &[]);
    assert_eq!((version.code, version.stdout), (0, format!("hookbridge {}\n", env!("CARGO_PKG_VERSION"))));
    let help = run(&["--help"], &[]);
    assert_eq!(help.code, 0);
    for command in ["serve", "check", "dev", "send", "explain", "completions"] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command} in\n{}", help.stdout);
        let help = run(&[command, "--help"], &[]);
        assert!(help.code == 0 && help.stdout.contains("Usage: hookbridge"), "{help:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], &[]);
        assert!(script.code == 0 && script.stdout.contains("hookbridge"), "{shell}: {script:?}");
    }
    let bash = run(&["completions", "bash"], &[]).stdout;
    let (_dir, file) = file(&bash);
    let parsed = run_command(std::process::Command::new("bash").arg("-n").arg(&file));
    assert_eq!((parsed.code, parsed.stderr.as_str()), (0, ""), "bash reads its completions");
    for wrong in [&["serve", "--no-such-flag"][..], &["no-such-command"], &[]] {
        assert_eq!(run(wrong, &[]).code, 2, "{wrong:?}");
    }
    // A wrong filter is said before anything else is done.
    let done =
        run_command(hookbridge().args(["check", "--config", "/x"]).env("HOOKBRIDGE_LOG", "=,=nonsense=="));
    assert_eq!(done.code, 64, "{done:?}");
    assert!(done.stderr.contains("HOOKBRIDGE_LOG"), "{done:?}");
}
