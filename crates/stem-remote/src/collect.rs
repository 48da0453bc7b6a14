//! Removing packs that nobody needs, while any number of others store and collect too (`docs/format/remote.md`, *Collecting*).
//!
//! Nothing is locked. What makes it safe is time: a pack is condemned first, and goes when it is still not needed a week later by the service's
//! clock; whoever might rely on it without having seen that has long since said so. Two rules are easily broken here:
//!
//! - Nothing goes on the strength of what was read long ago. The hour is measured by two clocks of this machine, one of which goes on
//!   while it sleeps, before every removal.
//! - A pack stops being condemned only while nobody can be about to remove it. A list that is old enough to remove by is therefore never simply
//!   taken away because its packs are needed again: these are written into a new list first, and leave that one after a day.
//!
//! Rejected: a lock in the bucket (no service has one that outlives its owner), rewriting packs that are half dead (a reader or a push may be
//! naming what is in them; it is stored again instead when it is put again).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use stem_fs::{Dir, Timestamp};
use stem_hash::{Algorithm, ObjectId};
use stem_pack::format::PackId;
use stem_pack::{DepotPack, PackOptions, PackStore, Reach};
use stem_store::{Error, ErrorKind, Operation, Result};
use uuid::Uuid;

use crate::bucket::Bucket;
use crate::cache_dir;
use crate::depot::RemoteDepot;
use crate::identity::Identity;
use crate::layout::{CONDEMNED, PACKS, PROBE, PackKey, index_key, is_hex_name, pack_key, parse_pack_name};
use crate::lists::encode;
use crate::needs::{self, ClientNeeds, CondemnedList, Needs, NeedsOfEntry};
use crate::wait::wait;

const DAY: i64 = 86_400;
/// How long a pack has to be condemned before it goes, in seconds of the service's time.
const GRACE: i64 = 7 * DAY;
/// Between these ages a list may go because its packs are needed again.
const SPARE_FROM: i64 = DAY;
const SPARE_TO: i64 = 6 * DAY;
/// What clients try services with goes after this.
const LEFT_OVER: i64 = DAY;
/// How long what was read may be acted on.
const HOUR: Duration = Duration::from_hours(1);
/// So often all is read anew when that took too long.
const ROUNDS: usize = 3;

/// How to collect.
#[derive(Debug, Clone, Default)]
pub struct CollectOptions {
    /// Say what would be done, and write and remove nothing. Ages are by this machine's clock then, for the service tells its own only to
    /// whoever writes.
    pub dry_run: bool,
    /// Remove the lists of this client first, 32 hex digits: what it alone needs is not needed then.
    pub forget: Option<String>,
    /// Remove packs also where nobody has said that they need anything. Programs of the time before roots were published do not say so.
    pub even_if_nothing_is_needed: bool,
}

/// What a collection is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectStep {
    /// Reading what is needed.
    Reading,
    /// Looking through packs, of which there are so many.
    Marking(u64),
    /// Removing so many packs.
    Removing(u64),
}

/// Sees how far a collection is.
pub trait CollectWatch {
    /// The next step.
    fn step(&self, step: CollectStep) {
        let _ = step;
    }

    /// So many packs more are done.
    fn advance(&self, packs: u64) {
        let _ = packs;
    }

