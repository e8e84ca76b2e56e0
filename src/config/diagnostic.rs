//! What is wrong with a configuration, said so that a person can mend it.
//!
//! Takes faults from every step of reading a file. Gives one list, in the order of the file, each with
//! file, line, column, path and a hint.

use std::fmt;
use std::path::PathBuf;

/// A place in a file: line and column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

impl Position {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };

    pub(super) fn of(marker: &saphyr_parser::Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// The way from the root of a document to a value: `sources.allfly.secrets[0]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// The document itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The value of `key` in the mapping at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut segments = self.0.clone();
        segments.push(key.to_owned());
        Self(segments)
    }

    /// The item at `index`, from 0, of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    pub(super) fn segments(&self) -> &[String] {
        &self.0
    }

    fn is_at_or_below(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            let simple = !segment.is_empty()
                && segment.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            match (i, simple, segment.parse::<usize>()) {
                (1.., _, Ok(index)) => write!(f, "[{index}]")?,
                (0, true, _) => f.write_str(segment)?,
                (_, true, _) => write!(f, ".{segment}")?,
                (_, false, _) => write!(f, "[\"{}\"]", segment.escape_default())?,
            }
        }
        Ok(())
    }
}

/// One fault or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it stands.
    pub at: Position,
    /// Which value it is about.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Names that a hint lists; of more nobody finds the one.
const MAX_LISTED: usize = 12;

/// Everything that is wrong, or doubtful, in one file.
#[derive(Debug)]
pub struct Diagnostics {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// Where every key of the file is explained.
    manual: &'static str,
}

impl Default for Diagnostics {
    fn default() -> Self {
        let manual = "config/hookbridge.yaml shows every key and what it takes";
        Self { errors: Vec::new(), warnings: Vec::new(), manual }
    }
}

impl Diagnostics {
    /// Those of a provider file, which stands outside any configuration.
    pub(super) fn of_provider_file() -> Self {
        Self { manual: "config/providers/README.md explains every key", ..Self::default() }
    }

    pub(super) fn error(&mut self, at: Position, path: Path, message: impl Into<String>) {
        self.push(at, path, message.into(), None);
    }

    /// Without a hint of its own a fault has the one that always helps.
    pub(super) fn push(&mut self, at: Position, path: Path, message: String, hint: Option<String>) {
        let hint = hint.or_else(|| Some(self.manual.to_owned()));
        self.errors.push(Diagnostic { at, path, message, hint });
    }

    pub(super) fn warn(&mut self, at: Position, path: Path, message: String, hint: Option<String>) {
        self.warnings.push(Diagnostic { at, path, message, hint });
    }

    /// Whether a fault is known at `path` or below it: what is missing there is then no second fault.
    pub(super) fn has_error_below(&self, path: &Path) -> bool {
        self.errors.iter().any(|error| error.path.is_at_or_below(path))
    }

    /// Whether anything forbids a start.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The faults, in the order of the file.
    #[must_use]
    pub fn into_sorted(mut self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        self.errors.sort_by_key(|error| error.at);
        self.errors.dedup();
        self.warnings.sort_by_key(|warning| warning.at);
        (self.errors, self.warnings)
    }
}

/// A configuration that can't be used: every fault in it.
#[derive(Debug)]
pub struct Invalid {
    /// The file's name, as the user gave it.
    pub file: String,
    /// The faults, in the order of the file. Never empty.
    pub errors: Vec<Diagnostic>,
    /// The files that it refers to, as far as they could be told: mending one of them may mend it.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            write_diagnostic(f, &self.file, "error", error)?;
        }
        let (count, noun) = (self.errors.len(), if self.errors.len() == 1 { "error" } else { "errors" });
        write!(f, "{count} {noun} in {}", self.file)
    }
}

impl std::error::Error for Invalid {}

/// Writes one diagnostic as compilers do, `file:line:column` first, so that editors can jump to it.
pub(crate) fn write_diagnostic(
    f: &mut dyn fmt::Write,
    file: &str,
    level: &str,
    diagnostic: &Diagnostic,
) -> fmt::Result {
    let Diagnostic { at, path, message, hint } = diagnostic;
    write!(f, "{file}:{}:{}: {level}: ", at.line, at.column)?;
    if path.segments().is_empty() {
        writeln!(f, "{message}")?;
    } else {
        writeln!(f, "{path}: {message}")?;
    }
    match hint {
        Some(hint) => writeln!(f, "  hint: {hint}"),
        None => Ok(()),
    }
}

/// The hint for a name that is not among `known`: the nearest one, or all of them. None where no one is near, and there
/// are too many to be listed.
#[must_use]
pub fn did_you_mean(name: &str, known: &[&str]) -> Option<String> {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min();
    match nearest {
        Some((_, candidate)) => Some(format!("did you mean `{candidate}`?")),
        None if known.is_empty() => Some("nothing is allowed here".to_owned()),
        None if known.len() > MAX_LISTED => None,
        None => {
            let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            Some(format!("known here: {}", names.join(", ")))
        }
    }
}
