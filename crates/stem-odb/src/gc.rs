//! Garbage collection as far as a store is concerned: what is there and not needed, since when, and its removal.
//!
//! What is needed is told by the caller, who also keeps the list of what was found unneeded before; this module knows
//! neither repositories nor files. The list stands in place of the age of the objects, which their mtime does not tell:
//! an object carries the time of the file that it was made from.
//!
//! Memory: 32 bytes for each id that is needed, 48 for each object that is not.

use std::ops::ControlFlow;

use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Maintain, ObjectStore, Result};

/// How far back a clock may go without that being worth a word, in microseconds: an hour.
const JITTER: i64 = 3_600 * 1_000_000;
/// After how long without a run the clock is not trusted to have gone right, in microseconds: a year.
const LEAP: i64 = 366 * 86_400 * 1_000_000;

/// What the time of a run says beside the time of the run before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nothing speaks against it.
    Plausible,
    /// It is earlier than that of the run before.
    Backwards,
    /// It is more than a year later.
    Leapt,
}

impl Clock {
    /// Compares the time of this run with that of the one before, both in microseconds since the epoch.
    ///
    /// A clock that is wrong by years is what a machine has whose battery died; it makes everything old at once.
    pub fn judge(before: Option<i64>, now: i64) -> Self {
        match before {
            Some(before) if now < before.saturating_sub(JITTER) => Self::Backwards,
            Some(before) if now > before.saturating_add(LEAP) => Self::Leapt,
            _ => Self::Plausible,
        }
    }

    /// Whether ages may be computed from it.
    pub fn is_plausible(self) -> bool {
        self == Self::Plausible
    }
}

/// An object that nothing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unneeded {
    /// Its id.
    pub id: ObjectId,
    /// When it was first found so, in microseconds since the epoch.
    pub since: i64,
    /// Its size in bytes; 0 where the store cannot tell.
    pub size: u64,
}

/// When an object may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The time of this run, in microseconds since the epoch.
    pub now: i64,
    /// How long an object has to be known as unneeded, in microseconds.
    pub grace: i64,
    /// What is to be thought of `now`.
    pub clock: Clock,
}

/// What is in a store, by what becomes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// How many objects there are.
    pub objects: u64,
    /// Unneeded for longer than the grace, by id.
    pub doomed: Vec<Unneeded>,
    /// Unneeded, but not for long enough, by id.
    pub waiting: Vec<Unneeded>,
}

/// Compares the store with what is needed.
///
/// `needed` and `before` (what was found unneeded, and when) are sorted by id. What is needed again is in neither list of
/// the plan, and so is what is gone: both begin anew should they turn up later.
pub fn plan(
    store: &dyn ObjectStore,
    needed: &[ObjectId],
    before: &[(ObjectId, i64)],
    policy: &Policy,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut unneeded = Vec::new();
    store.list(&IdPrefix::ALL, &mut |id| {
        plan.objects += 1;
        if needed.binary_search(&id).is_err() {
            unneeded.push(id);
        }
        ControlFlow::Continue(())
    })?;
    unneeded.sort_unstable();
    unneeded.dedup();
    for id in unneeded {
        // A size is for people: an object that is damaged so badly that it has none goes like any other.
        let size = store.stat(&id).ok().flatten().map_or(0, |stat| stat.size);
        let since = before.binary_search_by(|(known, _)| known.cmp(&id)).ok().map(|at| before[at].1);
        let since = match (since, policy.clock) {
            (Some(since), Clock::Plausible | Clock::Backwards) => since.min(policy.now),
            (None, _) | (_, Clock::Leapt) => policy.now,
        };
        let is_old = policy.now.saturating_sub(since) >= policy.grace;
        let list = if is_old && policy.clock.is_plausible() { &mut plan.doomed } else { &mut plan.waiting };
        list.push(Unneeded { id, since, size });
    }
    Ok(plan)
}

