//! Writing a bundle, or going on with one.
//!
//! What a target holds already is compared record by record with what would be written: the piece of the object is at
//! hand, the record is decoded, and only equal bytes count. So there is no note of how far an export came that could be
//! wrong, and nothing of an old file is trusted. Decoding costs a fraction of coding.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};

use stem_hash::{Algorithm, Hasher};
use stem_pack::coding::{Coder, Piece, Pieces, ordered};
use stem_pack::format::{
    Codec, Kind, PackId, PayloadCheck, Place, RECORD_HEADER_LEN, RecordHeader, chunk_id,
};

use crate::error::WriteError;
use crate::format::{FOOTER_LEN, Footer, Front, Row};

/// How much of what is there is compared at a time.
const STEP: usize = 64 << 10;

/// Where a bundle goes.
pub trait Target {
    /// How many bytes are there already.
    fn len(&self) -> u64;

    /// Whether nothing is there.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads what is there; 0 at its end.
    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Cuts it off after `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A target that nothing can be read back from, such as a pipe. Whoever made it flushes it.
#[derive(Debug)]
pub struct Stream<W>(pub W);

impl<W: io::Write> Target for Stream<W> {
    fn len(&self) -> u64 {
        0
    }

    fn read_at(&mut self, _buf: &mut [u8], _offset: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn truncate(&mut self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Length of the bundle in bytes.
    pub len: u64,
    /// How many of them were there before.
    pub kept: u64,
    /// Number of records.
    pub records: u64,
}

/// A bundle that is being written.
pub struct Writer<'t> {
    coder: Coder,
    state: State<'t>,
    rows: std::vec::IntoIter<Row>,
}

/// Where the writing is.
struct State<'t> {
    target: &'t mut dyn Target,
    id: PackId,
    digest: Hasher,
    offset: u64,
    records: u64,
    /// Whether everything up to `offset` was there before.
    live: bool,
    kept: u64,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("offset", &self.state.offset).finish_non_exhaustive()
    }
}

/// A piece, and the record that may be it already.
struct Job {
    piece: Piece,
    there: Option<(RecordHeader, Vec<u8>)>,
}

/// A record without its place.
struct Record {
    header: RecordHeader,
    payload: Vec<u8>,
    /// Whether it is the one that was there.
    there: bool,
}

impl<'t> Writer<'t> {
    /// Writes what stands before the objects, unless it is there.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unfit`] when no reader would take this, [`WriteError::Target`].
    pub fn begin(target: &'t mut dyn Target, front: &Front) -> Result<Self, WriteError> {
        let (bytes, id) = front.encode().map_err(WriteError::Unfit)?;
        let mut digest = Hasher::new(Algorithm::Blake3);
        digest.update_parallel(&bytes);
        let live = begins_with(target, &bytes).map_err(WriteError::Target)?;
        let mut state = State { target, id, digest, offset: 0, records: 0, live, kept: 0 };
        if state.live {
            state.kept = bytes.len() as u64;
        } else {
            state.target.truncate(0).map_err(WriteError::Target)?;
            state.target.append(&bytes).map_err(WriteError::Target)?;
        }
        state.offset = bytes.len() as u64;
        let rows: Vec<Row> = front.rows.iter().filter(|row| !row.left_out).copied().collect();
        Ok(Self { coder: Coder::new(front.compression.coding()), state, rows: rows.into_iter() })
    }

    /// The object that comes next.
    pub fn next_row(&mut self) -> Option<Row> {
        self.rows.next()
    }

    /// Writes the object of the row that [`next_row`](Self::next_row) gave. The source says itself whether its bytes are
    /// those of the id.
    ///
    /// # Errors
    ///
    /// [`WriteError::Source`], also when the source has another length, and [`WriteError::Target`]. What is written until
    /// then is sound.
    pub fn object(&mut self, row: &Row, source: &mut dyn Read) -> Result<(), WriteError> {
        let mut pieces = Pieces::new(source, row.len).map_err(WriteError::Source)?;
        let coder = &self.coder;
        let peek = Cell::new(self.state.live.then_some(self.state.offset));
        let state = RefCell::new(&mut self.state);
        let mut len = 0u64;
        ordered(
            || {
                let Some(piece) = pieces.next_piece().map_err(WriteError::Source)? else { return Ok(None) };
                len += piece.raw.len() as u64;
                let there = match peek.get() {
                    Some(at) => state.borrow_mut().peek(at, &piece).map_err(WriteError::Target)?,
                    None => None,
                };
                peek.set(
                    peek.get()
                        .zip(there.as_ref())
                        .map(|(at, (header, _))| at.saturating_add(header.record_len())),
                );
                Ok(Some(Job { piece, there }))
            },
            |job| code(coder, job),
            |record| state.borrow_mut().take(&record),
        )?;
        if len == row.len {
            Ok(())
        } else {
            let found = format!("it has {len} bytes, and {} were expected", row.len);
            Err(WriteError::Source(io::Error::new(io::ErrorKind::InvalidData, found)))
        }
    }

    /// Writes the end. The caller makes it durable.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unfit`] when objects are missing, [`WriteError::Target`].
    pub fn finish(self) -> Result<Written, WriteError> {
        if self.rows.len() > 0 {
            return Err(WriteError::Unfit(format!("{} objects were not written", self.rows.len())));
        }
        let State { target, digest, offset, records, kept, .. } = self.state;
        let footer = Footer { records, offset, digest: *digest.finish().id.as_bytes() };
        target.truncate(offset).map_err(WriteError::Target)?;
        target.append(&footer.encode()).map_err(WriteError::Target)?;
        Ok(Written { len: offset + FOOTER_LEN as u64, kept, records })
    }
}

