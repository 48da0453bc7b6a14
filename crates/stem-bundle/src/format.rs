//! The fixed structures: header, rows of the table, footer. Pure; offsets as in `docs/format/bundle.md`.

use stem_hash::{Algorithm, Checksum, Hasher, ObjectId};
use stem_pack::format::PackId;

use crate::error::{Error, Result};

/// Bytes at a fixed offset.
#[derive(Debug, Clone, Copy)]
struct Field {
    at: usize,
    len: usize,
}

impl Field {
    const fn of(at: usize, len: usize) -> Self {
        Self { at, len }
    }

    const fn end(self) -> usize {
        self.at + self.len
    }

    fn get(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.at..self.end()).unwrap_or_default()
    }

    /// The field as a number; it has at most 8 bytes.
    fn number(self, bytes: &[u8]) -> u64 {
        self.get(bytes).iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn set(self, bytes: &mut [u8], value: &[u8]) {
        if let Some(place) = bytes.get_mut(self.at..self.end()) {
            for (to, from) in place.iter_mut().zip(value) {
                *to = *from;
            }
        }
    }
}

mod header {
    use super::Field;
    pub(super) const MAGIC: Field = Field::of(0, 8);
    pub(super) const VERSION: Field = Field::of(8, 4);
    pub(super) const ALGORITHM: Field = Field::of(12, 4);
    pub(super) const ID: Field = Field::of(16, 16);
    pub(super) const ENTRY_LEN: Field = Field::of(32, 8);
    pub(super) const ROWS: Field = Field::of(40, 8);
    pub(super) const PRESENT: Field = Field::of(48, 8);
    pub(super) const RAW_LEN: Field = Field::of(56, 8);
    pub(super) const DIGEST: Field = Field::of(64, 32);
    pub(super) const COMPRESSION: Field = Field::of(96, 4);
    pub(super) const RESERVED: Field = Field::of(100, 20);
    pub(super) const CHECK: Field = Field::of(120, 8);
    #[cfg(test)]
    pub(super) const TABLE: [Field; 12] = [
        MAGIC,
        VERSION,
        ALGORITHM,
        ID,
        ENTRY_LEN,
        ROWS,
        PRESENT,
        RAW_LEN,
        DIGEST,
        COMPRESSION,
        RESERVED,
        CHECK,
    ];
}

mod row {
    use super::Field;
    pub(super) const ID: Field = Field::of(0, 32);
    pub(super) const LEN: Field = Field::of(32, 8);
    pub(super) const FLAGS: Field = Field::of(40, 1);
    pub(super) const RESERVED: Field = Field::of(41, 7);
    #[cfg(test)]
    pub(super) const TABLE: [Field; 4] = [ID, LEN, FLAGS, RESERVED];
}

mod footer {
    use super::Field;
    pub(super) const MAGIC: Field = Field::of(0, 8);
    pub(super) const RECORDS: Field = Field::of(8, 8);
    pub(super) const OFFSET: Field = Field::of(16, 8);
    pub(super) const DIGEST: Field = Field::of(24, 32);
    pub(super) const CHECK: Field = Field::of(56, 8);
    #[cfg(test)]
    pub(super) const TABLE: [Field; 5] = [MAGIC, RECORDS, OFFSET, DIGEST, CHECK];
}

/// What every bundle begins with.
pub const MAGIC: [u8; 8] = *b"STEMBNDL";
const FOOTER_MAGIC: [u8; 8] = *b"STEMBEND";
const VERSION: u64 = 1;
const LEFT_OUT: u8 = 1;

/// Length of the header in bytes.
pub const HEADER_LEN: usize = header::CHECK.end();
/// Length of a row of the object table in bytes.
pub const ROW_LEN: usize = row::RESERVED.end();
/// Length of the footer in bytes.
pub const FOOTER_LEN: usize = footer::CHECK.end();
/// The longest entry in bytes, that of a repository.
pub const MAX_ENTRY: u64 = 512 << 20;
/// The most rows of the table, as many as a manifest has paths.
pub const MAX_ROWS: u64 = 5_000_000;
const MAX_LEN: u64 = i64::MAX as u64;

