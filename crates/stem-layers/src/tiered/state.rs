//! The directory beside a cache: names, locks, and what of it is durable. `docs/format/tiered.md`.
//!
//! A file for each list rather than one log that grows: a list is published by a rename, whole, by any number of
//! processes at once, and what has arrived leaves by a rename or an unlink. A database was rejected; it would be one more
//! thing that can be wrong after a crash.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use stem_fs::{Dir, FileKind, LockFile, LockKind, Publish, RelPath, collect_leftovers};
use stem_hash::ObjectId;
use stem_store::{Error, ErrorKind, Operation, Result};

use super::format::{self, List, ListError, ListKind, MAX_TIER, Row, TierFile};

/// Most lists of one kind.
const MAX_LISTS: usize = 100_000;

/// From so many lists of access times on they are joined.
const MANY_LISTS: usize = 32;

/// What only one may do at a time, in all processes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Alone {
    Upload,
    Evict,
    /// Taking out of the cache what no queue names; whoever queues shares this lock ([`State::queueing`]).
    Remove,
    Mend,
}

/// The state directory, open.
#[derive(Debug)]
pub(super) struct State {
    store: String,
    dir: Dir,
    queue: Dir,
    access: Dir,
    writers: Dir,
    fetching: Dir,
    temporaries: Dir,
    /// The time that was given last.
    clock: AtomicU64,
}

/// A list of the queue.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) name: RelPath,
    pub(super) list: List,
}

/// The note that a handle puts, and its lock.
#[derive(Debug)]
pub(super) struct Writer {
    name: RelPath,
    _lock: LockFile,
}

/// A list that is damaged, or a writer that died: something may be in the cache that no queue names.
#[derive(Debug, Default)]
pub(super) struct Suspicions {
    damaged: Vec<RelPath>,
    dead: Vec<Writer>,
}

impl Suspicions {
    pub(super) fn is_empty(&self) -> bool {
        self.damaged.is_empty() && self.dead.is_empty()
    }
}

impl State {
    /// Opens the state in `dir`, and makes it where it is missing.
    pub(super) fn open(dir: &Dir, store: &str, tier: &TierFile) -> Result<Self> {
        let failed = |error| Error::from_fs(Operation::OpenStore, store, error);
        let sub = |name: &str| dir.ensure_dir(&path(store, name)?).map_err(failed);
        let temporaries = sub("tmp")?;
        collect_leftovers(&temporaries);
        check_tier(dir, &temporaries, store, tier)?;
        let state = Self {
            store: store.to_owned(),
            dir: dir.clone(),
            queue: sub("queue")?,
            access: sub("access")?,
            writers: sub("writers")?,
            fetching: sub("fetching")?,
            temporaries,
            clock: AtomicU64::new(0),
        };
        state.forget_fetches();
        Ok(state)
    }

    fn failed(&self, operation: Operation) -> impl Fn(stem_fs::Error) -> Error {
        move |error| Error::from_fs(operation, self.store.as_str(), error)
    }

