//! Records read from a pack's file, each believed only after its checks.

use std::io;
use std::path::Path;
use std::sync::Arc;

use stem_fs::{OpenFile, Timestamp};
use stem_hash::ObjectId;

use crate::depot::DepotFile;

use crate::format::{
    Attributes, ChunkEntry, ChunkList, FormatError, Kind, MAX_CHUNK, PACK_HEADER_LEN, PackHeader, PackId,
    PayloadCheck, PayloadHasher, Place, RECORD_HEADER_LEN, RecordHeader, Structure,
};
use crate::source::ReadAt;

/// Why a copy of a record cannot be had.
#[derive(Debug)]
pub(crate) enum Bad {
    /// The pack's file is gone: somebody repacked.
    Vanished,
    /// What stands there is not what it should be.
    Damaged(String),
    /// No such record stands there: the index is wrong, or the record's header is damaged.
    Misled(String),
    /// The medium failed.
    Unreadable(stem_fs::Error),
}

impl Bad {
    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }

    /// Damage that an error tells of.
    pub(crate) fn told(error: &dyn std::error::Error) -> Self {
        Self::Damaged(error.to_string())
    }

    /// Damage where a record's header should be.
    fn misled(self) -> Self {
        match self {
            Self::Damaged(reason) => Self::Misled(reason),
            other => other,
        }
    }

    /// The words for it.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Vanished => "the pack is gone".to_owned(),
            Self::Damaged(reason) | Self::Misled(reason) => reason.clone(),
            Self::Unreadable(error) => error.to_string(),
        }
    }
}

impl From<FormatError> for Bad {
    fn from(error: FormatError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// A pack's file, open for reading; published or still growing.
#[derive(Debug, Clone)]
pub(crate) struct PackFile {
    pub(crate) id: PackId,
    pub(crate) file: Bytes,
}

/// Where the bytes of a pack come from.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Here(Arc<OpenFile>),
    /// `fresh`: what is read will be relied on.
    Far {
        file: Arc<dyn DepotFile>,
        fresh: bool,
    },
}

impl Bytes {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Here(file) => file.path(),
            Self::Far { file, .. } => Path::new(file.name()),
        }
    }

    /// Since when the pack has its name, by a clock that no program sets.
    pub(crate) fn since(&self) -> stem_fs::Result<Option<Timestamp>> {
        match self {
            // Nothing touches a pack after it got its name.
            Self::Here(file) => Ok(Some(file.stat()?.ctime)),
            Self::Far { file, .. } => Ok(file.since()),
        }
    }

    /// What was read at `offset` was damaged. Says whether reading again may help.
    pub(crate) fn forget(&self, offset: u64) -> bool {
        match self {
            Self::Here(_) => false,
            Self::Far { file, .. } => {
                file.forget(offset);
                true
            }
        }
    }
}

impl ReadAt for Bytes {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Here(file) => file.read_at(buf, offset),
            Self::Far { file, fresh } => file.read_at(buf, offset, *fresh),
        }
    }

    fn len(&self) -> io::Result<u64> {
        match self {
            Self::Here(file) => ReadAt::len(&**file),
            Self::Far { file, .. } => Ok(file.len()),
        }
    }
}

/// Where a record stands.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) pack: PackFile,
    pub(crate) offset: u64,
}

/// A record whose header was checked.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) spot: Spot,
    pub(crate) header: RecordHeader,
}

impl PackFile {
    /// Whether the pack's header is sound, without which its records cannot be found but by an index.
    pub(crate) fn has_header(&self) -> bool {
        // In a depot the index is kept as well as the pack is, and not on a disk that loses it more easily.
        if let Bytes::Far { .. } = self.file {
            return true;
        }
        let mut bytes = [0; PACK_HEADER_LEN];
        self.read_exact_at(&mut bytes, 0).is_ok()
            && PackHeader::decode(&bytes).is_ok_and(|header| header.id == self.id)
    }

    /// Whether the error says that the depot has the pack no more.
    fn is_gone(&self, error: &io::Error) -> bool {
        matches!(self.file, Bytes::Far { .. }) && error.kind() == io::ErrorKind::NotFound
    }

