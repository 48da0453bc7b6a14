//! The names of objects.
//!
//! An id is 32 bytes and is written as 64 lower-case hexadecimal digits, nothing else: ids become file
//! names and JSON strings that other programs compare byte for byte, so a second spelling of the same id
//! (upper case, shortened, with a prefix) would be a second object. Abbreviations are a type of their own,
//! [`IdPrefix`], so that a short id can be looked for but never stored under.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The length of an id in hexadecimal digits.
pub const HEX_LEN: usize = 64;

/// The function that turns an object's bytes into its id.
///
/// Both give 32 bytes, so an id does not tell which one made it: a store has one algorithm, and says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4), the ids of Muse.
    #[default]
    Sha256,
    /// BLAKE3 with its default 32-byte output, several times faster and parallel within one file.
    Blake3,
}

impl Algorithm {
    /// All algorithms, the default first.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Blake3];

    /// The name used in configuration and store URLs: `sha256` or `blake3`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no [`Algorithm`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown hash algorithm {name:?}: expected sha256 or blake3")]
pub struct UnknownAlgorithm {
    name: String,
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or_else(|| UnknownAlgorithm { name: text.chars().take(HEX_LEN).collect() })
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "the name of a hash algorithm")
    }
}

/// Why some text is not an id, a prefix of one or a checksum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Too few or too many characters.
    #[error("{found} characters where {expected} hexadecimal digits belong")]
    Length {
        /// The number of bytes that were given.
        found: usize,
        /// How many digits there should be (for a prefix: at most).
        expected: usize,
    },
    /// An upper-case digit. It would name the same bytes by a second name.
    #[error("upper-case digit at position {position}: hexadecimal digits are written in lower case")]
    UpperCase {
        /// The offset of the first such byte, from 0.
        position: usize,
    },
    /// A byte that is no hexadecimal digit.
    #[error("byte 0x{byte:02x} at position {position} is not a hexadecimal digit")]
    NotHex {
        /// The offset of the first such byte, from 0.
        position: usize,
        /// That byte.
        byte: u8,
    },
}

/// The value of one lower-case hexadecimal digit.
fn nibble(position: usize, byte: u8) -> Result<u8, IdError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Err(IdError::UpperCase { position }),
        _ => Err(IdError::NotHex { position, byte }),
    }
}

/// Decodes exactly `2 * N` lower-case digits.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Result<[u8; N], IdError> {
    if text.len() != 2 * N {
        return Err(IdError::Length { found: text.len(), expected: 2 * N });
    }
    let mut bytes = [0; N];
    for (index, (out, pair)) in bytes.iter_mut().zip(text.chunks_exact(2)).enumerate() {
        *out = nibble(2 * index, pair[0])? << 4 | nibble(2 * index + 1, pair[1])?;
    }
    Ok(bytes)
}

/// Deserialises through `FromStr`, without asking the format for an owned string.
pub(crate) fn deserialize_text<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Text<T>(&'static str, std::marker::PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> serde::de::Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(expected, std::marker::PhantomData))
}

/// The 64 digits of an id, on the stack; derefs to `str`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HexId([u8; HEX_LEN]);

impl HexId {
    /// The digits as text.
    pub fn as_str(&self) -> &str {
        // Only `ObjectId::hex` makes a `HexId`, and it writes ASCII; the empty string is never seen.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The first two digits and the other 62: directory and file name of the sharded layout.
    pub fn shard(&self) -> (&str, &str) {
        self.as_str().split_at_checked(2).unwrap_or_default()
    }
}

impl std::ops::Deref for HexId {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for HexId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The content address of an object: the hash of its bytes.
///
/// Ordered by its bytes, which is also the order of its digits.
///
/// ```
/// # use stem_hash::{Algorithm, Hasher, ObjectId};
/// let mut hasher = Hasher::new(Algorithm::Sha256);
/// hasher.update(b"abc");
/// let id: ObjectId = hasher.finish().id;
/// assert_eq!(id.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!("BA7816BF".parse::<ObjectId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId([u8; 32]);

impl ObjectId {
    /// Wraps the raw hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses exactly 64 lower-case hexadecimal digits, given as bytes: a file name need not be UTF-8.
    pub fn parse_bytes(text: &[u8]) -> Result<Self, IdError> {
        decode(text).map(Self)
    }