    /// Microseconds since 1970, later than every time that was given before.
    pub(super) fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let later = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self.clock.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).unwrap_or(now);
        now.max(last.saturating_add(1))
    }

    fn unique(&self) -> Result<RelPath> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let random = RandomState::new().hash_one((std::process::id(), count));
        path(&self.store, &format!("{:016x}-{random:016x}", self.now()))
    }

    /// Waits until nobody else does this.
    pub(super) fn alone(&self, what: Alone) -> Result<LockFile> {
        LockFile::acquire(&self.dir, &self.lock_name(what)?, LockKind::Exclusive, &mut || ())
            .map_err(self.failed(Operation::Sync))
    }

    /// The lock, unless somebody else has it.
    pub(super) fn try_alone(&self, what: Alone) -> Result<Option<LockFile>> {
        LockFile::try_acquire(&self.dir, &self.lock_name(what)?, LockKind::Exclusive)
            .map_err(self.failed(Operation::Sync))
    }

    /// While this is held nothing is taken out of the cache.
    pub(super) fn queueing(&self) -> Result<LockFile> {
        LockFile::acquire(&self.dir, &self.lock_name(Alone::Remove)?, LockKind::Shared, &mut || ())
            .map_err(self.failed(Operation::Sync))
    }

    fn lock_name(&self, what: Alone) -> Result<RelPath> {
        let name = match what {
            Alone::Upload => "upload.lock",
            Alone::Evict => "evict.lock",
            Alone::Remove => "remove.lock",
            Alone::Mend => "mend.lock",
        };
        path(&self.store, name)
    }

    /// Notes durably that this handle puts.
    pub(super) fn begin_writer(&self) -> Result<Writer> {
        let failed = self.failed(Operation::Put);
        let name = self.unique()?;
        let lock =
            LockFile::acquire(&self.writers, &name, LockKind::Exclusive, &mut || ()).map_err(&failed)?;
        self.writers.sync().map_err(&failed)?;
        Ok(Writer { name, _lock: lock })
    }

    /// Everything that this writer put is queued.
    pub(super) fn end_writer(&self, writer: &Writer) -> Result<()> {
        self.writers.remove_file(&writer.name).map(drop).map_err(self.failed(Operation::Put))
    }

    /// Adds objects to the queue, durably. `rows` need not be sorted.
    pub(super) fn enqueue(&self, kind: ListKind, rows: &mut [Row]) -> Result<()> {
        rows.sort_unstable();
        let mut unique: Vec<Row> = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            match unique.last_mut() {
                Some(last) if last.0 == row.0 => *last = *row,
                _ => unique.push(*row),
            }
        }
        for part in unique.chunks(kind.max_rows()) {
            let list = List { kind, time: self.now(), rows: part.to_vec() };
            let name = self.unique()?;
            self.queue
                .write_durable(&name, &format::encode(&list), &self.temporaries, Publish::New)
                .map_err(self.failed(Operation::Sync))?;
        }
        Ok(())
    }

    /// Of this list only these rows have to be sent still.
    pub(super) fn shorten(&self, segment: &Segment, rows: Vec<Row>) -> Result<()> {
        let failed = self.failed(Operation::Sync);
        if rows.is_empty() {
            // One that comes back is looked at again, and found to have arrived.
            return self.queue.remove_file(&segment.name).map(drop).map_err(failed);
        }
        let list = List { rows, ..segment.list.clone() };
        self.queue
            .write_durable(&segment.name, &format::encode(&list), &self.temporaries, Publish::Replace)
            .map_err(failed)
    }

    /// The names of the lists of the queue, oldest first.
    pub(super) fn queue_names(&self) -> Result<Vec<RelPath>> {
        self.names(&self.queue)
    }

    /// A list of the queue; `None` when it is gone, or damaged ([`Self::suspicions`] finds that).
    pub(super) fn segment(&self, name: &RelPath) -> Result<Option<Segment>> {
        match self.read(&self.queue, name, ListKind::Queue.max_len())? {
            Some(Ok(list)) if list.kind != ListKind::Access => Ok(Some(Segment { name: name.clone(), list })),
            _ => Ok(None),
        }
    }

    /// Everything that is queued.
    pub(super) fn queued(&self) -> Result<HashMap<ObjectId, u64>> {
        let mut all = HashMap::new();
        for name in self.queue_names()? {
            if let Some(segment) = self.segment(&name)? {
                all.extend(segment.list.rows);
            }
        }
        Ok(all)
    }

    /// What may be in the cache and in no queue. The caller mends alone.
    pub(super) fn suspicions(&self) -> Result<Suspicions> {
        let failed = self.failed(Operation::OpenStore);
        let mut found = Suspicions::default();
        for name in self.names(&self.writers)? {
            if let Some(lock) =
                LockFile::try_acquire(&self.writers, &name, LockKind::Exclusive).map_err(&failed)?
            {
                found.dead.push(Writer { name, _lock: lock });
            }
        }
        for name in self.queue_names()? {
            match self.read(&self.queue, &name, ListKind::Queue.max_len())? {
                Some(Ok(list)) if list.kind != ListKind::Access => {}
                None => {}
                Some(_) => found.damaged.push(name),
            }
        }
        Ok(found)
    }

    /// What was suspected is queued now.
    pub(super) fn clear(&self, suspicions: &Suspicions) -> Result<()> {
        for name in &suspicions.damaged {
            self.queue.remove_file(name).map_err(self.failed(Operation::OpenStore))?;
        }
        suspicions.dead.iter().try_for_each(|writer| self.end_writer(writer))
    }

    /// The lock of whoever fetches this object; others wait.
    pub(super) fn fetching(&self, id: &ObjectId) -> Result<Fetching<'_>> {
        let failed = self.failed(Operation::Read);
        let name = path(&self.store, id.hex().as_str())?;
        let lock =
            LockFile::acquire(&self.fetching, &name, LockKind::Exclusive, &mut || ()).map_err(failed)?;
        Ok(Fetching { state: self, name, _lock: lock })
    }

    /// Removes the locks of fetches that died.
    fn forget_fetches(&self) {
        for entry in self.fetching.entries().unwrap_or_default() {
            let Ok(name) = RelPath::new(entry.name) else { continue };
            if let Ok(Some(_lock)) = LockFile::try_acquire(&self.fetching, &name, LockKind::Exclusive) {
                let _ = self.fetching.remove_file(&name);
            }
        }
    }

    /// Notes when objects were used. Not flushed: what is lost makes an object look older.
    pub(super) fn note_access(&self, rows: impl IntoIterator<Item = Row>) -> Result<()> {
        let mut rows: Vec<Row> = rows.into_iter().collect();
        rows.sort_unstable();
        let failed = self.failed(Operation::Read);
        for part in rows.chunks(ListKind::Access.max_rows()) {
            let list = List { kind: ListKind::Access, time: self.now(), rows: part.to_vec() };
            let mut temp = self.temporaries.temp_file(0o666).map_err(&failed)?;
            temp.write_all(&format::encode(&list)).map_err(|error| {
                Error::from_io(Operation::Read, self.store.as_str(), error).with_path(temp.path())
            })?;
            temp.persist(&self.access, &self.unique()?, Publish::New).map_err(&failed)?;
        }
        Ok(())
    }

    /// All access times, and the lists that they stand in. One that is damaged says nothing.
    pub(super) fn accesses(&self) -> Result<(HashMap<ObjectId, u64>, Vec<RelPath>)> {
        let mut times: HashMap<ObjectId, u64> = HashMap::new();
        let names = self.names(&self.access)?;
        for name in &names {
            let Some(Ok(List { kind: ListKind::Access, rows, .. })) =
                self.read(&self.access, name, ListKind::Access.max_len())?
            else {
                continue;
            };
            for (id, time) in rows {
                let known = times.entry(id).or_default();
                *known = time.max(*known);
            }
        }
        Ok((times, names))
    }

    /// Joins the lists of access times when there are many, as where nothing ever has to leave the cache.
    pub(super) fn join_many_accesses(&self) -> Result<()> {
        if self.names(&self.access)?.len() < MANY_LISTS {
            return Ok(());
        }
        let Some(_alone) = self.try_alone(Alone::Evict)? else { return Ok(()) };
        let (times, lists) = self.accesses()?;
        self.join_accesses(&lists, times)
    }

    /// Replaces these lists of access times by one. The caller evicts alone.
    pub(super) fn join_accesses(&self, old: &[RelPath], rows: impl IntoIterator<Item = Row>) -> Result<()> {
        self.note_access(rows)?;
        for name in old {
            self.access.remove_file(name).map_err(self.failed(Operation::Remove))?;
        }
        Ok(())
    }

    /// Names of lists and writers, oldest first.
    fn names(&self, dir: &Dir) -> Result<Vec<RelPath>> {
        let entries = dir.entries().map_err(self.failed(Operation::List))?;
        let ours = entries.into_iter().filter(|entry| entry.kind == FileKind::File && is_ours(&entry.name));
        let mut names: Vec<RelPath> = ours.filter_map(|entry| RelPath::new(entry.name).ok()).collect();
        if names.len() > MAX_LISTS {
            return Err(Error::new(ErrorKind::InvalidInput, Operation::List, self.store.as_str())
                .with_path(dir.path())
                .with_reason(format!("it holds more than {MAX_LISTS} lists")));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// `None`: it is gone.
    fn read(
        &self,
        dir: &Dir,
        name: &RelPath,
        max: u64,
    ) -> Result<Option<std::result::Result<List, &'static str>>> {
        let bytes = match dir.read(name, max) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Ok(Some(Err("it is too long")));
            }
            Err(error) => return Err(self.failed(Operation::Sync)(error)),
        };
        match format::decode(&bytes) {
            Ok(list) => Ok(Some(Ok(list))),
            Err(ListError::Damaged(what)) => Ok(Some(Err(what))),
            Err(error @ ListError::Version(_)) => {
                Err(Error::new(ErrorKind::Unsupported, Operation::Sync, self.store.as_str())
                    .with_path(dir.full(name))
                    .with_reason("a newer program wrote this list: use that one")
                    .with_source(error))
            }
        }
    }
}

