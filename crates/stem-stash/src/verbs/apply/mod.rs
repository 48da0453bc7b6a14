//! `apply` and `pop`: bring an entry's files back.
//!
//! Everything is looked at and decided (`plan`) before the first change, and what will be written over is saved if it is
//! nowhere else (`transit`). The entry of a pop goes when all of its files are in the working tree. With
//! [`OnConflict::KeepBoth`] that is so too, although some have another name: both versions are there, and the entry
//! would only bring the same files once more. `stem stash undo` returns it in any case.

mod plan;

use stem_fs::{LockKind, RelPath};

use crate::Stash;
use crate::error::{Error, LeftAlone, Reason, Result};
use crate::format::undo::{UndoKind, UndoVerb};
use crate::journal::{new_token, recover};
use crate::progress::{Progress, Unstoppable};
use crate::repo::LockName;
use crate::stack::Stack;
use crate::transit::{Carried, Deed, EntriesGo, Transit};
use crate::verbs::planned::{self, Planned};

/// What happens to newer work: a file that is neither what HEAD has nor what the entry has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The entry's file takes its place, as in the reference. It is saved first, and undo brings it back.
    #[default]
    Overwrite,
    /// It stays, and the entry's file is written beside it: `kick (stash 1a2b3c4d).wav`.
    KeepBoth,
    /// Nothing is changed at all.
    Fail,
}

/// How to bring an entry back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that the user sets by itself")]
pub struct ApplyOptions {
    /// Remove the entry when everything is in place: `pop`.
    pub drop: bool,
    /// Whether to verify the bytes as they are written; `None` means yes for `pop` and no for `apply`.
    pub verify: Option<bool>,
    /// With `drop`: remove the entry although something is missing.
    pub force: bool,
    /// What to do where newer work stands.
    pub on_conflict: OnConflict,
    /// Also delete what the entry knew as deleted.
    pub exact: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Only these files and what lies below these directories. Not with `drop`.
    pub paths: Vec<RelPath>,
}

impl ApplyOptions {
    /// Bring the entry back and remove it.
    pub const fn pop() -> Self {
        Self {
            drop: true,
            verify: None,
            force: false,
            on_conflict: OnConflict::Overwrite,
            exact: false,
            dry_run: false,
            paths: Vec::new(),
        }
    }
}

/// What an apply did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyResult {
    /// `stash@{N}`.
    pub stash_ref: String,
    /// The entry's id.
    pub stash_id: String,
    /// The entry's label.
    pub message: String,
    /// Number of files that are now as the entry has them, those beside newer work included.
    pub files_applied: usize,
    /// Their size in bytes.
    pub bytes_applied: u64,
    /// Paths whose objects are missing or damaged.
    pub missing: Vec<RelPath>,
    /// Paths that were left as they were, with the reason.
    pub left_alone: Vec<LeftAlone>,
    /// Whether the entry was removed.
    pub dropped: bool,
    /// Newer work that was replaced; `stem stash undo` brings it back.
    pub overwritten: Vec<RelPath>,
    /// Newer work that stayed, and where the entry's file is.
    pub kept_both: Vec<(RelPath, RelPath)>,
    /// Paths that were deleted, because the entry knew them as deleted.
    pub deleted: Vec<RelPath>,
    /// Bytes of the working tree that were saved because they were nowhere else.
    pub bytes_saved: u64,
    /// What would be done at each path; only of a dry run.
    pub plan: Vec<Planned>,
}

impl ApplyResult {
    /// Whether something was left undone.
    pub fn is_partial(&self) -> bool {
        !self.missing.is_empty() || !self.left_alone.is_empty()
    }
}

pub(crate) fn apply(
    stash: Stash<'_>,
    reference: &str,
    options: &ApplyOptions,
    progress: &dyn Progress,
) -> Result<ApplyResult> {
    if options.drop && !options.paths.is_empty() {
        return Err(Error::InvalidInput(
            "pop brings back the whole entry: apply PATHs, then drop the entry".into(),
        ));
    }
    let repository = stash.repository;
    let _work_lock = repository.lock(LockName::WorkTree, LockKind::Exclusive, progress)?;
    recover(stash, &Unstoppable(progress))?;
    let stack = Stack::open(repository)?;
    let slot = stack.resolve(reference)?;
    // Every path was checked when the entry was read: one hostile path refuses the whole entry before anything is written.
    let entry = stack.read(&slot)?;
    let mut result = ApplyResult {
        stash_ref: slot.reference(),
        stash_id: slot.stash_id(),
        message: entry.message.to_string_lossy().into_owned(),
        ..ApplyResult::default()
    };
    // From the first look into the store until a record names what was found there.
    let _store_lock = repository.lock(LockName::Store, LockKind::Shared, progress)?;
    let transit = Transit::new(stash, progress)?;
    let plan = plan::make(&transit, &entry, options)?;
    if options.on_conflict == OnConflict::Fail && !plan.conflicts.is_empty() {
        return Err(Error::Conflicts { paths: plan.conflicts });
    }
    transit.check_room(&plan.steps)?;
    if options.dry_run {
        result.plan = planned::of(&plan.steps, &plan.conflicts, &plan.beside);
    }
    let token = new_token();
    let entries = if options.drop { vec![slot.leaves(repository, token, 0, true)?] } else { Vec::new() };
    let deed = Deed {
        token,
        kind: UndoKind::Verb,
        verb: if options.drop { UndoVerb::Pop } else { UndoVerb::Apply },
        of: None,
        message: entry.message.clone(),
        entries,
        entries_go: if options.force { EntriesGo::Always } else { EntriesGo::IfComplete },
        carried: Carried::default(),
    };
    let plan::Plan { steps, conflicts, beside } = plan;
    let (steps, ran) = if options.dry_run {
        let ran = planned::foresee(&steps);
        (steps, ran)
    } else {
        let (steps, performed) = transit.perform(steps, deed)?;
        result.bytes_saved = performed.bytes_saved;
        // An entry that another program took meanwhile is gone too.
        result.dropped = !performed.entries.is_empty() && (options.force || performed.ran.is_complete());
        (steps, performed.ran)
    };
    for (step, outcome) in steps.into_iter().zip(ran.outcomes) {
        let path = step.wish.path;
        match outcome {
            Ok(_) if step.wish.to.is_none() => {
                if step.act == crate::transit::Act::Delete {
                    result.deleted.push(path);
                }
            }
            Ok(len) => {
                result.files_applied += 1;
                result.bytes_applied += len;
                if let Ok(at) = conflicts.binary_search(&path) {
                    result.overwritten.push(conflicts[at].clone());
                } else if let Some(at) = beside.iter().position(|(_, beside)| *beside == path) {
                    result.kept_both.push(beside[at].clone());
                }
            }
            Err(reason) => note(&mut result, path, reason),
        }
    }
    result.left_alone.extend(ran.late);
    Ok(result)
}

fn note(result: &mut ApplyResult, path: RelPath, reason: Reason) {
    match reason {
        Reason::Missing => result.missing.push(path),
        Reason::Corrupt(_) => {
            result.missing.push(path.clone());
            result.left_alone.push(LeftAlone { path, reason });
        }
        reason => result.left_alone.push(LeftAlone { path, reason }),
    }
}
