//! Everything that one run changes, with its bytes.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use stem_fs::{Change, Dir, Observer};

/// One change that was made. Paths are relative to the directory that is watched; the directory itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A new empty file with these permission bits.
    Create(PathBuf, u32),
    /// The file has these bytes now.
    Write(PathBuf, Arc<[u8]>),
    /// The file has these permission bits and this mtime (seconds, nanoseconds) now.
    Metadata(PathBuf, u32, (i64, i64)),
    /// The file's bytes and metadata are durable.
    SyncFile(PathBuf),
    /// The directory's names are durable.
    SyncDir(PathBuf),
    /// Everything is durable.
    SyncAll,
    /// From, to.
    Rename(PathBuf, PathBuf),
    /// The name of a file is gone.
    RemoveFile(PathBuf),
    /// A directory is gone.
    RemoveDir(PathBuf),
    /// A new directory.
    CreateDir(PathBuf),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(path, bytes) => write!(f, "Write({}, {} bytes)", path.display(), bytes.len()),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Watches one run, which must make its changes one after the other: after each write the file is read.
#[derive(Debug)]
pub struct Recorder {
    root: PathBuf,
    unknown: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    trouble: Option<String>,
}

impl Recorder {
    /// A recorder of what happens below `root`. With `unknown`, nothing is presumed of the file system: no common flush,
    /// no leases.
    pub fn new(root: &Path, unknown: bool) -> Arc<Self> {
        Arc::new(Self { root: root.to_path_buf(), unknown, state: Mutex::default() })
    }

    /// The directory, watched.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn open(self: &Arc<Self>) -> stem_fs::Result<Dir> {
        Dir::open_observed(&self.root, Arc::clone(self) as Arc<dyn Observer>)
    }

    /// What was done so far, in order.
    ///
    /// # Errors
    ///
    /// Something was announced that this recorder does not understand.
    pub fn events(&self) -> Result<Vec<Event>, String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => Ok(state.events.clone()),
        }
    }

    fn event(&self, change: Change<'_>) -> Result<Event, String> {
        let own = |path: &Path| {
            let inside = path.strip_prefix(&self.root).map(Path::to_path_buf);
            inside.map_err(|_| format!("'{}' lies outside '{}'", path.display(), self.root.display()))
        };
        let fail = |path: &Path, e: &io::Error| format!("'{}' cannot be read: {e}", path.display());
        Ok(match change {
            Change::Create(path) => {
                let meta = fs::symlink_metadata(path).map_err(|e| fail(path, &e))?;
                Event::Create(own(path)?, meta.mode() & 0o7777)
            }
            Change::Write { path, .. } => {
                Event::Write(own(path)?, fs::read(path).map_err(|e| fail(path, &e))?.into())
            }
            Change::Metadata(path) => {
                let meta = fs::symlink_metadata(path).map_err(|e| fail(path, &e))?;
                Event::Metadata(own(path)?, meta.mode() & 0o7777, (meta.mtime(), meta.mtime_nsec()))
            }
            Change::SyncFile(path) => Event::SyncFile(own(path)?),
            Change::SyncDir(path) => Event::SyncDir(own(path)?),
            Change::SyncAll(_) => Event::SyncAll,
            Change::Rename { from, to } => Event::Rename(own(from)?, own(to)?),
            Change::RemoveFile(path) => Event::RemoveFile(own(path)?),
            Change::RemoveDir(path) => Event::RemoveDir(own(path)?),
            Change::CreateDir(path) => Event::CreateDir(own(path)?),
            other => return Err(format!("the model does not know {other:?}")),
        })
    }
}

impl Observer for Recorder {
    fn before(&self, _change: Change<'_>) -> io::Result<()> {
        Ok(())
    }

    fn after(&self, change: Change<'_>) {
        let event = self.event(change);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(event) => state.events.push(event),
            Err(trouble) => state.trouble = Some(trouble),
        }
    }

    fn is_unknown_file_system(&self) -> bool {
        self.unknown
    }
}