    /// The 64 digits, without an allocation.
    pub fn hex(&self) -> HexId {
        let mut digits = [0; HEX_LEN];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        HexId(digits)
    }

    /// The first 8 digits, for messages.
    pub fn short(&self) -> String {
        self.hex().chars().take(8).collect()
    }

    /// The first two digits and the other 62: directory and file name of the sharded layout.
    /// [`HexId::shard`] does the same without allocating.
    pub fn shard(&self) -> (String, String) {
        let hex = self.hex();
        let (directory, file) = hex.shard();
        (directory.to_owned(), file.to_owned())
    }
}

impl FromStr for ObjectId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.hex().as_str())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.hex().as_str())
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "an object id of 64 lower-case hexadecimal digits")
    }
}

/// The first 0 to 64 digits of an id, for looking objects up and for listing a part of a store.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct IdPrefix {
    /// The digits, the rest zero; it makes the smallest id with this prefix.
    bytes: [u8; 32],
    /// How many digits count.
    digits: u8,
}

impl IdPrefix {
    /// The empty prefix, which every id has.
    pub const ALL: Self = Self { bytes: [0; 32], digits: 0 };

    /// Parses 0 to 64 lower-case hexadecimal digits.
    pub fn parse_bytes(text: &[u8]) -> Result<Self, IdError> {
        let length = IdError::Length { found: text.len(), expected: HEX_LEN };
        let digits = u8::try_from(text.len()).map_err(|_| length.clone())?;
        if text.len() > HEX_LEN {
            return Err(length);
        }
        let mut bytes = [0; 32];
        for (position, &byte) in text.iter().enumerate() {
            let value = nibble(position, byte)?;
            bytes[position / 2] |= if position % 2 == 0 { value << 4 } else { value };
        }
        Ok(Self { bytes, digits })
    }

    /// The number of digits, 0 to 64.
    pub fn digits(&self) -> usize {
        usize::from(self.digits)
    }

    /// Whether the prefix is a whole id.
    pub fn is_full(&self) -> bool {
        self.digits() == HEX_LEN
    }

    /// The id, if the prefix is a whole one.
    pub fn full(&self) -> Option<ObjectId> {
        self.is_full().then_some(ObjectId(self.bytes))
    }

    /// Whether the id begins with these digits.
    pub fn matches(&self, id: &ObjectId) -> bool {
        let whole = self.digits() / 2;
        self.bytes[..whole] == id.0[..whole]
            && (self.digits().is_multiple_of(2) || self.bytes[whole] == id.0[whole] & 0xf0)
    }

    /// The smallest and the largest id that match.
    pub fn range(&self) -> std::ops::RangeInclusive<ObjectId> {
        let mut last = self.bytes;
        let whole = self.digits() / 2;
        last[whole..].fill(0xff);
        if self.digits() % 2 == 1 {
            last[whole] = self.bytes[whole] | 0x0f;
        }
        ObjectId(self.bytes)..=ObjectId(last)
    }

    /// Which first bytes of an id match: the directories of a sharded store that need to be read.
    pub fn first_bytes(&self) -> std::ops::RangeInclusive<u8> {
        let range = self.range();
        range.start().0[0]..=range.end().0[0]
    }
}

impl From<ObjectId> for IdPrefix {
    fn from(id: ObjectId) -> Self {
        Self { bytes: id.0, digits: 64 }
    }
}

impl FromStr for IdPrefix {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(ObjectId(self.bytes).hex().get(..self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdPrefix({self})")
    }
}