    /// Whether to stop.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl CollectWatch for Unwatched {}

/// Packs, and the bytes of them and their indices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many packs.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: u64) {
        self.packs += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What a collection did, or with [`CollectOptions::dry_run`] would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Whether there is a store at all.
    pub exists: bool,
    /// What there was.
    pub present: Tally,
    /// What of that holds something needed.
    pub needed: Tally,
    /// Objects that are needed.
    pub objects: u64,
    /// Entries, each of which needs its objects.
    pub entries: u64,
    /// What was condemned now.
    pub newly: Tally,
    /// What is condemned, is not needed, and is still there.
    pub condemned: Tally,
    /// What is condemned and needed nevertheless: it stays.
    pub spared: Tally,
    /// What was removed.
    pub removed: Tally,
    /// When the first of what is condemned may go, by the service's clock.
    pub next: Option<Timestamp>,
    /// Needed objects that are nowhere.
    pub absent: u64,
    /// Some of those.
    pub some_absent: Vec<ObjectId>,
    /// Chunks of needed objects that are nowhere.
    pub absent_chunks: u64,
    /// Packs that stay because they cannot be read.
    pub unreadable: Vec<PackId>,
    /// Who needs something.
    pub clients: Vec<ClientNeeds>,
    /// Lists of the client that was forgotten.
    pub forgotten: u64,
    /// What clients had tried the service with and not removed.
    pub leftovers: u64,
    /// Packs that could have gone and did not, because nobody says that they need anything.
    pub held: Tally,
}

/// A pack as its keys show it.
#[derive(Debug, Clone, Copy, Default)]
struct There {
    /// Of pack and index.
    bytes: u64,
    pack: Option<DepotPack>,
    index: bool,
}

/// How long ago something was read.
type Elapsed = Box<dyn Fn() -> Duration>;

/// By the clock that never goes back and the one that goes on while the machine sleeps; whichever says more.
fn stop_watch() -> Elapsed {
    let (steady, wall) = (Instant::now(), SystemTime::now());
    Box::new(move || {
        // A clock that was set back tells nothing.
        let slept = SystemTime::now().duration_since(wall).unwrap_or(Duration::MAX);
        steady.elapsed().max(slept)
    })
}

/// What is to be done.
struct Plan {
    /// Packs to condemn.
    fresh: Vec<PackId>,
    /// Packs that are needed and in a list that is old enough to remove by: they go through a new list.
    again: Vec<PackId>,
    /// Packs to remove, by list; the list goes after them.
    doomed: Vec<(String, Vec<PackId>)>,
    /// Lists all of whose packs are needed or gone, and by which nobody can be removing.
    spared: Vec<String>,
}

impl Bucket {
    /// Condemns what nobody needs, and removes what has been condemned for long enough and still is not needed. `needs` says what the text of
    /// an entry names; what it cannot read it says in words.
    ///
    /// May be stopped, killed and run by several at any time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a store of the layout `sharded` and for a client that there is none of;
    /// [`ErrorKind::Corrupt`] and [`ErrorKind::Unsupported`] when something that may name objects cannot be read: then nothing was
    /// condemned or removed. [`ErrorKind::Interrupted`], and what the service says.
    pub fn collect(
        &self,
        options: &CollectOptions,
        needs: NeedsOfEntry<'_>,
        watch: &dyn CollectWatch,
    ) -> Result<Collected> {
        self.collect_by(options, needs, watch, &stop_watch)
    }

    pub(crate) fn collect_by(
        &self,
        options: &CollectOptions,
        needs: NeedsOfEntry<'_>,
        watch: &dyn CollectWatch,
        start: &dyn Fn() -> Elapsed,
    ) -> Result<Collected> {
        let mut collected = Collected { dry_run: options.dry_run, ..Collected::default() };
        let Some(marker) = &self.marker else { return Ok(collected) };
        if !self.has_packs() {
            return Err(self.refused(
                "its layout is 'sharded', in which nothing is ever removed: what is put again keeps its key, and cannot be \
                 told from what is about to go",
            ));
        }
        collected.exists = true;
        self.forget(options, &mut collected)?;
        for _ in 0..ROUNDS {
            if self.round(options, marker.algorithm, needs, watch, &start(), &mut collected)? {
                return Ok(collected);
            }
        }
        Err(Error::new(ErrorKind::Unavailable, Operation::Repack, self.name()).with_reason(
            "reading what is needed took more than an hour each time, or the clock was changed; nothing goes by what was read so \
             long ago. Run it again, nearer to the store",
        ))
    }

