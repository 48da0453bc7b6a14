//! What was put with `AtSync` and waits for `sync`.
//!
//! Objects wait as whole temporary files under no object's name, their descriptors closed, and a table makes them
//! visible through this handle. Renaming them at once and flushing later was rejected: a power loss in between leaves
//! torn files under final names, which Muse and other processes would trust.
//!
//! A failed sync spends the handle ([`stem_store::ObjectStore`], clause 3): which of several threads' objects were lost
//! can be told to the thread that called `sync`, not to the others, so all later calls fail.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};
use stem_fs::{Barrier, ClosedTemp, Dir, OpenFile, Publish, RelPath, Result};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::ObjectStat;

#[derive(Debug, Default)]
pub(crate) struct Pending {
    state: RwLock<State>,
    syncing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    staged: HashMap<ObjectId, Staged>,
    barrier: Option<Arc<Barrier>>,
    /// Something happened that no sync has covered yet.
    changed: bool,
    failed: bool,
}

#[derive(Debug)]
struct Staged {
    temp: ClosedTemp,
    stat: ObjectStat,
}

/// The handle is spent.
#[derive(Debug)]
pub(crate) struct Spent;

/// What a sync has to do.
pub(crate) enum Work {
    Nothing,
    /// Flush, publish these, flush.
    Batch(Arc<Barrier>, Vec<ObjectId>),
}

impl Pending {
    /// The barrier, which has to exist before the first write that it covers.
    pub(crate) fn barrier(&self, root: &Dir) -> Result<Arc<Barrier>> {
        if let Some(barrier) = &self.state.read().barrier {
            return Ok(barrier.clone());
        }
        let mut state = self.state.write();
        if let Some(barrier) = &state.barrier {
            return Ok(barrier.clone());
        }
        let barrier = Arc::new(Barrier::new(root)?);
        state.barrier = Some(barrier.clone());
        Ok(barrier)
    }

    pub(crate) fn check(&self) -> std::result::Result<(), Spent> {
        if self.state.read().failed { Err(Spent) } else { Ok(()) }
    }

    /// Takes a whole temporary file in. One that waits under this id already has the same bytes and stays.
    pub(crate) fn stage(
        &self,
        id: ObjectId,
        temp: ClosedTemp,
        stat: ObjectStat,
    ) -> std::result::Result<(), Spent> {
        let mut state = self.state.write();
        if state.failed {
            return Err(Spent);
        }
        state.changed = true;
        state.staged.entry(id).or_insert(Staged { temp, stat });
        Ok(())
    }

    /// Says that names changed, or that an object was found that may not be durable.
    pub(crate) fn touch(&self) {
        self.state.write().changed = true;
    }

    pub(crate) fn stat(&self, id: &ObjectId) -> Option<ObjectStat> {
        self.state.read().staged.get(id).map(|staged| staged.stat)
    }

    pub(crate) fn open(&self, id: &ObjectId) -> Result<Option<OpenFile>> {
        match self.state.read().staged.get(id) {
            None => Ok(None),
            Some(staged) => staged.temp.open(),
        }
    }

    pub(crate) fn contains(&self, id: &ObjectId) -> bool {
        self.state.read().staged.contains_key(id)
    }

    /// Gives up one waiting object; says whether there was one.
    pub(crate) fn forget(&self, id: &ObjectId) -> bool {
        // Dropped, and with it removed from the disk, when the lock is free again.
        let staged = self.state.write().staged.remove(id);
        staged.is_some()
    }

    pub(crate) fn ids(&self, prefix: &IdPrefix) -> Vec<ObjectId> {
        self.state.read().staged.keys().filter(|id| prefix.matches(id)).copied().collect()
    }

    /// One sync at a time: a second one waits, and then finds done what the first has done.
    pub(crate) fn begin_sync(&self) -> std::result::Result<(MutexGuard<'_, ()>, Work), Spent> {
        let guard = self.syncing.lock();
        let mut state = self.state.write();
        if state.failed {
            return Err(Spent);
        }
        let work = match &state.barrier {
            Some(barrier) if state.changed => {
                let mut ids: Vec<_> = state.staged.keys().copied().collect();
                ids.sort_unstable();
                Work::Batch(barrier.clone(), ids)
            }
            _ => Work::Nothing,
        };
        state.changed = false;
        Ok((guard, work))
    }

    /// Gives a waiting object its final name. Under the lock, so that whoever does not find it here finds it there.
    pub(crate) fn publish(&self, id: &ObjectId, shard: &Dir, name: &RelPath) -> Result<()> {
        let mut state = self.state.write();
        // Removed, or published by somebody with `Immediate`, in the meantime.
        let Some(staged) = state.staged.get_mut(id) else { return Ok(()) };
        staged.temp.persist(shard, name, Publish::Replace)?;
        state.staged.remove(id);
        Ok(())
    }

    /// Spends the handle and gives up everything that waits.
    pub(crate) fn fail(&self) {
        let mut state = self.state.write();
        state.failed = true;
        let lost = std::mem::take(&mut state.staged);
        drop(state);
        drop(lost);
    }

    /// Gives up everything that waits, at the end of the handle.
    pub(crate) fn clear(&self) {
        let lost = std::mem::take(&mut self.state.write().staged);
        drop(lost);
    }
}
