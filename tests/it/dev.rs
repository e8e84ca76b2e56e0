//! `hookbridge dev`: five records shown, and a ready line that works as it is printed.

use std::net::TcpListener;
use std::process::Command;

use super::support::command::{Done, Running, run, run_command};
use super::support::http;
use super::support::kafka::Kafka;
use super::support::wait::SOON;

/// The topics of the records that are shown, in their order.
fn shown(stdout: &str) -> Vec<String> {
    let lines = stdout.lines().filter(|line| line.contains(" partition ") && line.contains(" offset "));
    lines.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
}

/// The line to try next, which may go on over several lines.
fn ready_line(stdout: &str) -> Option<String> {
    // What follows it is written after it: then it is whole.
    stdout.contains("Ctrl-C").then_some(())?;
    let mut lines = stdout.lines().skip_while(|line| !line.trim_start().contains(" send --provider "));
    let mut command = String::new();
    loop {
        let line = lines.next()?;
        command.push_str(line);
        command.push('\n');
        if !line.ends_with('\\') {
            return Some(command);
        }
    }
}

fn shell(command: &str) -> Done {
    run_command(Command::new("sh").args(["-c", command]))
}

fn develop(more: &[&str]) {
    let mut dev = Running::start(
        &[&["dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], more].concat(),
    );
    let command = dev.wait_for_output("a line to try next", ready_line);
    let stdout = dev.stdout.text();
    let mut topics = shown(&stdout);
    topics.sort();
    let expected = ["allfly", "eventsair", "generic-hex", "generic-sha256", "wristband"];
    assert_eq!(topics, expected.map(|preset| format!("webhooks.{preset}")), "{stdout}");
    assert_eq!(stdout.matches(r#"200 OK {"status":"received"}"#).count(), 5, "{stdout}");
    for part in
        ["  key ", "ce_type: event_attendee.joined_event", "ce_id: ", "svix-signature: v1,", "  value "]
    {
        assert!(stdout.contains(part), "{part} in\n{stdout}");
    }

    // Any other secret is refused, and lands nowhere.
    let (before, after) = command.split_once("--secret ").expect("a secret");
    let (_, after) = after.split_once(' ').expect("an end of the secret");
    let wrong = shell(&format!("{before}--secret whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg== {after}"));
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stdout.starts_with("401 "), "{wrong:?}");

    let done = shell(&command);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{command}: {done:?}");
    assert!(done.stdout.starts_with("200 "), "{done:?}");
    let stdout = dev.wait_for_output("the record", |stdout| {
        (stdout.contains("ce_type: event_attendee.ticket_success") && stdout.contains(r#""ticket":7"#))
            .then(|| stdout.to_owned())
    });
    assert_eq!(shown(&stdout).len(), 6, "{stdout}");

    // Any other preset needs no secret to be tried, and shares a topic.
    let another =
        stdout.split('`').find(|command| command.contains(" send --provider NAME")).expect("a line");
    let done = shell(&another.replace("NAME", "github"));
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{another}: {done:?}");
    let stdout = dev.wait_for_output("the record", |stdout| {
        stdout.contains("ce_type: issues.opened").then(|| stdout.to_owned())
    });
    assert_eq!(shown(&stdout).last().map(String::as_str), Some("webhooks.presets"), "{stdout}");
    let line = stdout.lines().find(|line| line.starts_with("health and metrics")).expect("the admin address");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let readyz = http::get(address.parse().expect("an address"), "/readyz").expect("an answer");
    assert_eq!(readyz.status, 200);

    dev.signal("INT");
    assert_eq!(dev.exit_code(SOON), Some(0), "{}", dev.stderr.text());
    for bad in ["ERROR", "panicked"] {
        assert!(!dev.stderr.text().contains(bad), "{}", dev.stderr.text());
    }
}

#[test]
fn dev_needs_nothing_but_the_executable() {
    develop(&[]);
}

#[test]
fn dev_uses_a_real_kafka_that_is_named() {
    develop(&["--brokers", Kafka::shared().bootstrap()]);
}

#[test]
fn dev_says_when_a_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    let done = run(&["dev", "--listen", &address, "--admin-listen", "127.0.0.1:0"], &[]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains(&address) && done.stderr.contains("--listen 127.0.0.1:0"), "{done:?}");
}
