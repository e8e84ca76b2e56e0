//! Forging the witnesses must not compile: `tests/compile_fail/` (P1, P2).
//!
//! Each file is given to rustc with the library that this test itself is linked with. Its first line names the
//! error that is expected, `// error: E0451`, or says `// compiles`: those are the control, without which a
//! set-up that refuses everything would pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where cargo puts the libraries, and this test.
fn deps() -> PathBuf {
    let this = std::env::current_exe().expect("this executable");
    this.parent().expect("its directory").to_owned()
}

/// The libraries called `name`, the newest first: an old one may lie beside it.
fn libraries(name: &str) -> Vec<PathBuf> {
    let prefix = format!("lib{name}-");
    let mut found: Vec<_> = fs::read_dir(deps())
        .expect("read the directory of libraries")
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let file = entry.file_name().into_string().ok()?;
            let modified = entry.metadata().ok()?.modified().ok()?;
            (file.starts_with(&prefix) && file.ends_with(".rlib")).then_some((modified, entry.path()))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

struct Compiler {
    externs: Vec<String>,
    out: tempfile::TempDir,
}

impl Compiler {
    fn compile(&self, file: &Path) -> Output {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        Command::new(rustc)
            .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--out-dir"])
            .arg(self.out.path())
            .arg("-L")
            .arg(format!("dependency={}", deps().display()))
            .args(self.externs.iter().flat_map(|name| ["--extern", name]))
            .arg(file)
            .output()
            .expect("run rustc")
    }
}

/// A compiler for which the control compiles: libraries of other builds may be about, too, and not fit.
fn compiler(control: &Path) -> Compiler {
    let mut complaints = String::new();
    for library in libraries("hookbridge") {
        for serde in libraries("serde") {
            let externs = [("hookbridge", &library), ("serde", &serde)];
            let externs = externs.map(|(name, path)| format!("{name}={}", path.display())).to_vec();
            let compiler = Compiler { externs, out: tempfile::tempdir().expect("a directory") };
            let output = compiler.compile(control);
            if output.status.success() {
                return compiler;
            }
            let said = String::from_utf8_lossy(&output.stderr);
            // A library of another build, or built against other versions. Any other error is the control's own.
            let unfit = ["E0460", "E0463", "E0464", "E0514", "E0786"].iter().any(|code| said.contains(code));
            assert!(unfit, "the control does not compile:\n{said}");
            complaints.push_str(&said);
        }
    }
    panic!("the control does not compile with any of the libraries:\n{complaints}");
}

#[test]
fn witnesses_can_not_be_forged() {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compile_fail"));
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("read tests/compile_fail")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    let compiler = compiler(&dir.join("control.rs"));
    let mut refused = 0;
    for file in &files {
        let text = fs::read_to_string(file).expect("read a file");
        let first = text.lines().next().expect("a first line");
        let output = compiler.compile(file);
        let said = String::from_utf8_lossy(&output.stderr);
        let name = file.display();
        match first.strip_prefix("// error: ") {
            Some(code) => {
                refused += 1;
                assert!(!output.status.success(), "{name} compiles: the witness can be forged");
                let errors: Vec<_> = said.lines().filter(|line| line.starts_with("error[")).collect();
                assert!(!errors.is_empty(), "{name} is refused for no error of the language:\n{said}");
                let expected = format!("error[{code}]");
                assert!(errors.iter().all(|line| line.starts_with(&expected)), "{name}, not {code}:\n{said}");
            }
            None => {
                assert_eq!(first, "// compiles", "{name}: the first line says what is expected");
                assert!(output.status.success(), "{name} does not compile:\n{said}");
            }
        }
    }
    assert!(refused >= 16, "only {refused} forgeries were tried");
}
