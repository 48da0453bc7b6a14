//! What all tests need: a directory of their own, and paths.

use stem_fs::{Dir, RelPath};

/// A new directory, which goes with the first value, and the capability for it.
pub(crate) fn scratch() -> (tempfile::TempDir, Dir) {
    let holder = tempfile::tempdir().unwrap();
    let dir = Dir::open(holder.path()).unwrap();
    (holder, dir)
}

/// A relative path that is known to be good.
pub(crate) fn rel(path: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(path.as_ref()).unwrap()
}
