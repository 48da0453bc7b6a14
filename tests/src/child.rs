//! Running one test of this binary in a process of its own: as another user, to be measured, or to be killed.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// The variable that tells a child what to work on; a child's test does nothing without it.
pub const ENV: &str = "STEMVAULT_TEST_CHILD";

/// A command that runs the ignored test `name` of this test binary on `what`.
pub fn command(name: &str, what: impl AsRef<OsStr>) -> Command {
    prefixed(&[], name, what)
}

/// As [`command`], with a program before it that becomes the test binary: `setpriv --reuid …`.
pub fn prefixed(prefix: &[&str], name: &str, what: impl AsRef<OsStr>) -> Command {
    let binary = std::env::current_exe().unwrap();
    let mut command = match prefix.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]).env(ENV, what);
    command.stdin(Stdio::null());
    command
}

/// What this process is to work on, if it is a child.
pub fn task() -> Option<std::path::PathBuf> {
    std::env::var_os(ENV).map(Into::into)
}

/// Free room at a path in bytes, or `None` where that cannot be told.
pub fn free_space(path: &std::path::Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()?.checked_mul(1024)
}
