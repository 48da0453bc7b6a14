//! A repository and its verbs. Results go back as dictionaries, from which the Python code makes its dataclasses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use stemvault::format::commit::CommitId;
use stemvault::format::entry::StashEntry;
use stemvault::{
    ApplyOptions, Change, ChangeKind, DatabaseOrigin, EntryRef, HeadChoice, HeadFiles, HeadSource, LeftAlone,
    OnConflict, PushOptions, RelPath, SecretText, SnapshotOptions, Stash,
};

use crate::error::{Fault, Result};
use crate::run::{briefly, run};
use crate::store::Store;
use crate::text;
use crate::upkeep::plan;

/// An open repository.
#[pyclass(frozen, module = "stemvault._native")]
pub(crate) struct Vault(pub(crate) Arc<stemvault::Vault>);

/// Where a push looks for HEAD's files when the program says that there is no commit: nowhere. A branch that has a commit
/// then ends the push before anything is changed.
#[derive(Debug)]
struct NoCommits;

impl HeadSource for NoCommits {
    fn files_of(&self, _commit: &CommitId) -> std::result::Result<Option<HeadFiles>, stemvault::StashError> {
        Ok(None)
    }

    fn searched(&self) -> String {
        "contradicts head_manifest=None (no commits)".into()
    }
}

/// How a program says what files HEAD has.
fn head_choice(head: &str, manifest: Option<String>) -> Result<HeadChoice> {
    match (head, manifest) {
        ("given", Some(json)) => {
            Ok(HeadChoice::Manifest { bytes: json.into_bytes(), name: "head_manifest".into() })
        }
        ("repository" | "no-commits", None) => Ok(HeadChoice::Repository),
        ("none", None) => Ok(HeadChoice::None),
        _ => Err(Fault::new("invalid_input", "head is 'given', 'repository', 'no-commits' or 'none'")),
    }
}

/// The database that the program named, else the one of the environment.
fn open(
    open: impl FnOnce() -> stemvault::Result<stemvault::Vault>,
    database: Option<String>,
    environment: Option<String>,
) -> Result<Vault> {
    let mut vault = open()?;
    let environment = environment.filter(|url| !url.is_empty()).map(|url| (url, DatabaseOrigin::Environment));
    let database = database.map(|url| (url, DatabaseOrigin::Named)).or(environment);
    if let Some((url, origin)) = database {
        vault.use_database(&SecretText::from(url), origin)?;
    }
    Ok(Vault(Arc::new(vault)))
}

#[pymethods]
impl Vault {
    /// Opens the repository at `root`.
    #[staticmethod]
    #[pyo3(signature = (root, database=None, environment=None))]
    fn open(
        py: Python<'_>,
        root: PathBuf,
        database: Option<String>,
        environment: Option<String>,
    ) -> PyResult<Self> {
        briefly(py, move || open(move || stemvault::Vault::open(&root), database, environment))
    }

    /// Opens the repository that holds `start`.
    #[staticmethod]
    #[pyo3(signature = (start, database=None, environment=None))]
    fn discover(
        py: Python<'_>,
        start: PathBuf,
        database: Option<String>,
        environment: Option<String>,
    ) -> PyResult<Self> {
        briefly(py, move || open(move || stemvault::Vault::discover(&start), database, environment))
    }

    /// Makes a repository at `root`.
    #[staticmethod]
    #[pyo3(signature = (root, database=None, environment=None))]
    fn init(
        py: Python<'_>,
        root: PathBuf,
        database: Option<String>,
        environment: Option<String>,
    ) -> PyResult<Self> {
        briefly(py, move || open(move || stemvault::Vault::init(&root), database, environment))
    }

    #[getter]
    fn root(&self) -> &Path {
        self.0.repository().root()
    }

    #[getter]
    fn working_tree(&self) -> &Path {
        self.0.repository().working_tree()
    }

    #[getter]
    fn store(&self) -> Store {
        Store(Arc::clone(self.0.store()))
    }

