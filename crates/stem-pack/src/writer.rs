//! A pack while it grows.
//!
//! Records are appended through one buffer, and count from the moment that they are committed; a write that fails takes
//! the file back to the last commit, so that a full disk in the middle of a record leaves a pack that goes on.

use std::collections::HashSet;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stem_fs::{RelPath, TempFile};
use stem_hash::{Algorithm, ObjectId};

use crate::depot::Depot;
use crate::format::{
    Attributes, Codec, EncodedChunkList, FooterBuilder, FormatError, Kind, MAX_PACK_RECORDS, Metadata,
    PackHeader, PackId, PayloadCheck, PayloadHasher, Place, RecordHeader,
};
use crate::index::{CoveredPack, IndexBuilder};
use crate::place;
use crate::record::{Bytes, PackFile, Spot};
use crate::source::ReadError;
use crate::tools::{Coded, Dictionary};

/// When the buffer is written.
const BUFFER: usize = 256 << 10;
/// Payloads of this length go past the buffer.
const LARGE: usize = 64 << 10;
/// Permission bits of a pack; the umask applies. It is never written to again.
const MODE: u32 = 0o444;

/// Why a record cannot be appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The file system said no.
    Fs(stem_fs::Error),
    /// The record is none, or there are too many.
    Format(FormatError),
    /// The record cannot be in an index.
    Index(ReadError),
}

impl From<stem_fs::Error> for AppendError {
    fn from(error: stem_fs::Error) -> Self {
        Self::Fs(error)
    }
}

impl From<FormatError> for AppendError {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<ReadError> for AppendError {
    fn from(error: ReadError) -> Self {
        Self::Index(error)
    }
}

/// Tells a depot of a pack that grows, and that it never will be whole if that is so.
#[derive(Debug)]
pub(crate) struct Growing {
    depot: Arc<dyn Depot>,
    id: PackId,
    handed_over: bool,
}

impl Growing {
    /// The depot takes care of it from now on.
    pub(crate) fn hand_over(mut self) {
        self.handed_over = true;
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        if !self.handed_over {
            self.depot.abandon(self.id);
        }
    }
}

/// A pack in a temporary file.
#[derive(Debug)]
pub(crate) struct PackWriter {
    temp: TempFile,
    file: PackFile,
    buffer: Vec<u8>,
    footer: FooterBuilder,
    /// The records that are in the file for certain.
    index: IndexBuilder,
    /// The footer that would follow those.
    committed: FooterBuilder,
    /// Records since then.
    fresh: Vec<(RecordHeader, u64)>,
    dictionaries: HashSet<ObjectId>,
    growing: Option<Growing>,
}

/// A pack that is whole, but for its name.
#[derive(Debug)]
pub(crate) struct FinishedPack {
    pub(crate) temp: TempFile,
    pub(crate) file: PackFile,
    pub(crate) index: IndexBuilder,
    pub(crate) covered: CoveredPack,
    pub(crate) growing: Option<Growing>,
}

/// What stands in front of a payload, but for what follows from the payload.
#[derive(Debug, Clone, Copy)]
struct Draft<'a> {
    kind: Kind,
    id: &'a ObjectId,
    codec: Codec,
    dictionary: [u8; 4],
    raw_len: u64,
}

