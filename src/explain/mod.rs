//! Why would a captured request be refused, and what is the likely cause?
//!
//! Takes a request, the configured source, the secrets' texts and a clock value. Gives a [`Report`]: every step with
//! its outcome and, where the signature fails, the known mistakes that would explain it, each of which has been
//! *proved*: with it undone, the engine that `serve` runs finds the request genuine. Nothing of a secret, and nothing
//! computed with one, is in a report. Pure: no I/O, no clock of its own.

mod arrival;
mod bench;
mod bodies;
pub(crate) mod capture;
mod cause;
mod charset;
mod fetched;
mod form;
mod handshakes;
mod head;
mod json_text;
pub(crate) mod report;
mod schemes;
mod secrets;
mod steps;
mod suspicions;
mod time;
mod urls;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::arrival::Arrival;
use self::bench::{Bench, Hypothesis};
use self::capture::Capture;
use self::cause::Cause;
use self::report::{Finding, Report, Tried};
use self::steps::Step;
use crate::config::disclosed::Disclosed;
use crate::config::{Authentication, Config, NamedKey, Source};
use crate::handshake::token;
use crate::pipeline::Rejection;
use crate::signature::borders;
use crate::signature::timestamp::TimestampPlace;
use crate::signature::{Scheme, SignatureError, UnixSeconds};

/// A captured request, and all that is known of where it was to go.
pub(crate) struct Case<'a> {
    /// The configuration.
    pub(crate) config: &'a Config,
    /// The source that it was sent to.
    pub(crate) source: &'a Source,
    /// The source's secrets.
    pub(crate) disclosed: &'a Disclosed,
    /// Every source's secrets.
    pub(crate) all: &'a [Disclosed],
    /// The request.
    pub(crate) capture: &'a Capture,
    /// The time of receipt.
    pub(crate) at: UnixSeconds,
    /// Whether `at` was given, and not this machine's clock.
    pub(crate) at_given: bool,
    /// Whether enough time has been spent.
    pub(crate) out_of_time: &'a dyn Fn() -> bool,
}

impl Case<'_> {
    /// The time of receipt, as windows of validity have it.
    fn received(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.at.0)).unwrap_or(UNIX_EPOCH)
    }
}