    #[pyo3(signature = (*, message, track, section, paths, keep, head, manifest, progress))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each option of the verb; all are named by the caller"
    )]
    fn push<'py>(
        &self,
        py: Python<'py>,
        message: Option<String>,
        track: Option<String>,
        section: Option<String>,
        paths: Vec<Vec<u8>>,
        keep: bool,
        head: &str,
        manifest: Option<String>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let paths =
            paths.into_iter().map(rel_path).collect::<Result<_>>().map_err(|fault| fault.raise(py))?;
        let no_commits = head == "no-commits";
        let head = head_choice(head, manifest).map_err(|fault| fault.raise(py))?;
        let options = PushOptions { message, track, section, paths, keep, head };
        let vault = Arc::clone(&self.0);
        let result = run(py, progress, move |watch| {
            let only: [Arc<dyn HeadSource>; 1] = [Arc::new(NoCommits)];
            let stash = if no_commits {
                Stash::new(vault.repository(), &**vault.store(), &only)
            } else {
                vault.stash()
            };
            Ok(stash.push(&options, watch)?)
        })?;
        let dict = PyDict::new(py);
        dict.set_item("stash_ref", result.stash_ref)?;
        dict.set_item("stash_id", result.stash_id)?;
        dict.set_item("message", result.message)?;
        dict.set_item("branch", result.branch)?;
        dict.set_item("files_stashed", result.files_stashed)?;
        dict.set_item("bytes_stashed", result.bytes_stashed)?;
        dict.set_item("bytes_written", result.bytes_written)?;
        dict.set_item("head_restored", result.head_restored)?;
        dict.set_item("missing_head", names(py, &result.missing_head)?)?;
        dict.set_item("left_alone", left_alone(py, &result.left_alone)?)?;
        Ok(dict)
    }

    #[pyo3(signature = (reference, *, drop, verify, force, on_conflict, exact, dry_run, paths, progress))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each option of the verb; all are named by the caller"
    )]
    #[expect(clippy::fn_params_excessive_bools, reason = "each is an option that the caller names")]
    fn apply<'py>(
        &self,
        py: Python<'py>,
        reference: String,
        drop: bool,
        verify: Option<bool>,
        force: bool,
        on_conflict: &str,
        exact: bool,
        dry_run: bool,
        paths: Vec<Vec<u8>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let options = || -> Result<ApplyOptions> {
            let paths = paths.into_iter().map(rel_path).collect::<Result<_>>()?;
            let on_conflict = conflict(on_conflict)?;
            Ok(ApplyOptions { drop, verify, force, on_conflict, exact, dry_run, paths })
        };
        let options = options().map_err(|fault| fault.raise(py))?;
        let vault = Arc::clone(&self.0);
        let result = run(py, progress, move |watch| Ok(vault.stash().apply(&reference, options, watch)?))?;
        let dict = PyDict::new(py);
        dict.set_item("stash_ref", result.stash_ref)?;
        dict.set_item("stash_id", result.stash_id)?;
        dict.set_item("message", result.message)?;
        dict.set_item("files_applied", result.files_applied)?;
        dict.set_item("bytes_applied", result.bytes_applied)?;
        dict.set_item("missing", names(py, &result.missing)?)?;
        dict.set_item("left_alone", left_alone(py, &result.left_alone)?)?;
        dict.set_item("dropped", result.dropped)?;
        dict.set_item("overwritten", names(py, &result.overwritten)?)?;
        let kept_both = PyList::empty(py);
        for (path, beside) in &result.kept_both {
            kept_both
                .append((text::from_name(py, path.as_bytes())?, text::from_name(py, beside.as_bytes())?))?;
        }
        dict.set_item("kept_both", kept_both)?;
        dict.set_item("deleted", names(py, &result.deleted)?)?;
        dict.set_item("plan", plan(py, &result.plan)?)?;
        Ok(dict)
    }

    /// All entries, newest first.
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let entries = briefly(py, || Ok(self.0.stash().list()?))?;
        entries.iter().map(|entry| entry_dict(py, entry)).collect()
    }

    /// One entry, and its files as (path, object id, size or None).
    fn show<'py>(
        &self,
        py: Python<'py>,
        reference: &str,
    ) -> PyResult<(Bound<'py, PyDict>, Vec<Bound<'py, PyAny>>)> {
        let shown = briefly(py, || Ok(self.0.stash().show(reference)?))?;
        let dict = PyDict::new(py);
        dict.set_item("index", shown.index)?;
        dict.set_item("stash_id", shown.stash_id)?;
        fill_entry(&dict, &shown.entry)?;
        let row = |file: &stemvault::ShownFile| {
            let path = text::from_name(py, file.path.as_bytes())?;
            Ok((path, file.id.to_string(), file.size).into_pyobject(py)?.into_any())
        };
        Ok((dict, shown.files.iter().map(row).collect::<PyResult<_>>()?))
    }

    /// Removes an entry; returns its index, id and message.
    fn drop_entry(&self, py: Python<'_>, reference: &str) -> PyResult<(usize, String, String)> {
        let dropped = briefly(py, || Ok(self.0.stash().drop_entry(reference)?))?;
        Ok((dropped.index, dropped.stash_id, dropped.message))
    }

    /// Removes all entries; returns their number.
    fn clear(&self, py: Python<'_>) -> PyResult<usize> {
        briefly(py, || Ok(self.0.stash().clear()?.count))
    }

    #[pyo3(signature = (*, message, author, progress))]
    fn snapshot<'py>(
        &self,
        py: Python<'py>,
        message: Option<String>,
        author: Option<String>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let options = SnapshotOptions { message, author };
        let vault = Arc::clone(&self.0);
        let result = run(py, progress, move |watch| Ok(vault.stash().snapshot(&options, watch)?))?;
        let dict = PyDict::new(py);
        dict.set_item("commit_id", result.commit_id.to_string())?;
        dict.set_item("snapshot_id", result.snapshot_id.to_string())?;
        dict.set_item("branch", result.branch)?;
        dict.set_item("files", result.files)?;
        dict.set_item("bytes", result.bytes)?;
        dict.set_item("bytes_written", result.bytes_written)?;
        dict.set_item("unchanged", result.unchanged)?;
        dict.set_item("left_alone", left_alone(py, &result.left_alone)?)?;
        Ok(dict)
    }

    /// The paths of the files that are tracked, sorted as text.
    fn tracked_files<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let vault = Arc::clone(&self.0);
        let mut found = briefly(py, move || Ok(vault.stash().tracked_files()?))?;
        found.sort_by(|a, b| stemvault::format::text::fs_order(a.0.as_bytes(), b.0.as_bytes()));
        let names = found.iter().map(|(path, _)| text::from_name(py, path.as_bytes()));
        PyList::new(py, names.collect::<PyResult<Vec<_>>>()?)
    }

    #[pyo3(signature = (*, progress))]
    fn status<'py>(
        &self,
        py: Python<'py>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let vault = Arc::clone(&self.0);
        let (status, interrupted) = run(py, progress, move |watch| {
            let stash = vault.stash();
            Ok((stash.status(watch)?, stash.is_interrupted()?))
        })?;
        let dict = PyDict::new(py);
        dict.set_item("branch", status.branch)?;
        dict.set_item("commit_id", status.commit.map(|id| id.to_string()))?;
        dict.set_item("head_known", status.head_known)?;
        dict.set_item("changes", changes(py, &status.changes)?)?;
        dict.set_item("files", status.files)?;
        dict.set_item("entries", status.entries)?;
        dict.set_item("objects", status.objects)?;
        dict.set_item("object_bytes", status.object_bytes)?;
        dict.set_item("interrupted", interrupted)?;
        dict.set_item("left_alone", left_alone(py, &status.left_alone)?)?;
        Ok(dict)
    }

    /// Finishes or undoes a push that died.
    #[pyo3(signature = (*, progress))]
    fn recover(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let vault = Arc::clone(&self.0);
        run(py, progress, move |watch| Ok(vault.stash().recover(watch)?))
    }
}

