//! Which packs there are, and in which of them an id is found.
//!
//! Readers work on an immutable snapshot and take no lock; whoever finds nothing, or finds that a pack has vanished, has
//! the directory looked at again. That costs one `stat` while nothing changed: the time of the directory's last change
//! tells, where it is not so young that another change may bear the same time.
//!
//! The multi-pack index answers for the packs that it covers, each other pack is asked by its own index. An index that is
//! missing or does not tell the truth is computed anew from its pack, and kept in memory where it cannot be written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use stem_fs::{Dir, Publish};
use stem_hash::{Algorithm, IdPrefix, ObjectId};

use crate::depot::Depot;
use crate::files::{MULTI_NAME, OpenFiles, OwnIndex, Pack, Stamp, index_name, pack_id, plain};
use crate::format::PackId;
use crate::index::{Access, CoveredPack, Index, IndexEntry, IndexKind, Want, merge};
use crate::place::Place;
use crate::record::{Bad, Bytes, PackFile, Spot};
use crate::scan;
use crate::source::ReadError;

/// How long after a change of the directory another one may bear the same time: a tick of a slow clock, and more.
const BLUR: Duration = Duration::from_millis(50);
/// The same where times have no parts of a second.
const COARSE_BLUR: Duration = Duration::from_millis(2500);
/// So many packs outside of the multi-pack index are worth making it anew, if they are also this part of all.
const LOOSE: usize = 8;
const LOOSE_SHARE: usize = 4;

/// A place where an id was found.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) pack: Arc<Pack>,
    pub(crate) entry: IndexEntry,
}

/// The packs at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) packs: HashMap<PackId, Arc<Pack>>,
    multi: Option<Multi>,
    /// Packs that the multi-pack index does not cover.
    loose: Vec<Arc<Pack>>,
}

#[derive(Debug, Clone)]
struct Multi {
    index: Arc<Index>,
    /// By number in the index; `None` for packs that are gone.
    packs: Arc<[Option<Arc<Pack>>]>,
    stamp: Stamp,
}

#[derive(Debug)]
pub(crate) struct Catalog {
    algorithm: Algorithm,
    current: RwLock<Arc<Snapshot>>,
    /// What the directory looked like when the snapshot was made; `None` when that cannot be relied on.
    seen: Mutex<Option<Stamp>>,
    pub(crate) open_files: OpenFiles,
    /// Where packs are kept, if not in the directory, which then has their indices.
    depot: Option<Arc<dyn Depot>>,
    /// How often the depot's list was asked for.
    asked: AtomicU64,
}

fn is_settled(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let secs = u64::try_from(stamp.ctime.secs.max(stamp.mtime.secs)).unwrap_or(0);
    let changed = Duration::new(secs, stamp.ctime.nanos.max(stamp.mtime.nanos).min(999_999_999));
    let blur = if stamp.ctime.nanos == 0 { COARSE_BLUR } else { BLUR };
    now.checked_sub(changed).is_some_and(|age| age > blur)
}

/// What the file of the pack's own index looks like now.
fn index_stamp(pack: &Pack, place: &Place) -> Option<Stamp> {
    let stat = place.packs().ok()??.stat(&index_name(pack.id)).ok()??;
    Some(Stamp::from(&stat))
}

fn bad_index(error: ReadError) -> Bad {
    match error {
        ReadError::Io(error) => Bad::Unreadable(stem_fs::Error::new("read", "the index of a pack", error)),
        ReadError::Damaged(error) => Bad::Damaged(error.to_string()),
    }
}

impl Catalog {
    pub(crate) fn new(algorithm: Algorithm, depot: Option<Arc<dyn Depot>>) -> Self {
        Self {
            algorithm,
            depot,
            asked: AtomicU64::new(0),
            current: RwLock::default(),
            seen: Mutex::default(),
            open_files: OpenFiles::default(),
        }
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        self.current.read().clone()
    }

