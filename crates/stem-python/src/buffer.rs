//! The buffer protocol, in both directions.
//!
//! `pyo3` offers it for the stable ABI of Python 3.11 and later only, because that is when it became part of it. Nothing
//! about it changed then: the structure and the two functions are the same in 3.9 and 3.10, which are finished, and
//! from 3.11 on the stable ABI vouches for them. So they are declared here. Rejected: passing `bytes` back and forth, which
//! copies everything once more, and a wheel for each version of Python.
//!
//! A class written in Python can export a buffer (`__buffer__`) from 3.12 on. [`add_exporter`] makes a base class that
//! does the same before.

#![expect(unsafe_code, reason = "the buffer protocol is raw pointers; see the module's documentation")]

use std::ffi::{c_char, c_int, c_void};
use std::io::{self, Read};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyType};

/// `Py_buffer` of Python 3.9 and later.
#[repr(C)]
struct RawView {
    buf: *mut c_void,
    obj: *mut ffi::PyObject,
    len: ffi::Py_ssize_t,
    itemsize: ffi::Py_ssize_t,
    readonly: c_int,
    ndim: c_int,
    format: *mut c_char,
    shape: *mut ffi::Py_ssize_t,
    strides: *mut ffi::Py_ssize_t,
    suboffsets: *mut ffi::Py_ssize_t,
    internal: *mut c_void,
}

/// Ask for contiguous bytes, nothing else.
const SIMPLE: c_int = 0;
/// Ask for bytes that may be written.
const WRITABLE: c_int = 1;
/// The number of the slot `bf_getbuffer` in a type's specification.
const GETBUFFER_SLOT: c_int = 1;

unsafe extern "C" {
    fn PyObject_GetBuffer(object: *mut ffi::PyObject, view: *mut RawView, flags: c_int) -> c_int;
    fn PyBuffer_Release(view: *mut RawView);
}

/// The contiguous bytes of a Python object, which stay where they are until this is dropped.
pub(crate) struct Bytes {
    // Boxed: an exporter may point into the structure that it filled.
    view: Box<RawView>,
}

// SAFETY: the exporter keeps the memory in place until the view is released; releasing attaches to the interpreter. The
// other pointers are never followed.
unsafe impl Send for Bytes {}

impl Bytes {
    /// The bytes of `object`, to be read.
    pub(crate) fn readable(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::get(object, SIMPLE)
    }

    /// The bytes of `object`, to be written; an error where it does not permit that.
    pub(crate) fn writable(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::get(object, WRITABLE)
    }

    fn get(object: &Bound<'_, PyAny>, flags: c_int) -> PyResult<Self> {
        let mut view = Box::new(RawView {
            buf: std::ptr::null_mut(),
            obj: std::ptr::null_mut(),
            len: 0,
            itemsize: 0,
            readonly: 0,
            ndim: 0,
            format: std::ptr::null_mut(),
            shape: std::ptr::null_mut(),
            strides: std::ptr::null_mut(),
            suboffsets: std::ptr::null_mut(),
            internal: std::ptr::null_mut(),
        });
        // SAFETY: the interpreter is attached (`object` proves it), the object is alive, and `view` is a `Py_buffer` that
        // may be filled.
        if unsafe { PyObject_GetBuffer(object.as_ptr(), &raw mut *view, flags) } != 0 {
            return Err(PyErr::take(object.py()).unwrap_or_else(|| PyBufferError::new_err("it has no bytes")));
        }
        Ok(Self { view })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        // A length is never negative.
        usize::try_from(self.view.len).unwrap_or_default()
    }

    /// The bytes, to be overwritten. As with `readinto` of Python's own files, a program that reads them from another
    /// thread meanwhile may see some old and some new.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        let len = self.len();
        if len == 0 {
            return &mut [];
        }
        // SAFETY: the exporter gave `len` bytes at `buf` for writing (`writable` asked for that), in place until the view
        // is released, which borrows `self` mutably.
        unsafe { std::slice::from_raw_parts_mut(self.view.buf.cast(), len) }
    }

    /// Copies bytes from `offset` on into `target` and says how many: what is hashed afterwards is the copy, so that a
    /// program which changes the bytes meanwhile cannot come between hash and store.
    fn copy_out(&self, offset: usize, target: &mut [u8]) -> usize {
        let count = target.len().min(self.len().saturating_sub(offset));
        if count > 0 {
            // SAFETY: `offset + count` is at most the length of the exporter's bytes, which stay in place; `target` is
            // memory of ours with room for `count`.
            unsafe {
                std::ptr::copy_nonoverlapping(
                    self.view.buf.cast::<u8>().add(offset),
                    target.as_mut_ptr(),
                    count,
                );
            }
        }
        count
    }

    /// Reads the bytes from the first to the last.
    pub(crate) fn reader(&self) -> BytesReader<'_> {
        BytesReader { bytes: self, offset: 0 }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // While the interpreter shuts down nothing can be released, and nothing needs to be.
        let _ = Python::try_attach(|_| {
            // SAFETY: the interpreter is attached, and the view was filled by `PyObject_GetBuffer` and not released yet.
            unsafe { PyBuffer_Release(&raw mut *self.view) };
        });
    }
}

/// See [`Bytes::reader`].
pub(crate) struct BytesReader<'a> {
    bytes: &'a Bytes,
    offset: usize,
}

impl Read for BytesReader<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.copy_out(self.offset, target);
        self.offset += count;
        Ok(count)
    }
}

/// Passes a request for a buffer on to what the object's method `__buffer__` returns.
unsafe extern "C" fn export(this: *mut ffi::PyObject, view: *mut RawView, flags: c_int) -> c_int {
    // SAFETY: Python calls this attached, with an object that is alive.
    let (py, this) = unsafe {
        let py = Python::assume_attached();
        (py, Bound::from_borrowed_ptr(py, this))
    };
    match this.call_method1("__buffer__", (flags,)) {
        // SAFETY: attached; the object is alive; `view` is the caller's, to be filled. The view refers to the object that
        // fills it, which therefore outlives this function.
        Ok(exporter) => unsafe { PyObject_GetBuffer(exporter.as_ptr(), view, flags) },
        Err(error) => {
            error.restore(py);
            // SAFETY: `view` is the caller's; an exporter that fails must say that it holds nothing.
            unsafe { (*view).obj = std::ptr::null_mut() };
            -1
        }
    }
}

/// Adds the class `Exporter`: a subclass exports what its method `__buffer__(flags)` returns, as from Python 3.12 on every
/// class does.
pub(crate) fn add_exporter(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let getbuffer: unsafe extern "C" fn(*mut ffi::PyObject, *mut RawView, c_int) -> c_int = export;
    let mut slots = [
        ffi::PyType_Slot { slot: GETBUFFER_SLOT, pfunc: getbuffer as *mut c_void },
        ffi::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() },
    ];
    let flags = (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) & 0xffff_ffff;
    let mut spec = ffi::PyType_Spec {
        name: c"stemvault._native.Exporter".as_ptr(),
        // No state of its own, so that it can stand beside any other base class.
        basicsize: c_int::try_from(size_of::<ffi::PyObject>())?,
        itemsize: 0,
        flags: std::ffi::c_uint::try_from(flags)?,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: attached; `spec` and its slots are complete, end with the zero slot and outlive the call, which copies them;
    // the name is static. The result is a new reference or null with an exception set.
    let class = unsafe {
        Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))?.cast_into_unchecked::<PyType>()
    };
    module.add("Exporter", class)
}
