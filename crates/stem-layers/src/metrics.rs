//! Counting what passes.
//!
//! Plain atomics, read together in a [`Snapshot`]: an exporter for any monitoring system is a loop over it, and no crate
//! of such a system is needed here. The numbers of one snapshot may be a call apart from each other.
//!
//! Each call is an event of `tracing` besides (level `TRACE`, `DEBUG` when it failed; target `stem_layers::metrics`), for
//! whoever wants to see which one was slow.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Put, PutFile, PutOptions,
    RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage, Tidied, TidyOptions,
    Verified,
};

/// Number of classes of latency in [`Measured::latencies`].
pub const BUCKETS: usize = 32;

/// Counts calls, bytes and time of a store.
#[derive(Debug)]
pub struct Metrics<S> {
    inner: S,
    meters: Arc<Meters>,
}

#[derive(Debug, Default)]
struct Meters {
    stat: Meter,
    open: Meter,
    read: Meter,
    read_range: Meter,
    put: Meter,
    restore: Meter,
    list: Meter,
    sync: Meter,
    verify: Meter,
    remove: Meter,
    repack: Meter,
}

#[derive(Debug, Default)]
struct Meter {
    calls: AtomicU64,
    failures: AtomicU64,
    absent: AtomicU64,
    bytes: AtomicU64,
    nanos: AtomicU64,
    slowest: AtomicU64,
    latencies: [AtomicU64; BUCKETS],
}

/// What one kind of call did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// How often it was called.
    pub calls: u64,
    /// How often it failed.
    pub failures: u64,
    /// How often the answer was that there is no such object (of lookups of many at once: how many were not there).
    pub absent: u64,
    /// Object bytes that passed.
    pub bytes: u64,
    /// Time spent, all threads together.
    pub busy: Duration,
    /// The longest call.
    pub slowest: Duration,
    /// How many calls took less than 1, 2, 4, 8 … microseconds (and no less than the class before says); the last
    /// class has no upper bound.
    pub latencies: [u64; BUCKETS],
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Lookups without reading, one by one or many at once.
    pub stat: Measured,
    /// Objects opened.
    pub open: Measured,
    /// Reads of opened objects.
    pub read: Measured,
    /// Reads of ranges.
    pub read_range: Measured,
    /// Objects put, as streams and as files.
    pub put: Measured,
    /// Objects restored into files.
    pub restore: Measured,
    /// Listings.
    pub list: Measured,
    /// Syncs.
    pub sync: Measured,
    /// Verifications.
    pub verify: Measured,
    /// Removals.
    pub remove: Measured,
    /// Compactions.
    pub repack: Measured,
}

impl Snapshot {
    /// The counters with their names.
    pub fn each(&self) -> [(&'static str, Measured); 11] {
        [
            ("stat", self.stat),
            ("open", self.open),
            ("read", self.read),
            ("read_range", self.read_range),
            ("put", self.put),
            ("restore", self.restore),
            ("list", self.list),
            ("sync", self.sync),
            ("verify", self.verify),
            ("remove", self.remove),
            ("repack", self.repack),
        ]
    }
}

/// Which class a latency belongs to.
fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    // 0 µs: class 0; 1: class 1; 2 and 3: class 2; …
    let class = u64::BITS - micros.leading_zeros();
    usize::try_from(class).map_or(BUCKETS - 1, |class| class.min(BUCKETS - 1))
}

impl Meter {
    /// Makes a call; `seen` says how many bytes passed and how many objects were not there.
    fn call<T, E: std::fmt::Display>(
        &self,
        store: &str,
        name: &'static str,
        call: impl FnOnce() -> std::result::Result<T, E>,
        seen: impl FnOnce(&T) -> (u64, u64),
    ) -> std::result::Result<T, E> {
        let started = Instant::now();
        let result = call();
        let time = started.elapsed();
        let add = |counter: &AtomicU64, n: u64| counter.fetch_add(n, Ordering::Relaxed);
        add(&self.calls, 1);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        match &result {
            Ok(value) => {
                let (bytes, absent) = seen(value);
                tracing::trace!(store, call = name, micros, bytes, absent);
                add(&self.bytes, bytes);
                add(&self.absent, absent);
            }
            Err(error) => {
                tracing::debug!(store, call = name, micros, %error);
                add(&self.failures, 1);
            }
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        add(&self.nanos, nanos);
        self.slowest.fetch_max(nanos, Ordering::Relaxed);
        add(&self.latencies[bucket(time)], 1);
        result
    }

    fn snapshot(&self) -> Measured {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Measured {
            calls: get(&self.calls),
            failures: get(&self.failures),
            absent: get(&self.absent),
            bytes: get(&self.bytes),
            busy: Duration::from_nanos(get(&self.nanos)),
            slowest: Duration::from_nanos(get(&self.slowest)),
            latencies: std::array::from_fn(|class| get(&self.latencies[class])),
        }
    }
}

impl<S: ObjectStore> Metrics<S> {
    /// Counts what passes through this store, from zero.
    pub fn new(inner: S) -> Self {
        Self { inner, meters: Arc::default() }
    }

