//! Lists of ids: what a client needs, and which packs nobody may rely on (`docs/format/remote.md`, *Lists*).
//!
//! Not the lists of `docs/format/id-lists.md`, which a repository keeps for itself: those carry times and a subject, and these are
//! read by machines that share neither a clock nor a configuration.

use std::fmt;

use stem_hash::{Algorithm, Hasher, ObjectId};
use stem_pack::format::PackId;

/// Rows that a list may have.
pub(crate) const MOST_ROWS: usize = 1 << 20;
/// Bytes before the rows.
const HEAD: usize = 56;
const VERSION: u32 = 1;

/// What a list is made of.
pub(crate) trait Row: Copy + Ord {
    /// Tells the lists apart.
    const MAGIC: &'static [u8; 8];
    /// Its length in bytes.
    const LEN: u32;

    fn append(&self, bytes: &mut Vec<u8>);
    /// `None`: not so many bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Row for ObjectId {
    const MAGIC: &'static [u8; 8] = b"STEMROOT";
    const LEN: u32 = 32;

    fn append(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }
}

impl Row for PackId {
    const MAGIC: &'static [u8; 8] = b"STEMDOOM";
    const LEN: u32 = 16;

    fn append(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }
}

/// Why something is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadList {
    /// It is one of a version that this program does not know.
    Version(u32),
    /// It is none, or not whole.
    Damaged(&'static str),
}

impl fmt::Display for BadList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "it is a list of version {version}; this program knows version {VERSION}")
            }
            Self::Damaged(why) => write!(f, "it is no whole list: {why}"),
        }
    }
}

/// As much memory has.
const fn row_len<R: Row>() -> usize {
    R::LEN as usize
}

/// The longest list of such rows, in bytes.
pub(crate) const fn longest<R: Row>() -> u64 {
    (HEAD + MOST_ROWS * row_len::<R>()) as u64
}

/// Lists with these rows; several if there are more than one may have, none if there are none.
pub(crate) fn encode<R: Row>(rows: &[R]) -> Vec<Vec<u8>> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows.dedup();
    rows.chunks(MOST_ROWS).map(encode_one).collect()
}

fn encode_one<R: Row>(rows: &[R]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + rows.len() * row_len::<R>());
    bytes.extend_from_slice(R::MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&R::LEN.to_le_bytes());
    bytes.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&[0; 32]);
    for row in rows {
        row.append(&mut bytes);
    }
    let check = check(&bytes);
    if let Some(place) = bytes.get_mut(24..HEAD) {
        place.copy_from_slice(check.as_bytes());
    }
    bytes
}

/// The digest of all but itself.
fn check(bytes: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(bytes.get(..24).unwrap_or_default());
    hasher.update(bytes.get(HEAD..).unwrap_or_default());
    hasher.finish().id
}

/// The rows of a list, which must be whole. The number that it tells is never believed: it has to follow from the length.
pub(crate) fn decode<R: Row>(bytes: &[u8]) -> Result<Vec<R>, BadList> {
    let field =
        |at: usize| bytes.get(at..at + 4).and_then(|field| field.try_into().ok()).map(u32::from_le_bytes);
    if bytes.get(..8) != Some(R::MAGIC.as_slice()) {
        return Err(BadList::Damaged("it begins otherwise"));
    }
    let version = field(8).ok_or(BadList::Damaged("it is cut short"))?;
    if version != VERSION {
        return Err(BadList::Version(version));
    }
    if bytes.len() < HEAD {
        return Err(BadList::Damaged("it is cut short"));
    }
    let body = bytes.get(HEAD..).unwrap_or_default();
    let number = bytes.get(16..24).and_then(|field| field.try_into().ok()).map(u64::from_le_bytes);
    if field(12) != Some(R::LEN)
        || !body.len().is_multiple_of(row_len::<R>())
        || number != Some((body.len() / row_len::<R>()) as u64)
        || body.is_empty()
        || body.len() / row_len::<R>() > MOST_ROWS
    {
        return Err(BadList::Damaged("its length does not follow from its rows"));
    }
    if bytes.get(24..HEAD) != Some(check(bytes).as_bytes().as_slice()) {
        return Err(BadList::Damaged("its checksum does not agree"));
    }
    let rows: Vec<R> = body.chunks_exact(row_len::<R>()).filter_map(R::read).collect();
    if !rows.is_sorted_by(|a, b| a < b) {
        return Err(BadList::Damaged("its rows are not in order"));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/format/remote.md");

    fn ids(numbers: &[u8]) -> Vec<ObjectId> {
        numbers.iter().map(|number| ObjectId::from_bytes([*number; 32])).collect()
    }

    #[test]
    fn what_was_written_is_read_back_sorted_and_once() {
        let lists = encode(&ids(&[3, 1, 2, 3]));
        assert_eq!(lists.len(), 1);
        assert_eq!(decode::<ObjectId>(&lists[0]), Ok(ids(&[1, 2, 3])));
        let packs = [PackId::from_bytes([9; 16]), PackId::from_bytes([4; 16])];
        assert_eq!(decode::<PackId>(&encode(&packs)[0]), Ok(vec![packs[1], packs[0]]));
        assert!(encode::<ObjectId>(&[]).is_empty());
    }

    #[test]
    fn nothing_but_a_whole_list_is_taken() {
        let list = encode(&ids(&[1, 2, 3])).remove(0);
        for len in 0..list.len() {
            assert!(decode::<ObjectId>(&list[..len]).is_err(), "{len}");
        }
        for at in 0..list.len() {
            let mut other = list.clone();
            other[at] ^= 0x10;
            assert!(decode::<ObjectId>(&other).is_err(), "{at}");
        }
        let longer = [&list[..], &[0]].concat();
        assert!(decode::<ObjectId>(&longer).is_err());
        assert!(decode::<PackId>(&list).is_err());
        let mut newer = list.clone();
        newer[8] = 2;
        assert_eq!(decode::<ObjectId>(&newer), Err(BadList::Version(2)));
    }

    #[test]
    fn rows_out_of_order_are_refused_though_the_checksum_agrees() {
        let mut bytes = encode_one(&ids(&[1, 2]));
        assert!(decode::<ObjectId>(&bytes).is_ok());
        bytes = encode_one(&ids(&[2, 1]));
        assert_eq!(decode::<ObjectId>(&bytes), Err(BadList::Damaged("its rows are not in order")));
        bytes = encode_one(&ids(&[2, 2]));
        assert!(decode::<ObjectId>(&bytes).is_err());
    }

    #[test]
    fn the_page_says_what_is_done() {
        for text in [
            "| 0 | 8 | magic: `STEMROOT` (rows are object ids) or `STEMDOOM` (rows are pack ids) |",
            "| 8 | 4 | version, `1` |",
            "| 12 | 4 | length of a row: 32 for `STEMROOT`, 16 for `STEMDOOM` |",
            "| 16 | 8 | number of rows, 1 to 1,048,576 |",
            "| 24 | 32 | BLAKE3 of the 24 bytes before and of all rows |",
            "| 56 | … |",
        ] {
            assert!(DOCUMENT.contains(text), "{text}");
        }
        assert_eq!((MOST_ROWS, HEAD), (1_048_576, 56));
    }
}
