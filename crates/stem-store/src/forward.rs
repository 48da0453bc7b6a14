//! Pointers to stores are stores.
#![deny(clippy::missing_trait_methods)]

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use stem_fs::TempFile;
use stem_hash::{IdPrefix, ObjectId};

use crate::error::Result;
use crate::file::{FileSource, PutFile};
use crate::maintain::{Maintain, Verified};
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
        }

        impl<S: Maintain + ?Sized> Maintain for $pointer {
            fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
                (**self).verify(id)
            }
            fn remove(&self, id: &ObjectId) -> Result<bool> {
                (**self).remove(id)
            }
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);
