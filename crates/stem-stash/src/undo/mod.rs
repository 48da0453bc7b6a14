//! The undo journal: what verbs changed, so that they can be reverted; `docs/format/undo.md`.
//!
//! Records are never changed: where the user stands in the history follows from their order ([`history`]). A mark in a
//! record was rejected, for it would have to be changed twice in one step, here and in the working tree.

pub(crate) mod held;
pub(crate) mod history;
pub(crate) mod recover;
pub(crate) mod shelter;

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stem_fs::{Dir, Publish, RelPath};
use stem_hash::ObjectId;

use crate::error::{Error, Result};
use crate::format::entry::{MAX_ENTRY_BYTES, decode as decode_entry};
use crate::format::muse::decode_muse_element;
use crate::format::stamp::Stamp;
use crate::format::undo::{MAX_UNDO_BYTES, PEEK_BYTES, Peek, UndoId, UndoRecord, decode, encode, peek};
use crate::progress::Progress;
use crate::repo::{Repository, fixed};
use crate::shelf;

/// Where the records lie, below `.muse`.
const JOURNAL: &str = "stem/journal";
/// Where the bytes lie that no object held.
pub(crate) const SAVED: &str = "stem/undo/saved";
/// Where the entries lie that were taken off the stack.
pub(crate) const HELD: &str = "stem/undo/held";

/// What was given back to the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Records removed.
    pub records: usize,
    /// Saved files and entries removed, which no record names any more.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// The journal of a repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UndoLog<'r> {
    repository: &'r Repository,
}

/// A record whose verb is at work.
#[derive(Debug)]
pub(crate) struct OpenRecord {
    dir: Dir,
    tmp: Dir,
    id: UndoId,
    record: UndoRecord,
}

/// A record that cannot be read, for people.
pub(crate) fn unreadable(path: &std::path::Path, why: &dyn std::fmt::Display) -> String {
    format!("a record of the undo journal cannot be read, '{}': {why}. It is left there", path.display())
}

impl<'r> UndoLog<'r> {
    pub(crate) fn new(repository: &'r Repository) -> Self {
        Self { repository }
    }

    fn dir(&self) -> Result<Option<Dir>> {
        Ok(self.repository.muse().sub(&fixed(JOURNAL))?)
    }

    /// The ids of all records, oldest first, and whether their verbs had not ended.
    pub(crate) fn ids(&self) -> Result<Vec<(UndoId, bool)>> {
        let Some(dir) = self.dir()? else { return Ok(Vec::new()) };
        let mut ids: Vec<_> =
            dir.entries()?.iter().filter_map(|entry| UndoId::from_file_name(&entry.name)).collect();
        ids.sort_unstable();
        // A record that ended by being written anew, with its removal undone by a power cut: the closed one, which
        // sorts first, counts.
        Ok(ids)
    }

    /// The ids of records whose verbs did not end.
    pub(crate) fn open_ids(&self) -> Result<Vec<UndoId>> {
        Ok(self.ids()?.into_iter().filter(|(_, open)| *open).map(|(id, _)| id).collect())
    }

    /// The record, what is wrong with it, or `None` when it is gone.
    pub(crate) fn read(&self, id: &UndoId, open: bool) -> Result<Option<UndoRecord>> {
        let Some(dir) = self.dir()? else { return Ok(None) };
        let name = file_name(id, open)?;
        let Some(bytes) = dir.read(&name, MAX_UNDO_BYTES as u64)? else { return Ok(None) };
        let damaged = |source| Error::BadRepositoryFile { path: dir.full(&name), source };
        decode(&bytes).map(Some).map_err(damaged)
    }

    /// The beginning of a record that has ended; `None` when it is gone or is no record.
    fn peek(dir: &Dir, id: &UndoId) -> Result<Option<Peek>> {
        let Some(file) = dir.open_file(&file_name(id, false)?)? else { return Ok(None) };
        let mut start = [0; PEEK_BYTES];
        let mut filled = 0;
        while filled < start.len() {
            match file.read_at(&mut start[filled..], filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(stem_fs::Error::new("read", file.path(), error).into()),
            }
        }
        Ok(peek(&start[..filled]))
    }

    /// Writes a record. With `now` it is durable when this returns; else its bytes are, and its name is with the next
    /// sync of the directory.
    pub(crate) fn begin(&self, token: u32, mut record: UndoRecord, now: bool) -> Result<OpenRecord> {
        record.sort();
        let bytes =
            encode(&record).map_err(|e| Error::InvalidInput(format!("this cannot be undone: {e}")))?;
        let dir = self.repository.muse().ensure_dir(&fixed(JOURNAL))?;
        let newest = self.ids()?.last().and_then(|(id, _)| id.stamp());
        let id = UndoId::new(later_than(newest)?, token);
        let tmp = self.repository.tmp_dir()?;
        let name = file_name(&id, true)?;
        if now {
            dir.write_durable(&name, &bytes, &tmp, Publish::New)?;
        } else {
            use std::io::Write as _;
            let mut temp = tmp.temp_file(0o600)?;
            temp.write_all(&bytes).map_err(|e| stem_fs::Error::new("write", temp.path(), e))?;
            temp.sync()?;
            temp.persist(&dir, &name, Publish::New)?;
        }
        Ok(OpenRecord { dir, tmp, id, record })
    }

    /// A record whose verb died.
    fn resume(&self, id: UndoId, record: UndoRecord) -> Result<OpenRecord> {
        let dir = self.repository.muse().ensure_dir(&fixed(JOURNAL))?;
        Ok(OpenRecord { dir, tmp: self.repository.tmp_dir()?, id, record })
    }

