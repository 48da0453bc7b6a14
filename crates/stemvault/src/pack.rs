//! From loose objects to packs, and back.
//!
//! Both directions are the same work: copy a batch into the other store, verified and durably, and only then remove it from
//! the first. At every instant each object is in one of the two, or in both; readers of the repository look into both.
//! Copying shares the store's lock, removing holds it alone, so that no push relies on an object that is just leaving.
//! What an interruption leaves is a few objects in both places; the next run finds them there and removes the first copy.
//!
//! Muse reads no packs: its pop would call an object missing, and drop the entry. So what it may ask for stays loose
//! unless everything is asked for.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Duration;

use stem_fs::Timestamp;
use stem_hash::{IdPrefix, ObjectId};
use stem_odb::transfer;
use stem_odb::verify::BadObject;
use stem_stash::format::stamp::Stamp;
use stem_stash::{Phase, Progress, StoreLock};
use stem_store::{Maintain, RepackOptions};

use crate::error::Result;
use crate::gc::LOCK_TIMEOUT;
use crate::vault::Vault;

/// Objects that change sides before the lock changes hands, and their bytes: what an interruption makes the next run do
/// again at most.
const BATCH_OBJECTS: usize = 8192;
const BATCH_BYTES: u64 = 2 << 30;

/// Which loose objects to pack.
#[derive(Debug, Clone)]
pub struct PackingOptions {
    /// Also what stash entries and branch heads name. Muse cannot read those objects then.
    pub all: bool,
    /// Only what has been in the store for so long.
    pub older_than: Option<Duration>,
    /// The time of the run; `None` asks the system.
    pub now: Option<Stamp>,
    /// How long to wait for a push that runs.
    pub lock_timeout: Duration,
}

/// Which packed objects to make loose again.
#[derive(Debug, Clone)]
pub struct UnpackingOptions {
    /// Objects whose id begins with one of these; all when it is empty.
    pub ids: Vec<IdPrefix>,
    /// How long to wait for a push that runs.
    pub lock_timeout: Duration,
}

impl Default for PackingOptions {
    fn default() -> Self {
        Self { all: false, older_than: None, now: None, lock_timeout: LOCK_TIMEOUT }
    }
}

impl Default for UnpackingOptions {
    fn default() -> Self {
        Self { ids: Vec::new(), lock_timeout: LOCK_TIMEOUT }
    }
}

/// What changed sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Objects that did.
    pub objects: u64,
    /// Their bytes, as they were put.
    pub bytes: u64,
    /// Loose objects that stay so because entries or branch heads name them.
    pub named: u64,
    /// Objects that stay where they are because they are too young.
    pub young: u64,
    /// Objects that stay where they are because they are damaged.
    pub bad: Vec<BadObject>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

impl Moved {
    /// Whether something should have moved and could not.
    pub fn is_partial(&self) -> bool {
        !self.bad.is_empty()
    }
}

/// Passes the progress of a copy on.
struct Told<'a>(&'a dyn Progress);

impl transfer::Observer for Told<'_> {
    fn advance(&self, objects: u64, bytes: u64) {
        self.0.advance(objects, bytes);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// The two sides of a move.
struct Sides<'a> {
    from: &'a dyn Maintain,
    to: &'a dyn Maintain,
    /// Whether only what nobody names may leave.
    spare_named: bool,
    lock_timeout: Duration,
}

impl Vault {
    /// Moves loose objects into packs.
    ///
    /// # Errors
    ///
    /// [`StashError::RootUnreadable`](crate::StashError::RootUnreadable) when it is unknown what Muse may ask for (not
    /// with `all`), [`StashError::Refused`](crate::StashError::Refused) when a push does not end in time. What was packed
    /// until then is packed.
    pub fn pack(&self, options: &PackingOptions, progress: &dyn Progress) -> Result<Moved> {
        let stash = self.stash();
        // What an interrupted push left is put back from loose objects.
        stash.recover(progress)?;
        let lock = stash.share_store(progress)?;
        let mut moved = Moved::default();
        let named = if options.all { Vec::new() } else { stash.hot_objects(progress)? };
        let limit = options.older_than.map(|age| limit(options.now, age)).transpose()?;
        let mut todo = Vec::new();
        for (id, size, since) in listed(&**self.loose())? {
            if named.binary_search(&id).is_ok() {
                moved.named += 1;
            } else if limit.is_some_and(|limit| since.is_none_or(|since| since > limit)) {
                moved.young += 1;
            } else {
                todo.push((id, size));
            }
        }
        let sides = Sides {
            from: &**self.loose(),
            to: &**self.packs(),
            spare_named: !options.all,
            lock_timeout: options.lock_timeout,
        };
        self.shift(&sides, &todo, moved, lock, progress)
    }