impl State<'_> {
    /// The record at `at`, if it may be that of the piece.
    fn peek(&mut self, at: u64, piece: &Piece) -> io::Result<Option<(RecordHeader, Vec<u8>)>> {
        let mut bytes = [0; RECORD_HEADER_LEN];
        if !fill(self.target, &mut bytes, at)? {
            return Ok(None);
        }
        let place = Place { pack: self.id, offset: at };
        let Ok(header) = RecordHeader::decode(&bytes, &place) else { return Ok(None) };
        let fits = header.kind == Kind::Chunk && header.raw_len == piece.raw.len() as u64;
        let len = usize::try_from(header.stored_len).unwrap_or(usize::MAX);
        // A chunk's payload is never longer than its bytes, which are at hand.
        if !fits || len > piece.raw.len() {
            return Ok(None);
        }
        let mut payload = vec![0; len];
        let whole = fill(self.target, &mut payload, at + RECORD_HEADER_LEN as u64)?;
        Ok(whole.then_some((header, payload)))
    }

    /// Writes the record where it belongs, unless it is there.
    fn take(&mut self, record: &Record) -> Result<(), WriteError> {
        let place = Place { pack: self.id, offset: self.offset };
        let header = record.header.encode(&place).map_err(|error| WriteError::Unfit(error.to_string()))?;
        let len = record.header.record_len();
        if self.live && record.there {
            self.kept += len;
        } else {
            if self.live {
                self.target.truncate(self.offset).map_err(WriteError::Target)?;
                self.live = false;
            }
            let mut bytes = Vec::with_capacity(header.len() + record.payload.len());
            bytes.extend_from_slice(&header);
            bytes.extend_from_slice(&record.payload);
            self.target.append(&bytes).map_err(WriteError::Target)?;
        }
        self.digest.update(&header);
        self.digest.update(&record.payload);
        self.offset += len;
        self.records += 1;
        Ok(())
    }
}

/// Makes the record of a piece, or finds that the one which is there is it.
fn code(coder: &Coder, job: Job) -> Record {
    let Job { piece, there } = job;
    if let Some((header, payload)) = there {
        let mut raw = Vec::new();
        let sound = header.payload_check == PayloadCheck::of(&payload)
            && is_carried(&header)
            && header.id == chunk_id(&piece.raw)
            && coder.decode(&header, &payload, &mut raw).is_ok()
            && raw == piece.raw;
        if sound {
            return Record { header, payload, there: true };
        }
    }
    let (id, raw_len) = (chunk_id(&piece.raw), piece.raw.len() as u64);
    let (codec, payload) = coder.encode(piece);
    let header = RecordHeader {
        kind: Kind::Chunk,
        codec,
        attributes: false,
        dictionary: [0; 4],
        stored_len: payload.len() as u64,
        raw_len,
        id,
        payload_check: PayloadCheck::of(&payload),
    };
    Record { header, payload, there: false }
}

/// Whether a bundle may hold such a record.
pub(crate) fn is_carried(header: &RecordHeader) -> bool {
    header.kind == Kind::Chunk && !header.attributes && header.codec != Codec::ZstdDictionary
}

/// Reads until the buffer is full; says whether it is.
fn fill(target: &mut dyn Target, buf: &mut [u8], offset: u64) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(room) = buf.get_mut(filled..).filter(|room| !room.is_empty()) {
        match target.read_at(room, offset + filled as u64) {
            Ok(0) => return Ok(false),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn begins_with(target: &mut dyn Target, bytes: &[u8]) -> io::Result<bool> {
    if target.len() < bytes.len() as u64 {
        return Ok(false);
    }
    let mut there = vec![0; STEP];
    let mut at = 0;
    for wanted in bytes.chunks(STEP) {
        let there = there.get_mut(..wanted.len()).unwrap_or_default();
        if !fill(target, there, at)? || there != wanted {
            return Ok(false);
        }
        at += wanted.len() as u64;
    }
    Ok(true)
}
