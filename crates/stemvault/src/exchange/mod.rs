//! Entries from one repository to another, in one file: `docs/format/bundle.md`.
//!
//! `stem-bundle` knows the bytes, `stem-stash` the entry and the stack, the store its objects; here they meet.

mod error;
mod export;
mod import;

use stem_fs::RelPath;
use stem_hash::ObjectId;
use stem_stash::StashEntry;

pub use error::ExchangeError;
pub(crate) use error::some_of;
pub use export::{ExportOptions, ExportResult, PARTIAL_SUFFIX};
pub use import::{ImportOptions, ImportResult};
pub use stem_bundle::Compression as BundleCompression;

/// Paths that nobody should get from somebody else: they have control characters, which steer terminals.
pub(crate) fn unfit_paths(entry: &StashEntry) -> Vec<RelPath> {
    let deleted = entry.stem.iter().flat_map(|stem| &stem.deleted);
    let paths = entry.manifest.iter().map(|(path, _)| path).chain(deleted);
    paths.filter(|path| path.as_bytes().iter().any(u8::is_ascii_control)).cloned().collect()
}

/// The paths of the entry that these objects, which are sorted, are the content of.
pub(crate) fn paths_of(entry: &StashEntry, ids: &[ObjectId]) -> Vec<RelPath> {
    let named = entry.manifest.iter().filter(|(_, id)| ids.binary_search(id).is_ok());
    named.map(|(path, _)| path.clone()).collect()
}
