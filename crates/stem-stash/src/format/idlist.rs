//! Lists of object ids that this engine keeps for itself: what gc condemned, what entries were seen, what was verified.
//! One layout for the three, told apart by their magic; `docs/format/id-lists.md`.
//!
//! Binary, because such a list may have an id for every object of a store. It is small enough to be read whole, and is
//! always written whole.

use stem_hash::{Algorithm, Hasher, ObjectId};

use super::error::{Document, FormatError};

const VERSION: u32 = 1;
/// Magic, version, length of a row, number of rows, time, subject.
const FIELDS: usize = 8 + 4 + 4 + 8 + 8 + 32;
/// The fields and their checksum.
const HEADER: usize = FIELDS + 32;

/// Most rows that are read or written.
pub const MAX_ROWS: usize = 20_000_000;

/// Largest file that is read or written, in bytes.
pub const MAX_LIST_BYTES: usize = HEADER + MAX_ROWS * 40;

/// Which of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// `.muse/stem/gc/condemned`: objects that nothing needs, each with the time at which that was first found.
    Condemned,
    /// `.muse/stem/seen/<stash id>`: the objects of an entry.
    Seen,
    /// `.muse/stem/verified`: objects that were found sound by a verification that was stopped.
    Verified,
}

impl ListKind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Condemned => b"STEMCOND",
            Self::Seen => b"STEMSEEN",
            Self::Verified => b"STEMVRFY",
        }
    }

    fn row(self) -> usize {
        match self {
            Self::Condemned => 40,
            Self::Seen | Self::Verified => 32,
        }
    }
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdList {
    /// In microseconds since the epoch; what it is the time of, the kind says.
    pub time: i64,
    /// What the list is about: the store, for two of the kinds.
    pub subject: [u8; 32],
    /// Ids, sorted, each once, with a time where the kind has one (0 elsewhere).
    pub rows: Vec<(ObjectId, i64)>,
}

/// The subject of a list that is about the store of this name.
pub fn subject_of(store: &str) -> [u8; 32] {
    *hash(store.as_bytes(), b"").as_bytes()
}

fn hash(first: &[u8], second: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(first);
    hasher.update(second);
    hasher.finish().id
}

/// The bytes of a list.
///
/// # Errors
///
/// More than [`MAX_ROWS`] ids.
pub fn encode(kind: ListKind, list: &IdList) -> Result<Vec<u8>, FormatError> {
    if list.rows.len() > MAX_ROWS {
        return Err(FormatError::too_large(
            Document::IdList,
            HEADER + list.rows.len() * kind.row(),
            MAX_LIST_BYTES,
        ));
    }
    let mut rows = Vec::with_capacity(list.rows.len() * kind.row());
    for (id, time) in &list.rows {
        rows.extend_from_slice(id.as_bytes());
        if kind == ListKind::Condemned {
            rows.extend_from_slice(&time.to_le_bytes());
        }
    }
    let mut out = Vec::with_capacity(HEADER + rows.len());
    out.extend_from_slice(kind.magic());
    out.extend_from_slice(&VERSION.to_le_bytes());
    // 32 or 40.
    out.extend_from_slice(&[u8::try_from(kind.row()).unwrap_or(0), 0, 0, 0]);
    out.extend_from_slice(&(list.rows.len() as u64).to_le_bytes());
    out.extend_from_slice(&list.time.to_le_bytes());
    out.extend_from_slice(&list.subject);
    let sum = hash(&out, &rows);
    out.extend_from_slice(sum.as_bytes());
    out.extend_from_slice(&rows);
    Ok(out)
}

