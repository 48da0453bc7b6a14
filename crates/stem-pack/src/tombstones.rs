//! Objects that packs still hold and that are not there any more.
//!
//! A removal is noted in memory at once and written with the next sync, when many wait, or at the end of the handle: a
//! collector that removes thousands of objects writes the file a few times, not thousands of times. What is put again is
//! taken off the list after its new pack is durable, before the put or sync returns.

use std::collections::BTreeSet;

use parking_lot::RwLock;
use stem_fs::{Publish, Result, Stat};
use stem_hash::{Algorithm, ObjectId};

use crate::files::{REMOVED_NAME, plain};
use crate::format::{Removed, encode_removed, removed_len_limit};
use crate::place::Place;

/// The lock that whoever changes the file takes, in the directory for temporaries.
const LOCK_NAME: &str = "removed.lock";
/// So many removals are written without waiting for a sync.
const MANY: usize = 8192;

#[derive(Debug)]
pub(crate) struct Tombstones {
    algorithm: Algorithm,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    disk: Option<Removed<Vec<u8>>>,
    seen: Option<Stat>,
    /// Removed through this handle and not written yet.
    buried: BTreeSet<ObjectId>,
    /// Put again through this handle and not written yet.
    revived: BTreeSet<ObjectId>,
}

impl State {
    fn on_disk(&self, id: &ObjectId) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.contains(id))
    }
}

impl Tombstones {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, state: RwLock::default() }
    }

    /// Whether the object counts as absent, whatever packs hold.
    pub(crate) fn hides(&self, id: &ObjectId) -> bool {
        let state = self.state.read();
        state.buried.contains(id) || (state.on_disk(id) && !state.revived.contains(id))
    }

    /// Looks at the file again if it changed.
    pub(crate) fn refresh(&self, place: &Place) -> Result<()> {
        let Some(dir) = place.packs()? else { return Ok(()) };
        let stat = dir.stat(&plain(REMOVED_NAME))?;
        if self.state.read().seen == stat {
            return Ok(());
        }
        let disk = self.read(place)?;
        let mut state = self.state.write();
        state.disk = disk;
        state.seen = stat;
        Ok(())
    }

    /// The file; one that is damaged hides nothing.
    fn read(&self, place: &Place) -> Result<Option<Removed<Vec<u8>>>> {
        let Some(dir) = place.packs()? else { return Ok(None) };
        let bytes = dir.read(&plain(REMOVED_NAME), removed_len_limit())?;
        Ok(bytes.and_then(|bytes| Removed::decode(bytes, self.algorithm).ok()))
    }

    /// Hides an object. Says whether so many wait that they should be written.
    pub(crate) fn bury(&self, id: &ObjectId) -> bool {
        let mut state = self.state.write();
        state.revived.remove(id);
        if !state.on_disk(id) {
            state.buried.insert(*id);
        }
        state.buried.len() >= MANY
    }

    /// Shows objects again.
    pub(crate) fn revive(&self, ids: impl IntoIterator<Item = ObjectId>) {
        let mut state = self.state.write();
        if state.buried.is_empty() && state.disk.is_none() {
            return;
        }
        for id in ids {
            state.buried.remove(&id);
            if state.on_disk(&id) {
                state.revived.insert(id);
            }
        }
    }

    /// Writes what changed, durably. Only ids for which `keep` is true stay on the list.
    pub(crate) fn save(&self, place: &Place, keep: Option<&dyn Fn(&ObjectId) -> bool>) -> Result<()> {
        {
            let state = self.state.read();
            if keep.is_none() && state.buried.is_empty() && state.revived.is_empty() {
                return Ok(());
            }
        }
        place.exclusively(&plain(LOCK_NAME), || {
            let disk = self.read(place)?;
            let mut state = self.state.write();
            let mut ids: BTreeSet<ObjectId> =
                disk.iter().flat_map(|disk| disk.iter().collect::<Vec<_>>()).collect();
            ids.extend(&state.buried);
            ids.retain(|id| !state.revived.contains(id) && keep.is_none_or(|keep| keep(id)));
            let ids: Vec<ObjectId> = ids.into_iter().collect();
            let dir = place.make_packs()?;
            let path = || dir.full(&plain(REMOVED_NAME));
            if ids.is_empty() {
                dir.remove_file(&plain(REMOVED_NAME))?;
                dir.sync()?;
                state.disk = None;
            } else {
                let invalid = |error| {
                    stem_fs::Error::new(
                        "write",
                        path(),
                        std::io::Error::new(std::io::ErrorKind::InvalidData, error),
                    )
                };
                let bytes = encode_removed(&ids, self.algorithm).map_err(invalid)?;
                place.write(&plain(REMOVED_NAME), &bytes, Publish::Replace)?;
                state.disk = Some(Removed::decode(bytes, self.algorithm).map_err(invalid)?);
            }
            state.seen = dir.stat(&plain(REMOVED_NAME))?;
            state.buried.clear();
            state.revived.clear();
            Ok(())
        })
    }
}
