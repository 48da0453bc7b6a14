//! Nothing unverified comes out.
//!
//! A range of a store that does not verify ranges is cut out of a read of the whole object, which is the only thing that
//! its id says anything about. That is slow, and the price of a raw layout; remembering what was verified once was
//! rejected, for a medium that rots after the first look is what one asks this layer about.

use std::io::{self, Read};
use std::ops::ControlFlow;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation, Put, PutFile,
    PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage, Tidied,
    TidyOptions, Verified, Verify, with_buffer,
};

/// Verifies every range and every restored file.
#[derive(Debug)]
pub struct Verifying<S>(S);

impl<S: ObjectStore> Verifying<S> {
    /// Guards this store.
    pub fn new(inner: S) -> Self {
        Self(inner)
    }

    /// Reads the whole object and keeps the part.
    fn cut(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        let Some(mut reader) = self.0.open(id)? else { return Ok(None) };
        let (mut at, mut filled) = (0u64, 0);
        with_buffer(|buffer| {
            loop {
                let n = match reader.read(buffer) {
                    Ok(0) => return Ok(()),
                    Ok(n) => n.min(buffer.len()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(self.unreadable(id, error)),
                };
                // Where the part begins within this piece, if it does not begin after it.
                let skip = offset.saturating_add(filled as u64).saturating_sub(at);
                let piece =
                    usize::try_from(skip).ok().and_then(|skip| buffer[..n].get(skip..)).unwrap_or_default();
                let room = &mut buf[filled..];
                let len = piece.len().min(room.len());
                room[..len].copy_from_slice(&piece[..len]);
                filled += len;
                at += n as u64;
            }
        })?;
        Ok(Some(filled))
    }

    fn unreadable(&self, id: &ObjectId, error: io::Error) -> Error {
        Error::from_reader(error)
            .unwrap_or_else(|error| Error::from_io(Operation::ReadRange, self.0.name(), error).with_id(id))
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for Verifying<S> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { verified_ranges: true, ..self.0.capabilities() }
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.0.stat(id)
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.0.open(id)
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        if self.0.capabilities().verified_ranges {
            self.0.read_range(id, offset, buf)
        } else {
            self.cut(id, offset, buf)
        }
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.0.put(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        self.0.list(prefix, visit)
    }

    fn sync(&self) -> Result<()> {
        self.0.sync()
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.0.stat_many(ids)
    }

    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        self.0.rely_on(ids)
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.0.put_file(source, options)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        let verify = if options.verify == Verify::No { Verify::Id } else { options.verify };
        self.0.restore_file(id, target, &RestoreOptions { verify, ..*options })
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.0.storage_order(ids)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Maintain> Maintain for Verifying<S> {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        self.0.verify(id)
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.0.remove(id)
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.0.needs_only(ids)
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.0.entrust(ids)
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        self.0.repack(options)
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.0.stored_bytes()
    }

    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        self.0.quarantine(id, into, name)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.0.check_structure(found)
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        self.0.tidy(options)
    }
}
