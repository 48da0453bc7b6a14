//! Reading a bundle from front to back.
//!
//! A thread of the call reads records and has them checked and decoded on all cores; the calling thread takes the bytes.
//! At no time are there more than a few chunks in memory, and of anything whose length the bundle claims only as much is
//! reserved as has arrived.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use stem_hash::{Algorithm, Hasher};
use stem_pack::coding::{Coder, ordered};
use stem_pack::format::{
    Codec, FormatError, PackId, PayloadCheck, Place, RECORD_HEADER_LEN, RecordHeader, chunk_id,
};

use crate::error::{Error, ReadError, Result};
use crate::format::{Compression, FOOTER_LEN, Footer, Front, HEADER_LEN, Header, ROW_LEN, Row};
use crate::write::is_carried;

/// As much is read at once of something whose length is only claimed.
const STEP: u64 = 1 << 20;
/// Chunks that wait for whoever takes them.
const AHEAD: usize = 4;

/// A source with what was read of it.
#[derive(Debug)]
struct Tracked<R> {
    source: R,
    offset: u64,
    digest: Hasher,
}

impl<R: Read> Tracked<R> {
    /// Reads exactly `buf`.
    fn fill(&mut self, buf: &mut [u8], within: &'static str) -> Result<()> {
        let mut filled = 0;
        while let Some(room) = buf.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.source.read(room) {
                Ok(0) => return Err(Error::Truncated { offset: self.offset + filled as u64, within }),
                Ok(n) => filled = (filled + n).min(buf.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Io { offset: self.offset + filled as u64, source }),
            }
        }
        self.offset += buf.len() as u64;
        Ok(())
    }

    /// Reads `len` bytes, and reserves memory for them as they come.
    fn bytes(&mut self, len: u64, within: &'static str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut left = len;
        while left > 0 {
            let step = left.min(STEP);
            let have = bytes.len();
            bytes.resize(have + usize::try_from(step).unwrap_or_default(), 0);
            self.fill(bytes.get_mut(have..).unwrap_or_default(), within)?;
            left -= step;
        }
        Ok(bytes)
    }
}

/// A bundle whose front is read.
#[derive(Debug)]
pub struct Reader<R> {
    source: Tracked<R>,
    front: Front,
    id: PackId,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Length of the bundle in bytes.
    pub len: u64,
    /// Number of records.
    pub records: u64,
}

impl<R: Read> Reader<R> {
    /// Reads and checks what stands before the records.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn open(source: R) -> Result<Self> {
        let mut source = Tracked { source, offset: 0, digest: Hasher::new(Algorithm::Blake3) };
        let mut bytes = [0; HEADER_LEN];
        // Something shorter that begins otherwise is no bundle, rather than a part of one.
        let (magic, rest) = bytes.split_at_mut(crate::format::MAGIC.len());
        source.fill(magic, "header")?;
        if magic != crate::format::MAGIC {
            return Err(Error::NotABundle);
        }
        source.fill(rest, "header")?;
        let header = Header::decode(&bytes)?;
        let entry = source.bytes(header.entry_len, "entry")?;
        let table = source.bytes(header.rows.saturating_mul(ROW_LEN as u64), "object table")?;
        source.digest.update(&bytes);
        source.digest.update_parallel(&entry);
        source.digest.update_parallel(&table);
        let front = header.front(entry, &table)?;
        Ok(Self { source, front, id: header.id })
    }

    /// What stands before the records.
    pub fn front(&self) -> &Front {
        &self.front
    }
}

