//! A whole verb: secured, recorded, carried out, closed.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use stem_fs::{LockKind, RelPath};

use super::{Present, Ran, Step, Transit};
use crate::error::Result;
use crate::format::text::PyStr;
use crate::format::undo::{EntryChange, FileChange, UndoId, UndoKind, UndoRecord, UndoVerb};
use crate::repo::LockName;
use crate::undo::held::move_all;
use crate::undo::{OpenRecord, UndoLog};

/// When entries come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntriesGo {
    /// Only if every file is as it should be.
    IfComplete,
    /// In any case.
    Always,
}

/// What the record says beside the files.
#[derive(Debug)]
pub(crate) struct Deed {
    pub(crate) token: u32,
    pub(crate) kind: UndoKind,
    pub(crate) verb: UndoVerb,
    pub(crate) of: Option<UndoId>,
    pub(crate) message: PyStr,
    pub(crate) entries: Vec<EntryChange>,
    pub(crate) entries_go: EntriesGo,
    /// Rows of an earlier record that nothing was done about and nothing is done now, but may be later.
    pub(crate) carried: Carried,
}

/// See [`Deed::carried`].
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) files: Vec<FileChange>,
    /// Only in the record of what was done: in the one of what is about to be done they would tell recovery that it is.
    pub(crate) entries: Vec<EntryChange>,
}

/// What a verb did.
#[derive(Debug, Default)]
pub(crate) struct Performed {
    pub(crate) ran: Ran,
    /// For each entry whether it came or went now.
    pub(crate) entries: Vec<bool>,
    /// Bytes of the working tree that were copied because they were nowhere else.
    pub(crate) bytes_saved: u64,
}

impl Transit<'_> {
    /// Carries the steps out under a record.
    pub(crate) fn perform(&self, mut steps: Vec<Step>, deed: Deed) -> Result<(Vec<Step>, Performed)> {
        let bytes_saved = self.secure(&mut steps)?;
        let record = record(&steps, &deed, Step::changes);
        let done: Vec<AtomicBool> = steps.iter().map(|_| AtomicBool::new(false)).collect();
        let idle = deed.kind == UndoKind::Verb && record.files.is_empty() && record.entries.is_empty();
        let open = if idle {
            None
        } else {
            Some(UndoLog::new(self.stash.repository).begin(deed.token, record, true)?)
        };
        let ran = match self.run(&steps, &done) {
            Ok(ran) => ran,
            Err(error) => {
                if let Some(open) = open.filter(|_| deed.kind == UndoKind::Verb) {
                    // What was done can be undone. If even that cannot be written, the next verb takes it back. An undo
                    // is always taken back: it must not count when it is half done.
                    let _ = end(open, &steps, &done, &Deed { entries: Vec::new(), ..deed });
                }
                return Err(error);
            }
        };
        let mut performed = Performed { ran, bytes_saved, entries: vec![false; deed.entries.len()] };
        let Some(open) = open else { return Ok((steps, performed)) };
        let mut deed = deed;
        if deed.entries_go == EntriesGo::Always || performed.ran.is_complete() {
            let repository = self.stash.repository;
            let _alone = repository.lock(LockName::Stack, LockKind::Exclusive, self.progress)?;
            performed.entries = move_all(repository, &deed.entries)?;
        } else {
            deed.entries.clear();
        }
        end(open, &steps, &done, &deed)?;
        Ok((steps, performed))
    }
}

/// Closes the record, which then says what was done.
fn end(open: OpenRecord, steps: &[Step], done: &[AtomicBool], deed: &Deed) -> Result<()> {
    let changed: HashSet<&RelPath> = steps
        .iter()
        .zip(done)
        .filter(|(_, done)| done.load(Ordering::Acquire))
        .map(|(step, _)| &step.wish.path)
        .collect();
    let mut actual = record(steps, deed, |step| changed.contains(&step.wish.path));
    actual.entries.extend_from_slice(&deed.carried.entries);
    if deed.kind == UndoKind::Verb && actual.files.is_empty() && actual.entries.is_empty() {
        return open.discard();
    }
    open.close(Some(actual)).map(drop)
}

/// The record of the steps that `happens`.
fn record(steps: &[Step], deed: &Deed, happens: impl Fn(&Step) -> bool) -> UndoRecord {
    let known = |step: &&Step| step.present().is_none_or(|present| Present::state(present).is_some());
    let rows = steps.iter().filter(|step| happens(step)).filter(known).map(Step::row);
    let mut files: Vec<FileChange> = rows.collect();
    let touched: HashSet<RelPath> = files.iter().map(|file| file.path.clone()).collect();
    files.extend(deed.carried.files.iter().filter(|row| !touched.contains(&row.path)).cloned());
    let mut record = UndoRecord {
        kind: deed.kind,
        verb: deed.verb,
        of: deed.of.clone(),
        message: deed.message.clone(),
        entries: deed.entries.clone(),
        files,
    };
    record.sort();
    if !deed.carried.files.is_empty() && !record.fits() {
        // What became of the other paths leaves no room for these; they stay in the record that has them.
        record.files.retain(|file| touched.contains(&file.path));
    }
    record
}
