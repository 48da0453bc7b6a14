//! The directories of a store: packs, and the place where packs grow until they are whole.
//!
//! As with sharded stores a directory that was never written to is not made by reading, and temporaries lie apart, on the
//! same device: in a repository in `.muse/stem/tmp`, for a bare store `DIR` in `.DIR.stem-tmp` beside it, which goes when
//! the last handle does, inside `DIR` where beside it is another device or no permission. What a process left that was
//! killed is removed by the next one that writes.

use std::io;
use std::sync::OnceLock;

use parking_lot::Mutex;
use stem_fs::{Dir, LockFile, LockKind, Publish, RelPath, Result};

/// What the name of a bare store's directory for temporaries ends with; it starts with a dot and the store's name.
pub(crate) const BARE_STAGING_SUFFIX: &str = ".stem-tmp";

/// How often a directory that vanishes under our hands is made anew before the error is believed.
const TRIES: usize = 16;

#[derive(Debug)]
pub(crate) struct Place {
    /// The directory that holds the store's directory.
    root: Dir,
    path: RelPath,
    packs: OnceLock<Dir>,
    staging: Vec<RelPath>,
    /// Whether the directory for temporaries goes with the last handle.
    passing: bool,
    open: Mutex<Option<(Dir, RelPath)>>,
}

impl Place {
    /// The store at `path` below `root`, its temporaries in the first of `staging` that can be had.
    pub(crate) fn new(root: Dir, path: RelPath, staging: Vec<RelPath>, passing: bool) -> Self {
        Self { root, path, packs: OnceLock::new(), staging, passing, open: Mutex::default() }
    }

    /// The store's directory, or `None` while there is none.
    pub(crate) fn packs(&self) -> Result<Option<&Dir>> {
        if self.packs.get().is_none() {
            match self.root.sub(&self.path)? {
                None => return Ok(None),
                Some(dir) => drop(self.packs.set(dir)),
            }
        }
        Ok(self.packs.get())
    }

    /// The store's directory, made durably when it is missing.
    pub(crate) fn make_packs(&self) -> Result<Dir> {
        if let Some(dir) = self.packs.get() {
            return Ok(dir.clone());
        }
        let dir = self.root.ensure_dir(&self.path)?;
        Ok(self.packs.get_or_init(|| dir).clone())
    }

    /// Runs `work` with the directory for temporaries, which another handle may remove at any moment while it is empty.
    pub(crate) fn with_staging<T>(&self, mut work: impl FnMut(&Dir) -> Result<T>) -> Result<T> {
        let mut tries = 0;
        loop {
            let dir = self.staging()?;
            match work(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                    tries += 1;
                    self.open.lock().take_if(|(open, _)| open.path() == dir.path());
                }
                other => return other,
            }
        }
    }

    /// Writes a small file into the store's directory, durably.
    pub(crate) fn write(&self, name: &RelPath, bytes: &[u8], publish: Publish) -> Result<()> {
        let packs = self.make_packs()?;
        self.with_staging(|temporaries| packs.write_durable(name, bytes, temporaries, publish))
    }

    /// Runs `work` while no other process that does so is at it.
    pub(crate) fn exclusively<T, E: From<stem_fs::Error>>(
        &self,
        name: &RelPath,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let (dir, held) = self.with_staging(|dir| {
            let held = LockFile::acquire(dir, name, LockKind::Exclusive, &mut || ())?;
            Ok((dir.clone(), held))
        })?;
        let result = work();
        // Removed while it is held: whoever waits for it sees that and makes a new one. Left over, it hinders nobody.
        let _ = dir.remove_file(name);
        drop(held);
        result
    }

    fn staging(&self) -> Result<Dir> {
        let mut open = self.open.lock();
        if let Some((dir, _)) = &*open {
            return Ok(dir.clone());
        }
        let (dir, path) = self.find_staging(&self.make_packs()?)?;
        stem_fs::collect_leftovers(&dir);
        *open = Some((dir.clone(), path));
        Ok(dir)
    }

    fn find_staging(&self, packs: &Dir) -> Result<(Dir, RelPath)> {
        let device = packs.stat_self()?.device;
        let mut paths = self.staging.iter().peekable();
        while let Some(path) = paths.next() {
            let last = paths.peek().is_none();
            // No sync: what is in it does not outlive a crash, and neither need the directory.
            match self.root.ensure_dir_with(path, &mut |_| ()) {
                Ok(dir) if last || dir.stat_self()?.device == device => return Ok((dir, path.clone())),
                Ok(_) => {
                    let _ = self.root.remove_dir(path);
                }
                Err(error) if last || error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
                Err(_) => {}
            }
        }
        let nowhere = io::ErrorKind::NotFound.into();
        Err(stem_fs::Error::new("find a place for temporary files in", self.root.path(), nowhere))
    }

    /// The directories for temporaries that are there and that belong to this store alone.
    pub(crate) fn own_staging(&self) -> Result<Vec<Dir>> {
        if !self.passing {
            return Ok(Vec::new());
        }
        let found = self.staging.iter().map(|path| self.root.sub(path)).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Removes the directory for temporaries if it is empty and ours to remove.
    pub(crate) fn leave(&self) {
        if let Some((_, path)) = self.open.lock().take()
            && self.passing
        {
            // Not empty: another handle is at work and removes it later.
            let _ = self.root.remove_dir(&path);
        }
    }
}
