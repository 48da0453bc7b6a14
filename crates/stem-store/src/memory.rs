//! The smallest complete store: a sorted map behind a lock.
//!
//! For tests, and for programs that want the engine without a disk. Nothing in it survives the process, so "durable"
//! means here what it can mean: nothing. Every other clause of the contract holds.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::RwLock;
use stem_hash::{Algorithm, Hasher, IdPrefix, ObjectId};

use crate::buffer::with_buffer;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::maintain::{Maintain, Verified};
use crate::options::{FileMetadata, Put, PutOptions, Written};
use crate::reader::{ObjectRead, VerifyingReader};
use crate::store::{Capabilities, ObjectStat, ObjectStore};

const NAME: &str = "memory:";

/// A store in memory; it goes when its last owner does.
pub struct MemoryStore {
    algorithm: Algorithm,
    objects: RwLock<BTreeMap<ObjectId, Object>>,
}

#[derive(Clone)]
struct Object {
    bytes: Arc<[u8]>,
    metadata: Option<FileMetadata>,
}

impl Object {
    fn stat(&self) -> ObjectStat {
        ObjectStat { size: self.bytes.len() as u64, metadata: self.metadata, since: None }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, objects: RwLock::default() }
    }

    fn object(&self, id: &ObjectId) -> Option<Object> {
        self.objects.read().get(id).cloned()
    }

    /// Replaces the bytes under an id without looking, as a bad medium would; says whether the object was there. For
    /// tests of what reads them.
    #[doc(hidden)]
    pub fn damage(&self, id: &ObjectId, harm: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut objects = self.objects.write();
        let Some(object) = objects.get_mut(id) else { return false };
        let mut bytes = object.bytes.to_vec();
        harm(&mut bytes);
        object.bytes = bytes.into();
        true
    }

    /// Everything that `source` gives; memory that is not there is an error, not an abort.
    fn collect(source: &mut dyn Read, hasher: &mut Hasher) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        with_buffer(|buffer| {
            loop {
                match source.read(buffer) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        let piece = &buffer[..n.min(buffer.len())];
                        bytes.try_reserve(piece.len()).map_err(|error| {
                            Error::new(ErrorKind::NoSpace, Operation::Put, NAME).with_source(error)
                        })?;
                        bytes.extend_from_slice(piece);
                        hasher.update(piece);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(Error::from_source(NAME, error)),
                }
            }
        })?;
        Ok(bytes)
    }
}

/// A store of SHA-256 ids.
impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Algorithm::default())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("algorithm", &self.algorithm)
            .field("objects", &self.objects.read().len())
            .finish()
    }
}

impl ObjectStore for MemoryStore {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithm: self.algorithm,
            verified_ranges: false,
            keeps_metadata: true,
            adopts_files: false,
        }
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        Ok(self.objects.read().get(id).map(Object::stat))
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        Ok(self.object(id).map(|object| {
            let len = object.bytes.len() as u64;
            Box::new(VerifyingReader::new(Cursor::new(object.bytes), len, id, self.algorithm, NAME)) as _
        }))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        Ok(self.object(id).map(|object| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(object.bytes.len());
            let rest = &object.bytes[start..];
            let n = rest.len().min(buf.len());
            buf[..n].copy_from_slice(&rest[..n]);
            n
        }))
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        let mut hasher = if options.checksum {
            Hasher::with_checksum(self.algorithm)
        } else {
            Hasher::new(self.algorithm)
        };
        let bytes = Self::collect(source, &mut hasher)?;
        let digest = hasher.finish();
        if let Some(expected) = options.expected
            && expected != digest.id
        {
            return Err(Error::wrong_hash(NAME, &expected, &digest.id));
        }
        let mut objects = self.objects.write();
        let written = match objects.get_mut(&digest.id) {
            Some(present) if *present.bytes == *bytes => Written::Present,
            Some(present) => {
                *present = Object { bytes: bytes.into(), metadata: options.metadata };
                Written::Replaced
            }
            None => {
                objects.insert(digest.id, Object { bytes: bytes.into(), metadata: options.metadata });
                Written::New
            }
        };
        Ok(Put { digest, written })
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        // One id at a time, so that no lock is held while the visitor uses the store.
        let range = prefix.range();
        let last = *range.end();
        let mut next = self.objects.read().range(range).next().map(|(id, _)| *id);
        while let Some(id) = next {
            if visit(id).is_break() {
                break;
            }
            let beyond = (std::ops::Bound::Excluded(id), std::ops::Bound::Included(last));
            next = if id < last { self.objects.read().range(beyond).next().map(|(id, _)| *id) } else { None };
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

impl Maintain for MemoryStore {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        Ok(self.object(id).map(|object| {
            let mut hasher = Hasher::new(self.algorithm);
            hasher.update(&object.bytes);
            if hasher.finish().id == *id {
                Verified::Sound { size: object.bytes.len() as u64 }
            } else {
                Verified::Damaged { reason: "its bytes do not hash to its id".to_owned() }
            }
        }))
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        Ok(self.objects.write().remove(id).is_some())
    }
}
