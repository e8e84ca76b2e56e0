//! The executable's other commands: run to their end, or until they are told to end.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::bridge::{self, Log, hookbridge};
use super::wait::{SOON, eventually};

/// What a command has said and done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `hookbridge` with `arguments` to its end.
pub(crate) fn run(arguments: &[&str], env: &[(&str, &str)]) -> Done {
    run_command(hookbridge().args(arguments).envs(env.iter().copied()))
}

/// Runs a command to its end.
pub(crate) fn run_command(command: &mut Command) -> Done {
    let output = command.stdin(Stdio::null()).output().expect("run a command");
    let text = |octets| String::from_utf8(octets).expect("text in UTF-8");
    Done {
        code: output.status.code().expect("an exit code"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A command that stays up until it is told to end.
pub(crate) struct Running {
    process: Child,
    pub(crate) stdout: Log,
    pub(crate) stderr: Log,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Running {
        let mut process = hookbridge()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run hookbridge");
        let stdout = Log::follow(process.stdout.take().expect("a pipe"));
        let stderr = Log::follow(process.stderr.take().expect("a pipe"));
        Running { process, stdout, stderr }
    }

    /// Waits until standard output is as wanted.
    pub(crate) fn wait_for_output<T>(&mut self, what: &str, mut look: impl FnMut(&str) -> Option<T>) -> T {
        eventually(SOON + SOON, what, || {
            if let Some(status) = self.process.try_wait().expect("ask for the process's state") {
                panic!("it ended ({status}) instead of this: {what}");
            }
            look(&self.stdout.text())
        })
    }

    pub(crate) fn signal(&self, name: &str) {
        bridge::signal(&self.process, name);
    }

    /// The exit code, once it has ended.
    #[track_caller]
    pub(crate) fn exit_code(&mut self, within: Duration) -> Option<i32> {
        bridge::wait_for_end(&mut self.process, within).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- stdout\n{}\n---- stderr\n{}\n----", self.stdout.text(), self.stderr.text());
        }
        // Errors here mean only that it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
