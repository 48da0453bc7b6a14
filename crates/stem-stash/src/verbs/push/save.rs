//! The saving half of a push: every file in scope becomes an object, or is known to be one.
//!
//! Files that leave the working tree are adopted where that is possible (`adopt`). All others pass through here: they
//! are read under a read lease where the system grants one, hashed and copied in one pass. A file that somebody has open
//! for writing is copied as it is, recorded, and stays in the working tree.

use std::ops::ControlFlow;

use stem_fs::{Dir, OpenFile, ReadLease, Refused, RelPath, Stat};
use stem_hash::{Digest, FileJob, HashOptions, hash_file};
use stem_store::{Durability, ErrorKind, FileSource, ObjectStore, PutOptions, Written};

use super::Item;
use super::adopt::{AdoptedAt, Adopter};
use crate::error::{Error, Reason, Result};
use crate::parallel;
use crate::progress::{Phase, Progress};

/// What the user reads after stopping a push that has not written its entry.
pub(super) const INTERRUPTED: &str = "nothing was stashed and the working tree is as it was";

/// What became of a file.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of many are the large one; a box each would cost more"
)]
pub(super) enum Outcome {
    /// It is in the store and belongs into the entry.
    Saved(Saved),
    /// It could not be saved and stays in the working tree.
    Left(Reason),
}

/// A file whose bytes are in the store.
pub(super) struct Saved {
    /// What was stored.
    pub(super) digest: Digest,
    /// The file when it was hashed.
    pub(super) stat: Stat,
    /// Whether nobody could write to the file while it was hashed, so that it need not be hashed again.
    pub(super) leased: bool,
    /// Bytes that the store did not have before.
    pub(super) bytes_written: u64,
    /// What shall happen to the file in the working tree.
    pub(super) fate: Fate,
}

/// What shall happen to a saved file in the working tree.
pub(super) enum Fate {
    /// It equals HEAD, or the push leaves the working tree as it is: not touched.
    Stays,
    /// It may go once the entry is durable, if it has not changed since.
    Leaves,
    /// It is gone from the working tree: it has become the object.
    Adopted(AdoptedAt),
    /// It would go, but something else is happening to it.
    Kept(Reason),
}

/// Saves files.
pub(super) struct Saver<'a> {
    pub(super) work: &'a Dir,
    pub(super) store: &'a dyn ObjectStore,
    pub(super) mmap: bool,
    pub(super) progress: &'a dyn Progress,
}

/// How a push stores: one barrier for all, and with the fast checksum.
pub(super) fn put_options() -> PutOptions {
    PutOptions { durability: Durability::AtSync, checksum: true, ..PutOptions::default() }
}

/// The bytes that a put added to the store.
pub(super) fn if_new(written: Written, len: u64) -> u64 {
    if written == Written::New { len } else { 0 }
}