    /// Removes records that are older than `age`, and then what no record names. The caller holds the lock on the
    /// working tree.
    pub(crate) fn expire(&self, age: Duration, progress: &dyn Progress) -> Result<Expired> {
        let mut expired = Expired::default();
        let Some(dir) = self.dir()? else { return Ok(expired) };
        let limit = now_micros().saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let is_old = |id: &UndoId| age.is_zero() || id.stamp().is_some_and(|at| at.as_micros() < limit);
        for (id, open) in self.ids()? {
            if !open && is_old(&id) {
                expired.records += usize::from(dir.remove_file(&file_name(&id, false)?)?);
            }
        }
        if expired.records > 0 {
            dir.sync()?;
            self.sweep(&mut expired, progress)?;
        }
        Ok(expired)
    }

    /// Removes saved files and held entries that no record names, unless a record cannot be read.
    fn sweep(&self, expired: &mut Expired, progress: &dyn Progress) -> Result<()> {
        let muse = self.repository.muse();
        // The folders are listed before the records are read: what a verb holds now is named by a record that is there
        // already.
        let _alone =
            self.repository.lock(crate::repo::LockName::Stack, stem_fs::LockKind::Exclusive, progress)?;
        let mut found = Vec::new();
        for folder in [SAVED, HELD] {
            let Some(dir) = muse.sub(&fixed(folder))? else { continue };
            for entry in dir.entries()? {
                if let Ok(name) = RelPath::new(entry.name) {
                    found.push((dir.clone(), name));
                }
            }
        }
        let mut entries: HashSet<Vec<u8>> = HashSet::new();
        let mut named: HashSet<Vec<u8>> = HashSet::new();
        for (id, open) in self.ids()? {
            match self.read(&id, open) {
                Ok(Some(record)) => {
                    named.extend(record.objects().map(|id| id.to_string().into_bytes()));
                    named.extend(record.entries.iter().map(|entry| entry.held.as_bytes().to_vec()));
                    entries.extend(record.entries.iter().map(|entry| entry.file.as_bytes().to_vec()));
                }
                Ok(None) => {}
                Err(error) => {
                    progress.warn(&format!("{error}. Nothing that it may need is removed"));
                    return Ok(());
                }
            }
        }
        found.retain(|(_, name)| !named.contains(name.as_bytes()));
        found.extend(shelf::forgotten_sides(self.repository, &entries)?);
        for (dir, name) in found {
            let size = dir.stat(&name)?.map_or(0, |stat| stat.size);
            if dir.remove_file(&name)? {
                expired.files += 1;
                expired.bytes += size;
            }
        }
        Ok(())
    }

    /// Every object that a record needs from the store, sorted. A record that cannot be read is an error.
    pub(crate) fn roots(&self) -> Result<Vec<ObjectId>> {
        let muse = self.repository.muse();
        let held = muse.sub(&fixed(HELD))?;
        let mut roots = HashSet::new();
        for (id, open) in self.ids()? {
            let Some(record) = self.read(&id, open)? else { continue };
            roots.extend(record.objects());
            for entry in &record.entries {
                let Some(dir) = &held else { continue };
                if shelf::is_held_element(&entry.held) {
                    let Some(text) = shelf::read_held(dir, &entry.held)? else { continue };
                    let damaged = |source| Error::BadRepositoryFile { path: dir.full(&entry.held), source };
                    let stashed = decode_muse_element(&text).read.map_err(damaged)?;
                    roots.extend(stashed.manifest.iter().map(|(_, id)| *id));
                    continue;
                }
                let Some(bytes) = dir.read(&entry.held, MAX_ENTRY_BYTES as u64)? else { continue };
                let damaged = |source| Error::BadRepositoryFile { path: dir.full(&entry.held), source };
                let entry = decode_entry(&bytes).map_err(damaged)?;
                roots.extend(entry.manifest.iter().map(|(_, id)| *id));
            }
        }
        let mut roots: Vec<ObjectId> = roots.into_iter().collect();
        roots.sort_unstable();
        Ok(roots)
    }
}

impl OpenRecord {
    pub(crate) fn record(&self) -> &UndoRecord {
        &self.record
    }

    /// The verb has ended and did what the record says, or else what `actual` says.
    pub(crate) fn close(self, actual: Option<UndoRecord>) -> Result<UndoId> {
        let (open, closed) = (file_name(&self.id, true)?, file_name(&self.id, false)?);
        match actual {
            Some(mut actual) if actual != self.record => {
                actual.sort();
                let bytes = encode(&actual).map_err(|e| Error::InvalidInput(e.to_string()))?;
                self.dir.write_durable(&closed, &bytes, &self.tmp, Publish::Replace)?;
                self.dir.remove_file(&open)?;
            }
            _ => self.dir.rename(&open, &self.dir, &closed, Publish::Replace)?,
        }
        self.dir.sync()?;
        Ok(self.id)
    }

    /// What the record says was not done, or was taken back.
    pub(crate) fn discard(self) -> Result<()> {
        self.dir.remove_file(&file_name(&self.id, true)?)?;
        self.dir.sync()?;
        Ok(())
    }
}

fn file_name(id: &UndoId, open: bool) -> Result<RelPath> {
    RelPath::new(id.file_name(open)).map_err(|e| Error::InvalidInput(e.to_string()))
}

pub(crate) fn now_micros() -> i64 {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// The time of a new record: now, or a microsecond after the newest.
fn later_than(newest: Option<Stamp>) -> Result<Stamp> {
    let now = Stamp::from_micros(now_micros())
        .map_err(|e| Error::InvalidInput(format!("the system's clock cannot be used: {e}")))?;
    match newest {
        Some(newest) if newest >= now => newest.next().ok_or_else(|| {
            Error::Refused("the newest record of the undo journal is from the end of time: remove it".into())
        }),
        _ => Ok(now),
    }
}
