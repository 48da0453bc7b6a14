//! The store: how it is opened, and which room each method lives in.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use stem_fs::{Dir, RelPath, TempFile, show_bytes};
use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutFile, PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage,
    Tidied, TidyOptions, Verified,
};

use crate::cache::ChunkCache;
use crate::catalog::Catalog;
use crate::depot::Depot;
use crate::files::{pack_id, plain};
use crate::format::{PACK_HEADER_LEN, PackHeader, PackId};
use crate::handle::Core;
use crate::lane::Lane;
use crate::marker;
use crate::options::PackOptions;
use crate::place::{BARE_STAGING_SUFFIX, Place};
use crate::reach::Reach;
use crate::reliance::Reliance;
use crate::structure::PackReport;
use crate::tombstones::Tombstones;
use crate::tools::Tools;

/// Where a repository's packs lie, below `.muse`.
pub const REPOSITORY_PACKS: &str = "stem/packs";
/// Where a repository's temporaries lie, below `.muse`.
const REPOSITORY_STAGING: &str = "stem/tmp";

/// Objects in pack files.
///
/// One value is one handle in the sense of the [contract](ObjectStore); share it in an `Arc`.
#[derive(Debug)]
pub struct PackStore {
    core: Arc<Core>,
}

impl PackStore {
    /// Opens the store in the directory `path`. Nothing is created before something is put; the directory that `path` lies
    /// in must exist.
    pub fn open(path: &Path, options: &PackOptions) -> Result<Self> {
        let name = url(path);
        let unusable = |reason: &'static str| {
            Error::new(ErrorKind::InvalidInput, Operation::OpenStore, name.as_str()).with_reason(reason)
        };
        // Links in what the user named are followed once, here.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let Some(last) = real.file_name() else {
            return Err(unusable("the root of a file system cannot be a store; name a directory in it"));
        };
        let last = RelPath::from_path(Path::new(last))
            .map_err(|error| unusable("its name is not usable").with_source(error))?;
        let parent = real.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent =
            Dir::open(parent).map_err(|error| Error::from_fs(Operation::OpenStore, name.as_str(), error))?;
        Self::open_named(&parent, &last, name.clone(), options)
    }

    /// Opens the store in the directory `name` of `parent`.
    pub fn open_in(parent: &Dir, name: &RelPath, options: &PackOptions) -> Result<Self> {
        Self::open_named(parent, name, url(&parent.full(name)), options)
    }

    fn open_named(parent: &Dir, packs: &RelPath, name: String, options: &PackOptions) -> Result<Self> {
        let unusable = |error| {
            Error::new(ErrorKind::InvalidInput, Operation::OpenStore, name.as_str())
                .with_reason("its name is not usable")
                .with_source(error)
        };
        let inside = packs.join(BARE_STAGING_SUFFIX.as_bytes()).map_err(unusable)?;
        let beside = [b".", packs.file_name(), BARE_STAGING_SUFFIX.as_bytes()].concat();
        let beside = match packs.parent() {
            Some(parent) => parent.join(&beside),
            None => RelPath::new(beside),
        };
        // A name that is too long for that has its temporaries inside.
        let staging = beside.ok().into_iter().chain([inside]).collect();
        Self::open_place(Place::new(parent.clone(), packs.clone(), staging, true), name, options)
    }

    /// Opens the packs of the repository whose directory `.muse` is.
    pub fn in_repository(muse: &Dir, options: &PackOptions) -> Result<Self> {
        let packs = plain(REPOSITORY_PACKS);
        let name = url(&muse.full(&packs));
        let place = Place::new(muse.clone(), packs, vec![plain(REPOSITORY_STAGING)], false);
        Self::open_place(place, name, options)
    }

    /// Opens the store whose packs are kept in `depot`. The directory `cache` holds what can be fetched or made again:
    /// indices, and packs on their way; several processes may share it. `name` is what errors call the store.
    ///
    /// Permission bits and mtime are stored, and told if `metadata` says so: that costs a read of each record. Nothing can be removed.
    pub fn in_depot(
        depot: Arc<dyn Depot>,
        algorithm: Algorithm,
        cache: &Dir,
        name: String,
        options: &PackOptions,
        metadata: bool,
    ) -> Result<Self> {
        let place = Place::new(cache.clone(), plain("packs"), vec![plain("tmp")], false);
        place.make_packs().map_err(|error| Error::from_fs(Operation::OpenStore, name.as_str(), error))?;
        Self::open_core(place, name, options, algorithm, Some((depot, metadata)))
    }

    fn open_place(place: Place, name: String, options: &PackOptions) -> Result<Self> {
        let failed = |error| Error::from_fs(Operation::OpenStore, name.as_str(), error);
        let found = match place.packs().map_err(failed)? {
            None => None,
            Some(dir) => match marker::read(dir, &name)? {
                None => told_by_packs(dir).map_err(failed)?,
                found => found,
            },
        };
        let algorithm = options.algorithm.or(found).unwrap_or_default();
        if let Some(found) = found {
            marker::agree(algorithm, found, &name)?;
        }
        Self::open_core(place, name, options, algorithm, None)
    }

    fn open_core(
        place: Place,
        name: String,
        options: &PackOptions,
        algorithm: Algorithm,
        depot: Option<(Arc<dyn Depot>, bool)>,
    ) -> Result<Self> {
        let tells_metadata = depot.as_ref().is_none_or(|(_, metadata)| *metadata);
        let depot = depot.map(|(depot, _)| depot);
        let core = Core {
            algorithm,
            options: *options,
            place,
            catalog: Catalog::new(algorithm, depot.clone()),
            depot,
            tells_metadata,
            reliance: Reliance::default(),
            tombstones: Tombstones::new(algorithm),
            tools: Tools::default(),
            cache: ChunkCache::new(options.cache),
            dictionaries: parking_lot::Mutex::default(),
            pending: Lane::default(),
            syncing: parking_lot::Mutex::default(),
            spent: false.into(),
            gate: parking_lot::RwLock::default(),
            puts: 0.into(),
            ready: parking_lot::Mutex::default(),
            name,
        };
        core.refresh().map_err(|bad| core.bad_store(Operation::OpenStore, bad))?;
        Ok(Self { core: Arc::new(core) })
    }

    /// Looks through every pack and all that is in it, and tells of each: torn packs, and records that are damaged whether
    /// or not anything needs them.
    pub fn check_packs(&self, told: &mut dyn FnMut(PackReport) -> ControlFlow<()>) -> Result<()> {
        self.core.check_packs(told)
    }

    /// Which packs are needed by whoever needs these objects, of those that this handle knows. Packs of `condemned` are needed only for what no
    /// other has. `told` hears of packs that were gone through, and may end it.
    ///
    /// # Errors
    ///
    /// What cannot be read and might name something that is needed; then nothing is known.
    pub fn reach(
        &self,
        needed: Vec<ObjectId>,
        condemned: &BTreeSet<PackId>,
        told: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Reach> {
        self.core.reach(needed, condemned, told)
    }
}

