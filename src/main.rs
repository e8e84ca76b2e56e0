//! From arguments to an exit code; everything else is in the library.

fn main() -> std::process::ExitCode {
    hookbridge::cli::run(std::env::args_os())
}
