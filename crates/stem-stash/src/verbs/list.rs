//! `list` and `show`: look at the stack.

use std::path::PathBuf;

use stem_fs::RelPath;
use stem_hash::ObjectId;

use crate::Stash;
use crate::error::Result;
use crate::format::entry::StashEntry;
use crate::stack::{Slot, Stack};

/// One entry of the stack, readable or not.
#[derive(Debug, Clone)]
pub struct EntryRef {
    /// Position, 0 = newest.
    pub index: usize,
    /// Its id: the name of its file without `.json`.
    pub stash_id: String,
    /// Its file.
    pub file: PathBuf,
    /// The entry, or why it cannot be read.
    pub entry: std::result::Result<StashEntry, String>,
}

/// One entry with its files.
#[derive(Debug, Clone)]
pub struct ShownEntry {
    /// Position, 0 = newest.
    pub index: usize,
    /// Its id.
    pub stash_id: String,
    /// The entry.
    pub entry: StashEntry,
    /// Its files, in the manifest's order.
    pub files: Vec<ShownFile>,
}

/// One file of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFile {
    /// Its path in the working tree.
    pub path: RelPath,
    /// Its object.
    pub id: ObjectId,
    /// Its size in bytes, or `None` when the store lacks the object.
    pub size: Option<u64>,
}

pub(crate) fn list(stash: Stash<'_>) -> Result<Vec<EntryRef>> {
    let stack = Stack::open(stash.repository)?;
    let entries = stack.slots()?.into_iter().filter_map(|slot| entry_ref(&stack, slot));
    // Those that were dropped meanwhile leave no gap.
    Ok(entries.enumerate().map(|(index, entry)| EntryRef { index, ..entry }).collect())
}

/// What stands in the slot; `None` when it was dropped meanwhile.
pub(crate) fn entry_ref(stack: &Stack<'_>, slot: Slot) -> Option<EntryRef> {
    let entry = stack.find(&slot).transpose()?.map_err(|error| match error {
        crate::Error::UnreadableEntry { reason, .. } => reason,
        other => other.to_string(),
    });
    Some(EntryRef { index: slot.index, stash_id: slot.stash_id(), file: slot.path, entry })
}

pub(crate) fn show(stash: Stash<'_>, reference: &str) -> Result<ShownEntry> {
    let stack = Stack::open(stash.repository)?;
    let slot = stack.resolve(reference)?;
    let entry = stack.read(&slot)?;
    let ids: Vec<ObjectId> = entry.manifest.iter().map(|(_, id)| *id).collect();
    let stats = stash.store.stat_many(&ids)?;
    let files = entry.manifest.iter().zip(stats).map(|((path, id), stat)| ShownFile {
        path: path.clone(),
        id: *id,
        size: stat.map(|stat| stat.size),
    });
    let files = files.collect();
    Ok(ShownEntry { index: slot.index, stash_id: slot.stash_id(), entry, files })
}
