//! Intent records of pushes, and what is done with those of a push that died.
//!
//! See `docs/format/journal.md`. Whoever holds the lock on the working tree and finds a record knows that its push is
//! dead.

use stem_fs::{Barrier, Dir, Publish, RelPath};
use stem_hash::ObjectId;

use crate::Stash;
use crate::error::{Error, Result};
use crate::format::entry::{MAX_ENTRY_BYTES, StashEntry, StemRecord};
use crate::format::intent::{Intent, IntentKind, decode, encode};
use crate::format::stamp::Stamp;
use crate::format::text::PyStr;
use crate::format::{FormatError, Manifest};
use crate::progress::Progress;
use crate::repo::{LockName, Repository, fixed};
use crate::restore::{Restorer, Target};
use crate::scope::Scope;
use crate::stack::Stack;
use crate::undo::UndoLog;
use crate::undo::recover::is_no_space;
use crate::undo::shelter::Sheltered;
use crate::vacate::{Leaving, collect_asides, move_aside, remove_remains};
use crate::walk::{Rules, walk};

pub(crate) const JOURNAL: &str = "stem/journal";

/// The records that one push writes.
pub(crate) struct Journal<'r> {
    repository: &'r Repository,
    token: String,
    written: Vec<RelPath>,
}

impl<'r> Journal<'r> {
    /// The journal of a push whose entry will end in `token`.
    pub(crate) fn new(repository: &'r Repository, token: u32) -> Self {
        Self { repository, token: format!("{token:08x}"), written: Vec::new() }
    }

    /// Writes a record. It is durable after the next flush of `barrier` where that covers the whole file system, and at
    /// once elsewhere.
    pub(crate) fn write(&mut self, intent: &Intent, barrier: &Barrier) -> Result<()> {
        let bytes =
            encode(intent).map_err(|e| Error::InvalidInput(format!("no intent can be recorded: {e}")))?;
        let dir = self.repository.muse().ensure_dir(&fixed(JOURNAL))?;
        let name = RelPath::new(format!("push-{}-{}.json", self.token, self.written.len()))
            .map_err(|e| Error::InvalidInput(e.to_string()))?;
        let tmp = self.repository.tmp_dir()?;
        if barrier.is_whole() {
            use std::io::Write as _;
            let mut temp = tmp.temp_file(0o600)?;
            temp.write_all(&bytes).map_err(|e| stem_fs::Error::new("write", temp.path(), e))?;
            temp.persist(&dir, &name, Publish::Replace)?;
        } else {
            dir.write_durable(&name, &bytes, &tmp, Publish::Replace)?;
        }
        self.written.push(name);
        Ok(())
    }

    /// Removes the records: the push has ended, one way or the other.
    pub(crate) fn close(self) -> Result<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        let Some(dir) = self.repository.muse().sub(&fixed(JOURNAL))? else { return Ok(()) };
        for name in &self.written {
            dir.remove_file(name)?;
        }
        // A record that came back after a power cut would be acted upon.
        dir.sync()?;
        Ok(())
    }
}

/// A record of a push that died.
pub(crate) struct Leftover {
    name: RelPath,
    token: String,
    intent: std::result::Result<Intent, FormatError>,
}