/// Removes objects, until `go_on` (asked before each) breaks, and makes that durable. Returns how many it came to; the
/// caller holds the lock that keeps everybody out who could begin to need one.
pub fn sweep(
    store: &dyn Maintain,
    doomed: &[Unneeded],
    go_on: &mut dyn FnMut(&Unneeded) -> ControlFlow<()>,
) -> Result<usize> {
    let mut done = 0;
    for unneeded in doomed {
        if go_on(unneeded).is_break() {
            break;
        }
        store.remove(&unneeded.id)?;
        done += 1;
    }
    store.sync()?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stem_hash::Algorithm;
    use stem_store::{MemoryStore, ObjectStoreExt};

    const DAY: i64 = 86_400 * 1_000_000;

    fn policy(now: i64, clock: Clock) -> Policy {
        Policy { now, grace: 14 * DAY, clock }
    }

    fn store(texts: &[&str]) -> (MemoryStore, Vec<ObjectId>) {
        let store = MemoryStore::new(Algorithm::Sha256);
        let ids = texts.iter().map(|text| store.put_bytes(text.as_bytes()).unwrap().digest.id).collect();
        (store, ids)
    }

    #[test]
    fn what_is_found_unneeded_waits_and_then_goes() {
        let (store, ids) = store(&["needed", "not needed"]);
        let first = plan(&store, &ids[..1], &[], &policy(100 * DAY, Clock::Plausible)).unwrap();
        assert_eq!((first.objects, first.doomed.len()), (2, 0));
        assert_eq!(first.waiting, [Unneeded { id: ids[1], since: 100 * DAY, size: 10 }]);
        let list = [(ids[1], 100 * DAY)];
        let early = plan(&store, &ids[..1], &list, &policy(114 * DAY - 1, Clock::Plausible)).unwrap();
        assert!(early.doomed.is_empty());
        let late = plan(&store, &ids[..1], &list, &policy(114 * DAY, Clock::Plausible)).unwrap();
        assert_eq!(late.doomed.len(), 1);
        assert_eq!(sweep(&store, &late.doomed, &mut |_| ControlFlow::Continue(())).unwrap(), 1);
        assert!(store.contains(&ids[0]).unwrap() && !store.contains(&ids[1]).unwrap());
    }

    #[test]
    fn what_is_needed_again_begins_anew() {
        let (store, ids) = store(&["back"]);
        let list = [(ids[0], 0)];
        let needed = plan(&store, &ids, &list, &policy(100 * DAY, Clock::Plausible)).unwrap();
        assert!(needed.doomed.is_empty() && needed.waiting.is_empty());
        let again = plan(&store, &[], &[], &policy(101 * DAY, Clock::Plausible)).unwrap();
        assert_eq!(again.waiting[0].since, 101 * DAY);
    }

    #[test]
    fn a_clock_that_is_wrong_dooms_nothing() {
        let (store, ids) = store(&["x"]);
        let now = 1000 * DAY;
        assert_eq!(Clock::judge(None, now), Clock::Plausible);
        assert_eq!(Clock::judge(Some(now - 300 * DAY), now), Clock::Plausible);
        assert_eq!(Clock::judge(Some(now + JITTER), now), Clock::Plausible);
        assert_eq!(Clock::judge(Some(now + JITTER + 1), now), Clock::Backwards);
        assert_eq!(Clock::judge(Some(now - 367 * DAY), now), Clock::Leapt);
        assert_eq!(Clock::judge(Some(i64::MAX), i64::MIN), Clock::Backwards);
        assert_eq!(Clock::judge(Some(i64::MIN), i64::MAX), Clock::Leapt);
        // Backwards: ages stay, but none may lie in the future. A leap: all begin anew.
        for (clock, since, expected) in [
            (Clock::Backwards, 900 * DAY, 900 * DAY),
            (Clock::Backwards, 2000 * DAY, now),
            (Clock::Leapt, 900 * DAY, now),
            (Clock::Leapt, 2000 * DAY, now),
        ] {
            let plan = plan(&store, &[], &[(ids[0], since)], &policy(now, clock)).unwrap();
            assert!(plan.doomed.is_empty(), "{clock:?}");
            assert_eq!(plan.waiting[0].since, expected, "{clock:?} {since}");
        }
    }

    #[test]
    fn a_sweep_stops_where_it_is_told_to() {
        let (store, ids) = store(&["a", "b", "c"]);
        let all = plan(&store, &[], &[], &Policy { now: 0, grace: 0, clock: Clock::Plausible }).unwrap();
        assert_eq!(all.doomed.len(), 3);
        let mut left = 2;
        let done = sweep(&store, &all.doomed, &mut |_| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            ControlFlow::Continue(())
        });
        assert_eq!(done.unwrap(), 2);
        assert_eq!(ids.iter().filter(|id| store.contains(id).unwrap()).count(), 1);
    }
}
