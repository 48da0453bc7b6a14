//! The trait that backends implement.

use std::fmt::Debug;
use std::io::Read;
use std::ops::ControlFlow;

use stem_fs::{TempFile, Timestamp};
use stem_hash::{Algorithm, IdPrefix, ObjectId};

use crate::defaults;
use crate::error::Result;
use crate::file::{FileSource, PutFile};
use crate::options::{FileMetadata, Put, PutOptions, RestoreOptions, Restored};
use crate::reader::ObjectRead;

/// What a store can do beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// What makes the ids of this store.
    pub algorithm: Algorithm,
    /// Whether [`ObjectStore::read_range`] never returns damaged bytes.
    pub verified_ranges: bool,
    /// Whether permission bits and mtime are kept with an object.
    pub keeps_metadata: bool,
    /// Whether [`FileSource::take`] can be honoured: files become objects by rename.
    pub adopts_files: bool,
}

/// What a store knows of an object without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectStat {
    /// Size in bytes.
    pub size: u64,
    /// Permission bits and mtime, if the store keeps them.
    pub metadata: Option<FileMetadata>,
    /// When the store got it, or later, by a clock that no program sets (the ctime of a file, never its mtime); `None`
    /// where nobody knows.
    pub since: Option<Timestamp>,
}

/// A set of immutable objects named by the hash of their bytes.
///
/// # Contract
///
/// Absence is `None`, never an error. A *handle* is one value of the implementing type (and what was cloned from it).
///
/// 1. **Atomic.** An object is there whole or not at all, whatever happens to the process, the machine or the source:
///    a put that fails (source error, wrong expected id, no space) leaves nothing that any method shows. One that fails
///    behind the rename that publishes (a flush of the directory) may leave the whole object, for taking back what others
///    may have seen already would be worse.
/// 2. **True.** A read that reaches the object's end hashes to the id or fails with
///    [`Corrupt`](crate::ErrorKind::Corrupt) in place of its last bytes. A range is verified where
///    [`Capabilities::verified_ranges`] says so. [`restore_file`](Self::restore_file) may be told to skip it.
/// 3. **Durable.** What was put with [`Immediate`](crate::Durability::Immediate) survives power loss once `put`
///    returned, everything else put through the handle once [`sync`](Self::sync) returned; also objects that a put found
///    present. No object's name becomes durable before its bytes. A sync that fails gives up what was put with
///    [`AtSync`](crate::Durability::AtSync) since the last one that did not, and no later sync of that handle succeeds (nor does
///    one after an `Immediate` put whose own flush failed):
///    what a system said about a flush once, it does not say again. Open another handle and put again.
///    One failure of a sync says more: with [`Lost`](crate::ErrorKind::Lost) everything is durable but objects that were found present, or
///    relied on, and are gone. Syncs fail so until those were put again; then the next one can succeed.
/// 4. **Visible.** Once `put` returned, every reader of the handle sees the object; every other handle and process too,
///    with `AtSync` once `sync` returned.
/// 5. **Idempotent.** A second put of the same bytes leaves one whole object. What is there is rehashed or replaced by
///    the fresh bytes before `put` returns, so that the caller may remove its own copy: a rotten object of the same
///    size never passes for a good one.
/// 6. **Bounded.** Memory does not grow with the size of objects (a store in memory holds its objects, nothing more),
///    and no size or offset is 32-bit.
/// 7. **Concurrent.** Any number of threads and, where a store outlives its process, of processes may do anything at
///    once. Callbacks are called without a lock held and may use the store.
///
/// One exception to 1 and 3, asked for by the caller: a file that is *adopted* ([`FileSource::take`]) with `AtSync` gets
/// its object name at once, because its lease ends soon; until the next sync power loss may tear it as it may tear any
/// file that was just written. Whoever adopts keeps a durable note of what, and looks at those objects after a crash.
///
/// Dropping a handle without `sync` gives up what was put with `AtSync`.
///
/// # Errors
///
/// Every method fails with an [`Error`](crate::Error) whose kind says what can be done; no method panics.
///
/// # Implementing
///
/// The defaults of the last five methods are correct for every store; an override changes only speed. Run
/// `stem_testkit::conformance_suite!` over the backend, and over every stack that it appears in.
pub trait ObjectStore: Debug + Send + Sync {
    /// The store as its user knows it: its URL, without secrets. Errors carry it.
    fn name(&self) -> &str;

    /// What this store can do. Constant for a handle.
    fn capabilities(&self) -> Capabilities;

    /// Whether the object is there, and how large it is. Its bytes are not looked at.
    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>>;

    /// Reads the object from its beginning, verified at its end.
    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>>;

    /// Fills `buf` with the bytes from `offset` on and says how many: fewer than fit only where the object ends, 0 at
    /// or after its end.
    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>>;

    /// Stores everything that `source` gives.
    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put>;

    /// Calls `visit` once for every object whose id begins with `prefix`, in no particular order, until it breaks. An
    /// object that is put or removed meanwhile may or may not be visited.
    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()>;

    /// Makes everything that was put through this handle durable, and visible everywhere.
    fn sync(&self) -> Result<()>;

    /// [`stat`](Self::stat) for many ids; the answers stand in their order.
    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        ids.iter().map(|id| self.stat(id)).collect()
    }

    /// Which of these objects are there to be relied on, so that they need not be put; in the order of `ids`. From the next
    /// [`sync`](Self::sync) on those are kept as if they had been put through this handle. Their bytes are not looked at.
    ///
    /// To ask [`stat`](Self::stat) is not enough before somebody counts on an object: in a store that other machines use too it may be about
    /// to go.
    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        Ok(self.stat_many(ids)?.iter().map(Option::is_some).collect())
    }

    /// Stores a file's bytes, by the cheapest way that the store has.
    ///
    /// What is stored is what was hashed, also if the file changes meanwhile: compare the digest. The source keeps its
    /// name unless it is adopted.
    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        defaults::put_file(self, source, options)
    }

    /// Writes the object into `target`, which must be empty. After an error its content is unspecified.
    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        defaults::restore_file(self, id, target, options)
    }

    /// The order in which reading these objects costs least, as positions in `ids`: each exactly once. An object that is
    /// not there has a place like any other. By default the order that was given.
    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        Ok((0..ids.len()).collect())
    }
}
