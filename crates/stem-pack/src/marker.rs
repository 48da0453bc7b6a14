//! Which algorithm made a store's ids.
//!
//! Packs say it themselves; the marker says it of a store that has none yet. As with sharded stores SHA-256 needs no marker.

use std::io;

use stem_fs::{Dir, Publish};
use stem_hash::Algorithm;
use stem_store::{Error, ErrorKind, Operation, Result};

use crate::handle::marker_name;
use crate::place::Place;

/// The marker, in the store's directory.
pub(crate) const NAME: &str = ".stem-hash";
/// More than any marker is long.
const MAX_LEN: u64 = 64;

/// What the marker says; `None` when there is none.
pub(crate) fn read(dir: &Dir, store: &str) -> Result<Option<Algorithm>> {
    let failed = |error| Error::from_fs(Operation::OpenStore, store, error);
    let Some(bytes) = dir.read(&marker_name(), MAX_LEN).map_err(failed)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end().parse().map(Some).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, Operation::OpenStore, store)
            .with_path(dir.full(&marker_name()))
            .with_reason("this file does not name the hash of the store's ids")
            .with_source(error)
    })
}

/// Writes the marker, durably. Somebody else's that came first stays, if it says the same.
pub(crate) fn write(dir: &Dir, place: &Place, algorithm: Algorithm, store: &str) -> Result<()> {
    match place.write(&marker_name(), format!("{algorithm}\n").as_bytes(), Publish::New) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read(dir, store)? {
            Some(theirs) => agree(algorithm, theirs, store),
            None => Err(Error::from_fs(Operation::OpenStore, store, error)),
        },
        other => other.map_err(|error| Error::from_fs(Operation::OpenStore, store, error)),
    }
}

/// Fails unless the store's algorithm is the one that is wanted.
pub(crate) fn agree(wanted: Algorithm, found: Algorithm, store: &str) -> Result<()> {
    if wanted == found {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, Operation::OpenStore, store).with_reason(format!(
        "its ids are made with {found}, not with {wanted}; open it with hash={found}, or copy it into a new store"
    )))
}
