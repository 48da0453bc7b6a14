//! The seam between what wants objects kept and what keeps them.
//!
//! [`ObjectStore`] is what a backend implements: small, synchronous, object-safe, with a numbered contract in its
//! documentation that `stem-testkit` tests clause by clause. [`ObjectStoreExt`] is what callers get on top for free.
//! Deletion and verification stand apart in [`Maintain`], so that a reader of the engine can be handed a store that it
//! cannot shrink. [`MemoryStore`] is the smallest complete backend.
//!
//! Rejected: an asynchronous trait (every local backend would pay for a runtime that only remote ones need; those keep
//! one inside), returning whole objects as buffers (stems are gigabytes), and absence as an error (callers ask for
//! absent objects all day, and an error that is no error gets swallowed together with real ones).
//!
//! For whoever writes a backend: [`VerifyingReader`] makes `open` keep its promise, [`copy_verified`] does the same for
//! `restore_file`, [`with_buffer`] lends the one reused buffer.

mod buffer;
mod copy;
mod defaults;
mod error;
mod ext;
mod file;
mod forward;
mod maintain;
mod memory;
mod options;
mod reader;
mod store;

pub use buffer::{BUFFER_LEN, with_buffer};
pub use copy::{CopyFailure, CopyJob, copy_file, copy_verified, verify_copy};
pub use error::{Error, ErrorKind, Operation, Result};
pub use ext::ObjectStoreExt;
pub use file::{FileReader, FileSource, PutFile, PutMethod, Stopped};
pub use maintain::{Maintain, RepackOptions, Repacked, StructureDamage, Tidied, TidyOptions, Verified};
pub use memory::MemoryStore;
pub use options::{
    Durability, FileMetadata, Progress, Put, PutOptions, RestoreOptions, Restored, Verify, Written,
};
pub use reader::{ObjectRead, VerifyingReader};
pub use store::{Capabilities, ObjectStat, ObjectStore};
