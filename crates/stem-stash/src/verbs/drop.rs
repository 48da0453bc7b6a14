//! `drop` and `clear`: take entries off the stack. They are held by the undo journal until that expires; objects stay
//! until they are collected.
//!
//! Both need only the lock on the stack: a drop does not wait for a push of gigabytes. They hold it from the record to
//! the end, so that whoever finds the record open under this lock knows that the verb is dead.

use stem_fs::LockKind;

use crate::Stash;
use crate::error::Result;
use crate::format::text::PyStr;
use crate::format::undo::{EntryChange, UndoKind, UndoRecord, UndoVerb};
use crate::journal::{new_token, recover_if_idle};
use crate::progress::Silent;
use crate::repo::LockName;
use crate::stack::{Slot, Stack};
use crate::undo::UndoLog;
use crate::undo::held::move_all;

/// What a drop removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropResult {
    /// The index that the entry had.
    pub index: usize,
    /// Its id.
    pub stash_id: String,
    /// Its label; empty when the entry was unreadable.
    pub message: String,
}

/// What a clear removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClearResult {
    /// Number of entries removed.
    pub count: usize,
}

pub(crate) fn drop_entry(stash: Stash<'_>, reference: &str) -> Result<DropResult> {
    // An entry tells how far an interrupted push got: it is not removed before that push is finished.
    recover_if_idle(stash, &Silent)?;
    let _alone = stash.repository.lock(LockName::Stack, LockKind::Exclusive, &Silent)?;
    let stack = Stack::open(stash.repository)?;
    let slot = stack.resolve(reference)?;
    // An entry that cannot be read can still be dropped.
    let message = stack.read(&slot).map(|entry| entry.message).unwrap_or_default();
    let result = DropResult {
        index: slot.index,
        stash_id: slot.stash_id(),
        message: message.to_string_lossy().into_owned(),
    };
    take_off(stash, &[slot], UndoVerb::Drop, message)?;
    Ok(result)
}

pub(crate) fn clear(stash: Stash<'_>) -> Result<ClearResult> {
    // An entry tells how far an interrupted push got: it is not removed before that push is finished.
    recover_if_idle(stash, &Silent)?;
    let _alone = stash.repository.lock(LockName::Stack, LockKind::Exclusive, &Silent)?;
    let slots = Stack::open(stash.repository)?.slots()?;
    let count =
        if slots.is_empty() { 0 } else { take_off(stash, &slots, UndoVerb::Clear, PyStr::default())? };
    Ok(ClearResult { count })
}

/// Moves the entries to where the undo journal holds them. The caller holds the lock on the stack.
fn take_off(stash: Stash<'_>, slots: &[Slot], verb: UndoVerb, message: PyStr) -> Result<usize> {
    let token = new_token();
    let rows = slots
        .iter()
        .enumerate()
        .map(|(n, slot)| slot.leaves(stash.repository, token, n, verb == UndoVerb::Drop));
    let entries: Vec<EntryChange> = rows.collect::<Result<_>>()?;
    let record = UndoRecord { kind: UndoKind::Verb, verb, of: None, message, entries, files: Vec::new() };
    let open = UndoLog::new(stash.repository).begin(token, record, true)?;
    let moved = move_all(stash.repository, &open.record().entries)?;
    open.close(None)?;
    Ok(moved.into_iter().filter(|moved| *moved).count())
}
