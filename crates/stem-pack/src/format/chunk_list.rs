//! A large object as the list of its chunks.
//!
//! Each entry carries its own check, bound to the object, to the entry's number and to the end of the entry before. A
//! reader that wants a range of a long object finds it by binary search over a few entries and may trust them, without
//! reading the list from one end to the other. One checksum over the list was rejected for that reason.

use std::io;

use stem_hash::{Algorithm, Checksum, ObjectId};

use super::field::{Field, check64, first};
use super::{
    ATTRIBUTES_LEN, Attributes, FormatError, MAX_CHUNK, MAX_OBJECT, Result, Structure, algorithm_from_number,
    algorithm_to_number,
};

const OBJECT_LEN: Field<8> = Field::at(0);
const COUNT: Field<8> = Field::at(8);
const OBJECT_CHECKSUM: Field<16> = Field::at(16);
const ATTRIBUTES: Field<ATTRIBUTES_LEN> = Field::at(32);
const ALGORITHM: Field<1> = Field::at(48);
const FLAGS: Field<1> = Field::at(49);
const RESERVED: Field<6> = Field::at(50);
const CHECK: Field<8> = Field::at(56);

const CHUNK_ID: Field<32> = Field::at(0);
const CHUNK_END: Field<8> = Field::at(32);
const ENTRY_CHECK: Field<8> = Field::at(40);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] = &[
    OBJECT_LEN.span(),
    COUNT.span(),
    OBJECT_CHECKSUM.span(),
    ATTRIBUTES.span(),
    ALGORITHM.span(),
    FLAGS.span(),
    RESERVED.span(),
    CHECK.span(),
];

#[cfg(test)]
pub(super) const ENTRY_TABLE: &[(usize, usize)] = &[CHUNK_ID.span(), CHUNK_END.span(), ENTRY_CHECK.span()];

const FLAG_ATTRIBUTES: u8 = 1;
const HERE: Structure = Structure::ChunkList;

/// The length of a chunk list's header in bytes.
pub const CHUNK_LIST_HEADER_LEN: usize = CHECK.end();
/// The length of an entry in bytes.
pub const CHUNK_ENTRY_LEN: usize = ENTRY_CHECK.end();
/// The most chunks of one object.
pub const MAX_CHUNKS: u64 = u32::MAX as u64;

/// What a chunk list says of the whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkListHeader {
    /// The object's length in bytes.
    pub len: u64,
    /// The number of chunks, at least 1.
    pub count: u64,
    /// XXH3-128 of the object.
    pub checksum: Checksum,
    /// Permission bits and mtime, if they were given.
    pub attributes: Option<Attributes>,
    /// What the object's id was made with.
    pub algorithm: Algorithm,
}

fn header_check(object: &ObjectId, bytes: &[u8; CHUNK_LIST_HEADER_LEN]) -> [u8; 8] {
    let mut covered = [0; 32 + CHUNK_LIST_HEADER_LEN - 8];
    covered[..32].copy_from_slice(object.as_bytes());
    covered[32..].copy_from_slice(&bytes[..CHUNK_LIST_HEADER_LEN - 8]);
    check64(&covered).to_le_bytes()
}

impl ChunkListHeader {
    fn validate(&self) -> Result<()> {
        FormatError::bound(HERE, "length of the object", self.len, MAX_OBJECT)?;
        FormatError::bound(HERE, "number of chunks", self.count, MAX_CHUNKS)?;
        // Each chunk has at least one byte and at most `MAX_CHUNK`.
        if self.count == 0 || self.count > self.len || self.count.saturating_mul(MAX_CHUNK) < self.len {
            return Err(FormatError::contradiction(HERE, "its chunks cannot make up the object"));
        }
        Ok(())
    }

