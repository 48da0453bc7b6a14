//! Looking after a repository: undo, garbage collection, verification.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use stemvault::{
    DamagedObject, GcOptions, Planned, PlannedAction, Problem, UndoOptions, Unneeded, VerifyOptions,
    parse_age,
};

use crate::error::{Fault, Result};
use crate::run::{briefly, run};
use crate::text;
use crate::vault::{Vault, changes, left_alone, names};

/// Undoes the last verb, or does again what was undone last.
#[pyfunction]
#[pyo3(signature = (vault, *, redo, force, dry_run, progress))]
pub(crate) fn undo<'py>(
    py: Python<'py>,
    vault: &Bound<'py, Vault>,
    redo: bool,
    force: bool,
    dry_run: bool,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = UndoOptions { force, dry_run };
    let vault = Arc::clone(&vault.get().0);
    let result = run(py, progress, move |watch| {
        let stash = vault.stash();
        Ok(if redo { stash.redo(options, watch)? } else { stash.undo(options, watch)? })
    })?;
    let dict = PyDict::new(py);
    dict.set_item("verb", result.verb.name())?;
    dict.set_item("redo", result.redo)?;
    dict.set_item("message", result.message)?;
    dict.set_item("files_restored", result.files_restored)?;
    dict.set_item("bytes_restored", result.bytes_restored)?;
    dict.set_item("files_removed", result.files_removed)?;
    let entries = result.entries.into_iter().map(|moved| (moved.stash_id, moved.on_stack));
    dict.set_item("entries", entries.collect::<Vec<_>>())?;
    dict.set_item("missing", names(py, &result.missing)?)?;
    dict.set_item("left_alone", left_alone(py, &result.left_alone)?)?;
    dict.set_item("plan", plan(py, &result.plan)?)?;
    Ok(dict)
}

/// What can be undone and done again, and what cannot be read of it.
#[pyfunction]
pub(crate) fn undo_list<'py>(
    py: Python<'py>,
    vault: &Bound<'py, Vault>,
) -> PyResult<(Vec<Bound<'py, PyDict>>, Vec<String>)> {
    let vault = Arc::clone(&vault.get().0);
    let list = briefly(py, || Ok(vault.stash().undo_list()?))?;
    let row = |item: &stemvault::UndoItem| {
        let dict = PyDict::new(py);
        dict.set_item("verb", item.verb.name())?;
        dict.set_item("message", &item.message)?;
        dict.set_item("undone", item.undone)?;
        dict.set_item("steps", item.steps)?;
        dict.set_item("files", item.files)?;
        dict.set_item("entries", item.entries)?;
        dict.set_item("at", item.at.map(stemvault::format::stamp::Stamp::as_micros))?;
        dict.set_item("expires", item.expires.map(stemvault::format::stamp::Stamp::as_micros))?;
        Ok(dict)
    };
    Ok((list.items.iter().map(row).collect::<PyResult<_>>()?, list.unreadable))
}

/// Removes objects that nothing has needed for a while.
#[pyfunction]
#[pyo3(signature = (vault, *, dry_run, grace, expire_undo, progress))]
pub(crate) fn gc<'py>(
    py: Python<'py>,
    vault: &Bound<'py, Vault>,
    dry_run: bool,
    grace: Option<&str>,
    expire_undo: Option<&str>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let age = |text: Option<&str>| -> Result<_> {
        text.map(|text| parse_age(text).map_err(|problem| Fault::new("invalid_input", problem))).transpose()
    };
    let options = || -> Result<GcOptions> {
        let (grace, expire_undo) = (age(grace)?, age(expire_undo)?);
        Ok(GcOptions { dry_run, grace, expire_undo, ..GcOptions::default() })
    };
    let options = options().map_err(|fault| fault.raise(py))?;
    let vault = Arc::clone(&vault.get().0);
    let result = run(py, progress, move |watch| Ok(vault.gc(&options, watch)?))?;
    let rows = |objects: &[Unneeded]| -> Vec<(String, u64, i64)> {
        objects.iter().map(|object| (object.id.to_string(), object.size, object.since)).collect()
    };
    let dict = PyDict::new(py);
    dict.set_item("dry_run", result.dry_run)?;
    dict.set_item("objects", result.objects)?;
    dict.set_item("removed", rows(&result.removed))?;
    dict.set_item("waiting", rows(&result.waiting))?;
    dict.set_item("postponed", result.postponed)?;
    Ok(dict)
}

/// Reads every object, and compares entries, commits and perhaps the working tree with the store.
#[pyfunction]
#[pyo3(signature = (vault, *, repair, worktree, progress))]
pub(crate) fn verify<'py>(
    py: Python<'py>,
    vault: &Bound<'py, Vault>,
    repair: bool,
    worktree: bool,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = VerifyOptions { repair, worktree, ..VerifyOptions::default() };
    let vault = Arc::clone(&vault.get().0);
    let result = run(py, progress, move |watch| Ok(vault.verify(&options, watch)?))?;
    let damaged: Vec<_> = result.damaged.iter().map(|object| damaged(py, object)).collect::<PyResult<_>>()?;
    let dict = PyDict::new(py);
    dict.set_item("is_damaged", result.is_damaged())?;
    dict.set_item("objects", result.objects)?;
    dict.set_item("bytes", result.bytes)?;
    dict.set_item("damaged", damaged)?;
    let records = result.records.into_iter().map(|record| (record.path, record.reason));
    dict.set_item("records", records.collect::<Vec<_>>())?;
    let check = result.worktree.unwrap_or_default();
    dict.set_item("changes", changes(py, &check.changes)?)?;
    dict.set_item("rotten", names(py, &check.rotten)?)?;
    dict.set_item("left_alone", left_alone(py, &check.left_alone)?)?;
    dict.set_item("hint", result.hint)?;
    Ok(dict)
}

fn damaged<'py>(py: Python<'py>, object: &DamagedObject) -> PyResult<Bound<'py, PyDict>> {
    let (problem, reason) = match &object.problem {
        Problem::Damaged(why) => ("damaged", Some(why)),
        Problem::Denied(why) => ("unreadable", Some(why)),
        Problem::Missing => ("missing", None),
    };
    let affected = PyList::empty(py);
    for place in &object.affected.listed {
        let path = place.path.as_ref().map(|path| text::from_name(py, path.as_bytes())).transpose()?;
        affected.append((place.holder.to_string(), path))?;
    }
    let dict = PyDict::new(py);
    dict.set_item("object_id", object.id.to_string())?;
    dict.set_item("problem", problem)?;
    dict.set_item("reason", reason)?;
    dict.set_item("affected", affected)?;
    dict.set_item("affected_count", object.affected.count)?;
    dict.set_item("healed_from", object.healed_from.as_ref())?;
    dict.set_item("quarantined", object.quarantined.as_ref())?;
    dict.set_item("unrepaired", object.unrepaired.as_ref())?;
    Ok(dict)
}

/// (path, action, bytes, whether newer work stands there, path beside it or reason), for each path.
pub(crate) fn plan<'py>(py: Python<'py>, planned: &[Planned]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for planned in planned {
        let path = text::from_name(py, planned.path.as_bytes())?;
        let detail = match &planned.action {
            PlannedAction::Beside(path) => Some(text::from_name(py, path.as_bytes())?),
            PlannedAction::Leave(reason) => Some(pyo3::types::PyString::new(py, &reason.to_string())),
            _ => None,
        };
        list.append((path, planned.action.name(), planned.bytes, planned.conflict, detail))?;
    }
    Ok(list)
}
