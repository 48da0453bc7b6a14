//! What a push relies on, where packs may be removed by somebody else (`docs/format/remote.md`, *Roots, condemned packs, removal*).
//!
//! Nobody locks anybody out of a depot. So what is put through a handle is published as needed before it counts as durable, and
//! then everything that it relies on and did not bring itself is looked at once more. What lies in a condemned pack is stored again from there; what
//! is gone has to come from the caller, whose sync fails with [`ErrorKind::Lost`] until it did.
//!
//! Bookkeeping is in epochs, one from each sync to the next. A put that runs while another thread syncs may have looked for chunks
//! in an older epoch than the one in which it ends; an epoch is forgotten once no put is under way that began in it.

use std::collections::{HashSet, VecDeque};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use stem_fs::Timestamp;
use stem_hash::ObjectId;
use stem_store::{Durability, Error, ErrorKind, Operation, PutOptions, Result};

use crate::depot::{Look, Moment, Roots};
use crate::format::{Kind, PackId};
use crate::handle::Core;
use crate::index::Want;
use crate::lookup::{OBJECTS, Purpose, stat_record};
use crate::record::Bad;

/// How old a look may be when something new is relied on.
const LOOK_AGAIN: Duration = Duration::from_mins(30);
/// How old a look may be to be dated later, by a clock that was not asked then.
const ANCHOR: Duration = Duration::from_hours(1);
/// How often what lies in condemned packs is stored again in one sync; once is enough unless packs are condemned meanwhile.
const ROUNDS: usize = 4;

/// What a handle relies on.
#[derive(Debug, Default)]
pub(crate) struct Reliance {
    /// Packs that are not to be relied on.
    condemned: RwLock<Arc<HashSet<PackId>>>,
    state: Mutex<State>,
    /// One look at a time.
    looking: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The last one is the current one.
    epochs: VecDeque<Epoch>,
    /// The number of the first one.
    first: u64,
    looked: Option<Moment>,
    /// Objects that were there, are gone, and were not put again since.
    owed: HashSet<ObjectId>,
}

#[derive(Debug, Default)]
struct Epoch {
    /// The last look before anything here was relied on.
    began: Option<Moment>,
    /// Puts under way that began here.
    active: usize,
    /// Objects that have to be published as needed.
    needs: HashSet<ObjectId>,
    /// Packs in which something was found.
    relied: HashSet<PackId>,
    /// Packs that were brought.
    own: HashSet<PackId>,
    /// Whether chunk lists were relied on whose chunks nobody looked for.
    unread: bool,
}

impl Epoch {
    fn is_empty(&self) -> bool {
        self.active == 0 && self.needs.is_empty() && self.relied.is_empty() && self.own.is_empty()
    }
}

impl State {
    fn current(&mut self) -> &mut Epoch {
        if self.epochs.is_empty() {
            self.epochs.push_back(Epoch { began: self.looked, ..Epoch::default() });
        }
        let last = self.epochs.len() - 1;
        &mut self.epochs[last]
    }
}

/// What a sync has to account for.
#[derive(Debug, Default)]
struct Stake {
    needs: Vec<ObjectId>,
    /// The epochs before this one are done with when it has.
    done: u64,
}

/// A put under way.
#[derive(Debug)]
struct Active<'a> {
    reliance: &'a Reliance,
    epoch: u64,
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        let mut state = self.reliance.state.lock();
        let at = self.epoch.checked_sub(state.first).and_then(|at| usize::try_from(at).ok());
        if let Some(epoch) = at.and_then(|at| state.epochs.get_mut(at)) {
            epoch.active = epoch.active.saturating_sub(1);
        }
    }
}

/// Whether an object can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    No,
    Yes,
    /// Its list is there; for its chunks nobody looked.
    Unread,
}

impl Reliance {
    /// Whether what lies in this pack counts as there for somebody who is going to rely on it.
    pub(crate) fn may_rely(&self, pack: PackId) -> bool {
        let condemned = self.condemned.read();
        condemned.is_empty() || !condemned.contains(&pack) || self.is_own(pack)
    }

    fn is_own(&self, pack: PackId) -> bool {
        self.state.lock().epochs.iter().any(|epoch| epoch.own.contains(&pack))
    }

    /// Something in this pack need not be stored, because it is there.
    pub(crate) fn relies(&self, pack: PackId) {
        self.state.lock().current().relied.insert(pack);
    }

    /// This handle made the pack.
    pub(crate) fn owns(&self, pack: PackId) {
        self.state.lock().current().own.insert(pack);
    }

