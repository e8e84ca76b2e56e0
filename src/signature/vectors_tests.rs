//! The vectors of `tests/vectors`: requests that others have signed, with their verdicts.

use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::{Account, SignatureError};

#[derive(Deserialize)]
pub(super) struct Vectors {
    pub(super) provider: String,
    pub(super) now: u64,
    #[serde(default)]
    pub(super) source: Source,
    pub(super) cases: Vec<Case>,
}

/// What the source says about itself.
#[derive(Deserialize, Default)]
pub(super) struct Source {
    pub(super) public_url: Option<String>,
    #[serde(default)]
    pub(super) parameters: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) secrets: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) query: Option<String>,
    pub(super) body_base64: String,
    pub(super) verdict: String,
    pub(super) key_index: Option<usize>,
    pub(super) message_id: Option<String>,
    pub(super) event_type: Option<String>,
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

pub(super) fn read(path: &Path) -> Vectors {
    serde_json::from_slice(&std::fs::read(path).unwrap())
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(super) fn headers(case: &Case) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &case.headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    headers
}

impl Vectors {
    pub(super) fn account(&self) -> Account {
        let Source { public_url, parameters } = &self.source;
        Account { public_url: public_url.clone(), parameters: parameters.clone() }
    }
}

/// An error in the words of the vectors.
pub(super) fn verdict(error: &SignatureError) -> &'static str {
    match error {
        SignatureError::Missing(_) => "signature_missing",
        SignatureError::Repeated(_) => "header_repeated",
        SignatureError::Malformed(_) => "signature_malformed",
        SignatureError::TimestampOutsideTolerance { .. } => "timestamp_outside_tolerance",
        SignatureError::Mismatch { .. } => "signature_mismatch",
    }
}
