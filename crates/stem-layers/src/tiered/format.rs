//! The bytes of what lies beside a cache: `docs/format/tiered.md`.
//!
//! Pure: bytes in, `Result` out, nothing is reserved that the length of the bytes does not vouch for.

use std::fmt;

use stem_hash::{Algorithm, Hasher, ObjectId};
use thiserror::Error;

/// The version of lists and of the file `tier`.
pub(super) const VERSION: u32 = 1;
/// Bytes before the first row.
pub(super) const HEADER_LEN: usize = 64;
/// Bytes of a row.
pub(super) const ROW_LEN: usize = 40;
/// Most rows of a list in the queue: what is rewritten when a batch has arrived stays small.
pub(super) const MAX_QUEUE_ROWS: usize = 16_384;
/// Most rows of a list of access times.
pub(super) const MAX_ACCESS_ROWS: usize = 1_000_000;
/// The longest `tier`.
pub(super) const MAX_TIER: u64 = 16 << 10;

/// Where the fields of the header are; the page says what they mean.
const AT_VERSION: usize = 8;
const AT_ROW_LEN: usize = 12;
const AT_COUNT: usize = 16;
const AT_TIME: usize = 24;
const AT_HASH: usize = 32;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListKind {
    /// Objects to be sent.
    Queue,
    /// Objects to be sent if they are not there.
    Suspected,
    /// Times of last use.
    Access,
}

impl ListKind {
    const ALL: [Self; 3] = [Self::Queue, Self::Suspected, Self::Access];

    fn magic(self) -> [u8; 8] {
        match self {
            Self::Queue => *b"STEMTIRQ",
            Self::Suspected => *b"STEMTIRS",
            Self::Access => *b"STEMTIRA",
        }
    }

    /// Most rows of such a list.
    pub(super) fn max_rows(self) -> usize {
        match self {
            Self::Queue | Self::Suspected => MAX_QUEUE_ROWS,
            Self::Access => MAX_ACCESS_ROWS,
        }
    }

    /// Its longest file.
    pub(super) fn max_len(self) -> u64 {
        (HEADER_LEN + self.max_rows() * ROW_LEN) as u64
    }
}

/// An object, with its size or the time of its last use.
pub(super) type Row = (ObjectId, u64);

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// What it is of.
    pub(super) kind: ListKind,
    /// When it was written, in microseconds since 1970.
    pub(super) time: u64,
    /// Sorted by id, each id once.
    pub(super) rows: Vec<Row>,
}

/// Why bytes are no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum ListError {
    /// A later version wrote it.
    #[error("it has version {0}; this program reads version 1")]
    Version(u32),
    /// Whatever else.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ListError> {
    let part = at.checked_add(N).and_then(|end| bytes.get(at..end));
    part.and_then(|part| part.try_into().ok()).ok_or(ListError::Damaged("it is cut short"))
}

fn hash(before: &[u8], rows: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(before);
    hasher.update(rows);
    hasher.finish().id
}

/// The bytes of a list. `rows` has at most [`ListKind::max_rows`] of them, sorted, each id once.
pub(super) fn encode(list: &List) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + list.rows.len() * ROW_LEN);
    bytes.extend_from_slice(&list.kind.magic());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&40_u32.to_le_bytes());
    bytes.extend_from_slice(&(list.rows.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&list.time.to_le_bytes());
    let mut rows = Vec::with_capacity(list.rows.len() * ROW_LEN);
    for (id, number) in &list.rows {
        rows.extend_from_slice(id.as_bytes());
        rows.extend_from_slice(&number.to_le_bytes());
    }
    let hash = hash(&bytes, &rows);
    bytes.extend_from_slice(hash.as_bytes());
    bytes.append(&mut rows);
    bytes
}

/// The list that these bytes are.
pub(super) fn decode(bytes: &[u8]) -> Result<List, ListError> {
    let damaged = |what| Err(ListError::Damaged(what));
    let magic: [u8; 8] = field(bytes, 0)?;
    let Some(kind) = ListKind::ALL.into_iter().find(|kind| kind.magic() == magic) else {
        return damaged("it does not begin as a list does");
    };
    let version = u32::from_le_bytes(field(bytes, AT_VERSION)?);
    if version != VERSION {
        return Err(ListError::Version(version));
    }
    if u32::from_le_bytes(field(bytes, AT_ROW_LEN)?) as usize != ROW_LEN {
        return damaged("its rows have another length");
    }
    let wanted: [u8; 32] = field(bytes, AT_HASH)?;
    let rows = bytes.get(HEADER_LEN..).unwrap_or_default();
    let count = rows.len() / ROW_LEN;
    let said = u64::from_le_bytes(field(bytes, AT_COUNT)?);
    if !rows.len().is_multiple_of(ROW_LEN) || said != count as u64 || count == 0 {
        return damaged("its length does not follow from its rows");
    }
    if count > kind.max_rows() {
        return damaged("it has too many rows");
    }
    if hash(bytes.get(..AT_HASH).unwrap_or_default(), rows).as_bytes() != &wanted {
        return damaged("its checksum does not agree");
    }
    let mut list =
        List { kind, time: u64::from_le_bytes(field(bytes, AT_TIME)?), rows: Vec::with_capacity(count) };
    for row in rows.chunks_exact(ROW_LEN) {
        let (id, number) = (ObjectId::from_bytes(field(row, 0)?), u64::from_le_bytes(field(row, 32)?));
        if list.rows.last().is_some_and(|(before, _)| *before >= id) {
            return damaged("its rows are not sorted");
        }
        list.rows.push((id, number));
    }
    Ok(list)
}

