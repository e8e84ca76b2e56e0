//! The results of one partition, and the memory of which messages are among them: one file of JSON lines.
//!
//! Takes keys and lines. Gives each key one line, among the newest `remember` of them. Two files would have to be written
//! as one, or a crash between them makes a message's result come twice or never.

use std::collections::{HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use serde_json::Value;

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
    /// Opens or makes the file, and learns its newest keys. A line that a crash has cut off is taken away: its record was
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
            let key = value["key"].as_str().ok_or_else(|| io::Error::other("a line without a key"))?;
            ledger.know(key);
            whole += line.len() as u64;
            line.clear();
        }
        ledger.file.get_ref().set_len(whole)?;
        Ok(ledger)
    }

    fn know(&mut self, key: &str) -> bool {
        if !self.known.insert(key.to_owned()) {
            return false;
        }
        self.in_order.push_back(key.to_owned());
        if self.in_order.len() > self.remember
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Adds a line, unless the key has one.
    pub(crate) fn add(&mut self, key: &str, line: &Value) -> io::Result<()> {
        if self.know(key) {
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
