//! Objects as streams, ranges and files.
//!
//! A stream decodes one chunk ahead on a thread of its own where a core is free, so that decoding and hashing overlap;
//! a restore into a file decodes on all cores. What is verified: every chunk by its own id as it is
//! decoded; a stream by the object's id at its end besides, a file if that is asked for.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use stem_fs::{CopyMethod, TempFile};
use stem_hash::{ChecksumHasher, ObjectId};
use stem_store::{
    CopyJob, Error, ObjectRead, Operation, Progress, RestoreOptions, Restored, Result, Verify,
    VerifyingReader, verify_copy,
};

use crate::crew::Permit;
use crate::format::Kind;
use crate::handle::Core;
use crate::index::Want;
use crate::lane::Held;
use crate::lookup::{Located, OBJECTS, Purpose};
use crate::record::{Bad, ListWalk, Record};

/// Chunks that wait decoded.
const AHEAD: usize = 1;
/// Shorter objects are decoded where they are read.
const AHEAD_FROM: u64 = 3 << 20;

impl Core {
    pub(crate) fn open_object(self: &Arc<Self>, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        let located = self.locate(id).map_err(|bad| self.bad(Operation::Read, id, bad))?;
        Ok(match located {
            None => None,
            Some(Located::Bytes(small)) => Some(Box::new(Whole { bytes: small.bytes.clone(), at: 0 })),
            Some(Located::Bad { size, bad }) => {
                Some(Box::new(Broken { len: size, core: self.clone(), id: *id, reason: bad.reason() }))
            }
            Some(Located::List(record)) => {
                let len = record.header.raw_len;
                self.announce(&record, Purpose::Read);
                let walk = record.chunk_list().map_err(|bad| self.bad(Operation::Read, id, bad))?;
                let chunks = Chunks::new(self.clone(), walk, len);
                let stream =
                    Stream { core: self.clone(), id: *id, chunks, chunk: Vec::new(), at: 0, failed: None };
                Some(Box::new(VerifyingReader::new(stream, len, id, self.algorithm, self.name.as_str())))
            }
        })
    }

    pub(crate) fn read_part(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        if let Some(Held::Memory(small)) = self.pending.held(id) {
            return Ok(Some(copy_part(&small.bytes, offset, buf)));
        }
        // Entries of lists and chunks are checked one by one: the rest of the object need not be looked at.
        let found = self.each_copy(id, Want::Object, Purpose::Read, |spot, expected| {
            let record = spot.open(id, OBJECTS)?;
            if record.header.kind == Kind::ChunkList {
                return self.range_of(&record, offset, buf);
            }
            let bytes = if let Some(bytes) = self.cache.get(id) {
                bytes
            } else {
                let bytes = Arc::new(self.whole(spot, id, expected)?.bytes);
                self.cache.put(id, &bytes);
                bytes
            };
            Ok(copy_part(&bytes, offset, buf))
        });
        found.map_err(|bad| self.bad(Operation::ReadRange, id, bad))
    }

    fn range_of(&self, record: &Record, offset: u64, buf: &mut [u8]) -> std::result::Result<usize, Bad> {
        let mut walk = record.chunk_list()?;
        if buf.is_empty() || !walk.seek(offset)? {
            return Ok(0);
        }
        let mut filled = 0;
        while filled < buf.len() {
            let Some(entry) = walk.next()? else { break };
            let chunk = if let Some(chunk) = self.cache.get(&entry.id) {
                chunk
            } else {
                let mut chunk = Vec::new();
                self.read_chunk(&entry, Purpose::Read, &mut chunk)?;
                let chunk = Arc::new(chunk);
                self.cache.put(&entry.id, &chunk);
                chunk
            };
            if chunk.len() as u64 != entry.len() {
                return Err(Bad::damaged("a chunk has another length than its list says"));
            }
            let skip = (offset + filled as u64).saturating_sub(entry.start);
            let part = usize::try_from(skip).ok().and_then(|skip| chunk.get(skip..)).unwrap_or_default();
            let n = part.len().min(buf.len() - filled);
            buf[filled..filled + n].copy_from_slice(&part[..n]);
            filled += n;
        }
        Ok(filled)
    }

    pub(crate) fn restore(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        let failed = |bad| self.bad(Operation::Restore, id, bad);
        let record = match self.locate(id).map_err(failed)? {
            None => return Ok(None),
            Some(Located::Bad { bad, .. }) => return Err(failed(bad)),
            Some(Located::Bytes(small)) => {
                target.write_all(&small.bytes).map_err(|error| self.unwritable(id, target, error))?;
                self.tell(id, options.progress, small.bytes.len())?;
                let len = small.bytes.len() as u64;
                return Ok(Some(Restored { len, method: CopyMethod::Buffered, verified: true }));
            }
            Some(Located::List(record)) => record,
        };
        let by_id = options.verify == Verify::Id;
        let mut hasher = by_id.then(|| self.hasher(false));
        let mut checksum = matches!(options.verify, Verify::Checksum(_)).then(ChecksumHasher::new);
        let mut len = 0;
        let mut own = None;
        // The object's hash is computed here, while its chunks are decoded and compared with their own ids elsewhere.
        let shown = self.each_chunk(&record, Purpose::Read, &mut |chunk| {
            if let Some(hasher) = &mut hasher {
                hasher.update(chunk);
            }
            if let Some(checksum) = &mut checksum {
                checksum.update(chunk);
            }
            let written = write_chunk(target, chunk);
            len += chunk.len() as u64;
            let done = match written {
                Ok(()) => self.tell(id, options.progress, chunk.len()),
                Err(error) => Err(self.unwritable(id, target, error)),
            };
            done.map_err(|error| {
                own = Some(error);
                Bad::Vanished
            })
        });
        if let Some(error) = own {
            return Err(error);
        }
        shown.map_err(failed)?;
        let corrupt = || failed(Bad::damaged("its bytes do not hash to its id"));
        if hasher.is_some_and(|hasher| hasher.finish().id != *id) {
            return Err(corrupt());
        }
        if let (Verify::Checksum(wanted), Some(found)) = (options.verify, checksum)
            && found.finish() != wanted
        {
            // The checksum may be what is wrong: the id is the judge.
            let job = CopyJob { id, algorithm: self.algorithm, store: &self.name, sparse: false };
            verify_copy(target, &job, &RestoreOptions { verify: Verify::Id, progress: None })?;
        }
        Ok(Some(Restored { len, method: CopyMethod::Buffered, verified: true }))
    }

