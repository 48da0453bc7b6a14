//! Stores of objects by themselves.

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use rayon::prelude::*;
use stem_store::Stopped;
use stemvault::{
    AnyStore, Base, Dir, Durability, FileSource, IdPrefix, ObjectId, ObjectStat, ObjectStore, ObjectStoreExt,
    Progress as _, Publish, PutOptions, RelPath, RestoreOptions, Verify, Written,
};

use crate::buffer::Bytes;
use crate::error::{Fault, Result, parse_id};
use crate::object::Reader;
use crate::run::{briefly, run};
use crate::watch::Watch;

/// Below this size bytes are stored on the calling thread: it takes milliseconds.
const BRIEF: usize = 1 << 20;
/// Objects that are asked for at once when stores are compared.
const BATCH: usize = 4096;

/// An open store.
#[pyclass(frozen, module = "stemvault._native")]
pub(crate) struct Store(pub(crate) AnyStore);

/// Opens the store that `url` names; a relative location is below `base`.
#[pyfunction]
pub(crate) fn open_store(py: Python<'_>, url: &str, base: PathBuf) -> PyResult<Store> {
    briefly(py, move || {
        let url = url.parse().map_err(stemvault::Error::from)?;
        let store = stemvault::open_store(&url, Base::Directory(&base)).map_err(stemvault::Error::from)?;
        Ok(Store(store))
    })
}

/// Id, size and what was done.
type Stored = (String, u64, &'static str);

fn stored(id: &ObjectId, size: u64, written: Written) -> Stored {
    let written = match written {
        Written::New => "new",
        Written::Present => "present",
        Written::Replaced => "replaced",
    };
    (id.to_string(), size, written)
}

/// Size, permission bits and mtime in nanoseconds, the latter two if the store keeps them.
type Stat = (u64, Option<u32>, Option<i128>);

fn stat_row(stat: &ObjectStat) -> Stat {
    let mtime =
        stat.metadata.map(|kept| i128::from(kept.mtime.secs) * 1_000_000_000 + i128::from(kept.mtime.nanos));
    (stat.size, stat.metadata.map(|kept| kept.mode), mtime)
}

fn options(expected: Option<&str>, durable: bool) -> Result<PutOptions> {
    let durability = if durable { Durability::Immediate } else { Durability::AtSync };
    Ok(PutOptions { expected: expected.map(parse_id).transpose()?, durability, ..PutOptions::default() })
}

#[pymethods]
impl Store {
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    #[getter]
    fn algorithm(&self) -> &'static str {
        self.0.capabilities().algorithm.name()
    }

    #[getter]
    fn verified_ranges(&self) -> bool {
        self.0.capabilities().verified_ranges
    }

    #[getter]
    fn keeps_metadata(&self) -> bool {
        self.0.capabilities().keeps_metadata
    }

    /// Stores the bytes of an object with the buffer protocol.
    #[pyo3(signature = (data, *, expected, durable, progress))]
    fn put_bytes(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        expected: Option<&str>,
        durable: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Stored> {
        let options = options(expected, durable).map_err(|fault| fault.raise(py))?;
        let bytes = Bytes::readable(data)?;
        if bytes.len() < BRIEF {
            let put = briefly(py, move || Ok(self.0.put(&mut bytes.reader(), &options)?))?;
            return Ok(stored(&put.digest.id, put.digest.len, put.written));
        }
        let store = Arc::clone(&self.0);
        let put = run(py, progress, move |watch| {
            watch.phase("saving", 1, bytes.len() as u64);
            let mut source = Watched { source: bytes.reader(), watch };
            Ok(store.put(&mut source, &options)?)
        })?;
        Ok(stored(&put.digest.id, put.digest.len, put.written))
    }

    /// Stores what an object with a method `read` gives.
    #[pyo3(signature = (source, *, expected, durable))]
    fn put_reader(
        &self,
        py: Python<'_>,
        source: Py<PyAny>,
        expected: Option<&str>,
        durable: bool,
    ) -> PyResult<Stored> {
        let options = options(expected, durable).map_err(|fault| fault.raise(py))?;
        let mut source = Calls { source, error: None };
        let put = py.detach(|| self.0.put(&mut source, &options));
        if let Some(error) = source.error {
            return Err(error);
        }
        let put = put.map_err(|error| Fault::from(error).raise(py))?;
        Ok(stored(&put.digest.id, put.digest.len, put.written))
    }

    /// Stores a file, with its permissions and time where the store keeps them.
    #[pyo3(signature = (path, *, expected, durable, progress))]
    fn put_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        expected: Option<&str>,
        durable: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Stored> {
        let options = options(expected, durable).map_err(|fault| fault.raise(py))?;
        let store = Arc::clone(&self.0);
        run(py, progress, move |watch| put_file(&*store, &path, &options, watch))
    }

    fn stat(&self, py: Python<'_>, id: &str) -> PyResult<Option<Stat>> {
        briefly(py, || Ok(self.0.stat(&parse_id(id)?)?.map(|stat| stat_row(&stat))))
    }

    fn stat_many(&self, py: Python<'_>, ids: Vec<String>) -> PyResult<Vec<Option<Stat>>> {
        briefly(py, move || {
            let ids = ids.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>>>()?;
            Ok(self.0.stat_many(&ids)?.iter().map(|stat| stat.as_ref().map(stat_row)).collect())
        })
    }

    /// The ids that begin with `prefix`, sorted.
    fn ids<'py>(&self, py: Python<'py>, prefix: &str) -> PyResult<Bound<'py, PyList>> {
        let ids = briefly(py, || {
            let prefix = IdPrefix::parse_bytes(prefix.as_bytes())
                .map_err(|problem| Fault::bad_id(prefix, &problem))?;
            Ok(self.0.ids(&prefix)?)
        })?;
        let list = PyList::empty(py);
        for id in ids {
            list.append(id.hex().as_str())?;
        }
        Ok(list)
    }

    /// The object, to be read; `None` when it is not there.
    fn open(&self, py: Python<'_>, id: &str) -> PyResult<Option<Reader>> {
        briefly(py, || {
            let id = parse_id(id)?;
            let stat = self.0.stat(&id)?;
            Ok(stat.map(|stat| Reader::new(Arc::clone(&self.0), id, stat.size)))
        })
    }

    /// All bytes of the object, verified; `None` when it is not there.
    fn read<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(reader) = self.open(py, id)? else { return Ok(None) };
        reader.bytes(py, 0, None).map(Some)
    }

    /// Writes the object into the file `target`, verified; `False` when it is not there.
    #[pyo3(signature = (id, target, *, progress))]
    fn restore(
        &self,
        py: Python<'_>,
        id: &str,
        target: PathBuf,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let id = parse_id(id).map_err(|fault| fault.raise(py))?;
        let store = Arc::clone(&self.0);
        run(py, progress, move |watch| restore(&*store, &id, &target, watch))
    }

    /// Copies the objects that `target` lacks: all, or those named. Returns how many objects and bytes were copied, how
    /// many were there, and which of those named are not here.
    #[pyo3(signature = (target, ids, *, progress))]
    fn copy(
        &self,
        py: Python<'_>,
        target: &Bound<'_, Self>,
        ids: Option<Vec<String>>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(u64, u64, u64, Vec<String>)> {
        let (from, to) = (Arc::clone(&self.0), Arc::clone(&target.get().0));
        run(py, progress, move |watch| {
            let ids = match ids {
                Some(ids) => ids.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>>>()?,
                None => from.ids(&IdPrefix::ALL)?,
            };
            copy(&*from, &*to, &ids, watch)
        })
    }

    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        let store = Arc::clone(&self.0);
        run(py, None, move |watch| {
            watch.phase("syncing", 0, 0);
            Ok(store.sync()?)
        })
    }
}

