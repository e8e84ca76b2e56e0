//! Alerts, runbook and dashboard hold together: every alert has a section, a case in which it fires, and a link that leads
//! somewhere; the dashboard is what its generator says, and its queries have data on a real Prometheus.
//!
//! What the alerts' expressions do is promtool's to say: `tests/alerts/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const ALERTS: &str = "helm/hookbridge/files/alerts.yaml";
const RUNBOOK: &str = "docs/runbook.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}

/// What stands after `key` in each alert's part of the rule file, by the alert's name.
fn of_alerts(key: &str) -> BTreeMap<String, String> {
    let rules = text(ALERTS);
    let mut found = BTreeMap::new();
    for alert in rules.split("- alert: ").skip(1) {
        let (name, rest) = alert.split_once('\n').expect("a line with the alert's name");
        let mut values = rest.lines().filter_map(|line| Some(line.split_once(key)?.1.trim()));
        let value = values.next().unwrap_or_else(|| panic!("{name} has no `{key}`"));
        assert_eq!(values.next(), None, "{name} has `{key}` twice");
        assert_eq!(found.insert(name.to_owned(), value.to_owned()), None, "{name} is there twice");
    }
    assert!(found.len() > 20, "only {} alerts were found", found.len());
    found
}

/// The headings of a document, each with its level.
fn headings(document: &str) -> Vec<(usize, String)> {
    let of_line = |line: &str| {
        let level = line.chars().take_while(|c| *c == '#').count();
        let name = line[level..].strip_prefix(' ')?;
        (level > 0).then(|| (level, name.to_owned()))
    };
    let mut in_code = false;
    let mut found = Vec::new();
    for line in document.lines() {
        in_code ^= line.starts_with("```");
        found.extend(of_line(line).filter(|_| !in_code));
    }
    found
}

/// What a link to a heading is called: as GitHub and most others do it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The alerts that have a section under the heading of level 2 with that name.
fn sections(part: &str) -> BTreeSet<String> {
    let headings = headings(&text(RUNBOOK));
    let inside = headings.iter().skip_while(|(level, name)| *level != 2 || name != part).skip(1);
    inside.take_while(|(level, _)| *level > 2).map(|(_, name)| name.clone()).collect()
}

#[test]
fn every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() {
    for (part, severity) in [("Pages", "{ severity: page }"), ("Tickets", "{ severity: ticket }")] {
        let mut alerts = of_alerts("labels:");
        alerts.retain(|_, labels| labels == severity);
        let alerts: BTreeSet<String> = alerts.into_keys().collect();
        assert_eq!(sections(part), alerts, "the sections of {part}, and the alerts");
    }
    let of_both = sections("Pages").len() + sections("Tickets").len();
    assert_eq!(of_alerts("labels:").len(), of_both, "some alert is neither page nor ticket");
}

#[test]
fn every_alert_says_what_it_is_about_and_where_to_read_on() {
    for (alert, url) in of_alerts("runbook_url:") {
        assert_eq!(url, format!("{RUNBOOK}#{}", anchor(&alert)), "the runbook_url of {alert}");
    }
    // They fail if one is missing.
    for key in ["summary:", "description:", "expr:"] {
        of_alerts(key);
    }
}

#[test]
fn links_of_the_runbook_lead_somewhere() {
    let runbook = text(RUNBOOK);
    let mut faults = Vec::new();
    let links: Vec<&str> =
        runbook.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)).collect();
    assert!(links.len() > 20, "only {} links were found", links.len());
    for link in links {
        let (file, section) = link.split_once('#').map_or((link, None), |(file, name)| (file, Some(name)));
        let file = if file.is_empty() { RUNBOOK.to_owned() } else { format!("docs/{file}") };
        let there = match section {
            None => root().join(&file).exists(),
            Some(section) => headings(&text(&file)).iter().any(|(_, name)| anchor(name) == section),
        };
        if !there {
            faults.push(link);
        }
    }
    assert_eq!(faults, Vec::<&str>::new(), "links of {RUNBOOK} that lead nowhere");
}

#[test]
fn every_alert_has_a_case_in_which_it_fires() {
    let mut cases = String::new();
    for entry in fs::read_dir(root().join("tests/alerts")).expect("read tests/alerts") {
        cases += &fs::read_to_string(entry.expect("an entry").path()).expect("read a file of cases");
    }
    let silent: Vec<String> = of_alerts("expr:")
        .into_keys()
        .filter(|alert| {
            !cases.contains(&format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\""))
                || !cases.contains(&format!("alertname: {alert}\n"))
        })
        .collect();
    assert_eq!(silent, Vec::<String>::new(), "alerts without a case, or without one that reads their text");
}

/// Runs `scripts/dashboard` and gives what it said.
fn dashboard(command: &str) -> String {
    let output = Command::new(root().join("scripts/dashboard"))
        .arg(command)
        .env("HOOKBRIDGE", env!("CARGO_BIN_EXE_hookbridge"))
        .stdin(Stdio::null())
        .output()
        .expect("run scripts/dashboard");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "scripts/dashboard {command}: {}\n{said}", output.status);
    said
}

#[test]
fn the_dashboard_is_what_its_generator_says_and_promtool_reads_every_query() {
    let said = dashboard("check");
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn every_query_of_the_dashboard_has_data_on_a_real_prometheus() {
    let said = dashboard("try");
    assert!(said.contains("panels have data"), "{said}");
}
