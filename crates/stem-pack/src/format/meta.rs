//! Who wrote a pack: the one structure that may grow, and that nobody needs.

use bincode::Options;
use serde::{Deserialize, Serialize};

use super::field::{Field, first, version_one};
use super::{FormatError, Result, Structure, chunk_id};

const MAGIC: Field<8> = Field::at(0);
const VERSION: Field<4> = Field::at(8);
const LEN: Field<4> = Field::at(12);
const CHECK: Field<32> = Field::at(16);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] = &[MAGIC.span(), VERSION.span(), LEN.span(), CHECK.span()];

const MAGIC_BYTES: [u8; 8] = *b"STEMMETA";
const HERE: Structure = Structure::Metadata;

/// The length of what stands before the bincode, in bytes.
pub const METADATA_HEADER_LEN: usize = CHECK.end();
/// The most bytes of bincode.
pub const MAX_METADATA: usize = 65_536;

/// Who wrote a pack and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Name and version of the program.
    pub writer: String,
    /// When writing began, in seconds since the epoch.
    pub created: i64,
    /// Minimum, average and maximum length of chunks in bytes.
    pub chunk_sizes: [u64; 3],
    /// Other settings: name and value.
    pub settings: Vec<(String, String)>,
}

fn codec() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().reject_trailing_bytes()
}

impl Metadata {
    /// The payload of a metadata record; an error if it is too long.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let too_long = || FormatError::contradiction(HERE, "it is too long");
        let rest = codec().with_limit(MAX_METADATA as u64).serialize(self).map_err(|_| too_long())?;
        let len = u32::try_from(rest.len()).map_err(|_| too_long())?;
        let mut header = [0; METADATA_HEADER_LEN];
        MAGIC.set(&mut header, MAGIC_BYTES);
        VERSION.set(&mut header, 1u32.to_le_bytes());
        LEN.set(&mut header, len.to_le_bytes());
        CHECK.set(&mut header, *chunk_id(&rest).as_bytes());
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(&rest);
        Ok(bytes)
    }

    /// Reads the payload of a metadata record.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let header: &[u8; METADATA_HEADER_LEN] = first(payload, HERE)?;
        if MAGIC.get(header) != MAGIC_BYTES {
            return Err(FormatError::Magic { structure: HERE });
        }
        version_one(u32::from_le_bytes(VERSION.get(header)), HERE)?;
        let rest = &payload[METADATA_HEADER_LEN..];
        let len = u32::from_le_bytes(LEN.get(header));
        FormatError::bound(HERE, "length", len.into(), MAX_METADATA as u64)?;
        if rest.len() as u64 != u64::from(len) {
            let found = rest.len() as u64;
            return Err(FormatError::Length { structure: HERE, found, expected: len.into() });
        }
        if *chunk_id(rest).as_bytes() != CHECK.get(header) {
            return Err(FormatError::Check { structure: HERE });
        }
        codec()
            .with_limit(rest.len() as u64)
            .deserialize(rest)
            .map_err(|_| FormatError::contradiction(HERE, "its fields do not fill it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        Metadata {
            writer: "stemvault 0.1.0".into(),
            created: -1,
            chunk_sizes: [1, 2, 3],
            settings: vec![("level".into(), "3".into())],
        }
    }

    #[test]
    fn metadata_survives_and_damage_does_not() {
        let bytes = sample().encode().unwrap();
        assert_eq!(Metadata::decode(&bytes), Ok(sample()));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(Metadata::decode(&damaged).is_err(), "{at}");
            assert!(Metadata::decode(&bytes[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn the_layout_is_that_of_the_document() {
        let bytes = sample().encode().unwrap();
        let rest = &bytes[METADATA_HEADER_LEN..];
        assert_eq!(rest[..8], 15u64.to_le_bytes());
        assert_eq!(&rest[8..23], b"stemvault 0.1.0");
        assert_eq!(rest[23..31], (-1i64).to_le_bytes());
        assert_eq!(rest[31..39], 1u64.to_le_bytes());
        assert_eq!(rest[55..63], 1u64.to_le_bytes());
        assert_eq!(rest.len(), 63 + 8 + 5 + 8 + 1);
    }

    #[test]
    fn counts_that_lie_reserve_nothing() {
        let mut rest = Vec::new();
        rest.extend_from_slice(&u64::MAX.to_le_bytes());
        rest.extend_from_slice(&[0; 40]);
        let mut bytes = [0; METADATA_HEADER_LEN];
        MAGIC.set(&mut bytes, MAGIC_BYTES);
        VERSION.set(&mut bytes, 1u32.to_le_bytes());
        LEN.set(&mut bytes, 48u32.to_le_bytes());
        CHECK.set(&mut bytes, *chunk_id(&rest).as_bytes());
        assert!(Metadata::decode(&[&bytes[..], &rest].concat()).is_err());
        let long = Metadata { writer: "x".repeat(MAX_METADATA), ..Metadata::default() };
        assert!(long.encode().is_err());
    }
}