    /// The bytes of the header in the list of this object.
    pub fn encode(&self, object: &ObjectId) -> Result<[u8; CHUNK_LIST_HEADER_LEN]> {
        self.validate()?;
        let algorithm = algorithm_to_number(self.algorithm).ok_or(FormatError::Unknown {
            structure: HERE,
            what: "hash algorithm",
            value: 0,
        })?;
        let mut bytes = [0; CHUNK_LIST_HEADER_LEN];
        OBJECT_LEN.set(&mut bytes, self.len.to_le_bytes());
        COUNT.set(&mut bytes, self.count.to_le_bytes());
        OBJECT_CHECKSUM.set(&mut bytes, self.checksum.as_u128().to_le_bytes());
        ALGORITHM.set(&mut bytes, [algorithm]);
        if let Some(attributes) = &self.attributes {
            ATTRIBUTES.set(&mut bytes, *attributes.as_bytes());
            FLAGS.set(&mut bytes, [FLAG_ATTRIBUTES]);
        }
        let check = header_check(object, &bytes);
        CHECK.set(&mut bytes, check);
        Ok(bytes)
    }

    /// Reads the header from the beginning of the list of this object.
    pub fn decode(bytes: &[u8], object: &ObjectId) -> Result<Self> {
        let bytes: &[u8; CHUNK_LIST_HEADER_LEN] = first(bytes, HERE)?;
        if header_check(object, bytes) != CHECK.get(bytes) {
            return Err(FormatError::Check { structure: HERE });
        }
        RESERVED.is_reserved(bytes, HERE)?;
        let [flags] = FLAGS.get(bytes);
        let attributes = match flags {
            0 => {
                ATTRIBUTES.is_reserved(bytes, HERE)?;
                None
            }
            FLAG_ATTRIBUTES => Some(Attributes::decode(&ATTRIBUTES.get(bytes))?),
            _ => return Err(FormatError::Unknown { structure: HERE, what: "flag", value: flags.into() }),
        };
        let [algorithm] = ALGORITHM.get(bytes);
        let header = Self {
            len: u64::from_le_bytes(OBJECT_LEN.get(bytes)),
            count: u64::from_le_bytes(COUNT.get(bytes)),
            checksum: Checksum::from_u128(u128::from_le_bytes(OBJECT_CHECKSUM.get(bytes))),
            attributes,
            algorithm: algorithm_from_number(algorithm.into(), HERE)?,
        };
        header.validate()?;
        Ok(header)
    }

    /// The length of the whole list in bytes.
    pub fn list_len(&self) -> u64 {
        entry_offset(self.count)
    }
}

/// Where entry `number` begins in the list.
fn entry_offset(number: u64) -> u64 {
    number.saturating_mul(CHUNK_ENTRY_LEN as u64).saturating_add(CHUNK_LIST_HEADER_LEN as u64)
}

/// One chunk of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkEntry {
    /// BLAKE3 of the chunk's bytes.
    pub id: ObjectId,
    /// Where it begins in the object.
    pub start: u64,
    /// Where it ends in the object.
    pub end: u64,
}

impl ChunkEntry {
    /// The chunk's length in bytes, 1 to [`MAX_CHUNK`].
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Never, for an entry that was decoded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn encode(&self, object: &ObjectId, number: u64) -> [u8; CHUNK_ENTRY_LEN] {
        let mut bytes = [0; CHUNK_ENTRY_LEN];
        CHUNK_ID.set(&mut bytes, *self.id.as_bytes());
        CHUNK_END.set(&mut bytes, self.end.to_le_bytes());
        let check = entry_check(object, number, self.start, &bytes);
        ENTRY_CHECK.set(&mut bytes, check);
        bytes
    }

    fn decode(
        bytes: &[u8; CHUNK_ENTRY_LEN],
        object: &ObjectId,
        number: u64,
        start: u64,
        header: &ChunkListHeader,
    ) -> Result<Self> {
        if entry_check(object, number, start, bytes) != ENTRY_CHECK.get(bytes) {
            return Err(FormatError::Check { structure: HERE });
        }
        let end = u64::from_le_bytes(CHUNK_END.get(bytes));
        let len = end.saturating_sub(start);
        let is_last = number.saturating_add(1) == header.count;
        let ends_well = if is_last { end == header.len } else { end < header.len };
        if len == 0 || len > MAX_CHUNK || !ends_well {
            return Err(FormatError::contradiction(HERE, "a chunk ends where it cannot"));
        }
        Ok(Self { id: ObjectId::from_bytes(CHUNK_ID.get(bytes)), start, end })
    }
}

