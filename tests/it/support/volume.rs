//! A directory of files that change all at once, as Kubernetes mounts a Secret or a ConfigMap.
//!
//! `name -> ..data/name`, `..data -> ..1`, and the file itself in `..1`. A change is a new directory beside it and a
//! new link, renamed over `..data`: that is how the kubelet's `AtomicWriter` does it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

/// A mounted volume.
pub(crate) struct Volume {
    dir: TempDir,
    version: usize,
}

impl Volume {
    pub(crate) fn mount(files: &[(&str, &str)]) -> Volume {
        let mut volume = Volume { dir: tempfile::tempdir().expect("a directory"), version: 0 };
        volume.swap(files);
        volume
    }

    /// Where a file of the volume is, to those who read it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("read a file of the volume")
    }

    /// Puts `files` in the place of all that is there, as the kubelet does.
    pub(crate) fn swap(&mut self, files: &[(&str, &str)]) {
        let before = format!("..{}", self.version);
        self.version += 1;
        let after = format!("..{}", self.version);
        fs::create_dir(self.path(&after)).expect("make a directory");
        for (name, content) in files {
            fs::write(self.path(&after).join(name), content).expect("write a file");
        }
        symlink(&after, self.path("..data_tmp")).expect("make a link");
        fs::rename(self.path("..data_tmp"), self.path("..data")).expect("swap the link");
        for (name, _) in files {
            if !self.path(name).is_symlink() {
                symlink(format!("..data/{name}"), self.path(name)).expect("make a link");
            }
        }
        if self.version > 1 {
            for entry in fs::read_dir(self.path(&before)).expect("read the old directory") {
                let name = entry.expect("an entry").file_name();
                if !files.iter().any(|(kept, _)| name == *kept) {
                    fs::remove_file(self.dir.path().join(name)).expect("remove a link");
                }
            }
            fs::remove_dir_all(self.path(&before)).expect("remove the old directory");
        }
    }
}
