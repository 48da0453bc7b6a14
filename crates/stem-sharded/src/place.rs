//! The directories of a store, opened when they are first needed.
//!
//! A store that was never written to has no directory yet, and reading it must not make one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use stem_fs::{Dir, RelPath, Result};
use stem_hash::ObjectId;

use crate::layout::shard_dir;

/// From how many files on that the process may have open, all shard directories are kept open.
const ROOMY: u64 = 2048;

#[derive(Debug)]
pub(crate) struct Place {
    /// The directory that holds the store's directory.
    root: Dir,
    path: RelPath,
    objects: OnceLock<Dir>,
    device: OnceLock<u64>,
    /// Shard directories that are open, where the process may have that many files open.
    shards: Option<Box<[Mutex<Option<Dir>>; 256]>>,
    /// Which shard directories' own names this handle has made durable; the process that made one may have died before.
    settled: Box<[AtomicBool; 256]>,
    root_settled: AtomicBool,
}

impl Place {
    pub(crate) fn new(root: Dir, path: RelPath) -> Self {
        let settled = Box::new([const { AtomicBool::new(false) }; 256]);
        Self {
            root,
            path,
            objects: OnceLock::new(),
            device: OnceLock::new(),
            shards: (stem_fs::open_file_limit() >= ROOMY)
                .then(|| Box::new([const { Mutex::new(None) }; 256])),
            settled,
            root_settled: AtomicBool::new(false),
        }
    }

    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }

    /// The store's directory, or `None` while there is none.
    pub(crate) fn objects(&self) -> Result<Option<&Dir>> {
        if self.objects.get().is_none() {
            match self.root.sub(&self.path)? {
                None => return Ok(None),
                Some(dir) => drop(self.objects.set(dir)),
            }
        }
        Ok(self.objects.get())
    }

    /// The store's directory, made when it is missing.
    pub(crate) fn make_objects(&self) -> Result<Dir> {
        if let Some(dir) = self.objects.get() {
            return Ok(dir.clone());
        }
        let dir = self.root.ensure_dir(&self.path)?;
        Ok(self.objects.get_or_init(|| dir).clone())
    }

    /// The device that holds the store's directory.
    pub(crate) fn device(&self) -> Result<u64> {
        if let Some(device) = self.device.get() {
            return Ok(*device);
        }
        let device = self.make_objects()?.stat_self()?.device;
        Ok(*self.device.get_or_init(|| device))
    }

    /// The directory for an object, made when it is missing.
    pub(crate) fn make_shard(&self, id: &ObjectId) -> Result<Dir> {
        let first = id.as_bytes()[0];
        let make = || self.make_objects()?.ensure_dir_with(&shard_dir(first), &mut |_| ());
        let Some(shards) = &self.shards else { return make() };
        let mut open = shards[usize::from(first)].lock();
        if let Some(dir) = &*open {
            return Ok(dir.clone());
        }
        Ok(open.insert(make()?).clone())
    }

    /// Forgets the directory for an object: somebody removed it.
    pub(crate) fn forget_shard(&self, id: &ObjectId) {
        if let Some(shards) = &self.shards {
            *shards[usize::from(id.as_bytes()[0])].lock() = None;
        }
    }

    /// Makes names in the shard directory durable, and the way to it.
    pub(crate) fn settle(&self, shard: &Dir, id: &ObjectId) -> Result<()> {
        shard.sync()?;
        let settled = &self.settled[usize::from(id.as_bytes()[0])];
        if !settled.load(Ordering::Acquire) {
            self.make_objects()?.sync()?;
            settled.store(true, Ordering::Release);
        }
        if !self.root_settled.load(Ordering::Acquire) {
            self.root.sync()?;
            self.root_settled.store(true, Ordering::Release);
        }
        Ok(())
    }
}
