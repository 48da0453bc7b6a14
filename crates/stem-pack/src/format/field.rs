//! Fields at fixed places of fixed arrays.
//!
//! One constant for each row of a table in the documents; the tests compare them. Reading and writing go through
//! the constants, so an offset is written down once.

use stem_hash::Checksum;

use super::{FormatError, Result, Structure};

/// A field of `N` bytes at a fixed offset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<const N: usize>(usize);

impl<const N: usize> Field<N> {
    /// The field at this offset.
    pub(crate) const fn at(offset: usize) -> Self {
        Self(offset)
    }

    /// Offset and size.
    #[cfg(test)]
    pub(crate) const fn span(self) -> (usize, usize) {
        (self.0, N)
    }

    /// The offset behind the field.
    pub(crate) const fn end(self) -> usize {
        self.0 + N
    }

    /// The field's bytes. Fields are constants that lie within the arrays they are read from (the tests compare them with
    /// the tables), so the zeros that stand for a field outside are never seen.
    pub(crate) fn get<const M: usize>(self, bytes: &[u8; M]) -> [u8; N] {
        debug_assert!(self.end() <= M, "the field lies within its structure");
        bytes.get(self.0..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    /// Writes the field.
    pub(crate) fn set<const M: usize>(self, bytes: &mut [u8; M], value: [u8; N]) {
        debug_assert!(self.end() <= M, "the field lies within its structure");
        if let Some(place) = bytes.get_mut(self.0..).and_then(|rest| rest.first_chunk_mut()) {
            *place = value;
        }
    }

    /// `Err` unless the field is zero, as reserved fields are.
    pub(crate) fn is_reserved<const M: usize>(self, bytes: &[u8; M], structure: Structure) -> Result<()> {
        if self.get(bytes) == [0; N] {
            Ok(())
        } else {
            Err(FormatError::contradiction(structure, "a reserved field is not zero"))
        }
    }
}

/// The first `N` bytes, or the error that there are fewer.
pub(crate) fn first<const N: usize>(bytes: &[u8], structure: Structure) -> Result<&[u8; N]> {
    bytes.first_chunk().ok_or(FormatError::Length {
        structure,
        found: bytes.len() as u64,
        expected: N as u64,
    })
}

/// XXH3-64h: the upper half of XXH3-128.
pub(crate) fn check64(bytes: &[u8]) -> u64 {
    upper(Checksum::of(bytes))
}

/// The upper half of a checksum.
pub(crate) fn upper(checksum: Checksum) -> u64 {
    u64::from_le_bytes(Field::<8>::at(8).get(&checksum.as_u128().to_le_bytes()))
}

/// A version field that must be 1.
pub(crate) fn version_one(found: u32, structure: Structure) -> Result<()> {
    if found == 1 { Ok(()) } else { Err(FormatError::Version { structure, found, supported: 1 }) }
}