impl Saver<'_> {
    /// Saves all items. With an adopter, the push clears the working tree afterwards, and files are adopted.
    pub(super) fn save_all(
        &self,
        items: &[Item<'_>],
        adopter: Option<Adopter<'_, '_>>,
        clears: bool,
    ) -> Result<Vec<Outcome>> {
        let unknown = items.iter().filter(|item| item.unchanged().is_none());
        let bytes = unknown.map(|item| item.file.stat.size).sum();
        self.progress.begin(Phase::Saving, items.len() as u64, bytes);
        let mut outcomes: Vec<Option<Outcome>> = items.iter().map(unchanged).collect();
        let may_adopt = |item: &Item<'_>| adopter.as_ref().is_some_and(|adopter| adopter.may_adopt(item));
        let (adopted, copied): (Vec<usize>, Vec<usize>) = (0..items.len())
            .filter(|&index| outcomes[index].is_none())
            .partition(|&index| may_adopt(&items[index]));
        self.progress.advance((items.len() - adopted.len() - copied.len()) as u64, 0);
        // Copies first: until something is renamed, a stop leaves nothing to undo.
        self.save_some(items, &copied, clears, &mut outcomes)?;
        if let Some(mut adopter) = adopter {
            adopter.adopt_all(items, &adopted, &mut outcomes)?;
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Left(Reason::Vanished))).collect())
    }

    /// Saves the items at `indices` by copying.
    pub(super) fn save_some(
        &self,
        items: &[Item<'_>],
        indices: &[usize],
        clears: bool,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<()> {
        let size = |&index: &usize| items[index].file.stat.size;
        let done = parallel::map(indices, size, self.progress, INTERRUPTED, |&index| {
            let outcome = self.save(&items[index], clears)?;
            self.progress.advance(1, 0);
            Ok(outcome)
        })?;
        for (&index, outcome) in indices.iter().zip(done) {
            outcomes[index] = Some(outcome);
        }
        Ok(())
    }

    /// Saves a file that had to go back to its path; it stays there, because of `reason`.
    pub(super) fn save_again(&self, item: &Item<'_>, reason: Reason) -> Result<Outcome> {
        Ok(match self.save(item, true)? {
            Outcome::Saved(saved) => match saved.fate {
                Fate::Leaves => Outcome::Saved(Saved { fate: Fate::Kept(reason), ..saved }),
                _ => Outcome::Saved(saved),
            },
            left @ Outcome::Left(_) => left,
        })
    }

    /// The directory of a path; `None` when it is gone, or is a link by now.
    pub(super) fn directory_of(&self, path: &RelPath) -> Option<Dir> {
        match path.parent() {
            None => Some(self.work.clone()),
            Some(parent) => self.work.sub(&parent).ok().flatten(),
        }
    }

    fn save(&self, item: &Item<'_>, clears: bool) -> Result<Outcome> {
        let file = match self.work.open_file(&item.file.path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Outcome::Left(Reason::Vanished)),
            Err(error) => return Ok(Outcome::Left(Reason::Unreadable(error.source.to_string()))),
        };
        let lease = ReadLease::take(&file);
        let stat = file.stat()?;
        let held = || lease.as_ref().is_ok_and(ReadLease::held);

        let mut known = None;
        if item.head_size == Some(stat.size) {
            match self.hash(&file, &stat, &held) {
                // HEAD's file, and the store has its object: nothing to store and nothing to restore.
                Ok(digest) if Some(digest.id) == item.head => {
                    let leased = held();
                    return Ok(Outcome::Saved(Saved {
                        digest,
                        stat,
                        leased,
                        bytes_written: 0,
                        fate: Fate::Stays,
                    }));
                }
                Ok(digest) => known = held().then_some(digest),
                Err(error) => return Ok(Outcome::Left(Reason::Unreadable(error.to_string()))),
            }
        }
        let tell = |bytes| {
            if known.is_none() {
                self.progress.advance(0, bytes);
            }
            if self.progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let source = FileSource { known, progress: Some(&tell), ..FileSource::new(&file, stat) };
        let put = match self.store.put_file(&source, &put_options()) {
            Ok(put) => put,
            Err(error) if error.kind() == ErrorKind::Source => {
                return Ok(Outcome::Left(Reason::Unreadable(innermost(&error))));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return Err(Error::Interrupted(INTERRUPTED));
            }
            Err(error) => return Err(error.into()),
        };
        let unchanged = put.digest.len == stat.size && file.stat()?.same_version(&stat);
        let leased = unchanged && held();
        let fate = match &lease {
            _ if !unchanged => Fate::Kept(Reason::Changed),
            _ if !clears || Some(put.digest.id) == item.head => Fate::Stays,
            Ok(_) if leased => Fate::Leaves,
            Ok(_) | Err(Refused::Busy) => Fate::Kept(Reason::Busy),
            Err(Refused::Unavailable) => Fate::Leaves,
        };
        let bytes_written = if_new(put.written, put.digest.len);
        Ok(Outcome::Saved(Saved { digest: put.digest, stat, leased, bytes_written, fate }))
    }

    fn hash(
        &self,
        file: &OpenFile,
        stat: &Stat,
        held: &(dyn Fn() -> bool + Sync),
    ) -> std::io::Result<Digest> {
        let job = FileJob { file: file.as_std(), len: stat.size, safe_to_map: Some(held) };
        let options =
            HashOptions { algorithm: self.store.capabilities().algorithm, checksum: true, mmap: self.mmap };
        hash_file(&job, &options, &|bytes| self.progress.advance(0, bytes))
    }
}

/// A file that the stat cache knows to equal HEAD: it stays, so nothing depends on that being true.
fn unchanged(item: &Item<'_>) -> Option<Outcome> {
    let digest = item.unchanged()?;
    let stat = item.file.stat;
    Some(Outcome::Saved(Saved { digest, stat, leased: false, bytes_written: 0, fate: Fate::Stays }))
}

/// The words of the first cause.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
