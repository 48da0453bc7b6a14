//! The first bytes of a pack, and its name.

use std::fmt;
use std::str::FromStr;

use stem_hash::{Algorithm, Checksum, IdError};

use super::field::{Field, check64, first, version_one};
use super::{FormatError, Result, Structure, algorithm_from_number, algorithm_to_number};

const MAGIC: Field<8> = Field::at(0);
const VERSION: Field<4> = Field::at(8);
const ALGORITHM: Field<4> = Field::at(12);
const PACK_ID: Field<16> = Field::at(16);
const RESERVED: Field<8> = Field::at(32);
const CHECK: Field<8> = Field::at(40);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] =
    &[MAGIC.span(), VERSION.span(), ALGORITHM.span(), PACK_ID.span(), RESERVED.span(), CHECK.span()];

const MAGIC_BYTES: [u8; 8] = *b"STEMPACK";
const HERE: Structure = Structure::PackHeader;

/// The length of a pack's header in bytes; the first record begins there.
pub const PACK_HEADER_LEN: usize = CHECK.end();

/// What tells one pack from all others: 16 random bytes, in its name as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackId([u8; 16]);

impl PackId {
    /// Wraps the bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Parses exactly 32 lower-case hexadecimal digits, given as bytes: a file name need not be UTF-8.
    pub fn parse_bytes(text: &[u8]) -> std::result::Result<Self, IdError> {
        // The digits of a checksum are those of a number, the most significant first.
        Checksum::parse_bytes(text).map(|number| Self(number.as_u128().to_be_bytes()))
    }
}

impl FromStr for PackId {
    type Err = IdError;

    fn from_str(text: &str) -> std::result::Result<Self, IdError> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackId({self})")
    }
}

/// The first bytes of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackHeader {
    /// The pack's id; the name of the file has to agree.
    pub id: PackId,
    /// What the object ids of the pack were made with.
    pub algorithm: Algorithm,
}

impl PackHeader {
    /// The bytes of the header.
    pub fn encode(&self) -> Result<[u8; PACK_HEADER_LEN]> {
        let number = algorithm_to_number(self.algorithm).ok_or(FormatError::Unknown {
            structure: HERE,
            what: "hash algorithm",
            value: 0,
        })?;
        let mut bytes = [0; PACK_HEADER_LEN];
        MAGIC.set(&mut bytes, MAGIC_BYTES);
        VERSION.set(&mut bytes, 1u32.to_le_bytes());
        ALGORITHM.set(&mut bytes, u32::from(number).to_le_bytes());
        PACK_ID.set(&mut bytes, self.id.0);
        let check = check64(&bytes[..CHECK.end() - 8]);
        CHECK.set(&mut bytes, check.to_le_bytes());
        Ok(bytes)
    }

    /// Reads the header from the beginning of a pack.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let bytes: &[u8; PACK_HEADER_LEN] = first(bytes, HERE)?;
        if MAGIC.get(bytes) != MAGIC_BYTES {
            return Err(FormatError::Magic { structure: HERE });
        }
        // The version comes before the check: a later version may check otherwise.
        version_one(u32::from_le_bytes(VERSION.get(bytes)), HERE)?;
        if check64(&bytes[..CHECK.end() - 8]).to_le_bytes() != CHECK.get(bytes) {
            return Err(FormatError::Check { structure: HERE });
        }
        RESERVED.is_reserved(bytes, HERE)?;
        let algorithm = algorithm_from_number(u32::from_le_bytes(ALGORITHM.get(bytes)), HERE)?;
        Ok(Self { id: PackId(PACK_ID.get(bytes)), algorithm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_survives_and_damage_does_not() {
        let id: PackId = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
        assert_eq!(id.as_bytes()[15], 15);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
        let header = PackHeader { id, algorithm: Algorithm::Blake3 };
        let bytes = header.encode().unwrap();
        assert_eq!(PackHeader::decode(&bytes), Ok(header));
        for at in 0..bytes.len() {
            let mut damaged = bytes;
            damaged[at] ^= 0x10;
            assert!(PackHeader::decode(&damaged).is_err(), "{at}");
            assert!(PackHeader::decode(&bytes[..at]).is_err(), "{at}");
        }
    }
}
