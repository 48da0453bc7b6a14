//! Pointers to stores are stores.
#![deny(clippy::missing_trait_methods)]

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};

use crate::error::Result;
use crate::file::{FileSource, PutFile};
use crate::maintain::{Maintain, RepackOptions, Repacked, StructureDamage, Tidied, TidyOptions, Verified};
use crate::options::{Put, PutOptions, RestoreOptions, Restored};
use crate::reader::ObjectRead;
use crate::store::{Capabilities, ObjectStat, ObjectStore};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: ObjectStore + ?Sized> ObjectStore for $pointer {
            fn name(&self) -> &str {
                (**self).name()
            }
            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
            fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
                (**self).stat(id)
            }
            fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
                (**self).open(id)
            }
            fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
                (**self).read_range(id, offset, buf)
            }
            fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
                (**self).put(source, options)
            }
            fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
                (**self).list(prefix, visit)
            }
            fn sync(&self) -> Result<()> {
                (**self).sync()
            }
            fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
                (**self).stat_many(ids)
            }
            fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
                (**self).rely_on(ids)
            }
            fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
                (**self).put_file(source, options)
            }
            fn restore_file(
                &self,
                id: &ObjectId,
                target: &mut TempFile,
                options: &RestoreOptions<'_>,
            ) -> Result<Option<Restored>> {
                (**self).restore_file(id, target, options)
            }
            fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
                (**self).storage_order(ids)
            }
        }

        impl<S: Maintain + ?Sized> Maintain for $pointer {
            fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
                (**self).verify(id)
            }
            fn remove(&self, id: &ObjectId) -> Result<bool> {
                (**self).remove(id)
            }
            fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
                (**self).needs_only(ids)
            }
            fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
                (**self).entrust(ids)
            }
            fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
                (**self).repack(options)
            }
            fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
                (**self).quarantine(id, into, name)
            }
            fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
                (**self).check_structure(found)
            }
            fn stored_bytes(&self) -> Result<Option<u64>> {
                (**self).stored_bytes()
            }
            fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
                (**self).tidy(options)
            }
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);