    /// Looks at the directory again if it may have changed. Says whether there is a new snapshot.
    pub(crate) fn refresh(&self, place: &Place) -> Result<bool, Bad> {
        let Some(dir) = place.packs().map_err(Bad::Unreadable)? else { return Ok(false) };
        if let Some(depot) = &self.depot {
            let (before, known) = (self.asked.load(Ordering::Acquire), self.current());
            let _alone = self.seen.lock();
            // Somebody asked while this waited: that answer is as new as one of its own.
            if self.asked.load(Ordering::Acquire) > before {
                return Ok(!Arc::ptr_eq(&known, &self.current()));
            }
            return self.load_depot(depot, dir, place);
        }
        let mut seen = self.seen.lock();
        let stamp = Stamp::from(&dir.stat_self().map_err(Bad::Unreadable)?);
        if *seen == Some(stamp) {
            return Ok(false);
        }
        let reliable = is_settled(&stamp);
        let changed = self.load(dir)?;
        *seen = reliable.then_some(stamp);
        Ok(changed)
    }

    /// Makes a new snapshot of the directory. Says whether anything changed.
    fn load(&self, dir: &Dir) -> Result<bool, Bad> {
        let names = dir.entries().map_err(Bad::Unreadable)?;
        let old = self.current();
        let mut packs = HashMap::new();
        for id in names.iter().filter_map(|entry| pack_id(&entry.name)) {
            let pack = old.packs.get(&id).cloned().unwrap_or_else(|| Arc::new(Pack::new(id, dir, false)));
            packs.insert(id, pack);
        }
        let stat = dir.stat(&plain(MULTI_NAME)).map_err(Bad::Unreadable)?;
        let stamp = stat.as_ref().map(Stamp::from);
        let same_multi = old.multi.as_ref().map(|multi| multi.stamp) == stamp;
        if same_multi && packs.len() == old.packs.len() && packs.keys().all(|id| old.packs.contains_key(id)) {
            return Ok(false);
        }
        let index = match (&old.multi, stamp) {
            (_, None) => None,
            (Some(multi), Some(stamp)) if same_multi => Some((multi.index.clone(), stamp)),
            // One that is damaged is as good as none.
            (_, Some(stamp)) => self.open_multi(dir)?.map(|index| (Arc::new(index), stamp)),
        };
        let fresh = Arc::new(Self::arrange(packs, index));
        // A pack that was published meanwhile and is not in the listing comes back with the next refresh, which
        // `added` asks for.
        *self.current.write() = fresh;
        Ok(true)
    }

    /// Makes a new snapshot of the depot. Says whether anything changed.
    ///
    /// What was there once is taken to be there until it cannot be read: a list may be older than what this handle knows.
    fn load_depot(&self, depot: &Arc<dyn Depot>, dir: &Dir, place: &Place) -> Result<bool, Bad> {
        let far = |error| Bad::Unreadable(stem_fs::Error::new("look through", "packs", error));
        self.asked.fetch_add(1, Ordering::AcqRel);
        let listed = depot.packs().map_err(far)?;
        let old = self.current();
        let fresh: Vec<_> = listed.into_iter().filter(|pack| !old.packs.contains_key(&pack.id)).collect();
        if fresh.is_empty() && self.asked.load(Ordering::Acquire) > 1 {
            return Ok(false);
        }
        let mut missing = Vec::new();
        for pack in &fresh {
            if dir.stat(&index_name(pack.id)).map_err(Bad::Unreadable)?.is_none() {
                missing.push(pack.id);
            }
        }
        let mut unsaved = HashMap::new();
        let mut show = |id, bytes: Vec<u8>| {
            if place.write(&index_name(id), &bytes, Publish::Replace).is_err() {
                unsaved.insert(id, bytes);
            }
        };
        depot.indices(&missing, &mut show).map_err(far)?;
        let changed = !fresh.is_empty();
        let mut current = self.current.write();
        let mut packs = current.packs.clone();
        for listed in fresh {
            let pack = Pack::in_depot(depot, listed, true);
            if let Some(bytes) = unsaved.remove(&listed.id)
                && let Ok(index) = Index::from_bytes(bytes, IndexKind::Pack)
            {
                *pack.index.lock() = Some(OwnIndex { index: Arc::new(index), file: None });
            }
            packs.entry(listed.id).or_insert_with(|| Arc::new(pack));
        }
        let multi = if let Some(multi) = &current.multi {
            Some((multi.index.clone(), multi.stamp))
        } else {
            let stat = dir.stat(&plain(MULTI_NAME)).map_err(Bad::Unreadable)?;
            let index = self.open_multi(dir)?;
            index.zip(stat.as_ref().map(Stamp::from)).map(|(index, stamp)| (Arc::new(index), stamp))
        };
        *current = Arc::new(Self::arrange(packs, multi));
        Ok(changed)
    }

