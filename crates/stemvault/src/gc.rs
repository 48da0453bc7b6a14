//! Garbage collection of a repository: what is needed is the stash's to know, what is there the store's.
//!
//! One run does both phases, for different objects: what it finds unneeded for the first time is written down, and what
//! was written down long enough ago, and is unneeded still, is removed. The lock on the store is held from before the
//! first root is read until the last object is gone, so that nobody who takes our locks can begin to need one in between.
//! Programs that take none of them (Muse) are noticed when they changed a root meanwhile; then nothing is removed.
//!
//! The order is what makes every interruption harmless: the list names an object durably before the object goes, and
//! forgets it after. A list that names what is gone costs nothing, for only what is there is ever considered.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use stem_fs::Timestamp;
use stem_hash::ObjectId;
use stem_odb::gc::{self, Clock, Policy, Unneeded};
use stem_stash::format::stamp::Stamp;
use stem_stash::{Phase, Progress, RootOptions};
use stem_store::{RepackOptions, TidyOptions};

use crate::error::Result;
use crate::vault::Vault;

/// How long a run waits for a push to end, unless told otherwise.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_mins(1);
/// How often removing can be stopped.
const BATCH: u64 = 64;
const CHANGED: &str =
    "another program changed what is needed while this ran: run it again when that program is done";

/// What a run is going to do.
struct Planned {
    result: GcResult,
    doomed: Vec<Unneeded>,
    /// The digest of what was read to know what is needed.
    witness: [u8; 32],
    /// What a bucket has to keep for the repository, sorted.
    needed: Vec<ObjectId>,
}

/// How to collect.
#[derive(Debug, Clone)]
pub struct GcOptions {
    /// Say what would be removed, and change nothing. No lock is taken: what a push is storing right now counts as
    /// unneeded.
    pub dry_run: bool,
    /// How long an object has to be known as unneeded before it goes. `None` takes the configured time, 14 days by
    /// default.
    pub grace: Option<Duration>,
    /// Give up what could be brought back by undo if it is older than this. `None` leaves it to its own time.
    pub expire_undo: Option<Duration>,
    /// The time of the run; `None` asks the system.
    pub now: Option<Stamp>,
    /// How long to wait for a push that runs.
    pub lock_timeout: Duration,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { dry_run: false, grace: None, expire_undo: None, now: None, lock_timeout: LOCK_TIMEOUT }
    }
}

/// What a collection did, or with [`GcOptions::dry_run`] would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcResult {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Objects that were in the store.
    pub objects: u64,
    /// Documents that name objects, by kind.
    pub roots: BTreeMap<&'static str, u64>,
    /// Removed, by id.
    pub removed: Vec<Unneeded>,
    /// Unneeded, and kept until they have been so for long enough, by id.
    pub waiting: Vec<Unneeded>,
    /// When the first of those that wait may go, in microseconds since the epoch.
    pub next: Option<i64>,
    /// Temporary files of dead processes that were removed, and their bytes.
    pub temporaries: (u64, u64),
    /// Undo records that were given up.
    pub undo_expired: u64,
    /// Why objects that are old enough were kept nevertheless.
    pub postponed: Option<String>,
    /// Where the repository's own store is a bucket: how many objects it was told are needed. What no client needs goes when the bucket
    /// itself is collected.
    pub needed: Option<u64>,
    /// What collecting the bucket did then, for all who use it.
    #[cfg(feature = "remote")]
    pub bucket: Option<stem_remote::Collected>,
}

impl GcResult {
    /// Bytes of the objects that were removed.
    pub fn removed_bytes(&self) -> u64 {
        bytes(&self.removed)
    }

    /// Bytes of the objects that wait.
    pub fn waiting_bytes(&self) -> u64 {
        bytes(&self.waiting)
    }
}

fn bytes(objects: &[Unneeded]) -> u64 {
    objects.iter().fold(0, |sum, object| sum.saturating_add(object.size))
}

fn micros(age: Duration) -> i64 {
    i64::try_from(age.as_micros()).unwrap_or(i64::MAX)
}

impl Vault {
    /// Removes objects that nothing needs and has not needed for a while.
    ///
    /// # Errors
    ///
    /// [`StashError::RootUnreadable`](crate::StashError::RootUnreadable) when something that may name objects cannot be
    /// read, [`StashError::Refused`](crate::StashError::Refused) when a push does not end in time: then nothing was
    /// removed.
    pub fn gc(&self, options: &GcOptions, progress: &dyn Progress) -> Result<GcResult> {
        let stash = self.stash();
        let now = match options.now {
            Some(now) => now,
            None => Stamp::now().map_err(stem_stash::Error::from)?,
        };
        if options.dry_run {
            return self.plan(now, options, progress).map(|planned| planned.result);
        }
        // What an interrupted push left comes back first; what cannot be is a root.
        stash.recover(progress)?;
        let undo_expired = self.expire_undo(now, options, progress)?;
        let lock = stash.lock_store(options.lock_timeout, progress)?;
        let Planned { mut result, doomed, witness, needed } = self.plan(now, options, progress)?;
        result.undo_expired = undo_expired;

        let listed = |first: &[Unneeded], second: &[Unneeded]| {
            let rows = first.iter().chain(second).map(|object| (object.id, object.since));
            let mut rows: Vec<_> = rows.collect();
            rows.sort_unstable();
            rows
        };
        let save = |rows| stash.save_condemned(&lock, &self.store_url, now.as_micros(), rows);
        save(listed(&doomed, &result.waiting))?;
        if let Some(bucket) = self.bucket() {
            if stash.root_witness(progress)? == witness {
                bucket.needs_only(&needed)?;
                result.needed = Some(needed.len() as u64);
            } else {
                result.postponed = Some(CHANGED.into());
            }
        }
        if !doomed.is_empty() {
            if stash.root_witness(progress)? == witness {
                self.sweep(doomed, &mut result, progress)?;
                save(listed(&result.waiting, &[]))?;
            } else {
                result.waiting.extend(doomed);
                result.waiting.sort_unstable_by_key(|object| object.id);
                result.postponed = Some(CHANGED.into());
            }
        }
        result.next = self.next(&result.waiting, options);
        result.temporaries = self.tidy(now, false)?;
        stash.save_gc_record(&record(now, &result))?;
        drop(lock);
        #[cfg(feature = "remote")]
        if self.bucket().is_some() && result.postponed.is_none() {
            let url = self.store_url.parse::<stem_odb::StoreUrl>()?;
            let collected =
                crate::bucket::collect_bucket(&url, &stem_remote::CollectOptions::default(), progress)?;
            result.bucket = Some(collected);
        }
        Ok(result)
    }

