//! Text between Python and the engine: names are bytes here, `str` with surrogates there.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use stemvault::format::text::PyStr;

/// A file name as Python has it: each undecodable byte is a lone surrogate, whatever the locale says.
pub(crate) fn from_name<'py>(py: Python<'py>, name: &[u8]) -> PyResult<Bound<'py, PyString>> {
    match std::str::from_utf8(name) {
        Ok(text) => Ok(PyString::new(py, text)),
        Err(_) => decode(py, name, c"surrogateescape"),
    }
}

/// A text of Muse's files, which may hold lone surrogates.
pub(crate) fn from_text<'py>(py: Python<'py>, text: &PyStr) -> PyResult<Bound<'py, PyString>> {
    match text.as_str() {
        Some(text) => Ok(PyString::new(py, text)),
        None => decode(py, text.as_wtf8(), c"surrogatepass"),
    }
}

fn decode<'py>(py: Python<'py>, bytes: &[u8], errors: &std::ffi::CStr) -> PyResult<Bound<'py, PyString>> {
    PyString::from_encoded_object(&PyBytes::new(py, bytes), Some(c"utf-8"), Some(errors))
}
