//! Which algorithm made a store's ids.
//!
//! SHA-256 and BLAKE3 ids look alike, and a store that mixes them would call half of its objects damaged. A store of
//! SHA-256 ids has no marker, because Muse writes none; any other store says what it is in one line of text. The marker
//! of a bare store lies inside its directory, so that a copy of the directory stays readable; that of a repository lies
//! under `.muse/stem/`, because `.muse/objects` belongs to Muse.

use std::io;

use stem_fs::{Dir, Publish, RelPath};
use stem_hash::Algorithm;
use stem_store::{Error, ErrorKind, Operation, Result};

use crate::staging::Staging;

/// The marker of a bare store, in its directory.
pub const BARE_MARKER: &str = ".stem-hash";
/// The marker of a repository's store, below `.muse`.
pub const REPOSITORY_MARKER: &str = "stem/objects-hash";

/// More than any marker is long.
const MAX_LEN: u64 = 64;

/// Reads the marker at `path` below `root`; `None` when there is none.
pub(crate) fn read(root: &Dir, path: &RelPath, store: &str) -> Result<Option<Algorithm>> {
    let failed = |error| Error::from_fs(Operation::OpenStore, store, error);
    let Some(bytes) = root.read(path, MAX_LEN).map_err(failed)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end().parse().map(Some).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, Operation::OpenStore, store)
            .with_path(root.full(path))
            .with_reason("this file does not name the hash of the store's ids")
            .with_source(error)
    })
}

/// Writes the marker, durably. Somebody else's marker that came first stays, if it says the same.
pub(crate) fn write(
    root: &Dir,
    path: &RelPath,
    (staging, objects): (&Staging, &Dir),
    algorithm: Algorithm,
    store: &str,
) -> Result<()> {
    let failed = |error| Error::from_fs(Operation::OpenStore, store, error);
    if let Some(parent) = path.parent() {
        root.ensure_dir(&parent).map_err(failed)?;
    }
    let line = format!("{algorithm}\n");
    let written = staging.with_dir(objects, |temporaries| {
        root.write_durable(path, line.as_bytes(), temporaries, Publish::New)
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read(root, path, store)? {
            Some(theirs) => agree(algorithm, theirs, store),
            None => Err(failed(error)),
        },
        other => other.map_err(failed),
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