    /// Stores a second copy of an entry's objects in packs, where Muse's garbage collection, which knows no stash, does not
    /// look. The loose ones stay for Muse. Objects that are missing or damaged are told, and no copy is made of them.
    ///
    /// # Errors
    ///
    /// A reference to no entry, an entry that cannot be read, and what the stores answer.
    pub fn keep_safe(&self, reference: &str, progress: &dyn Progress) -> Result<Moved> {
        let stash = self.stash();
        let _lock = stash.share_store(progress)?;
        let entry = stash.show(reference)?.entry;
        let mut ids: Vec<ObjectId> = entry.manifest.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        progress.begin(Phase::Saving, ids.len() as u64, 0);
        let copied = transfer::copy(&**self.loose(), &**self.packs(), &ids, &Told(progress))?;
        // What was pushed into packs to begin with has no loose copy.
        let packed = self.packs().stat_many(&copied.absent)?;
        let gone = copied.absent.iter().zip(packed).filter(|(_, stat)| stat.is_none());
        let gone = gone.map(|(id, _)| BadObject { id: *id, reason: "it is missing".into(), denied: false });
        Ok(Moved {
            objects: copied.ids.len() as u64,
            bytes: copied.bytes,
            bad: copied.bad.into_iter().chain(gone).collect(),
            stopped: copied.stopped,
            ..Moved::default()
        })
    }

    /// Makes packed objects loose again, as Muse stores them.
    ///
    /// # Errors
    ///
    /// As for [`pack`](Self::pack).
    pub fn unpack(&self, options: &UnpackingOptions, progress: &dyn Progress) -> Result<Moved> {
        let stash = self.stash();
        stash.recover(progress)?;
        let lock = stash.share_store(progress)?;
        let wanted =
            |id: &ObjectId| options.ids.is_empty() || options.ids.iter().any(|prefix| prefix.matches(id));
        let listed = listed(&**self.packs())?;
        let todo: Vec<_> =
            listed.into_iter().filter(|(id, ..)| wanted(id)).map(|(id, size, _)| (id, size)).collect();
        let sides = Sides {
            from: &**self.packs(),
            to: &**self.loose(),
            spare_named: false,
            lock_timeout: options.lock_timeout,
        };
        let moved = self.shift(&sides, &todo, Moved::default(), lock, progress)?;
        if moved.objects > 0 && !moved.stopped {
            self.compact(options.lock_timeout, progress)?;
        }
        Ok(moved)
    }

    /// Copies and removes, batch by batch.
    fn shift(
        &self,
        sides: &Sides<'_>,
        todo: &[(ObjectId, u64)],
        mut moved: Moved,
        lock: StoreLock,
        progress: &dyn Progress,
    ) -> Result<Moved> {
        let stash = self.stash();
        let mut lock = Some(lock);
        progress.begin(Phase::Saving, todo.len() as u64, todo.iter().map(|(_, size)| size).sum());
        let mut rest = todo;
        while !rest.is_empty() && !moved.stopped {
            let (batch, others) = rest.split_at(batch_len(rest));
            rest = others;
            let shared = match lock.take() {
                Some(shared) => shared,
                None => stash.share_store(progress)?,
            };
            let ids: Vec<ObjectId> = batch.iter().map(|(id, _)| *id).collect();
            let copied = transfer::copy(sides.from, sides.to, &ids, &Told(progress))?;
            moved.stopped = copied.stopped;
            moved.bad.extend(copied.bad);
            drop(shared);
            let removed = self.leave(sides, &copied.ids, progress)?;
            moved.named += (copied.ids.len() - removed.len()) as u64;
            moved.objects += removed.len() as u64;
            let left = batch.iter().filter(|(id, _)| removed.contains(id));
            moved.bytes += left.map(|(_, size)| size).sum::<u64>();
        }
        Ok(moved)
    }

