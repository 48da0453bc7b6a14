//! Faults in the file system, and a record of what was done to it.
//!
//! A plan is given to [`stem_fs::Dir::open_observed`]. Changes are numbered from 0 in the order in which they are
//! announced; with several threads that order is not repeatable, so crash tests use one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use stem_fs::{Change, Observer};

/// One change that was made, with its own paths.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Made {
    /// See [`Change::Create`].
    Create(PathBuf),
    /// See [`Change::Write`].
    Write(PathBuf),
    /// See [`Change::Metadata`].
    Metadata(PathBuf),
    /// See [`Change::SyncFile`].
    SyncFile(PathBuf),
    /// See [`Change::SyncDir`].
    SyncDir(PathBuf),
    /// See [`Change::SyncAll`].
    SyncAll(PathBuf),
    /// See [`Change::Rename`].
    Rename(PathBuf, PathBuf),
    /// See [`Change::RemoveFile`].
    RemoveFile(PathBuf),
    /// See [`Change::RemoveDir`].
    RemoveDir(PathBuf),
    /// See [`Change::CreateDir`].
    CreateDir(PathBuf),
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Only counts.
    None,
    /// This one change fails.
    Once(u64, io::ErrorKind),
    /// From this change on, nothing happens any more: the process was killed here.
    Killed(u64),
}

/// Watches every change, and makes one of them fail.
#[derive(Debug)]
pub struct FaultPlan {
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    announced: u64,
    struck: bool,
    made: Vec<Made>,
}

impl FaultPlan {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault, state: Mutex::default() })
    }

    /// Nothing fails; for counting and for the record.
    pub fn watch() -> Arc<Self> {
        Self::new(Fault::None)
    }

    /// The change number `n` fails with an error of this kind, all others work.
    pub fn fail_at(n: u64, kind: io::ErrorKind) -> Arc<Self> {
        Self::new(Fault::Once(n, kind))
    }

    /// The change number `n` and all after it fail and change nothing, clean-up included: as if the process had been
    /// killed.
    pub fn kill_at(n: u64) -> Arc<Self> {
        Self::new(Fault::Killed(n))
    }

    /// How many changes were announced.
    pub fn announced(&self) -> u64 {
        self.state().announced
    }

    /// Whether the fault was reached.
    pub fn struck(&self) -> bool {
        self.state().struck
    }

    /// The changes that were made, in order.
    pub fn made(&self) -> Vec<Made> {
        self.state().made.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for FaultPlan {
    fn before(&self, _change: Change<'_>) -> io::Result<()> {
        let mut state = self.state();
        let number = state.announced;
        state.announced += 1;
        let error = match self.fault {
            Fault::Once(n, kind) if n == number => io::Error::from(kind),
            Fault::Killed(n) if n <= number => io::Error::other("the process was killed here"),
            _ => return Ok(()),
        };
        state.struck = true;
        Err(error)
    }

    fn after(&self, change: Change<'_>) {
        let own = Path::to_path_buf;
        let made = match change {
            Change::Create(path) => Made::Create(own(path)),
            Change::Write { path, .. } => Made::Write(own(path)),
            Change::Metadata(path) => Made::Metadata(own(path)),
            Change::SyncFile(path) => Made::SyncFile(own(path)),
            Change::SyncDir(path) => Made::SyncDir(own(path)),
            Change::SyncAll(path) => Made::SyncAll(own(path)),
            Change::Rename { from, to } => Made::Rename(own(from), own(to)),
            Change::RemoveFile(path) => Made::RemoveFile(own(path)),
            Change::RemoveDir(path) => Made::RemoveDir(own(path)),
            Change::CreateDir(path) => Made::CreateDir(own(path)),
            _ => return,
        };
        self.state().made.push(made);
    }
}
