//! The Python module `stemvault`: the part of it that is Rust, `stemvault._native`.
//!
//! What Python programs see (signatures, dataclasses, exceptions, docstrings) is Python code in `python/stemvault`; this
//! crate only carries out calls. The line is drawn there because a signature, a frozen dataclass or a class that is both
//! `StemvaultError` and `IndexError` is one readable line in Python, and is what `inspect`, `dataclasses` and type
//! checkers know how to read. Rejected: everything as classes of `pyo3`, whose signatures and fields those tools cannot see
//! under the stable ABI of Python 3.9.
//!
//! Every call lets go of the interpreter while it works. What can take long runs on threads of its own, while the calling
//! thread waits for it, reports progress and listens for Ctrl-C (`run`).

mod buffer;
mod error;
mod exchange;
mod files;
mod object;
mod pool;
mod run;
mod store;
mod text;
mod upkeep;
mod vault;
mod watch;

use pyo3::prelude::*;
use pyo3::types::PyModule;

/// The native half of the package `stemvault`; use that one.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<vault::Vault>()?;
    module.add_class::<store::Store>()?;
    module.add_class::<object::Reader>()?;
    module.add_function(wrap_pyfunction!(store::open_store, module)?)?;
    module.add_function(wrap_pyfunction!(files::hash_file, module)?)?;
    module.add_function(wrap_pyfunction!(files::walk_workdir, module)?)?;
    module.add_function(wrap_pyfunction!(exchange::export_stash, module)?)?;
    module.add_function(wrap_pyfunction!(exchange::import_stash, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::undo, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::undo_list, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::gc, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::verify, module)?)?;
    buffer::add_exporter(module)
}
