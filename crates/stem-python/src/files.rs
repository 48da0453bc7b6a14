//! Files outside of a repository: what they hash to.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use stem_fs::{Dir, FileKind, OpenFile};
use stem_hash::{FileJob, HashFile, HashOptions, HashSource, hash_many};
use stemvault::RelPath;

use crate::error::{Fault, Result};
use crate::run::run;
use crate::text;
use crate::watch::Watch;

/// What the user reads after stopping.
const INTERRUPTED: &str = "interrupted; nothing was changed";

/// The SHA-256 of a file's bytes.
#[pyfunction]
#[pyo3(signature = (path, *, progress))]
pub(crate) fn hash_file(
    py: Python<'_>,
    path: PathBuf,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    run(py, progress, move |watch| {
        let cannot =
            |error: io::Error| Fault::io(&format!("cannot read '{}'", path.display()), &path, &error);
        let file = File::open(&path).map_err(cannot)?;
        let len = file.metadata().map_err(cannot)?.len();
        watch.phase("hashing", 1, len);
        let digest = hash_many(&[FileJob::new(&file, len)], &HashOptions::default(), watch).pop();
        if watch.stopped() {
            return Err(Fault::new("interrupted", INTERRUPTED));
        }
        let digest = digest.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
        Ok(digest.map_err(cannot)?.id.to_string())
    })
}

/// The files below a directory and the SHA-256 of each.
#[pyfunction]
#[pyo3(signature = (directory, *, progress))]
pub(crate) fn walk_workdir<'py>(
    py: Python<'py>,
    directory: PathBuf,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows = run(py, progress, move |watch| walk(&directory, watch))?;
    let dict = PyDict::new(py);
    for (path, id) in rows {
        dict.set_item(text::from_name(py, path.as_bytes())?, id.hex().as_str())?;
    }
    Ok(dict)
}

fn walk(directory: &Path, watch: &Watch) -> Result<Vec<(RelPath, stemvault::ObjectId)>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    watch.phase("scanning", 0, 0);
    let dir = Dir::open(directory)?;
    let mut found = Vec::new();
    let mut todo: Vec<Option<RelPath>> = vec![None];
    while let Some(place) = todo.pop() {
        if watch.stopped() {
            return Err(Fault::new("interrupted", INTERRUPTED));
        }
        scan(&dir, place.as_ref(), &mut found, &mut todo)?;
    }
    found.sort_by(|a, b| stemvault::format::text::fs_order(a.path.as_bytes(), b.path.as_bytes()));
    watch.phase("hashing", found.len() as u64, found.iter().map(|file| file.len).sum());
    let digests = hash_many(&found, &HashOptions::default(), watch);
    if watch.stopped() {
        return Err(Fault::new("interrupted", INTERRUPTED));
    }
    let mut rows = Vec::with_capacity(found.len());
    for (file, digest) in found.into_iter().zip(digests) {
        match digest {
            Ok(digest) => rows.push((file.path, digest.id)),
            // Removed since its directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = dir.full(&file.path);
                return Err(Fault::io(&format!("cannot read '{}'", path.display()), path, &error));
            }
        }
    }
    Ok(rows)
}

/// What one directory holds: files whose own name does not start with a dot, and directories but `.muse` and `.git`.
/// Links are neither.
fn scan<'d>(
    dir: &'d Dir,
    place: Option<&RelPath>,
    found: &mut Vec<Found<'d>>,
    todo: &mut Vec<Option<RelPath>>,
) -> Result<()> {
    let here = match place {
        None => Some(dir.clone()),
        Some(path) => dir.sub(path)?,
    };
    let Some(here) = here else { return Ok(()) };
    for entry in here.entries()? {
        let path = match place {
            Some(place) => place.join(&entry.name),
            None => RelPath::new(entry.name.clone()),
        };
        let path = path.map_err(|error| Fault::new("invalid_input", error.to_string()))?;
        match entry.kind {
            FileKind::Dir if !stemvault::format::is_protected(&path) => todo.push(Some(path)),
            FileKind::File if entry.name.first() != Some(&b'.') => {
                if let Some(stat) = dir.stat(&path)? {
                    found.push(Found { dir, path, len: stat.size });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A file to hash.
struct Found<'d> {
    dir: &'d Dir,
    path: RelPath,
    len: u64,
}

struct Opened(OpenFile);

impl HashFile for Opened {
    fn file(&self) -> &File {
        self.0.as_std()
    }
}

impl HashSource for Found<'_> {
    type Opened = Opened;

    fn expected_len(&self) -> u64 {
        self.len
    }

    fn open(&self) -> io::Result<Opened> {
        match self.dir.open_file(&self.path) {
            Ok(Some(file)) => Ok(Opened(file)),
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error.source),
        }
    }
}
