//! The seam for tests: every operation that changes the file system is announced before it happens.
//!
//! A test gives an [`Observer`] to [`crate::Dir::open_observed`]; the directory and everything opened through it ask it
//! before each change. The observer may refuse (an injected fault), refuse everything from then on (a process that was
//! killed at this instruction), or keep a log from which the test rebuilds what the medium held. Outside tests no
//! observer exists and the cost is one branch.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// One change of the file system that is about to happen. Paths are absolute or relative to the process as the
/// directory was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<'a> {
    /// A new empty file.
    Create(&'a Path),
    /// At most `len` bytes are written, copied or left as a hole at the file's current end; [`Observer::after`] is told how
    /// many there were.
    Write {
        /// The file.
        path: &'a Path,
        /// Number of bytes; 0 when a whole file is cloned, and when a file is cut.
        len: u64,
    },
    /// Mode or times of the file change.
    Metadata(&'a Path),
    /// The file's bytes are made durable.
    SyncFile(&'a Path),
    /// The directory's names are made durable.
    SyncDir(&'a Path),
    /// Everything on the file system of this directory is made durable.
    SyncAll(&'a Path),
    /// `from` gets the name `to`, replacing what is there or, with [`crate::Publish::New`], failing.
    Rename {
        /// Old name.
        from: &'a Path,
        /// New name.
        to: &'a Path,
    },
    /// The file loses its name.
    RemoveFile(&'a Path),
    /// The empty directory is removed.
    RemoveDir(&'a Path),
    /// A new directory.
    CreateDir(&'a Path),
}

/// Is told of every change before it happens.
pub trait Observer: fmt::Debug + Send + Sync {
    /// An error is returned to the caller instead of making the change.
    fn before(&self, change: Change<'_>) -> io::Result<()>;

    /// The change was made (of a [`Change::Write`], this many bytes). Not called for what failed or did nothing.
    fn after(&self, change: Change<'_>) {
        let _ = change;
    }

    /// Whether the file system is to be treated as one of which nothing is known: no flush of the whole, no leases. For
    /// tests of that case on any machine.
    fn is_unknown_file_system(&self) -> bool {
        false
    }
}

/// Makes a change unless the observer, where there is one, objects.
pub(crate) fn make<T>(
    observer: Option<&Arc<dyn Observer>>,
    change: Change<'_>,
    make: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let Some(observer) = observer else { return make() };
    observer.before(change)?;
    let value = make()?;
    observer.after(change);
    Ok(value)
}