fn rel_path(path: Vec<u8>) -> Result<RelPath> {
    RelPath::new(path).map_err(|error| Fault::new("invalid_input", error.to_string()))
}

fn conflict(word: &str) -> Result<OnConflict> {
    match word {
        "overwrite" => Ok(OnConflict::Overwrite),
        "keep-both" => Ok(OnConflict::KeepBoth),
        "fail" => Ok(OnConflict::Fail),
        _ => Err(Fault::new("invalid_input", "on_conflict is 'overwrite', 'keep-both' or 'fail'")),
    }
}

/// (path, how it differs), for each.
pub(crate) fn changes<'py>(py: Python<'py>, changes: &[Change]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for change in changes {
        let kind = match change.kind {
            ChangeKind::Added => "added",
            ChangeKind::Modified => "modified",
            ChangeKind::Deleted => "deleted",
        };
        list.append((text::from_name(py, change.path.as_bytes())?, kind))?;
    }
    Ok(list)
}

pub(crate) fn names<'py>(py: Python<'py>, paths: &[RelPath]) -> PyResult<Vec<Bound<'py, PyString>>> {
    paths.iter().map(|path| text::from_name(py, path.as_bytes())).collect()
}

/// (path, name of the reason, the reason in words), for each.
pub(crate) fn left_alone<'py>(py: Python<'py>, paths: &[LeftAlone]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for left in paths {
        let path = text::from_name(py, left.path.as_bytes())?;
        list.append((path, left.reason.name(), left.reason.to_string(), left.reason.is_partial()))?;
    }
    Ok(list)
}

fn entry_dict<'py>(py: Python<'py>, entry: &EntryRef) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("index", entry.index)?;
    dict.set_item("stash_id", &entry.stash_id)?;
    match &entry.entry {
        Ok(found) => fill_entry(&dict, found)?,
        Err(reason) => dict.set_item("reason", reason)?,
    }
    Ok(dict)
}

fn fill_entry(dict: &Bound<'_, PyDict>, entry: &StashEntry) -> PyResult<()> {
    let py = dict.py();
    let optional = |text: Option<&stemvault::format::text::PyStr>| {
        text.map(|text| text::from_text(py, text)).transpose()
    };
    let manifest = PyDict::new(py);
    for (path, id) in entry.manifest.iter() {
        manifest.set_item(text::from_name(py, path.as_bytes())?, id.hex().as_str())?;
    }
    dict.set_item("branch", text::from_text(py, &entry.branch)?)?;
    dict.set_item("message", text::from_text(py, &entry.message)?)?;
    dict.set_item("created_at", text::from_text(py, &entry.created_at)?)?;
    dict.set_item("track", optional(entry.track.as_ref())?)?;
    dict.set_item("section", optional(entry.section.as_ref())?)?;
    dict.set_item("manifest", manifest)
}
