//! A local cache in front of a slower store.
//!
//! What is put is durable in the cache and in a queue on disk before the put is over; from there it goes to the slower
//! store, at every sync ([`Writing::Through`]) or by a thread ([`Writing::Back`]). What is read and not cached is
//! fetched, verified, once however many ask, and stays. `docs/format/tiered.md` has the files and the order of the steps.
//!
//! The rule that everything here serves: an object leaves the cache only when the slower store, asked at that moment,
//! says that it has it. So a queue that is lost, a process that is killed or a second process can cost time, never an
//! object.
//!
//! The slower store is connected to when it is needed, and again after a failure that spent its handle: without it,
//! what is cached is read and what is put waits. Files are not adopted: the object must be in two places, and an adopted
//! file may be taken back by its owner from one of them only.
//!
//! Rejected: keeping the queue in memory and finding by comparison what is missing remotely (it asks for every object of
//! the cache at every start); serving a miss while it is being fetched (who reads a half that turns out damaged has
//! got nothing); evicting what was sent but not confirmed.

mod evict;
mod fetch;
mod format;
mod remote;
mod state;
mod store;
mod upload;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use stem_fs::Dir;
use stem_hash::ObjectId;
use stem_store::{Capabilities, Durability, Error, ErrorKind, Maintain, ObjectStore as _, Operation, Result};

pub use evict::{Candidate, candidates};
pub use remote::Connect;

use fetch::{Fetched, Flights};
use format::{ListKind, TierFile};
use remote::Remote;
use state::{Alone, State, Writer};
use upload::Background;

/// Uses that are kept in memory before they are noted on disk.
const MAX_TOUCHED: usize = 65_536;
/// How many objects may be fetched before they are made durable, and visible to other processes.
const FETCHED_OBJECTS: u64 = 256;
/// The same in bytes.
const FETCHED_BYTES: u64 = 64 << 20;

/// When what is put goes to the slower store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Writing {
    /// Before a sync (or a put that is to be durable at once) is over. One that fails leaves everything in the queue.
    #[default]
    Through,
    /// By a thread, while a handle is open. A sync makes durable what is in the cache and in the queue.
    Back,
}

/// How a tier works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TierOptions {
    /// When what is put goes to the slower store.
    pub writing: Writing,
    /// How large the objects in the cache may be together, in bytes. It is exceeded by what waits to be sent, and for a
    /// moment by what just came.
    pub size: Option<u64>,
}

/// What waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A cache over a slower store.
#[derive(Debug)]
pub struct Tiered {
    // Before `inner`: its thread ends first.
    background: Option<Background>,
    inner: Arc<Inner>,
}

struct Inner {
    cache: Arc<dyn Maintain>,
    remote: Remote,
    state: State,
    options: TierOptions,
    capabilities: Capabilities,
    puts: Mutex<Puts>,
    /// One sync at a time: who finds nothing pending must not return before the one that took it.
    syncing: Mutex<()>,
    flights: Flights,
    /// Uses since they were noted.
    touched: Mutex<HashMap<ObjectId, u64>>,
    /// Objects whose cached copy was found damaged.
    suspect: Mutex<HashSet<ObjectId>>,
    fetched: (AtomicU64, AtomicU64),
    /// Bytes that came into the cache since its size was looked at; `u64::MAX`: it never was.
    grown: AtomicU64,
    /// How many bytes have to come before it is looked at again.
    step: AtomicU64,
    evicting: AtomicBool,
    /// The cache was too large and kept what waits: to be looked at when something has arrived.
    over: AtomicBool,
    /// Somebody relies on what the slower store has: the next sync is one of that, too.
    relied: AtomicBool,
}

