//! Adoption: files that leave the working tree anyway become objects by a rename, and no byte is copied.
//!
//! The four steps, each of which a test stops at:
//!
//! 1. *Lease.* A file is opened and leased, then hashed; while the lease is held nobody can write to it.
//! 2. *Intent.* A durable record names everything that is about to be moved (`docs/format/journal.md`). The same flush
//!    makes the files' own bytes durable, so that no object is torn by a power cut.
//! 3. *Rename* onto the object's name. If a writer is waiting for the lease by then, the file goes back before the lease
//!    does.
//! 4. *Recheck*, after everything is durable and before the entry is written: a program that had looked the path up
//!    before the rename may have opened the file after the lease was gone. A file that is open for writing or differs
//!    goes back to its path and a copy of it becomes the object.
//!
//! Files are handled in batches, because each is held open from its lease to its rename.

use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use stem_fs::{Barrier, Dir, LeasedFile, ReadLease, Refused, RelPath, Stat};
use stem_hash::{Cancelled, Digest, HashFile, HashOptions, HashSource, ObjectId, hash_many};
use stem_store::{FileSource, PutMethod};

use super::save::{Fate, INTERRUPTED, Outcome, Saved, Saver, if_new, put_options};
use super::{Item, entry_of};
use crate::error::{Error, Reason, Result};
use crate::format::Manifest;
use crate::format::intent::{Intent, IntentKind};
use crate::format::stamp::{Stamp, StashId};
use crate::hashing::Told;
use crate::journal::Journal;
use crate::vacate::return_to;

/// Neighbouring files that one task renames.
const RUN: usize = 64;
/// Most files that are open and leased at once, whatever the process may open.
const MAX_BATCH: usize = 16_384;

/// A file that was adopted: where it is now, and how it looked there under its lease.
#[derive(Debug)]
pub(super) struct AdoptedAt {
    dir: Dir,
    name: RelPath,
    stat: Stat,
}

/// A file on its way from its lease to its rename.
struct Candidate<'a> {
    saver: &'a Saver<'a>,
    item: &'a Item<'a>,
    state: Mutex<State>,
}

enum State {
    /// Its turn has not come.
    Waiting,
    /// No lease, or a broken one: it is saved by copying.
    Refused,
    /// It cannot be saved.
    Left(Reason),
    /// Hashed, and still leased.
    Ready(Leased, Digest),
}

struct Leased {
    file: LeasedFile,
    stat: Stat,
}

impl HashFile for Leased {
    fn file(&self) -> &std::fs::File {
        self.file.file().as_std()
    }

    fn safe_to_map(&self) -> bool {
        self.file.held()
    }
}

impl Candidate<'_> {
    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl HashSource for Candidate<'_> {
    type Opened = Leased;

    fn expected_len(&self) -> u64 {
        self.item.file.stat.size
    }

    fn open(&self) -> io::Result<Leased> {
        let refused = |state| {
            self.set(state);
            Err(io::Error::other("not leased"))
        };
        let file = match self.saver.work.open_file(&self.item.file.path) {
            Ok(Some(file)) => file,
            Ok(None) => return refused(State::Left(Reason::Vanished)),
            Err(error) => return refused(State::Left(Reason::Unreadable(error.source.to_string()))),
        };
        let Ok(file) = LeasedFile::take(file) else { return refused(State::Refused) };
        match file.file().stat() {
            Ok(stat) => Ok(Leased { file, stat }),
            Err(error) => refused(State::Left(Reason::Unreadable(error.source.to_string()))),
        }
    }

    fn close(&self, leased: Leased, result: &io::Result<Digest>) {
        self.set(match result {
            Ok(digest) if digest.len == leased.stat.size && leased.file.held() => {
                State::Ready(leased, *digest)
            }
            // Somebody wants to write to it.
            Ok(_) => State::Refused,
            Err(error) if Cancelled::is(error) => State::Waiting,
            Err(error) => State::Left(Reason::Unreadable(error.to_string())),
        });
    }
}

/// Adopts files for one push.
pub(super) struct Adopter<'a, 'r> {
    pub(super) saver: &'a Saver<'a>,
    pub(super) barrier: &'a Barrier,
    pub(super) journal: &'a mut Journal<'r>,
    pub(super) token: u32,
    pub(super) branch: &'a str,
    /// The device that holds `.muse`; files on another one are copied.
    pub(super) device: u64,
}

impl Adopter<'_, '_> {
    /// Whether the file may be renamed into the store: it leaves the working tree, HEAD's file can take its place, it
    /// has no second name, and it lies on the right device.
    pub(super) fn may_adopt(&self, item: &Item<'_>) -> bool {
        let stat = &item.file.stat;
        stat.links == 1 && stat.device == self.device && (item.head.is_none() || item.head_size.is_some())
    }