    /// What is unneeded: for how long, and what of it may go.
    fn plan(&self, now: Stamp, options: &GcOptions, progress: &dyn Progress) -> Result<Planned> {
        let stash = self.stash();
        let before = stash.condemned(&self.store_url, progress)?;
        let clock = Clock::judge(before.written, now.as_micros());
        let roots = stash.roots(
            &RootOptions {
                now,
                clock_is_plausible: clock.is_plausible(),
                // Otherwise what is old is gone already, and what is there can be undone.
                expire_undo: options.expire_undo.filter(|_| options.dry_run).map(micros),
                record: !options.dry_run,
            },
            progress,
        )?;
        let grace = options.grace.unwrap_or(self.gc_grace);
        let policy = Policy { now: now.as_micros(), grace: micros(grace), clock };
        let plan = gc::plan(&**self.here(), &roots.ids, &before.rows, &policy)?;
        let postponed = match clock {
            Clock::Plausible => None,
            Clock::Backwards => Some(
                "the clock is earlier than when this was run before, so no age can be trusted: nothing was removed",
            ),
            Clock::Leapt => Some(
                "by the clock this was run more than a year ago, or the clock is wrong: nothing was removed, and every \
                 age begins anew",
            ),
        };
        let needed = roots.ids;
        let mut result = GcResult {
            dry_run: options.dry_run,
            objects: plan.objects,
            roots: roots.holders,
            waiting: plan.waiting,
            postponed: postponed.map(str::to_owned),
            ..GcResult::default()
        };
        if options.dry_run {
            result.removed = plan.doomed;
            result.next = self.next(&result.waiting, options);
            result.temporaries = self.tidy(now, true)?;
            result.needed = self.bucket().map(|_| needed.len() as u64);
            return Ok(Planned { result, doomed: Vec::new(), witness: roots.witness, needed });
        }
        Ok(Planned { result, doomed: plan.doomed, witness: roots.witness, needed })
    }

    /// Gives up what could be undone. By a clock that is wrong everything would be old.
    fn expire_undo(&self, now: Stamp, options: &GcOptions, progress: &dyn Progress) -> Result<u64> {
        let Some(age) = options.expire_undo else { return Ok(0) };
        let stash = self.stash();
        let before = stash.condemned(&self.store_url, progress)?.written;
        if !age.is_zero() && !Clock::judge(before, now.as_micros()).is_plausible() {
            return Ok(0);
        }
        Ok(stash.expire_undo(age, progress)?.records as u64)
    }

    fn sweep(&self, doomed: Vec<Unneeded>, result: &mut GcResult, progress: &dyn Progress) -> Result<()> {
        progress.begin(Phase::Sweeping, doomed.len() as u64, 0);
        let mut asked = 0_u64;
        let done = gc::sweep(&**self.here(), &doomed, &mut |_| {
            progress.advance(1, 0);
            asked += 1;
            if asked.is_multiple_of(BATCH) && progress.cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        let mut removed = doomed;
        result.waiting.extend(removed.split_off(done));
        result.waiting.sort_unstable_by_key(|object| object.id);
        if done < removed.len() + result.waiting.len() && progress.cancelled() {
            result.postponed = Some("it was stopped: run it again to go on".into());
        }
        result.removed = removed;
        if !result.removed.is_empty() && !progress.cancelled() {
            let step = |_| {
                if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let options = RepackOptions { progress: Some(&step), ..RepackOptions::default() };
            match self.here().repack(&options) {
                // What is left over is compacted by the next run.
                Err(error) if error.kind() == stem_store::ErrorKind::Interrupted => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    fn next(&self, waiting: &[Unneeded], options: &GcOptions) -> Option<i64> {
        let grace = micros(options.grace.unwrap_or(self.gc_grace));
        waiting.iter().map(|object| object.since.saturating_add(grace)).min()
    }

    fn tidy(&self, now: Stamp, dry_run: bool) -> Result<(u64, u64)> {
        let before = now.as_micros().saturating_sub(micros(self.gc_grace));
        let before = Timestamp::from_nanos(i128::from(before) * 1000).unwrap_or_default();
        let tidied = self.store().tidy(&TidyOptions { before, dry_run })?;
        Ok((tidied.files, tidied.bytes))
    }
}

/// What a run did, for people who look into `.muse/stem/gc`.
fn record(now: Stamp, result: &GcResult) -> String {
    format!(
        "{{\n  \"version\": 1,\n  \"at\": \"{now}\",\n  \"objects\": {},\n  \"removed\": {},\n  \"removed_bytes\": {},\n  \
         \"waiting\": {},\n  \"waiting_bytes\": {},\n  \"temporaries\": {}\n}}\n",
        result.objects,
        result.removed.len(),
        result.removed_bytes(),
        result.waiting.len(),
        result.waiting_bytes(),
        result.temporaries.0,
    )
}
