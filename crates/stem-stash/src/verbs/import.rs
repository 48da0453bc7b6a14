//! `import`: an entry that was made elsewhere becomes the newest of this stack. Its objects are in the store already; the
//! working tree is not touched.
//!
//! The lock on the stack is held from the record to its end, as in `drop`, so that whoever finds the record open under this
//! lock knows that the import is dead; and the look for an earlier import of the same entry is under it too, so that two
//! imports at once add one entry.

use stem_fs::{LockKind, RelPath};

use crate::Stash;
use crate::condemned::StoreLock;
use crate::error::{Error, Result};
use crate::format::Manifest;
use crate::format::entry::{StashEntry, StemRecord};
use crate::format::stamp::{Stamp, StashId};
use crate::format::text::PyStr;
use crate::format::undo::{UndoKind, UndoRecord, UndoVerb};
use crate::journal::new_token;
use crate::progress::Progress;
use crate::repo::LockName;
use crate::stack::{PutIn, Stack};
use crate::undo::UndoLog;
use crate::undo::held::row;

/// Set-uid, set-gid and sticky bit, which nobody gets from somebody else's entry.
const FOREIGN_BITS: u32 = 0o7000;

/// Where an imported entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedEntry {
    /// Position, 0 = newest.
    pub index: usize,
    /// Its id here.
    pub stash_id: String,
    /// The id of the entry that it was imported from.
    pub origin: String,
    /// Whether it was added; else it stands there since an earlier import.
    pub added: bool,
}

/// The entry of the stack that is `entry`, or was imported from it.
pub(crate) fn find(stash: Stash<'_>, entry: &StashEntry) -> Result<Option<AddedEntry>> {
    find_on(&Stack::open(stash.repository)?, entry.origin(), &entry.manifest)
}

fn find_on(stack: &Stack<'_>, origin: &StashId, manifest: &Manifest) -> Result<Option<AddedEntry>> {
    for slot in stack.slots()? {
        // One that cannot be read, or that was dropped meanwhile, is none.
        let Ok(Some(there)) = stack.find(&slot) else { continue };
        if there.origin() == origin && there.manifest == *manifest {
            return Ok(Some(AddedEntry {
                index: slot.index,
                stash_id: slot.stash_id(),
                origin: origin.to_string(),
                added: false,
            }));
        }
    }
    Ok(None)
}

/// Adds the entry, unless it is there and `again` does not ask for another one. The caller shares the store's lock since
/// before it looked for the objects.
pub(crate) fn add(
    stash: Stash<'_>,
    _lock: &StoreLock,
    mut entry: StashEntry,
    again: bool,
    progress: &dyn Progress,
) -> Result<AddedEntry> {
    let repository = stash.repository;
    let _alone = repository.lock(LockName::Stack, LockKind::Exclusive, progress)?;
    let mut stack = Stack::open(repository)?;
    let origin = entry.origin().clone();
    if !again && let Some(there) = find_on(&stack, &origin, &entry.manifest)? {
        return Ok(there);
    }
    let stem = entry.stem.get_or_insert_with(StemRecord::default);
    stem.origin = Some(origin.clone());
    for file in &mut stem.files {
        file.mode &= !FOREIGN_BITS;
    }
    let message = entry.message.clone();
    let make = |stash_id, stamp: Stamp| {
        let created_at = PyStr::from(stamp.to_iso().as_str());
        StashEntry { stash_id, created_at, ..entry }
    };
    let token = new_token();
    let mut open = None;
    let first = |name: &RelPath, into: PutIn| {
        let record = UndoRecord {
            kind: UndoKind::Verb,
            verb: UndoVerb::Import,
            of: None,
            message,
            entries: vec![row(name, token, 0, true, into)?],
            files: Vec::new(),
        };
        open = Some(UndoLog::new(repository).begin(token, record, true)?);
        Ok(())
    };
    let added = stack.push_locked(token, PutIn::File, make, first, progress);
    match (added, open) {
        (Ok(entry), Some(open)) => {
            open.close(None)?;
            Ok(AddedEntry {
                index: 0,
                stash_id: entry.stash_id.to_string(),
                origin: origin.to_string(),
                added: true,
            })
        }
        (Err(error), open) => {
            // What stays of the record says that an entry was added which is not there; recovery knows that too.
            let _ = open.map(crate::undo::OpenRecord::discard);
            Err(error)
        }
        (Ok(_), None) => Err(Error::InvalidInput("the undo journal was not written".into())),
    }
}
