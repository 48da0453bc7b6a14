//! `undo` and its way back: revert what a verb did, and do it again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use stem_fs::{LockKind, RelPath};
use stem_hash::ObjectId;
use stem_store::ObjectStore as _;

use crate::Stash;
use crate::error::{Error, LeftAlone, Reason, Result};
use crate::format::stamp::Stamp;
use crate::format::undo::{FileChange, UndoId, UndoKind, UndoRecord, UndoVerb};
use crate::journal::{new_token, recover};
use crate::progress::{Progress, Unstoppable};
use crate::repo::LockName;
use crate::transit::{Act, Carried, Deed, EntriesGo, Performed, Seen, Step, Transit, Want, Wish};
use crate::undo::held::reverted;
use crate::undo::{Expired, UndoLog, unreadable};
use crate::verbs::planned::{self, Planned};

/// How to undo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UndoOptions {
    /// Also replace files that have changed since; they are saved first.
    pub force: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// An entry that came back to the stack, or went from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryMoved {
    /// Its id.
    pub stash_id: String,
    /// Whether it is on the stack now.
    pub on_stack: bool,
}

/// What an undo did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoResult {
    /// The record that was reverted.
    pub id: String,
    /// The verb that was undone, or done again.
    pub verb: UndoVerb,
    /// Whether it was done again.
    pub redo: bool,
    /// The label of its entry.
    pub message: String,
    /// When it was done.
    pub done_at: Option<Stamp>,
    /// Number of files that are as they were.
    pub files_restored: usize,
    /// Their size in bytes.
    pub bytes_restored: u64,
    /// Number of files that went, because nothing was there before.
    pub files_removed: usize,
    /// Entries that came or went.
    pub entries: Vec<EntryMoved>,
    /// Whether an entry that should go stays, because not everything could be brought back.
    pub entries_kept: bool,
    /// Paths whose earlier bytes are missing or damaged.
    pub missing: Vec<RelPath>,
    /// Paths that were left as they were, with the reason.
    pub left_alone: Vec<LeftAlone>,
    /// Bytes of the working tree that were saved because they were nowhere else.
    pub bytes_saved: u64,
    /// What would be done at each path; only of a dry run.
    pub plan: Vec<Planned>,
}

impl UndoResult {
    /// Whether something was left undone.
    pub fn is_partial(&self) -> bool {
        !self.missing.is_empty() || !self.left_alone.is_empty()
    }
}

/// One step that can be undone or done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoItem {
    /// The id of its record.
    pub id: String,
    /// Whether it was undone, and `redo` does it again; else `undo` undoes it.
    pub undone: bool,
    /// How many steps away it is, from 1.
    pub steps: usize,
    /// When it was done or undone.
    pub at: Option<Stamp>,
    /// The verb.
    pub verb: UndoVerb,
    /// The label of its entry.
    pub message: String,
    /// Number of files that changed.
    pub files: usize,
    /// Number of entries that came or went.
    pub entries: usize,
    /// When it is forgotten.
    pub expires: Option<Stamp>,
}

/// What can be undone and done again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndoList {
    /// The steps: those to do again, the farthest first, then those to undo, the next first.
    pub items: Vec<UndoItem>,
    /// Records that cannot be read, with the reason, for people.
    pub unreadable: Vec<String>,
}

pub(crate) fn list(stash: Stash<'_>) -> Result<UndoList> {
    let log = UndoLog::new(stash.repository);
    let warnings = Warnings::default();
    let history = log.history(&warnings)?;
    let mut list = UndoList::default();
    let age = stash.repository.settings().undo_expire;
    let steps = history.redo.iter().enumerate().map(|(at, id)| (id, true, history.redo.len() - at));
    // The next to do again is the last of its stack, and stands closest to the next to undo.
    let undo = history.undo.iter().rev().enumerate().map(|(at, id)| (id, false, at + 1));
    for (id, undone, steps) in steps.chain(undo) {
        match log.read(id, false) {
            Ok(Some(record)) => list.items.push(item(id, &record, undone, steps, age)),
            Ok(None) => {}
            Err(Error::BadRepositoryFile { path, source }) => {
                list.unreadable.push(unreadable(&path, &source));
            }
            Err(error) => return Err(error),
        }
    }
    list.unreadable.extend(warnings.into_inner());
    Ok(list)
}

