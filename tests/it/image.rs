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

/// The files that the library was last made of, as rustc has noted them beside it. Beside the executable there is a note only
/// after `cargo build`; and it is the library, but for `src/main.rs`.
fn notes() -> String {
    let tests = std::env::current_exe().expect("this executable's path");
    let entries = fs::read_dir(tests.parent().expect("its directory")).expect("read its directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let of_library = paths.filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        (name.starts_with("hookbridge-") && name.ends_with(".d")).then_some(())?;
        let text = fs::read_to_string(&path).expect("read what rustc has noted");
        // Not that of unit tests, which have more files, nor that of a check.
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        let (_, files) = lines.find(|(made, _)| made.ends_with(".rlib"))?;
        let time = fs::metadata(&path).and_then(|about| about.modified()).expect("its time");
        Some((time, files.to_owned()))
    });
    of_library.max().expect("the library was compiled").1
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
    // A space in a path has a backslash before it.
    let files = notes().replace("\\ ", "\0");
    let own_root = root().canonicalize().expect("the repository");
    let mut own = 0;
    for file in files.split_whitespace().map(|word| PathBuf::from(word.replace('\0', " "))) {
        // A path may have `..` in it, as the source that includes it says.
        let file = root().join(&file).canonicalize();
        let file = file.unwrap_or_else(|error| panic!("a source of the library: {error}"));
        let Ok(file) = file.strip_prefix(&own_root) else { continue };
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
