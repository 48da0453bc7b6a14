//! Where objects wait until they are whole.
//!
//! Shard directories hold objects and nothing else, so temporaries lie apart, on the same device: in a repository in
//! `.muse/stem/tmp`, which is shared with the rest of the engine and stays; for a bare store `DIR` in `.DIR.stem-tmp`
//! beside it, which goes when the last handle does; inside `DIR` where beside it is another device or no permission.
//! What a process left behind that was killed is removed by the next one that stages something.

use std::io;

use parking_lot::Mutex;
use stem_fs::{Dir, RelPath, Result, TempFile};

/// Where a repository's temporaries lie, below `.muse`.
pub const REPOSITORY_STAGING: &str = "stem/tmp";
/// What the name of a bare store's directory for temporaries ends with; it starts with a dot and the store's name.
pub const BARE_STAGING_SUFFIX: &str = ".stem-tmp";

/// How often a directory that vanishes under our hands is made anew before the error is believed.
const TRIES: usize = 16;

#[derive(Debug)]
pub(crate) struct Staging {
    root: Dir,
    /// Tried in this order.
    paths: Vec<RelPath>,
    /// Whether the directory goes with the last handle.
    passing: bool,
    open: Mutex<Option<(Dir, RelPath)>>,
}

impl Staging {
    /// A directory that is shared with others.
    pub(crate) fn lasting(root: Dir, path: RelPath) -> Self {
        Self { root, paths: vec![path], passing: false, open: Mutex::default() }
    }

    /// A directory of this kind of store alone, at the first of these places that can be had.
    pub(crate) fn passing(root: Dir, paths: Vec<RelPath>) -> Self {
        Self { root, paths, passing: true, open: Mutex::default() }
    }

    /// A new temporary file on the device of `objects`.
    pub(crate) fn temp_file(&self, objects: &Dir, mode: u32) -> Result<TempFile> {
        self.with_dir(objects, |dir| dir.temp_file(mode))
    }

    /// Runs `work` with the directory, which another handle may remove at any moment while it is empty.
    pub(crate) fn with_dir<T>(&self, objects: &Dir, mut work: impl FnMut(&Dir) -> Result<T>) -> Result<T> {
        let mut tries = 0;
        loop {
            let dir = self.dir(objects)?;
            match work(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                    tries += 1;
                    self.open.lock().take_if(|(open, _)| open.path() == dir.path());
                }
                other => return other,
            }
        }
    }

    fn dir(&self, objects: &Dir) -> Result<Dir> {
        let mut open = self.open.lock();
        if let Some((dir, _)) = &*open {
            return Ok(dir.clone());
        }
        let (dir, path) = self.find(objects)?;
        stem_fs::collect_leftovers(&dir);
        *open = Some((dir.clone(), path));
        Ok(dir)
    }

    fn find(&self, objects: &Dir) -> Result<(Dir, RelPath)> {
        let device = objects.stat_self()?.device;
        let mut paths = self.paths.iter().peekable();
        loop {
            // There is at least one path, and the last one is returned whatever it is.
            let Some(path) = paths.next() else { return Err(no_place(&self.root)) };
            let last = paths.peek().is_none();
            // No sync: what is in it does not outlive a crash, and neither need the directory.
            match self.root.ensure_dir_with(path, &mut |_| ()) {
                Ok(dir) if last || dir.stat_self()?.device == device => return Ok((dir, path.clone())),
                Ok(_) => {
                    // In use by nobody, as it was on the wrong device for everybody; if it is not empty it stays.
                    let _ = self.root.remove_dir(path);
                }
                Err(error) if last || error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// The directories for temporaries that are there, without making one.
    pub(crate) fn present(&self) -> Result<Vec<Dir>> {
        let dirs = self.paths.iter().map(|path| self.root.sub(path)).collect::<Result<Vec<_>>>()?;
        Ok(dirs.into_iter().flatten().collect())
    }

    /// Removes the directory if it is empty and ours to remove.
    pub(crate) fn leave(&self) {
        if let Some((_, path)) = self.open.lock().take()
            && self.passing
        {
            // Not empty: another handle is at work and removes it later.
            let _ = self.root.remove_dir(&path);
        }
    }
}

fn no_place(root: &Dir) -> stem_fs::Error {
    stem_fs::Error::new("find a place for temporary files in", root.path(), io::ErrorKind::NotFound.into())
}