    fn enter(&self) -> Active<'_> {
        let mut state = self.state.lock();
        state.current().active += 1;
        let epoch = state.first + (state.epochs.len() as u64).saturating_sub(1);
        Active { reliance: self, epoch }
    }

    fn need(&self, id: &ObjectId) {
        let mut state = self.state.lock();
        state.owed.remove(id);
        state.current().needs.insert(*id);
    }

    /// Takes a look into account.
    fn see(&self, look: &Look) {
        *self.condemned.write() = look.condemned.clone();
        let mut state = self.state.lock();
        state.looked = Some(look.at);
        // Nothing before it matters any more.
        if state.epochs.iter().all(Epoch::is_empty) {
            state.first += state.epochs.len() as u64;
            state.epochs.clear();
        }
        for began in state.epochs.iter_mut().filter_map(|epoch| epoch.began.as_mut()) {
            if began.depot.is_none()
                && began.age().is_some_and(|age| age <= ANCHOR)
                && let Some(now) = look.at.depot
            {
                let hour = i64::try_from(ANCHOR.as_secs()).unwrap_or(i64::MAX);
                began.depot = Some(Timestamp { secs: now.secs.saturating_sub(hour), ..now });
            }
        }
        let looked = state.looked;
        for epoch in state.epochs.iter_mut().filter(|epoch| epoch.began.is_none()) {
            epoch.began = looked;
        }
    }

    fn is_due(&self) -> bool {
        let looked = self.state.lock().looked;
        looked.and_then(|at| at.age()).is_none_or(|age| age >= LOOK_AGAIN)
    }

    /// Begins a new epoch and says what the ones before it need.
    fn take(&self) -> Stake {
        let mut state = self.state.lock();
        let mut needs: Vec<ObjectId> =
            state.epochs.iter_mut().flat_map(|epoch| std::mem::take(&mut epoch.needs)).collect();
        needs.sort_unstable();
        needs.dedup();
        let idle = state.epochs.iter().take_while(|epoch| epoch.active == 0).count();
        let done = state.first + idle as u64;
        let began = state.looked;
        state.epochs.push_back(Epoch { began, ..Epoch::default() });
        Stake { needs, done }
    }

    fn retire(&self, done: u64) {
        let mut state = self.state.lock();
        while state.first < done && state.epochs.pop_front().is_some() {
            state.first += 1;
        }
    }

    /// The packs that were relied on and not brought, whether chunk lists were, and since when.
    fn relied(&self) -> (HashSet<PackId>, bool, Option<Moment>) {
        let state = self.state.lock();
        let own: HashSet<PackId> = state.epochs.iter().flat_map(|epoch| &epoch.own).copied().collect();
        let relied = state.epochs.iter().flat_map(|epoch| &epoch.relied).copied();
        let relied = relied.filter(|pack| !own.contains(pack)).collect();
        let unread = state.epochs.iter().any(|epoch| epoch.unread);
        (relied, unread, state.epochs.iter().find_map(|epoch| epoch.began))
    }

    /// Too much time has passed: from now on nothing was brought, and everything only relied on.
    fn start_again(&self, at: Moment) {
        let mut state = self.state.lock();
        for epoch in &mut state.epochs {
            let own = std::mem::take(&mut epoch.own);
            epoch.relied.extend(own);
            epoch.began = Some(at);
        }
    }
}

/// Reads an object again to store it again.
struct Again<'a> {
    core: &'a Core,
    id: ObjectId,
    at: u64,
}

