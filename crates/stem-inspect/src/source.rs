//! Bytes by position.

use std::io;

/// Something that can be read at any position, by several threads at once.
pub trait ReadAt: Sync {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills the beginning of `buf` with the bytes from `offset` on and says how many; 0 only at or after the end.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(<[u8]>::len(self));
        let rest = self.get(start..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buf, offset)
    }
}

/// Fills `buf` from `offset` on as far as there are bytes, and says how many there were.
///
/// # Errors
///
/// Those of the medium.
pub fn read_full(source: &dyn ReadAt, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match source.read_at(&mut buf[filled..], offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count.min(buf.len() - filled),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// All bytes, if they are at most `most`.
///
/// # Errors
///
/// Those of the medium.
pub fn read_whole(source: &dyn ReadAt, most: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(len) = Some(source.len()).filter(|&len| len <= most).and_then(|len| usize::try_from(len).ok())
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; len];
    let filled = read_full(source, &mut bytes, 0)?;
    bytes.truncate(filled);
    Ok(Some(bytes))
}