    /// Fills `buf` from `offset` on. A file that ends before is damaged: packs never shrink.
    pub(crate) fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<(), Bad> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.file.read_at(&mut buf[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => return Err(Bad::damaged("the pack ends before the record does")),
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.is_gone(&error) => return Err(Bad::Vanished),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Bad::damaged("the pack ends before the record does"));
                }
                Err(error) => {
                    return Err(Bad::Unreadable(stem_fs::Error::new("read", self.file.path(), error)));
                }
            }
        }
        Ok(())
    }
}

impl Spot {
    fn place(&self) -> Place {
        Place { pack: self.pack.id, offset: self.offset }
    }

    /// Reads the record's header, which must be of this id and of one of these kinds.
    pub(crate) fn open(&self, id: &ObjectId, kinds: &[Kind]) -> Result<Record, Bad> {
        let mut bytes = [0; RECORD_HEADER_LEN];
        self.pack.read_exact_at(&mut bytes, self.offset).map_err(Bad::misled)?;
        self.decode(&bytes, id, kinds)
    }

    /// Reads the record's header, whatever it is.
    pub(crate) fn any(&self) -> Result<Record, Bad> {
        let mut bytes = [0; RECORD_HEADER_LEN];
        self.pack.read_exact_at(&mut bytes, self.offset).map_err(Bad::misled)?;
        let header = RecordHeader::decode(&bytes, &self.place())?;
        Ok(Record { spot: self.clone(), header })
    }

    fn decode(&self, bytes: &[u8; RECORD_HEADER_LEN], id: &ObjectId, kinds: &[Kind]) -> Result<Record, Bad> {
        let header =
            RecordHeader::decode(bytes, &self.place()).map_err(|error| Bad::Misled(error.to_string()))?;
        if header.id != *id || !kinds.contains(&header.kind) {
            return Err(Bad::Misled("another record stands where the index says".into()));
        }
        Ok(Record { spot: self.clone(), header })
    }

    /// Reads header and payload, both checked; for kinds whose payload is short. `expected` is the payload's length as
    /// the index has it, by which one call of the system does. The payload begins at the returned position of `bytes`.
    pub(crate) fn read(
        &self,
        id: &ObjectId,
        kinds: &[Kind],
        expected: Option<u64>,
        bytes: &mut Vec<u8>,
    ) -> Result<(Record, usize), Bad> {
        let longest = MAX_CHUNK + crate::format::ATTRIBUTES_LEN as u64;
        let expected = expected.filter(|&len| len <= longest).and_then(|len| usize::try_from(len).ok());
        bytes.clear();
        bytes.resize(RECORD_HEADER_LEN + expected.unwrap_or(0), 0);
        if self.pack.read_exact_at(bytes, self.offset).is_err() {
            // A file that ends early, or an index that lies: the header alone says which.
            bytes.truncate(RECORD_HEADER_LEN);
            self.pack.read_exact_at(bytes, self.offset).map_err(Bad::misled)?;
        }
        let head = bytes.first_chunk().ok_or_else(|| Bad::damaged("it is too short"))?;
        let record = self.decode(head, id, kinds)?;
        let len = usize::try_from(record.header.stored_len).unwrap_or(usize::MAX);
        // The header was validated: what it says is bounded, except for lists, which are not read here.
        if record.header.stored_len > longest {
            return Err(Bad::damaged("it is too long"));
        }
        if bytes.len() != RECORD_HEADER_LEN + len {
            bytes.resize(RECORD_HEADER_LEN + len, 0);
            self.pack.read_exact_at(&mut bytes[RECORD_HEADER_LEN..], record.payload_offset())?;
        }
        if PayloadCheck::of(&bytes[RECORD_HEADER_LEN..]) != record.header.payload_check {
            return Err(FormatError::Check { structure: Structure::Payload }.into());
        }
        Ok((record, RECORD_HEADER_LEN))
    }
}

impl Record {
    /// Where the payload begins.
    pub(crate) fn payload_offset(&self) -> u64 {
        self.spot.offset.saturating_add(RECORD_HEADER_LEN as u64)
    }

