//! Pack files: many objects in few files, chunked, deduplicated and coded.
//!
//! [`PackStore`] keeps objects as `docs/format/pack.md` says: small ones whole, large ones as lists of chunks that are cut
//! by content and stored once, each coded by what suits it. A pack is written once and published whole; its index is
//! mapped and can be computed anew from it.
//!
//! Rooms: `format`, `index` and `scan` are bytes alone; `place`, `marker`, `files` and `catalog` know the directory,
//! `lane` and `writer` a pack that grows, `publish` the way from one to the other; `put` and `small` store, by way of
//! `input`, `cut`, `tools` (codecs) and `chain`; `record`, `lookup`, `cache` and `reader` read; `tombstones`, `maintain`,
//! `structure` and `repack` look after it all, `reach` says which packs are needed; `crew` shares work out to the cores. `depot` is the seam for packs that are kept
//! elsewhere. `coding` lends cutting and codecs to
//! files that are no packs.

mod cache;
mod catalog;
mod chain;
pub mod coding;
mod crew;
mod cut;
mod depot;
mod files;
pub mod format;
mod handle;
pub mod index;
mod input;
mod lane;
mod lookup;
mod maintain;
mod marker;
mod options;
mod place;
mod publish;
mod put;
mod reach;
mod reader;
mod record;
mod reliance;
mod repack;
pub mod scan;
mod small;
mod source;
mod store;
mod structure;
mod tombstones;
mod tools;
mod writer;

pub use depot::{Depot, DepotFile, DepotJob, DepotPack, Look, Moment, Roots};
pub use files::{index_name, pack_id, pack_name};
pub use options::{Chunking, Compression, PackOptions};
pub use reach::Reach;
pub use source::{ReadAt, ReadError};
pub use stem_audio::CodecLevel;
pub use store::{PackStore, REPOSITORY_PACKS};
pub use structure::PackReport;