/// How the objects of a bundle are made smaller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all: fastest.
    None,
    /// Samples by the audio codecs, everything else by zstd.
    #[default]
    Audio,
}

impl Compression {
    /// What the coder is told.
    pub(crate) fn coding(self) -> stem_pack::Compression {
        match self {
            Self::None => stem_pack::Compression::Raw,
            Self::Audio => stem_pack::Compression::default(),
        }
    }
}

/// An object of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: ObjectId,
    /// Its length in bytes.
    pub len: u64,
    /// Whether it is left out because the receiver has it.
    pub left_out: bool,
}

/// What stands before the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// What made the object ids.
    pub algorithm: Algorithm,
    /// How the objects were made smaller.
    pub compression: Compression,
    /// The entry's text.
    pub entry: Vec<u8>,
    /// The objects, in rising order of their ids.
    pub rows: Vec<Row>,
}

impl Front {
    /// How many objects are in the bundle.
    pub fn present(&self) -> u64 {
        self.rows.iter().filter(|row| !row.left_out).count() as u64
    }

    /// Their length together in bytes.
    pub fn raw_len(&self) -> u64 {
        self.rows.iter().filter(|row| !row.left_out).fold(0, |sum, row| sum.saturating_add(row.len))
    }

    /// Header, entry and table; and the id that records are bound to.
    pub(crate) fn encode(&self) -> std::result::Result<(Vec<u8>, PackId), String> {
        let algorithm: u32 = match self.algorithm {
            Algorithm::Sha256 => 1,
            Algorithm::Blake3 => 2,
            other => return Err(format!("there is no number for {other:?} ids")),
        };
        let (entry_len, rows) = (self.entry.len() as u64, self.rows.len() as u64);
        if entry_len > MAX_ENTRY || rows > MAX_ROWS || self.raw_len() > MAX_LEN {
            return Err("the entry or its objects are beyond the limits of the format".into());
        }
        if !self.rows.is_sorted_by(|a, b| a.id < b.id) {
            return Err("the objects are not in rising order".into());
        }
        let mut tail = Vec::with_capacity(self.entry.len() + self.rows.len() * ROW_LEN);
        tail.extend_from_slice(&self.entry);
        for one in &self.rows {
            let mut bytes = [0; ROW_LEN];
            row::ID.set(&mut bytes, one.id.as_bytes());
            row::LEN.set(&mut bytes, &one.len.to_le_bytes());
            row::FLAGS.set(&mut bytes, &[if one.left_out { LEFT_OUT } else { 0 }]);
            tail.extend_from_slice(&bytes);
        }
        let compression: u32 = match self.compression {
            Compression::None => 0,
            Compression::Audio => 1,
        };
        let mut bytes = [0; HEADER_LEN];
        header::MAGIC.set(&mut bytes, &MAGIC);
        header::VERSION.set(&mut bytes, &VERSION.to_le_bytes());
        header::ALGORITHM.set(&mut bytes, &algorithm.to_le_bytes());
        header::ENTRY_LEN.set(&mut bytes, &entry_len.to_le_bytes());
        header::ROWS.set(&mut bytes, &rows.to_le_bytes());
        header::PRESENT.set(&mut bytes, &self.present().to_le_bytes());
        header::RAW_LEN.set(&mut bytes, &self.raw_len().to_le_bytes());
        header::DIGEST.set(&mut bytes, blake3(&tail).as_bytes());
        header::COMPRESSION.set(&mut bytes, &compression.to_le_bytes());
        let id = bundle_id(&bytes);
        header::ID.set(&mut bytes, id.as_bytes());
        let check = check64(header::CHECK, &bytes);
        header::CHECK.set(&mut bytes, &check.to_le_bytes());
        let mut front = bytes.to_vec();
        front.append(&mut tail);
        Ok((front, id))
    }
}

/// What the header says, checked as far as it can be without what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) compression: Compression,
    pub(crate) id: PackId,
    pub(crate) entry_len: u64,
    pub(crate) rows: u64,
    present: u64,
    raw_len: u64,
    digest: [u8; 32],
}

