//! Calls that may take long: the work on threads of its own, the caller waiting for it.
//!
//! Python handles signals on its main thread and only between instructions, so whoever blocks that thread has to look
//! by itself. Here the calling thread looks every [`TICK`]: it lets the handlers run (Ctrl-C raises `KeyboardInterrupt`)
//! and calls the program's progress callback. Either may end in an exception; then the work is asked to stop where
//! everything is consistent, and the exception is raised once it has. A second Ctrl-C does not wait for that: the work
//! ends by itself, and if the process ends first, that is as if it had been killed, which every verb recovers from.
//! While a call waits for another process it has done nothing, so there the first Ctrl-C is enough.
//!
//! Rejected: calling back from the working threads, which then wait for the interpreter, and working on the calling
//! thread, which cannot look while the engine flushes or waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;

use crate::error::{Fault, Result};
use crate::pool;
use crate::watch::Watch;

/// How often the caller looks for signals and reports.
const TICK: Duration = Duration::from_millis(20);

/// Where the result of the work is put.
struct Slot<T> {
    result: Mutex<Option<T>>,
    filled: Condvar,
}

impl<T> Slot<T> {
    fn fill(&self, result: T) {
        *self.result.lock() = Some(result);
        self.filled.notify_all();
    }

    fn wait(&self, longest: Duration) -> Option<T> {
        let mut result = self.result.lock();
        if result.is_none() {
            self.filled.wait_for(&mut result, longest);
        }
        result.take()
    }
}

/// Work that is over in milliseconds, without the interpreter.
pub(crate) fn briefly<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(work).map_err(|fault| fault.raise(py))
}

/// Carries out `work` on other threads, reports to `callback`, and stops it when a signal handler or the callback raises.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    callback: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Watch) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let pool = pool::take()?;
    let watch = Arc::new(Watch::default());
    let slot = Arc::new(Slot { result: Mutex::new(None), filled: Condvar::new() });
    let (watched, filled) = (Arc::clone(&watch), Arc::clone(&slot));
    pool.spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(&watched)));
        filled.fill(result.unwrap_or_else(|_| Err(Fault::panicked())));
    });
    let mut stop: Option<PyErr> = None;
    let result = loop {
        if let Some(result) = py.detach(|| slot.wait(TICK)) {
            break result;
        }
        if let Err(error) = py.check_signals() {
            watch.cancel();
            if stop.is_some() {
                return Err(error);
            }
            stop = Some(error);
        } else if stop.is_none()
            && let Err(error) = tell(py, callback, &watch)
        {
            watch.cancel();
            stop = Some(error);
        }
        if watch.is_waiting()
            && let Some(error) = stop.take()
        {
            return Err(error);
        }
    };
    pool::give(pool);
    match (stop, result) {
        (None, Ok(value)) => {
            tell(py, callback, &watch)?;
            Ok(value)
        }
        (None, Err(fault)) => {
            tell(py, None, &watch)?;
            Err(fault.raise(py))
        }
        (Some(error), result) => {
            let note = match &result {
                Ok(_) => "it was too late to stop: everything was done",
                Err(fault) => fault.message(),
            };
            add_note(py, &error, note);
            Err(error)
        }
    }
}

/// Passes on what is new.
fn tell(py: Python<'_>, callback: Option<&Bound<'_, PyAny>>, watch: &Watch) -> PyResult<()> {
    let (reports, warnings) = watch.news();
    for warning in warnings {
        crate::error::package(py)?.getattr("logger")?.call_method1("warning", ("%s", warning))?;
    }
    let Some(callback) = callback else { return Ok(()) };
    let class = py.import("stemvault._types")?.getattr("Progress")?;
    let known = |total: u64| (total > 0).then_some(total);
    for report in reports {
        let totals = (known(report.files_total), known(report.bytes_total));
        callback.call1((class.call1((report.phase, report.files, totals.0, report.bytes, totals.1))?,))?;
    }
    Ok(())
}

/// Says beside an exception how far the work got; Python 3.11 and later show it.
fn add_note(py: Python<'_>, error: &PyErr, note: &str) {
    // Before 3.11 exceptions have no notes.
    let _ = error.value(py).call_method1("add_note", (note,));
}
