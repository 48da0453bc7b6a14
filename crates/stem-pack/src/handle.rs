//! What the rooms of a store share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use stem_hash::{Algorithm, Hasher, ObjectId};
use stem_store::{Error, ErrorKind, Operation, Result};

use crate::cache::ChunkCache;
use crate::catalog::Catalog;
use crate::depot::Depot;
use crate::files::plain;
use crate::format::{Metadata, PackId};
use crate::lane::Lane;
use crate::marker;
use crate::options::{Chunking, Compression, PackOptions};
use crate::place::Place;
use crate::record::Bad;
use crate::reliance::Reliance;
use crate::tombstones::Tombstones;
use crate::tools::{Dictionary, Tools};
use crate::writer::AppendError;

/// How often packs may vanish under a reader before the error is believed.
pub(crate) const TRIES: usize = 16;

/// Dictionaries by pack and by the tag that records name them by.
type Dictionaries = HashMap<(PackId, [u8; 4]), Arc<Dictionary>>;

/// Everything of a handle. Readers that were opened hold it too.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) options: PackOptions,
    pub(crate) place: Place,
    pub(crate) catalog: Catalog,
    /// Where packs are kept, if not in the store's directory.
    pub(crate) depot: Option<Arc<dyn Depot>>,
    /// Whether permission bits and mtime are told, which for a depot costs a read of each record.
    pub(crate) tells_metadata: bool,
    /// What has to be said to others, and looked at again.
    pub(crate) reliance: Reliance,
    pub(crate) tombstones: Tombstones,
    pub(crate) tools: Tools,
    pub(crate) cache: ChunkCache,
    /// Dictionaries that packs were read with.
    pub(crate) dictionaries: Mutex<Dictionaries>,
    /// What waits for a sync.
    pub(crate) pending: Lane,
    pub(crate) syncing: Mutex<()>,
    /// A sync failed: the handle is spent.
    pub(crate) spent: AtomicBool,
    /// Puts hold it shared, the end of a repack exclusively.
    pub(crate) gate: RwLock<()>,
    /// Counts puts.
    pub(crate) puts: AtomicUsize,
    /// Whether the marker was compared again before the first write.
    pub(crate) ready: Mutex<bool>,
}

impl Core {
    /// Makes the store ready to be written to.
    pub(crate) fn make_ready(&self) -> Result<()> {
        let failed = |error| Error::from_fs(Operation::Put, self.name.as_str(), error);
        let mut ready = self.ready.lock();
        if *ready {
            return Ok(());
        }
        let dir = self.place.make_packs().map_err(failed)?;
        if let Some(depot) = &self.depot {
            depot.prepare().map_err(|error| Error::from_io(Operation::Put, self.name.as_str(), error))?;
            *ready = true;
            return Ok(());
        }
        match marker::read(&dir, &self.name)? {
            Some(found) => marker::agree(self.algorithm, found, &self.name)?,
            None if self.algorithm == Algorithm::default() => {}
            None => marker::write(&dir, &self.place, self.algorithm, &self.name)?,
        }
        *ready = true;
        Ok(())
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Acquire)
    }

    pub(crate) fn check_spent(&self, operation: Operation) -> Result<()> {
        if !self.is_spent() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, operation, self.name.as_str())
            .with_reason("an earlier sync of this handle failed; open the store again and put again"))
    }

    pub(crate) fn hasher(&self, checksum: bool) -> Hasher {
        if checksum { Hasher::with_checksum(self.algorithm) } else { Hasher::new(self.algorithm) }
    }

    /// An error about an object of which no copy could be read.
    pub(crate) fn bad(&self, operation: Operation, id: &ObjectId, bad: Bad) -> Error {
        match bad {
            Bad::Unreadable(error) => Error::from_fs(operation, self.name.as_str(), error).with_id(id),
            Bad::Damaged(reason) | Bad::Misled(reason) => Error::corrupt(operation, self.name.as_str(), id)
                .with_reason(format!("{reason}; storing the object again repairs it")),
            Bad::Vanished => Error::new(ErrorKind::Unavailable, operation, self.name.as_str())
                .with_id(id)
                .with_reason("packs come and go too fast; try again"),
        }
    }

    /// An error about the packs.
    pub(crate) fn bad_store(&self, operation: Operation, bad: Bad) -> Error {
        match bad {
            Bad::Unreadable(error) => Error::from_fs(operation, self.name.as_str(), error),
            Bad::Damaged(reason) | Bad::Misled(reason) => {
                Error::new(ErrorKind::Corrupt, operation, self.name.as_str())
                    .with_reason(format!("a pack cannot be looked through: {reason}"))
            }
            Bad::Vanished => Error::new(ErrorKind::Unavailable, operation, self.name.as_str())
                .with_reason("packs come and go too fast; try again"),
        }
    }

    /// An error of writing.
    pub(crate) fn append_error(&self, operation: Operation, error: AppendError) -> Error {
        let name = self.name.as_str();
        match error {
            AppendError::Fs(error) => Error::from_fs(operation, name, error),
            AppendError::Format(error) => {
                Error::new(ErrorKind::InvalidInput, operation, name).with_source(error)
            }
            AppendError::Index(error) => {
                Error::new(ErrorKind::InvalidInput, operation, name).with_source(error)
            }
        }
    }

    /// What new packs say of themselves.
    pub(crate) fn metadata(&self) -> Metadata {
        let params = self.options.chunking.params();
        let compression = match self.options.compression {
            Compression::Raw => "raw".to_owned(),
            Compression::Zstd(level) => format!("zstd {level}"),
            Compression::Audio { samples, zstd } => format!("samples {samples:?}, zstd {zstd}"),
        };
        let chunking = match self.options.chunking {
            Chunking::Average(_) => "content",
            Chunking::Whole => "blocks",
        };
        let sizes = [params.samples.min(), params.samples.average(), params.samples.max()];
        Metadata {
            writer: concat!("stemvault ", env!("CARGO_PKG_VERSION")).to_owned(),
            created: 0,
            chunk_sizes: sizes.map(|size| size as u64),
            settings: vec![
                ("compression".to_owned(), compression),
                ("chunking".to_owned(), chunking.to_owned()),
            ],
        }
    }

    /// Looks at the directory again. Says whether asking again may give another answer.
    pub(crate) fn refresh(&self) -> std::result::Result<bool, Bad> {
        let changed = self.catalog.refresh(&self.place)?;
        self.tombstones.refresh(&self.place).map_err(Bad::Unreadable)?;
        Ok(changed)
    }
}

/// The name of the marker, in the store's directory.
pub(crate) fn marker_name() -> stem_fs::RelPath {
    plain(marker::NAME)
}