/// What the first pack with a sound header says that its ids are made with.
fn told_by_packs(dir: &Dir) -> stem_fs::Result<Option<Algorithm>> {
    for entry in dir.entries()? {
        if pack_id(&entry.name).is_none() {
            continue;
        }
        let Ok(name) = RelPath::new(entry.name) else { continue };
        let Ok(Some(file)) = dir.open_file(&name) else { continue };
        let mut bytes = [0; PACK_HEADER_LEN];
        let read = file.read_at(&mut bytes, 0).unwrap_or(0);
        if let Ok(header) = PackHeader::decode(bytes.get(..read).unwrap_or_default()) {
            return Ok(Some(header.algorithm));
        }
    }
    Ok(None)
}

impl Drop for PackStore {
    fn drop(&mut self) {
        self.core.pending.clear();
        // What was removed stays removed, if the medium lets us say so.
        let _ = self.core.tombstones.save(&self.core.place, None);
        self.core.place.leave();
    }
}

/// The store as the user knows it.
fn url(path: &Path) -> String {
    format!("pack:{}", show_bytes(path.as_os_str().as_encoded_bytes()))
}

impl ObjectStore for PackStore {
    fn name(&self) -> &str {
        &self.core.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithm: self.core.algorithm,
            verified_ranges: true,
            keeps_metadata: self.core.tells_metadata,
            adopts_files: false,
        }
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.core.stat_object(id).map_err(|bad| self.core.bad(Operation::Stat, id, bad))
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.core.open_object(id)
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.core.read_part(id, offset, buf)
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.core.put_stream(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        self.core.visit(prefix, visit)
    }

    fn sync(&self) -> Result<()> {
        self.core.sync_all()
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.core.put_from_file(source, options)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.core.restore(id, target, options)
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.core.stat_objects(ids)
    }

    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        self.core.rely_on(ids)
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.core.order(ids)
    }
}

impl Maintain for PackStore {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        self.core.verify_object(id)
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.core.remove_object(id)
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.core.needs_only(ids)
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.core.entrust(ids)
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        self.core.compact(options)
    }

    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        self.core.set_aside(id, into, name)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.core.check_structure(found)
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.core.stored_bytes().map(Some)
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        self.core.collect_temporaries(options)
    }
}
