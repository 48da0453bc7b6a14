//! What a file had beside its bytes: permission bits and mtime.

use stem_fs::Timestamp;
use stem_store::FileMetadata;

use super::field::Field;
use super::{FormatError, Result, Structure};

const MTIME_SECS: Field<8> = Field::at(0);
const MTIME_NANOS: Field<4> = Field::at(8);
const MODE: Field<4> = Field::at(12);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] = &[MTIME_SECS.span(), MTIME_NANOS.span(), MODE.span()];

const HERE: Structure = Structure::Attributes;
const MAX_MODE: u32 = 0o7777;
const MAX_NANOS: u32 = 999_999_999;

/// The length of the attributes in bytes.
pub const ATTRIBUTES_LEN: usize = MODE.end();

/// Permission bits and mtime as they stand in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes([u8; ATTRIBUTES_LEN]);

impl Attributes {
    /// The attributes of a file. Bits beyond the permissions and nanoseconds beyond a second are cut off, for no file
    /// system has them.
    pub fn new(metadata: &FileMetadata) -> Self {
        let mut bytes = [0; ATTRIBUTES_LEN];
        MTIME_SECS.set(&mut bytes, metadata.mtime.secs.to_le_bytes());
        MTIME_NANOS.set(&mut bytes, metadata.mtime.nanos.min(MAX_NANOS).to_le_bytes());
        MODE.set(&mut bytes, (metadata.mode & MAX_MODE).to_le_bytes());
        Self(bytes)
    }

    /// Their bytes.
    pub const fn as_bytes(&self) -> &[u8; ATTRIBUTES_LEN] {
        &self.0
    }

    /// Takes the attributes from the beginning of a payload; gives the rest too.
    pub fn split(payload: &[u8]) -> Result<(Self, &[u8])> {
        let (bytes, rest) = payload.split_first_chunk().ok_or(FormatError::Length {
            structure: HERE,
            found: payload.len() as u64,
            expected: ATTRIBUTES_LEN as u64,
        })?;
        Ok((Self::decode(bytes)?, rest))
    }

    /// Reads the attributes.
    pub fn decode(bytes: &[u8; ATTRIBUTES_LEN]) -> Result<Self> {
        let nanos = u32::from_le_bytes(MTIME_NANOS.get(bytes));
        FormatError::bound(HERE, "nanoseconds", nanos.into(), MAX_NANOS.into())?;
        let mode = u32::from_le_bytes(MODE.get(bytes));
        FormatError::bound(HERE, "permission bits", mode.into(), MAX_MODE.into())?;
        Ok(Self(*bytes))
    }

    /// What they say.
    pub fn metadata(&self) -> FileMetadata {
        FileMetadata {
            mode: u32::from_le_bytes(MODE.get(&self.0)),
            mtime: Timestamp {
                secs: i64::from_le_bytes(MTIME_SECS.get(&self.0)),
                nanos: u32::from_le_bytes(MTIME_NANOS.get(&self.0)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_survive() {
        let metadata = FileMetadata { mode: 0o4755, mtime: Timestamp { secs: -7, nanos: 999_999_999 } };
        let attributes = Attributes::new(&metadata);
        let mut payload = attributes.as_bytes().to_vec();
        payload.extend_from_slice(b"rest");
        let (read, rest) = Attributes::split(&payload).unwrap();
        assert_eq!((read.metadata(), rest), (metadata, &b"rest"[..]));
        assert!(Attributes::split(&payload[..15]).is_err());
    }

    #[test]
    fn impossible_values_are_refused() {
        assert!(Attributes::decode(&[0xff; 16]).is_err());
        let mut bytes = [0; 16];
        MTIME_NANOS.set(&mut bytes, 1_000_000_000u32.to_le_bytes());
        assert!(Attributes::decode(&bytes).is_err());
        MTIME_NANOS.set(&mut bytes, [0; 4]);
        MODE.set(&mut bytes, 0o10000u32.to_le_bytes());
        assert!(Attributes::decode(&bytes).is_err());
    }
}