impl Read for Again<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.core.read_part(&self.id, self.at, buf).map_err(io::Error::other)?;
        let read = read.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Core {
    fn roots(&self) -> Option<&dyn Roots> {
        self.depot.as_ref()?.roots()
    }

    fn far(&self, operation: Operation, error: io::Error) -> Error {
        Error::from_io(operation, self.name.as_str(), error)
    }

    /// Whether a copy in this pack counts as there.
    pub(crate) fn may_rely(&self, pack: PackId) -> bool {
        self.depot.is_none() || self.reliance.may_rely(pack)
    }

    /// A copy in this pack counted as there.
    pub(crate) fn relies(&self, pack: PackId) {
        if self.depot.is_some() {
            self.reliance.relies(pack);
        }
    }

    /// Looks for condemned packs if nobody did lately.
    fn look_if_due(&self, roots: &dyn Roots, operation: Operation) -> Result<()> {
        if !self.reliance.is_due() {
            return Ok(());
        }
        let _alone = self.reliance.looking.lock();
        if self.reliance.is_due() {
            let look = roots.look().map_err(|error| self.far(operation, error))?;
            self.reliance.see(&look);
        }
        Ok(())
    }

    /// A put, with what is to be said of it to others.
    pub(crate) fn put_and_need<T>(
        &self,
        options: &PutOptions,
        put: impl FnOnce() -> Result<T>,
        id: impl FnOnce(&T) -> ObjectId,
    ) -> Result<T> {
        let Some(roots) = self.roots() else { return put() };
        self.make_ready()?;
        self.look_if_due(roots, Operation::Put)?;
        let active = self.reliance.enter();
        let done = put()?;
        let id = id(&done);
        if options.durability == Durability::AtSync {
            self.reliance.need(&id);
            return Ok(done);
        }
        let _alone = self.syncing.lock();
        self.reliance.state.lock().owed.remove(&id);
        let kept = self.keep_needed(roots, &[id]);
        drop(active);
        if kept.as_ref().is_err_and(|error| error.kind() != ErrorKind::Lost) {
            self.mark_lost();
        }
        let mut state = self.reliance.state.lock();
        // Nobody else relies on anything.
        if state.epochs.iter().all(|epoch| epoch.active == 0 && epoch.needs.is_empty()) {
            state.first += state.epochs.len() as u64;
            state.epochs.clear();
        }
        drop(state);
        // An error about this object alone: nothing of it waits for a sync.
        if kept.is_err() {
            self.reliance.state.lock().owed.remove(&id);
        }
        kept.map(|()| done)
    }

    /// See [`stem_store::ObjectStore::rely_on`].
    pub(crate) fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        let Some(roots) = self.roots() else {
            return Ok(self.stat_objects(ids)?.iter().map(Option::is_some).collect());
        };
        self.check_spent(Operation::Stat)?;
        self.look_if_due(roots, Operation::Stat)?;
        let _active = self.reliance.enter();
        let condemned = self.reliance.condemned.read().clone();
        let look = || -> Result<Vec<Stands>> {
            let each = |id: &ObjectId| self.stands(id, !condemned.is_empty(), &mut |_| {});
            ids.iter().map(each).collect()
        };
        let mut found = look()?;
        if found.contains(&Stands::No) {
            self.refresh().map_err(|bad| self.bad_store(Operation::Stat, bad))?;
            found = look()?;
        }
        for (id, stands) in ids.iter().zip(&found).filter(|(_, stands)| **stands != Stands::No) {
            self.reliance.need(id);
            if *stands == Stands::Unread {
                self.reliance.state.lock().current().unread = true;
            }
            // Its packs are relied on; what was just found is found again without asking anybody.
            self.stands(id, false, &mut |pack| self.reliance.relies(pack))?;
        }
        Ok(found.into_iter().map(|stands| stands != Stands::No).collect())
    }

    /// See [`stem_store::Maintain::needs_only`].
    pub(crate) fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        let Some(roots) = self.roots() else { return Ok(()) };
        let _alone = self.syncing.lock();
        roots.replace(ids).map_err(|error| self.far(Operation::Remove, error))
    }

    /// See [`stem_store::Maintain::entrust`].
    pub(crate) fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        let Some(roots) = self.roots() else { return Ok(()) };
        let _alone = self.syncing.lock();
        roots.entrust(ids).map_err(|error| self.far(Operation::Remove, error))
    }

    /// After everything is durable: says that it is needed, and looks whether what was relied on is there still.
    pub(crate) fn account(&self) -> Result<()> {
        let Some(roots) = self.roots() else { return Ok(()) };
        let stake = self.reliance.take();
        let kept = self.keep_needed(roots, &stake.needs);
        match &kept {
            Err(error) if error.kind() != ErrorKind::Lost => {}
            _ => self.reliance.retire(stake.done),
        }
        kept?;
        let owed: Vec<ObjectId> = self.reliance.state.lock().owed.iter().copied().collect();
        if owed.is_empty() { Ok(()) } else { Err(self.lost_objects(owed)) }
    }

    fn keep_needed(&self, roots: &dyn Roots, needs: &[ObjectId]) -> Result<()> {
        if needs.is_empty() {
            return Ok(());
        }
        let failed = |error| self.far(Operation::Sync, error);
        roots.publish(needs).map_err(failed)?;
        for _ in 0..ROUNDS {
            let look = roots.look().map_err(failed)?;
            let (.., began) = self.reliance.relied();
            let timely = match &began {
                Some(began) => roots.is_timely(began).map_err(failed)?,
                None => true,
            };
            if !timely {
                self.reliance.start_again(look.at);
            }
            self.reliance.see(&look);
            let (relied, unread, _) = self.reliance.relied();
            let asked: Vec<PackId> = if unread {
                let snapshot = self.catalog.current();
                let there = snapshot.packs.values().filter(|pack| pack.is_settled());
                there.map(|pack| pack.id).filter(|pack| !self.reliance.is_own(*pack)).collect()
            } else {
                relied.iter().copied().collect()
            };
            let gone = if asked.is_empty() { Vec::new() } else { roots.gone(&asked).map_err(failed)? };
            let gone: HashSet<PackId> = gone.into_iter().collect();
            if !gone.is_empty() {
                self.catalog.removed(&gone);
            }
            let shaken = !timely
                || !gone.is_empty()
                || relied.iter().any(|pack| look.condemned.contains(pack))
                || (unread && !look.condemned.is_empty());
            if !shaken {
                return Ok(());
            }
            if self.store_again(needs)? == 0 {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Unavailable, Operation::Sync, self.name.as_str())
            .with_reason("packs are condemned faster than what lies in them is stored again; try again"))
    }

    /// Stores again what cannot be relied on where it is, from there. Says how many objects that were.
    fn store_again(&self, needs: &[ObjectId]) -> Result<usize> {
        let mut weak = Vec::new();
        for id in needs {
            if self.stands(id, true, &mut |_| {})? == Stands::No {
                weak.push(*id);
            }
        }
        let mut lost = Vec::new();
        for id in &weak {
            if !self.store_one_again(id)? {
                lost.push(*id);
            }
        }
        if weak.len() > lost.len() {
            self.sync_pending()?;
        }
        if lost.is_empty() {
            return Ok(weak.len());
        }
        self.reliance.state.lock().owed.extend(&lost);
        Err(self.lost_objects(lost))
    }

    /// `false`: it is gone.
    fn store_one_again(&self, id: &ObjectId) -> Result<bool> {
        let stat =
            self.each_copy(id, Want::Object, Purpose::Read, |spot, _| stat_record(&spot.open(id, OBJECTS)?));
        let stat = match stat {
            Ok(Some(stat)) => stat,
            Ok(None) | Err(Bad::Vanished | Bad::Damaged(_) | Bad::Misled(_)) => return Ok(false),
            Err(bad @ Bad::Unreadable(_)) => return Err(self.bad(Operation::Sync, id, bad)),
        };
        let options = PutOptions {
            expected: Some(*id),
            durability: Durability::AtSync,
            metadata: stat.metadata,
            checksum: false,
        };
        match self.put_known(&mut Again { core: self, id: *id, at: 0 }, Some(stat.size), &options) {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::Corrupt | ErrorKind::WrongHash | ErrorKind::Source => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn lost_objects(&self, ids: Vec<ObjectId>) -> Error {
        Error::lost_objects(Operation::Sync, self.name.as_str(), ids)
    }

    /// Whether the object can be relied on: a copy of its record, and if `deep` of everything that it names, lies in packs of
    /// which that holds. `seen` is shown the packs.
    fn stands(&self, id: &ObjectId, deep: bool, seen: &mut dyn FnMut(PackId)) -> Result<Stands> {
        if self.pending.held(id).is_some() {
            return Ok(Stands::Yes);
        }
        let snapshot = self.catalog.current();
        let failed = |bad| self.bad(Operation::Stat, id, bad);
        for hit in self.catalog.find(&snapshot, id, Want::Object, &self.place).map_err(failed)? {
            if !self.may_rely(hit.pack.id) {
                continue;
            }
            if hit.entry.kind != Kind::ChunkList {
                seen(hit.pack.id);
                return Ok(Stands::Yes);
            }
            if !deep {
                seen(hit.pack.id);
                return Ok(Stands::Unread);
            }
            let mut chunks = || -> std::result::Result<bool, Bad> {
                let record = hit.fresh_spot(&self.catalog.open_files)?.open(id, &[Kind::ChunkList])?;
                record.check_payload()?;
                let mut walk = record.chunk_list()?;
                while let Some(entry) = walk.next()? {
                    let hits = self.catalog.find(&snapshot, &entry.id, Want::Chunk, &self.place)?;
                    let growing = self.pending.chunk(&entry.id).is_some();
                    let good = |chunk: &&crate::catalog::Hit| {
                        chunk.entry.raw_len == entry.len() && self.may_rely(chunk.pack.id)
                    };
                    match hits.iter().find(good) {
                        Some(chunk) => seen(chunk.pack.id),
                        None if growing => {}
                        None => return Ok(false),
                    }
                }
                Ok(true)
            };
            match chunks() {
                Ok(true) => {
                    seen(hit.pack.id);
                    return Ok(Stands::Yes);
                }
                Ok(false) | Err(Bad::Damaged(_) | Bad::Misled(_)) => {}
                Err(Bad::Vanished) => self.catalog.vanished(&hit.pack),
                Err(bad @ Bad::Unreadable(_)) => return Err(failed(bad)),
            }
        }
        Ok(Stands::No)
    }
}
