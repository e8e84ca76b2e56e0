//! The container image: what the Dockerfile says is what the crate says, its context holds all that the executable is made
//! of, and the image works. CI tries the last stage out with the debug executable (`scripts/image --binary`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("read {name}: {error}"))
}

/// The default of a build argument.
fn argument<'a>(dockerfile: &'a str, name: &str) -> &'a str {
    let start = format!("ARG {name}=");
    dockerfile.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("ARG {name}"))
}

/// The files and directories of the repository that the Dockerfile copies.
fn copied(dockerfile: &str) -> Vec<&str> {
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    lines
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            words[..words.len() - 1].to_vec()
        })
        .collect()
}

#[test]
fn the_dockerfile_says_what_the_crate_says() {
    let dockerfile = read("Dockerfile");
    assert_eq!(argument(&dockerfile, "VERSION"), env!("CARGO_PKG_VERSION"));
    for (label, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
    ] {
        let line = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(dockerfile.contains(&line), "the Dockerfile has no label {line}");
    }
}

#[test]
fn the_builder_has_the_least_rust_or_later_and_is_of_the_bases_debian() {
    let dockerfile = read("Dockerfile");
    let builder = argument(&dockerfile, "BUILDER");
    let tag = builder.strip_prefix("docker.io/library/rust:").expect("the official image");
    let (rust, debian) = tag.split_once('-').expect("a version and a release of Debian");
    let numbers = |version: &str| -> Vec<u32> {
        version.split('.').map(|number| number.parse().expect("a number")).collect()
    };
    let least = numbers(env!("CARGO_PKG_RUST_VERSION"));
    assert!(numbers(rust) >= least, "{builder} is older than rust-version");
    // Or the C library of the base may be older than the one that the executable was linked with.
    let release = match debian {
        "bookworm" => "12",
        "trixie" => "13",
        other => panic!("which number has Debian {other}?"),
    };
    let base = argument(&dockerfile, "BASE");
    assert_eq!(base, format!("gcr.io/distroless/cc-debian{release}:nonroot"));
}

#[test]
fn the_context_has_all_that_the_executable_is_made_of() {
    let dockerfile = read("Dockerfile");
    let copied = copied(&dockerfile);
    let ignore = read(".dockerignore");
    for path in &copied {
        let kept = ignore.lines().any(|line| line == format!("!{path}"));
        assert!(kept, ".dockerignore leaves out {path}, which the Dockerfile copies");
    }
    // What cargo has noted of this very executable.
    let notes = Path::new(env!("CARGO_BIN_EXE_hookbridge")).with_extension("d");
    let notes = fs::read_to_string(&notes).unwrap_or_else(|error| panic!("{}: {error}", notes.display()));
    // A space in a path has a backslash before it.
    let files = notes.split_once(": ").expect("the executable, and its sources").1.replace("\\ ", "\0");
    let mut own = 0;
    for file in files.split_whitespace().map(|word| PathBuf::from(word.replace('\0', " "))) {
        let Ok(file) = file.strip_prefix(root()) else { continue };
        own += 1;
        let is_copied = copied.iter().any(|path| file.starts_with(path));
        assert!(
            is_copied,
            "the executable is made of {}, which the Dockerfile does not copy",
            file.display()
        );
    }
    assert!(own > 100, "{own} sources are not all of them");
}

#[test]
#[ignore = "compiles everything again, optimised, in a container: a quarter of an hour, and it needs root"]
fn the_image_is_built_as_the_dockerfile_says_and_works() {
    let mut script = Command::new(root().join("scripts/image"));
    let status =
        script.args(["--stand-ins", "--tag", "hookbridge:test"]).status().expect("run scripts/image");
    assert!(status.success(), "scripts/image: {status}");
}
