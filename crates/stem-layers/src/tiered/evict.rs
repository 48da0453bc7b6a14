//! What leaves the cache, and what never does.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Operation, Result};

use super::Inner;
use super::state::Alone;
use super::upload::present;

/// How many objects the slower store is asked for at once.
const ASKED: usize = 256;

/// An object in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: ObjectId,
    /// Its size in bytes.
    pub size: u64,
    /// When it was used last, in microseconds since 1970.
    pub used: u64,
}

/// What may leave a cache of this size, in the order in which it goes, and how many bytes have to go: down to nine tenths
/// of the size, if it is exceeded at all. What `keep` names never leaves.
pub fn candidates(
    mut objects: Vec<Candidate>,
    size: u64,
    keep: impl Fn(&ObjectId) -> bool,
) -> (Vec<Candidate>, u64) {
    let total = objects.iter().fold(0, |sum: u64, object| sum.saturating_add(object.size));
    if total <= size {
        return (Vec::new(), 0);
    }
    objects.retain(|object| !keep(&object.id));
    // Of two that were used at once the larger one goes first: fewer have to.
    objects.sort_unstable_by_key(|object| (object.used, Reverse(object.size), object.id));
    (objects, total - (size - size / 10))
}

impl Inner {
    /// The cache is larger by so much than it should be. The next look is due when it has grown by as much again: looking
    /// through a cache that is full of what waits would take longer than putting it there.
    fn note_excess(&self, excess: u64, size: u64) {
        self.over.store(excess > 0, Ordering::Relaxed);
        self.step.store(excess.max(size / 16), Ordering::Relaxed);
    }

    /// Removes what was unused longest. Says how many bytes went.
    pub(super) fn evict(&self) -> Result<u64> {
        let Some(size) = self.options.size else { return Ok(0) };
        let Some(_alone) = self.state.try_alone(Alone::Evict)? else { return Ok(0) };
        let mut objects = Vec::new();
        for part in crate::union::parts(&IdPrefix::ALL) {
            let mut ids = Vec::new();
            self.cache.list(&part, &mut |id| {
                ids.push(id);
                ControlFlow::Continue(())
            })?;
            let stats = self.cache.stat_many(&ids)?;
            objects.extend(ids.into_iter().zip(stats).filter_map(|(id, stat)| {
                let stat = stat?;
                let micros = stat.since.map_or(0, |since| since.as_nanos() / 1000);
                Some(Candidate { id, size: stat.size, used: u64::try_from(micros).unwrap_or(0) })
            }));
        }
        let (mut times, lists) = self.state.accesses()?;
        times.extend(self.touched.lock().iter().map(|(id, time)| (*id, *time)));
        for object in &mut objects {
            object.used = times.get(&object.id).copied().unwrap_or(object.used);
        }
        if lists.len() > 1 {
            let known: HashMap<ObjectId, u64> =
                objects.iter().filter_map(|object| Some((object.id, *times.get(&object.id)?))).collect();
            self.state.join_accesses(&lists, known)?;
        }
        // After the listing: what is queued while we look was put later, and is asked for below.
        let queued = self.state.queued()?;
        let (todo, mut excess) = {
            let puts = self.puts.lock();
            candidates(objects, size, |id| queued.contains_key(id) || puts.pending.contains_key(id))
        };
        // Whatever hinders from here on: there is too much.
        self.note_excess(excess, size);
        let mut gone = 0_u64;
        let mut rest = todo.as_slice();
        while excess > 0 && !rest.is_empty() {
            let (batch, after) = rest.split_at(rest.len().min(ASKED));
            rest = after;
            let rows: Vec<(ObjectId, u64)> = batch.iter().map(|object| (object.id, object.size)).collect();
            let remote = self.remote.get(Operation::Remove)?;
            let there = present(&*remote, &rows)?;
            // Whoever put one of these since, in whatever process, has queued it, or will find it gone when it queues it.
            let _removing = self.state.alone(Alone::Remove)?;
            let queued = self.state.queued()?;
            for (id, size) in rows.into_iter().filter(|(id, _)| there.contains(id)) {
                if excess == 0 {
                    break;
                }
                // It goes another time.
                if queued.contains_key(&id) || self.puts.lock().pending.contains_key(&id) {
                    continue;
                }
                if self.cache.remove(&id)? {
                    gone = gone.saturating_add(size);
                }
                excess = excess.saturating_sub(size);
            }
        }
        self.note_excess(excess, size);
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(number: u8, size: u64, used: u64) -> Candidate {
        Candidate { id: ObjectId::from_bytes([number; 32]), size, used }
    }

    #[test]
    fn the_longest_unused_go_first_and_only_when_it_is_too_much() {
        let objects = vec![object(1, 40, 9), object(2, 40, 3), object(3, 40, 5)];
        let none = |_: &ObjectId| false;
        assert_eq!(candidates(objects.clone(), 120, none), (vec![], 0));
        let (order, excess) = candidates(objects.clone(), 119, none);
        let order: Vec<u64> = order.iter().map(|object| object.used).collect();
        assert_eq!((order, excess), (vec![3, 5, 9], 120 - (119 - 11)));
        let kept = objects[1].id;
        let (order, _) = candidates(objects, 50, |id| *id == kept);
        assert!(order.iter().all(|object| object.id != kept));
    }

    proptest! {
        /// Against the rule in its plainest form.
        #[test]
        fn what_is_kept_never_goes_and_the_rest_in_order(
            objects in proptest::collection::vec((0_u64..100, 0_u64..20, any::<bool>()), 0..40),
            size in 0_u64..2000,
        ) {
            let kept = |id: &ObjectId| objects.get(usize::from(id.as_bytes()[0])).is_some_and(|o| o.2);
            let all: Vec<Candidate> = objects
                .iter()
                .zip(0_u8..)
                .map(|((size, used, _), number)| object(number, *size, *used))
                .collect();
            let total: u64 = all.iter().map(|object| object.size).sum();
            let (order, excess) = candidates(all.clone(), size, kept);
            prop_assert!(order.iter().all(|object| !kept(&object.id)));
            prop_assert!(order.windows(2).all(|pair| pair[0].used <= pair[1].used));
            if total <= size {
                prop_assert!(order.is_empty() && excess == 0);
            } else {
                prop_assert_eq!(order.len(), all.iter().filter(|object| !kept(&object.id)).count());
                prop_assert_eq!(excess, total - (size - size / 10));
            }
        }
    }
}