    fn tell(&self, id: &ObjectId, progress: Option<Progress<'_>>, bytes: usize) -> Result<()> {
        match progress.map(|told| told(bytes as u64)) {
            Some(ControlFlow::Break(())) => {
                Err(Error::interrupted(Operation::Restore, self.name.as_str()).with_id(id))
            }
            _ => Ok(()),
        }
    }

    fn unwritable(&self, id: &ObjectId, target: &TempFile, error: io::Error) -> Error {
        Error::from_io(Operation::Restore, self.name.as_str(), error).with_id(id).with_path(target.path())
    }
}

/// Fills `buf` with what follows `offset`, as much as there is.
fn copy_part(bytes: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let part = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let n = part.len().min(buf.len());
    buf[..n].copy_from_slice(&part[..n]);
    n
}

/// Writes a chunk; one that seems to be silence leaves a hole. Sparse recordings of many gigabytes must not fill the disk,
/// and looking at the ends of a chunk costs nothing.
fn write_chunk(target: &mut TempFile, chunk: &[u8]) -> io::Result<()> {
    const LOOK: usize = 64;
    let quiet = |part: Option<&[u8]>| part.is_some_and(|part| part.iter().all(|&byte| byte == 0));
    let ends = [chunk.get(..LOOK), chunk.len().checked_sub(LOOK).and_then(|at| chunk.get(at..))];
    if ends.into_iter().all(quiet) { target.write_sparse(chunk) } else { target.write_all(chunk) }
}

/// An object that is in memory, its id checked.
struct Whole {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Whole {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

impl ObjectRead for Whole {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// An object that is there and damaged in all copies.
struct Broken {
    len: u64,
    core: Arc<Core>,
    id: ObjectId,
    reason: String,
}

impl Read for Broken {
    fn read(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        Err(self.core.bad(Operation::Read, &self.id, Bad::Damaged(self.reason.clone())).into())
    }
}

impl ObjectRead for Broken {
    fn len(&self) -> u64 {
        self.len
    }
}

/// Where the chunks of a stream come from.
enum Chunks {
    Here(Arc<Core>, ListWalk),
    Ahead(Receiver<std::result::Result<Vec<u8>, Bad>>),
}

impl Chunks {
    fn new(core: Arc<Core>, walk: ListWalk, len: u64) -> Self {
        if len < AHEAD_FROM {
            return Self::Here(core, walk);
        }
        let Some(permit) = Permit::ahead() else { return Self::Here(core, walk) };
        let (send, receive) = sync_channel(AHEAD);
        let mut far = Self::Here(core, walk);
        let decode = move || {
            let _permit = permit;
            while let Some(chunk) = far.next().transpose() {
                let failed = chunk.is_err();
                // Nobody listens any more: the reader was dropped.
                if send.send(chunk).is_err() || failed {
                    return;
                }
            }
        };
        match thread::Builder::new().name("stem-pack-read".into()).spawn(decode) {
            Ok(_) => Self::Ahead(receive),
            // The walk went with the thread that could not be started.
            Err(error) => {
                let (send, receive) = sync_channel(1);
                let _ = send.send(Err(Bad::Unreadable(stem_fs::Error::new("start a thread for", "", error))));
                Self::Ahead(receive)
            }
        }
    }

    fn next(&mut self) -> std::result::Result<Option<Vec<u8>>, Bad> {
        match self {
            Self::Here(core, walk) => {
                let Some(entry) = walk.next()? else { return Ok(None) };
                let mut chunk = Vec::new();
                core.read_chunk(&entry, Purpose::Read, &mut chunk)?;
                Ok(Some(chunk))
            }
            Self::Ahead(receive) => receive.recv().ok().transpose(),
        }
    }
}

/// The bytes of an object as its chunks give them; whoever wraps it hashes them.
struct Stream {
    core: Arc<Core>,
    id: ObjectId,
    chunks: Chunks,
    chunk: Vec<u8>,
    at: usize,
    failed: Option<String>,
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(reason) = &self.failed {
            return Err(self.core.bad(Operation::Read, &self.id, Bad::Damaged(reason.clone())).into());
        }
        while self.at == self.chunk.len() {
            match self.chunks.next() {
                Ok(None) => return Ok(0),
                Ok(Some(chunk)) => {
                    self.chunk = chunk;
                    self.at = 0;
                }
                Err(bad) => {
                    self.failed = Some(bad.reason());
                    return Err(self.core.bad(Operation::Read, &self.id, bad).into());
                }
            }
        }
        let rest = &self.chunk[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}