fn entry_check(object: &ObjectId, number: u64, start: u64, bytes: &[u8; CHUNK_ENTRY_LEN]) -> [u8; 8] {
    let mut covered = [0; 32 + 8 + 8 + CHUNK_ENTRY_LEN - 8];
    covered[..32].copy_from_slice(object.as_bytes());
    covered[32..40].copy_from_slice(&number.to_le_bytes());
    covered[40..48].copy_from_slice(&start.to_le_bytes());
    covered[48..].copy_from_slice(&bytes[..CHUNK_ENTRY_LEN - 8]);
    check64(&covered).to_le_bytes()
}

/// Collects the entries of an object while it is cut, before its id and length are known.
///
/// Takes 40 bytes for each chunk.
#[derive(Debug, Clone, Default)]
pub struct ChunkListBuilder {
    chunks: Vec<(ObjectId, u64)>,
}

impl ChunkListBuilder {
    /// The list of an object of which nothing has been seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a chunk of `len` bytes.
    pub fn push(&mut self, id: ObjectId, len: u64) -> Result<()> {
        FormatError::bound(HERE, "length of a chunk", len, MAX_CHUNK)?;
        FormatError::bound(HERE, "number of chunks", self.chunks.len() as u64 + 1, MAX_CHUNKS)?;
        if len == 0 {
            return Err(FormatError::contradiction(HERE, "a chunk is empty"));
        }
        let end = self.len().saturating_add(len);
        FormatError::bound(HERE, "length of the object", end, MAX_OBJECT)?;
        self.chunks.push((id, end));
        Ok(())
    }

    /// How many bytes of the object were seen.
    pub fn len(&self) -> u64 {
        self.chunks.last().map_or(0, |&(_, end)| end)
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The number of chunks.
    pub fn count(&self) -> u64 {
        self.chunks.len() as u64
    }

    /// The list of the object with this id, to be written piece by piece. An error for an empty object.
    pub fn finish(
        &self,
        object: &ObjectId,
        algorithm: Algorithm,
        checksum: Checksum,
        attributes: Option<Attributes>,
    ) -> Result<EncodedChunkList<'_>> {
        let header =
            ChunkListHeader { len: self.len(), count: self.count(), checksum, attributes, algorithm };
        Ok(EncodedChunkList { object: *object, header: header.encode(object)?, chunks: &self.chunks })
    }
}

/// The bytes of a chunk list, made as they are asked for.
#[derive(Debug, Clone)]
pub struct EncodedChunkList<'a> {
    object: ObjectId,
    header: [u8; CHUNK_LIST_HEADER_LEN],
    chunks: &'a [(ObjectId, u64)],
}

impl EncodedChunkList<'_> {
    /// The length in bytes.
    pub fn stored_len(&self) -> u64 {
        entry_offset(self.chunks.len() as u64)
    }

    /// Calls `visit` with one piece of the bytes after the other. May be called twice: once for the check that stands
    /// before the payload, once for the payload.
    pub fn pieces<E>(
        &self,
        mut visit: impl FnMut(&[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        visit(&self.header)?;
        let mut start = 0;
        for (number, &(id, end)) in (0..).zip(self.chunks) {
            visit(&ChunkEntry { id, start, end }.encode(&self.object, number))?;
            start = end;
        }
        Ok(())
    }

    /// The bytes in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(()) = self.pieces(|piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        bytes
    }
}

/// A chunk list that is read where it lies, entry by entry.
///
/// `read` fills a buffer from an offset of the payload, completely or with an error. Errors of the format arrive as
/// [`io::ErrorKind::InvalidData`] with a [`FormatError`] inside.
#[derive(Debug)]
pub struct ChunkList<R> {
    object: ObjectId,
    header: ChunkListHeader,
    read: R,
}

