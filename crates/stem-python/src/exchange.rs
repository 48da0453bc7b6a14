//! Bundles: an entry in one file, out and in.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use stemvault::{BundleCompression, Dir, ExportOptions, ImportOptions, ObjectId, RelPath};

use crate::error::{Fault, Result, parse_id};
use crate::run::run;
use crate::vault::Vault;

/// Writes the entry and its objects into the file at `path`.
#[pyfunction]
#[pyo3(signature = (vault, reference, path, *, have, compression, replace, progress))]
#[expect(clippy::too_many_arguments, reason = "the Python code says each by its name")]
pub(crate) fn export_stash<'py>(
    py: Python<'py>,
    vault: &Bound<'py, Vault>,
    reference: String,
    path: PathBuf,
    have: Vec<String>,
    compression: &str,
    replace: bool,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = || -> Result<ExportOptions> {
        let have = have.into_iter().map(|id| parse_id(&id)).collect::<Result<Vec<ObjectId>>>()?;
        let compression = match compression {
            "audio" => BundleCompression::Audio,
            "none" => BundleCompression::None,
            _ => return Err(Fault::new("invalid_input", "compression is 'audio' or 'none'")),
        };
        Ok(ExportOptions { have, compression, replace })
    };
    let options = options().map_err(|fault| fault.raise(py))?;
    let vault = Arc::clone(&vault.get().0);
    let exported = run(py, progress, move |watch| {
        let (dir, name) = place(&path)?;
        Ok(vault.export(&reference, &dir, &name, &options, watch)?)
    })?;
    let dict = PyDict::new(py);
    dict.set_item("stash_id", exported.stash_id)?;
    dict.set_item("files", exported.files)?;
    dict.set_item("objects", exported.objects)?;
    dict.set_item("object_bytes", exported.object_bytes)?;
    dict.set_item("left_out", exported.left_out)?;
    dict.set_item("bytes", exported.bytes)?;
    dict.set_item("resumed_bytes", exported.resumed_bytes)?;
    Ok(dict)
}

/// The directory and the name of a file that is to be made.
fn place(path: &Path) -> Result<(Dir, RelPath)> {
    let unusable = |problem: &dyn std::fmt::Display| {
        Fault::new("invalid_input", format!("'{}' cannot be written: {problem}", path.display()))
    };
    let name = path.file_name().ok_or_else(|| unusable(&"it names no file"))?;
    let name = RelPath::from_path(Path::new(name)).map_err(|error| unusable(&error))?;
    let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    Ok((Dir::open(parent)?, name))
}

/// Adds the entry of the bundle at `path`.
#[pyfunction]
#[pyo3(signature = (vault, path, *, dry_run, again, progress))]
pub(crate) fn import_stash<'py>(
    py: Python<'py>,
    vault: &Bound<'py, Vault>,
    path: PathBuf,
    dry_run: bool,
    again: bool,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let vault = Arc::clone(&vault.get().0);
    let imported = run(py, progress, move |watch| {
        let what = format!("cannot read '{}'", path.display());
        let source = File::open(&path).map_err(|error| Fault::io(&what, &path, &error))?;
        Ok(vault.import(source, ImportOptions { dry_run, again }, watch)?)
    })?;
    let dict = PyDict::new(py);
    dict.set_item("stash_id", imported.stash_id)?;
    dict.set_item("origin", imported.origin)?;
    dict.set_item("message", imported.message)?;
    dict.set_item("branch", imported.branch)?;
    dict.set_item("files", imported.files)?;
    dict.set_item("added", imported.added)?;
    dict.set_item("objects_new", imported.objects_new)?;
    dict.set_item("bytes_new", imported.bytes_new)?;
    dict.set_item("objects_present", imported.objects_present)?;
    Ok(dict)
}