    /// Forgets packs that never came to the depot.
    pub(crate) fn lost(&self) {
        let current = self.current();
        let lost = current.packs.iter().filter(|(_, pack)| !pack.is_settled());
        let lost: HashSet<PackId> = lost.map(|(id, _)| *id).collect();
        self.removed(&lost);
    }

    /// A pack turned out to be gone from the depot.
    pub(crate) fn vanished(&self, pack: &Pack) {
        if self.depot.is_some() && pack.is_settled() {
            self.removed(&HashSet::from([pack.id]));
        }
    }

    fn open_multi(&self, dir: &Dir) -> Result<Option<Index>, Bad> {
        let Some(file) = dir.open_file(&plain(MULTI_NAME)).map_err(Bad::Unreadable)? else { return Ok(None) };
        let index = Index::open(file, IndexKind::Multi, Access::Map).ok();
        Ok(index.filter(|index| index.algorithm() == self.algorithm))
    }

    fn arrange(packs: HashMap<PackId, Arc<Pack>>, index: Option<(Arc<Index>, Stamp)>) -> Snapshot {
        let multi = index.map(|(index, stamp)| {
            let packs = index.packs().map(|covered| packs.get(&covered.id).cloned()).collect();
            Multi { index, packs, stamp }
        });
        let covered: HashSet<PackId> =
            multi.iter().flat_map(|multi| multi.packs.iter().flatten()).map(|pack| pack.id).collect();
        let loose = packs.values().filter(|pack| !covered.contains(&pack.id)).cloned().collect();
        Snapshot { packs, multi, loose }
    }

    /// Takes in a pack that was just published, so that no listing is needed.
    pub(crate) fn added(&self, pack: Arc<Pack>) {
        let mut seen = self.seen.lock();
        let mut current = self.current.write();
        let mut packs = current.packs.clone();
        packs.insert(pack.id, pack);
        let multi = current.multi.as_ref().map(|multi| (multi.index.clone(), multi.stamp));
        *current = Arc::new(Self::arrange(packs, multi));
        *seen = None;
    }

    /// Forgets packs that were just removed.
    pub(crate) fn removed(&self, gone: &HashSet<PackId>) {
        let mut seen = self.seen.lock();
        let mut current = self.current.write();
        let packs = current.packs.iter().filter(|(id, _)| !gone.contains(*id));
        let packs = packs.map(|(id, pack)| (*id, pack.clone())).collect();
        let multi = current.multi.as_ref().map(|multi| (multi.index.clone(), multi.stamp));
        *current = Arc::new(Self::arrange(packs, multi));
        *seen = None;
    }

    /// The pack's own index; made if it is missing or damaged.
    pub(crate) fn index(&self, pack: &Arc<Pack>, place: &Place) -> Result<Arc<Index>, Bad> {
        let mut slot = pack.index.lock();
        if let Some(own) = &*slot {
            return Ok(own.index.clone());
        }
        let Some(dir) = place.packs().map_err(Bad::Unreadable)? else { return Err(Bad::Vanished) };
        let open = || -> Result<Option<OwnIndex>, Bad> {
            Ok(dir.open_file(&index_name(pack.id)).map_err(Bad::Unreadable)?.and_then(OwnIndex::open))
        };
        let fits = |own: &OwnIndex| {
            own.index.algorithm() == self.algorithm
                && own.index.packs().next().is_some_and(|covered| covered.id == pack.id)
        };
        let own = match open()?.filter(fits) {
            Some(own) => own,
            None => match self.fetch_index(pack, place, fits) {
                Some(own) => own,
                None => self.rebuild(pack, place)?,
            },
        };
        Ok(slot.insert(own).index.clone())
    }