fn invalid(error: FormatError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: FnMut(&mut [u8], u64) -> io::Result<()>> ChunkList<R> {
    /// Reads the header of a payload of `stored_len` bytes, the list of this object of `raw_len` bytes (both from the
    /// record's header).
    pub fn open(object: &ObjectId, stored_len: u64, raw_len: u64, mut read: R) -> io::Result<Self> {
        let mut bytes = [0; CHUNK_LIST_HEADER_LEN];
        if stored_len < bytes.len() as u64 {
            let expected = bytes.len() as u64;
            return Err(invalid(FormatError::Length { structure: HERE, found: stored_len, expected }));
        }
        read(&mut bytes, 0)?;
        let header = ChunkListHeader::decode(&bytes, object).map_err(invalid)?;
        if header.list_len() != stored_len {
            let (found, expected) = (stored_len, header.list_len());
            return Err(invalid(FormatError::Length { structure: HERE, found, expected }));
        }
        if header.len != raw_len {
            return Err(invalid(FormatError::contradiction(
                HERE,
                "its length is not that of the record's header",
            )));
        }
        Ok(Self { object: *object, header, read })
    }

    /// What the list says of the whole object.
    pub fn header(&self) -> &ChunkListHeader {
        &self.header
    }

    /// Entries `number` to `number + count`, as many as there are; fewer when `out` would take more than fits the
    /// memory for 65,536 entries. At least one unless `number` is beyond the last.
    pub fn entries(&mut self, number: u64, count: u64, out: &mut Vec<ChunkEntry>) -> io::Result<()> {
        const MOST: u64 = 65_536;
        out.clear();
        let count = count.min(self.header.count.saturating_sub(number)).min(MOST);
        if count == 0 {
            return Ok(());
        }
        // The entry before the first one says where that begins.
        let from = number.saturating_sub(1);
        let before = usize::from(number > 0);
        let total = usize::try_from(count).unwrap_or(0) + before;
        let mut bytes = vec![0; total * CHUNK_ENTRY_LEN];
        (self.read)(&mut bytes, entry_offset(from))?;
        let (rows, _) = bytes.as_chunks::<CHUNK_ENTRY_LEN>();
        let mut rows = rows.iter();
        let mut start = 0;
        if number > 0
            && let Some(row) = rows.next()
        {
            start = u64::from_le_bytes(CHUNK_END.get(row));
        }
        for (number, row) in (number..).zip(rows) {
            let entry =
                ChunkEntry::decode(row, &self.object, number, start, &self.header).map_err(invalid)?;
            start = entry.end;
            out.push(entry);
        }
        Ok(())
    }

    /// The number of the chunk that holds the byte at `position`; `None` at the object's end and beyond.
    pub fn find(&mut self, position: u64) -> io::Result<Option<u64>> {
        if position >= self.header.len {
            return Ok(None);
        }
        let mut pair = Vec::new();
        let (mut low, mut high) = (0, self.header.count);
        // The chunk is one of `low..high`. Every entry that is met is checked, so ends that do not rise are noticed at the
        // latest when the chunk that was found is read.
        while low < high {
            let middle = low + (high - low) / 2;
            self.entries(middle, 1, &mut pair)?;
            match pair.first() {
                Some(entry) if position < entry.start => high = middle,
                Some(entry) if position >= entry.end => low = middle + 1,
                _ => return Ok(Some(middle)),
            }
        }
        Err(invalid(FormatError::contradiction(HERE, "no chunk covers a part of the object")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What reads a list; a name for it.
    trait Reads: FnMut(&mut [u8], u64) -> io::Result<()> {}
    impl<F: FnMut(&mut [u8], u64) -> io::Result<()>> Reads for F {}

    fn object() -> ObjectId {
        ObjectId::from_bytes([7; 32])
    }

    fn build(lens: &[u64]) -> Vec<u8> {
        let mut builder = ChunkListBuilder::new();
        for (number, &len) in lens.iter().enumerate() {
            let number = u8::try_from(number % 256).unwrap();
            builder.push(ObjectId::from_bytes([number; 32]), len).unwrap();
        }
        let list = builder.finish(&object(), Algorithm::Sha256, Checksum::of(b"x"), None).unwrap();
        let bytes = list.to_vec();
        assert_eq!(bytes.len() as u64, list.stored_len());
        bytes
    }

    fn open(bytes: &[u8], len: u64) -> io::Result<ChunkList<impl Reads>> {
        ChunkList::open(&object(), bytes.len() as u64, len, move |buf: &mut [u8], at| {
            let at = usize::try_from(at).unwrap();
            let from = bytes.get(at..at + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            buf.copy_from_slice(from);
            Ok(())
        })
    }

    fn read_all(bytes: &[u8], len: u64) -> io::Result<Vec<ChunkEntry>> {
        let mut list = open(bytes, len)?;
        let mut entries = Vec::new();
        list.entries(0, u64::MAX, &mut entries)?;
        Ok(entries)
    }

    proptest! {
        #[test]
        fn every_position_is_found(lens in proptest::collection::vec(1u64..9, 1..60)) {
            let len = lens.iter().sum();
            let bytes = build(&lens);
            let all = read_all(&bytes, len).unwrap();
            prop_assert_eq!(all.iter().map(ChunkEntry::len).collect::<Vec<_>>(), lens);
            let mut list = open(&bytes, len).unwrap();
            for position in 0..len {
                let number = list.find(position).unwrap().unwrap();
                let mut entry = Vec::new();
                list.entries(number, 1, &mut entry).unwrap();
                prop_assert!(entry[0].start <= position && position < entry[0].end);
                prop_assert_eq!(entry[0], all[usize::try_from(number).unwrap()]);
            }
            prop_assert_eq!(list.find(len).unwrap(), None);
        }
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let bytes = build(&[5, 6, 7]);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(read_all(&damaged, 18).is_err(), "{at}");
            assert!(read_all(&bytes[..at], 18).is_err(), "{at}");
        }
        assert!(read_all(&bytes, 19).is_err());
    }

    #[test]
    fn entries_of_another_object_or_place_are_refused() {
        let bytes = build(&[5, 5, 5]);
        let mut swapped = bytes.clone();
        let (at, len) = (CHUNK_LIST_HEADER_LEN, CHUNK_ENTRY_LEN);
        swapped[at..at + len].copy_from_slice(&bytes[at + len..at + 2 * len]);
        assert!(read_all(&swapped, 15).is_err());
        assert!(ChunkListHeader::decode(&bytes, &ObjectId::from_bytes([8; 32])).is_err());
    }

    #[test]
    fn attributes_are_kept_and_impossible_lists_refused() {
        let metadata =
            stem_store::FileMetadata { mode: 0o640, mtime: stem_fs::Timestamp { secs: 1, nanos: 2 } };
        let header = ChunkListHeader {
            len: 10,
            count: 2,
            checksum: Checksum::of(b"abc"),
            attributes: Some(Attributes::new(&metadata)),
            algorithm: Algorithm::Blake3,
        };
        let bytes = header.encode(&object()).unwrap();
        assert_eq!(ChunkListHeader::decode(&bytes, &object()), Ok(header));
        for (len, count) in [(0, 0), (5, 6), (MAX_CHUNK * 2 + 1, 2), (MAX_OBJECT + 1, MAX_CHUNKS)] {
            assert!(ChunkListHeader { len, count, ..header }.encode(&object()).is_err(), "{len} {count}");
        }
        let mut builder = ChunkListBuilder::new();
        assert!(builder.finish(&object(), Algorithm::Sha256, Checksum::of(b""), None).is_err());
        assert!(builder.push(object(), 0).is_err());
        assert!(builder.push(object(), MAX_CHUNK + 1).is_err());
        assert!(builder.push(object(), MAX_CHUNK).is_ok());
    }
}