/// Which cache and slower store a state directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TierFile {
    /// What makes the ids of both.
    pub(super) algorithm: Algorithm,
    /// The slower store.
    pub(super) remote: String,
}

impl fmt::Display for TierFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stem-tier {VERSION}\nhash {}\nremote {}\n", self.algorithm.name(), self.remote)
    }
}

impl TierFile {
    /// Of this store, whose name is written without characters that would end the line.
    pub(super) fn new(algorithm: Algorithm, remote: &str) -> Self {
        let plain = |ch: char| if ch.is_control() { ch.escape_default().collect() } else { String::from(ch) };
        Self { algorithm, remote: remote.chars().map(plain).collect() }
    }

    /// What these bytes say; the error is for people.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let mut lines = text.strip_suffix('\n').ok_or("it is cut short")?.split('\n');
        let mut value = |key: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(key)?.strip_prefix(' '));
            line.ok_or_else(|| format!("it lacks the line '{key}'"))
        };
        let version = value("stem-tier")?;
        if version != "1" {
            return Err(format!("it has version {}; this program reads version 1", version.escape_debug()));
        }
        let algorithm = value("hash")?.parse().map_err(|_| "its hash is unknown")?;
        let remote = value("remote")?.to_owned();
        match lines.next() {
            None => Ok(Self { algorithm, remote }),
            Some(_) => Err("it has lines too many".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = include_str!("../../../../docs/format/tiered.md");

    fn id(first: u8) -> ObjectId {
        ObjectId::from_bytes(std::array::from_fn(|at| if at == 0 { first } else { 7 }))
    }

    fn list(kind: ListKind) -> List {
        List { kind, time: 1_795_336_453_597_654, rows: vec![(id(1), 0), (id(2), 5 << 30), (id(9), 77)] }
    }

    /// What a released version wrote stays readable, and is what is written still.
    #[test]
    fn golden_files() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiered");
        let tier = TierFile::new(Algorithm::Sha256, "s3://bucket/prefix");
        let files: [(&str, Vec<u8>); 4] = [
            ("queue-1", encode(&list(ListKind::Queue))),
            ("suspected-1", encode(&list(ListKind::Suspected))),
            ("access-1", encode(&list(ListKind::Access))),
            ("tier-1", tier.to_string().into_bytes()),
        ];
        for (name, bytes) in &files {
            let path = format!("{golden}/{name}");
            if std::env::var_os("STEM_WRITE_GOLDEN").is_some() {
                std::fs::write(&path, bytes).unwrap();
            }
            assert!(std::fs::read(&path).unwrap() == *bytes, "{name}");
        }
        for (kind, (name, bytes)) in ListKind::ALL.into_iter().zip(&files) {
            assert_eq!(decode(bytes).unwrap(), list(kind), "{name}");
        }
        assert_eq!(TierFile::parse(&files[3].1).unwrap(), tier);
    }

    #[test]
    fn the_page_has_these_numbers() {
        for kind in ListKind::ALL {
            let magic = String::from_utf8(kind.magic().to_vec()).unwrap();
            assert!(PAGE.contains(&format!("`{magic}`")), "{magic}");
        }
        for row in ["| 8 | 4 | version, `1`", "| 12 | 4 | length of a row, 40", "| 64 | … | rows"] {
            assert!(PAGE.contains(row), "{row}");
        }
        for (at, size) in [(AT_COUNT, 8), (AT_TIME, 8), (AT_HASH, 32)] {
            assert!(PAGE.contains(&format!("| {at} | {size} |")), "{at}");
        }
        assert!(PAGE.contains("16,384") && PAGE.contains("1,000,000"));
        assert_eq!((MAX_QUEUE_ROWS, MAX_ACCESS_ROWS, HEADER_LEN, ROW_LEN), (16_384, 1_000_000, 64, 40));
    }

    #[test]
    fn no_part_and_no_change_of_a_list_is_a_list() {
        let bytes = encode(&list(ListKind::Queue));
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_err(), "byte {at}");
        }
        assert!(decode(&[&bytes[..], &[0; 40]].concat()).is_err());
        let mut later = bytes;
        later[AT_VERSION] = 2;
        assert_eq!(decode(&later), Err(ListError::Version(2)));
        let unsorted = List { rows: vec![(id(2), 0), (id(1), 0)], ..list(ListKind::Access) };
        assert!(decode(&encode(&unsorted)).is_err());
        let twice = List { rows: vec![(id(2), 0), (id(2), 1)], ..list(ListKind::Access) };
        assert!(decode(&encode(&twice)).is_err());
        let none = List { rows: Vec::new(), ..list(ListKind::Queue) };
        assert!(decode(&encode(&none)).is_err());
    }

    #[test]
    fn a_tier_is_read_as_a_whole_or_not_at_all() {
        for bad in [
            "",
            "stem-tier 1\nhash sha256\nremote x",
            "stem-tier 2\nhash sha256\nremote x\n",
            "stem-tier 1\nhash md5\nremote x\n",
            "stem-tier 1\nremote x\nhash sha256\n",
            "stem-tier 1\nhash sha256\nremote x\nmore\n",
        ] {
            assert!(TierFile::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let odd = TierFile::new(Algorithm::Blake3, "sharded:a\nb\u{1b}");
        assert_eq!(TierFile::parse(odd.to_string().as_bytes()).unwrap(), odd);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = TierFile::parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(rows in proptest::collection::btree_map(any::<[u8; 32]>(), any::<u64>(), 1..50), time: u64) {
            let rows = rows.into_iter().map(|(id, number)| (ObjectId::from_bytes(id), number)).collect();
            let list = List { kind: ListKind::Access, time, rows };
            prop_assert_eq!(decode(&encode(&list)).unwrap(), list);
        }
    }
}
