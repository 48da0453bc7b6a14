//! A pack that grows, and what it holds already.
//!
//! Everything that is put with `AtSync` goes to one lane of the handle; a put with `Immediate` has one of its own, which is
//! published when the put ends. Records of puts that run at once stand mixed in one pack: a pack for each would be tidier,
//! but then a list could come to name chunks of a pack that is published after its own.
//!
//! What stands in the lane is found through its table before it is published. A pack that has reached its limit is
//! published without waiting for the sync: that bounds the table, and nothing forbids an object to be durable early.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{FileMetadata, ObjectStat};

use crate::record::Spot;
use crate::tools::Dictionary;
use crate::writer::PackWriter;

/// A small object that waits to be coded together with others.
#[derive(Debug)]
pub(crate) struct Small {
    pub(crate) bytes: Vec<u8>,
    pub(crate) metadata: Option<FileMetadata>,
}

impl Small {
    pub(crate) fn stat(&self) -> ObjectStat {
        ObjectStat { size: self.bytes.len() as u64, metadata: self.metadata, since: None }
    }
}

/// An object that is not published yet.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    Memory(Arc<Small>),
    Record(Spot, ObjectStat),
}

impl Held {
    pub(crate) fn stat(&self) -> ObjectStat {
        match self {
            Self::Memory(small) => small.stat(),
            Self::Record(_, stat) => *stat,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// The pack that grows.
    open: Mutex<Option<PackWriter>>,
    table: RwLock<Table>,
    batch: Mutex<Batch>,
    /// Held while a batch is coded and written: whoever publishes waits for it.
    pub(crate) flushing: Mutex<()>,
    pub(crate) dictionary: Mutex<Teacher>,
    /// Those that stand in the growing pack.
    written: Mutex<Vec<Arc<Dictionary>>>,
}

/// What is known of dictionaries for the batches to come.
#[derive(Debug, Default)]
pub(crate) struct Teacher {
    /// The one that the last batch was coded with.
    pub(crate) known: Option<Arc<Dictionary>>,
    /// How often in a row one was trained in vain.
    pub(crate) failed: usize,
    /// Batches that pass before the next one is trained.
    pub(crate) rest: usize,
}

#[derive(Debug, Default)]
struct Table {
    objects: HashMap<ObjectId, Held>,
    chunks: HashMap<ObjectId, Spot>,
    /// Objects whose record is in the growing pack and which were removed.
    ghosts: HashSet<ObjectId>,
}

/// Small objects in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) objects: Vec<(ObjectId, Arc<Small>)>,
    pub(crate) bytes: usize,
}

impl Lane {
    /// The pack that grows, for whoever appends.
    pub(crate) fn open(&self) -> MutexGuard<'_, Option<PackWriter>> {
        self.open.lock()
    }

    pub(crate) fn held(&self, id: &ObjectId) -> Option<Held> {
        self.table.read().objects.get(id).cloned()
    }

    pub(crate) fn chunk(&self, id: &ObjectId) -> Option<Spot> {
        self.table.read().chunks.get(id).cloned()
    }

    pub(crate) fn ids(&self, prefix: &IdPrefix) -> Vec<ObjectId> {
        self.table.read().objects.keys().filter(|id| prefix.matches(id)).copied().collect()
    }

    /// A dictionary is in the growing pack.
    pub(crate) fn add_dictionary(&self, dictionary: &Arc<Dictionary>) {
        let mut written = self.written.lock();
        if !written.iter().any(|other| other.id == dictionary.id) {
            written.push(dictionary.clone());
        }
    }

    /// The dictionary of the growing pack that is called so.
    pub(crate) fn dictionary_called(&self, tag: [u8; 4]) -> Option<Arc<Dictionary>> {
        self.written.lock().iter().find(|dictionary| dictionary.tag() == tag).cloned()
    }

