//! What the suite needs of a store beside its trait.

use std::io::Read;
use std::path::Path;

use stem_fs::{Dir, TempFile};
use stem_hash::{Algorithm, Digest, ObjectId};
use stem_store::{Durability, Error, ErrorKind, Maintain, Put, PutOptions, Result};

use crate::source::digest;

/// Makes stores to test.
pub trait Factory {
    /// A fresh, empty store.
    fn create(&self) -> Box<dyn Subject>;

    /// A handle on the store at this [`Subject::location`], in another process.
    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        unreachable!("no subject gave the location {location}")
    }
}

/// How stored bytes are spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// One bit in the middle changes; the size stays.
    Flip,
    /// The second half is gone.
    Truncate,
    /// A byte too many.
    Grow,
}

impl Damage {
    /// Spoils these bytes.
    pub fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip => {
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 0x10;
                }
            }
            Self::Truncate => bytes.truncate(bytes.len() / 2),
            Self::Grow => bytes.push(0),
        }
    }
}

/// A store under test.
pub trait Subject: Sync {
    /// The handle under test.
    fn store(&self) -> &dyn Maintain;

    /// Another handle on the same store, if it can have one.
    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        None
    }

    /// What another process needs to open the store, if it can.
    fn location(&self) -> Option<String> {
        None
    }

    /// Whether single objects can be removed: not from a store that others share without a lock.
    fn removes(&self) -> bool {
        true
    }

    /// Spoils the stored bytes behind the store's back; `false` when that cannot be done.
    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        let _ = (id, damage);
        false
    }

    /// Places an object under `id` (whose bytes it need not have) of `size` bytes, all 0 but those of `tail` at its end;
    /// `false` when that cannot be done cheaply.
    fn plant(&self, id: &ObjectId, size: u64, tail: &[u8]) -> bool {
        let _ = (id, size, tail);
        false
    }

    /// Drops the handle and fails if anything but the store's layout is left.
    fn finish(self: Box<Self>) {}
}

/// One test's run.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Makes the stores.
    pub factory: &'a dyn Factory,
    /// The name by which the test binary can be told to run this test alone.
    pub test: &'a str,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("test", &self.test).finish_non_exhaustive()
    }
}

/// Options with this durability.
pub(super) fn with(durability: Durability) -> PutOptions {
    PutOptions { durability, ..PutOptions::default() }
}

pub(super) const DURABILITIES: [Durability; 2] = [Durability::Immediate, Durability::AtSync];

pub(super) fn algorithm(store: &dyn Maintain) -> Algorithm {
    store.capabilities().algorithm
}

pub(super) fn digest_for(store: &dyn Maintain, bytes: &[u8]) -> Digest {
    digest(algorithm(store), bytes)
}

pub(super) fn put(store: &dyn Maintain, mut bytes: &[u8], durability: Durability) -> Put {
    store.put(&mut bytes, &with(durability)).unwrap()
}

/// Reads to the end; `None` when the object is absent.
pub(super) fn read(store: &dyn Maintain, id: &ObjectId) -> Result<Option<Vec<u8>>> {
    let Some(mut reader) = store.open(id)? else { return Ok(None) };
    let mut bytes = Vec::new();
    match reader.read_to_end(&mut bytes) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) => Err(Error::from_reader(error).unwrap()),
    }
}

pub(super) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Neither looking up, nor reading, nor listing shows the object.
pub(super) fn assert_absent(store: &dyn Maintain, id: &ObjectId) {
    assert_eq!(store.stat(id).unwrap(), None);
    assert!(store.open(id).unwrap().is_none());
    assert_eq!(store.read_range(id, 0, &mut [0; 8]).unwrap(), None);
    assert_eq!(store.stat_many(&[*id, *id]).unwrap(), [None, None]);
    assert!(list(store).iter().all(|listed| listed != id));
    assert_eq!(store.verify(id).unwrap(), None);
}

/// Every way of looking shows the object, whole.
pub(super) fn assert_whole(store: &dyn Maintain, bytes: &[u8]) {
    let id = digest_for(store, bytes).id;
    assert_eq!(store.stat(&id).unwrap().unwrap().size, bytes.len() as u64);
    assert_eq!(store.stat_many(&[id]).unwrap()[0].unwrap().size, bytes.len() as u64);
    assert!(read(store, &id).unwrap().unwrap() == bytes, "the bytes of {id} differ");
    assert_eq!(store.open(&id).unwrap().unwrap().len(), bytes.len() as u64);
    assert_eq!(list(store).iter().filter(|listed| **listed == id).count(), 1);
    assert!(store.verify(&id).unwrap().unwrap().is_sound());
}

pub(super) fn list(store: &dyn Maintain) -> Vec<ObjectId> {
    let mut ids = Vec::new();
    store
        .list(&stem_hash::IdPrefix::ALL, &mut |id| {
            ids.push(id);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    ids.sort_unstable();
    ids
}

/// A directory for the test's own files.
pub(super) struct Scratch {
    pub(super) dir: Dir,
    _held: tempfile::TempDir,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let held = tempfile::tempdir().unwrap();
        Self { dir: Dir::open(held.path()).unwrap(), _held: held }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn temp(&self) -> TempFile {
        self.dir.temp_file(0o600).unwrap()
    }
}

/// What a temporary file holds.
pub(super) fn content(file: &TempFile) -> Vec<u8> {
    std::fs::read(file.path()).unwrap()
}
