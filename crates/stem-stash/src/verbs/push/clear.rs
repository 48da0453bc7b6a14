//! The clearing half of a push: saved files leave the working tree and HEAD's files come back.
//!
//! It begins when the entry is durable. A path is touched only if this push saved its file and the file has not changed
//! since, or if nothing is there.

use std::collections::HashSet;

use stem_fs::{Barrier, Dir, RelPath};
use stem_store::ObjectStore;

use super::save::{Fate, Saved};
use super::{Item, PushResult};
use crate::error::{LeftAlone, Reason, Result};
use crate::merge::Row;
use crate::parallel;
use crate::progress::{Phase, Progress};
use crate::restore::{Restorer, Target};
use crate::vacate::{Aside, Leaving, move_aside};

/// What the user reads after stopping a push that has written its entry.
const INTERRUPTED: &str = "everything is saved in stash@{0}, but the working tree is not yet back at HEAD; the next command that writes finishes that";

pub(super) struct Clear<'a> {
    pub(super) work: &'a Dir,
    pub(super) tmp: &'a Dir,
    pub(super) store: &'a dyn ObjectStore,
    pub(super) progress: &'a dyn Progress,
}

/// What happened at one path.
enum Cleared {
    /// The file went, and HEAD's came if HEAD has one.
    Done(Option<Aside>),
    /// The file went, but HEAD's could not take its place.
    NotFilled(Aside, Reason),
    /// The file stays.
    Kept(Reason),
    /// The file stays because HEAD's cannot come.
    NoHead(Reason),
}

impl Clear<'_> {
    pub(super) fn run(
        &self,
        saved: &[(&Item<'_>, Saved)],
        deleted: &[&Row],
        result: &mut PushResult,
    ) -> Result<()> {
        let barrier = Barrier::new(self.work)?;
        let restorer = Restorer { work: self.work, store: self.store, barrier: &barrier };
        let leaves = |one: &Saved| matches!(one.fate, Fate::Leaves | Fate::Adopted(_));
        let leaving: Vec<_> = saved.iter().filter(|(_, one)| leaves(one)).collect();
        self.progress.begin(Phase::Clearing, leaving.len() as u64, 0);
        let cleared = parallel::map(
            &leaving,
            |(_, one)| one.digest.len,
            self.progress,
            INTERRUPTED,
            |(item, one)| {
                self.progress.advance(1, 0);
                self.clear(item, one, &restorer)
            },
        )?;
        let mut aside = Vec::new();
        for ((item, _), cleared) in leaving.iter().zip(cleared) {
            let path = item.file.path.clone();
            match cleared {
                Cleared::Done(moved) => aside.extend(moved),
                Cleared::NotFilled(moved, reason) => {
                    aside.push(moved);
                    result.left_alone.push(LeftAlone { path, reason });
                }
                Cleared::Kept(reason) => result.left_alone.push(LeftAlone { path, reason }),
                Cleared::NoHead(reason) => note_missing(result, path, reason),
            }
        }
        let restored = self.restore_missing_paths(deleted, &restorer, result);
        let restored = restored.and_then(|()| Ok(barrier.flush()?));
        // Whatever happened to HEAD's files: what was moved aside does not stay there.
        for moved in aside {
            if let Err((path, reason)) = moved.remove(self.work, self.tmp)? {
                result.left_alone.push(LeftAlone { path, reason });
            }
        }
        restored
    }

    fn clear(&self, item: &Item<'_>, one: &Saved, restorer: &Restorer<'_>) -> Result<Cleared> {
        let path = &item.file.path;
        match one.fate {
            Fate::Leaves => {}
            Fate::Adopted(_) => return self.fill_gap(item, one, restorer),
            Fate::Stays | Fate::Kept(_) => return Ok(Cleared::Done(None)),
        }
        // HEAD's file is made ready before the saved one goes, so that the path is empty for a moment only.
        let prepared = match item.head {
            None => None,
            Some(id) => match restorer.prepare(&Target::of_object(path, id), self.progress)? {
                Ok(file) => Some(file),
                Err(reason) => return Ok(Cleared::NoHead(reason)),
            },
        };
        let algorithm = self.store.capabilities().algorithm;
        let leaving = Leaving { path, stat: &one.stat, id: &one.digest.id, algorithm, leased: one.leased };
        let aside = match move_aside(self.work, self.tmp, leaving)? {
            Ok(aside) => aside,
            // Somebody else removed it, as we would have.
            Err(Reason::Vanished) if prepared.is_none() => return Ok(Cleared::Done(None)),
            Err(reason) => return Ok(Cleared::Kept(reason)),
        };
        restorer.removed(path);
        if let Some(file) = prepared
            && let Err(reason) = restorer.place(file)?
        {
            return Ok(Cleared::NotFilled(aside, reason));
        }
        Ok(Cleared::Done(Some(aside)))
    }

    /// HEAD's file takes the place of one that was adopted.
    fn fill_gap(&self, item: &Item<'_>, one: &Saved, restorer: &Restorer<'_>) -> Result<Cleared> {
        let path = &item.file.path;
        let Some(id) = item.head else { return Ok(Cleared::Done(None)) };
        match restorer.restore(&Target::of_object(path, id), self.progress)? {
            Ok(_) => Ok(Cleared::Done(None)),
            Err(reason @ Reason::Blocked(_)) => Ok(Cleared::Kept(reason)),
            // HEAD's object is damaged, which its size did not show: the saved file stays, as it would have.
            Err(reason) => {
                let target = Target::of_object(path, one.digest.id);
                let _ = restorer.restore(&target, self.progress)?;
                Ok(Cleared::NoHead(reason))
            }
        }
    }

    /// HEAD's files at paths where this push found nothing to save.
    fn restore_missing_paths(
        &self,
        deleted: &[&Row],
        restorer: &Restorer<'_>,
        result: &mut PushResult,
    ) -> Result<()> {
        let unreadable: HashSet<&RelPath> = result.left_alone.iter().map(|left| &left.path).collect();
        let absent: Vec<&Row> = deleted.iter().filter(|row| !unreadable.contains(&row.0)).copied().collect();
        self.progress.begin(Phase::Restoring, absent.len() as u64, 0);
        let reasons = parallel::map(
            &absent,
            |_| 0,
            self.progress,
            INTERRUPTED,
            |(path, id)| {
                let target = Target::of_object(path, *id);
                self.progress.advance(1, 0);
                restorer.restore(&target, self.progress)
            },
        )?;
        for ((path, _), outcome) in absent.into_iter().zip(reasons) {
            if let Err(reason) = outcome {
                note_missing(result, path.clone(), reason);
            }
        }
        Ok(())
    }
}

/// A file of HEAD that did not come back: in the reference's list when its object is at fault.
fn note_missing(result: &mut PushResult, path: RelPath, reason: Reason) {
    match reason {
        Reason::Missing => result.missing_head.push(path),
        Reason::Corrupt(_) => {
            result.missing_head.push(path.clone());
            result.left_alone.push(LeftAlone { path, reason });
        }
        reason => result.left_alone.push(LeftAlone { path, reason }),
    }
}