    /// Saves the items at `indices` of `items`, by adoption where the system grants leases.
    pub(super) fn adopt_all(
        &mut self,
        items: &[Item<'_>],
        indices: &[usize],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<()> {
        let mut order: Vec<usize> = indices.to_vec();
        // Batches of like sizes keep both cores busy to the end of each.
        order.sort_by_key(|&index| std::cmp::Reverse(items[index].file.stat.size));
        let mut adopted = HashSet::new();
        for batch in order.chunks(batch_size()) {
            if self.saver.progress.cancelled() {
                return Err(Error::Interrupted(INTERRUPTED));
            }
            self.adopt_batch(items, batch, &mut adopted, outcomes)?;
        }
        Ok(())
    }

    fn adopt_batch(
        &mut self,
        items: &[Item<'_>],
        batch: &[usize],
        adopted: &mut HashSet<ObjectId>,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<()> {
        let saver = self.saver;
        let candidates: Vec<Candidate<'_>> = batch
            .iter()
            .map(|&index| Candidate { saver, item: &items[index], state: Mutex::new(State::Waiting) })
            .collect();
        let options =
            HashOptions { algorithm: saver.store.capabilities().algorithm, checksum: true, mmap: saver.mmap };
        let _ = hash_many(&candidates, &options, &Told(saver.progress));
        if saver.progress.cancelled() {
            return Err(Error::Interrupted(INTERRUPTED));
        }

        let mut ready = Vec::new();
        let mut copied = Vec::new();
        for (&index, candidate) in batch.iter().zip(candidates) {
            let item = &items[index];
            match candidate.state.into_inner().unwrap_or_else(PoisonError::into_inner) {
                State::Left(reason) => outcomes[index] = Some(Outcome::Left(reason)),
                // HEAD's object is not whole: the file stays, and its object is stored anew.
                State::Ready(_, digest)
                    if item.head == Some(digest.id) && item.head_size != Some(digest.len) =>
                {
                    copied.push(index);
                }
                State::Ready(leased, digest) if item.head == Some(digest.id) => {
                    let fate = Fate::Stays;
                    let saved = Saved { digest, stat: leased.stat, leased: true, bytes_written: 0, fate };
                    outcomes[index] = Some(Outcome::Saved(saved));
                }
                // Of equal files one is adopted; the others find its object there.
                State::Ready(leased, digest) if adopted.insert(digest.id) => {
                    ready.push((index, leased, digest));
                }
                State::Ready(..) | State::Refused | State::Waiting => copied.push(index),
            }
        }
        if !ready.is_empty() {
            self.write_intent(items, &ready)?;
            self.barrier.flush()?;
            // Neighbours together: each directory is opened once.
            ready.sort_unstable_by(|a, b| items[a.0].file.path.cmp(&items[b.0].file.path));
            let mut runs = Vec::new();
            while !ready.is_empty() {
                runs.push(ready.split_off(ready.len().saturating_sub(RUN)));
            }
            let renamed: Vec<Vec<(usize, Outcome)>> =
                runs.into_par_iter().map(|run| self.rename_run(items, run)).collect::<Result<_>>()?;
            for (index, outcome) in renamed.into_iter().flatten() {
                outcomes[index] = Some(outcome);
            }
        }
        saver.save_some(items, &copied, true, outcomes)
    }

    fn write_intent(&mut self, items: &[Item<'_>], ready: &[(usize, Leased, Digest)]) -> Result<()> {
        let invalid =
            |e: &dyn std::fmt::Display| Error::InvalidInput(format!("these files cannot be stashed: {e}"));
        let mut rows: Vec<_> =
            ready.iter().map(|(index, leased, digest)| (&items[*index], digest, &leased.stat)).collect();
        rows.sort_unstable_by(|a, b| a.0.file.path.cmp(&b.0.file.path));
        let head = rows.iter().filter_map(|(item, ..)| Some((item.file.path.clone(), item.head?))).collect();
        let head = Manifest::new(head).map_err(|e| invalid(&e))?;
        let stamp = Stamp::from_micros(0).map_err(|e| invalid(&e))?;
        let entry = entry_of(StashId::new(stamp, self.token), stamp, self.branch, &rows)?;
        self.journal.write(&Intent { kind: IntentKind::Adopt, head, entry }, self.barrier)
    }

    fn rename_run(
        &self,
        items: &[Item<'_>],
        run: Vec<(usize, Leased, Digest)>,
    ) -> Result<Vec<(usize, Outcome)>> {
        let mut done = Vec::with_capacity(run.len());
        let mut open: Option<(Option<RelPath>, Dir)> = None;
        for (index, leased, digest) in run {
            let item = &items[index];
            let parent = item.file.path.parent();
            if open.as_ref().is_none_or(|(at, _)| *at != parent) {
                open = self.saver.directory_of(&item.file.path).map(|dir| (parent, dir));
            }
            let outcome = match &open {
                Some((_, dir)) => self.rename(item, dir, leased, digest)?,
                // The directory went elsewhere, and the file with it.
                None => self.saver.save_again(item, Reason::Changed)?,
            };
            done.push((index, outcome));
        }
        Ok(done)
    }

    fn rename(&self, item: &Item<'_>, dir: &Dir, leased: Leased, digest: Digest) -> Result<Outcome> {
        let saver = self.saver;
        let path = &item.file.path;
        let name = path.last();
        // An object that is there already may be all that an older entry has. It is looked at, not replaced: should this
        // file have to go back to its path, its object would go with it.
        let take = saver.store.stat(&digest.id).is_ok_and(|found| found.is_none());
        let source = FileSource {
            known: Some(digest),
            place: Some((dir, &name)),
            take,
            ..FileSource::new(leased.file.file(), leased.stat)
        };
        let put = saver.store.put_file(&source, &put_options())?;
        let bytes_written = if_new(put.written, put.digest.len);
        let saved = |fate| {
            Outcome::Saved(Saved { digest: put.digest, stat: leased.stat, leased: true, bytes_written, fate })
        };
        let PutMethod::Adopted { dir: shard, path: object } = put.method else {
            let same = leased.file.held() && leased.file.file().stat()?.same_version(&leased.stat);
            return Ok(saved(if same { Fate::Leaves } else { Fate::Kept(Reason::Busy) }));
        };
        let stat = leased.file.file().stat()?;
        if leased.file.held() {
            return Ok(saved(Fate::Adopted(AdoptedAt { dir: shard, name: object, stat })));
        }
        return_to(&shard, &object, saver.work, path)?;
        drop(leased);
        saver.save_again(item, Reason::Busy)
    }
}

/// The files that one batch may hold open, leaving some to the rest of the program.
fn batch_size() -> usize {
    let limit = usize::try_from(stem_fs::open_file_limit()).unwrap_or(MAX_BATCH);
    (limit.saturating_sub(64) * 3 / 4).clamp(1, MAX_BATCH)
}

/// Step 4: every adopted file is looked at again. Returns whether something was stored anew, so that another sync is
/// needed.
pub(super) fn recheck(saver: &Saver<'_>, items: &[Item<'_>], outcomes: &mut [Outcome]) -> Result<bool> {
    let suspects: Vec<(usize, Reason)> = outcomes
        .par_iter()
        .enumerate()
        .filter_map(|(index, outcome)| match outcome {
            Outcome::Saved(Saved { fate: Fate::Adopted(at), digest, .. }) => suspicion(saver, at, &digest.id)
                .transpose()
                .map(|reason| reason.map(|reason| (index, reason))),
            _ => None,
        })
        .collect::<Result<_>>()?;
    if suspects.is_empty() {
        return Ok(false);
    }
    let mut lost = HashSet::new();
    for (index, reason) in suspects {
        let Outcome::Saved(saved) = &outcomes[index] else { continue };
        let Fate::Adopted(at) = &saved.fate else { continue };
        return_to(&at.dir, &at.name, saver.work, &items[index].file.path)?;
        lost.insert(saved.digest.id);
        outcomes[index] = saver.save_again(&items[index], reason)?;
    }
    // Equal files counted on the object that has just gone back.
    for (index, outcome) in outcomes.iter_mut().enumerate() {
        if let Outcome::Saved(saved) = outcome
            && lost.contains(&saved.digest.id)
            && saver.store.stat(&saved.digest.id)?.is_none()
        {
            *outcome = saver.save_again(&items[index], Reason::Changed)?;
        }
    }
    Ok(true)
}

/// Why an adopted file cannot be trusted to be what was hashed.
fn suspicion(saver: &Saver<'_>, at: &AdoptedAt, id: &ObjectId) -> Result<Option<Reason>> {
    let Some(file) = at.dir.open_file(&at.name)? else {
        return Err(Error::Refused(format!(
            "object {id} vanished from the store while it was being stashed: something else deletes objects there"
        )));
    };
    let lease = ReadLease::take(&file);
    if matches!(lease, Err(Refused::Busy)) {
        return Ok(Some(Reason::Busy));
    }
    let now = file.stat()?;
    if now.inode != at.stat.inode {
        // Another program stored the same object; it is as good if it is whole.
        let whole =
            saver.store.open(id)?.is_some_and(|mut object| io::copy(&mut object, &mut io::sink()).is_ok());
        return Ok((!whole).then_some(Reason::Changed));
    }
    Ok((!now.same_version(&at.stat)).then_some(Reason::Changed))
}
