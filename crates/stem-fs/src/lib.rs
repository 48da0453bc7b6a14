//! The narrow seam between stemvault and the file system.
//!
//! Everything that the engine reads or writes on disk goes through a [`Dir`]: a capability for one directory from which
//! no path escapes and through which no symbolic link is followed. Beside it stand the one durable-write sequence
//! ([`Dir::write_durable`]), temporary files that are published by rename ([`TempFile`]), whole-file copies by the
//! fastest means that the platform has, read leases ([`ReadLease`]), advisory locks ([`LockFile`]) and the batch flush
//! ([`Barrier`]). All `cfg` for platforms lives in this crate, in the `platform` module.
//!
//! On Linux and other Unix systems every operation is relative to an open directory descriptor. Elsewhere the fallback
//! works on path names and checks each component for links first; that check can be raced, which
//! `docs/shortcomings.md` says.

mod barrier;
mod copy;
mod dir;
mod error;
mod file;
mod lease;
mod lock;
mod observe;
mod partial;
mod path;
mod platform;
mod stat;
mod temp;

pub use barrier::Barrier;
pub use copy::CopyMethod;
pub use dir::{Dir, DirEntry, Publish};
pub use error::{Error, Result};
pub use file::OpenFile;
pub use lease::{LeasedFile, ReadLease, Refused};
pub use lock::{LockFile, LockKind};
pub use observe::{Change, Observer};
pub use partial::PartialFile;
pub use path::{MAX_COMPONENT, MAX_PATH, PathError, PathProblem, RelPath, show_bytes};
pub use platform::{
    available_space, create_private_dir, drop_cached, file_system, machine_id, open_file_limit,
    process_is_alive, processor_time, raise_open_file_limit,
};
pub use stat::{FileKind, Stat, Timestamp};
pub use temp::{
    ASIDE_PREFIX, ClosedTemp, TEMP_PREFIX, TempFile, aside_name, collect_leftovers, is_left_over,
    is_temp_name, temp_name,
};
