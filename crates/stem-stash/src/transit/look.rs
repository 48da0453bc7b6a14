//! Looking at paths before anything is decided: what stands there, and whether its bytes are stored.
//!
//! A file is compared with the objects that it may be, byte for byte, rather than hashed and its object hashed again:
//! comparing proves both in one pass, and ends at the first difference.

use std::collections::HashSet;

use stem_fs::{FileKind, OpenFile, ReadLease, Refused, RelPath, Stat};
use stem_hash::{FileJob, HashOptions, ObjectId, hash_file};
use stem_store::ObjectStore as _;

use super::{Present, Seen, Transit, Wish};
use crate::error::{Reason, Result};
use crate::format::is_protected;
use crate::parallel;
use crate::progress::Phase;

const INTERRUPTED: &str = "nothing was changed";

impl Transit<'_> {
    /// Looks at the path of every wish. `known` names the objects that a file may hold beside the wanted one.
    pub(crate) fn look(
        &self,
        wishes: &[Wish],
        known: &(dyn Fn(&RelPath) -> Vec<ObjectId> + Sync),
    ) -> Result<Vec<Seen>> {
        let leaving: HashSet<&RelPath> =
            wishes.iter().filter(|wish| wish.to.is_none()).map(|wish| &wish.path).collect();
        self.progress.begin(Phase::Hashing, wishes.len() as u64, 0);
        parallel::map(
            wishes,
            |wish| wish.to.and_then(|want| want.record).map_or(0, |record| record.size),
            self.progress,
            INTERRUPTED,
            |wish| {
                let seen = self.look_at(wish, known, &leaving)?;
                self.progress.advance(1, 0);
                Ok(seen)
            },
        )
    }

    fn look_at(
        &self,
        wish: &Wish,
        known: &(dyn Fn(&RelPath) -> Vec<ObjectId> + Sync),
        leaving: &HashSet<&RelPath>,
    ) -> Result<Seen> {
        let path = &wish.path;
        let stat = match self.work.stat(path) {
            Ok(Some(stat)) => stat,
            Ok(None) => return self.way_to(path, leaving),
            Err(error) => return blocked(error),
        };
        match stat.kind {
            FileKind::File => {}
            FileKind::Dir if self.will_be_empty(path, leaving)? => return Ok(Seen::Absent),
            kind => return Ok(Seen::Blocked(Reason::Blocked(format!("a {kind} is in the way")))),
        }
        let file = match self.work.open_file(path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Seen::Absent),
            Err(error) => {
                // What cannot be read can be given other permissions, but neither compared nor saved.
                return Ok(Seen::Blocked(Reason::Unreadable(error.source.to_string())));
            }
        };
        let lease = ReadLease::take(&file);
        let busy = matches!(lease, Err(Refused::Busy));
        let stat = file.stat()?;
        let mut present = Present { stat, id: None, safe: false, leased: false, busy };
        let is_wanted = self.recognise(&file, wish, known, &mut present)?;
        present.leased = lease.is_ok_and(|lease| lease.held());
        Ok(if is_wanted { Seen::There(present) } else { Seen::Other(present) })
    }

    /// Finds out which object the file holds, as far as that can be told by those that it may be. Says whether it is the
    /// wanted one.
    fn recognise(
        &self,
        file: &OpenFile,
        wish: &Wish,
        known: &(dyn Fn(&RelPath) -> Vec<ObjectId> + Sync),
        present: &mut Present,
    ) -> Result<bool> {
        let len = present.stat.size;
        let mut candidates = known(&wish.path);
        if let Some(want) = wish.to {
            candidates.retain(|id| *id != want.id);
            let size = match want.record {
                Some(record) => Some(record.size),
                None => self.store.stat(&want.id)?.map(|stat| stat.size),
            };
            if size == Some(len) {
                present.safe = self.store.equals(&want.id, file, len);
                // The object may be damaged or gone, and the file be what it was: its own bytes tell.
                if present.safe || !candidates.iter().any(|id| self.store.equals(id, file, len)) {
                    present.id = digest_of(self, file, &present.stat);
                    let is_wanted = present.id == Some(want.id);
                    present.safe &= is_wanted;
                    if is_wanted {
                        return Ok(true);
                    }
                }
            }
        }
        if present.id.is_none() {
            let held = candidates.into_iter().find(|id| self.store.equals(id, file, len));
            (present.id, present.safe) = (held, held.is_some());
        }
        Ok(false)
    }

    /// What keeps a file from a path at which nothing stands.
    fn way_to(&self, path: &RelPath, leaving: &HashSet<&RelPath>) -> Result<Seen> {
        let mut at = path.parent();
        while let Some(parent) = at {
            match self.work.stat(&parent) {
                Ok(None) => at = parent.parent(),
                Ok(Some(stat)) if stat.kind == FileKind::Dir || leaving.contains(&parent) => break,
                Ok(Some(_)) => {
                    let reason = "a file stands where a directory must be";
                    return Ok(Seen::Blocked(Reason::Blocked(reason.into())));
                }
                Err(error) => return blocked(error),
            }
        }
        Ok(Seen::Absent)
    }

    /// Whether the directory holds nothing but directories and files that are about to go.
    fn will_be_empty(&self, path: &RelPath, leaving: &HashSet<&RelPath>) -> Result<bool> {
        let mut dirs = vec![path.clone()];
        while let Some(at) = dirs.pop() {
            let Some(dir) = self.work.sub(&at)? else { return Ok(false) };
            for entry in dir.entries()? {
                match at.join(&entry.name) {
                    Ok(below) if entry.kind == FileKind::Dir && !is_protected(&below) => dirs.push(below),
                    Ok(below) if entry.kind == FileKind::File && leaving.contains(&below) => {}
                    _ => return Ok(false),
                }
            }
        }
        Ok(true)
    }
}

/// What the whole file hashes to, without mapping it; `None` when it changes meanwhile or cannot be read.
pub(super) fn digest_of(transit: &Transit<'_>, file: &OpenFile, stat: &Stat) -> Option<ObjectId> {
    let options = HashOptions { mmap: false, ..HashOptions::new(transit.store.capabilities().algorithm) };
    let digest = hash_file(&FileJob::new(file.as_std(), stat.size), &options, &|_| ()).ok()?;
    let same = file.stat().is_ok_and(|now| now.same_version(stat));
    (same && digest.len == stat.size).then_some(digest.id)
}

fn blocked(error: stem_fs::Error) -> Result<Seen> {
    crate::restore::blocked::<()>(error).map(|reason| match reason {
        Ok(()) => Seen::Absent,
        Err(reason) => Seen::Blocked(reason),
    })
}