/// Reads the bytes of a list.
///
/// # Errors
///
/// Anything but a whole list of this kind and version.
pub fn decode(kind: ListKind, bytes: &[u8]) -> Result<IdList, FormatError> {
    let wrong = |why: &str| FormatError::malformed(Document::IdList, why);
    if bytes.len() > MAX_LIST_BYTES {
        return Err(FormatError::too_large(Document::IdList, bytes.len(), MAX_LIST_BYTES));
    }
    let cut = || wrong("it is cut short");
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    if magic != kind.magic() {
        return Err(wrong("it is something else"));
    }
    let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    if u32::from_le_bytes(*version) != VERSION {
        return Err(wrong("its version is another one than 1, which is all that this stem reads"));
    }
    let (row, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let (count, rest) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
    let (time, rest) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
    let (subject, rest) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
    let (sum, rows) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
    let agrees = u32::from_le_bytes(*row) as usize == kind.row()
        && rows.len().is_multiple_of(kind.row())
        && u64::from_le_bytes(*count) == (rows.len() / kind.row()) as u64;
    if !agrees || hash(&bytes[..FIELDS], rows).as_bytes() != sum {
        return Err(wrong("its checksum does not agree"));
    }
    let row = |row: &[u8]| {
        let (id, time) = row.split_first_chunk::<32>()?;
        let time = time.first_chunk::<8>().map_or(0, |time| i64::from_le_bytes(*time));
        Some((ObjectId::from_bytes(*id), time))
    };
    let rows: Vec<(ObjectId, i64)> = rows.chunks_exact(kind.row()).filter_map(row).collect();
    if !rows.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(wrong("its ids are not sorted"));
    }
    Ok(IdList { time: i64::from_le_bytes(*time), subject: *subject, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [ListKind; 3] = [ListKind::Condemned, ListKind::Seen, ListKind::Verified];

    fn list(ids: &[u8], time: i64) -> IdList {
        let rows = ids.iter().map(|&n| (ObjectId::from_bytes([n; 32]), time)).collect();
        IdList { time: 7, subject: subject_of("sharded:.muse/objects"), rows }
    }

    #[test]
    fn the_offsets_are_those_of_the_document() {
        let bytes = encode(ListKind::Condemned, &list(&[1, 2], -5)).unwrap();
        assert_eq!(&bytes[..8], b"STEMCOND");
        assert_eq!(bytes[8..24], [1, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[24..32], 7_i64.to_le_bytes());
        assert_eq!(bytes[32..64], subject_of("sharded:.muse/objects"));
        assert_eq!(&bytes[64..96], hash(&bytes[..64], &bytes[96..]).as_bytes());
        assert_eq!(bytes[96..128], [1; 32]);
        assert_eq!(bytes[128..136], (-5_i64).to_le_bytes());
        assert_eq!(bytes.len(), 96 + 2 * 40);
        assert_eq!(encode(ListKind::Seen, &list(&[1, 2], 0)).unwrap().len(), 96 + 2 * 32);
    }

    #[test]
    fn damage_anywhere_is_noticed_and_kinds_are_not_mixed_up() {
        for kind in KINDS {
            let bytes = encode(kind, &list(&[1, 2, 3], 0)).unwrap();
            assert_eq!(decode(kind, &bytes).unwrap(), list(&[1, 2, 3], 0));
            for other in KINDS.into_iter().filter(|other| *other != kind) {
                assert!(decode(other, &bytes).is_err());
            }
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                assert!(decode(kind, &damaged).is_err(), "{kind:?} {at}");
                assert!(decode(kind, &bytes[..at]).is_err(), "{kind:?} {at}");
            }
            assert!(decode(kind, &encode(kind, &list(&[2, 1], 0)).unwrap()).is_err());
            assert!(decode(kind, &encode(kind, &list(&[1, 1], 0)).unwrap()).is_err());
        }
    }

    #[test]
    fn a_count_that_lies_reserves_nothing() {
        let mut bytes = encode(ListKind::Seen, &list(&[], 0)).unwrap();
        bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        let sum = hash(&bytes[..64], b"");
        bytes[64..96].copy_from_slice(sum.as_bytes());
        assert!(decode(ListKind::Seen, &bytes).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            ids in proptest::collection::btree_map(any::<[u8; 32]>(), any::<i64>(), 0..40),
            time: i64,
        ) {
            let rows = ids.into_iter().map(|(id, time)| (ObjectId::from_bytes(id), time)).collect();
            let list = IdList { time, subject: [9; 32], rows };
            let bytes = encode(ListKind::Condemned, &list).unwrap();
            prop_assert_eq!(decode(ListKind::Condemned, &bytes).unwrap(), list);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for kind in KINDS {
                let _ = decode(kind, &bytes);
                let _ = decode(kind, &[kind.magic().as_slice(), &bytes].concat());
            }
        }
    }
}
