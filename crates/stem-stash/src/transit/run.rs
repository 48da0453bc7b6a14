//! Changing the working tree, when everything that will be replaced is stored and recorded.
//!
//! What stands at a path is moved aside and looked at again, never renamed over: a program may have written to it since
//! it was secured, or put another file there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use stem_fs::{FileKind, RelPath};
use stem_hash::ObjectId;
use stem_store::ObjectStore as _;

use super::{Act, Present, Seen, Step, Transit};
use crate::error::{LeftAlone, Reason, Result};
use crate::parallel;
use crate::progress::Phase;
use crate::restore::{INTERRUPTED, Restorer, Target, adopt_metadata};
use crate::vacate::{Aside, Leaving, move_aside, remove_remains};

/// What became of the steps.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// For each step the bytes that stand there now, or why it was left.
    pub(crate) outcomes: Vec<std::result::Result<u64, Reason>>,
    /// Files that a program wrote to in the last moment: they are beside what took their place.
    pub(crate) late: Vec<LeftAlone>,
}

impl Ran {
    /// Whether everything is as it should be.
    pub(crate) fn is_complete(&self) -> bool {
        self.late.is_empty() && self.outcomes.iter().all(std::result::Result::is_ok)
    }
}

impl Transit<'_> {
    fn restorer(&self) -> Restorer<'_> {
        Restorer { work: &self.work, store: &self.store, barrier: &self.barrier }
    }

    /// Takes away what a power cut left of a file that was being written.
    pub(crate) fn remove_remains(&self, path: &RelPath, id: &ObjectId) -> Result<()> {
        remove_remains(&self.work, &self.tmp, path, &self.store, id)
    }

    /// As [`Transit::run`], for recovery, which has a record already and only puts back what is stored.
    pub(crate) fn roll(&self, steps: &[Step], done: &[AtomicBool]) -> Result<Ran> {
        self.run(steps, done)
    }

    /// Carries the steps out and flushes. `done` is set for each step that changed something, also when this fails.
    pub(super) fn run(&self, steps: &[Step], done: &[AtomicBool]) -> Result<Ran> {
        let bytes = steps.iter().map(Step::bytes).sum();
        self.progress.begin(Phase::Restoring, steps.len() as u64, bytes);
        let asides = Mutex::new(Vec::new());
        let ran = self.run_all(steps, done, &asides).and_then(|outcomes| {
            self.progress.begin(Phase::Syncing, 0, 0);
            self.barrier.flush()?;
            Ok(outcomes)
        });
        let asides = asides.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ran.as_ref().is_err_and(|error| !matches!(error, crate::Error::Interrupted(_))) {
            // What took their places may not be durable: they are stored, and the next verb that writes removes them.
            return ran.map(|_| Ran::default());
        }
        let mut late = Vec::new();
        for aside in asides {
            if let Err((path, reason)) = aside.remove(&self.work, &self.tmp)? {
                late.push(LeftAlone { path, reason });
            }
        }
        Ok(Ran { outcomes: ran?, late })
    }

    fn run_all(
        &self,
        steps: &[Step],
        done: &[AtomicBool],
        asides: &Mutex<Vec<Aside>>,
    ) -> Result<Vec<std::result::Result<u64, Reason>>> {
        let mut outcomes = vec![Ok(0); steps.len()];
        // Deletions first: a file may have to go before a directory can take its name, and the other way round.
        for deletes in [true, false] {
            let part: Vec<usize> =
                (0..steps.len()).filter(|&index| (steps[index].act == Act::Delete) == deletes).collect();
            let ran = parallel::map(
                &part,
                |&index| steps[index].bytes(),
                self.progress,
                INTERRUPTED,
                |&index| {
                    let outcome = self.run_one(&steps[index], &done[index], asides)?;
                    self.progress.advance(1, 0);
                    Ok(outcome)
                },
            )?;
            for (index, outcome) in part.into_iter().zip(ran) {
                outcomes[index] = outcome;
            }
        }
        Ok(outcomes)
    }

    fn run_one(
        &self,
        step: &Step,
        done: &AtomicBool,
        asides: &Mutex<Vec<Aside>>,
    ) -> Result<std::result::Result<u64, Reason>> {
        let size = step.present().map_or(0, |present| present.stat.size);
        match &step.act {
            Act::Nothing => Ok(Ok(size)),
            Act::Leave(reason) => Ok(Err(reason.clone())),
            Act::Delete => self.delete(step, done, asides),
            Act::Touch => {
                let touched = self.touch(step);
                done.store(true, Ordering::Release);
                if touched { Ok(Ok(size)) } else { self.write(step, done, asides) }
            }
            Act::Write => self.write(step, done, asides),
        }
    }

    /// Sets permissions and time; `false` when that is not permitted, or the file is another one by now.
    fn touch(&self, step: &Step) -> bool {
        let (Some(present), Some(record)) = (step.present(), step.wish.to.and_then(|want| want.record))
        else {
            return true;
        };
        let Ok(Some(file)) = self.work.open_file(&step.wish.path) else { return false };
        let same = file.stat().is_ok_and(|now| now.same_version(&present.stat));
        same && adopt_metadata(&file, &present.stat, record).is_ok()
    }

    fn delete(
        &self,
        step: &Step,
        done: &AtomicBool,
        asides: &Mutex<Vec<Aside>>,
    ) -> Result<std::result::Result<u64, Reason>> {
        let Some(present) = step.present() else { return Ok(Ok(0)) };
        match self.move_aside(step, present)? {
            Ok(aside) => {
                done.store(true, Ordering::Release);
                push(asides, aside);
                Ok(Ok(0))
            }
            Err(Reason::Vanished) => Ok(Ok(0)),
            Err(reason) => Ok(Err(reason)),
        }
    }

    fn write(
        &self,
        step: &Step,
        done: &AtomicBool,
        asides: &Mutex<Vec<Aside>>,
    ) -> Result<std::result::Result<u64, Reason>> {
        let path = &step.wish.path;
        let Some(want) = step.wish.to else { return Ok(Ok(0)) };
        let restorer = self.restorer();
        if matches!(step.seen, Seen::Absent)
            && self.work.stat(path).is_ok_and(|found| found.is_some_and(|stat| stat.kind == FileKind::Dir))
            && !restorer.remove_empty_dirs(path)?
        {
            return Ok(Err(Reason::Blocked("a directory is in the way".into())));
        }
        let target = Target { path, id: want.id, record: want.record, verify: want.verify };
        let prepared = match restorer.prepare(&target, self.progress)? {
            Ok(prepared) => prepared,
            Err(reason) => return Ok(Err(reason)),
        };
        let len = prepared.len()?;
        let aside = match step.present() {
            None => None,
            Some(present) => match self.move_aside(step, present)? {
                Ok(aside) => Some(aside),
                Err(Reason::Vanished) => None,
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let placed = restorer.place(prepared);
        if let Some(aside) = aside {
            if !matches!(placed, Ok(Ok(()))) {
                aside.put_back(&self.work, &self.tmp)?;
                return placed.map(|placed| placed.map(|()| len));
            }
            push(asides, aside);
        }
        let placed = placed?;
        if placed.is_ok() {
            done.store(true, Ordering::Release);
        }
        Ok(placed.map(|()| len))
    }

    fn move_aside(&self, step: &Step, present: &Present) -> Result<std::result::Result<Aside, Reason>> {
        let Some(id) = &present.id else {
            return Ok(Err(Reason::Unsaved("what it holds is not known".into())));
        };
        let algorithm = self.store.capabilities().algorithm;
        let leaving =
            Leaving { path: &step.wish.path, stat: &present.stat, id, algorithm, leased: present.leased };
        let aside = move_aside(&self.work, &self.tmp, leaving)?;
        if aside.is_ok() {
            self.restorer().removed(&step.wish.path);
        }
        Ok(aside)
    }
}

fn push(asides: &Mutex<Vec<Aside>>, aside: Aside) {
    asides.lock().unwrap_or_else(PoisonError::into_inner).push(aside);
}
