//! The bytes of the stat cache, `.muse/stem/cache`; `docs/format/stat-cache.md`.

use bincode::Options;
use serde::{Deserialize, Serialize};
use stem_fs::{RelPath, Stat, Timestamp};
use stem_hash::{Algorithm, Checksum, Digest, Hasher, ObjectId};

const MAGIC: &[u8; 8] = b"STEMSTAT";
const VERSION: u32 = 1;
/// Magic, version, algorithm, length, checksum.
const HEADER: usize = 8 + 4 + 4 + 8 + 32;
/// Largest payload that is read or written, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 30;

/// What one file hashed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    path: Box<[u8]>,
    size: u64,
    mtime: (i64, u32),
    ctime: (i64, u32),
    inode: u64,
    device: u64,
    id: [u8; 32],
    checksum: [u8; 16],
}

impl Row {
    /// The row of a file; `None` without a checksum, which every row has.
    pub fn new(path: &RelPath, stat: &Stat, digest: &Digest) -> Option<Self> {
        let time = |time: Timestamp| (time.secs, time.nanos);
        Some(Self {
            path: path.as_bytes().into(),
            size: stat.size,
            mtime: time(stat.mtime),
            ctime: time(stat.ctime),
            inode: stat.inode,
            device: stat.device,
            id: *digest.id.as_bytes(),
            checksum: digest.checksum?.as_u128().to_be_bytes(),
        })
    }

    /// The path, as bytes.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// What the file hashes to, if it is still the one that `stat` shows.
    pub fn digest_of(&self, stat: &Stat) -> Option<Digest> {
        let time = |(secs, nanos): (i64, u32)| Timestamp { secs, nanos };
        let same = (self.size, self.inode, self.device) == (stat.size, stat.inode, stat.device)
            && time(self.mtime) == stat.mtime
            && time(self.ctime) == stat.ctime;
        same.then(|| Digest {
            id: ObjectId::from_bytes(self.id),
            checksum: Some(Checksum::from_u128(u128::from_be_bytes(self.checksum))),
            len: self.size,
        })
    }
}

fn codec() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().reject_trailing_bytes()
}

/// The algorithm's number in the header; `None` for one that this version of the format does not know.
fn tag(algorithm: Algorithm) -> Option<u32> {
    match algorithm {
        Algorithm::Sha256 => Some(1),
        Algorithm::Blake3 => Some(2),
        _ => None,
    }
}

fn checksum(payload: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(payload);
    hasher.finish().id
}

/// The bytes of a cache of rows that are sorted by path; `None` when they are too many.
pub fn encode(rows: &[Row], algorithm: Algorithm) -> Option<Vec<u8>> {
    let payload = codec().with_limit(MAX_PAYLOAD as u64).serialize(rows).ok()?;
    let mut out = Vec::with_capacity(HEADER + payload.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&tag(algorithm)?.to_le_bytes());
    out.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    out.extend_from_slice(checksum(&payload).as_bytes());
    out.extend_from_slice(&payload);
    Some(out)
}

/// The rows of a cache, or `None` when the bytes are anything but a whole cache of this version and algorithm.
pub fn decode(bytes: &[u8], algorithm: Algorithm) -> Option<Vec<Row>> {
    let (header, payload) = bytes.split_at_checked(HEADER)?;
    let (magic, rest) = header.split_at_checked(8)?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let (algo, rest) = rest.split_first_chunk::<4>()?;
    let (len, sum) = rest.split_first_chunk::<8>()?;
    let known = magic == MAGIC
        && u32::from_le_bytes(*version) == VERSION
        && Some(u32::from_le_bytes(*algo)) == tag(algorithm)
        && payload.len() <= MAX_PAYLOAD
        && u64::from_le_bytes(*len) == payload.len() as u64
        && checksum(payload).as_bytes() == sum;
    if !known {
        return None;
    }
    let rows: Vec<Row> = codec().with_limit(payload.len() as u64).deserialize(payload).ok()?;
    rows.is_sorted_by(|a, b| a.path < b.path).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(path: &[u8], size: u64) -> Row {
        Row {
            path: path.into(),
            size,
            mtime: (-5, 999_999_999),
            ctime: (1_795_336_453, 1),
            inode: 7,
            device: 8,
            id: [9; 32],
            checksum: [10; 16],
        }
    }

    #[test]
    fn the_offsets_are_those_of_the_document() {
        let bytes = encode(&[row(b"a", 3)], Algorithm::Blake3).unwrap();
        assert_eq!(&bytes[..8], b"STEMSTAT");
        assert_eq!(bytes[8..16], [1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(u64::from_le_bytes(bytes[16..24].try_into().unwrap()), bytes.len() as u64 - 56);
        assert_eq!(checksum(&bytes[56..]).as_bytes(), &bytes[24..56]);
        assert_eq!(bytes[56..64], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[64..73], [1, 0, 0, 0, 0, 0, 0, 0, b'a']);
        assert_eq!(bytes[73..81], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes.len(), 73 + 8 + 12 + 12 + 8 + 8 + 32 + 16);
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let bytes = encode(&[row(b"a", 3), row(b"b", 4)], Algorithm::Sha256).unwrap();
        assert_eq!(decode(&bytes, Algorithm::Sha256).unwrap().len(), 2);
        assert!(decode(&bytes, Algorithm::Blake3).is_none());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(decode(&damaged, Algorithm::Sha256).is_none(), "{at}");
            assert!(decode(&bytes[..at], Algorithm::Sha256).is_none(), "{at}");
        }
        let unsorted = encode(&[row(b"b", 3), row(b"a", 4)], Algorithm::Sha256).unwrap();
        assert!(decode(&unsorted, Algorithm::Sha256).is_none());
    }

    #[test]
    fn a_count_that_lies_reserves_nothing() {
        let mut payload = u64::MAX.to_le_bytes().to_vec();
        payload.extend_from_slice(&[0; 64]);
        let mut bytes = encode(&[], Algorithm::Sha256).unwrap()[..16].to_vec();
        bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        bytes.extend_from_slice(checksum(&payload).as_bytes());
        bytes.extend_from_slice(&payload);
        assert!(decode(&bytes, Algorithm::Sha256).is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(paths in proptest::collection::btree_set(proptest::collection::vec(1u8.., 1..20), 0..30)) {
            let rows: Vec<Row> = paths.iter().map(|path| row(path, 1)).collect();
            let bytes = encode(&rows, Algorithm::Sha256).unwrap();
            prop_assert_eq!(decode(&bytes, Algorithm::Sha256).unwrap(), rows);
        }
    }
}
