//! `apply` and `pop`: bring an entry's files back.

use stem_fs::{Barrier, LockKind, RelPath};

use crate::Stash;
use crate::error::{LeftAlone, Reason, Result};
use crate::journal::recover;
use crate::parallel;
use crate::progress::{Phase, Progress, Unstoppable};
use crate::repo::LockName;
use crate::restore::{INTERRUPTED, Place, Restorer, Target};
use crate::stack::Stack;

/// How to bring an entry back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Remove the entry when everything is in place: `pop`.
    pub drop: bool,
    /// Whether to verify the bytes as they are written; `None` means yes for `pop` and no for `apply`.
    pub verify: Option<bool>,
    /// With `drop`: remove the entry although something is missing.
    pub force: bool,
}

/// What an apply did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyResult {
    /// `stash@{N}`.
    pub stash_ref: String,
    /// The entry's id.
    pub stash_id: String,
    /// The entry's label.
    pub message: String,
    /// Number of files that are now as the entry has them.
    pub files_applied: usize,
    /// Their size in bytes.
    pub bytes_applied: u64,
    /// Paths whose objects are missing or damaged.
    pub missing: Vec<RelPath>,
    /// Paths that were left as they were, with the reason.
    pub left_alone: Vec<LeftAlone>,
    /// Whether the entry was removed.
    pub dropped: bool,
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
    options: ApplyOptions,
    progress: &dyn Progress,
) -> Result<ApplyResult> {
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

    let work = repository.ensure_work()?;
    let barrier = Barrier::new(&work)?;
    let _note = repository.note_restoring()?;
    let restorer = Restorer { work: &work, store: stash.store, barrier: &barrier };
    let verify = options.verify.unwrap_or(options.drop);
    let targets: Vec<(Target<'_>, u64)> = entry
        .manifest
        .iter()
        .enumerate()
        .map(|(index, (path, id))| {
            let record = entry.file(index).copied();
            (Target { path, id: *id, record, verify }, record.map_or(0, |record| record.size))
        })
        .collect();
    let bytes = targets.iter().map(|(_, size)| size).sum();
    progress.begin(Phase::Restoring, targets.len() as u64, bytes);
    let outcomes = parallel::map(
        &targets,
        |(_, size)| *size,
        progress,
        INTERRUPTED,
        |(target, _)| {
            let outcome = restorer.restore(target, Place::Over, progress)?;
            progress.advance(1, 0);
            Ok(outcome)
        },
    )?;
    for ((target, _), outcome) in targets.iter().zip(outcomes) {
        match outcome {
            Ok(len) => {
                result.files_applied += 1;
                result.bytes_applied += len;
            }
            Err(reason) => note(&mut result, target.path.clone(), reason),
        }
    }
    progress.begin(Phase::Syncing, 0, 0);
    barrier.flush()?;

    if options.drop && (options.force || !result.is_partial()) {
        stack.remove(&slot, progress)?;
        result.dropped = true;
    }
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