    /// The index as the depot has it, if that fits.
    fn fetch_index(&self, pack: &Pack, place: &Place, fits: impl Fn(&OwnIndex) -> bool) -> Option<OwnIndex> {
        let mut found = None;
        self.depot.as_ref()?.indices(&[pack.id], &mut |_, bytes| found = Some(bytes)).ok()?;
        self.keep(pack, found?, place).ok().filter(fits)
    }

    /// Computes the index of a pack from the pack, and writes it where that is possible.
    fn rebuild(&self, pack: &Arc<Pack>, place: &Place) -> Result<OwnIndex, Bad> {
        let (bytes, _) = self.compute(pack)?;
        self.keep(pack, bytes, place)
    }

    /// The bytes of the index as the pack tells them, and whether the pack is complete.
    fn compute(&self, pack: &Arc<Pack>) -> Result<(Vec<u8>, bool), Bad> {
        let file = pack.file(&self.open_files)?;
        let mut bytes = Vec::new();
        let (_, end) = scan::rebuild_index(&file.file, &mut bytes).map_err(bad_index)?;
        Ok((bytes, end.torn.is_none()))
    }

    fn keep(&self, pack: &Pack, bytes: Vec<u8>, place: &Place) -> Result<OwnIndex, Bad> {
        // A medium that cannot be written to has its indices in memory.
        let written = place.write(&index_name(pack.id), &bytes, Publish::Replace);
        let file = written.ok().and_then(|()| index_stamp(pack, place));
        let index = Arc::new(Index::from_bytes(bytes, IndexKind::Pack).map_err(bad_index)?);
        if index.algorithm() == self.algorithm {
            return Ok(OwnIndex { index, file });
        }
        let (found, wanted) = (index.algorithm(), self.algorithm);
        Err(Bad::Damaged(format!(
            "the ids of pack {} are made with {found}, those of the store with {wanted}",
            pack.id
        )))
    }

    /// An index sent a reader to a place where no such record is. Says whether asking again may help.
    ///
    /// A pack that is torn or damaged does not disprove its index, which knows what the pack once held: then the record
    /// is damaged, which is another answer than absent.
    pub(crate) fn distrust(&self, pack: &Arc<Pack>, place: &Place) -> bool {
        if pack.rebuilt.swap(true, Ordering::AcqRel) {
            return false;
        }
        let Ok((bytes, true)) = self.compute(pack) else { return false };
        let Ok(own) = self.keep(pack, bytes, place) else { return false };
        *pack.index.lock() = Some(own);
        // The multi-pack index may be what lied: from now on this handle asks each pack itself.
        let mut current = self.current.write();
        *current = Arc::new(Self::arrange(current.packs.clone(), None));
        true
    }

    /// The index of a pack is itself damaged, and says so. Says whether there is another one now.
    fn replace_index(&self, pack: &Arc<Pack>, place: &Place) -> bool {
        if pack.rebuilt.swap(true, Ordering::AcqRel) {
            return false;
        }
        let Ok(own) = self.rebuild(pack, place) else { return false };
        *pack.index.lock() = Some(own);
        true
    }

    /// Whether the next handle will find this copy too: by the pack's own index, if that is still on disk, else by walking
    /// from header to header, which takes that each before it is sound.
    pub(crate) fn leads_to(&self, hit: &Hit, file: &PackFile, want: Want, place: &Place) -> bool {
        // What the depot keeps are packs with their indices: see `PackFile::has_header`.
        if self.depot.is_some() {
            return true;
        }
        let entry = &hit.entry;
        let in_own = self.ask(&hit.pack, place, |index| {
            let mut found = index.find(&entry.id, want)?;
            Ok(found.any(|own| own.offset == entry.offset))
        });
        let used = hit.pack.index.lock().as_ref().and_then(|own| own.file);
        if matches!(in_own, Ok(true)) && used.is_some() && used == index_stamp(&hit.pack, place) {
            return true;
        }
        let Ok(walk) = scan::Scan::open(&file.file, scan::Payloads::Skip) else { return false };
        let reached = walk.map_while(Result::ok).map(|record| record.offset).find(|at| *at >= entry.offset);
        reached == Some(entry.offset)
    }

