//! The files that a producer reads once, when it is made: certificates and keys.
//!
//! Takes librdkafka's properties. Says when the files they name have changed and are at rest. What is in them is left to
//! librdkafka; what follows from a change is left to [`super::supervisor`].

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientConfig;

/// librdkafka's properties that name such a file.
const PROPERTIES: [&str; 5] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.keystore.location",
];

/// After a failure: the fault may be the broker's, or that of another file.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What is seen of one file without reading it; None if it is not there.
type Look = Vec<Option<(SystemTime, u64)>>;

/// The files, and what was seen of them.
pub(super) struct Certificates {
    files: Vec<PathBuf>,
    /// Of what the producer in place was made.
    taken: Look,
    last: Look,
    refused: Option<(Look, Instant)>,
}

impl Certificates {
    pub(super) fn of(config: &ClientConfig) -> Self {
        let named = PROPERTIES.iter().filter_map(|name| config.get(name));
        // `probe` is no file: librdkafka looks for the system's certificates itself.
        let files: Vec<PathBuf> = named.filter(|file| *file != "probe").map(PathBuf::from).collect();
        let taken = look(&files);
        Self { files, last: taken.clone(), taken, refused: None }
    }

    /// Whether they are others than those of the producer in place. Two looks in a row must agree: a certificate and its
    /// key are two files, and either may be half written.
    pub(super) fn have_changed(&mut self) -> bool {
        let now = look(&self.files);
        let at_rest = now == self.last;
        self.last.clone_from(&now);
        let again = match &self.refused {
            Some((refused, at)) => *refused != now || at.elapsed() >= AGAIN_AFTER,
            None => true,
        };
        at_rest && now != self.taken && again
    }

    /// A producer that was made of what was seen last is in place.
    pub(super) fn taken(&mut self) {
        self.taken.clone_from(&self.last);
        self.refused = None;
    }

    /// What was seen last is of no use.
    pub(super) fn refused(&mut self) {
        self.refused = Some((self.last.clone(), Instant::now()));
    }
}

fn look(files: &[PathBuf]) -> Look {
    let seen = files.iter().map(|file| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    });
    seen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_it_is_at_rest_and_until_it_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tls.crt");
        std::fs::write(&file, "one").unwrap();
        let mut config = ClientConfig::new();
        config.set("ssl.certificate.location", file.to_str().unwrap());
        let mut certificates = Certificates::of(&config);
        assert!(!certificates.have_changed());
        std::fs::write(&file, "another").unwrap();
        assert!(!certificates.have_changed(), "it may be half written");
        assert!(certificates.have_changed());
        certificates.refused();
        assert!(!certificates.have_changed(), "not at once again");
        std::fs::write(&file, "a third one").unwrap();
        assert!(!certificates.have_changed());
        assert!(certificates.have_changed());
        certificates.taken();
        assert!(!certificates.have_changed());
        std::fs::remove_file(&file).unwrap();
        assert!(!certificates.have_changed());
        assert!(certificates.have_changed(), "the next producer could not be made");
    }
}
