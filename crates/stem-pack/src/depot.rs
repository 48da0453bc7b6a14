//! Where published packs are kept when that is not a directory of this machine.
//!
//! A store over a depot is a [`PackStore`](crate::PackStore) like any other, with the same cutting, coding, looking up and checking; only
//! published packs lie elsewhere, and its directory holds what can be had again: indices, and packs that grow. The
//! alternative, a second implementation of all of that over a network, would have been a second one to get wrong.

use std::collections::HashSet;
use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use stem_fs::{OpenFile, TempFile, Timestamp};
use stem_hash::ObjectId;

use crate::format::PackId;

/// A pack in a depot, whole and with its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepotPack {
    /// The pack.
    pub id: PackId,
    /// Its length in bytes.
    pub len: u64,
    /// When the depot got it, by the depot's clock.
    pub since: Option<Timestamp>,
}

/// A pack that is finished and waits to be taken to the depot.
pub struct DepotJob {
    /// The pack.
    pub id: PackId,
    /// Its bytes.
    pub file: Arc<OpenFile>,
    /// Keeps them on disk.
    pub held: TempFile,
    /// Its length.
    pub len: u64,
    /// Its index.
    pub index: Vec<u8>,
    /// Is called once the pack and its index are durable in the depot, and not otherwise.
    pub done: Box<dyn FnOnce() + Send>,
}

impl Debug for DepotJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DepotJob").field("id", &self.id).field("len", &self.len).finish_non_exhaustive()
    }
}

/// Keeps published packs.
///
/// Errors are those of the system or the network; one of kind [`io::ErrorKind::NotFound`] says that a pack is gone.
pub trait Depot: Debug + Send + Sync {
    /// The packs that are there.
    fn packs(&self) -> io::Result<Vec<DepotPack>>;

    /// Fetches the indices of these packs, several at a time, and shows each as it comes. One that is not there is left out.
    fn indices(&self, packs: &[PackId], show: &mut dyn FnMut(PackId, Vec<u8>)) -> io::Result<()>;

    /// A pack to be read by position. Nothing is asked of the depot yet.
    fn open(&self, pack: &DepotPack) -> Arc<dyn DepotFile>;

    /// Makes sure that packs of this store may be written: called before the first one is begun, and then no more.
    fn prepare(&self) -> io::Result<()>;

    /// A pack begins to grow: what is written to this file is going to be [submitted](Self::submit) or [abandoned](Self::abandon). A depot may
    /// carry bytes over as they come; nothing of them may be visible in it before the pack is submitted.
    fn begin(&self, id: PackId, file: &Arc<OpenFile>) {
        let _ = (id, file);
    }

    /// So many bytes of a growing pack stand in its file, and will not change.
    fn grown(&self, id: PackId, len: u64) {
        let _ = (id, len);
    }

    /// Whether it could take more than it is given: then what is coded next had better be coded fast than small.
    fn starves(&self) -> bool {
        false
    }

    /// A growing pack will never be whole.
    fn abandon(&self, id: PackId) {
        let _ = id;
    }

    /// Takes a pack over and returns, waiting at most until few enough others are on their way. A pack becomes visible in the depot after all that
    /// were submitted before it, and never if one of these failed.
    fn submit(&self, job: DepotJob) -> io::Result<()>;

    /// Waits until everything that was submitted is durable. An error stays: nothing that was submitted and not done ever
    /// will be.
    fn settle(&self) -> io::Result<()>;

    /// Bytes that the store takes.
    fn stored_bytes(&self) -> io::Result<u64>;

    /// What was kept of packs for reading may be old from now on: see [`DepotFile::read_at`].
    fn expire(&self);

    /// What is known of who needs what. `None`: nothing is ever removed from this depot.
    fn roots(&self) -> Option<&dyn Roots> {
        None
    }
}

/// What a depot's clients need, where unneeded packs are removed by any of them (`docs/format/remote.md`, *Roots, condemned packs,
/// removal*).
pub trait Roots: Debug + Send + Sync {
    /// Looks at which packs nobody may rely on any more.
    fn look(&self) -> io::Result<Look>;

    /// Publishes that this client needs these objects, too.
    fn publish(&self, needed: &[ObjectId]) -> io::Result<()>;

    /// Those of these packs that are gone.
    fn gone(&self, packs: &[PackId]) -> io::Result<Vec<PackId>>;

    /// Whether what was relied on after this look still counts: not if too much time has passed since, by the depot's clock.
    fn is_timely(&self, since: &Moment) -> io::Result<bool>;

    /// Publishes that this client needs exactly these objects.
    fn replace(&self, needed: &[ObjectId]) -> io::Result<()>;

    /// Takes back what this handle published of these objects, which are sorted, and of no others.
    fn entrust(&self, ids: &[ObjectId]) -> io::Result<()>;
}

/// A moment, by all clocks at hand. None of this machine's is believed alone: one stands still while the machine sleeps, the other
/// is set by people.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The depot's clock, which said so at this moment or before it.
    pub depot: Option<Timestamp>,
    /// Never goes back.
    pub steady: Instant,
    /// Goes on while the machine sleeps.
    pub wall: SystemTime,
}

impl Moment {
    /// Now, and what the depot's clock is known to have said before.
    pub fn now(depot: Option<Timestamp>) -> Self {
        Self { depot, steady: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago that was at most, if both clocks say the same; `None` where they do not.
    pub fn age(&self) -> Option<Duration> {
        /// By how much they may differ.
        const SLACK: Duration = Duration::from_mins(5);
        let steady = self.steady.elapsed();
        let wall = self.wall.elapsed().ok()?;
        (steady.abs_diff(wall) <= SLACK).then(|| steady.max(wall))
    }
}

/// What a look at a depot showed.
#[derive(Debug, Clone)]
pub struct Look {
    /// Packs that nobody may rely on.
    pub condemned: Arc<HashSet<PackId>>,
    /// When.
    pub at: Moment,
}

/// A pack in a depot.
pub trait DepotFile: Debug + Send + Sync {
    /// Reads up to `buf.len()` bytes from `offset` on; fewer only at the end, or if that is all that came at once. `fresh`: only what
    /// was fetched since the last [`Depot::expire`] and for such a read will do, because somebody is going to rely on it.
    fn read_at(&self, buf: &mut [u8], offset: u64, fresh: bool) -> io::Result<usize>;

    /// The length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the depot got it.
    fn since(&self) -> Option<Timestamp>;

    /// What it is called.
    fn name(&self) -> &str;

    /// What was read here was damaged: it is to be fetched again.
    fn forget(&self, offset: u64);

    /// These bytes are going to be read soon, in this order, `fresh` or not. Waits for nothing.
    fn expect(&self, range: Range<u64>, fresh: bool) {
        let _ = (range, fresh);
    }
}
