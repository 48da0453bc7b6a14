//! What is done with the records of verbs that died; the table is in `docs/format/undo.md`.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use stem_fs::{LockKind, RelPath};

use super::held::{is_done, move_all, reverted};
use super::{OpenRecord, UndoLog, unreadable};
use crate::Stash;
use crate::error::{Error, Reason, Result};
use crate::format::undo::{FileChange, UndoKind, UndoRecord, UndoVerb};
use crate::progress::Progress;
use crate::repo::{LockName, Repository};
use crate::transit::{Act, Seen, Step, Transit, Want, Wish};

/// Finishes or rolls back what dead verbs left. The caller holds the lock on the working tree, and pushes are recovered.
pub(crate) fn recover(stash: Stash<'_>, progress: &dyn Progress) -> Result<()> {
    let log = UndoLog::new(stash.repository);
    if log.open_ids()?.is_empty() {
        return Ok(());
    }
    // A drop holds this lock from its record to its end, and not the one on the working tree.
    let _stack = stash.repository.lock(LockName::Stack, LockKind::Exclusive, progress)?;
    // Newest first: what was done last is taken back first.
    for id in log.open_ids()?.into_iter().rev() {
        let record = match log.read(&id, true) {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(Error::BadRepositoryFile { path, source }) => {
                progress.warn(&unreadable(&path, &source));
                continue;
            }
            Err(error) => return Err(error),
        };
        settle(stash, log.resume(id, record)?, progress)?;
    }
    Ok(())
}

/// Whether a verb died and left a record.
pub(crate) fn is_interrupted(repository: &Repository) -> Result<bool> {
    Ok(!UndoLog::new(repository).open_ids()?.is_empty()
        && repository.try_lock(LockName::WorkTree)?.is_some()
        && repository.try_lock(LockName::Stack)?.is_some())
}

fn settle(stash: Stash<'_>, open: OpenRecord, progress: &dyn Progress) -> Result<()> {
    let record = open.record();
    let mut entries = record.entries.iter();
    let entries_done =
        entries.try_fold(true, |all, row| Ok::<_, Error>(all && is_done(stash.repository, row)?))?;
    if entries_done && !record.entries.is_empty() {
        // A push says so itself.
        if !(record.kind == UndoKind::Verb && record.verb == UndoVerb::Push) {
            progress.warn(&format!("{} that was interrupted is complete", name(record)));
        }
        return open.close(None).map(drop);
    }
    // A push was brought back by its intents, and an import had changed nothing yet.
    if record.kind == UndoKind::Verb && matches!(record.verb, UndoVerb::Push | UndoVerb::Import) {
        return open.discard();
    }
    let name = name(record);
    move_all(stash.repository, &reverted(&record.entries))?;
    let kept = match roll_back(stash, &record.files, progress) {
        Ok(kept) => kept,
        Err(error) if is_no_space(&error) => {
            progress.warn(&format!(
                "{name} was interrupted and cannot be rolled back, because there is no room: `stem stash undo` will"
            ));
            record.files.iter().map(|row| (row.clone(), Reason::Newer)).collect()
        }
        Err(error) => return Err(error),
    };
    let files = record.files.len() - kept.len();
    if kept.is_empty() {
        let files =
            if files == 1 { "1 file is as it was" } else { &format!("{files} files are as they were") };
        progress.warn(&format!("{name} that was interrupted was rolled back: {files}"));
        return open.discard();
    }
    for (row, reason) in &kept {
        progress.warn(&format!("'{}' of {name} that was interrupted: {reason}", row.path));
    }
    // What the record names must not be lost, and the path that could not be taken back can be undone.
    let rest = UndoRecord {
        kind: UndoKind::Verb,
        of: None,
        entries: Vec::new(),
        files: kept.into_iter().map(|(row, _)| row).collect(),
        ..record.clone()
    };
    open.close(Some(rest)).map(drop)
}

/// `a pop of 'chorus WIP'`.
fn name(record: &UndoRecord) -> String {
    let article = if matches!(record.verb, UndoVerb::Apply | UndoVerb::Import) { "an" } else { "a" };
    let verb = match record.kind {
        UndoKind::Verb => format!("{article} {}", record.verb),
        UndoKind::Undo => format!("an undo of {article} {}", record.verb),
        UndoKind::Redo => format!("a redo of {article} {}", record.verb),
    };
    if record.message.is_empty() { verb } else { format!("{verb} of '{}'", record.message) }
}

/// Brings files back to what they were before the verb. Returns those rows that stay as they are.
fn roll_back(
    stash: Stash<'_>,
    rows: &[FileChange],
    progress: &dyn Progress,
) -> Result<Vec<(FileChange, Reason)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let transit = Transit::new(stash, progress)?;
    for row in rows {
        // Of the verb's own writing, or of a rolling back that was stopped as well.
        for state in [row.after, row.before].into_iter().flatten() {
            transit.remove_remains(&row.path, &state.id)?;
        }
    }
    let wish = |row: &FileChange| Wish { path: row.path.clone(), to: row.before.map(Want::of_state) };
    let wishes: Vec<Wish> = rows.iter().map(wish).collect();
    let after: HashMap<&RelPath, _> = rows.iter().map(|row| (&row.path, row.after)).collect();
    let known =
        |path: &RelPath| after.get(path).copied().flatten().map(|state| state.id).into_iter().collect();
    let seen = transit.look(&wishes, &known)?;
    let mut steps: Vec<Step> =
        wishes.into_iter().zip(seen).map(|(wish, seen)| Step::new(wish, seen)).collect();
    for (step, row) in steps.iter_mut().zip(rows) {
        // Only what the verb put there is taken away.
        if let Seen::Other(present) = &step.seen
            && !(present.safe && present.id.is_some() && present.id == row.after.map(|state| state.id))
        {
            step.act = Act::Leave(if present.busy { Reason::Busy } else { Reason::Newer });
        }
    }
    let done: Vec<AtomicBool> = steps.iter().map(|_| AtomicBool::new(false)).collect();
    let ran = transit.roll(&steps, &done)?;
    for left in ran.late {
        progress.warn(&format!("'{}': {}", left.path, left.reason));
    }
    let outcomes = rows.iter().zip(ran.outcomes);
    Ok(outcomes.filter_map(|(row, outcome)| Some((row.clone(), outcome.err()?))).collect())
}

pub(crate) fn is_no_space(error: &Error) -> bool {
    match error {
        Error::Fs(error) => error.is_no_space(),
        Error::Store(error) => error.kind() == stem_store::ErrorKind::NoSpace,
        _ => false,
    }
}
