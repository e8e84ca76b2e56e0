//! The results of one partition, and the memory of which messages are among them: one file of JSON lines.
//!
//! Takes lines. Keeps one for each message, among the newest `remember` of them. Two files would have to be written
//! as one, or a crash between them makes a message's result come twice or never.

use std::collections::{HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use serde_json::Value;

/// What makes a message the same: its source and its key. IDs are a sender's own, and two may share a topic.
fn identity(line: &Value) -> String {
    format!("{} {}", line["source"], line["key"])
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: BufWriter<File>,
    known: HashSet<String>,
    in_order: VecDeque<String>,
    remember: usize,
    dirty: bool,
}

impl Ledger {
    /// Opens or makes the file, and learns its newest messages. A line that a crash has cut off is taken away: its record was
    /// never committed, and comes again.
    pub(crate) fn open(path: &Path, remember: usize) -> io::Result<Ledger> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut ledger = Ledger {
            file: BufWriter::new(file.try_clone()?),
            known: HashSet::new(),
            in_order: VecDeque::new(),
            remember: remember.max(1),
            dirty: false,
        };
        let mut lines = BufReader::new(file);
        let mut whole = 0;
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let value: Value = serde_json::from_slice(&line)?;
            ledger.know(identity(&value));
            whole += line.len() as u64;
            line.clear();
        }
        ledger.file.get_ref().set_len(whole)?;
        Ok(ledger)
    }

    fn know(&mut self, identity: String) -> bool {
        if !self.known.insert(identity.clone()) {
            return false;
        }
        self.in_order.push_back(identity);
        if self.in_order.len() > self.remember
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Adds a line, unless the message has one.
    pub(crate) fn add(&mut self, line: &Value) -> io::Result<()> {
        if self.know(identity(line)) {
            writeln!(self.file, "{line}")?;
            self.dirty = true;
        }
        Ok(())
    }

    /// Returns once all lines are on the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }
}