/// What was put through this handle.
#[derive(Debug, Default)]
struct Puts {
    writer: Option<Writer>,
    /// Not synced yet.
    pending: HashMap<ObjectId, u64>,
    /// A sync failed: no later one succeeds.
    spent: bool,
    /// Something may be in the cache and not in the queue: whoever opens the tier next looks.
    loose_end: bool,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("cache", &self.cache)
            .field("remote", &self.remote)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Tiered {
    /// A tier of `cache` over the store that `connect` opens, which users know as `remote` (a URL without secrets and
    /// options). What it knows lies in `state`, which belongs to this cache and this store alone.
    ///
    /// A slower store that is [`ErrorKind::Unavailable`] now is connected to later.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] when the two make their ids differently; [`ErrorKind::InvalidInput`] when `state` is that
    /// of another tier; whatever the slower store says when it is opened and is there.
    pub fn new(
        cache: Arc<dyn Maintain>,
        remote: &str,
        connect: Connect,
        state: &Dir,
        options: TierOptions,
    ) -> Result<Self> {
        let ours = cache.capabilities();
        let tier = TierFile::new(ours.algorithm, remote);
        let state = State::open(state, cache.name(), &tier)?;
        let remote = Remote::new(remote, connect, ours.algorithm, cache.name());
        let theirs = match remote.get(Operation::OpenStore) {
            Ok(remote) => Some(remote.capabilities()),
            Err(error) if error.kind() == ErrorKind::Unavailable => None,
            Err(error) => return Err(error),
        };
        let capabilities = Capabilities {
            algorithm: ours.algorithm,
            verified_ranges: ours.verified_ranges && theirs.is_some_and(|theirs| theirs.verified_ranges),
            keeps_metadata: ours.keeps_metadata && theirs.is_some_and(|theirs| theirs.keeps_metadata),
            adopts_files: false,
        };
        let inner = Arc::new(Inner {
            cache,
            remote,
            state,
            options,
            capabilities,
            puts: Mutex::default(),
            syncing: Mutex::default(),
            flights: Flights::default(),
            touched: Mutex::default(),
            suspect: Mutex::default(),
            fetched: Default::default(),
            grown: AtomicU64::new(u64::MAX),
            step: AtomicU64::new(0),
            evicting: AtomicBool::new(false),
            over: AtomicBool::new(false),
            relied: AtomicBool::new(false),
        });
        inner.mend()?;
        let background = match options.writing {
            Writing::Through => None,
            Writing::Back => {
                let background = Background::start(&inner)?;
                if !inner.state.queue_names()?.is_empty() {
                    background.wake();
                }
                Some(background)
            }
        };
        Ok(Self { background, inner })
    }

    /// What waits to be sent, put by whomever.
    pub fn waiting(&self) -> Result<Waiting> {
        let queued = self.inner.state.queued()?;
        let bytes = queued.values().fold(0, |sum: u64, size| sum.saturating_add(*size));
        Ok(Waiting { objects: queued.len() as u64, bytes })
    }

    /// Sends everything that waits, now.
    ///
    /// # Errors
    ///
    /// The slower store's. What it did not confirm waits still. Also when the cache cannot give an object, after all others
    /// were sent.
    pub fn send(&self) -> Result<()> {
        match self.inner.send(&AtomicBool::new(false))?.into_iter().next() {
            None => Ok(()),
            Some((_, error)) => Err(error),
        }
    }

    /// Removes from the cache what was unused longest, if the cache is larger than its size, and says how many bytes went.
    pub fn evict(&self) -> Result<u64> {
        self.inner.evict()
    }

    /// The cache alone.
    pub fn cache(&self) -> &Arc<dyn Maintain> {
        &self.inner.cache
    }

    fn wake(&self) {
        if let Some(background) = &self.background {
            background.wake();
        }
    }
}

impl Inner {
    fn name(&self) -> &str {
        self.cache.name()
    }

    /// Notes, before the first object of this handle is put, that one will be.
    fn begin_put(&self) -> Result<()> {
        let mut puts = self.puts.lock();
        if puts.spent {
            return Err(self.spent(Operation::Put));
        }
        if puts.writer.is_none() {
            puts.writer = Some(self.state.begin_writer()?);
        }
        Ok(())
    }

    fn spent(&self, operation: Operation) -> Error {
        Error::new(ErrorKind::Unavailable, operation, self.name())
            .with_reason("an earlier sync of this handle failed; open the store again and put again")
    }

    /// An object is in the cache. With [`Durability::Immediate`] it is in the queue when this returns.
    fn put_done(&self, id: &ObjectId, len: u64, durability: Durability) -> Result<()> {
        self.suspect.lock().remove(id);
        self.touch(id);
        match durability {
            Durability::AtSync => {
                self.puts.lock().pending.insert(*id, len);
            }
            Durability::Immediate => {
                if let Err(error) = self.enqueue(&mut [(*id, len)]) {
                    let mut puts = self.puts.lock();
                    puts.loose_end = true;
                    puts.spent = true;
                    return Err(error);
                }
                self.send_own(&[(*id, len)])?;
            }
        }
        self.grow(len);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let _one = self.syncing.lock();
        let mut rows: Vec<(ObjectId, u64)> = {
            let mut puts = self.puts.lock();
            if puts.spent {
                return Err(self.spent(Operation::Sync));
            }
            puts.pending.drain().collect()
        };
        let synced = self.cache.sync().and_then(|()| self.enqueue(&mut rows));
        let mut puts = self.puts.lock();
        if let Err(error) = synced {
            puts.spent = true;
            puts.loose_end = true;
            return Err(error);
        }
        drop(puts);
        self.send_own(&rows)
    }

    /// Queues what was put. What another process took out of the cache meanwhile, because the slower store has it and no queue
    /// named it, is fetched: only then it is known to have its bytes.
    fn enqueue(&self, rows: &mut [(ObjectId, u64)]) -> Result<()> {
        let gone: Vec<ObjectId> = {
            let _nothing_goes = self.state.queueing()?;
            self.state.enqueue(ListKind::Queue, rows)?;
            let ids: Vec<ObjectId> = rows.iter().map(|(id, _)| *id).collect();
            let stats = self.cache.stat_many(&ids)?;
            ids.into_iter().zip(stats).filter(|(_, stat)| stat.is_none()).map(|(id, _)| id).collect()
        };
        if gone.is_empty() {
            return Ok(());
        }
        for id in gone {
            match self.fetch(&id)? {
                Fetched::Cached => {}
                // It is queued: whatever comes into the cache stays there from now on.
                Fetched::Around | Fetched::Absent => {
                    return Err(Error::new(ErrorKind::Io, Operation::Sync, self.name())
                        .with_id(&id)
                        .with_reason(
                            "it left the cache while it was put, and could not be fetched back: put it again",
                        ));
                }
            }
        }
        self.cache.sync()
    }