    pub(crate) fn add_chunk(&self, id: &ObjectId, spot: Spot) {
        self.table.write().chunks.insert(*id, spot);
    }

    /// An object's record is in the growing pack.
    pub(crate) fn add_object(&self, id: &ObjectId, spot: Spot, stat: ObjectStat) {
        let mut table = self.table.write();
        table.ghosts.remove(id);
        table.objects.insert(*id, Held::Record(spot, stat));
    }

    /// Takes a small object in. Says how many bytes wait now.
    pub(crate) fn add_small(&self, id: &ObjectId, small: Arc<Small>) -> usize {
        {
            let mut table = self.table.write();
            table.ghosts.remove(id);
            table.objects.insert(*id, Held::Memory(small.clone()));
        }
        let mut batch = self.batch.lock();
        batch.bytes += small.bytes.len();
        batch.objects.push((*id, small));
        // An empty object costs something too.
        batch.bytes + 64 * batch.objects.len()
    }

    pub(crate) fn take_batch(&self) -> Batch {
        std::mem::take(&mut *self.batch.lock())
    }

    /// Gives a batch back that could not be written.
    pub(crate) fn return_batch(&self, mut batch: Batch) {
        let mut newer = self.batch.lock();
        batch.bytes += newer.bytes;
        batch.objects.append(&mut newer.objects);
        *newer = batch;
    }

    /// Whether a small object still waits: it may have been removed, or put anew.
    pub(crate) fn still_waits(&self, id: &ObjectId, small: &Arc<Small>) -> bool {
        matches!(self.table.read().objects.get(id), Some(Held::Memory(now)) if Arc::ptr_eq(now, small))
    }

    /// A small object was written. If it was removed meanwhile, its record is that of a ghost.
    pub(crate) fn settle_small(&self, id: &ObjectId, small: &Arc<Small>, spot: Spot) {
        let mut table = self.table.write();
        match table.objects.get_mut(id) {
            Some(held @ Held::Memory(_)) => {
                let same = matches!(held, Held::Memory(now) if Arc::ptr_eq(now, small));
                if same {
                    *held = Held::Record(spot, small.stat());
                }
            }
            Some(Held::Record(..)) => {}
            None => {
                table.ghosts.insert(*id);
            }
        }
    }

    /// Gives up one object; says whether there was one.
    pub(crate) fn forget(&self, id: &ObjectId) -> bool {
        let mut table = self.table.write();
        match table.objects.remove(id) {
            Some(Held::Record(..)) => {
                table.ghosts.insert(*id);
                true
            }
            Some(Held::Memory(_)) => true,
            None => false,
        }
    }

    /// The object is put elsewhere: its record here need not be hidden.
    pub(crate) fn exorcise(&self, id: &ObjectId) {
        self.table.write().ghosts.remove(id);
    }

    /// The objects whose records are in the growing pack, and those among them that were removed.
    pub(crate) fn written(&self) -> (Vec<ObjectId>, Vec<ObjectId>) {
        let table = self.table.read();
        let living = table.objects.iter().filter(|(_, held)| matches!(held, Held::Record(..)));
        (living.map(|(id, _)| *id).collect(), table.ghosts.iter().copied().collect())
    }

    /// The growing pack was published: the catalog answers for it from now on.
    pub(crate) fn published(&self) {
        let mut table = self.table.write();
        table.objects.retain(|_, held| matches!(held, Held::Memory(_)));
        table.chunks.clear();
        table.ghosts.clear();
        drop(table);
        self.written.lock().clear();
    }

    /// Nothing that waits is there any more; the growing pack is the caller's.
    pub(crate) fn forget_all(&self) {
        let lost = std::mem::take(&mut *self.table.write());
        drop(self.take_batch());
        self.written.lock().clear();
        drop(lost);
    }

    /// Gives everything up.
    pub(crate) fn clear(&self) {
        drop(self.open.lock().take());
        self.forget_all();
    }
}
