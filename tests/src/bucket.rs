//! A service in this process with a bucket in it, and programs that use it and are killed while they do.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use stem_testkit::s3::{Match, Moment, S3Server, ServerOptions};
use tempfile::TempDir;

use crate::binary::stem;

/// A service, and a place for what its clients keep.
#[derive(Debug)]
pub struct Service {
    /// The service.
    pub server: S3Server,
    /// Caches of clients.
    pub scratch: TempDir,
}

impl Default for Service {
    fn default() -> Self {
        Self::start(ServerOptions::default())
    }
}

impl Service {
    /// Starts one.
    pub fn start(options: ServerOptions) -> Self {
        Self { server: S3Server::start(options).unwrap(), scratch: tempfile::tempdir().unwrap() }
    }

    /// The URL of the store in it, with these options; what is cached of it lies under `cache`.
    pub fn url(&self, cache: &str, more: &str) -> String {
        let cache = self.scratch.path().join(cache);
        let (endpoint, cache) = (self.server.endpoint(), cache.display());
        format!(
            "s3://bucket/studio?endpoint={endpoint}&anonymous=true&cache={cache}&timeout=5s&retries=1{more}"
        )
    }
}

/// A URL as a part of another one.
pub fn inner(url: &str) -> String {
    url.replace('%', "%25").replace('?', "%3F").replace('&', "%26")
}

/// Says in a repository's configuration where its objects are.
pub fn configure(root: &Path, url: &str) {
    let stem = root.join(".muse/stem");
    std::fs::create_dir_all(&stem).unwrap();
    std::fs::write(stem.join("config.toml"), format!("[store]\nurl = \"{url}\"\n")).unwrap();
}

/// The program, without anything of the environment that leads elsewhere.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(stem());
    command.args(args).current_dir(dir).stdin(Stdio::null());
    for name in ["MUSE_REPO_ROOT", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "DATABASE_URL"] {
        command.env_remove(name);
    }
    command.env("HOME", PathBuf::from("/nonexistent"));
    command
}

/// Runs the program to its end, which has to be a good one.
pub fn run(dir: &Path, args: &[&str]) -> Output {
    let output = command(dir, args).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stem {args:?}: {:?} {told}", output.status.code());
    output
}

type Slot = Arc<(Mutex<Option<Child>>, Condvar)>;

/// Runs the program and kills it, in the way that nothing can catch, at the request that follows `after` others of this kind. `None`: it was
/// killed; otherwise it ended by itself, for there was no such request.
pub fn run_killed(
    server: &S3Server,
    (of, after, moment): (Match, u64, Moment),
    mut command: Command,
) -> Option<ExitStatus> {
    let slot: Slot = Slot::default();
    let theirs = slot.clone();
    server.when(of, after, moment, move || {
        let (child, there) = &*theirs;
        let mut child = there.wait_while(child.lock().unwrap(), |child| child.is_none()).unwrap();
        if let Some(child) = child.as_mut() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    });
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (place, there) = &*slot;
    *place.lock().unwrap() = Some(child);
    there.notify_all();
    let status = loop {
        let ended = place.lock().unwrap().as_mut().and_then(|child| child.try_wait().unwrap());
        match ended {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    // What was to be done is done, or never will be.
    if server.forget() { Some(status) } else { None }
}