    /// Whether the next handle will find in this pack what its own index tells this one. An index that is not on disk any
    /// more is written again if the pack tells all of it.
    pub(crate) fn outlives_handle(&self, pack: &Arc<Pack>, place: &Place) -> Result<bool, Bad> {
        if !pack.file(&self.open_files)?.has_header() || self.index(pack, place).is_err() {
            return Ok(false);
        }
        let used = pack.index.lock().as_ref().and_then(|own| own.file);
        if used.is_some() && used == index_stamp(pack, place) {
            return Ok(true);
        }
        let (bytes, complete) = self.compute(pack)?;
        if complete {
            let own = self.keep(pack, bytes, place)?;
            *pack.index.lock() = Some(own);
        }
        Ok(complete)
    }

    /// Asks the pack's own index, and its successor where it turns out to be damaged.
    pub(crate) fn ask<T>(
        &self,
        pack: &Arc<Pack>,
        place: &Place,
        mut ask: impl FnMut(&Index) -> Result<T, ReadError>,
    ) -> Result<T, Bad> {
        match ask(&*self.index(pack, place)?) {
            Err(error) if error.is_damage() && self.replace_index(pack, place) => {
                ask(&*self.index(pack, place)?).map_err(bad_index)
            }
            other => other.map_err(bad_index),
        }
    }

    /// Where this id is found in this snapshot.
    pub(crate) fn find(
        &self,
        snapshot: &Snapshot,
        id: &ObjectId,
        want: Want,
        place: &Place,
    ) -> Result<Vec<Hit>, Bad> {
        let (mut hits, mut failed) = (Vec::new(), None);
        for pack in &snapshot.loose {
            let found = match self.ask(pack, place, |index| index.find(id, want)) {
                // Its successor is found with the next refresh.
                Err(Bad::Vanished) => continue,
                // It matters only if no other pack has the id.
                Err(bad) => {
                    failed = Some(bad);
                    continue;
                }
                Ok(found) => found,
            };
            hits.extend(found.map(|entry| Hit { pack: pack.clone(), entry }));
        }
        if let Some(multi) = &snapshot.multi {
            match multi.index.find(id, want) {
                Ok(found) => hits.extend(found.filter_map(|entry| {
                    let pack = multi.packs.get(usize::from(entry.pack))?.clone()?;
                    Some(Hit { pack, entry })
                })),
                Err(error) if error.is_damage() => {
                    let without = self.without_multi();
                    return self.find(&without, id, want, place);
                }
                Err(error) => failed = Some(bad_index(error)),
            }
        }
        match failed {
            Some(bad) if hits.is_empty() => Err(bad),
            _ => Ok(hits),
        }
    }

    /// A snapshot that asks each pack itself, because the multi-pack index is damaged.
    fn without_multi(&self) -> Arc<Snapshot> {
        let mut current = self.current.write();
        let packs = current.packs.clone();
        *current = Arc::new(Self::arrange(packs, None));
        current.clone()
    }

