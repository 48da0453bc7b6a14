//! Hashing many files on all threads, two at a time on each.
//!
//! The files form one queue, largest first, so that no large one is left over at the end. A worker owns two
//! lanes (see `lane`) and refills either from the queue as its file ends: that is what keeps a core's SHA
//! unit busy, for ten stems as for ten thousand presets. When the queue is empty and a worker has nothing
//! left, it ends, and a worker that still has two files passes one of them on as a new task: two cores with
//! one file each beat one core with two.
//!
//! Workers never wait for each other, so that they may run on a rayon pool whose threads also run the
//! callbacks' own parallel work. Rejected: `par_iter` (one file per thread at a time, and splitting loses the order by size); a
//! thread that reads ahead for the others (the page cache does that, and a copy per byte costs more).
//!
//! Memory: two read buffers of 1 MiB and two windows of 8 MiB per thread (BLAKE3: one
//! buffer of at most 4 MiB), and a few words per file. Open
//! files: two per thread, where the source opens them as late as it is asked.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::file::{FileJob, HashFile, HashOptions, hash_tree};
use crate::hasher::Digest;
use crate::id::Algorithm;
use crate::lane::{Lane, Ready, step, step_pair};

/// A file of which a lane has less than this left is not worth a task of its own.
const WORTH_PASSING_ON: u64 = 256 * 1024;

/// Why a result is missing: the observer asked to stop. Found inside the [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hashing was cancelled")]
pub struct Cancelled;

impl Cancelled {
    /// Whether this error means that the work was cancelled.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }

    fn error() -> io::Error {
        io::Error::new(io::ErrorKind::Interrupted, Self)
    }
}

/// Follows [`hash_many`]. All methods are called from any of the threads, several at once.
///
/// They should be short, since the lanes of the calling thread stand still meanwhile.
pub trait HashObserver: Sync {
    /// So many more bytes are done.
    fn progress(&self, bytes: u64) {
        let _ = bytes;
    }

    /// A file is done. Called once for each, in no particular order.
    fn finished(&self, index: usize, result: &io::Result<Digest>) {
        let _ = (index, result);
    }

    /// Whether to stop. Once true it should stay so; what is not done then ends in [`Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }
}

/// The observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl HashObserver for Silent {}

/// A file for [`hash_many`], opened when its turn comes.
///
/// [`FileJob`] is one that is open already. A source of one's own bounds the number of open files, and can
/// take a lease on opening and keep the file, still leased, on closing.
pub trait HashSource: Sync {
    /// The open file with whatever must live as long as the hashing.
    type Opened: HashFile + Send;

    /// The expected length, which orders the work. It is asked more than once.
    fn expected_len(&self) -> u64;

    /// Opens the file. An error becomes the file's result.
    fn open(&self) -> io::Result<Self::Opened>;

    /// Takes the file back, before the observer hears of it. Not called if it could not be opened.
    fn close(&self, opened: Self::Opened, result: &io::Result<Digest>) {
        let _ = (opened, result);
    }
}

impl<'a> HashSource for FileJob<'a> {
    type Opened = FileJob<'a>;

    fn expected_len(&self) -> u64 {
        self.len
    }

    fn open(&self) -> io::Result<FileJob<'a>> {
        Ok(*self)
    }
}

/// Hashes all files on the threads of the current rayon pool, and returns the results in the files' order.
///
/// ```
/// # use stem_hash::{FileJob, HashOptions, Silent, hash_many};
/// # fn main() -> std::io::Result<()> {
/// let kick = std::fs::File::open("Cargo.toml")?;
/// let jobs = [FileJob::new(&kick, kick.metadata()?.len())];
/// for result in hash_many(&jobs, &HashOptions::default(), &Silent) {
///     println!("{}", result?.id);
/// }
/// # Ok(())
/// # }
/// ```
pub fn hash_many<S: HashSource>(
    sources: &[S],
    options: &HashOptions,
    observer: &dyn HashObserver,
) -> Vec<io::Result<Digest>> {
    let mut order: Vec<usize> = (0..sources.len()).collect();
    // Stable, so that files of equal size keep their order: neighbours in a directory, mostly.
    order.sort_by_cached_key(|&index| std::cmp::Reverse(sources.get(index).map_or(0, S::expected_len)));
    let threads = rayon::current_num_threads();
    let workers = threads.min(sources.len());
    let run = Run {
        sources,
        order,
        next: AtomicUsize::new(0),
        workers: AtomicUsize::new(workers),
        threads,
        options,
        observer,
        results: std::iter::repeat_with(OnceLock::new).take(sources.len()).collect(),
    };
    rayon::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|scope| run.work(scope, None));
        }
    });
    // Every file was taken from the queue by a worker that ended, and each ends its files.
    run.results.into_iter().map(|cell| cell.into_inner().unwrap_or_else(|| Err(Cancelled::error()))).collect()
}

/// One call of [`hash_many`].
struct Run<'a, S: HashSource> {
    sources: &'a [S],
    /// The indices of the sources, largest first.
    order: Vec<usize>,
    /// The next position in `order`.
    next: AtomicUsize,
    /// Workers that have work or are about to look for some.
    workers: AtomicUsize,
    threads: usize,
    options: &'a HashOptions,
    observer: &'a dyn HashObserver,
    results: Vec<OnceLock<io::Result<Digest>>>,
}

