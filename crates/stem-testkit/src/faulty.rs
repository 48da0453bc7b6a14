//! A store that fails on demand, for testing what stands on stores.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::PoisonError;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutFile, PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage,
    Tidied, TidyOptions, Verified,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This call, counted from 0, fails with this kind before the store behind it hears of it. A put fails after it has
    /// read some of its source.
    Call(u64, ErrorKind),
    /// From this call on every one fails.
    From(u64, ErrorKind),
}

/// Wraps a store, counts the calls, and fails where it is told to. Readers that it opens give few bytes at a time.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    fault: Option<Fault>,
}

impl<S: ObjectStore> FaultyStore<S> {
    /// A wrapper without faults.
    pub fn new(inner: S) -> Self {
        Self { inner, state: Mutex::default() }
    }

    /// Sets the fault and counts from 0 again.
    pub fn set(&self, fault: Option<Fault>) {
        *self.state() = State { calls: 0, fault };
    }

    /// Calls since the last [`set`](Self::set).
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The store behind it.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, operation: Operation) -> Result<()> {
        let mut state = self.state();
        let number = state.calls;
        state.calls += 1;
        match state.fault {
            Some(Fault::Call(n, kind)) if n == number => Err(self.error(kind, operation)),
            Some(Fault::From(n, kind)) if n <= number => Err(self.error(kind, operation)),
            _ => Ok(()),
        }
    }

    fn error(&self, kind: ErrorKind, operation: Operation) -> Error {
        Error::new(kind, operation, self.inner.name()).with_reason("a fault was injected")
    }
}

/// Gives at most a few bytes per call, as sockets and pipes do.
struct Trickle {
    inner: Box<dyn ObjectRead>,
    step: usize,
}

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.step = self.step % 4093 + 1;
        let room = buf.len().min(self.step);
        self.inner.read(&mut buf[..room])
    }
}

impl ObjectRead for Trickle {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for FaultyStore<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.call(Operation::Stat)?;
        self.inner.stat(id)
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.call(Operation::Read)?;
        let opened = self.inner.open(id)?;
        Ok(opened.map(|inner| Box::new(Trickle { inner, step: 0 }) as _))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.call(Operation::ReadRange)?;
        self.inner.read_range(id, offset, buf)
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.call(Operation::Put).inspect_err(|_| {
            // A store that runs full has taken some of the source; whoever tries again with the same reader learns it.
            let _ = source.read(&mut [0; 16]);
        })?;
        self.inner.put(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        self.call(Operation::List)?;
        self.inner.list(prefix, visit)
    }

    fn sync(&self) -> Result<()> {
        self.call(Operation::Sync)?;
        self.inner.sync()
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.call(Operation::Stat)?;
        self.inner.stat_many(ids)
    }

    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        self.call(Operation::Stat)?;
        self.inner.rely_on(ids)
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.call(Operation::Put)?;
        self.inner.put_file(source, options)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.call(Operation::Restore)?;
        self.inner.restore_file(id, target, options)
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.call(Operation::Stat)?;
        self.inner.storage_order(ids)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Maintain> Maintain for FaultyStore<S> {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        self.call(Operation::Verify)?;
        self.inner.verify(id)
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.call(Operation::Remove)?;
        self.inner.remove(id)
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.call(Operation::Remove)?;
        self.inner.needs_only(ids)
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.call(Operation::Remove)?;
        self.inner.entrust(ids)
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        self.call(Operation::Repack)?;
        self.inner.repack(options)
    }

    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        self.call(Operation::Remove)?;
        self.inner.quarantine(id, into, name)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.call(Operation::Verify)?;
        self.inner.check_structure(found)
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.inner.stored_bytes()
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        self.call(Operation::Remove)?;
        self.inner.tidy(options)
    }
}
