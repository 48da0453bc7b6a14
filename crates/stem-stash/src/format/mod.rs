//! The bytes of the stash and of the history it reads: stash entries, commits, snapshots, `HEAD` and refs.
//!
//! Everything here is pure: bytes in, [`Result`] out, no file is opened. Allocation is bounded by the size of the input,
//! which each reader checks against its own limit first; counts inside the bytes are never believed. The formats are
//! described in `docs/format/stash-entry.md` and `docs/format/commits.md`.
//!
//! Muse writes these files with Python's `json` module, so the layer speaks Python's dialect: text may hold lone
//! surrogates (the names of files that are not UTF-8), strings are escaped to ASCII, and manifests are sorted by code
//! point. Deriving `serde` types over `String` was rejected: it refuses lone surrogates, and it keeps the last of two
//! duplicate keys in silence.

pub mod commit;
pub mod entry;
mod error;
pub mod head;
pub mod idlist;
mod ids;
pub mod intent;
mod json;
mod manifest;
pub mod muse;
mod record;
pub mod stamp;
pub mod statcache;
pub mod summary;
pub mod text;
pub mod undo;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod hostile_tests;

pub use error::{Document, FormatError, FormatErrorKind};
pub use manifest::{
    MAX_MANIFEST_BYTES, MAX_MANIFEST_ENTRIES, Manifest, ManifestProblem, decode_head_manifest, is_protected,
};
