//! The default store: one raw file per object, in the layout of Muse.
//!
//! `<2 hex>/<62 hex>`, as `docs/format/sharded.md` says. Raw files were kept where a pack or a database would be smaller,
//! because they are what Muse reads and writes, because any tool can read them, and because a working file can *become*
//! an object by a rename and come back by a reflink: no byte is copied either way.
//!
//! [`ShardedStore::in_repository`] opens a repository's store, [`ShardedStore::open`] a bare directory.
//!
//! Rooms: `layout` (names), `marker` (which algorithm), `place` (the directories), `staging` (temporaries), `pending`
//! (what waits for `sync`), `read`, `write`, `adopt`, `list`, `maintain` (quarantine, temporaries).

mod adopt;
mod layout;
mod list;
mod maintain;
mod marker;
mod pending;
mod place;
mod read;
mod staging;
mod store;
mod sync;
mod write;

pub use layout::{NAME_LEN, SHARD_LEN, object_id, object_path};
pub use marker::{BARE_MARKER, REPOSITORY_MARKER};
pub use staging::{BARE_STAGING_SUFFIX, REPOSITORY_STAGING};
pub use store::{Options, ShardedStore};
