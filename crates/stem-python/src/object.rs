//! One object of a store, read in any order.
//!
//! Whoever reads from the first byte to the last reads a stream that is verified at its end, as the store's contract has
//! it. Whoever jumps gets ranges, which are verified where the store can do that. The stream is kept over a jump, because
//! readers of audio files look at headers and come back.

use std::io::Read;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use stemvault::{AnyStore, ObjectId, ObjectRead};

use crate::buffer::Bytes;
use crate::error::{Fault, Result};

/// Bytes between two looks at signals.
const STRIDE: usize = 8 << 20;

/// An object that is being read.
#[pyclass(frozen, module = "stemvault._native")]
pub(crate) struct Reader {
    store: AnyStore,
    id: ObjectId,
    size: u64,
    stream: Mutex<Option<Stream>>,
}

struct Stream {
    object: Box<dyn ObjectRead>,
    at: u64,
}

impl Reader {
    pub(crate) fn new(store: AnyStore, id: ObjectId, size: u64) -> Self {
        Self { store, id, size, stream: Mutex::new(None) }
    }

    /// Fills `target` with the bytes from `offset` on; fewer only where the object ends.
    fn read_at(&self, offset: u64, target: &mut [u8]) -> Result<usize> {
        let mut stream = self.stream.lock();
        if offset == 0 && stream.as_ref().is_none_or(|stream| stream.at != 0) {
            let object =
                self.store.open(&self.id)?.ok_or_else(|| Fault::vanished(&self.id, self.store.name()))?;
            *stream = Some(Stream { object, at: 0 });
        }
        let Some(stream) = stream.as_mut().filter(|stream| stream.at == offset) else {
            return self
                .store
                .read_range(&self.id, offset, target)?
                .ok_or_else(|| Fault::vanished(&self.id, self.store.name()));
        };
        let mut filled = 0;
        while let Some(rest) = target.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match stream.object.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(error)),
            }
        }
        stream.at += filled as u64;
        Ok(filled)
    }

    fn fault(&self, error: std::io::Error) -> Fault {
        match stem_store::Error::from_reader(error) {
            Ok(error) => error.into(),
            Err(error) => {
                let what = format!("cannot read object {} in '{}'", self.id, self.store.name());
                Fault::io(&what, "", &error).about(self.id)
            }
        }
    }

    /// As [`Self::read_at`], without the interpreter and with signal handlers running in between.
    fn fill(&self, py: Python<'_>, offset: u64, target: &mut [u8]) -> PyResult<usize> {
        let mut filled = 0;
        for piece in target.chunks_mut(STRIDE) {
            let wanted = piece.len();
            let count =
                py.detach(|| self.read_at(offset + filled as u64, piece)).map_err(|fault| fault.raise(py))?;
            filled += count;
            if count < wanted {
                break;
            }
            py.check_signals()?;
        }
        Ok(filled)
    }
}

#[pymethods]
impl Reader {
    #[getter]
    fn size(&self) -> u64 {
        self.size
    }

    /// Fills a writable buffer with the bytes from `offset` on, and says how many there were.
    fn readinto(&self, py: Python<'_>, offset: u64, target: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut bytes = Bytes::writable(target)?;
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let target = bytes.as_mut_slice();
        let room = left.min(target.len());
        self.fill(py, offset, &mut target[..room])
    }

    /// The bytes from `offset` on, `count` of them or to the end.
    #[pyo3(signature = (offset, count))]
    pub(crate) fn bytes<'py>(
        &self,
        py: Python<'py>,
        offset: u64,
        count: Option<u64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let left = self.size.saturating_sub(offset);
        let wanted = usize::try_from(count.map_or(left, |count| count.min(left)))?;
        let mut filled = 0;
        let bytes = PyBytes::new_with(py, wanted, |target| {
            // Of an object without bytes there is still something to verify.
            filled = if wanted == 0 && self.size == 0 {
                self.fill_nothing(py)?
            } else {
                self.fill(py, offset, target)?
            };
            Ok(())
        })?;
        if filled < wanted {
            let message = format!("object {} in '{}' is shorter than it was", self.id, self.store.name());
            return Err(Fault::new("corrupt_object", message).about(self.id).raise(py));
        }
        Ok(bytes)
    }
}

impl Reader {
    fn fill_nothing(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.read_at(0, &mut [])).map_err(|fault| fault.raise(py))
    }
}
