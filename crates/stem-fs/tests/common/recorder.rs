//! An observer that keeps a readable log and can kill the process, so to speak, at any change.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stem_fs::{Change, Observer, TEMP_PREFIX};

type Hook = Box<dyn Fn(&str) + Send + Sync>;

pub(crate) struct Recorder {
    /// Changes from this number on are refused.
    kill_at: usize,
    announced: AtomicUsize,
    made: Mutex<Vec<String>>,
    hook: Hook,
}

impl Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("kill_at", &self.kill_at).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Refuses the changes from number `kill_at` on; `hook` is called with every line that is logged.
    pub(crate) fn new(kill_at: usize, hook: impl Fn(&str) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            kill_at,
            announced: AtomicUsize::new(0),
            made: Mutex::default(),
            hook: Box::new(hook),
        })
    }

    /// What was done, one line each: file names only, `*` for a temporary file.
    pub(crate) fn made(&self) -> Vec<String> {
        self.made.lock().unwrap().clone()
    }
}

impl Observer for Recorder {
    fn before(&self, _change: Change<'_>) -> io::Result<()> {
        if self.announced.fetch_add(1, Ordering::SeqCst) < self.kill_at {
            Ok(())
        } else {
            Err(io::Error::other("killed"))
        }
    }

    fn after(&self, change: Change<'_>) {
        let line = describe(change);
        self.made.lock().unwrap().push(line.clone());
        (self.hook)(&line);
    }
}

fn describe(change: Change<'_>) -> String {
    match change {
        Change::Create(path) => format!("create {}", name(path)),
        Change::Write { path, len } => format!("write {} {len}", name(path)),
        Change::Metadata(path) => format!("metadata {}", name(path)),
        Change::SyncFile(path) => format!("sync {}", name(path)),
        Change::SyncDir(path) => format!("syncdir {}", name(path)),
        Change::SyncAll(path) => format!("syncall {}", name(path)),
        Change::Rename { from, to } => format!("rename {} {}", name(from), name(to)),
        Change::RemoveFile(path) => format!("remove {}", name(path)),
        Change::RemoveDir(path) => format!("rmdir {}", name(path)),
        Change::CreateDir(path) => format!("mkdir {}", name(path)),
        other => panic!("unknown change {other:?}"),
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    if name.starts_with(TEMP_PREFIX) { "*".to_owned() } else { name.into_owned() }
}
