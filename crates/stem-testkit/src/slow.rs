//! A store far away: every request takes a while, and is counted.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutFile, PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage,
    Tidied, TidyOptions, Verified,
};

/// Requests so far, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    /// Lookups, of one object or many.
    pub stat: u64,
    /// Objects opened, restored, or read in part.
    pub read: u64,
    /// Objects put.
    pub put: u64,
    /// Listings.
    pub list: u64,
    /// Syncs.
    pub sync: u64,
    /// Everything else.
    pub other: u64,
}

/// Wraps a store, waits before each request, counts it, and can be cut off.
#[derive(Debug)]
pub struct SlowStore<S> {
    inner: S,
    delay: Duration,
    offline: AtomicBool,
    counts: [AtomicU64; 6],
}

const STAT: usize = 0;
const READ: usize = 1;
const PUT: usize = 2;
const LIST: usize = 3;
const SYNC: usize = 4;
const OTHER: usize = 5;

impl<S: ObjectStore> SlowStore<S> {
    /// Each request takes so long.
    pub fn new(inner: S, delay: Duration) -> Self {
        Self { inner, delay, offline: AtomicBool::new(false), counts: Default::default() }
    }

    /// The store behind it.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Whether every request fails with [`ErrorKind::Unavailable`] from now on.
    pub fn set_offline(&self, offline: bool) {
        self.offline.store(offline, Ordering::SeqCst);
    }

    /// The requests so far, those that failed included.
    pub fn requests(&self) -> Requests {
        let count = |kind: usize| self.counts[kind].load(Ordering::SeqCst);
        Requests {
            stat: count(STAT),
            read: count(READ),
            put: count(PUT),
            list: count(LIST),
            sync: count(SYNC),
            other: count(OTHER),
        }
    }

    fn request(&self, kind: usize, operation: Operation) -> Result<()> {
        self.counts[kind].fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(self.delay);
        if self.offline.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, operation, self.inner.name())
                .with_reason("the line was cut"));
        }
        Ok(())
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for SlowStore<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.request(STAT, Operation::Stat)?;
        self.inner.stat(id)
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.request(READ, Operation::Read)?;
        self.inner.open(id)
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.request(READ, Operation::ReadRange)?;
        self.inner.read_range(id, offset, buf)
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.request(PUT, Operation::Put)?;
        self.inner.put(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        self.request(LIST, Operation::List)?;
        self.inner.list(prefix, visit)
    }

    fn sync(&self) -> Result<()> {
        self.request(SYNC, Operation::Sync)?;
        self.inner.sync()
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.request(STAT, Operation::Stat)?;
        self.inner.stat_many(ids)
    }

    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        self.request(STAT, Operation::Stat)?;
        self.inner.rely_on(ids)
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.request(PUT, Operation::Put)?;
        self.inner.put_file(source, options)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.request(READ, Operation::Restore)?;
        self.inner.restore_file(id, target, options)
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.inner.storage_order(ids)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Maintain> Maintain for SlowStore<S> {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        self.request(OTHER, Operation::Verify)?;
        self.inner.verify(id)
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.request(OTHER, Operation::Remove)?;
        self.inner.remove(id)
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.request(OTHER, Operation::Remove)?;
        self.inner.needs_only(ids)
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.request(OTHER, Operation::Remove)?;
        self.inner.entrust(ids)
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        self.request(OTHER, Operation::Repack)?;
        self.inner.repack(options)
    }

    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        self.request(OTHER, Operation::Remove)?;
        self.inner.quarantine(id, into, name)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.request(OTHER, Operation::Verify)?;
        self.inner.check_structure(found)
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.request(OTHER, Operation::List)?;
        self.inner.stored_bytes()
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        self.request(OTHER, Operation::Remove)?;
        self.inner.tidy(options)
    }
}
