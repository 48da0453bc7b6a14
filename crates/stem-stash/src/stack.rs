//! The stack of entries: files in `.muse/stash` and elements of newer Muse's `.muse/stash.json`, newest first.
//!
//! The order comes from the time in each file's name, which is the entry's own `created_at`; the entry is opened only
//! for names that carry no time. So the stack can be counted and an index resolved without reading megabytes of
//! manifests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stem_fs::{Dir, LockKind, Publish, RelPath};

use crate::error::{Error, Result};
use crate::format::entry::{MAX_ENTRY_BYTES, StashEntry, decode, encode};
use crate::format::stamp::{OrderKey, Stamp, StashId};
use crate::format::undo::EntryChange;
use crate::progress::Progress;
use crate::repo::{LockName, Repository, fixed};
use crate::roots;
use crate::shelf::{self, Shelved};
use crate::undo::held::row;

/// One entry, a file of which is not opened.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Position, 0 = newest.
    pub(crate) index: usize,
    /// The name of the file in `.muse/stash`, or the one that it would have.
    pub(crate) name: RelPath,
    /// The whole path of the file that it is in, for messages.
    pub(crate) path: PathBuf,
    stamp: Option<Stamp>,
    pub(crate) place: Place,
}

/// Where an entry is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In a file of its own.
    File,
    /// In newer Muse's array.
    Shelf(Arc<Shelved>),
    /// It is the whole array, which cannot be read, and why.
    BrokenShelf(String),
}

/// Where a new entry is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutIn {
    /// In a file of its own.
    File,
    /// In newer Muse's array, if that has room.
    Shelf,
}

impl Slot {
    /// The entry's id, which is the name of its file; lossy for a name that no entry of ours could have.
    pub(crate) fn stash_id(&self) -> String {
        let name = self.name.to_string();
        name.strip_suffix(".json").unwrap_or(&name).to_owned()
    }

    fn unreadable(&self, reason: String) -> Error {
        Error::UnreadableEntry { index: self.index, path: self.path.clone(), reason }
    }

    /// The row of an undo record by which the entry leaves the stack, the `n`th of the record with this token; `alone` or
    /// with all others.
    pub(crate) fn leaves(
        &self,
        repository: &Repository,
        token: u32,
        n: usize,
        alone: bool,
    ) -> Result<EntryChange> {
        match &self.place {
            Place::File => row(&self.name, token, n, false, PutIn::File),
            Place::Shelf(shelved) if alone => row(&shelved.goes_as, token, n, false, PutIn::Shelf),
            Place::Shelf(_) => row(&self.name, token, n, false, PutIn::Shelf),
            Place::BrokenShelf(reason) => Err(shelf::unusable(repository, reason.clone())),
        }
    }

    /// `stash@{N}`.
    pub(crate) fn reference(&self) -> String {
        format!("stash@{{{}}}", self.index)
    }
}

/// The stack of a repository.
#[derive(Debug)]
pub(crate) struct Stack<'r> {
    repository: &'r Repository,
    dir: Option<Dir>,
}

impl<'r> Stack<'r> {
    pub(crate) fn open(repository: &'r Repository) -> Result<Self> {
        Ok(Self { repository, dir: repository.muse().sub(&fixed("stash"))? })
    }

    /// Makes the directory of entries where it is missing, and fails where it cannot be used.
    pub(crate) fn prepare(repository: &Repository) -> Result<()> {
        repository.muse().ensure_dir(&fixed("stash"))?.entries()?;
        Ok(())
    }

    /// All entries, newest first.
    pub(crate) fn slots(&self) -> Result<Vec<Slot>> {
        let mut slots = self.shelved()?;
        if let Some(dir) = &self.dir {
            let mut keyed = Vec::new();
            for entry in dir.entries()? {
                if !(entry.name.starts_with(b"stash-") && entry.name.ends_with(b".json")) {
                    continue;
                }
                let Ok(name) = RelPath::new(entry.name) else { continue };
                keyed.push((order_key(dir, &name), name));
            }
            keyed.sort_unstable_by(|a, b| b.cmp(a));
            let file = |(key, name): (OrderKey, RelPath)| Slot {
                index: 0,
                path: dir.full(&name),
                name,
                stamp: key.stamp,
                place: Place::File,
            };
            slots.extend(keyed.into_iter().map(file));
        }
        // Stable: elements that are as old as another stay in the order of the array.
        slots.sort_by_key(|slot| std::cmp::Reverse(slot.stamp));
        for (index, slot) in slots.iter_mut().enumerate() {
            slot.index = index;
        }
        Ok(slots)
    }

    /// What newer Muse's array holds, in its order.
    fn shelved(&self) -> Result<Vec<Slot>> {
        let name = fixed("stash.json");
        let path = self.repository.muse().full(&name);
        match shelf::load(self.repository)? {
            Ok(shelf) => {
                let slot = |shelved: Shelved| Slot {
                    index: 0,
                    name: shelved.name.clone(),
                    path: path.clone(),
                    stamp: shelved.stamp,
                    place: Place::Shelf(Arc::new(shelved)),
                };
                Ok(shelf.elements.into_iter().map(slot).collect())
            }
            Err(reason) => {
                Ok(vec![Slot { index: 0, name, path, stamp: None, place: Place::BrokenShelf(reason) }])
            }
        }
    }

    /// The entry in `slot`.
    pub(crate) fn read(&self, slot: &Slot) -> Result<StashEntry> {
        self.find(slot)?.ok_or_else(|| slot.unreadable("another process dropped it just now".into()))
    }