/// Counts what is read, and fails once the caller wants to stop.
pub(crate) struct Watched<'a, R> {
    pub(crate) source: R,
    pub(crate) watch: &'a Watch,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        match self.watch.step(count as u64) {
            ControlFlow::Continue(()) => Ok(count),
            ControlFlow::Break(()) => Err(io::Error::other(Stopped)),
        }
    }
}

/// Reads by calling the method `read` of a Python object, and lets signal handlers run in between.
struct Calls {
    source: Py<PyAny>,
    error: Option<PyErr>,
}

impl Read for Calls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = Python::attach(|py| {
            py.check_signals()?;
            let given = self.source.bind(py).call_method1("read", (buffer.len(),))?;
            if given.is_none() {
                return Err(pyo3::exceptions::PyBlockingIOError::new_err(
                    "the source has no bytes at the moment",
                ));
            }
            let bytes = Bytes::readable(&given)?;
            if bytes.len() > buffer.len() {
                let message = "the source gave more bytes than were asked for";
                return Err(pyo3::exceptions::PyValueError::new_err(message));
            }
            bytes.reader().read(buffer).map_err(PyErr::from)
        });
        read.map_err(|error| {
            self.error = Some(error);
            io::Error::other("the source raised an exception")
        })
    }
}

fn put_file(store: &dyn ObjectStore, path: &Path, options: &PutOptions, watch: &Watch) -> Result<Stored> {
    let cannot = format!("cannot read '{}'", path.display());
    // The program may name a link; the directory capability would not follow it.
    let real = fs::canonicalize(path).map_err(|error| Fault::io(&cannot, path, &error))?;
    let not_a_file = || Fault::io(&cannot, path, &io::Error::other("it is not a regular file"));
    if real.is_dir() {
        // The system's own answer, with its number.
        fs::File::open(&real)
            .and_then(|mut directory| directory.read(&mut [0]))
            .map_err(|error| Fault::io(&cannot, path, &error))?;
    }
    if !real.is_file() {
        return Err(not_a_file());
    }
    let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else { return Err(not_a_file()) };
    let name = RelPath::from_path(Path::new(name)).map_err(|_| not_a_file())?;
    let file = Dir::open(parent)?.open_file(&name)?.ok_or_else(not_a_file)?;
    let stat = file.stat()?;
    watch.phase("saving", 1, stat.size);
    let step = |bytes| watch.step(bytes);
    let source = FileSource { progress: Some(&step), ..FileSource::new(&file, stat) };
    let put = store.put_file(&source, options)?;
    Ok(stored(&put.digest.id, put.digest.len, put.written))
}

