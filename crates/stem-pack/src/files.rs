//! The packs of a store, each opened when it is first needed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use stem_fs::{Dir, OpenFile, RelPath, Stat, Timestamp};

use crate::depot::{Depot, DepotPack};
use crate::format::PackId;
use crate::index::{Access, Index, IndexKind};
use crate::record::{Bad, Bytes, PackFile};

/// Packs whose files are open at the same time; the one that was opened first is closed for the next.
const OPEN_FILES: usize = 128;

const PACK_SUFFIX: &[u8] = b".pack";
const PREFIX: &[u8] = b"pack-";

/// The name of the multi-pack index.
pub(crate) const MULTI_NAME: &str = "multi-pack-index";
/// The name of the file of tombstones.
pub(crate) const REMOVED_NAME: &str = "removed";

/// The pack that a file of this name is.
pub fn pack_id(name: &[u8]) -> Option<PackId> {
    PackId::parse_bytes(name.strip_prefix(PREFIX)?.strip_suffix(PACK_SUFFIX)?).ok()
}

/// The name of a pack.
pub fn pack_name(id: PackId) -> RelPath {
    plain(format!("pack-{id}.pack"))
}

/// The name of a pack's index.
pub fn index_name(id: PackId) -> RelPath {
    plain(format!("pack-{id}.idx"))
}

/// A name that is given in this program.
#[expect(clippy::expect_used, reason = "letters, digits, hyphens and dots are a plain name")]
pub(crate) fn plain(name: impl Into<String>) -> RelPath {
    RelPath::new(name.into()).expect("a plain name")
}

/// Which packs have their files open.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles(Mutex<VecDeque<Weak<Pack>>>);

/// The index of one pack, as this handle has it.
#[derive(Debug, Clone)]
pub(crate) struct OwnIndex {
    pub(crate) index: Arc<Index>,
    /// The file that says the same; `None` where there is none.
    pub(crate) file: Option<Stamp>,
}

impl OwnIndex {
    /// The index in this file, unless that is damaged.
    pub(crate) fn open(file: OpenFile) -> Option<Self> {
        let stamp = file.stat().as_ref().map(Stamp::from).ok();
        let index = Index::open(file, IndexKind::Pack, Access::Map).ok()?;
        Some(Self { index: Arc::new(index), file: stamp })
    }
}

/// By what a change of a file or directory is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    size: u64,
    pub(crate) mtime: Timestamp,
    pub(crate) ctime: Timestamp,
}

impl From<&Stat> for Stamp {
    fn from(stat: &Stat) -> Self {
        Self { inode: stat.inode, size: stat.size, mtime: stat.mtime, ctime: stat.ctime }
    }
}

/// Where a pack is kept.
#[derive(Debug)]
enum Home {
    Dir(Dir),
    Depot { depot: Arc<dyn Depot>, pack: DepotPack },
}

/// A published pack.
#[derive(Debug)]
pub(crate) struct Pack {
    pub(crate) id: PackId,
    home: Home,
    file: Mutex<Option<Bytes>>,
    /// Its own index, once that was needed.
    pub(crate) index: Mutex<Option<OwnIndex>>,
    /// Whether the index was rebuilt by this handle already: it is not rebuilt twice.
    pub(crate) rebuilt: AtomicBool,
    /// Whether its name is durable for certain.
    settled: AtomicBool,
}

impl Pack {
    pub(crate) fn new(id: PackId, dir: &Dir, settled: bool) -> Self {
        Self::at(id, Home::Dir(dir.clone()), settled)
    }

    /// A pack that is in the depot or, unless `settled`, on its way there.
    pub(crate) fn in_depot(depot: &Arc<dyn Depot>, pack: DepotPack, settled: bool) -> Self {
        Self::at(pack.id, Home::Depot { depot: depot.clone(), pack }, settled)
    }

    fn at(id: PackId, home: Home, settled: bool) -> Self {
        Self {
            id,
            home,
            file: Mutex::default(),
            index: Mutex::default(),
            rebuilt: AtomicBool::new(false),
            settled: AtomicBool::new(settled),
        }
    }

    /// Its file. Whoever holds it can read on when the pack is removed.
    pub(crate) fn file(self: &Arc<Self>, open: &OpenFiles) -> Result<PackFile, Bad> {
        let mut slot = self.file.lock();
        if let Some(file) = &*slot {
            return Ok(PackFile { id: self.id, file: file.clone() });
        }
        let dir = match &self.home {
            Home::Dir(dir) => dir,
            Home::Depot { depot, pack } => {
                let file = Bytes::Far { file: depot.open(pack), fresh: false };
                *slot = Some(file.clone());
                return Ok(PackFile { id: self.id, file });
            }
        };
        let opened = dir.open_file(&pack_name(self.id)).map_err(Bad::Unreadable)?;
        let file = Bytes::Here(Arc::new(opened.ok_or(Bad::Vanished)?));
        *slot = Some(file.clone());
        drop(slot);
        self.opened(open);
        Ok(PackFile { id: self.id, file })
    }

    /// Closes the file that was opened first when there are too many.
    fn opened(self: &Arc<Self>, open: &OpenFiles) {
        let mut queue = open.0.lock();
        queue.push_back(Arc::downgrade(self));
        let oldest = if queue.len() > OPEN_FILES { queue.pop_front() } else { None };
        drop(queue);
        if let Some(pack) = oldest.and_then(|pack| pack.upgrade()) {
            *pack.file.lock() = None;
        }
    }

    /// Gives it the file that it was written by.
    pub(crate) fn adopt(self: &Arc<Self>, file: &PackFile, open: &OpenFiles) {
        *self.file.lock() = Some(file.file.clone());
        // On its way to a depot it can be read nowhere else: it is not closed to make room.
        if let Home::Dir(_) = self.home {
            self.opened(open);
        }
    }

    /// The depot has it: the file that it was written by is needed no more.
    pub(crate) fn arrived(&self) {
        self.settle();
        *self.file.lock() = None;
    }

    /// When it came into its depot, if it is in one.
    pub(crate) fn depot_since(&self) -> Option<Timestamp> {
        match &self.home {
            Home::Dir(_) => None,
            Home::Depot { pack, .. } => pack.since,
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_belong_together() {
        let id = PackId::from_bytes([0xa5; 16]);
        assert_eq!(pack_id(pack_name(id).as_bytes()), Some(id));
        assert_eq!(pack_name(id).as_bytes().len(), 42);
        for foreign in ["pack-.pack", "pack-a5.pack", "multi-pack-index", "removed", ".stem-hash"] {
            assert_eq!(pack_id(foreign.as_bytes()), None);
        }
        assert_eq!(pack_id(index_name(id).as_bytes()), None);
    }
}
