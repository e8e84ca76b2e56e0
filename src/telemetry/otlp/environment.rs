//! Environment variables, read one by one, with everything that is wrong with them.
//!
//! Takes the environment. Gives values, and keeps account: of what can't be understood, and of names that nobody has
//! asked for. An empty value is none, as the OpenTelemetry specification says. Values are quoted in errors unless they
//! may be secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Signal;

/// What all of the variables begin with.
const PREFIX: &str = "OTEL_";

/// Names that others read: instrumentation that is put into any container, and what an operator uses to put together
/// `OTEL_RESOURCE_ATTRIBUTES`. They are no mistake.
const OF_OTHERS: [&str; 14] = [
    "OTEL_JAVA",
    "OTEL_JAVAAGENT",
    "OTEL_PYTHON",
    "OTEL_NODE",
    "OTEL_DOTNET",
    "OTEL_GO",
    "OTEL_PHP",
    "OTEL_RUBY",
    "OTEL_INSTRUMENTATION",
    "OTEL_INJECTOR",
    "OTEL_AUTO",
    "OTEL_SEMCONV",
    "OTEL_RESOURCE_ATTRIBUTES_POD",
    "OTEL_RESOURCE_ATTRIBUTES_NODE",
];

/// Names that are so unlike all known ones have no suggestion.
const MAX_DISTANCE: usize = 4;

/// What is wrong with the environment, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the telemetry's environment variables can't be used; nothing was started")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// The variables that begin with `OTEL_`, while they are read.
#[derive(Debug, Default)]
pub(super) struct Environment {
    values: BTreeMap<String, String>,
    known: BTreeSet<String>,
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut this = Self::default();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            if !name.starts_with(PREFIX) {
                continue;
            }
            match value.into_string() {
                Ok(value) if value.trim().is_empty() => {}
                Ok(value) => drop(this.values.insert(name, value.trim().to_owned())),
                Err(_) => this.faults.push(format!("{name}: the value is not UTF-8")),
            }
        }
        this
    }

    /// Something is wrong with a variable. `why` quotes no secret.
    pub(super) fn fault(&mut self, name: &str, why: impl fmt::Display) {
        note(&mut self.faults, format!("{name}: {why}"));
    }

    /// Something should be known of a variable.
    pub(super) fn warn(&mut self, name: &str, why: impl fmt::Display) {
        note(&mut self.warnings, format!("{name}: {why}"));
    }

    /// The value, if there is one.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.known.insert(name.to_owned());
        self.values.get(name).cloned()
    }

    /// A signal's own variable, or the one for all signals, with its name.
    pub(super) fn of_signal(&mut self, signal: Signal, what: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.variable());
        let general = format!("OTEL_EXPORTER_OTLP_{what}");
        // Both are known, whichever counts.
        let values = [self.text(&own), self.text(&general)];
        [own, general].into_iter().zip(values).find_map(|(name, value)| Some((name, value?)))
    }

    /// `true` or `false`, in any case.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.text(name) {
            Some(value) => self
                .understand(name, &value, "true or false", |value| value.to_ascii_lowercase().parse().ok()),
            None => None,
        }
        .unwrap_or(false)
    }

    /// A number within `allowed`.
    pub(super) fn number(&mut self, name: &str, allowed: RangeInclusive<u64>) -> Option<u64> {
        let value = self.text(name)?;
        self.number_of(name, &value, allowed)
    }

    /// The same, of a value that is known already.
    pub(super) fn number_of(&mut self, name: &str, value: &str, allowed: RangeInclusive<u64>) -> Option<u64> {
        let possible = format!("a whole number from {} to {}", allowed.start(), allowed.end());
        self.understand(name, value, &possible, |value| {
            value.parse().ok().filter(|number| allowed.contains(number))
        })
    }

    /// A time in milliseconds, within `allowed`, or the default.
    pub(super) fn milliseconds(
        &mut self,
        name: &str,
        allowed: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        self.number(name, allowed).map_or(default, Duration::from_millis)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, value: &str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.understand(name, value, &words.join(", "), |value| {
            choices.iter().find(|(word, _)| *word == value).map(|(_, choice)| *choice)
        })
    }

    fn understand<T>(
        &mut self,
        name: &str,
        value: &str,
        possible: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let read = read(value);
        if read.is_none() {
            self.fault(name, format_args!("`{}` is not possible here; possible: {possible}", cut(value)));
        }
        read
    }

    /// Everything has been asked for: what is wrong, or what should be known.
    pub(super) fn end(mut self) -> Result<Vec<String>, Faults> {
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        for name in self.values.keys().filter(|name| !self.known.contains(*name)) {
            let is_of_others = OF_OTHERS.iter().any(|start| {
                name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            });
            if is_of_others {
                continue;
            }
            let nearest = known.iter().map(|other| (strsim::damerau_levenshtein(name, other), *other)).min();
            let hint = match nearest {
                Some((distance, other)) if distance <= MAX_DISTANCE => format!("; did you mean {other}?"),
                _ => String::new(),
            };
            self.warnings.push(format!("{name}: not known here, and without effect{hint}"));
        }
        if self.faults.is_empty() { Ok(self.warnings) } else { Err(Faults(self.faults)) }
    }
}

/// What is wrong for several signals is said once.
fn note(notes: &mut Vec<String>, note: String) {
    if !notes.contains(&note) {
        notes.push(note);
    }
}

/// A value in an error.
fn cut(value: &str) -> String {
    value.chars().take(100).collect()
}
