//! Tombstones: the ids of objects that packs still hold and that are not there any more.

use stem_hash::{Algorithm, Checksum, ObjectId};

use super::field::{Field, first, version_one};
use super::{FormatError, Result, Structure, algorithm_from_number, algorithm_to_number};

const MAGIC: Field<8> = Field::at(0);
const VERSION: Field<4> = Field::at(8);
const ALGORITHM: Field<4> = Field::at(12);
const COUNT: Field<8> = Field::at(16);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] = &[MAGIC.span(), VERSION.span(), ALGORITHM.span(), COUNT.span()];

const MAGIC_BYTES: [u8; 8] = *b"STEMGONE";
const HERE: Structure = Structure::Removed;
const HEADER_LEN: usize = COUNT.end();
const ID_LEN: usize = 32;
const CHECK_LEN: usize = 16;

/// The most tombstones of a store.
pub const MAX_REMOVED: u64 = 1 << 24;

/// The longest file that may be one of tombstones, in bytes.
pub const fn removed_len_limit() -> u64 {
    HEADER_LEN as u64 + MAX_REMOVED * ID_LEN as u64 + CHECK_LEN as u64
}

/// The bytes of the file for these ids, which must rise strictly.
pub fn encode_removed(ids: &[ObjectId], algorithm: Algorithm) -> Result<Vec<u8>> {
    FormatError::bound(HERE, "number of ids", ids.len() as u64, MAX_REMOVED)?;
    if !ids.is_sorted_by(|a, b| a < b) {
        return Err(FormatError::contradiction(HERE, "the ids do not rise"));
    }
    let number = algorithm_to_number(algorithm).ok_or(FormatError::Unknown {
        structure: HERE,
        what: "hash algorithm",
        value: 0,
    })?;
    let mut header = [0; HEADER_LEN];
    MAGIC.set(&mut header, MAGIC_BYTES);
    VERSION.set(&mut header, 1u32.to_le_bytes());
    ALGORITHM.set(&mut header, u32::from(number).to_le_bytes());
    COUNT.set(&mut header, (ids.len() as u64).to_le_bytes());
    let mut bytes = Vec::with_capacity(HEADER_LEN + ids.len() * ID_LEN + CHECK_LEN);
    bytes.extend_from_slice(&header);
    for id in ids {
        bytes.extend_from_slice(id.as_bytes());
    }
    let check = Checksum::of(&bytes).as_u128().to_le_bytes();
    bytes.extend_from_slice(&check);
    Ok(bytes)
}

/// A file of tombstones, asked where it lies: in a `Vec`, or in a mapping when it is long.
#[derive(Debug, Clone, Default)]
pub struct Removed<B>(B);

impl<B: AsRef<[u8]>> Removed<B> {
    /// Checks the whole file, which takes time in its length and no memory.
    pub fn decode(bytes: B, algorithm: Algorithm) -> Result<Self> {
        check(bytes.as_ref(), algorithm)?;
        Ok(Self(bytes))
    }

    fn rows(&self) -> &[[u8; ID_LEN]] {
        rows(self.0.as_ref()).unwrap_or_default()
    }

    /// Whether the object was removed.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.rows().binary_search(id.as_bytes()).is_ok()
    }

    /// The ids, rising.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ObjectId> + '_ {
        self.rows().iter().map(|row| ObjectId::from_bytes(*row))
    }

    /// Their number.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }
}

/// The part of a file that holds the ids, if there is room for header and check.
fn rows(bytes: &[u8]) -> Option<&[[u8; ID_LEN]]> {
    let (_, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let (ids, _) = rest.split_last_chunk::<CHECK_LEN>()?;
    Some(ids.as_chunks().0)
}

fn check(bytes: &[u8], algorithm: Algorithm) -> Result<()> {
    let header: &[u8; HEADER_LEN] = first(bytes, HERE)?;
    if MAGIC.get(header) != MAGIC_BYTES {
        return Err(FormatError::Magic { structure: HERE });
    }
    version_one(u32::from_le_bytes(VERSION.get(header)), HERE)?;
    let count = u64::from_le_bytes(COUNT.get(header));
    FormatError::bound(HERE, "number of ids", count, MAX_REMOVED)?;
    let expected = (HEADER_LEN + CHECK_LEN) as u64 + count * ID_LEN as u64;
    if bytes.len() as u64 != expected {
        return Err(FormatError::Length { structure: HERE, found: bytes.len() as u64, expected });
    }
    let Some((covered, sum)) = bytes.split_last_chunk::<CHECK_LEN>() else {
        return Err(FormatError::Magic { structure: HERE });
    };
    if Checksum::of(covered).as_u128().to_le_bytes() != *sum {
        return Err(FormatError::Check { structure: HERE });
    }
    if algorithm_from_number(u32::from_le_bytes(ALGORITHM.get(header)), HERE)? != algorithm {
        return Err(FormatError::contradiction(HERE, "its ids are of another algorithm than the store's"));
    }
    if !rows(bytes).unwrap_or_default().is_sorted_by(|a, b| a < b) {
        return Err(FormatError::contradiction(HERE, "the ids do not rise"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u8]) -> Vec<ObjectId> {
        numbers.iter().map(|&number| ObjectId::from_bytes([number; 32])).collect()
    }

    #[test]
    fn tombstones_survive_and_damage_does_not() {
        let list = ids(&[1, 5, 9]);
        let bytes = encode_removed(&list, Algorithm::Sha256).unwrap();
        let removed = Removed::decode(&bytes, Algorithm::Sha256).unwrap();
        assert_eq!(removed.iter().collect::<Vec<_>>(), list);
        assert!(removed.contains(&list[1]));
        assert!(!removed.contains(&ids(&[6])[0]));
        assert!(Removed::decode(&bytes, Algorithm::Blake3).is_err());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 8;
            assert!(Removed::decode(&damaged, Algorithm::Sha256).is_err(), "{at}");
            assert!(Removed::decode(&bytes[..at], Algorithm::Sha256).is_err(), "{at}");
        }
    }

    #[test]
    fn no_tombstones_are_none() {
        let bytes = encode_removed(&[], Algorithm::Blake3).unwrap();
        assert!(Removed::decode(bytes, Algorithm::Blake3).unwrap().is_empty());
        assert!(Removed::<Vec<u8>>::default().is_empty());
    }

    #[test]
    fn ids_out_of_order_and_counts_that_lie_are_refused() {
        assert!(encode_removed(&ids(&[2, 1]), Algorithm::Sha256).is_err());
        assert!(encode_removed(&ids(&[1, 1]), Algorithm::Sha256).is_err());
        let mut bytes = encode_removed(&ids(&[1, 2]), Algorithm::Sha256).unwrap();
        bytes.truncate(HEADER_LEN);
        bytes[16..24].fill(0xff);
        bytes.extend_from_slice(&[0; CHECK_LEN]);
        assert!(Removed::decode(bytes, Algorithm::Sha256).is_err());
    }
}
