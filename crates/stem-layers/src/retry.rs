//! Asking again.
//!
//! Only what can be repeated without anybody noticing is repeated: looking up, listing before the first id was shown,
//! opening, ranges, restoring, verifying. A put has consumed its source, a sync that failed has spent its handle, and a
//! second remove would say that nothing was there. Only [`ErrorKind::Unavailable`] is worth a second try; the other kinds
//! say the same thing again. Waits are spread by chance, so that those whom one failure hit do not all come back at once.

use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::ops::ControlFlow;
use std::time::Duration;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Put, PutFile,
    PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage, Tidied,
    TidyOptions, Verified,
};

use crate::target::empty;

/// How often, and after how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first one included; 0 counts as 1.
    pub tries: u32,
    /// The longest wait before the second try; it doubles with every further one. Each wait is between half of that and all
    /// of it.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { tries: 4, first_wait: Duration::from_millis(50), longest_wait: Duration::from_secs(2) }
    }
}

impl RetryPolicy {
    /// The wait before try number `number`, counted from 1; `chance` is any number.
    fn wait_before(&self, number: u32, chance: u64) -> Duration {
        let doublings = number.saturating_sub(2).min(31);
        let longest = self.first_wait.saturating_mul(1 << doublings).min(self.longest_wait);
        let half = longest / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(chance % spread.saturating_add(1).max(1))
    }
}

/// Repeats reads of a store that is not available now.
#[derive(Debug)]
pub struct Retry<S> {
    inner: S,
    policy: RetryPolicy,
    wait: fn(Duration),
}

impl<S: ObjectStore> Retry<S> {
    /// Guards this store.
    pub fn new(inner: S, policy: RetryPolicy) -> Self {
        Self::waiting_with(inner, policy, std::thread::sleep)
    }

    /// As [`new`](Self::new), with another way to let time pass.
    pub fn waiting_with(inner: S, policy: RetryPolicy, wait: fn(Duration)) -> Self {
        Self { inner, policy, wait }
    }

    fn again<T>(&self, mut call: impl FnMut(u32) -> Result<T>) -> Result<T> {
        let mut number = 1;
        loop {
            match call(number) {
                Err(error) if error.kind() == ErrorKind::Unavailable && number < self.policy.tries => {
                    number += 1;
                    // As good as random, without a crate for it.
                    let chance = RandomState::new().hash_one(number);
                    (self.wait)(self.policy.wait_before(number, chance));
                }
                other => return other,
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for Retry<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.again(|_| self.inner.stat(id))
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.again(|_| self.inner.open(id))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.again(|_| self.inner.read_range(id, offset, buf))
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.inner.put(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        let mut shown = false;
        let mut failed = None;
        self.again(|_| {
            let listed = self.inner.list(prefix, &mut |id| {
                shown = true;
                visit(id)
            });
            match listed {
                // Whoever saw a part must not see it twice.
                Err(error) if shown => {
                    failed = Some(error);
                    Ok(())
                }
                other => other,
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.again(|_| self.inner.stat_many(ids))
    }

    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        self.again(|_| self.inner.rely_on(ids))
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.inner.put_file(source, options)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.again(|number| {
            if number > 1 {
                empty(target, self.name(), id)?;
            }
            self.inner.restore_file(id, target, options)
        })
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.again(|_| self.inner.storage_order(ids))
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Maintain> Maintain for Retry<S> {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        self.again(|_| self.inner.verify(id))
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.inner.remove(id)
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.again(|_| self.inner.needs_only(ids))
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.again(|_| self.inner.entrust(ids))
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        self.inner.repack(options)
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.inner.stored_bytes()
    }

    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        self.inner.quarantine(id, into, name)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.inner.check_structure(found)
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        self.inner.tidy(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread_over_their_second_half() {
        let policy = RetryPolicy { tries: 99, ..RetryPolicy::default() };
        for (number, longest) in [(2, 50), (3, 100), (4, 200), (7, 1600), (8, 2000), (99, 2000)] {
            let longest = Duration::from_millis(longest);
            assert_eq!(policy.wait_before(number, 0), longest / 2);
            let spread = u64::try_from((longest / 2).as_nanos()).unwrap();
            assert_eq!(policy.wait_before(number, spread), longest);
            for chance in [1, 77, u64::MAX, u64::MAX / 3] {
                let wait = policy.wait_before(number, chance);
                assert!(longest / 2 <= wait && wait <= longest, "{wait:?}");
            }
        }
        let none = RetryPolicy { first_wait: Duration::ZERO, ..policy };
        assert_eq!(none.wait_before(5, 12_345), Duration::ZERO);
    }
}
