//! Looking after single objects: listing, verifying, removing, and the order in which they lie.

use std::collections::HashSet;
use std::ops::ControlFlow;

use stem_fs::RelPath;
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Error, ErrorKind, Operation, Result, Verified};

use crate::catalog::Hit;
use crate::handle::{Core, TRIES};
use crate::index::Want;
use crate::lookup::Purpose;
use crate::record::Bad;

/// The parts of the id space that are listed one after the other, so that little is in memory.
fn parts(prefix: &IdPrefix) -> Vec<IdPrefix> {
    if prefix.digits() >= 2 {
        return vec![*prefix];
    }
    // Two digits are always a prefix.
    prefix.first_bytes().filter_map(|byte| format!("{byte:02x}").parse().ok()).collect()
}

impl Core {
    /// The bytes of all files in the store's directory: packs, indices, tombstones.
    pub(crate) fn stored_bytes(&self) -> Result<u64> {
        if let Some(depot) = &self.depot {
            return depot
                .stored_bytes()
                .map_err(|error| Error::from_io(Operation::List, self.name.as_str(), error));
        }
        let sum = || -> stem_fs::Result<u64> {
            let Some(dir) = self.place.packs()? else { return Ok(0) };
            let mut bytes = 0;
            for entry in dir.entries()? {
                // A name that no path can have is none of ours.
                let Ok(name) = RelPath::new(entry.name) else { continue };
                bytes += dir.stat(&name)?.map_or(0, |stat| stat.size);
            }
            Ok(bytes)
        };
        sum().map_err(|error| Error::from_fs(Operation::List, self.name.as_str(), error))
    }

    pub(crate) fn visit(
        &self,
        prefix: &IdPrefix,
        visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>,
    ) -> Result<()> {
        // Taken first: what is published while packs are listed is then not missed but known.
        let waiting = self.pending.ids(prefix);
        for id in &waiting {
            if visit(*id).is_break() {
                return Ok(());
            }
        }
        let waiting: HashSet<ObjectId> = waiting.into_iter().collect();
        let failed = |bad| self.bad_store(Operation::List, bad);
        self.refresh().map_err(failed)?;
        let snapshot = self.catalog.current();
        for part in parts(prefix) {
            for id in self.catalog.list(&snapshot, &part, &self.place).map_err(failed)? {
                if !waiting.contains(&id) && !self.tombstones.hides(&id) && visit(id).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn verify_object(&self, id: &ObjectId) -> Result<Option<Verified>> {
        match self.digest_object(id, Purpose::Verify, false, &mut |_| Ok(())) {
            Ok(None) => Ok(None),
            Ok(Some(digest)) => Ok(Some(Verified::Sound { size: digest.len })),
            Err(Bad::Damaged(reason) | Bad::Misled(reason)) => Ok(Some(Verified::Damaged { reason })),
            Err(bad) => Err(self.bad(Operation::Verify, id, bad)),
        }
    }

    pub(crate) fn remove_object(&self, id: &ObjectId) -> Result<bool> {
        if self.depot.is_some() {
            let found = self.stat_object(id).map_err(|bad| self.bad(Operation::Remove, id, bad))?;
            if found.is_none() {
                return Ok(false);
            }
            return Err(Error::new(ErrorKind::Unsupported, Operation::Remove, self.name.as_str())
                .with_id(id)
                .with_reason("nothing is removed from a store that other machines use too"));
        }
        // Not while the growing pack is written or published: afterwards it is clear whether it holds the object.
        let _open = self.pending.open();
        let waited = self.pending.forget(id);
        let failed = |bad| self.bad(Operation::Remove, id, bad);
        let published = self.is_published(id).map_err(failed)?;
        if published && self.tombstones.bury(id) {
            self.make_ready()?;
            let saved = self.tombstones.save(&self.place, None);
            saved.map_err(|error| Error::from_fs(Operation::Remove, self.name.as_str(), error))?;
        }
        Ok(waited || published)
    }

    /// Whether a pack holds the object, and it is not removed.
    fn is_published(&self, id: &ObjectId) -> std::result::Result<bool, Bad> {
        for _ in 0..TRIES {
            self.tombstones.refresh(&self.place).map_err(Bad::Unreadable)?;
            if self.tombstones.hides(id) {
                return Ok(false);
            }
            let snapshot = self.catalog.current();
            if !self.catalog.find(&snapshot, id, Want::Object, &self.place)?.is_empty() {
                return Ok(true);
            }
            if !self.refresh()? {
                break;
            }
        }
        Ok(false)
    }

    /// By pack and place; what is not published stands first.
    pub(crate) fn order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        let snapshot = self.catalog.current();
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            let hits = self.catalog.find(&snapshot, id, Want::Object, &self.place);
            let hits = hits.map_err(|bad| self.bad(Operation::Stat, id, bad))?;
            // Packs of a depot as they came: what was put at the same time lies mixed, across packs too, and is read at the same time then.
            let place = |hit: Hit| (hit.pack.depot_since(), hit.pack.id, hit.entry.offset);
            places.push(hits.into_iter().map(place).next());
        }
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&at| places.get(at).copied().flatten());
        Ok(order)
    }
}
