//! What is said: the verdict, every step, the likely cause and what to do, for people and as JSON.
//!
//! Takes what has been found. Gives text that holds nothing of a secret and no signature, right or wrong.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::Case;
use super::arrival::Arrival;
use super::cause::Cause;
use super::steps::{Step, fact};
use crate::pipeline::Rejection;
use crate::signature::UnixSeconds;
use crate::signature::timestamp::TimeUnit;

/// A cause that explains the refusal.
pub(crate) struct Finding {
    pub(crate) cause: Cause,
    text: String,
    proven: bool,
}

impl Finding {
    /// With the mistake undone the request is genuine; or it is plain to see.
    pub(crate) fn proven(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, text: text.into(), proven: true }
    }

    /// There are signs of it.
    pub(crate) fn suspected(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, text: text.into(), proven: false }
    }
}

/// What has been tried in vain, or not.
pub(crate) struct Tried {
    pub(crate) names: Vec<&'static str>,
    pub(crate) count: usize,
    /// Whether all of it was, or time and work came to their end.
    pub(crate) complete: bool,
}

/// The answer.
pub(crate) struct Report {
    source: String,
    provider: String,
    at: String,
    pub(crate) steps: Vec<Step>,
    findings: Vec<Finding>,
    /// Whether the findings explain it only together.
    pub(crate) together: bool,
    arrival: Option<Arrival>,
    /// What would become of it, were it genuine.
    would: Option<Arrival>,
    pub(crate) notes: Vec<String>,
    pub(crate) tried: Option<Tried>,
}

/// What no computation can tell.
const ADVICE: &str = "What remains: the provider signs with a secret that is not configured here (of its test or live \
                      mode, of another endpoint, or one from before a rotation), or the request was altered in a way \
                      that is not among these";

impl Report {
    pub(crate) fn new(case: &Case<'_>) -> Self {
        Self::of(&case.source.name, &case.source.provider.name, case.at)
    }

    /// Of any request to a source that is not served.
    pub(crate) fn of_disabled(source: &str, at: UnixSeconds) -> Self {
        let mut report = Self::of(source, "disabled", at);
        let text = format!("the source `{source}` says `enabled: false`");
        report.steps.push(Step::failed("path", text.clone(), Rejection::UnknownSource));
        report.findings.push(Finding::proven(Cause::Disabled, text));
        report
    }

    fn of(source: &str, provider: &str, at: UnixSeconds) -> Self {
        Self {
            source: source.to_owned(),
            provider: provider.to_owned(),
            at: TimeUnit::Rfc3339.write(at),
            steps: Vec::new(),
            findings: Vec::new(),
            together: false,
            arrival: None,
            would: None,
            notes: Vec::new(),
            tried: None,
        }
    }

