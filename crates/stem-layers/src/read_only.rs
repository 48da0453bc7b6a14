//! A store that cannot be changed through this handle.
//!
//! A type rather than a flag in each backend: whoever is handed a `ReadOnly` can be sure without reading the backend.

use std::io::Read;
use std::ops::ControlFlow;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutFile, PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage,
    Tidied, TidyOptions, Verified,
};

/// Passes reads on and refuses everything else with [`ErrorKind::ReadOnly`].
#[derive(Debug)]
pub struct ReadOnly<S>(S);

impl<S: ObjectStore> ReadOnly<S> {
    /// Guards this store.
    pub fn new(inner: S) -> Self {
        Self(inner)
    }

    fn refused(&self, operation: Operation) -> Error {
        Error::new(ErrorKind::ReadOnly, operation, self.0.name())
            .with_reason("the store was opened for reading only")
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for ReadOnly<S> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { adopts_files: false, ..self.0.capabilities() }
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.0.stat(id)
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.0.open(id)
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.0.read_range(id, offset, buf)
    }

    fn put(&self, _source: &mut dyn Read, _options: &PutOptions) -> Result<Put> {
        Err(self.refused(Operation::Put))
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        self.0.list(prefix, visit)
    }

    /// Nothing was put, so there is nothing to make durable.
    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.0.stat_many(ids)
    }

    /// Nothing is kept for whoever may not write.
    fn rely_on(&self, _ids: &[ObjectId]) -> Result<Vec<bool>> {
        Err(self.refused(Operation::Put))
    }

    fn put_file(&self, _source: &FileSource<'_>, _options: &PutOptions) -> Result<PutFile> {
        Err(self.refused(Operation::Put))
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.0.restore_file(id, target, options)
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.0.storage_order(ids)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Maintain> Maintain for ReadOnly<S> {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        self.0.verify(id)
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        Err(self.refused(Operation::Remove).with_id(id))
    }

    fn needs_only(&self, _ids: &[ObjectId]) -> Result<()> {
        Err(self.refused(Operation::Remove))
    }

    fn entrust(&self, _ids: &[ObjectId]) -> Result<()> {
        Err(self.refused(Operation::Remove))
    }

    fn repack(&self, _options: &RepackOptions<'_>) -> Result<Repacked> {
        Err(self.refused(Operation::Repack))
    }

    /// Counts; nothing is ever removed.
    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.0.stored_bytes()
    }

    fn quarantine(&self, id: &ObjectId, _into: &Dir, _name: &RelPath) -> Result<bool> {
        Err(self.refused(Operation::Remove).with_id(id))
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.0.check_structure(found)
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        if options.dry_run { self.0.tidy(options) } else { Err(self.refused(Operation::Remove)) }
    }
}
