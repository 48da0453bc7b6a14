//! Bundles: a stash entry and the objects that it needs, in one file for somebody else.
//!
//! The format is described in `docs/format/bundle.md`. Objects are carried as records of packs (`stem-pack`), so that audio
//! takes the room that it takes there. Embedding a whole pack was rejected: its chunk lists need a reader that can seek,
//! and a pack is not the same twice, so that an export could neither go through a pipe nor be continued.
//!
//! An entry alone, as it lies in a bucket beside its objects, is [`shelved`].
//!
//! [`Writer`] and [`Reader`] go from front to back and know neither repositories nor stores: the entry is bytes here, and
//! objects are [`std::io::Read`]. Whoever calls them says what an entry may contain, and compares what is read with its
//! id (`stemvault`, `exchange/`).

mod error;
mod format;
mod read;
pub mod shelved;
mod write;

pub use error::{Error, ReadError, Result, WriteError};
pub use format::{Compression, FOOTER_LEN, Front, HEADER_LEN, MAGIC, MAX_ENTRY, MAX_ROWS, ROW_LEN, Row};
pub use read::{Reader, Summary};
pub use write::{Stream, Target, Writer, Written};
