//! `drop` and `clear`: remove entries. Objects stay until they are collected.

use crate::Stash;
use crate::error::Result;
use crate::journal::recover_if_idle;
use crate::progress::Silent;
use crate::stack::Stack;

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
    let stack = Stack::open(stash.repository)?;
    let slot = stack.resolve(reference)?;
    // An entry that cannot be read can still be dropped.
    let message =
        stack.read(&slot).map(|entry| entry.message.to_string_lossy().into_owned()).unwrap_or_default();
    stack.remove(&slot, &Silent)?;
    Ok(DropResult { index: slot.index, stash_id: slot.stash_id(), message })
}

pub(crate) fn clear(stash: Stash<'_>) -> Result<ClearResult> {
    // An entry tells how far an interrupted push got: it is not removed before that push is finished.
    recover_if_idle(stash, &Silent)?;
    let stack = Stack::open(stash.repository)?;
    let mut count = 0;
    for slot in stack.slots()? {
        count += usize::from(stack.remove(&slot, &Silent)?);
    }
    Ok(ClearResult { count })
}