    /// The request is genuine, and its event goes on.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        self.steps.extend(arrival.steps());
        self.arrival = Some(arrival);
    }

    /// Once what is found is mended, its event goes on.
    pub(crate) fn would_arrive(&mut self, arrival: Arrival) {
        self.would = Some(arrival);
    }

    /// The report with its findings. Refusals that need no explanation are findings, too.
    pub(crate) fn finished(mut self, findings: Vec<Finding>) -> Self {
        let plain = |step: &Step| {
            let refusal = step.refusal.as_ref()?;
            let cause = fact(refusal)?;
            Some((step.name, Finding::proven(cause, step.text.clone())))
        };
        let facts: Vec<(&str, Finding)> = self.steps.iter().filter_map(plain).collect();
        // Of a signature that is wrong at any time, the time is not the cause.
        let is_wrong = |step: &Step| step.name == "signature" && step.refusal.is_some();
        let facts: Vec<_> = match self.steps.iter().any(is_wrong) {
            true => facts.into_iter().filter(|(name, _)| *name != "timestamp").collect(),
            false => facts,
        };
        let (of_signature, others): (Vec<_>, Vec<_>) =
            facts.into_iter().partition(|(name, _)| matches!(*name, "headers" | "timestamp"));
        // A refusal that comes first is the first to be mended.
        self.findings = others.into_iter().map(|(_, finding)| finding).collect();
        let explained = findings.iter().any(|finding| finding.proven);
        if !explained {
            self.findings.extend(of_signature.into_iter().map(|(_, finding)| finding));
        }
        for finding in findings {
            if self.findings.iter().all(|known| known.cause != finding.cause) {
                self.findings.push(finding);
            }
        }
        self
    }

    /// The first step that refuses the request.
    pub(crate) fn refusal(&self) -> Option<&Rejection> {
        self.steps.iter().find_map(|step| step.refusal.as_ref())
    }

    /// For machines.
    pub(crate) fn to_json(&self) -> Value {
        let step = |step: &Step| {
            json!({
                "step": step.name,
                "passed": step.refusal.is_none(),
                "error": step.refusal.as_ref().map(Rejection::code),
                "text": step.text,
            })
        };
        let finding = |finding: &Finding| {
            json!({
                "cause": finding.cause.code(),
                "proven": finding.proven,
                "text": finding.text,
                "remedy": finding.cause.remedy(),
            })
        };
        json!({
            "source": self.source,
            "provider": self.provider,
            "at": self.at,
            "accepted": self.refusal().is_none(),
            "status": self.refusal().map(|refusal| refusal.status().code().as_u16()),
            "error": self.refusal().map(Rejection::code),
            "cause": self.findings.first().map(|finding| finding.cause.code()),
            "causes": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "together": self.together,
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "events": self.arrival.as_ref().map(Arrival::to_json),
            "once_mended": self.would.as_ref().map(Arrival::to_json),
            "notes": self.notes,
            "tried": self.tried.as_ref().map(|tried| json!({
                "count": tried.count,
                "complete": tried.complete,
                "kinds": tried.names,
            })),
        })
    }

    fn write_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut labelled = false;
        for finding in &self.findings {
            let label = match (labelled, finding.proven, self.together) {
                (false, true, _) => "Likely cause",
                (false, false, _) => "Possible cause",
                (true, true, true) => "And, at the same time",
                (true, ..) => "Also possible",
            };
            labelled = true;
            writeln!(f, "\n{label}: {}. [{}]", finding.text, finding.cause.code())?;
            writeln!(f, "  What to do: {}.", finding.cause.remedy())?;
        }
        Ok(())
    }

    fn write_tried(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tried) = &self.tried else { return Ok(()) };
        let explains = |finding: &Finding| finding.proven && finding.cause != Cause::HeaderMalformed;
        if self.would.is_some() || self.findings.iter().any(explains) {
            return Ok(());
        }
        writeln!(
            f,
            "\nNo known mistake explains the signature. Tried, alone and in pairs ({} ways):",
            tried.count
        )?;
        for name in &tried.names {
            writeln!(f, "  - {name}")?;
        }
        if !tried.complete {
            writeln!(f, "Not all of it could be tried: the body is large, or the secrets are many.")?;
        }
        writeln!(f, "{ADVICE}.")
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = String::new();
        write!(
            head,
            "a request to the source `{}` ({}), received at {}",
            self.source, self.provider, self.at
        )?;
        match self.refusal() {
            None => writeln!(f, "Accepted: {head}.\n")?,
            Some(refusal) => {
                let (status, code) = (refusal.status().code().as_u16(), refusal.code());
                writeln!(f, "Refused with {status} ({code}): {head}.\n")?;
            }
        }
        for step in &self.steps {
            let mark = if step.refusal.is_none() { '✓' } else { '✗' };
            writeln!(f, "  {mark} {:<10} {}", step.name, step.text)?;
        }
        self.write_findings(f)?;
        self.write_tried(f)?;
        if let Some(would) = &self.would {
            writeln!(f, "\nOnce that is mended: {}.", would.in_words())?;
        }
        for note in &self.notes {
            writeln!(f, "\nNote: {note}.")?;
        }
        Ok(())
    }
}