    /// The store behind it.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let meters = &*self.meters;
        Snapshot {
            stat: meters.stat.snapshot(),
            open: meters.open.snapshot(),
            read: meters.read.snapshot(),
            read_range: meters.read_range.snapshot(),
            put: meters.put.snapshot(),
            restore: meters.restore.snapshot(),
            list: meters.list.snapshot(),
            sync: meters.sync.snapshot(),
            verify: meters.verify.snapshot(),
            remove: meters.remove.snapshot(),
            repack: meters.repack.snapshot(),
        }
    }
}

/// Counts the reads of an opened object.
struct Counted {
    inner: Box<dyn ObjectRead>,
    store: Arc<str>,
    meters: Arc<Meters>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.meters.read.call(&self.store, "read", || self.inner.read(buf), |&n| (n as u64, 0))
    }
}

#[deny(clippy::missing_trait_methods)]
impl ObjectRead for Counted {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

#[expect(clippy::ref_option, reason = "it is what a call answered")]
fn absent<T>(found: &Option<T>) -> (u64, u64) {
    (0, u64::from(found.is_none()))
}

#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for Metrics<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.meters.stat.call(self.inner.name(), "stat", || self.inner.stat(id), absent)
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        let opened = self.meters.open.call(self.inner.name(), "open", || self.inner.open(id), absent)?;
        let store = || Arc::from(self.inner.name());
        Ok(opened.map(|inner| Box::new(Counted { inner, store: store(), meters: self.meters.clone() }) as _))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.meters.read_range.call(
            self.inner.name(),
            "read_range",
            || self.inner.read_range(id, offset, buf),
            |found| found.map_or((0, 1), |n| (n as u64, 0)),
        )
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.meters.put.call(
            self.inner.name(),
            "put",
            || self.inner.put(source, options),
            |put| (put.digest.len, 0),
        )
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        self.meters.list.call(self.inner.name(), "list", || self.inner.list(prefix, visit), |()| (0, 0))
    }

    fn sync(&self) -> Result<()> {
        self.meters.sync.call(self.inner.name(), "sync", || self.inner.sync(), |()| (0, 0))
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.meters.stat.call(
            self.inner.name(),
            "stat",
            || self.inner.stat_many(ids),
            |found| (0, found.iter().filter(|stat| stat.is_none()).count() as u64),
        )
    }

    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        self.meters.stat.call(
            self.inner.name(),
            "stat",
            || self.inner.rely_on(ids),
            |found| (0, found.iter().filter(|there| !**there).count() as u64),
        )
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.meters.put.call(
            self.inner.name(),
            "put",
            || self.inner.put_file(source, options),
            |put| (put.digest.len, 0),
        )
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.meters.restore.call(
            self.inner.name(),
            "restore",
            || self.inner.restore_file(id, target, options),
            |found| found.as_ref().map_or((0, 1), |restored| (restored.len, 0)),
        )
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.inner.storage_order(ids)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Maintain> Maintain for Metrics<S> {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        let bytes = |found: &Option<Verified>| match found {
            Some(Verified::Sound { size }) => (*size, 0),
            Some(Verified::Damaged { .. }) => (0, 0),
            None => (0, 1),
        };
        self.meters.verify.call(self.inner.name(), "verify", || self.inner.verify(id), bytes)
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.meters.remove.call(
            self.inner.name(),
            "remove",
            || self.inner.remove(id),
            |&there| (0, u64::from(!there)),
        )
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.inner.needs_only(ids)
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.inner.entrust(ids)
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        self.meters.repack.call(
            self.inner.name(),
            "repack",
            || self.inner.repack(options),
            |done| (done.bytes.1, 0),
        )
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.inner.stored_bytes()
    }

    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        self.inner.quarantine(id, into, name)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.inner.check_structure(found)
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        self.inner.tidy(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_classes_of_powers_of_two() {
        let class = |micros| bucket(Duration::from_micros(micros));
        assert_eq!([0, 1, 2, 3, 4, 1023, 1024].map(class), [0, 1, 2, 2, 3, 10, 11]);
        assert_eq!(class(u64::MAX), BUCKETS - 1);
    }
}