/// Written beside the target and renamed over it, so that no half of an object ever has its name.
fn restore(store: &dyn ObjectStore, id: &ObjectId, target: &Path, watch: &Watch) -> Result<bool> {
    let Some(stat) = store.stat(id)? else { return Ok(false) };
    let cannot = format!("cannot write '{}'", target.display());
    let Some(name) = target.file_name() else {
        return Err(Fault::io(&cannot, target, &io::ErrorKind::InvalidFilename.into()));
    };
    let name = RelPath::from_path(Path::new(name))
        .map_err(|error| Fault::new("invalid_input", format!("{cannot}: {error}")))?;
    let parent = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|error| Fault::io(&cannot, parent, &error))?;
    let parent = Dir::open(parent)?;
    watch.phase("restoring", 1, stat.size);
    let mut temp = parent.temp_file(0o666)?;
    let step = |bytes| watch.step(bytes);
    let options = RestoreOptions { verify: Verify::Id, progress: Some(&step) };
    if store.restore_file(id, &mut temp, &options)?.is_none() {
        return Ok(false);
    }
    if let Some(kept) = stat.metadata {
        temp.set_mode(kept.mode)?;
        temp.set_mtime(kept.mtime)?;
    }
    temp.persist(&parent, &name, Publish::Replace)?;
    Ok(true)
}

fn copy(
    from: &dyn ObjectStore,
    to: &dyn ObjectStore,
    ids: &[ObjectId],
    watch: &Watch,
) -> Result<(u64, u64, u64, Vec<String>)> {
    let (ours, theirs) = (from.capabilities().algorithm, to.capabilities().algorithm);
    if ours != theirs {
        let message = format!(
            "cannot copy from '{}', whose ids are {ours}, to '{}', whose ids are {theirs}",
            from.name(),
            to.name()
        );
        return Err(Fault::new("unsupported", message));
    }
    watch.phase("copying", ids.len() as u64, 0);
    let (copied, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut present, mut absent) = (0, Vec::new());
    for batch in ids.chunks(BATCH) {
        let there = to.rely_on(batch)?;
        let missing: Vec<_> =
            batch.iter().zip(&there).filter(|(_, there)| !**there).map(|(id, _)| *id).collect();
        let had = (batch.len() - missing.len()) as u64;
        present += had;
        watch.advance(had, 0);
        let one = |id: &ObjectId| -> Result<Option<ObjectId>> {
            if watch.stopped() {
                return Err(Fault::new(
                    "interrupted",
                    "interrupted between two objects; those that were copied stay",
                ));
            }
            let Some(object) = from.open(id)? else { return Ok(Some(*id)) };
            let len = object.len();
            let metadata = from.stat(id)?.and_then(|stat| stat.metadata);
            let options =
                PutOptions { expected: Some(*id), durability: Durability::AtSync, metadata, checksum: false };
            to.put(&mut Watched { source: object, watch }, &options)?;
            copied.fetch_add(1, Ordering::Relaxed);
            bytes.fetch_add(len, Ordering::Relaxed);
            watch.advance(1, 0);
            Ok(None)
        };
        let outcomes: Result<Vec<_>> = missing.par_iter().map(one).collect();
        // What was copied so far stays, also when the rest could not be.
        to.sync()?;
        absent.extend(outcomes?.into_iter().flatten().map(|id| id.to_string()));
    }
    Ok((copied.into_inner(), bytes.into_inner(), present, absent))
}