impl PackWriter {
    /// An empty pack with its metadata.
    pub(crate) fn create(
        place: &place::Place,
        algorithm: Algorithm,
        mut metadata: Metadata,
    ) -> Result<Self, AppendError> {
        let (temp, file) = place.with_staging(|dir| {
            let temp = dir.temp_file(MODE)?;
            let name = temp.path().file_name().map(|name| RelPath::from_path(std::path::Path::new(name)));
            let opened = match name {
                Some(Ok(name)) => dir.open_file(&name)?,
                _ => None,
            };
            let vanished = || stem_fs::Error::new("open", temp.path(), std::io::ErrorKind::NotFound.into());
            let file = opened.ok_or_else(vanished)?;
            Ok((temp, file))
        })?;
        let id = PackId::from_bytes(*uuid::Uuid::new_v4().as_bytes());
        let header = PackHeader { id, algorithm }.encode()?;
        let footer = FooterBuilder::new(&header);
        let file = PackFile { id, file: Bytes::Here(Arc::new(file)) };
        let mut writer = Self {
            temp,
            file,
            buffer: header.to_vec(),
            committed: footer.clone(),
            footer,
            index: IndexBuilder::new(algorithm),
            fresh: Vec::new(),
            dictionaries: HashSet::new(),
            growing: None,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metadata.created = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let metadata = metadata.encode()?;
        let draft = Draft {
            kind: Kind::Metadata,
            id: &ObjectId::from_bytes([0; 32]),
            codec: Codec::Raw,
            dictionary: [0; 4],
            raw_len: metadata.len() as u64,
        };
        writer.append(draft, None, &metadata)?;
        writer.commit()?;
        Ok(writer)
    }

    /// A depot is going to have it.
    pub(crate) fn grow_in(&mut self, depot: &Arc<dyn Depot>) {
        if let Bytes::Here(file) = &self.file.file {
            depot.begin(self.file.id, file);
            self.growing = Some(Growing { depot: depot.clone(), id: self.file.id, handed_over: false });
        }
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.footer.offset()
    }

    /// Whether anything that the index names was committed.
    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Whether `more` records may be too many.
    pub(crate) fn is_full(&self, more: u64) -> bool {
        self.footer.records().saturating_add(more) > MAX_PACK_RECORDS
    }

    fn spot(&self, offset: u64) -> Spot {
        Spot { pack: self.file.clone(), offset }
    }

    /// Appends an object whole.
    pub(crate) fn object(
        &mut self,
        id: &ObjectId,
        raw: &[u8],
        coded: &Coded,
        attributes: Option<&Attributes>,
    ) -> Result<Spot, AppendError> {
        let Coded { codec, dictionary, .. } = *coded;
        let draft = Draft { kind: Kind::Object, id, codec, dictionary, raw_len: raw.len() as u64 };
        self.append(draft, attributes, coded.payload(raw))
    }

    /// Appends a chunk.
    pub(crate) fn chunk(&mut self, id: &ObjectId, raw: &[u8], coded: &Coded) -> Result<Spot, AppendError> {
        let Coded { codec, dictionary, .. } = *coded;
        let draft = Draft { kind: Kind::Chunk, id, codec, dictionary, raw_len: raw.len() as u64 };
        self.append(draft, None, coded.payload(raw))
    }

    /// Appends a dictionary, unless it is there.
    pub(crate) fn dictionary(&mut self, dictionary: &Dictionary) -> Result<(), AppendError> {
        if self.dictionaries.contains(&dictionary.id) {
            return Ok(());
        }
        let draft = Draft {
            kind: Kind::Dictionary,
            id: &dictionary.id,
            codec: Codec::Raw,
            dictionary: [0; 4],
            raw_len: dictionary.bytes.len() as u64,
        };
        self.append(draft, None, &dictionary.bytes)?;
        self.dictionaries.insert(dictionary.id);
        Ok(())
    }

    /// Appends a chunk list.
    pub(crate) fn list(
        &mut self,
        id: &ObjectId,
        len: u64,
        list: &EncodedChunkList<'_>,
    ) -> Result<Spot, AppendError> {
        let mut check = PayloadHasher::new();
        let Ok(()) = list.pieces(|piece| {
            check.update(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        let header = RecordHeader {
            kind: Kind::ChunkList,
            codec: Codec::Raw,
            attributes: false,
            dictionary: [0; 4],
            stored_len: list.stored_len(),
            raw_len: len,
            id: *id,
            payload_check: check.finish(),
        };
        let offset = self.begin(&header)?;
        list.pieces(|piece| self.put(piece))?;
        Ok(self.spot(offset))
    }

    /// Appends a record of another pack as it is, its payload given in pieces by `payload`.
    pub(crate) fn copy<E: From<AppendError>>(
        &mut self,
        header: &RecordHeader,
        payload: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), AppendError>) -> Result<(), E>,
    ) -> Result<Spot, E> {
        let offset = self.begin(header)?;
        payload(&mut |piece| self.put(piece))?;
        if header.kind == Kind::Dictionary {
            self.dictionaries.insert(header.id);
        }
        Ok(self.spot(offset))
    }

    fn append(
        &mut self,
        draft: Draft<'_>,
        attributes: Option<&Attributes>,
        payload: &[u8],
    ) -> Result<Spot, AppendError> {
        let front = attributes.map_or(&[][..], |attributes| attributes.as_bytes());
        let mut check = PayloadHasher::new();
        check.update(front);
        check.update(payload);
        let payload_check = if front.is_empty() { PayloadCheck::of(payload) } else { check.finish() };
        let header = RecordHeader {
            kind: draft.kind,
            codec: draft.codec,
            attributes: attributes.is_some(),
            dictionary: draft.dictionary,
            stored_len: (front.len() + payload.len()) as u64,
            raw_len: draft.raw_len,
            id: *draft.id,
            payload_check,
        };
        let offset = self.begin(&header)?;
        self.put(front)?;
        self.put(payload)?;
        Ok(self.spot(offset))
    }

    /// Writes a record's header and takes the record into account.
    fn begin(&mut self, header: &RecordHeader) -> Result<u64, AppendError> {
        let offset = self.footer.offset();
        let bytes = header.encode(&Place { pack: self.file.id, offset })?;
        self.footer.push(header, &bytes)?;
        self.fresh.push((*header, offset));
        self.put(&bytes)?;
        Ok(offset)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        let written = if bytes.len() >= LARGE {
            self.flush().and_then(|()| self.temp.write_all(bytes))
        } else {
            self.buffer.extend_from_slice(bytes);
            if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
        };
        written.map_err(|error| stem_fs::Error::new("write", self.temp.path(), error).into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let written = self.temp.write_all(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        written
    }

    /// Makes what was appended readable. After an error, here or in appending, [`roll_back`](Self::roll_back) follows.
    pub(crate) fn commit(&mut self) -> Result<(), AppendError> {
        self.flush().map_err(|error| stem_fs::Error::new("write", self.temp.path(), error))?;
        self.committed = self.footer.clone();
        for (header, offset) in self.fresh.drain(..) {
            self.index.push(&header, offset)?;
        }
        if let Some(growing) = &self.growing {
            growing.depot.grown(growing.id, self.committed.offset());
        }
        Ok(())
    }

    /// Takes the file back to the last commit.
    pub(crate) fn roll_back(&mut self) -> Result<(), AppendError> {
        self.buffer.clear();
        self.footer = self.committed.clone();
        for (header, _) in self.fresh.drain(..) {
            self.dictionaries.remove(&header.id);
        }
        let end = self.footer.offset();
        let mut file = self.temp.as_std();
        file.set_len(end)
            .and_then(|()| file.seek(SeekFrom::Start(end)))
            .map_err(|error| stem_fs::Error::new("shorten", self.temp.path(), error))?;
        Ok(())
    }

    /// Writes the footer.
    pub(crate) fn finish(mut self) -> Result<FinishedPack, AppendError> {
        let footer = self.footer.footer();
        let record = footer.encode(self.file.id)?;
        self.put(&record)?;
        self.flush().map_err(|error| stem_fs::Error::new("write", self.temp.path(), error))?;
        let covered = CoveredPack {
            id: self.file.id,
            len: footer.pack_len(),
            end: footer.offset,
            headers: footer.headers,
        };
        let Self { temp, file, index, growing, .. } = self;
        Ok(FinishedPack { temp, file, index, covered, growing })
    }
}
