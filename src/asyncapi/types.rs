//! Which event types a route takes: those that its pattern matches, and no more specific one does.
//!
//! Takes a source's mapping. Gives [`Types`] of each of its routes, as a schema and in words. Pure.

use serde_json::{Value, json};

use crate::pipeline::extract::{MAX_NAME_OCTETS, UNNAMED_TYPE};
use crate::topic::Glob;

/// The event types of one route.
pub(super) struct Types {
    /// None: those that nothing else matches.
    pattern: Option<String>,
    /// What is tried before it.
    before: Vec<String>,
    /// The provider names no types.
    is_unnamed: bool,
}

impl Types {
    /// Those of the route at `index` of the mapping's entries; those of none of them, behind the last. `is_unnamed`: the
    /// provider names no types.
    pub(super) fn of(patterns: &[String], index: usize, is_unnamed: bool) -> Self {
        let pattern = patterns.get(index).cloned();
        let is_exact = pattern.as_ref().is_some_and(|pattern| !pattern.contains('*'));
        let before = match is_exact {
            true => Vec::new(),
            false => patterns
                .iter()
                .take(index)
                .filter(|other| overlaps(pattern.as_deref(), other))
                .cloned()
                .collect(),
        };
        Self { pattern, before, is_unnamed }
    }

    /// The one type it is, if it is one.
    pub(super) fn exact(&self) -> Option<&str> {
        match &self.pattern {
            Some(pattern) if !pattern.contains('*') => Some(pattern),
            _ if self.is_unnamed => Some(UNNAMED_TYPE),
            _ => None,
        }
    }

    /// One that may be of them, for examples.
    pub(super) fn one(&self) -> String {
        self.pattern.as_deref().unwrap_or("*").replace('*', "example")
    }

    /// Whether an event of this type takes the route.
    pub(super) fn accepts(&self, event_type: &str) -> bool {
        let matches = |pattern: &str| Glob::new(pattern).matches(event_type);
        self.pattern.as_deref().is_none_or(matches) && !self.before.iter().any(|other| matches(other))
    }

    /// Whether there can be an event for it at all.
    pub(super) fn is_possible(&self) -> bool {
        !self.is_unnamed || self.accepts(UNNAMED_TYPE)
    }

    /// The schema of `ce_type`.
    pub(super) fn schema(&self) -> Value {
        if let Some(exact) = self.exact() {
            return json!({ "type": "string", "const": exact });
        }
        let mut schema = json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_OCTETS,
            "description": format!("The event's type: {self}.") });
        if let Some(pattern) = self.pattern.as_deref().filter(|pattern| pattern.chars().any(|c| c != '*')) {
            schema["pattern"] = expression(pattern).into();
        }
        let (globs, exact): (Vec<_>, Vec<_>) = self.before.iter().partition(|other| other.contains('*'));
        let mut others: Vec<Value> =
            globs.iter().map(|glob| json!({ "pattern": expression(glob) })).collect();
        if !exact.is_empty() {
            others.insert(0, json!({ "enum": exact }));
        }
        if !others.is_empty() {
            schema["not"] = json!({ "anyOf": others });
        }
        schema
    }

    /// A name for it that can be part of a key.
    pub(super) fn key(&self) -> String {
        let legal = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
        match &self.pattern {
            None if self.before.is_empty() => "events".to_owned(),
            None => "other-events".to_owned(),
            Some(pattern) if pattern == "*" && self.before.is_empty() => "events".to_owned(),
            Some(pattern) if pattern == "*" => "other-events".to_owned(),
            Some(pattern) => pattern.replace('*', "any").chars().map(legal).collect(),
        }
    }
}

impl std::fmt::Display for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_unnamed {
            return write!(f, "`{UNNAMED_TYPE}`, as the provider names none");
        }
        match self.pattern.as_deref() {
            None | Some("*") => f.write_str("any")?,
            Some(pattern) => write!(f, "`{pattern}`")?,
        }
        if !self.before.is_empty() {
            let others: Vec<String> = self.before.iter().map(|other| format!("`{other}`")).collect();
            write!(f, ", but for {}", others.join(", "))?;
        }
        Ok(())
    }
}

/// Whether a type may match both. Of two globs it is known that none does if they begin or end otherwise.
fn overlaps(pattern: Option<&str>, other: &str) -> bool {
    let Some(pattern) = pattern else { return true };
    if !other.contains('*') {
        return Glob::new(pattern).matches(other);
    }
    let head = |glob: &str| glob.split('*').next().unwrap_or_default().to_owned();
    let tail = |glob: &str| glob.rsplit('*').next().unwrap_or_default().to_owned();
    let (a, b) = (head(pattern), head(other));
    let (c, d) = (tail(pattern), tail(other));
    (a.starts_with(&b) || b.starts_with(&a)) && (c.ends_with(&d) || d.ends_with(&c))
}

/// The regular expression of a glob.
fn expression(glob: &str) -> String {
    let parts: Vec<String> = glob.split('*').map(literally).collect();
    format!("^{}$", parts.join(".*"))
}

/// The regular expression that matches a text and nothing else.
pub(super) fn literally(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\^$.|?*+()[]{}".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
#[path = "types_tests.rs"]
mod tests;