    /// The ids of objects with this prefix in this snapshot, sorted, each once.
    pub(crate) fn list(
        &self,
        snapshot: &Snapshot,
        prefix: &IdPrefix,
        place: &Place,
    ) -> Result<Vec<ObjectId>, Bad> {
        let mut ids = Vec::new();
        let mut collect = |index: &Index, known: &dyn Fn(&IndexEntry) -> bool| {
            for entry in index.find_prefix(prefix) {
                let entry = entry?;
                if entry.kind.is_object() && known(&entry) && ids.last() != Some(&entry.id) {
                    ids.push(entry.id);
                }
            }
            Ok::<(), ReadError>(())
        };
        for pack in &snapshot.loose {
            match self.ask(pack, place, |index| collect(index, &|_| true)) {
                Err(Bad::Vanished) => {}
                collected => collected?,
            }
        }
        if let Some(multi) = &snapshot.multi {
            let there =
                |entry: &IndexEntry| matches!(multi.packs.get(usize::from(entry.pack)), Some(Some(_)));
            match collect(&multi.index, &there) {
                Err(error) if error.is_damage() => {
                    let without = self.without_multi();
                    return self.list(&without, prefix, place);
                }
                other => other.map_err(bad_index)?,
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Whether every name of a pack in the snapshot is durable for certain; if not, makes them so.
    pub(crate) fn settle(&self, dir: &Dir) -> stem_fs::Result<()> {
        if let Some(depot) = &self.depot {
            return depot
                .settle()
                .inspect_err(|_| self.lost())
                .map_err(|error| stem_fs::Error::new("upload", "packs", error));
        }
        let snapshot = self.current();
        if snapshot.packs.values().all(|pack| pack.is_settled()) {
            return Ok(());
        }
        dir.sync()?;
        for pack in snapshot.packs.values() {
            pack.settle();
        }
        Ok(())
    }

    /// Makes the multi-pack index anew where many packs are outside of it, or where `force` says so. It is for speed
    /// alone, so nothing fails when this does.
    pub(crate) fn merge(&self, place: &Place, force: bool) {
        let snapshot = self.current();
        let loose = snapshot.loose.len();
        let all = snapshot.packs.len();
        let worth = loose >= LOOSE && loose * LOOSE_SHARE >= all;
        let stale = snapshot.multi.as_ref().is_some_and(|multi| multi.packs.iter().any(Option::is_none));
        if worth || (force && (stale || loose > 1)) {
            // Dropped if it fails: the old one, or none, serves too.
            let _ = self.merge_now(&snapshot, place);
        }
    }

    fn merge_now(&self, snapshot: &Snapshot, place: &Place) -> Result<(), Bad> {
        let dir = place.make_packs().map_err(Bad::Unreadable)?;
        let loose =
            snapshot.loose.iter().map(|pack| self.index(pack, place)).collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<&Index> = snapshot
            .multi
            .iter()
            .map(|multi| &*multi.index)
            .chain(loose.iter().map(|index| &**index))
            .collect();
        let mut keep = |covered: &CoveredPack| snapshot.packs.contains_key(&covered.id);
        let mut temp = place.with_staging(|dir| dir.temp_file(0o444)).map_err(Bad::Unreadable)?;
        merge(&inputs, self.algorithm, &mut keep, &mut temp).map_err(bad_index)?;
        temp.sync().map_err(Bad::Unreadable)?;
        temp.persist(&dir, &plain(MULTI_NAME), Publish::Replace).map_err(Bad::Unreadable)?;
        let mut seen = self.seen.lock();
        *seen = None;
        if self.depot.is_some() {
            // The directory has no packs to be listed.
            let stat = dir.stat(&plain(MULTI_NAME)).map_err(Bad::Unreadable)?;
            let index = self.open_multi(&dir)?;
            let multi = index.zip(stat.as_ref().map(Stamp::from));
            let mut current = self.current.write();
            let packs = current.packs.clone();
            *current = Arc::new(Self::arrange(packs, multi.map(|(index, stamp)| (Arc::new(index), stamp))));
            return Ok(());
        }
        self.load(&dir).map(drop)
    }
}

impl Hit {
    /// The record's place in the pack's file.
    pub(crate) fn spot(&self, open: &OpenFiles) -> Result<Spot, Bad> {
        Ok(Spot { pack: self.pack.file(open)?, offset: self.entry.offset })
    }

    /// The same for somebody who is going to rely on what is read.
    pub(crate) fn fresh_spot(&self, open: &OpenFiles) -> Result<Spot, Bad> {
        let mut spot = self.spot(open)?;
        if let Bytes::Far { fresh, .. } = &mut spot.pack.file {
            *fresh = true;
        }
        Ok(spot)
    }
}