impl Header {
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self> {
        let damaged = |problem: &str| Error::damaged(0, "header", problem);
        if header::MAGIC.get(bytes) != MAGIC {
            return Err(Error::NotABundle);
        }
        // The version comes before the check: a later version may check otherwise.
        let version = header::VERSION.number(bytes);
        if version != VERSION {
            return Err(Error::Newer { what: "version", found: version });
        }
        if check64(header::CHECK, bytes) != header::CHECK.number(bytes) {
            return Err(damaged("it does not agree with its checksum"));
        }
        let id = bundle_id(bytes);
        if header::ID.get(bytes) != id.as_bytes() {
            return Err(damaged("its id does not follow from its content"));
        }
        if header::RESERVED.get(bytes).iter().any(|&byte| byte != 0) {
            return Err(damaged("a reserved field is not zero"));
        }
        let bounded = |field: Field, what, limit| match field.number(bytes) {
            value if value > limit => Err(Error::TooLarge { what, value, limit }),
            value => Ok(value),
        };
        let rows = bounded(header::ROWS, "number of objects", MAX_ROWS)?;
        let mut digest = [0; 32];
        digest.copy_from_slice(header::DIGEST.get(bytes));
        Ok(Self {
            algorithm: match header::ALGORITHM.number(bytes) {
                1 => Algorithm::Sha256,
                2 => Algorithm::Blake3,
                found => return Err(Error::Newer { what: "algorithm of object ids", found }),
            },
            compression: match header::COMPRESSION.number(bytes) {
                0 => Compression::None,
                1 => Compression::Audio,
                found => return Err(Error::Newer { what: "way of coding", found }),
            },
            id,
            entry_len: bounded(header::ENTRY_LEN, "length of the entry", MAX_ENTRY)?,
            rows,
            present: bounded(header::PRESENT, "number of objects in it", rows)?,
            raw_len: bounded(header::RAW_LEN, "length of the objects", MAX_LEN)?,
            digest,
        })
    }

    /// Entry and rows, which follow the header.
    pub(crate) fn front(&self, entry: Vec<u8>, table: &[u8]) -> Result<Front> {
        let at = HEADER_LEN as u64;
        let damaged = |problem: &str| Error::damaged(at, "entry or object table", problem);
        let mut hasher = Hasher::new(Algorithm::Blake3);
        hasher.update(&entry);
        hasher.update(table);
        if hasher.finish().id.as_bytes() != &self.digest {
            return Err(damaged("they do not agree with their checksum"));
        }
        let mut rows = Vec::with_capacity(table.len() / ROW_LEN);
        for bytes in table.chunks_exact(ROW_LEN) {
            let [flags] = row::FLAGS.get(bytes) else { return Err(damaged("a row is too short")) };
            if flags & !LEFT_OUT != 0 || row::RESERVED.get(bytes).iter().any(|&byte| byte != 0) {
                return Err(damaged("a reserved field is not zero"));
            }
            let mut id = [0; 32];
            id.copy_from_slice(row::ID.get(bytes));
            let len = row::LEN.number(bytes);
            if len > MAX_LEN {
                return Err(Error::TooLarge { what: "length of an object", value: len, limit: MAX_LEN });
            }
            rows.push(Row { id: ObjectId::from_bytes(id), len, left_out: flags & LEFT_OUT != 0 });
        }
        if !rows.is_sorted_by(|a, b| a.id < b.id) {
            return Err(damaged("the objects are not in rising order"));
        }
        let front = Front { algorithm: self.algorithm, compression: self.compression, entry, rows };
        if (front.present(), front.raw_len()) != (self.present, self.raw_len) {
            return Err(damaged("the table and the header contradict each other"));
        }
        Ok(front)
    }
}

/// What stands at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) records: u64,
    pub(crate) offset: u64,
    pub(crate) digest: [u8; 32],
}

