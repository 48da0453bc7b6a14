//! Entries that leave the stack and come back: the very files, renamed, so that not a byte of them can differ.
//!
//! Whatever is called like an entry can be held, readable or not, of any size. An element of newer Muse's array is held as
//! its text, under a name that tells (`shelf`). All of it happens under the lock on the stack.

use stem_fs::{Dir, Publish, RelPath};

use super::HELD;
use crate::error::{Error, Result};
use crate::format::undo::EntryChange;
use crate::repo::{Repository, fixed};
use crate::shelf::{self, HELD_ENDING, Move, is_held_element};
use crate::stack::PutIn;

/// The row for entry file `file`, the `n`th of the record with this token.
pub(crate) fn row(file: &RelPath, token: u32, n: usize, added: bool, into: PutIn) -> Result<EntryChange> {
    let ending = match into {
        PutIn::File => ".json",
        PutIn::Shelf => HELD_ENDING,
    };
    let held =
        RelPath::new(format!("{token:08x}-{n}{ending}")).map_err(|e| Error::InvalidInput(e.to_string()))?;
    Ok(EntryChange { file: file.clone(), held, added })
}

/// The rows that revert these.
pub(crate) fn reverted(rows: &[EntryChange]) -> Vec<EntryChange> {
    rows.iter().map(|row| EntryChange { added: !row.added, ..row.clone() }).collect()
}

/// Whether the stack is as the row says.
pub(crate) fn is_done(repository: &Repository, row: &EntryChange) -> Result<bool> {
    if is_held_element(&row.held) {
        return Ok(shelf::has(repository, &row.file)? == row.added);
    }
    let on_stack = match repository.muse().sub(&fixed("stash"))? {
        Some(stack) => stack.stat(&row.file)?.is_some(),
        None => false,
    };
    Ok(on_stack == row.added)
}

/// Makes the stack what the rows say, durably, and says for each row whether that was a change: another program may have
/// made it so before.
pub(crate) fn move_all(repository: &Repository, rows: &[EntryChange]) -> Result<Vec<bool>> {
    let stack = repository.muse().ensure_dir(&fixed("stash"))?;
    let held = repository.muse().ensure_dir(&fixed(HELD))?;
    let shelved: Vec<Move<'_>> = rows
        .iter()
        .filter(|row| is_held_element(&row.held))
        .map(|row| Move { name: &row.file, held: &row.held, added: row.added })
        .collect();
    let mut shelved = shelf::move_all(repository, &held, &shelved)?.into_iter();
    let mut changed = Vec::with_capacity(rows.len());
    let mut renamed = false;
    for row in rows {
        if is_held_element(&row.held) {
            changed.push(shelved.next().unwrap_or_default());
            continue;
        }
        let moved = if row.added {
            rename(&held, &row.held, &stack, &row.file)?
        } else {
            rename(&stack, &row.file, &held, &row.held)?
        };
        renamed |= moved;
        changed.push(moved);
    }
    for row in rows.iter().zip(&changed).filter(|(row, changed)| **changed && !row.added).map(|(row, _)| row)
    {
        // The record says more than what was noted for the case that somebody else removes the entry.
        let name = row.file.to_string();
        crate::roots::forget(repository, name.strip_suffix(".json").unwrap_or(&name));
    }
    if renamed {
        // The new names first: a power cut may leave an entry in both places, never in none.
        let adds = rows.iter().any(|row| row.added && !is_held_element(&row.held));
        for dir in if adds { [&stack, &held] } else { [&held, &stack] } {
            dir.sync()?;
        }
    }
    Ok(changed)
}

fn rename(from: &Dir, name: &RelPath, to: &Dir, new: &RelPath) -> Result<bool> {
    match from.rename(name, to, new, Publish::New) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        // It is where it should be already; the other one is kept where it is.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.into()),
    }
}