    /// The attributes in front of the payload of a whole object.
    pub(crate) fn attributes(&self) -> Result<Option<Attributes>, Bad> {
        if !self.header.attributes {
            return Ok(None);
        }
        let mut bytes = [0; crate::format::ATTRIBUTES_LEN];
        self.spot.pack.read_exact_at(&mut bytes, self.payload_offset())?;
        Ok(Some(Attributes::decode(&bytes)?))
    }

    /// Compares the payload with its check, in small pieces.
    pub(crate) fn check_payload(&self) -> Result<(), Bad> {
        let mut hasher = PayloadHasher::new();
        self.payload_pieces(|piece| {
            hasher.update(piece);
            Ok(())
        })?;
        if hasher.finish() == self.header.payload_check {
            Ok(())
        } else {
            Err(FormatError::Check { structure: Structure::Payload }.into())
        }
    }

    /// Shows the payload in pieces.
    pub(crate) fn payload_pieces(&self, mut show: impl FnMut(&[u8]) -> Result<(), Bad>) -> Result<(), Bad> {
        let (mut at, mut left) = (self.payload_offset(), self.header.stored_len);
        stem_store::with_buffer(|buffer| {
            while left > 0 {
                let step = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                let piece = &mut buffer[..step];
                self.spot.pack.read_exact_at(piece, at)?;
                show(piece)?;
                at += step as u64;
                left -= step as u64;
            }
            Ok(())
        })
    }

    /// The chunk list that this record is.
    pub(crate) fn chunk_list(&self) -> Result<ListWalk, Bad> {
        let (pack, start) = (self.spot.pack.clone(), self.payload_offset());
        let read: ListRead = Box::new(move |buf: &mut [u8], offset: u64| {
            pack.read_exact_at(buf, start.saturating_add(offset)).map_err(|bad| match bad {
                Bad::Unreadable(error) => error.source,
                other => io::Error::new(io::ErrorKind::InvalidData, other.reason()),
            })
        });
        let Self { header, .. } = self;
        let list = ChunkList::open(&header.id, header.stored_len, header.raw_len, read)
            .map_err(|error| from_list(error, &self.spot.pack))?;
        Ok(ListWalk { list, pack: self.spot.pack.clone(), block: Vec::new().into_iter(), next: 0 })
    }
}

type ListRead = Box<dyn FnMut(&mut [u8], u64) -> io::Result<()> + Send>;

/// Entries that are read at once.
const BLOCK: u64 = 512;

/// Walks a chunk list, of which only a small part is in memory.
pub(crate) struct ListWalk {
    list: ChunkList<ListRead>,
    pack: PackFile,
    block: std::vec::IntoIter<ChunkEntry>,
    next: u64,
}

impl std::fmt::Debug for ListWalk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListWalk").field("next", &self.next).finish_non_exhaustive()
    }
}

impl ListWalk {
    /// What the list says of the whole object.
    pub(crate) fn header(&self) -> &crate::format::ChunkListHeader {
        self.list.header()
    }

    /// Goes to the chunk that holds this byte. `false`: there is none.
    pub(crate) fn seek(&mut self, position: u64) -> Result<bool, Bad> {
        let found = self.list.find(position).map_err(|error| from_list(error, &self.pack))?;
        self.next = found.unwrap_or(u64::MAX);
        self.block = Vec::new().into_iter();
        Ok(found.is_some())
    }

    /// The next chunk.
    pub(crate) fn next(&mut self) -> Result<Option<ChunkEntry>, Bad> {
        if let Some(entry) = self.block.next() {
            return Ok(Some(entry));
        }
        let mut entries = Vec::new();
        self.list.entries(self.next, BLOCK, &mut entries).map_err(|error| from_list(error, &self.pack))?;
        self.next = self.next.saturating_add(entries.len() as u64);
        self.block = entries.into_iter();
        Ok(self.block.next())
    }
}

/// An error of reading a chunk list.
fn from_list(error: io::Error, pack: &PackFile) -> Bad {
    if error.kind() == io::ErrorKind::InvalidData {
        Bad::told(&error)
    } else {
        Bad::Unreadable(stem_fs::Error::new("read", pack.file.path(), error))
    }
}
