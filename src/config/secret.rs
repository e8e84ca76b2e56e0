//! Secrets, by reference.
//!
//! Takes `{ env: NAME }` or `{ file: PATH }`. Gives the secret's text, wiped from memory when it is dropped,
//! or says what is missing: never a part of a secret.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::raw::RawSecret;

/// The largest secret, in octets. Certificates in PEM form are the largest there are.
const MAX_SECRET_BYTES: u64 = 256 * 1024;

/// Reads a secret. `env` looks up environment variables.
///
/// # Errors
/// What is wrong, and what to do.
pub(super) fn read(
    reference: &RawSecret,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Zeroizing<String>, (String, String)> {
    let secret = match (&reference.env, &reference.file) {
        (Some(name), None) => match env(name) {
            Some(value) => Zeroizing::new(value),
            None if looks_like_a_name(name) => {
                return Err((
                    format!("the environment variable `{name}` is not set, or not UTF-8"),
                    format!("set `{name}`, or refer to a file with `{{ file: PATH }}`"),
                ));
            }
            None => {
                return Err((
                    "the environment variable that is named here is not set".to_owned(),
                    "write the variable's name, such as `BILLING_SECRET`, not the secret itself".to_owned(),
                ));
            }
        },
        (None, Some(path)) => read_file(path)?,
        _ => {
            return Err((
                "a secret is a reference to one place".to_owned(),
                "write `{ env: NAME }` or `{ file: PATH }`".to_owned(),
            ));
        }
    };
    if secret.trim().is_empty() {
        let place = match (&reference.env, &reference.file) {
            (Some(name), _) => format!("the environment variable `{name}`"),
            (_, path) => format!("the file {}", path.as_deref().unwrap_or_default()),
        };
        return Err((format!("{place} is empty"), "without a secret nothing can be verified".to_owned()));
    }
    Ok(secret)
}

/// A secret that was put in the place of a variable's name must not be repeated on the screen.
fn looks_like_a_name(name: &str) -> bool {
    name.len() < 64 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// A relative path is resolved against the directory in which the process runs, not against the configuration's.
fn path_hint(path: &str) -> String {
    let hint = "check the path and its permissions";
    match (Path::new(path).is_relative(), std::env::current_dir()) {
        (true, Ok(directory)) => {
            format!("{hint}; it is relative to the working directory, {}", directory.display())
        }
        (true, Err(_)) => format!("{hint}; it is relative to the working directory"),
        (false, _) => hint.to_owned(),
    }
}

fn read_file(path: &str) -> Result<Zeroizing<String>, (String, String)> {
    let fault = |why: String| (format!("the secret's file {path} {why}"), path_hint(path));
    let file = std::fs::File::open(path).map_err(|error| fault(format!("can't be opened: {error}")))?;
    let mut secret = Zeroizing::new(String::new());
    file.take(MAX_SECRET_BYTES + 1)
        .read_to_string(&mut secret)
        .map_err(|error| fault(format!("can't be read: {error}")))?;
    if secret.len() as u64 > MAX_SECRET_BYTES {
        return Err(fault(format!("is larger than {MAX_SECRET_BYTES} octets")));
    }
    // Editors and `echo` end a file with a newline that is not part of the secret.
    for end in ["\n", "\r"] {
        if secret.ends_with(end) {
            let length = secret.len() - end.len();
            secret.truncate(length);
        }
    }
    Ok(secret)
}