impl Footer {
    pub(crate) fn encode(&self) -> [u8; FOOTER_LEN] {
        let mut bytes = [0; FOOTER_LEN];
        footer::MAGIC.set(&mut bytes, &FOOTER_MAGIC);
        footer::RECORDS.set(&mut bytes, &self.records.to_le_bytes());
        footer::OFFSET.set(&mut bytes, &self.offset.to_le_bytes());
        footer::DIGEST.set(&mut bytes, &self.digest);
        let check = check64(footer::CHECK, &bytes);
        footer::CHECK.set(&mut bytes, &check.to_le_bytes());
        bytes
    }

    /// `Err` unless the bytes are this footer.
    pub(crate) fn check(&self, bytes: &[u8; FOOTER_LEN]) -> Result<()> {
        let problem = if footer::MAGIC.get(bytes) != FOOTER_MAGIC {
            "its magic is missing"
        } else if check64(footer::CHECK, bytes) != footer::CHECK.number(bytes) {
            "it does not agree with its checksum"
        } else if bytes != &self.encode() {
            "what stands before it is not what was written"
        } else {
            return Ok(());
        };
        Err(Error::damaged(self.offset, "footer", problem))
    }
}

/// The id that follows from a header.
fn bundle_id(bytes: &[u8; HEADER_LEN]) -> PackId {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(bytes.get(..header::ID.at).unwrap_or_default());
    hasher.update(bytes.get(header::ID.end()..header::CHECK.at).unwrap_or_default());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(hasher.finish().id.as_bytes()) {
        *to = *from;
    }
    PackId::from_bytes(id)
}

/// XXH3-64h of everything before the check.
fn check64(check: Field, bytes: &[u8]) -> u64 {
    let sum = Checksum::of(bytes.get(..check.at).unwrap_or_default()).as_u128() >> 64;
    u64::try_from(sum).unwrap_or_default()
}

fn blake3(bytes: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update_parallel(bytes);
    hasher.finish().id
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/format/bundle.md");

    fn table(heading: &str) -> Vec<(usize, usize)> {
        let (_, section) = PAGE.split_once(&format!("{heading}\n")).unwrap();
        let rows = section.lines().skip_while(|line| !line.starts_with("| offset | size |")).skip(2);
        let numbers = |line: &str| {
            let mut cells = line.split('|').map(|cell| cell.trim().parse().ok()).skip(1);
            (cells.next().unwrap().unwrap(), cells.next().unwrap().unwrap())
        };
        rows.take_while(|line| line.starts_with('|')).map(numbers).collect()
    }

    #[test]
    fn the_offsets_are_those_of_the_document() {
        let spans = |fields: &[Field]| fields.iter().map(|field| (field.at, field.len)).collect::<Vec<_>>();
        for (heading, fields, len) in [
            ("## Header", &header::TABLE[..], HEADER_LEN),
            ("## Object table", &row::TABLE[..], ROW_LEN),
            ("## Footer", &footer::TABLE[..], FOOTER_LEN),
        ] {
            assert_eq!(table(heading), spans(fields), "{heading}");
            let end = fields.iter().fold(0, |end, field| {
                assert_eq!(field.at, end, "{heading}");
                field.end()
            });
            assert_eq!(end, len, "{heading}");
        }
        assert!(PAGE.contains("at most 512 MiB") && PAGE.contains("at most 5,000,000"));
    }

    #[test]
    fn the_same_content_has_the_same_id_and_another_one_another() {
        let row = |n| Row { id: ObjectId::from_bytes([n; 32]), len: 5, left_out: n > 1 };
        let front = Front {
            algorithm: Algorithm::Sha256,
            compression: Compression::Audio,
            entry: b"{}".to_vec(),
            rows: vec![row(1), row(2)],
        };
        let (bytes, id) = front.encode().unwrap();
        assert_eq!(front.clone().encode().unwrap(), (bytes.clone(), id));
        let other = Front { compression: Compression::None, ..front.clone() };
        assert_ne!(other.encode().unwrap().1, id);
        let header = Header::decode(bytes.first_chunk().unwrap()).unwrap();
        let back =
            header.front(bytes[HEADER_LEN..HEADER_LEN + 2].to_vec(), &bytes[HEADER_LEN + 2..]).unwrap();
        assert_eq!(back, front);
        let twice = Front { rows: vec![row(1), row(1)], ..front };
        assert!(twice.encode().is_err());
    }
}