impl<R: Read + Send> Reader<R> {
    /// Reads the objects, in the order of the table, and the end. `take` gets those for which `wanted`, by the place of the
    /// row in the table, says so; the others are checked and not decoded. What `take` does not read of an object is passed
    /// over. Whether the bytes are those of the id is for `take` to say.
    ///
    /// # Errors
    ///
    /// What is wrong with the bundle; or else what `take` said. What was taken until then is not to be believed before its
    /// id was compared, and the bundle is not whole.
    pub fn objects<E>(
        self,
        wanted: &(dyn Fn(usize) -> bool + Sync),
        mut take: impl FnMut(&Row, &mut dyn Read) -> std::result::Result<(), E>,
    ) -> std::result::Result<Summary, ReadError<E>> {
        let Self { source, front, id } = self;
        let rows = &front.rows;
        thread::scope(|scope| {
            let (sender, pieces) = sync_channel(AHEAD);
            let work = move || Records { source, id, rows, wanted, at: 0, left: 0, count: 0 }.run(&sender);
            let reading = thread::Builder::new().name("stem-bundle".into()).spawn_scoped(scope, work);
            let reading = reading.map_err(|source| Error::Io { offset: 0, source })?;
            let mut taken = Ok(());
            for (at, row) in rows.iter().enumerate() {
                if row.left_out || !wanted(at) {
                    continue;
                }
                let mut bytes =
                    Pieces { from: &pieces, piece: Vec::new(), at: 0, ended: false, broken: false };
                taken = take(row, &mut bytes).map(|()| bytes.pass());
                if taken.is_err() || bytes.broken {
                    break;
                }
            }
            // Without it the reading thread has nobody to give to, and ends.
            drop(pieces);
            match (reading.join(), taken) {
                (Err(panic), _) => std::panic::resume_unwind(panic),
                // What the bundle lacks is the cause of what was said about it.
                (Ok(Err(Some(error))), _) => Err(ReadError::Bundle(error)),
                (Ok(_), Err(error)) => Err(ReadError::Taker(error)),
                (Ok(Ok(summary)), Ok(())) => Ok(summary),
                (Ok(Err(None)), Ok(())) => {
                    Err(ReadError::Bundle(Error::damaged(0, "records", "they end too early")))
                }
            }
        })
    }
}

/// A part of an object, and whether it is the last.
struct Part {
    bytes: Vec<u8>,
    last: bool,
}

/// The bytes of one object as they come.
struct Pieces<'p> {
    from: &'p Receiver<Part>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
    /// Whether the reading thread gave up.
    broken: bool,
}

impl Pieces<'_> {
    /// Whether there is more.
    fn more(&mut self) -> io::Result<bool> {
        while self.at == self.piece.len() && !self.ended {
            let Ok(Part { bytes, last }) = self.from.recv() else {
                self.broken = true;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the bundle cannot be read on"));
            };
            (self.piece, self.at, self.ended) = (bytes, 0, last);
        }
        Ok(self.at < self.piece.len())
    }

    /// Passes over what was not read.
    fn pass(&mut self) {
        while self.more().unwrap_or(false) {
            self.at = self.piece.len();
        }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || !self.more()? {
            return Ok(0);
        }
        let there = self.piece.get(self.at..).unwrap_or_default();
        let len = there.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), there.get(..len)) {
            to.copy_from_slice(from);
        }
        self.at += len;
        Ok(len)
    }
}

/// A record that was read and not looked at.
struct Job {
    offset: u64,
    wanted: bool,
    last: bool,
    /// `None` for an empty object.
    record: Option<(RecordHeader, Vec<u8>)>,
}

/// The records, as they are read.
struct Records<'f, R> {
    source: Tracked<R>,
    id: PackId,
    rows: &'f [Row],
    wanted: &'f (dyn Fn(usize) -> bool + Sync),
    /// The row whose object is being read, or comes next.
    at: usize,
    /// How many bytes of it are still to come; 0 between objects.
    left: u64,
    count: u64,
}

