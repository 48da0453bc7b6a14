//! Other processes: the test binary itself, started again for one test, with a role in its environment.

use std::process::{Child, Command, Stdio};

use super::subject::Run;

const ROLE: &str = "STEM_CONFORMANCE_ROLE";
const LOCATION: &str = "STEM_CONFORMANCE_LOCATION";

/// What a child process is there for.
pub(super) struct Role {
    pub(super) role: String,
    pub(super) location: String,
}

/// The role of this process, if it is a child.
pub(super) fn serve() -> Option<Role> {
    let role = std::env::var(ROLE).ok()?;
    Some(Role { role, location: std::env::var(LOCATION).ok()? })
}

/// Starts a child that runs the same test in this role.
pub(super) fn child(run: &Run<'_>, role: &str, location: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", run.test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(LOCATION, location)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The name of a test as the test binary knows it: the module path without the crate.
pub fn test_name(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_, inner)) => format!("{inner}::{test}"),
        None => test.to_owned(),
    }
}
