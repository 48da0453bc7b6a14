//! Bytes that are read by position: a file, or memory.

use std::io;

use stem_fs::OpenFile;

use crate::format::FormatError;

/// Why a pack or an index cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system failed to read or write.
    #[error("input or output failed")]
    Io(#[from] io::Error),
    /// The bytes are not those of a sound file of this version. An index can be rebuilt.
    #[error(transparent)]
    Damaged(#[from] FormatError),
}

impl ReadError {
    /// Whether the bytes are at fault, not the system.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }
}

/// Something immutable that is read by position.
pub trait ReadAt {
    /// Reads up to `buf.len()` bytes from `offset` on; fewer only at the end or when the system gives fewer.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl ReadAt for OpenFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Self::read_at(self, buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.as_std().metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(Self::len(self) as u64)
    }
}

/// Reads as many bytes as there are, up to `buf.len()`.
pub(crate) fn read_up_to<S: ReadAt + ?Sized>(source: &S, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..)
        && !rest.is_empty()
    {
        match source.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Fills the buffer, or fails with [`io::ErrorKind::UnexpectedEof`].
pub(crate) fn read_exact_at<S: ReadAt + ?Sized>(source: &S, buf: &mut [u8], offset: u64) -> io::Result<()> {
    if read_up_to(source, buf, offset)? == buf.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
