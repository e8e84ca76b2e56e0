//! Reports faults at the place where the value stands.
//!
//! Takes the document, and paths into it. Gives diagnostics with positions.

use super::diagnostic::{Diagnostics, Path, Position};
use super::document::Document;

/// The document and what is wrong with it.
pub(super) struct Checker<'a> {
    document: &'a Document,
    faults: &'a mut Diagnostics,
}

impl<'a> Checker<'a> {
    pub(super) fn new(document: &'a Document, faults: &'a mut Diagnostics) -> Self {
        Self { document, faults }
    }

    pub(super) fn error(&mut self, path: &Path, message: impl Into<String>) {
        self.faults.error(self.document.position(path), path.clone(), message);
    }

    pub(super) fn error_with(&mut self, path: &Path, (message, hint): (String, String)) {
        self.faults.push(self.document.position(path), path.clone(), message, Some(hint));
    }

    /// `key` is needed at `path`. Not said twice: it may be there and faulty.
    pub(super) fn missing(&mut self, path: &Path, key: &str, hint: &str) {
        let wanted = path.key(key);
        if !self.faults.has_error_below(&wanted) {
            let message = format!("`{key}` is missing");
            self.faults.push(self.document.position(path), wanted, message, Some(hint.to_owned()));
        }
    }

    pub(super) fn warn(&mut self, path: &Path, message: String, hint: &str) {
        self.faults.warn(self.document.position(path), path.clone(), message, Some(hint.to_owned()));
    }

    pub(super) fn position(&self, path: &Path) -> Position {
        self.document.position(path)
    }

    /// The path of the list item that was read as number `index`.
    pub(super) fn item(&self, list: &Path, index: usize) -> Path {
        list.index(self.document.index_in_file(list, index))
    }

    /// Whether the file says anything at `path`.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.document.has(path)
    }

    pub(super) fn has_error_below(&self, path: &Path) -> bool {
        self.faults.has_error_below(path)
    }
}