/// The records in the journal, in the order of their names.
pub(crate) fn leftovers(repository: &Repository) -> Result<Vec<Leftover>> {
    let Some(dir) = repository.muse().sub(&fixed(JOURNAL))? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in dir.entries()? {
        let Some(token) = token_of(&entry.name) else { continue };
        let Ok(name) = RelPath::new(entry.name) else { continue };
        let Some(bytes) = dir.read(&name, MAX_ENTRY_BYTES as u64)? else { continue };
        found.push(Leftover { name, token, intent: decode(&bytes) });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// `push-<token>-<n>.json`.
pub(crate) fn token_of(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let (token, number) = name.strip_prefix("push-")?.strip_suffix(".json")?.split_once('-')?;
    let hex = token.len() == 8 && token.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    (hex && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then(|| token.to_owned())
}

/// Finishes or takes back what dead verbs left, and removes what has expired. The caller holds the lock on the working
/// tree.
pub(crate) fn recover(stash: Stash<'_>, progress: &dyn Progress) -> Result<()> {
    recover_pushes(stash, progress)?;
    crate::undo::recover::recover(stash, progress)?;
    if let Some(age) = stash.repository.settings().undo_expire {
        UndoLog::new(stash.repository).expire(age, progress)?;
    }
    Ok(())
}

fn recover_pushes(stash: Stash<'_>, progress: &dyn Progress) -> Result<()> {
    stem_fs::collect_leftovers(&stash.repository.tmp_dir()?);
    if let Some(work) = stash.repository.work()? {
        let tmp = stash.repository.tmp_for(&work)?;
        stem_fs::collect_leftovers(&tmp);
        collect_asides(&tmp, &Sheltered::new(stash.repository, stash.store), progress)?;
        if let Some(_note) = stash.repository.was_restoring()? {
            // Wherever they are: an entry may have files where no walk of newer Muse goes.
            walk(&work, &Scope::default(), &Rules::Reference)?.remove_leftovers(&work);
        }
    }
    let leftovers = leftovers(stash.repository)?;
    if leftovers.is_empty() {
        return Ok(());
    }
    let work = stash.repository.ensure_work()?;
    let _note = stash.repository.note_restoring()?;
    let barrier = Barrier::new(&work)?;
    let tmp = stash.repository.tmp_for(&work)?;
    let mut stack = Stack::open(stash.repository)?;
    let mut done = Vec::new();
    for leftover in leftovers {
        let intent = match leftover.intent {
            Ok(intent) => intent,
            Err(error) => {
                progress.warn(&format!(
                    "an interrupted push left a record that cannot be read, .muse/{JOURNAL}/{}: {error}. It is left there",
                    leftover.name
                ));
                continue;
            }
        };
        let ending = format!("-{}.json", leftover.token);
        let mut slots = stack.slots()?.into_iter();
        let slot = slots.find(|slot| slot.name.as_bytes().ends_with(ending.as_bytes()));
        let recovery = Recovery { stash, work: &work, tmp: &tmp, barrier: &barrier, progress };
        match (slot, intent.kind) {
            // Of an entry that cannot be read nobody knows what it saved, and so nothing goes.
            (Some(slot), _) => match stack.find(&slot) {
                Ok(Some(entry)) => recovery.finish(&intent, &entry.manifest)?,
                Ok(None) | Err(Error::UnreadableEntry { .. }) => {}
                Err(error) => return Err(error),
            },
            (None, IntentKind::Clear) => {}
            (None, IntentKind::Adopt) => recovery.undo(intent, &mut stack)?,
        }
        done.push(leftover.name);
    }
    barrier.flush()?;
    if let Some(dir) = stash.repository.muse().sub(&fixed(JOURNAL))? {
        for name in &done {
            dir.remove_file(name)?;
        }
        dir.sync()?;
    }
    Ok(())
}

/// As [`recover`], unless another process is changing the working tree, which will have recovered first.
pub(crate) fn recover_if_idle(stash: Stash<'_>, progress: &dyn Progress) -> Result<()> {
    match stash.repository.try_lock(LockName::WorkTree)? {
        Some(_lock) => recover(stash, progress),
        None => Ok(()),
    }
}

/// Whether a verb died and waits for recovery; for verbs that only read.
pub(crate) fn is_interrupted(repository: &Repository) -> Result<bool> {
    let push = !leftovers(repository)?.is_empty() && repository.try_lock(LockName::WorkTree)?.is_some();
    Ok(push || crate::undo::recover::is_interrupted(repository)?)
}

pub(crate) struct Recovery<'a> {
    pub(crate) stash: Stash<'a>,
    pub(crate) work: &'a Dir,
    pub(crate) tmp: &'a Dir,
    pub(crate) barrier: &'a Barrier,
    pub(crate) progress: &'a dyn Progress,
}

impl Recovery<'_> {
    fn restorer(&self) -> Restorer<'_> {
        Restorer { work: self.work, store: self.stash.store, barrier: self.barrier }
    }

    /// The push has no entry: its files come back. They are copied, because others may refer to the objects by now.
    /// What cannot come back, because there is no room or its path was used again, becomes an entry.
    pub(crate) fn undo(&self, intent: Intent, stack: &mut Stack<'_>) -> Result<()> {
        let (returned, stuck, why) = match self.copy_back(&intent) {
            Ok((returned, stuck)) => (returned, stuck, "their paths are in use again"),
            Err(error) if is_no_space(&error) => {
                (0, (0..intent.entry.manifest.len()).collect(), "there is no room")
            }
            Err(error) => return Err(error),
        };
        if returned > 0 {
            let message = "a push was interrupted before it was done: files back in the working tree";
            self.progress.warn(&format!("{message}: {returned}"));
        }
        if stuck.is_empty() {
            return Ok(());
        }
        let entry = only(intent.entry, &stuck)?;
        let make = |stash_id, stamp: Stamp| {
            let created_at = PyStr::from(stamp.to_iso().as_str());
            StashEntry { stash_id, created_at, message: PyStr::from("interrupted push"), ..entry }
        };
        let entry = stack.push(new_token(), make, self.progress)?;
        self.progress.warn(&format!(
            "a push was interrupted, and {} of its files cannot come back because {why}: they are in {}",
            stuck.len(),
            entry.stash_id
        ));
        Ok(())
    }

    /// Brings files back to their paths. Returns how many were brought, and the indices of those that are in the store
    /// but cannot come back.
    fn copy_back(&self, intent: &Intent) -> Result<(usize, Vec<usize>)> {
        let restorer = self.restorer();
        let (mut returned, mut stuck) = (0, Vec::new());
        for (index, (path, id)) in intent.entry.manifest.iter().enumerate() {
            // What never got as far as the store is still in the working tree, or somebody else removed it.
            if self.stash.store.stat(id)?.is_none() {
                continue;
            }
            remove_remains(self.work, self.tmp, path, self.stash.store, id)?;
            let was_absent = self.work.stat(path).is_ok_and(|found| found.is_none());
            let target = Target { record: intent.entry.file(index).copied(), ..Target::of_object(path, *id) };
            match restorer.restore(&target, self.progress)? {
                Ok(_) => returned += usize::from(was_absent),
                Err(_) => stuck.push(index),
            }
        }
        Ok((returned, stuck))
    }

    /// The push has its entry: what it saved goes, and HEAD's files come. A record names what was to be saved; what was
    /// saved is what the entry names, for a file may have been busy, or out of reach, when its turn came.
    fn finish(&self, intent: &Intent, saved: &Manifest) -> Result<()> {
        let restorer = self.restorer();
        let algorithm = self.stash.store.capabilities().algorithm;
        let mut changed = 0;
        for (path, id) in intent.entry.manifest.iter() {
            let Ok(Some(stat)) = self.work.stat(path) else { continue };
            if intent.head.get(path) == Some(id) || saved.get(path) != Some(id) || !self.is_whole(id)? {
                continue;
            }
            // Nothing is believed of the time before: the bytes decide.
            let leaving = Leaving { path, stat: &stat, id, algorithm, leased: false };
            if let Ok(aside) = move_aside(self.work, self.tmp, leaving)? {
                changed += 1;
                restorer.removed(path);
                if let Err((path, reason)) = aside.remove(self.work, self.tmp)? {
                    self.progress.warn(&format!("'{path}' of an interrupted push: {reason}"));
                }
            }
        }
        for (path, id) in intent.head.iter() {
            remove_remains(self.work, self.tmp, path, self.stash.store, id)?;
            if self.work.stat(path).map_or(true, |found| found.is_some()) {
                continue;
            }
            if restorer.restore(&Target::of_object(path, *id), self.progress)?.is_ok() {
                changed += 1;
            }
        }
        if changed > 0 {
            self.progress.warn(&format!("an interrupted push was finished: {changed} files brought to HEAD"));
        }
        Ok(())
    }

    /// Whether the store gives back the object, every byte of it.
    fn is_whole(&self, id: &ObjectId) -> Result<bool> {
        let Some(mut object) = self.stash.store.open(id)? else { return Ok(false) };
        Ok(std::io::copy(&mut object, &mut std::io::sink()).is_ok())
    }
}

/// The entry with these files alone.
fn only(entry: StashEntry, indices: &[usize]) -> Result<StashEntry> {
    let records = indices.iter().filter_map(|&index| entry.file(index).copied()).collect();
    let rows = entry.manifest.as_slice();
    let rows = indices.iter().filter_map(|&index| rows.get(index).cloned()).collect();
    let manifest = Manifest::new(rows).map_err(|e| Error::InvalidInput(e.to_string()))?;
    let stem = entry.stem.as_ref().map(|stem| StemRecord { files: records, ..stem.clone() });
    Ok(StashEntry { manifest, stem, ..entry })
}

/// A random token for a push.
pub(crate) fn new_token() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}