    /// Where it is written through, sends the queue, and fails when one of these objects could not be sent. What others left
    /// there in a state that it cannot be sent in is not for us to tell.
    fn send_own(&self, rows: &[(ObjectId, u64)]) -> Result<()> {
        if self.options.writing != Writing::Through {
            return Ok(());
        }
        let held = self.send(&AtomicBool::new(false)).inspect_err(|_| self.puts.lock().spent = true)?;
        let own: HashSet<ObjectId> = rows.iter().map(|(id, _)| *id).collect();
        match held.into_iter().find(|((id, _), _)| own.contains(id)) {
            None => Ok(()),
            Some((_, error)) => {
                self.puts.lock().spent = true;
                Err(error)
            }
        }
    }

    /// Whether this object was put and has not arrived.
    fn waits(&self, id: &ObjectId) -> Result<bool> {
        Ok(self.puts.lock().pending.contains_key(id) || self.state.queued()?.contains_key(id))
    }

    /// A put failed. It may have failed behind the step that made the object visible.
    fn put_failed(&self, error: &Error) {
        let harmless = matches!(
            error.kind(),
            ErrorKind::Source | ErrorKind::WrongHash | ErrorKind::Interrupted | ErrorKind::InvalidInput
        );
        if !harmless {
            self.puts.lock().loose_end = true;
        }
    }

    /// Queues what a process that died put, or what a damaged list may have named.
    fn mend(&self) -> Result<()> {
        let _alone = self.state.alone(Alone::Mend)?;
        let suspicions = self.state.suspicions()?;
        if suspicions.is_empty() {
            return Ok(());
        }
        let queued = self.state.queued()?;
        let mut rows = Vec::new();
        for prefix in crate::union::parts(&stem_hash::IdPrefix::ALL) {
            let mut ids = Vec::new();
            self.cache.list(&prefix, &mut |id| {
                if !queued.contains_key(&id) {
                    ids.push(id);
                }
                std::ops::ControlFlow::Continue(())
            })?;
            let stats = self.cache.stat_many(&ids)?;
            rows.extend(ids.iter().zip(stats).filter_map(|(id, stat)| Some((*id, stat?.size))));
        }
        if rows.is_empty() && self.cache_is_empty()? {
            // A disk that is not there now, perhaps: looked at again the next time.
            return Ok(());
        }
        self.state.enqueue(ListKind::Suspected, &mut rows)?;
        self.state.clear(&suspicions)
    }

    /// Remembers that the object was used.
    fn touch(&self, id: &ObjectId) {
        if self.options.size.is_none() {
            return;
        }
        let mut touched = self.touched.lock();
        touched.insert(*id, self.state.now());
        if touched.len() >= MAX_TOUCHED {
            let rows = std::mem::take(&mut *touched);
            drop(touched);
            self.note(rows);
        }
    }

    /// Notes uses on disk. Without the note objects look older than they are, which hinders nobody.
    fn note(&self, rows: HashMap<ObjectId, u64>) {
        let noted = self.state.note_access(rows).and_then(|()| self.state.join_many_accesses());
        if let Err(error) = noted {
            tracing::debug!(store = self.name(), %error, "uses of objects were not noted");
        }
    }

    /// So many bytes came into the cache; evicts from time to time. What hinders that hinders nobody else.
    fn grow(&self, len: u64) {
        if self.options.size.is_none() {
            return;
        }
        let grown = self.grown.load(Ordering::Relaxed);
        let now = grown.saturating_add(len);
        self.grown.store(now, Ordering::Relaxed);
        if now >= self.step.load(Ordering::Relaxed) {
            self.grown.store(0, Ordering::Relaxed);
            self.evict_now();
        }
    }

    /// Objects arrived: some may leave the cache now.
    fn arrived(&self) {
        if self.over.swap(false, Ordering::Relaxed) {
            self.evict_now();
        }
    }

    fn evict_now(&self) {
        if !self.evicting.swap(true, Ordering::Acquire) {
            if let Err(error) = self.evict() {
                tracing::debug!(store = self.name(), %error, "nothing left the cache");
            }
            self.evicting.store(false, Ordering::Release);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let touched = std::mem::take(&mut *self.touched.get_mut());
        if !touched.is_empty() {
            self.note(touched);
        }
        let puts = self.puts.get_mut();
        if puts.pending.is_empty() && !puts.loose_end {
            if !puts.spent && self.fetched.0.load(Ordering::Relaxed) > 0 {
                // What was fetched and is lost is fetched again.
                let _ = self.cache.sync();
            }
            if let Some(writer) = puts.writer.take() {
                let _ = self.state.end_writer(&writer);
            }
        }
    }
}
