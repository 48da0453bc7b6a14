//! The tier as a store: which of the two is asked, in which order.
//!
//! Objects move from the cache to the slower store and, when fetched, back, and are never taken from the slower store
//! before the cache has lost them: asking the cache and then the slower store finds what is there.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutFile, PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage,
    Tidied, TidyOptions, Verified,
};

use super::fetch::Fetched;
use super::state::Alone;
use super::{Inner, Tiered};
use crate::target::empty;
use crate::union::{List, list_once};

/// How often the cache is asked again after a fetch; what is evicted in between is read where it is.
const LOOKS: usize = 2;

/// A reader of the cache, which remembers that it found damage.
struct Cached {
    reader: Box<dyn ObjectRead>,
    inner: Arc<Inner>,
    id: ObjectId,
}

impl Read for Cached {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.inner.suspect(&self.id);
            }
        })
    }
}

#[deny(clippy::missing_trait_methods)]
impl ObjectRead for Cached {
    fn len(&self) -> u64 {
        self.reader.len()
    }

    fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }
}

fn is_about_the_copy(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io)
}

impl Tiered {
    /// Asks the cache, for which the object is fetched where it is missing or damaged, and else the slower store. `again` is
    /// told whether something was tried before.
    fn read<T>(
        &self,
        id: &ObjectId,
        operation: Operation,
        mut ask: impl FnMut(&dyn ObjectStore, bool) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let inner = &*self.inner;
        if inner.suspect.lock().contains(id) {
            inner.heal(id);
        }
        let mut tried = false;
        for _ in 0..LOOKS {
            match ask(&*inner.cache, tried) {
                Ok(Some(found)) => {
                    inner.touch(id);
                    return Ok(Some(found));
                }
                Ok(None) => {}
                Err(error) if is_about_the_copy(&error) && !tried => {
                    tried = true;
                    if inner.heal(id) {
                        continue;
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
            match inner.fetch(id)? {
                Fetched::Cached => {}
                Fetched::Around => break,
                Fetched::Absent => return Ok(None),
            }
        }
        inner.remote.ask(operation, Some(id), |remote| ask(&**remote, true))
    }

    fn known(&self, stat: ObjectStat) -> ObjectStat {
        ObjectStat { metadata: stat.metadata.filter(|_| self.inner.capabilities.keeps_metadata), ..stat }
    }
}

#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Tiered {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        let found = match self.inner.cache.stat(id)? {
            None => self.inner.remote.ask(Operation::Stat, Some(id), |remote| remote.stat(id))?,
            found => found,
        };
        Ok(found.map(|stat| self.known(stat)))
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        let opened = self.read(id, Operation::Read, |store, _| store.open(id))?;
        let inner = Arc::clone(&self.inner);
        Ok(opened.map(|reader| Box::new(Cached { reader, inner, id: *id }) as _))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.read(id, Operation::ReadRange, |store, _| store.read_range(id, offset, buf))
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.inner.begin_put()?;
        let put = self.inner.cache.put(source, options).inspect_err(|error| self.inner.put_failed(error))?;
        self.inner.put_done(&put.digest.id, put.digest.len, options.durability)?;
        if options.durability == stem_store::Durability::Immediate {
            self.wake();
        }
        Ok(put)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        let inner = &*self.inner;
        let here: List<'_> = &|part, visit| inner.cache.list(part, visit);
        let there: List<'_> =
            &|part, visit| inner.remote.ask(Operation::List, None, |remote| remote.list(part, visit));
        list_once(prefix, &[here, there], visit)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()?;
        if self.inner.relied.swap(false, Ordering::AcqRel) {
            let synced = self.inner.remote.ask(Operation::Sync, None, ObjectStore::sync);
            synced.inspect_err(|_| self.inner.relied.store(true, Ordering::Release))?;
        }
        self.wake();
        Ok(())
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        let mut found = self.inner.cache.stat_many(ids)?;
        let open: Vec<usize> =
            (0..ids.len()).filter(|&at| found.get(at).is_some_and(Option::is_none)).collect();
        if !open.is_empty() {
            let missing: Vec<ObjectId> = open.iter().filter_map(|&at| ids.get(at).copied()).collect();
            let one = missing.first();
            let stats = self.inner.remote.ask(Operation::Stat, one, |remote| remote.stat_many(&missing))?;
            for (at, stat) in open.into_iter().zip(stats) {
                if let Some(place) = found.get_mut(at) {
                    *place = stat;
                }
            }
        }
        Ok(found.into_iter().map(|stat| stat.map(|stat| self.known(stat))).collect())
    }