/// An object that is being fetched, by this process and no other.
pub(super) struct Fetching<'a> {
    state: &'a State,
    name: RelPath,
    _lock: LockFile,
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        // Before the lock goes: whoever waits for it sees that the file is another one, and makes its own.
        let _ = self.state.fetching.remove_file(&self.name);
    }
}

fn is_ours(name: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    name.len() == 33 && name[16] == b'-' && hex(&name[..16]) && hex(&name[17..])
}

fn path(store: &str, name: &str) -> Result<RelPath> {
    RelPath::new(name)
        .map_err(|error| Error::new(ErrorKind::InvalidInput, Operation::OpenStore, store).with_source(error))
}

/// Compares what the directory says that it is of, or says it.
fn check_tier(dir: &Dir, temporaries: &Dir, store: &str, ours: &TierFile) -> Result<()> {
    let failed = |error| Error::from_fs(Operation::OpenStore, store, error);
    let name = path(store, "tier")?;
    let unusable = |reason: String| {
        Error::new(ErrorKind::InvalidInput, Operation::OpenStore, store)
            .with_path(dir.full(&name))
            .with_reason(reason)
    };
    loop {
        if let Some(bytes) = dir.read(&name, MAX_TIER).map_err(failed)? {
            let there = TierFile::parse(&bytes).map_err(unusable)?;
            if there == *ours {
                return Ok(());
            }
            return Err(unusable(format!(
                "this cache belongs to '{}' with {} ids, not to '{}' with {} ids: name another directory for each slower store",
                there.remote,
                there.algorithm.name(),
                ours.remote,
                ours.algorithm.name()
            )));
        }
        match dir.write_durable(&name, ours.to_string().as_bytes(), temporaries, Publish::New) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => return other.map_err(failed),
        }
    }
}
