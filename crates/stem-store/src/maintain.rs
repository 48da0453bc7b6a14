//! What only whoever looks after a store may do.

use std::fmt;
use std::path::PathBuf;

use stem_fs::{Dir, RelPath, Timestamp};
use stem_hash::ObjectId;

use crate::error::{Error, ErrorKind, Operation, Result};
use crate::options::Progress;
use crate::store::ObjectStore;

/// What looking at every byte of an object showed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verified {
    /// The bytes have the id.
    Sound {
        /// How many there are.
        size: u64,
    },
    /// They do not, or there is something under the object's name that is no object.
    Damaged {
        /// What is wrong, for people.
        reason: String,
    },
}

impl Verified {
    /// Whether the object is whole.
    pub fn is_sound(&self) -> bool {
        matches!(self, Self::Sound { .. })
    }
}

/// How to compact a store.
#[derive(Clone, Copy, Default)]
pub struct RepackOptions<'a> {
    /// Write everything anew, also where nothing is gained in space. Records are copied as they are.
    pub all: bool,
    /// Told of the stored bytes handled; may stop the work, which then leaves the store as good as it was.
    pub progress: Option<Progress<'a>>,
}

impl fmt::Debug for RepackOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepackOptions").field("all", &self.all).finish_non_exhaustive()
    }
}

/// What compacting a store did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repacked {
    /// Pack files before and after.
    pub packs: (u64, u64),
    /// Their bytes before and after.
    pub bytes: (u64, u64),
    /// Objects that were written anew.
    pub rewritten: u64,
}

/// Something wrong with a store that is not the bytes of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructureDamage {
    /// The file or directory concerned, if it is one.
    pub path: Option<PathBuf>,
    /// What is wrong, for people.
    pub reason: String,
}

/// Which temporary files to collect.
#[derive(Debug, Clone, Copy)]
pub struct TidyOptions {
    /// Files that do not tell whose they are go when they were last touched before this, by a time that no program sets
    /// (ctime). Those of a process that is gone go whatever their age.
    pub before: Timestamp,
    /// Only count.
    pub dry_run: bool,
}

/// Temporary files that were collected, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tidied {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Verification, deletion and compaction.
///
/// Nothing here knows what is still needed: gc decides that, under the locks that it takes.
pub trait Maintain: ObjectStore {
    /// Reads the whole object and compares. `None`: there is no such object.
    ///
    /// Damage is an answer; an error says that the object could not be looked at.
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>>;

    /// Deletes the object, damaged or not; says whether there was one. The deletion need not survive power loss before
    /// the next [`ObjectStore::sync`].
    fn remove(&self, id: &ObjectId) -> Result<bool>;

    /// This client of the store, which for a repository is the repository, needs exactly these objects: what it published as needed
    /// before counts no more. Nothing is removed; whoever collects the store compares what all of its clients need. A store that has one
    /// owner, who removes what is not needed, does nothing, which is the default.
    ///
    /// Only for whoever keeps every handle of this client from storing meanwhile.
    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        let _ = ids;
        Ok(())
    }

    /// Something else says by now that these objects, sorted, are needed, as a stash entry in the store does: what this handle published of
    /// them alone counts no more. What it published together with others stays. Where nothing is published nothing is done, which
    /// is the default.
    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        let _ = ids;
        Ok(())
    }

    /// Gives back the space of what was removed, and joins what is scattered. What is there stays there at every instant,
    /// also when this is interrupted, and readers need not stop. A store that has nothing to compact says so by doing
    /// nothing, which is the default.
    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        let _ = options;
        Ok(Repacked::default())
    }

    /// Takes whatever stands under the object's name, sound or not, out of the store and gives it the name `name` in the
    /// directory `into`, durably: nothing is lost, and nobody trusts it any more. `false`: there was nothing. What is
    /// there afterwards are the bytes as they were stored, or as much of them as can be read.
    ///
    /// A store that cannot do that, which is the default, fails with [`ErrorKind::Unsupported`].
    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        let _ = (into, name);
        Err(Error::new(ErrorKind::Unsupported, Operation::Remove, self.name())
            .with_id(id)
            .with_reason("this store cannot put a damaged object aside"))
    }

    /// Looks at everything beside the objects' own bytes: the records of packs, directories, indices. `found` is called
    /// for each thing that is wrong. By default there is nothing else.
    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        let _ = found;
        Ok(())
    }

    /// Bytes that the objects take where they are kept, with all that is kept to find them; `None`, by default, where that
    /// is not known without looking at every object.
    fn stored_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Removes temporary files that nobody will finish. By default there are none.
    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        let _ = options;
        Ok(Tidied::default())
    }
}