    /// Removes what was copied from where it was, but for what somebody began to name meanwhile.
    fn leave(
        &self,
        sides: &Sides<'_>,
        ids: &[ObjectId],
        progress: &dyn Progress,
    ) -> Result<HashSet<ObjectId>> {
        let stash = self.stash();
        let mut removed = HashSet::new();
        if ids.is_empty() {
            return Ok(removed);
        }
        let _alone = stash.lock_store(sides.lock_timeout, progress)?;
        let named = if sides.spare_named { stash.hot_objects(progress)? } else { Vec::new() };
        // Between the copy and this lock a collection may have run.
        let there = sides.to.stat_many(ids)?;
        for (id, there) in ids.iter().zip(there) {
            if there.is_some() && named.binary_search(id).is_err() {
                sides.from.remove(id)?;
                removed.insert(*id);
            }
        }
        sides.from.sync()?;
        Ok(removed)
    }

    /// Gives back the space of packed objects that are gone.
    fn compact(&self, lock_timeout: Duration, progress: &dyn Progress) -> Result<()> {
        let _alone = self.stash().lock_store(lock_timeout, progress)?;
        let step = |_| {
            if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match self.packs().repack(&RepackOptions { progress: Some(&step), ..RepackOptions::default() }) {
            // What is left over is given back by the next run, or by gc.
            Err(error) if error.kind() == stem_store::ErrorKind::Interrupted => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }
}

/// Every object with its size and since when it is there, in the order of the ids.
fn listed(store: &dyn Maintain) -> Result<Vec<(ObjectId, u64, Option<Timestamp>)>> {
    let mut ids = Vec::new();
    store.list(&IdPrefix::ALL, &mut |id| {
        ids.push(id);
        ControlFlow::Continue(())
    })?;
    ids.sort_unstable();
    ids.dedup();
    let stats = store.stat_many(&ids)?;
    Ok(ids
        .into_iter()
        .zip(stats)
        .filter_map(|(id, stat)| stat.map(|stat| (id, stat.size, stat.since)))
        .collect())
}

/// The latest time at which an object may have come to be older than `age`.
fn limit(now: Option<Stamp>, age: Duration) -> Result<Timestamp> {
    let now = match now {
        Some(now) => now,
        None => Stamp::now().map_err(stem_stash::Error::from)?,
    };
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    let micros = now.as_micros().saturating_sub(age);
    Ok(Timestamp::from_nanos(i128::from(micros) * 1000).unwrap_or_default())
}

/// How many of these go together.
fn batch_len(todo: &[(ObjectId, u64)]) -> usize {
    let mut bytes = 0_u64;
    let mut fits = |(_, size): &(ObjectId, u64)| {
        let fits = bytes < BATCH_BYTES;
        bytes = bytes.saturating_add(*size);
        fits
    };
    todo.iter().take(BATCH_OBJECTS).take_while(|item| fits(item)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_by_number_and_by_bytes() {
        let id = |n: usize| ObjectId::from_bytes([u8::try_from(n % 251).unwrap(); 32]);
        let small: Vec<_> = (0..BATCH_OBJECTS + 5).map(|n| (id(n), 10)).collect();
        assert_eq!(batch_len(&small), BATCH_OBJECTS);
        let large: Vec<_> = (0..4).map(|n| (id(n), BATCH_BYTES)).collect();
        assert_eq!(batch_len(&large), 1);
        let huge: Vec<_> = (0..4).map(|n| (id(n), u64::MAX)).collect();
        assert_eq!(batch_len(&huge), 1);
        assert_eq!(batch_len(&[]), 0);
    }
}
