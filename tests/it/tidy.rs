//! What can be checked of the style: sizes, first lines, words that do not belong, and paths that are named.

use std::fs;
use std::path::{Path, PathBuf};

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below `dir`, by their path from the root, with their text.
fn rust_files(dir: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("read a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("read a file")));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "there are files in {dir}");
    found
}

fn all_files() -> Vec<(String, String)> {
    ["src", "tests/it", "tests/compile_fail", "examples"].into_iter().flat_map(rust_files).collect()
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn files_are_short_and_open_with_what_they_are() {
    let mut faults = Vec::new();
    for (name, text) in all_files() {
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            faults.push(format!("{name} has {lines} lines; {MAX_FILE_LINES} is the most"));
        }
        let mut first =
            text.lines().skip_while(|line| name.starts_with("tests/compile_fail") && line.starts_with("// "));
        if !first.next().is_some_and(|line| line.starts_with("//! ")) {
            faults.push(format!("{name} does not open with `//!`"));
        }
    }
    assert_none(&faults);
}

/// The functions that are too long. rustfmt puts the closing brace under the function's first line.
fn long_functions(name: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut faults = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let words: Vec<&str> = code.split_whitespace().take_while(|word| *word != "fn").collect();
        let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "extern", "\"C\""];
        let is_function = code.split_whitespace().any(|word| word == "fn")
            && words.iter().all(|word| modifiers.contains(word));
        if !is_function || code.ends_with('}') || code.ends_with(';') {
            continue;
        }
        let ends = |line: &str| {
            line.len() > indent && line.is_char_boundary(indent) && {
                let (before, rest) = line.split_at(indent);
                before.trim().is_empty() && (rest == "}" || (rest.starts_with(')') && rest.ends_with(';')))
            }
        };
        let length = lines[start..].iter().position(|line| ends(line)).map_or(lines.len(), |end| end + 1);
        if length > MAX_FUNCTION_LINES {
            faults.push(format!("{name}:{} is a function of {length} lines", start + 1));
        }
    }
    faults
}

#[test]
fn functions_are_short() {
    let faults: Vec<_> = all_files().iter().flat_map(|(name, text)| long_functions(name, text)).collect();
    assert_none(&faults);
}

#[test]
fn a_long_function_is_found() {
    let body = "    f();\n".repeat(MAX_FUNCTION_LINES - 2);
    let fits = format!("impl X {{\n}}\npub fn fits(\n) {{\n{}}}\n", &body[..body.len() - 9]);
    assert_eq!(long_functions("x", &fits), Vec::<String>::new());
    let long = format!("pub(crate) async fn long() {{\n{body}    f();\n}}\n");
    assert_eq!(long_functions("x", &long).len(), 1);
}

/// The lines of a file that are neither comments nor tests, each with its number.
fn product_lines<'a>(name: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    if name.ends_with("_tests.rs") {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut in_tests = false;
    let mut of_tests = false;
    for (number, line) in text.lines().enumerate() {
        if of_tests && line.starts_with("mod ") && line.ends_with('{') {
            in_tests = true;
        }
        of_tests = line == "#[cfg(test)]" || (of_tests && line.starts_with("#["));
        if !in_tests && !line.trim_start().starts_with("//") {
            lines.push((number + 1, line));
        }
        in_tests = in_tests && line != "}";
    }
    lines
}

#[test]
fn nothing_panics_on_purpose() {
    let mut faults = Vec::new();
    for (name, text) in rust_files("src") {
        for (number, line) in product_lines(&name, &text) {
            for word in [
                ".unwrap()",
                ".expect(",
                "panic!(",
                "unreachable!(",
                "unimplemented!(",
                "dbg!(",
                "process::exit",
            ] {
                if line.contains(word) {
                    faults.push(format!("{name}:{number}: `{word}`"));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let mut faults = Vec::new();
    for (name, text) in [rust_files("src"), rust_files("tests/it")].concat() {
        // This file names them.
        for (number, line) in text.lines().enumerate().filter(|_| name != "tests/it/tidy.rs") {
            for word in ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!("] {
                if line.contains(word) {
                    faults.push(format!("{name}:{}: `{word}`", number + 1));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn main_only_wires() {
    let text = fs::read_to_string(root().join("src/main.rs")).expect("read src/main.rs");
    let lines = product_lines("src/main.rs", &text);
    let code: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).filter(|line| !line.is_empty()).collect();
    assert!(code.len() <= 5, "src/main.rs has logic: {code:?}");
    let decides = code
        .iter()
        .any(|line| ["if ", "match ", "for ", "while ", "let "].iter().any(|w| line.starts_with(w)));
    assert!(!decides, "src/main.rs decides something: {code:?}");
}

/// Paths of this repository that a text names.
fn named_paths(text: &str) -> Vec<String> {
    let of_a_path = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
    text.split(|c: char| !of_a_path(c))
        .filter(|word| {
            ["src/", "config/", "tests/", "scripts/", "schemas/", ".ci/", "examples/", "docs/", "helm/"]
                .iter()
                .any(|dir| word.starts_with(dir))
        })
        // `NAME` stands for any name.
        .filter(|word| !word.contains("NAME"))
        .map(|word| word.trim_end_matches('.').to_owned())
        .collect()
}

fn exists(path: &str) -> bool {
    let Some((before, after)) = path.split_once('*') else { return root().join(path).exists() };
    let whole = root().join(before);
    let (dir, start): (PathBuf, &str) = match before.rsplit_once('/') {
        Some((dir, start)) => (root().join(dir), start),
        None => (whole, ""),
    };
    let mut entries = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    entries.any(|name| name.starts_with(start) && name.ends_with(after))
}

#[test]
fn paths_that_are_named_exist() {
    let mut faults = Vec::new();
    let mut named = 0;
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = fs::read_to_string(root().join(document));
        let text = text.unwrap_or_else(|error| panic!("read {document}: {error}"));
        for path in named_paths(&text) {
            named += 1;
            if !exists(&path) {
                faults.push(format!("{document} names {path}, which does not exist"));
            }
        }
    }
    assert!(named > 20, "only {named} paths were found");
    assert_none(&faults);
}
