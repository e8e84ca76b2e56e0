//! Looking whether files have changed, and reading a configuration of which nothing changes meanwhile.
//!
//! Takes paths. Gives a [`Look`]: what the file system says of each without its content. Two looks that are equal
//! mean that nothing has changed between them. When to look is left to [`crate::reload`].
//!
//! A path is looked at through every symbolic link, as it is opened. Kubernetes mounts a Secret as links into a
//! directory `..data`, itself a link, and puts another in its place when the Secret changes: the file behind the path
//! is then another one, and no file that was there has been touched. That is why looking is preferred to inotify.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Config, LoadError, load};

/// How often reading is begun again because a file has changed, or because the configuration refers to files that
/// were not looked at before. A file that always changes is not waited for.
const MAX_READS: usize = 3;

/// What the file system says of some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look(Vec<(PathBuf, Option<Stamp>)>);

/// One file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    /// Without symbolic links. What is no file, such as a pipe, has none.
    resolved: Option<PathBuf>,
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds of the last writing.
    modified: (i64, i64),
    /// Of the last change of anything, permissions too. No program can set it.
    changed: (i64, i64),
    is_file: bool,
}

impl Look {
    /// Looks at `files`. Blocks as long as the file system does.
    #[must_use]
    pub fn at(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| (file.clone(), Stamp::of(file))).collect())
    }

    /// The first that is there and no file: a pipe, say, which can be read only once.
    #[must_use]
    pub fn not_a_file(&self) -> Option<&Path> {
        let (path, _) =
            self.0.iter().find(|(_, stamp)| stamp.as_ref().is_some_and(|stamp| !stamp.is_file))?;
        Some(path)
    }
}

impl Stamp {
    /// `None` if it is not there, or may not be looked at.
    fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            resolved: fs::canonicalize(file).ok(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            is_file: metadata.is_file(),
        })
    }
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, or what is wrong with it.
    pub result: Result<Config, LoadError>,
    /// The configuration's file, and all that it refers to.
    pub files: Vec<PathBuf>,
    /// What they looked like, before and after; `None` if something has changed between.
    pub look: Option<Look>,
}

/// Reads and checks the configuration in `file`, beginning again if a file changes meanwhile. `known` are the files
/// that it is expected to refer to: if they are these, it is read once.
#[must_use]
pub fn load_stable(file: &Path, known: &[PathBuf]) -> Loaded {
    let mut loaded = load_once(file, &with(file, known));
    for _ in 1..MAX_READS {
        if loaded.look.is_some() {
            break;
        }
        loaded = load_once(file, &loaded.files);
    }
    loaded
}

fn load_once(file: &Path, expected: &[PathBuf]) -> Loaded {
    let before = Look::at(expected);
    let result = load(file);
    let referred_to = match &result {
        Ok(config) => &config.files,
        Err(error) => error.files(),
    };
    let files = with(file, referred_to);
    let after = Look::at(&files);
    // A second reading of a pipe would find nothing in it.
    let settled = before == after || after.not_a_file().is_some();
    Loaded { result, files, look: settled.then_some(after) }
}

/// The configuration's own file comes first, and none twice.
fn with(file: &Path, others: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = vec![file.to_owned()];
    for other in others {
        if !files.contains(other) {
            files.push(other.clone());
        }
    }
    files
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