    fn refused(&self, reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::InvalidInput, Operation::Repack, self.name()).with_reason(reason)
    }

    /// Gives a client up.
    fn forget(&self, options: &CollectOptions, collected: &mut Collected) -> Result<()> {
        let Some(client) = &options.forget else { return Ok(()) };
        let failed = |error| self.failed(Operation::Remove, error);
        let keys = needs::root_keys(&self.client).map_err(failed)?;
        let keys: Vec<String> =
            keys.into_iter().filter(|key| key.client == *client).map(|key| key.key).collect();
        if keys.is_empty() {
            return Err(self.refused("there is no such client"));
        }
        collected.forgotten = keys.len() as u64;
        if !options.dry_run {
            self.client.remove(keys).map_err(failed)?;
        }
        Ok(())
    }

    /// The packs that there are, whole or not.
    fn packs_there(&self) -> Result<(BTreeMap<PackId, There>, Timestamp)> {
        let listed = self.client.list(PACKS).map_err(|error| self.failed(Operation::Repack, error))?;
        let mut packs = BTreeMap::<PackId, There>::new();
        let mut newest = Timestamp::default();
        for listed in listed {
            let [name] = listed.parts.as_slice() else { continue };
            let Some(key) = parse_pack_name(name) else { continue };
            newest = newest.max(listed.since);
            let (PackKey::Pack(id) | PackKey::Index(id)) = key;
            let there = packs.entry(id).or_default();
            there.bytes = there.bytes.saturating_add(listed.size);
            match key {
                PackKey::Pack(_) => {
                    there.pack = Some(DepotPack { id, len: listed.size, since: Some(listed.since) });
                }
                PackKey::Index(_) => there.index = true,
            }
        }
        Ok((packs, newest))
    }

    /// Which packs hold something needed.
    fn reach(
        &self,
        algorithm: Algorithm,
        packs: &BTreeMap<PackId, There>,
        condemned: &BTreeSet<PackId>,
        needed: Vec<ObjectId>,
        watch: &dyn CollectWatch,
    ) -> Result<Reach> {
        let Some(marker) = self.marker.clone() else { return Ok(Reach::default()) };
        let cache = cache_dir(&self.settings, algorithm).map_err(|problem| self.refused(problem))?;
        let cache =
            Dir::create_all(&cache).map_err(|error| Error::from_fs(Operation::Repack, self.name(), error))?;
        // Those that were listed before the roots were read, and no others.
        let whole: Vec<DepotPack> =
            packs.values().filter(|there| there.index).filter_map(|there| there.pack).collect();
        watch.step(CollectStep::Marking(whole.len() as u64));
        // It only reads, so nobody asks who it is.
        let identity = Identity::of_cache(&cache);
        let depot = RemoteDepot::new(self.client.clone(), marker, true, identity).only(whole);
        let options = PackOptions { algorithm: Some(algorithm), ..PackOptions::default() };
        let depot = std::sync::Arc::new(depot);
        let store = PackStore::in_depot(depot, algorithm, &cache, self.name().to_owned(), &options, false)?;
        let mut told = |packs| {
            watch.advance(packs);
            if watch.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut reach = store.reach(needed, condemned, &mut told)?;
        if reach.absent > 0 || reach.absent_chunks > 0 {
            // What is missing may be in a pack that lost its index, or whose other key a list does not show yet.
            let halves = packs.iter().filter(|(_, there)| there.pack.is_none() || !there.index);
            reach.packs.extend(halves.map(|(id, _)| *id));
        }
        Ok(reach)
    }

    /// Reads everything and does what follows from it. `false`: that took too long, and something is left to do.
    fn round(
        &self,
        options: &CollectOptions,
        algorithm: Algorithm,
        of_entry: NeedsOfEntry<'_>,
        watch: &dyn CollectWatch,
        elapsed: &Elapsed,
        collected: &mut Collected,
    ) -> Result<bool> {
        let failed = |error| self.failed(Operation::Repack, error);
        watch.step(CollectStep::Reading);
        // Before everything else: what is old enough by it was old enough when the roots were read.
        let now = if options.dry_run { None } else { Some(self.client.service_time().map_err(failed)?) };
        let lists = needs::condemned_lists(&self.client).map_err(|error| self.unreadable(error))?;
        // After the condemned lists: a pack whose list went because it was removed must not count as one that is there.
        let (packs, newest) = self.packs_there()?;
        let needs = self.needs(options.forget.as_deref(), of_entry, &|| !watch.cancelled())?;
        let now = now.unwrap_or_else(|| {
            let lists = lists.iter().map(|list| list.since).fold(newest, Timestamp::max);
            lists.max(needs.newest).max(local_time())
        });
        let condemned: BTreeSet<PackId> = lists.iter().flat_map(|list| list.packs.iter().copied()).collect();
        let Needs { ids, clients, entries, .. } = needs;
        let nobody = clients.is_empty() && entries == 0;
        let reach = self.reach(algorithm, &packs, &condemned, ids, watch)?;
        let plan = plan(&packs, &lists, &reach.packs, &condemned, now);

        let (removed, forgotten) = (collected.removed, collected.forgotten);
        let newly = collected.newly;
        *collected = Collected {
            dry_run: options.dry_run,
            exists: true,
            removed,
            forgotten,
            newly,
            ..Collected::default()
        };
        for (id, there) in &packs {
            collected.present.add(there.bytes);
            match (reach.packs.contains(id), condemned.contains(id)) {
                (true, true) => {
                    collected.needed.add(there.bytes);
                    collected.spared.add(there.bytes);
                }
                (true, false) => collected.needed.add(there.bytes),
                (false, _) => collected.condemned.add(there.bytes),
            }
        }
        let bytes_of = |id: &PackId| packs.get(id).map_or(0, |there| there.bytes);
        plan.fresh.iter().for_each(|id| collected.newly.add(bytes_of(id)));
        collected.objects = reach.needed;
        (collected.entries, collected.clients) = (entries, clients);
        (collected.absent, collected.some_absent) = (reach.absent, reach.some_absent);
        (collected.absent_chunks, collected.unreadable) = (reach.absent_chunks, reach.unreadable);
        collected.next = next(&packs, &lists, &reach.packs, &plan, now);

        if !options.dry_run {
            // What is needed again is named before the list that condemned it goes.
            for rows in [&plan.fresh, &plan.again] {
                for list in encode(rows) {
                    let (client, key) =
                        (self.client.clone(), format!("{CONDEMNED}/{}", Uuid::new_v4().simple()));
                    wait(async move { client.put_new(&key, list).await }).map_err(failed)?;
                }
            }
        }
        let held = nobody && !options.even_if_nothing_is_needed;
        let done = self.sweep(&plan, options.dry_run, held, &bytes_of, watch, elapsed, collected)?;
        if done {
            collected.leftovers = self.tidy(now, options.dry_run)?;
        }
        Ok(done)
    }

    /// Removes what is to go. `false`: what is known is too old.
    #[expect(clippy::too_many_arguments, reason = "each is needed once")]
    fn sweep(
        &self,
        plan: &Plan,
        dry_run: bool,
        held: bool,
        bytes_of: &dyn Fn(&PackId) -> u64,
        watch: &dyn CollectWatch,
        elapsed: &Elapsed,
        collected: &mut Collected,
    ) -> Result<bool> {
        let all = plan.doomed.iter().map(|(_, packs)| packs.len() as u64).sum();
        if !held {
            watch.step(CollectStep::Removing(all));
        }
        // One pack may be in two lists.
        let mut gone = BTreeSet::new();
        let remove = |keys: Vec<String>| {
            if dry_run {
                return Ok(true);
            }
            if watch.cancelled() {
                return Err(Error::interrupted(Operation::Remove, self.name()));
            }
            if elapsed() >= HOUR {
                return Ok(false);
            }
            self.client.remove(keys).map(|()| true).map_err(|error| self.failed(Operation::Remove, error))
        };
        for (list, packs) in &plan.doomed {
            for pack in packs {
                if gone.contains(pack) {
                    continue;
                }
                if held {
                    gone.insert(*pack);
                    collected.held.add(bytes_of(pack));
                    continue;
                }
                // Without its index it is not there any more, for anybody.
                if !remove(vec![index_key(*pack)])? || !remove(vec![pack_key(*pack)])? {
                    return Ok(false);
                }
                gone.insert(*pack);
                let bytes = bytes_of(pack);
                collected.removed.add(bytes);
                collected.condemned.packs = collected.condemned.packs.saturating_sub(1);
                collected.condemned.bytes = collected.condemned.bytes.saturating_sub(bytes);
                watch.advance(1);
            }
            if (!held || packs.is_empty()) && !remove(vec![list.clone()])? {
                return Ok(false);
            }
        }
        for list in &plan.spared {
            if !remove(vec![list.clone()])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes what clients tried the service with, and says how many keys that were.
    fn tidy(&self, now: Timestamp, dry_run: bool) -> Result<u64> {
        let failed = |error| self.failed(Operation::Remove, error);
        let listed = self.client.list(PROBE).map_err(failed)?;
        let old = listed.into_iter().filter_map(|listed| match &listed.parts[..] {
            [name] if is_hex_name(name) && age(now, listed.since) > LEFT_OVER => {
                Some(format!("{PROBE}/{name}"))
            }
            _ => None,
        });
        let keys: Vec<String> = old.collect();
        let number = keys.len() as u64;
        if !dry_run {
            self.client.remove(keys).map_err(failed)?;
        }
        Ok(number)
    }
}

/// In whole seconds; may be negative.
fn age(now: Timestamp, since: Timestamp) -> i64 {
    now.secs.saturating_sub(since.secs)
}

fn local_time() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp { secs: i64::try_from(now.as_secs()).unwrap_or(0), nanos: now.subsec_nanos() }
}

/// What follows from what was read.
fn plan(
    packs: &BTreeMap<PackId, There>,
    lists: &[CondemnedList],
    reached: &BTreeSet<PackId>,
    condemned: &BTreeSet<PackId>,
    now: Timestamp,
) -> Plan {
    let fresh = packs.keys().filter(|id| !reached.contains(id) && !condemned.contains(id)).copied().collect();
    let mut plan = Plan { fresh, again: Vec::new(), doomed: Vec::new(), spared: Vec::new() };
    let mut again = BTreeSet::new();
    for list in lists {
        let age = age(now, list.since);
        let there = || list.packs.iter().filter(|id| packs.contains_key(id));
        if age > GRACE {
            again.extend(there().filter(|id| reached.contains(id)).copied());
            let doomed = there().filter(|id| !reached.contains(id)).copied().collect();
            plan.doomed.push((list.key.clone(), doomed));
        } else if (SPARE_FROM..=SPARE_TO).contains(&age) && there().all(|id| reached.contains(id)) {
            plan.spared.push(list.key.clone());
        }
    }
    plan.again = again.into_iter().collect();
    plan
}

/// When the first of what is condemned, and was not old enough now, may go.
fn next(
    packs: &BTreeMap<PackId, There>,
    lists: &[CondemnedList],
    reached: &BTreeSet<PackId>,
    plan: &Plan,
    now: Timestamp,
) -> Option<Timestamp> {
    let waits = |list: &&CondemnedList| {
        age(now, list.since) <= GRACE
            && list.packs.iter().any(|id| packs.contains_key(id) && !reached.contains(id))
    };
    let old = lists.iter().filter(waits).map(|list| list.since).min();
    let since = old.or((!plan.fresh.is_empty()).then_some(now))?;
    Some(Timestamp { secs: since.secs.saturating_add(GRACE + 1), ..since })
}

#[cfg(test)]
mod tests;