fn item(id: &UndoId, record: &UndoRecord, undone: bool, steps: usize, age: Option<Duration>) -> UndoItem {
    let expires = |at: Stamp| {
        let age = i64::try_from(age?.as_micros()).ok()?;
        Stamp::from_micros(at.as_micros().checked_add(age)?).ok()
    };
    UndoItem {
        id: id.to_string(),
        undone,
        steps,
        at: id.stamp(),
        verb: record.verb,
        message: record.message.to_string_lossy().into_owned(),
        files: record.files.len(),
        entries: record.entries.len(),
        expires: id.stamp().and_then(expires),
    }
}

/// Collects what cannot be read.
#[derive(Default)]
struct Warnings(std::sync::Mutex<Vec<String>>);

impl Warnings {
    fn into_inner(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Warnings {
    fn warn(&self, message: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(message.to_owned());
    }
}

pub(crate) fn expire(stash: Stash<'_>, age: Duration, progress: &dyn Progress) -> Result<Expired> {
    let _work_lock = stash.repository.lock(LockName::WorkTree, LockKind::Exclusive, progress)?;
    recover(stash, &Unstoppable(progress))?;
    UndoLog::new(stash.repository).expire(age, progress)
}

pub(crate) fn revert(
    stash: Stash<'_>,
    redo: bool,
    options: UndoOptions,
    progress: &dyn Progress,
) -> Result<UndoResult> {
    let _work_lock = stash.repository.lock(LockName::WorkTree, LockKind::Exclusive, progress)?;
    recover(stash, &Unstoppable(progress))?;
    let log = UndoLog::new(stash.repository);
    let history = log.history(progress)?;
    let next = if redo { history.redo.last() } else { history.undo.last() };
    let nothing = || Error::NothingToUndo { redo };
    let id = next.ok_or_else(nothing)?.clone();
    let record = log.read(&id, false)?.ok_or_else(nothing)?;

    // From the first look into the store until a record names what was found there.
    let _store_lock = stash.repository.lock(LockName::Store, LockKind::Shared, progress)?;
    let transit = Transit::new(stash, progress)?;
    let steps = plan(&transit, &record, options)?;
    transit.check_room(&steps)?;
    let mut result = UndoResult {
        id: id.to_string(),
        verb: record.verb,
        redo,
        message: record.message.to_string_lossy().into_owned(),
        done_at: id.stamp(),
        files_restored: 0,
        bytes_restored: 0,
        files_removed: 0,
        entries: Vec::new(),
        entries_kept: false,
        missing: Vec::new(),
        left_alone: Vec::new(),
        bytes_saved: 0,
        plan: Vec::new(),
    };
    let entries = reverted(&record.entries);
    let only_adds = entries.iter().all(|entry| entry.added);
    if options.dry_run {
        result.plan = planned::of(&steps, &[], &[]);
        let ran = planned::foresee(&steps);
        let goes = only_adds || options.force || ran.is_complete();
        let performed = Performed { entries: vec![goes; entries.len()], ran, bytes_saved: 0 };
        result.entries_kept = !goes;
        return Ok(told(result, &steps, performed, &entries));
    }
    let deed = Deed {
        token: new_token(),
        kind: if redo { UndoKind::Redo } else { UndoKind::Undo },
        verb: record.verb,
        of: Some(id),
        message: record.message.clone(),
        entries: entries.clone(),
        // Nothing is lost by an entry that comes back. One that goes has to be in the working tree whole.
        entries_go: if only_adds || options.force { EntriesGo::Always } else { EntriesGo::IfComplete },
        carried: carried(&log, &record, redo)?,
    };
    let (steps, performed) = transit.perform(steps, deed)?;
    result.entries_kept = !(only_adds || options.force || performed.ran.is_complete());
    Ok(told(result, &steps, performed, &entries))
}

/// What to do at each path of the record.
fn plan(transit: &Transit<'_>, record: &UndoRecord, options: UndoOptions) -> Result<Vec<Step>> {
    let wish = |row: &FileChange| Wish { path: row.path.clone(), to: row.before.map(Want::of_state) };
    let wishes: Vec<Wish> = record.files.iter().map(wish).collect();
    let after: HashMap<&RelPath, ObjectId> =
        record.files.iter().filter_map(|row| Some((&row.path, row.after?.id))).collect();
    let seen = transit.look(&wishes, &|path| after.get(path).copied().into_iter().collect())?;
    let mut steps: Vec<Step> =
        wishes.into_iter().zip(seen).map(|(wish, seen)| Step::new(wish, seen)).collect();
    for (step, row) in steps.iter_mut().zip(&record.files) {
        let is_newer = match &step.seen {
            Seen::Other(present) => present.id.is_none() || present.id != row.after.map(|state| state.id),
            _ => false,
        };
        if is_newer && step.changes() && !options.force {
            step.act = Act::Leave(Reason::Newer);
        }
    }
    let writes: Vec<usize> = (0..steps.len()).filter(|&index| steps[index].act == Act::Write).collect();
    let ids: Vec<ObjectId> = writes.iter().filter_map(|&index| Some(steps[index].wish.to?.id)).collect();
    for (index, stat) in writes.into_iter().zip(transit.store.stat_many(&ids)?) {
        match stat {
            Some(stat) => steps[index].size = stat.size,
            None => steps[index].act = Act::Leave(Reason::Missing),
        }
    }
    transit.check_directories(&mut steps)?;
    Ok(steps)
}

/// Rows of the verb that an undo left alone: once it is done again they can be undone again.
fn carried(log: &UndoLog<'_>, record: &UndoRecord, redo: bool) -> Result<Carried> {
    let Some(of) = record.of.as_ref().filter(|_| redo) else { return Ok(Carried::default()) };
    match log.read(of, false) {
        Ok(Some(mut verb)) => {
            let undone: HashSet<&RelPath> = record.files.iter().map(|row| &row.path).collect();
            verb.files.retain(|row| !undone.contains(&row.path));
            verb.entries.retain(|row| !record.entries.iter().any(|other| other.file == row.file));
            Ok(Carried { files: verb.files, entries: verb.entries })
        }
        // Expired, or damaged: then there is nothing more to say of those paths.
        Ok(None) | Err(Error::BadRepositoryFile { .. }) => Ok(Carried::default()),
        Err(error) => Err(error),
    }
}

fn told(
    mut result: UndoResult,
    steps: &[Step],
    performed: Performed,
    entries: &[crate::format::undo::EntryChange],
) -> UndoResult {
    for (entry, moved) in entries.iter().zip(performed.entries) {
        if moved {
            let name = entry.file.to_string();
            let stash_id = name.strip_suffix(".json").unwrap_or(&name).to_owned();
            result.entries.push(EntryMoved { stash_id, on_stack: entry.added });
        }
    }
    result.bytes_saved = performed.bytes_saved;
    for (step, outcome) in steps.iter().zip(performed.ran.outcomes) {
        let path = step.wish.path.clone();
        match outcome {
            Ok(_) if step.wish.to.is_none() => {
                result.files_removed += usize::from(step.act == Act::Delete);
            }
            Ok(len) => {
                result.files_restored += 1;
                result.bytes_restored += len;
            }
            Err(Reason::Missing) => result.missing.push(path),
            Err(reason @ Reason::Corrupt(_)) => {
                result.missing.push(path.clone());
                result.left_alone.push(LeftAlone { path, reason });
            }
            Err(reason) => result.left_alone.push(LeftAlone { path, reason }),
        }
    }
    result.left_alone.extend(performed.ran.late);
    result
}
