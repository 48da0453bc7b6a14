//! What callers say when they store and restore, and what they are told.

use std::ops::ControlFlow;

use stem_fs::{CopyMethod, Stat, Timestamp};
use stem_hash::{Checksum, Digest, ObjectId};

/// Is called with the number of bytes handled since the last call; [`ControlFlow::Break`] stops the operation, which
/// then fails with [`crate::ErrorKind::Interrupted`] and leaves nothing behind.
pub type Progress<'a> = &'a (dyn Fn(u64) -> ControlFlow<()> + Sync);

/// When an object has to survive power loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// When `put` returns.
    #[default]
    Immediate,
    /// When the next [`crate::ObjectStore::sync`] of the same handle returns; until then other handles and processes
    /// need not see it. Any number of objects then costs a constant number of flushes.
    AtSync,
}

/// What a file has beside its bytes and that a store keeps if its [`crate::Capabilities`] say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileMetadata {
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// Last change of the bytes.
    pub mtime: Timestamp,
}

impl From<&Stat> for FileMetadata {
    fn from(stat: &Stat) -> Self {
        Self { mode: stat.mode, mtime: stat.mtime }
    }
}

/// How to store an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PutOptions {
    /// The id that the bytes must have; other bytes are not stored.
    pub expected: Option<ObjectId>,
    /// When the object has to survive power loss.
    pub durability: Durability,
    /// Kept with an object that is new; an object that is already there keeps its own. A file that is put brings its
    /// own when this is `None`.
    pub metadata: Option<FileMetadata>,
    /// Whether [`Digest::checksum`] is wanted in the answer.
    pub checksum: bool,
}

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// The object was not there before.
    New,
    /// The object was there, and its bytes were found whole.
    Present,
    /// Something was under its name (damaged, or not looked at) and was replaced by the fresh bytes.
    Replaced,
}

/// The answer to a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// Id, length and, if asked for, checksum of the bytes that are stored.
    pub digest: Digest,
    /// What was done.
    pub written: Written,
}

/// How far a restored file is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Not at all. A store that cannot read without checking checks nevertheless.
    No,
    /// By its id.
    #[default]
    Id,
    /// By this checksum of the same bytes, which is several times faster than an id; if it disagrees, the id decides.
    Checksum(Checksum),
}

/// How to write an object into a file.
#[derive(Clone, Copy, Default)]
pub struct RestoreOptions<'a> {
    /// How far to check it.
    pub verify: Verify,
    /// Told of the bytes written.
    pub progress: Option<Progress<'a>>,
}

impl std::fmt::Debug for RestoreOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreOptions").field("verify", &self.verify).finish_non_exhaustive()
    }
}

/// The answer to a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Bytes in the file.
    pub len: u64,
    /// How they came there.
    pub method: CopyMethod,
    /// Whether they are known to be the object's.
    pub verified: bool,
}