    /// What waits to be sent will be there; else the store behind the cache has to have it, for the cache evicts.
    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        let inner = &*self.inner;
        let mut there: Vec<bool> = {
            let (queued, puts) = (inner.state.queued()?, inner.puts.lock());
            ids.iter().map(|id| puts.pending.contains_key(id) || queued.contains_key(id)).collect()
        };
        let open: Vec<usize> = (0..ids.len()).filter(|&at| there.get(at) == Some(&false)).collect();
        if open.is_empty() {
            return Ok(there);
        }
        let asked: Vec<ObjectId> = open.iter().filter_map(|&at| ids.get(at).copied()).collect();
        match inner.remote.ask(Operation::Stat, asked.first(), |remote| remote.rely_on(&asked)) {
            Ok(found) => {
                if found.contains(&true) {
                    inner.relied.store(true, Ordering::Release);
                }
                for (at, found) in open.into_iter().zip(found) {
                    if let Some(place) = there.get_mut(at) {
                        *place = found;
                    }
                }
                Ok(there)
            }
            // It is put once more, and looked for when it is sent.
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(there),
            Err(error) => Err(error),
        }
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.inner.begin_put()?;
        let source = FileSource { take: false, ..*source };
        let put =
            self.inner.cache.put_file(&source, options).inspect_err(|error| self.inner.put_failed(error))?;
        self.inner.put_done(&put.digest.id, put.digest.len, options.durability)?;
        if options.durability == stem_store::Durability::Immediate {
            self.wake();
        }
        Ok(put)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.read(id, Operation::Restore, |store, again| {
            if again {
                empty(target, store.name(), id)?;
            }
            store.restore_file(id, target, options)
        })
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.inner.cache.storage_order(ids)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Maintain for Tiered {
    /// Looks at every copy; damaged when one of them is.
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        let here = self.inner.cache.verify(id)?;
        let there = self.inner.remote.ask(Operation::Verify, Some(id), |remote| remote.verify(id))?;
        match (here, there) {
            // What waits to be sent replaces what is there.
            (Some(Verified::Sound { size }), Some(Verified::Damaged { .. })) if self.inner.waits(id)? => {
                Ok(Some(Verified::Sound { size }))
            }
            (Some(Verified::Damaged { reason }), _) => {
                Ok(Some(Verified::Damaged { reason: format!("the copy in the cache: {reason}") }))
            }
            (_, Some(Verified::Damaged { reason })) => {
                Ok(Some(Verified::Damaged { reason: format!("the copy behind the cache: {reason}") }))
            }
            (here, there) => Ok(here.or(there)),
        }
    }

    /// Removes every copy, the slower store's first: what is not there cannot be fetched while it goes from the cache.
    fn remove(&self, id: &ObjectId) -> Result<bool> {
        let inner = &*self.inner;
        // Nobody sends it, nobody fetches it.
        let _sending = inner.state.alone(Alone::Upload)?;
        let _fetching = (inner.hold_fetches(id), inner.state.fetching(id)?);
        let there = inner.remote.ask(Operation::Remove, Some(id), |remote| remote.remove(id))?;
        let here = inner.cache.remove(id)?;
        inner.unqueue(id)?;
        Ok(here || there)
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.inner.remote.ask(Operation::Remove, None, |remote| remote.needs_only(ids))
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.inner.remote.ask(Operation::Remove, None, |remote| remote.entrust(ids))
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        let one = self.inner.cache.repack(options)?;
        let other = self.inner.remote.ask(Operation::Repack, None, |remote| remote.repack(options))?;
        Ok(Repacked {
            packs: (one.packs.0 + other.packs.0, one.packs.1 + other.packs.1),
            bytes: (one.bytes.0 + other.bytes.0, one.bytes.1 + other.bytes.1),
            rewritten: one.rewritten + other.rewritten,
        })
    }

    /// What is kept for good; the cache is a copy.
    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.inner.remote.ask(Operation::List, None, Maintain::stored_bytes)
    }

    /// Which of the copies it should be nobody can say.
    fn quarantine(&self, id: &ObjectId, _into: &Dir, _name: &RelPath) -> Result<bool> {
        Err(Error::new(ErrorKind::Unsupported, Operation::Remove, self.name()).with_id(id).with_reason(
            "a cache and the store behind it cannot put an object aside together; name one of them",
        ))
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.inner.cache.check_structure(found)?;
        self.inner.remote.ask(Operation::Verify, None, |remote| remote.check_structure(found))
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        let one = self.inner.cache.tidy(options)?;
        let other = self.inner.remote.ask(Operation::Remove, None, |remote| remote.tidy(options))?;
        Ok(Tidied { files: one.files + other.files, bytes: one.bytes + other.bytes })
    }
}
