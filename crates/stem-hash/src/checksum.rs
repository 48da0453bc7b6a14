//! A fast checksum beside the id.
//!
//! XXH3-128 finds accidental damage at the speed of memory, where SHA-256 would halve the speed of a
//! restore. It is no proof against someone who chooses the bytes: where a checksum is absent or disagrees,
//! the object's id decides. CRC-32 was rejected (too short for terabytes), BLAKE3 is slower than a copy.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{IdError, decode, deserialize_text};

/// The XXH3-128 hash of some bytes, with seed 0 and the default secret.
///
/// Written as 32 lower-case hexadecimal digits, the most significant first (the canonical form of the
/// xxHash specification, what `xxhsum -H2` prints).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checksum(u128);

impl Checksum {
    /// The checksum of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(twox_hash::XxHash3_128::oneshot(bytes))
    }

    /// Wraps the number.
    pub const fn from_u128(value: u128) -> Self {
        Self(value)
    }

    /// The number.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// Parses exactly 32 lower-case hexadecimal digits.
    pub fn parse_bytes(text: &[u8]) -> Result<Self, IdError> {
        decode(text).map(|bytes| Self(u128::from_be_bytes(bytes)))
    }
}

impl FromStr for Checksum {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a checksum of 32 lower-case hexadecimal digits")
    }
}

/// Computes a [`Checksum`] piece by piece, for verifying bytes while they are copied.
#[derive(Clone)]
pub struct ChecksumHasher(twox_hash::XxHash3_128);

impl ChecksumHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self(twox_hash::XxHash3_128::new())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The checksum of everything seen so far.
    pub fn finish(&self) -> Checksum {
        Checksum(self.0.finish_128())
    }
}

impl Default for ChecksumHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ChecksumHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChecksumHasher").finish_non_exhaustive()
    }
}