    /// The entry in `slot`, or `None` when another process dropped it since the slots were read.
    pub(crate) fn find(&self, slot: &Slot) -> Result<Option<StashEntry>> {
        match &slot.place {
            Place::File => {}
            Place::Shelf(shelved) => {
                return shelved.entry(self.repository).map(Some).map_err(|reason| slot.unreadable(reason));
            }
            Place::BrokenShelf(reason) => return Err(shelf::unusable(self.repository, reason.clone())),
        }
        let Some(dir) = &self.dir else { return Ok(None) };
        let bytes = dir
            .read(&slot.name, MAX_ENTRY_BYTES as u64)
            .map_err(|e| slot.unreadable(e.source.to_string()))?;
        let decoded = bytes.map(|bytes| decode(&bytes)).transpose();
        decoded.map_err(|e| slot.unreadable(e.to_string()))
    }

    /// The slot that a user means: `stash@{N}`, `N`, or the beginning of an id.
    pub(crate) fn resolve(&self, reference: &str) -> Result<Slot> {
        let slots = self.slots()?;
        let count = slots.len();
        let inner =
            reference.strip_prefix("stash@{").and_then(|rest| rest.strip_suffix('}')).unwrap_or(reference);
        if !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()) {
            let index = inner.parse().unwrap_or(usize::MAX);
            return slots.into_iter().nth(index).ok_or(Error::NoSuchIndex { index, count });
        }
        let no_such = || Error::NoSuchEntry { reference: reference.to_owned() };
        if reference.len() <= "stash-".len() || !reference.starts_with("stash-") {
            return Err(no_such());
        }
        let mut fitting: Vec<Slot> =
            slots.into_iter().filter(|slot| slot.name.as_bytes().starts_with(reference.as_bytes())).collect();
        let exact = |slot: &Slot| slot.stash_id() == reference;
        match fitting.len() {
            1 => fitting.pop().ok_or_else(no_such),
            0 => Err(no_such()),
            count => fitting
                .into_iter()
                .find(exact)
                .ok_or(Error::AmbiguousEntry { reference: reference.to_owned(), count }),
        }
    }

    /// Adds an entry on top of the stack, durably. Its time is made here, later than the newest entry's even when the
    /// clock was set back, and with it its id, which ends in `token`.
    pub(crate) fn push(
        &mut self,
        token: u32,
        make: impl FnOnce(StashId, Stamp) -> StashEntry,
        progress: &dyn Progress,
    ) -> Result<StashEntry> {
        self.push_after(token, PutIn::File, make, |_, _| Ok(()), progress)
    }

    /// As [`Stack::push`]; `first` is told of the entry, and where it is put, before it is written.
    pub(crate) fn push_after(
        &mut self,
        token: u32,
        into: PutIn,
        make: impl FnOnce(StashId, Stamp) -> StashEntry,
        first: impl FnOnce(&RelPath, PutIn) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<StashEntry> {
        let _lock = self.repository.lock(LockName::Stack, LockKind::Exclusive, progress)?;
        self.push_locked(token, into, make, first, progress)
    }

    /// As [`Stack::push_after`], for whoever holds the lock on the stack.
    pub(crate) fn push_locked(
        &mut self,
        token: u32,
        into: PutIn,
        make: impl FnOnce(StashId, Stamp) -> StashEntry,
        first: impl FnOnce(&RelPath, PutIn) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<StashEntry> {
        let dir = self.repository.muse().ensure_dir(&fixed("stash"))?;
        self.dir = Some(dir.clone());
        let newest = self.slots()?.first().and_then(|slot| slot.stamp);
        let stamp = later_than(newest)?;
        let entry = make(StashId::new(stamp, token), stamp);
        let bytes = encode(&entry).map_err(|e| Error::InvalidInput(e.to_string()))?;
        let name = RelPath::new(entry.stash_id.file_name())
            .map_err(|e| Error::InvalidInput(format!("the entry cannot be named: {e}")))?;
        if into == PutIn::Shelf && shelf::has_room(self.repository, &entry)? {
            shelf::push(self.repository, &entry, &bytes, || first(&name, PutIn::Shelf))?;
            roots::note(self.repository, &entry);
            return Ok(entry);
        }
        if into == PutIn::Shelf {
            progress.warn(&unseen("its stash would get larger than Muse reads"));
        }
        first(&name, PutIn::File)?;
        if let Err(error) = dir.write_durable(&name, &bytes, &self.repository.tmp_dir()?, Publish::New) {
            // It may have its name and not be durable; the push will be undone, so it must not be found.
            let _ = dir.remove_file(&name);
            return Err(error.into());
        }
        roots::note(self.repository, &entry);
        Ok(entry)
    }
}

/// Says that Muse does not know of an entry.
pub(crate) fn unseen(why: &str) -> String {
    format!("Muse itself will not list this entry, because {why}: `stem stash` brings it back")
}

fn order_key(dir: &Dir, name: &RelPath) -> OrderKey {
    let by_name = OrderKey::of_file_name(name.as_bytes());
    if by_name.stamp.is_some() {
        return by_name;
    }
    let entry = dir.read(name, MAX_ENTRY_BYTES as u64).ok().flatten().and_then(|bytes| decode(&bytes).ok());
    OrderKey { stamp: entry.and_then(|entry| entry.created()), ..by_name }
}

/// The time of a new entry: now, or a microsecond after the newest.
fn later_than(newest: Option<Stamp>) -> Result<Stamp> {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let now = Stamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
        .map_err(|e| Error::InvalidInput(format!("the system's clock cannot be used: {e}")))?;
    match newest {
        Some(newest) if newest >= now => newest.next().ok_or_else(|| {
            Error::Refused("the newest entry is from the end of time: drop it, then push again".into())
        }),
        _ => Ok(now),
    }
}
