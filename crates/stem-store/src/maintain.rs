//! What only whoever looks after a store may do.

use stem_hash::ObjectId;

use crate::error::Result;
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

/// Verification and deletion.
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
}