/// One group of known mistakes.
struct Group {
    name: &'static str,
    hypotheses: fn(&Case<'_>, &Scheme) -> Vec<Hypothesis>,
}

/// Every known mistake, the simplest explanation first.
const GROUPS: [Group; 9] = [
    Group {
        name: "another unit of the timestamp",
        hypotheses: |case, scheme| time::hypotheses(case.capture, scheme),
    },
    Group {
        name: "other forms of the source's secrets, and the other sources'",
        hypotheses: secrets::hypotheses,
    },
    Group {
        name: "headers renamed, repeated, joined, quoted, folded or replaced",
        hypotheses: |case, scheme| head::hypotheses(case.capture, scheme),
    },
    Group { name: "every other preset", hypotheses: schemes::presets },
    Group {
        name: "another encoding or prefix of the signature",
        hypotheses: |_, scheme| schemes::written(scheme),
    },
    Group {
        name: "another body: re-serialised JSON, newlines, line ends, byte order mark, charset, form, framing",
        hypotheses: |case, _| bodies::hypotheses(case.capture),
    },
    Group { name: "another algorithm", hypotheses: |_, scheme| schemes::algorithms(scheme) },
    Group { name: "other signed content", hypotheses: schemes::contents },
    Group { name: "another public_url", hypotheses: urls::hypotheses },
];

/// Groups that are tried two at a time, by their places in [`GROUPS`]: secrets with all that is common, then what
/// happens on the way with how it is written.
const PAIRS: [(usize, usize); 8] = [(1, 5), (1, 4), (1, 2), (1, 6), (1, 7), (2, 5), (4, 5), (7, 5)];

/// Explains.
pub(crate) fn explain(case: &Case<'_>) -> Report {
    let mut report = Report::new(case);
    report.steps = steps::before(case);
    if case.capture.body.len() > case.source.max_body_bytes {
        // What is behind the limit has not been read, so nothing more can be said.
        return report.finished(Vec::new());
    }
    if let Some(handshake) = handshakes::unsigned(case) {
        report.steps.push(handshake);
        return report.finished(Vec::new());
    }
    if case.source.handshakes.signs_tokens() && token::may_be_signed_as_token(&case.capture.body) {
        report.steps.push(Step::failed("body", Rejection::BodyIsToken.to_string(), Rejection::BodyIsToken));
    }
    if let Some(keys) = &case.source.fetched_keys {
        report.steps.push(fetched::step(case, keys));
        report.notes.push(fetched::ADVICE.to_owned());
        return report.finished(Vec::new());
    }
    match &case.source.authentication {
        Authentication::Signed { scheme, keys } => explain_signed(case, report, scheme, keys),
        Authentication::DangerUnsigned => {
            report
                .notes
                .push("the source verifies nothing: it says `danger_accept_unsigned: true`".to_owned());
            report.arrive(Arrival::of(case.source, case.capture));
            report.finished(Vec::new())
        }
    }
}

fn explain_signed(case: &Case<'_>, mut report: Report, scheme: &Scheme, keys: &[NamedKey]) -> Report {
    // Both are in the order of the file.
    let pairs = keys.iter().zip(&case.disclosed.secrets);
    let (valid, secrets): (Vec<&NamedKey>, Vec<_>) = pairs
        .filter(|(named, _)| named.is_valid_at(case.received()))
        .map(|(named, text)| (named, text.clone()))
        .unzip();
    let verdict = steps::verify(case, scheme, &valid);
    let bench = Bench::new(scheme, &secrets, case.capture, case.at, case.out_of_time);
    let genuine = match &verdict {
        Ok(index) => Some(*index),
        Err(_) => bench.as_it_is(),
    };
    report.steps.extend(steps::of_signature(case, scheme, &valid, (&verdict, genuine)));
    let findings = match (&verdict, genuine) {
        (Ok(_), _) => {
            match handshakes::verified(case) {
                Some(handshake) => report.steps.push(handshake),
                None => report.arrive(Arrival::of(case.source, case.capture)),
            }
            Vec::new()
        }
        (Err(error), Some(_)) => {
            published_all_the_same(case, &mut report);
            report.would_arrive(Arrival::of(case.source, case.capture));
            vec![only_the_time(case, scheme, error)]
        }
        (Err(error), None) if borders::are_the_fault(error) => {
            published_all_the_same(case, &mut report);
            let text = format!("the signature is right, but {error}");
            vec![Finding::proven(Cause::ContentAmbiguous, text)]
        }
        (Err(error), None) => {
            published_all_the_same(case, &mut report);
            let hunt = hunt(case, scheme, &bench);
            if let Some(request) = &hunt.request {
                report.would_arrive(Arrival::of(case.source, request));
            }
            if matches!(error, SignatureError::TimestampOutsideTolerance { .. }) && !case.at_given {
                let note = "the timestamp was compared with this machine's clock; if the request was captured \
                            earlier, give the time of receipt with --at";
                report.notes.push(note.to_owned());
            }
            report.together = hunt.together;
            report.tried = Some(hunt.tried);
            hunt.findings
        }
    };
    report.finished(findings)
}

/// Some sources do something with what is refused.
fn published_all_the_same(case: &Case<'_>, report: &mut Report) {
    if let Some(report_only) = &case.source.report_only {
        report.notes.push(format!(
            "the source says `verification: report_only`: such a request is published to `{}` all the same, as unverified",
            report_only.topic
        ));
    }
    if case.source.quarantine.is_some() {
        report
            .notes
            .push("the source says `quarantine: true`: requests with a wrong signature are kept".to_owned());
    }
}

/// The signature is right, and another step refuses the request: mostly the timestamp.
fn only_the_time(case: &Case<'_>, scheme: &Scheme, error: &SignatureError) -> Finding {
    let SignatureError::TimestampOutsideTolerance { signed, now, .. } = error else {
        return Finding::proven(Cause::HeaderRepeated, format!("the signature is right, but {error}"));
    };
    // A number of seconds, read as milliseconds, is a time in 1970.
    let in_header =
        scheme.timestamp.as_ref().is_some_and(|rule| !matches!(rule.place, TimestampPlace::Claim(_)));
    let own = scheme.timestamp.as_ref().map(|rule| rule.unit);
    let value = time::value(case.capture, scheme);
    for (unit, _) in time::in_other_units(scheme).filter(|_| in_header) {
        let read = value.as_ref().and_then(|value| unit.read(value.as_bytes()));
        if let (Some(read), Some(own)) = (read, own)
            && read.0.abs_diff(now.0) < signed.0.abs_diff(now.0)
        {
            let (written, says) = (time::name(unit), time::name(own));
            let text = format!(
                "the signature is right; the timestamp is written in {written}, and the scheme says {says}"
            );
            return Finding::proven(Cause::TimestampUnit, text);
        }
    }
    let distance = steps::distance(signed.0.abs_diff(now.0));
    let text = match (signed < now, case.at_given) {
        (true, false) => format!(
            "the signature is right; the timestamp is {distance} old; was this captured earlier? Use --at"
        ),
        (true, true) => format!(
            "the signature is right; it was signed {distance} before it was received: it was delayed or replayed, \
             or the sender's clock is slow"
        ),
        (false, _) => format!(
            "the signature is right; the timestamp is {distance} in the future: the sender's clock is fast, or \
             this one's is slow"
        ),
    };
    Finding::proven(Cause::TimestampOutsideTolerance, text)
}

/// What has been found.
struct Hunt {
    findings: Vec<Finding>,
    /// Whether the findings explain it only together.
    together: bool,
    /// The request as it would have been.
    request: Option<Capture>,
    tried: Tried,
}

/// Tries every known mistake alone, and if none explains it, two at a time.
fn hunt(case: &Case<'_>, scheme: &Scheme, bench: &Bench<'_>) -> Hunt {
    let mut findings: Vec<Finding> = Vec::new();
    let mut request = None;
    let groups: Vec<Vec<Hypothesis>> = GROUPS.iter().map(|group| (group.hypotheses)(case, scheme)).collect();
    for hypothesis in groups.iter().flatten() {
        // One of each kind says enough.
        if findings.iter().any(|finding| finding.cause == hypothesis.cause) {
            continue;
        }
        if let Some(found) = bench.proves(&[&hypothesis.otherwise]) {
            findings.push(Finding::proven(hypothesis.cause, hypothesis.text.clone()));
            request.get_or_insert(found);
        }
    }
    let mut together = false;
    if findings.is_empty()
        && let Some((pair, found)) = pairs(case, bench, &groups)
    {
        findings = pair;
        request = Some(found);
        together = true;
    }
    if findings.is_empty() {
        findings = suspicions::of(case.capture);
    }
    let names = GROUPS.iter().map(|group| group.name).collect();
    let tried = Tried { names, count: bench.tried(), complete: !bench.is_exhausted() };
    Hunt { findings, together, request, tried }
}

fn pairs(case: &Case<'_>, bench: &Bench<'_>, groups: &[Vec<Hypothesis>]) -> Option<(Vec<Finding>, Capture)> {
    let plain_bodies = bodies::plain(case.capture);
    for (first, second) in PAIRS {
        let bodies_are_second = GROUPS[second].name == GROUPS[5].name;
        let seconds = if bodies_are_second { &plain_bodies } else { groups.get(second)? };
        for two in seconds {
            for one in groups.get(first)? {
                if bench.is_exhausted() {
                    return None;
                }
                if let Some(found) = bench.proves(&[&one.otherwise, &two.otherwise]) {
                    let finding =
                        |hypothesis: &Hypothesis| Finding::proven(hypothesis.cause, hypothesis.text.clone());
                    return Some((vec![finding(one), finding(two)], found));
                }
            }
        }
    }
    None
}