/// A file in a lane.
struct Active<O> {
    index: usize,
    opened: O,
    lane: Lane,
}

/// A lane's place at a worker; the buffer stays when the file goes.
struct Slot<O> {
    active: Option<Active<O>>,
    buffer: Vec<u8>,
}

impl<O> Slot<O> {
    fn new(active: Option<Active<O>>) -> Self {
        Self { active, buffer: Vec::new() }
    }
}

impl<S: HashSource> Run<'_, S> {
    fn work<'scope>(&'scope self, scope: &rayon::Scope<'scope>, first: Option<Active<S::Opened>>) {
        match self.options.algorithm {
            Algorithm::Sha256 => self.work_in_lanes(scope, first),
            Algorithm::Blake3 => self.work_in_trees(),
        }
        self.workers.fetch_sub(1, Ordering::Relaxed);
    }

    fn work_in_lanes<'scope>(&'scope self, scope: &rayon::Scope<'scope>, first: Option<Active<S::Opened>>) {
        let mut slots = [Slot::new(first), Slot::new(None)];
        // The first one may have waited for its thread, its window mapped.
        recheck(&mut slots[0]);
        loop {
            for this in 0..slots.len() {
                if self.fill(&mut slots[this]) {
                    recheck(&mut slots[1 - this]);
                }
            }
            let [a, b] = &mut slots;
            match (&mut a.active, &mut b.active) {
                (Some(a), Some(b)) => step_pair(&mut a.lane, &mut b.lane),
                (Some(one), None) | (None, Some(one)) => step(&mut one.lane),
                (None, None) => break,
            }
            self.share(scope, &mut slots);
        }
    }

    /// Makes the slot's lane ready for the next step, with the next file if need be; empty if there is none.
    ///
    /// Returns whether that took time in the system or in somebody else's code.
    fn fill(&self, slot: &mut Slot<S::Opened>) -> bool {
        let mut changed = false;
        loop {
            let Some(active) = &mut slot.active else {
                let Some((index, opened)) = self.open_next() else { return changed };
                changed = true;
                let expected = self.sources[index].expected_len();
                let lane = Lane::new(expected, self.options, std::mem::take(&mut slot.buffer));
                slot.active = Some(Active { index, opened, lane });
                continue;
            };
            let failed = match active.lane.prepare(&active.opened, &|bytes| self.tick(bytes)) {
                Ok(Ready::Blocks) => return changed,
                Ok(Ready::Fetched) => return true,
                Ok(Ready::Done) => None,
                Err(error) => Some(error),
            };
            changed = true;
            if let Some(Active { index, opened, lane }) = slot.active.take() {
                let result = if let Some(error) = failed {
                    slot.buffer = lane.into_buffer();
                    Err(error)
                } else {
                    let (digest, buffer) = lane.finish();
                    slot.buffer = buffer;
                    Ok(digest)
                };
                self.close(index, opened, result);
            }
        }
    }

    /// Passes one of two files on if a thread has nothing left to do.
    fn share<'scope>(&'scope self, scope: &rayon::Scope<'scope>, slots: &mut [Slot<S::Opened>; 2]) {
        if self.workers.load(Ordering::Relaxed) >= self.threads {
            return;
        }
        let worth = |slot: &Slot<S::Opened>| {
            slot.active.as_ref().is_some_and(|active| active.lane.remaining() >= WORTH_PASSING_ON)
        };
        if !slots.iter().all(worth) {
            return;
        }
        let claimed = self.workers.try_update(Ordering::Relaxed, Ordering::Relaxed, |workers| {
            (workers < self.threads).then_some(workers + 1)
        });
        if claimed.is_ok() {
            let passed = slots[1].active.take();
            scope.spawn(move |scope| self.work(scope, passed));
        }
    }

    fn work_in_trees(&self) {
        let mut buffer = Vec::new();
        let alone = || self.workers.load(Ordering::Relaxed) < self.threads;
        while let Some((index, opened)) = self.open_next() {
            let expected = self.sources[index].expected_len();
            let tick = |bytes| self.tick(bytes);
            let result = hash_tree(&opened, expected, self.options, &alone, &mut buffer, &tick);
            self.close(index, opened, result);
        }
    }

    fn tick(&self, bytes: u64) -> io::Result<()> {
        self.observer.progress(bytes);
        if self.observer.cancelled() { Err(Cancelled::error()) } else { Ok(()) }
    }

    /// The next file that opens.
    fn open_next(&self) -> Option<(usize, S::Opened)> {
        loop {
            let position = self.next.fetch_add(1, Ordering::Relaxed);
            let &index = self.order.get(position)?;
            if self.observer.cancelled() {
                self.finished(index, Err(Cancelled::error()));
                continue;
            }
            match self.sources[index].open() {
                Ok(opened) => return Some((index, opened)),
                Err(error) => self.finished(index, Err(error)),
            }
        }
    }

    fn close(&self, index: usize, opened: S::Opened, result: io::Result<Digest>) {
        self.sources[index].close(opened, &result);
        self.finished(index, result);
    }

    fn finished(&self, index: usize, result: io::Result<Digest>) {
        self.observer.finished(index, &result);
        // Each index is in the queue once, so the cell is empty.
        let _ = self.results[index].set(result);
    }
}

fn recheck<O: HashFile>(slot: &mut Slot<O>) {
    if let Some(active) = &mut slot.active {
        active.lane.recheck(&active.opened);
    }
}
