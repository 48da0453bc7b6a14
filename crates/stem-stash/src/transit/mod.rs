//! Bringing many paths of the working tree from what they are to what they should be, so that it can be undone.
//!
//! The one way in which apply, pop, undo, redo and recovery change files. The order: *look* at every path (`look`),
//! let the verb decide, *secure* what will be written over and is in no object, write the *record*, *run* (`run`), move
//! entries, close the record. Nothing destructive comes before the record is durable (`docs/format/undo.md`).

mod look;
mod perform;
mod preflight;
mod run;
mod secure;

use stem_fs::{Barrier, Dir, LockFile, LockKind, RelPath, Stat};
use stem_hash::ObjectId;

use crate::Stash;
use crate::error::{Reason, Result};
use crate::format::entry::FileRecord;
use crate::format::undo::{FileChange, FileState};
use crate::progress::Progress;
use crate::repo::{LockName, Restoring};
use crate::undo::shelter::Sheltered;

pub(crate) use perform::{Carried, Deed, EntriesGo, Performed};
pub(crate) use preflight::beside_name;
pub(crate) use run::Ran;

/// What one path should be.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) path: RelPath,
    /// The file; `None` is nothing.
    pub(crate) to: Option<Want>,
}

/// A file that should be at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub(crate) id: ObjectId,
    /// Without it the object's own permissions and time.
    pub(crate) record: Option<FileRecord>,
    pub(crate) verify: bool,
}

impl Want {
    /// What a record says of a file, verified.
    pub(crate) fn of_state(state: FileState) -> Self {
        let record = state.size.zip(state.mtime).zip(state.mode);
        let record = record.map(|((size, mtime), mode)| FileRecord { size, mtime, mode, checksum: None });
        Self { id: state.id, record, verify: true }
    }

    fn state(self) -> FileState {
        let known = self.record;
        FileState {
            id: self.id,
            size: known.map(|record| record.size),
            mtime: known.map(|record| record.mtime),
            mode: known.map(|record| record.mode),
        }
    }
}

/// A regular file that stands at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Present {
    pub(crate) stat: Stat,
    /// What it holds, where that was found out.
    pub(crate) id: Option<ObjectId>,
    /// Whether `id` is stored, byte for byte.
    pub(crate) safe: bool,
    /// Whether nobody could write to it while it was looked at.
    pub(crate) leased: bool,
    /// Whether another program has it open for writing.
    pub(crate) busy: bool,
}

impl Present {
    fn state(&self) -> Option<FileState> {
        let Stat { size, mtime, mode, .. } = self.stat;
        Some(FileState { id: self.id?, size: Some(size), mtime: Some(mtime), mode: Some(mode) })
    }
}

/// What stands at a path.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// Nothing, or directories with nothing in them.
    Absent,
    /// The very bytes that should be there.
    There(Present),
    /// Another file.
    Other(Present),
    /// Nothing can be put there.
    Blocked(Reason),
}

/// What shall happen at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is as it should be.
    Nothing,
    /// The bytes are right; permissions and time are set.
    Touch,
    /// The file is written, in place of what stands there.
    Write,
    /// What stands there goes.
    Delete,
    /// It stays as it is, because of this.
    Leave(Reason),
}

/// One path on its way.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) wish: Wish,
    pub(crate) seen: Seen,
    pub(crate) act: Act,
    /// Bytes of the file that should come, as far as they are known.
    pub(crate) size: u64,
}

impl Step {
    /// The step that makes the wish true, whatever stands there.
    pub(crate) fn new(wish: Wish, seen: Seen) -> Self {
        let act = match (&seen, &wish.to) {
            (Seen::Blocked(Reason::Blocked(_)) | Seen::Absent, None) => Act::Nothing,
            (Seen::Blocked(reason), _) => Act::Leave(reason.clone()),
            (Seen::There(_) | Seen::Other(_), None) => Act::Delete,
            (Seen::There(present), Some(want)) => match want.record {
                Some(record) if (present.stat.mode, present.stat.mtime) != (record.mode, record.mtime) => {
                    Act::Touch
                }
                _ => Act::Nothing,
            },
            (Seen::Other(present), _) if present.busy => Act::Leave(Reason::Busy),
            (Seen::Absent | Seen::Other(_), Some(_)) => Act::Write,
        };
        let size = wish.to.and_then(|want| want.record).map_or(0, |record| record.size);
        Self { wish, seen, act, size }
    }

    /// The file that stands there.
    pub(crate) fn present(&self) -> Option<&Present> {
        match &self.seen {
            Seen::There(present) | Seen::Other(present) => Some(present),
            Seen::Absent | Seen::Blocked(_) => None,
        }
    }

    pub(crate) fn changes(&self) -> bool {
        matches!(self.act, Act::Touch | Act::Write | Act::Delete)
    }

    /// Whether what stands there will be gone.
    fn replaces(&self) -> bool {
        matches!(self.act, Act::Write | Act::Delete) && self.present().is_some()
    }

    /// The row of the record.
    fn row(&self) -> FileChange {
        let before = self.present().and_then(Present::state);
        FileChange { path: self.wish.path.clone(), before, after: self.wish.to.map(Want::state) }
    }

    /// Bytes that are written for it.
    pub(crate) fn bytes(&self) -> u64 {
        if self.act == Act::Write { self.size } else { 0 }
    }
}

/// What changes of a working tree need.
pub(crate) struct Transit<'a> {
    pub(crate) stash: Stash<'a>,
    pub(crate) store: Sheltered<'a>,
    pub(crate) work: Dir,
    tmp: Dir,
    /// For the files of the working tree.
    barrier: Barrier,
    /// For what is saved beforehand.
    shelter: Barrier,
    pub(crate) progress: &'a dyn Progress,
    _note: Restoring,
    /// What is found in an object is not saved beside it: no collection may take it before the record names it.
    _store_lock: LockFile,
}

impl<'a> Transit<'a> {
    /// The caller holds the lock on the working tree.
    pub(crate) fn new(stash: Stash<'a>, progress: &'a dyn Progress) -> Result<Self> {
        let repository = stash.repository;
        let store_lock = repository.lock(LockName::Store, LockKind::Shared, progress)?;
        let work = repository.ensure_work()?;
        Ok(Self {
            _store_lock: store_lock,
            stash,
            store: Sheltered::new(repository, stash.store),
            tmp: repository.tmp_for(&work)?,
            barrier: Barrier::new(&work)?,
            shelter: Barrier::new(repository.muse())?,
            work,
            progress,
            _note: repository.note_restoring()?,
        })
    }
}
