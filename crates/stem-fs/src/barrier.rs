//! One flush for many files.
//!
//! Where the file system flushes as a whole and says so when that fails, a barrier is a single `syncfs`; elsewhere each
//! file and each directory is flushed by itself. `syncfs` reports only errors of writes that came after the descriptor
//! was opened, so a barrier is made before the first write that it covers. After an error nothing that was written
//! since the barrier was made counts as durable, and another flush proves nothing, for the system reports an error once
//! and forgets it: so a barrier that failed keeps failing. Make the writes again under a new one.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::platform;
use crate::temp::TempFile;

/// A pending flush of everything written below one directory's file system.
#[derive(Debug)]
pub struct Barrier {
    root: Dir,
    whole: bool,
    renamed: Mutex<BTreeMap<PathBuf, Dir>>,
    failed: AtomicBool,
}

impl Barrier {
    /// A barrier for the file system that holds `dir`.
    pub fn new(dir: &Dir) -> Result<Self> {
        let root = dir.reopen()?;
        let unknown = root.observer().is_some_and(|observer| observer.is_unknown_file_system());
        let whole = !unknown && platform::can_sync_all(root.handle());
        Ok(Self { root, whole, renamed: Mutex::default(), failed: AtomicBool::new(false) })
    }

    /// A barrier that flushes each file and each directory by itself, as [`Barrier::new`] gives where there is no common
    /// flush: for tests of that case, and where a flush of unrelated files of the same file system costs more.
    pub fn one_by_one(dir: &Dir) -> Result<Self> {
        Ok(Self { whole: false, ..Self::new(dir)? })
    }

    /// Whether one flush covers the whole file system.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Says that `file` was written; it is flushed now where no common flush exists.
    pub fn written(&self, file: &TempFile) -> Result<()> {
        if self.whole { Ok(()) } else { self.note(file.sync()) }
    }

    /// Says that names in `dir` changed.
    pub fn renamed(&self, dir: &Dir) {
        if !self.whole {
            let mut renamed = self.renamed.lock().unwrap_or_else(PoisonError::into_inner);
            renamed.insert(dir.path().to_path_buf(), dir.clone());
        }
    }

    /// Makes everything that was announced durable.
    pub fn flush(&self) -> Result<()> {
        if self.failed.load(Ordering::Acquire) {
            let source =
                io::Error::other("an earlier flush failed, and what was written before it may be lost");
            return Err(Error::new("sync the file system of", self.root.path(), source));
        }
        if self.whole {
            return self.note(self.root.sync_all());
        }
        let dirs = std::mem::take(&mut *self.renamed.lock().unwrap_or_else(PoisonError::into_inner));
        self.note(dirs.values().try_for_each(Dir::sync))
    }

    fn note(&self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }
}