impl<R: Read> Records<'_, R> {
    /// Reads everything up to the end. An error of `None`: nobody takes it any more.
    fn run(mut self, to: &SyncSender<Part>) -> std::result::Result<Summary, Option<Error>> {
        let coder = Coder::new(Compression::None.coding());
        // What was read before the bundle turned out to be damaged is given nevertheless: it need not be read again.
        let mut failed = None;
        ordered(
            || {
                Ok(self.next().unwrap_or_else(|error| {
                    failed = Some(error);
                    None
                }))
            },
            |job| look_at(&coder, job),
            |part| match part? {
                Some(part) => to.send(part).map_err(|_| None),
                None => Ok(()),
            },
        )?;
        match failed {
            Some(error) => Err(Some(error)),
            None => self.end().map_err(Some),
        }
    }

    fn next(&mut self) -> Result<Option<Job>> {
        while self.left == 0 {
            let Some(row) = self.rows.get(self.at) else { return Ok(None) };
            if row.left_out {
                self.at += 1;
            } else if row.len == 0 {
                let wanted = (self.wanted)(self.at);
                self.at += 1;
                return Ok(Some(Job { offset: self.source.offset, wanted, last: true, record: None }));
            } else {
                self.left = row.len;
            }
        }
        let offset = self.source.offset;
        let within = "record";
        let mut bytes = [0; RECORD_HEADER_LEN];
        self.source.fill(&mut bytes, within)?;
        let header = RecordHeader::decode(&bytes, &Place { pack: self.id, offset });
        let header = header.map_err(|error| said(&error, offset))?;
        if let Codec::Other(found) = header.codec {
            return Err(Error::Newer { what: "codec", found: found.into() });
        }
        if !is_carried(&header) {
            return Err(Error::damaged(offset, within, "records of this kind are not in bundles"));
        }
        let Some(left) = self.left.checked_sub(header.raw_len) else {
            return Err(Error::damaged(offset, within, "the object is longer than the table says"));
        };
        let payload = self.source.bytes(header.stored_len, within)?;
        self.source.digest.update(&bytes);
        self.source.digest.update(&payload);
        self.count += 1;
        self.left = left;
        let wanted = (self.wanted)(self.at);
        if left == 0 {
            self.at += 1;
        }
        Ok(Some(Job { offset, wanted, last: left == 0, record: Some((header, payload)) }))
    }

    fn end(self) -> Result<Summary> {
        let Tracked { mut source, offset, digest } = self.source;
        let footer = Footer { records: self.count, offset, digest: *digest.clone().finish().id.as_bytes() };
        let mut rest = Tracked { source: &mut source, offset, digest };
        let mut bytes = [0; FOOTER_LEN];
        rest.fill(&mut bytes, "footer")?;
        footer.check(&bytes)?;
        let offset = rest.offset;
        match rest.fill(&mut [0], "footer") {
            Err(Error::Truncated { .. }) => Ok(Summary { len: offset, records: self.count }),
            Err(other) => Err(other),
            Ok(()) => Err(Error::Trailing { offset }),
        }
    }
}

/// Checks a record, and decodes it if somebody wants it.
fn look_at(coder: &Coder, job: Job) -> std::result::Result<Option<Part>, Option<Error>> {
    let Job { offset, wanted, last, record } = job;
    let Some((header, payload)) = record else {
        return Ok(wanted.then_some(Part { bytes: Vec::new(), last }));
    };
    let damaged = |problem: String| Some(Error::damaged(offset, "record", problem));
    if header.payload_check != PayloadCheck::of(&payload) {
        return Err(damaged("its bytes do not agree with their checksum".into()));
    }
    if !wanted {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    coder.decode(&header, &payload, &mut bytes).map_err(damaged)?;
    if chunk_id(&bytes) == header.id {
        Ok(Some(Part { bytes, last }))
    } else {
        Err(damaged("it does not decode to the bytes that it names".into()))
    }
}

fn said(error: &FormatError, offset: u64) -> Error {
    match error {
        FormatError::Unknown { what, value, .. } => Error::Newer { what, found: *value },
        other => Error::damaged(offset, "record", other.to_string()),
    }
}
