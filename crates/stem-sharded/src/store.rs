//! The store: how it is opened, and which room each method lives in.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use parking_lot::Mutex;
use stem_fs::{Dir, FileKind, RelPath, Stat, TempFile, show_bytes};
use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutFile, PutOptions, RestoreOptions, Restored, Result, StructureDamage, Tidied, TidyOptions,
    Verified,
};

use crate::layout::object_path;
use crate::marker::{self, BARE_MARKER, REPOSITORY_MARKER};
use crate::pending::{Pending, Spent};
use crate::place::Place;
use crate::staging::{BARE_STAGING_SUFFIX, REPOSITORY_STAGING, Staging};

/// How to open a [`ShardedStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// What makes the ids. `None` takes what the store says, SHA-256 when it says nothing. Another one than the store's
    /// is an error.
    pub algorithm: Option<Algorithm>,
}

/// Objects as files, sharded by the first two digits of their ids.
///
/// One value is one handle in the sense of the [contract](ObjectStore); share it in an `Arc`.
#[derive(Debug)]
pub struct ShardedStore {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) place: Place,
    pub(crate) staging: Staging,
    pub(crate) pending: Pending,
    marker: RelPath,
    /// Whether the marker was compared again before the first write.
    ready: Mutex<bool>,
}

/// Where the parts of a store are, below its root.
struct Parts {
    name: String,
    objects: RelPath,
    marker: RelPath,
    staging: Staging,
}

impl ShardedStore {
    /// Opens the bare store in the directory `path`. Nothing is created before something is put; the directory that
    /// `path` lies in must exist.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
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
        Self::open_named(&parent, &last, name.clone(), *options)
    }

    /// Opens the bare store in the directory `name` of `parent`.
    pub fn open_in(parent: &Dir, name: &RelPath, options: &Options) -> Result<Self> {
        Self::open_named(parent, name, url(&parent.full(name)), *options)
    }

    fn open_named(parent: &Dir, objects: &RelPath, name: String, options: Options) -> Result<Self> {
        let unusable = |error| {
            Error::new(ErrorKind::InvalidInput, Operation::OpenStore, name.as_str())
                .with_reason("its name is not usable")
                .with_source(error)
        };
        let inside = objects.join(BARE_STAGING_SUFFIX.as_bytes()).map_err(unusable)?;
        let marker = objects.join(BARE_MARKER.as_bytes()).map_err(unusable)?;
        let beside = [b".", objects.file_name(), BARE_STAGING_SUFFIX.as_bytes()].concat();
        let beside = match objects.parent() {
            Some(parent) => parent.join(&beside),
            None => RelPath::new(beside),
        };
        // A name that is too long for that has its temporaries inside.
        let places = beside.ok().into_iter().chain([inside]).collect();
        let staging = Staging::passing(parent.clone(), places);
        Self::open_parts(parent, Parts { name, objects: objects.clone(), marker, staging }, options)
    }

    /// Opens the store of the repository whose directory `.muse` is.
    pub fn in_repository(muse: &Dir, options: &Options) -> Result<Self> {
        let name = url(&muse.path().join("objects"));
        let path = |text: &str| {
            RelPath::new(text).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, Operation::OpenStore, name.as_str()).with_source(error)
            })
        };
        let parts = Parts {
            objects: path("objects")?,
            marker: path(REPOSITORY_MARKER)?,
            staging: Staging::lasting(muse.clone(), path(REPOSITORY_STAGING)?),
            name: name.clone(),
        };
        Self::open_parts(muse, parts, *options)
    }

    fn open_parts(root: &Dir, parts: Parts, options: Options) -> Result<Self> {
        let Parts { name, objects, marker, staging } = parts;
        let found = marker::read(root, &marker, &name)?;
        let algorithm = options.algorithm.or(found).unwrap_or_default();
        if let Some(found) = found {
            marker::agree(algorithm, found, &name)?;
        }
        let place = Place::new(root.clone(), objects);
        let pending = Pending::default();
        let store = Self { name, algorithm, place, staging, pending, marker, ready: Mutex::default() };
        if found.is_none() && algorithm != Algorithm::default() && store.holds_anything()? {
            marker::agree(algorithm, Algorithm::default(), &store.name)?;
        }
        Ok(store)
    }

    fn holds_anything(&self) -> Result<bool> {
        let mut any = false;
        self.list(&IdPrefix::ALL, &mut |_| {
            any = true;
            ControlFlow::Break(())
        })?;
        Ok(any)
    }

    /// Makes the store ready to be written to and gives its directory.
    pub(crate) fn make_ready(&self) -> Result<Dir> {
        let failed = |error| Error::from_fs(Operation::Put, self.name.as_str(), error);
        let objects = self.place.make_objects().map_err(failed)?;
        let mut ready = self.ready.lock();
        if !*ready {
            match marker::read(self.place.root(), &self.marker, &self.name)? {
                Some(found) => marker::agree(self.algorithm, found, &self.name)?,
                None if self.algorithm == Algorithm::default() => {}
                None => {
                    let (root, marker) = (self.place.root(), &self.marker);
                    marker::write(root, marker, (&self.staging, &objects), self.algorithm, &self.name)?;
                }
            }
            *ready = true;
        }
        Ok(objects)
    }

    /// An error about an object. When its name is taken by something that is no object, that is what is wrong.
    pub(crate) fn failed(&self, operation: Operation, id: &ObjectId, error: stem_fs::Error) -> Error {
        let path = object_path(id);
        if let Ok(Some(objects)) = self.place.objects() {
            for path in path.parent().iter().chain([&path]) {
                let wanted = if path.parent().is_none() { FileKind::Dir } else { FileKind::File };
                if let Ok(Some(stat)) = objects.stat(path)
                    && stat.kind != wanted
                {
                    return Error::corrupt(operation, self.name.as_str(), id)
                        .with_path(objects.full(path))
                        .with_reason(format!("there is a {} where a {wanted} belongs", stat.kind))
                        .with_source(error);
                }
            }
        }
        Error::from_fs(operation, self.name.as_str(), error).with_id(id)
    }

    pub(crate) fn spent(&self, operation: Operation) -> impl Fn(Spent) -> Error {
        move |Spent| {
            Error::new(ErrorKind::Unavailable, operation, self.name.as_str())
                .with_reason("an earlier sync of this handle failed; open the store again and put again")
        }
    }
}

impl Drop for ShardedStore {
    fn drop(&mut self) {
        self.pending.clear();
        self.staging.leave();
    }
}

/// The store as the user knows it.
fn url(path: &Path) -> String {
    format!("sharded:{}", show_bytes(path.as_os_str().as_encoded_bytes()))
}

pub(crate) fn object_stat(stat: &Stat) -> ObjectStat {
    ObjectStat { size: stat.size, metadata: Some(stat.into()), since: Some(stat.ctime) }
}

impl ObjectStore for ShardedStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithm: self.algorithm,
            verified_ranges: false,
            keeps_metadata: true,
            adopts_files: true,
        }
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.stat_object(id)
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.open_verifying(id)
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.read_part(id, offset, buf)
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.put_stream(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        self.visit(prefix, visit)
    }

    fn sync(&self) -> Result<()> {
        self.sync_all()
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        self.stat_sorted(ids)
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.put_from_file(source, options)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.restore(id, target, options)
    }
}

impl Maintain for ShardedStore {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        self.verify_object(id)
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.remove_object(id)
    }

    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        self.set_aside(id, into, name)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.check_shards(found)
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        self.collect_temporaries(options)
    }
}
