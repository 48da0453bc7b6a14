//! Where records are: the index of a pack, and the one over many packs.
//!
//! An index is a sorted table behind a fan-out, written once, mapped and read in place. Opening it costs the fan-out (about
//! 8 bytes for every 10 entries), a lookup two or three cache lines of that and one bucket of about ten entries. The format is
//! `docs/format/pack-index.md`.
//!
//! Each bucket carries a check, verified at every lookup: damage in a sorted table makes ids *disappear*, and to a content
//! store "absent" is an answer that others act on. A checksum over the whole table, as git's, is only ever looked at by fsck.
//! Rejected as well: an embedded database (nothing here is ever updated), a hash table (prefixes, listing and merging want
//! the order), interpolation search (the fan-out leaves it nothing to do), and separate arrays for ids and places (a lookup
//! would touch two pages instead of one).

mod build;
mod entry;
mod error;
mod layout;
mod lookup;
mod merge;
mod source;
mod verify;
mod write;

#[cfg(test)]
mod document_tests;

pub use build::IndexBuilder;
pub use entry::{INDEX_ENTRY_LEN, IndexEntry, Want};
pub use layout::{CoveredPack, IndexKind, MAX_FAN_OUT_BITS, MAX_INDEX_ENTRIES, MAX_INDEX_PACKS};
pub use lookup::{Entries, Hits, Index};
pub use merge::merge;
pub use source::Access;
pub use write::IndexSummary;
