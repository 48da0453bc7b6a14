//! What callers get on top of every store.

use std::io::Read;
use std::ops::ControlFlow;

use stem_hash::{IdPrefix, ObjectId};

use crate::error::{Error, ErrorKind, Operation, Result};
use crate::options::{Put, PutOptions};
use crate::store::ObjectStore;

/// Conveniences for callers; every store has them.
pub trait ObjectStoreExt: ObjectStore {
    /// Stores these bytes, durably.
    fn put_bytes(&self, bytes: &[u8]) -> Result<Put> {
        let mut bytes = bytes;
        self.put(&mut bytes, &PutOptions::default())
    }

    /// The object's bytes, verified, if there are at most `limit` of them; more are an error of kind
    /// [`ErrorKind::InvalidInput`], and no more is ever reserved.
    fn get(&self, id: &ObjectId, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some(mut reader) = self.open(id)? else { return Ok(None) };
        let len = reader.len();
        let too_large = || {
            Error::new(ErrorKind::InvalidInput, Operation::Read, self.name())
                .with_id(id)
                .with_reason(format!("it has {len} bytes, more than the {limit} that were asked for"))
        };
        if len > limit {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let room = usize::try_from(len).map_err(|_| too_large())?;
        bytes.try_reserve_exact(room).map_err(|error| too_large().with_source(error))?;
        match reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(Error::from_reader(error)
                .unwrap_or_else(|error| Error::from_io(Operation::Read, self.name(), error).with_id(id))),
        }
    }

    /// Whether the object is there. Its bytes are not looked at.
    fn contains(&self, id: &ObjectId) -> Result<bool> {
        Ok(self.stat(id)?.is_some())
    }

    /// All ids with this prefix, sorted. Memory grows with their number: for whole stores use
    /// [`list`](ObjectStore::list).
    fn ids(&self, prefix: &IdPrefix) -> Result<Vec<ObjectId>> {
        let mut ids = Vec::new();
        self.list(prefix, &mut |id| {
            ids.push(id);
            ControlFlow::Continue(())
        })?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// Copies one object into another store, verified on the way out and on the way in. `None`: there is no such object.
    ///
    /// The other store must make its ids the same way ([`ErrorKind::Unsupported`] otherwise): under another id nobody
    /// would find it.
    fn copy_to(&self, other: &dyn ObjectStore, id: &ObjectId, options: &PutOptions) -> Result<Option<Put>> {
        let (ours, theirs) = (self.capabilities().algorithm, other.capabilities().algorithm);
        if ours != theirs {
            return Err(Error::new(ErrorKind::Unsupported, Operation::Put, other.name())
                .with_id(id)
                .with_reason(format!("its ids are {theirs}, those of '{}' are {ours}", self.name())));
        }
        let Some(mut reader) = self.open(id)? else { return Ok(None) };
        let metadata = match options.metadata {
            None => self.stat(id)?.and_then(|stat| stat.metadata),
            given => given,
        };
        other.put(&mut reader, &PutOptions { expected: Some(*id), metadata, ..*options }).map(Some)
    }
}

impl<S: ObjectStore + ?Sized> ObjectStoreExt for S {}
