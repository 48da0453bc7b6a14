//! A content-addressed storage engine for audio repositories, and the stash that sits on it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use stemvault::{ApplyOptions, PushOptions, Silent, Vault};
//!
//! # let directory = tempfile::tempdir()?;
//! # let root = directory.path();
//! let vault = Vault::init(root)?;
//! let kick = vault.repository().working_tree().join("tracks/drums/kick.wav");
//! std::fs::create_dir_all(kick.parent().ok_or("no parent")?)?;
//! std::fs::write(&kick, b"RIFF....WAVE")?;
//!
//! let options = PushOptions { message: Some("chorus WIP".into()), ..PushOptions::default() };
//! let pushed = vault.stash().push(&options, &Silent)?;
//! assert_eq!(pushed.files_stashed, 1);
//! assert!(!kick.exists());
//!
//! let pop = ApplyOptions { drop: true, ..ApplyOptions::default() };
//! let popped = vault.stash().apply("stash@{0}", pop, &Silent)?;
//! assert!(popped.dropped);
//! assert_eq!(std::fs::read(&kick)?, b"RIFF....WAVE");
//! # Ok(())
//! # }
//! ```
//!
//! The store alone:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use stemvault::{Base, ObjectStoreExt, open_store};
//!
//! # let directory = tempfile::tempdir()?;
//! let store = open_store(&"sharded:objects".parse()?, Base::Directory(directory.path()))?;
//! let id = store.put_bytes(b"one bar of silence")?.digest.id;
//! assert_eq!(store.get(&id, 1 << 20)?.as_deref(), Some(&b"one bar of silence"[..]));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "remote")]
mod bucket;
mod copy;
mod error;
mod exchange;
mod gc;
mod pack;
mod shelf;
mod vault;
mod verify;
mod versions;

#[cfg(feature = "remote")]
pub use bucket::{bucket_clients, collect_bucket};
pub use copy::{CopiedEntry, CopyOptions, CopyPlace, CopyResult, copy};
pub use error::{Error, Result};
pub use exchange::{
    BundleCompression, ExchangeError, ExportOptions, ExportResult, ImportOptions, ImportResult,
    PARTIAL_SUFFIX,
};
pub use gc::{GcOptions, GcResult};
pub use pack::{Moved, PackingOptions, UnpackingOptions};
pub use shelf::{Shelf, ShelfEntry};
pub use stem_database::SecretText;
pub use stem_fs::{
    CopyMethod, Dir, Error as FsError, FileKind, OpenFile, Publish, RelPath, TempFile, Timestamp,
    available_space, collect_leftovers, open_file_limit, raise_open_file_limit, show_bytes,
};
pub use stem_hash::{Algorithm, Checksum, Digest, HashOptions, Hasher, IdPrefix, ObjectId, hash_reader};
pub use stem_layers::{
    Metrics, Mirror, Overlay, ReadOnly, Retry, RetryPolicy, TierOptions, Tiered, Verifying, Waiting, Writing,
};
pub use stem_odb::backends;
pub use stem_odb::gc::Unneeded;
pub use stem_odb::verify::BadObject;
#[cfg(feature = "remote")]
pub use stem_remote::{ClientNeeds, CollectOptions, Collected, Tally, stop_when as stop_remote_when};

pub use stem_odb::{
    AnyStore, Base, Config, Remotes, StoreUrl, hide_passwords, is_remote, open_existing, open_store,
    parse_age,
};
pub use stem_stash::Error as StashError;
pub use stem_stash::*;
pub use stem_store::{
    Capabilities, Durability, FileMetadata, FileSource, Maintain, MemoryStore, ObjectRead, ObjectStat,
    ObjectStore, ObjectStoreExt, Put, PutFile, PutMethod, PutOptions, RepackOptions, Repacked,
    RestoreOptions, Restored, Verified, Verify, VerifyingReader, Written, copy_verified,
};
pub use vault::{DatabaseOrigin, Vault};
pub use verify::{
    Affected, DamagedObject, DamagedRecord, Problem, VerifyOptions, VerifyResult, verify_store,
};
pub use versions::{EntryFiles, FilePair, FileVersion, PairChange, VersionPlace, VersionReader};

/// The errors of stores, apart from [`Error`].
pub mod store_error {
    pub use stem_store::{Error, ErrorKind, Operation};
}

/// The examples of the README, compiled and run as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
