//! The layout `sharded`: each object under a key of its own, its bytes as they are.
//!
//! For programs that read objects without this engine. A put is uploaded before it returns, whatever durability it asks for: nothing forbids
//! an object to be durable early, and there is nothing to gather. Bytes wait in a file until their hash, which is the key, is known.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

use stem_fs::{Dir, RelPath};
use stem_hash::{Algorithm, Hasher, IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation, Put,
    PutOptions, Result, Verified, VerifyingReader, Written, with_buffer,
};

use crate::client::Shared;
use crate::error::told;
use crate::layout::{OBJECTS, object_key, parse_object_key};
use crate::marker::{self, Marker};
use crate::wait::{LOOK, go_on, runtime, wait};

/// How much is fetched at once.
const STEP: u64 = 4 << 20;

/// Objects in a bucket, one by one.
#[derive(Debug)]
pub(crate) struct ShardedRemote {
    client: Shared,
    marker: Marker,
    known: AtomicBool,
    cache: Dir,
    name: String,
}

impl ShardedRemote {
    pub(crate) fn new(client: Shared, marker: Marker, known: bool, cache: Dir, name: String) -> Self {
        Self { client, marker, known: known.into(), cache, name }
    }

    fn algorithm(&self) -> Algorithm {
        self.marker.algorithm
    }

    fn failed<'a>(&'a self, operation: Operation, id: &'a ObjectId) -> impl Fn(io::Error) -> Error + 'a {
        move |error| Error::from_io(operation, self.name.as_str(), error).with_id(id)
    }

    fn size(&self, id: &ObjectId) -> io::Result<Option<ObjectStat>> {
        let (client, key) = (self.client.clone(), object_key(id));
        let found = wait(async move { client.size(&key).await })?;
        Ok(found.map(|(size, since)| ObjectStat { size, metadata: None, since: Some(since) }))
    }

    fn reader(&self, id: &ObjectId, len: u64) -> VerifyingReader<Ranges> {
        let ranges = Ranges {
            client: self.client.clone(),
            key: object_key(id),
            next: 0,
            len,
            ahead: None,
            part: Vec::new(),
            at: 0,
        };
        VerifyingReader::new(ranges, len, id, self.algorithm(), self.name.as_str())
    }

    /// Whether what is there has the id. An error is one of the network.
    fn is_sound(&self, id: &ObjectId, len: u64) -> Result<bool> {
        let mut reader = self.reader(id, len);
        match io::copy(&mut reader, &mut io::sink()) {
            Ok(_) => Ok(true),
            Err(error) => match Error::from_reader(error) {
                Ok(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
                Ok(error) => Err(error),
                Err(error) => Err(self.failed(Operation::Verify, id)(error)),
            },
        }
    }

    fn prepare(&self) -> Result<()> {
        if self.known.load(Ordering::Acquire) {
            return Ok(());
        }
        let made = marker::make(&self.client, &self.marker);
        made.map_err(|error| Error::from_io(Operation::Put, self.name.as_str(), error))?;
        self.known.store(true, Ordering::Release);
        Ok(())
    }
}

impl ObjectStore for ShardedRemote {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithm: self.algorithm(),
            verified_ranges: false,
            keeps_metadata: false,
            adopts_files: false,
        }
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.size(id).map_err(self.failed(Operation::Stat, id))
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        let found = self.size(id).map_err(self.failed(Operation::Read, id))?;
        Ok(found.map(|stat| Box::new(self.reader(id, stat.size)) as Box<dyn ObjectRead>))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        let failed = self.failed(Operation::ReadRange, id);
        let Some(stat) = self.size(id).map_err(&failed)? else { return Ok(None) };
        let mut filled = 0;
        while filled < buf.len() {
            let at = offset.saturating_add(filled as u64);
            let step = stat.size.saturating_sub(at).min(STEP).min((buf.len() - filled) as u64);
            if step == 0 {
                break;
            }
            let (client, key) = (self.client.clone(), object_key(id));
            let bytes = wait(async move { client.fetch_all(&key, at..at + step).await }).map_err(&failed)?;
            let n = bytes.len().min(buf.len() - filled);
            buf[filled..filled + n].copy_from_slice(&bytes[..n]);
            filled += n;
        }
        Ok(Some(filled))
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        let own = |error| Error::from_fs(Operation::Put, self.name.as_str(), error);
        self.prepare()?;
        let staging = RelPath::new(*b"tmp").map_err(|error| {
            Error::new(ErrorKind::InvalidInput, Operation::Put, self.name.as_str()).with_source(error)
        })?;
        let staging = self.cache.ensure_dir_with(&staging, &mut |_| ()).map_err(own)?;
        stem_fs::collect_leftovers(&staging);
        let mut temp = staging.temp_file(0o600).map_err(own)?;
        let mut hasher = if options.checksum {
            Hasher::with_checksum(self.algorithm())
        } else {
            Hasher::new(self.algorithm())
        };
        with_buffer(|buffer| {
            loop {
                match source.read(buffer) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        let part = buffer.get(..n).unwrap_or_default();
                        hasher.update(part);
                        temp.write_all(part)
                            .map_err(|error| Error::from_io(Operation::Put, self.name.as_str(), error))?;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(Error::from_source(self.name.as_str(), error)),
                }
            }
        })?;
        let digest = hasher.finish();
        let id = &digest.id;
        if let Some(expected) = options.expected.as_ref().filter(|expected| *expected != id) {
            return Err(Error::wrong_hash(self.name.as_str(), expected, id));
        }
        let failed = self.failed(Operation::Put, id);
        let written = match self.size(id).map_err(&failed)? {
            Some(stat) if stat.size == digest.len && self.is_sound(id, stat.size)? => {
                return Ok(Put { digest, written: Written::Present });
            }
            Some(_) => Written::Replaced,
            None => Written::New,
        };
        let held = temp.close();
        let file = held.open().map_err(own)?;
        let file = file.ok_or_else(|| failed(told(io::ErrorKind::NotFound, "a temporary file vanished")))?;
        let (client, key, len) = (self.client.clone(), object_key(id), digest.len);
        wait(async move { client.upload(&key, &file, len, &AtomicBool::new(false)).await })
            .map_err(failed)?;
        drop(held);
        Ok(Put { digest, written })
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        let digits = prefix.to_string();
        let shard = digits.get(..2);
        let key = shard.map_or_else(|| OBJECTS.to_owned(), |shard| format!("{OBJECTS}/{shard}"));
        let listed = self.client.list(&key);
        for listed in listed.map_err(|error| Error::from_io(Operation::List, self.name.as_str(), error))? {
            let id = match (shard, listed.parts.as_slice()) {
                (Some(shard), [rest]) => parse_object_key(shard, rest),
                (None, [shard, rest]) => parse_object_key(shard, rest),
                _ => None,
            };
            if let Some(id) = id.filter(|id| prefix.matches(id))
                && visit(id).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

impl Maintain for ShardedRemote {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        let Some(stat) = self.size(id).map_err(self.failed(Operation::Verify, id))? else { return Ok(None) };
        Ok(Some(if self.is_sound(id, stat.size)? {
            Verified::Sound { size: stat.size }
        } else {
            Verified::Damaged { reason: "its bytes do not hash to its id".to_owned() }
        }))
    }

    fn remove(&self, id: &ObjectId) -> Result<bool> {
        if self.size(id).map_err(self.failed(Operation::Remove, id))?.is_none() {
            return Ok(false);
        }
        Err(Error::new(ErrorKind::Unsupported, Operation::Remove, self.name.as_str())
            .with_id(id)
            .with_reason("nothing is removed from a store that other machines use too"))
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        let listed = self.client.list(OBJECTS);
        let listed = listed.map_err(|error| Error::from_io(Operation::List, self.name.as_str(), error))?;
        Ok(Some(listed.iter().map(|listed| listed.size).sum()))
    }
}

/// An object's bytes, one range after the other, the next one on its way while one is read.
struct Ranges {
    client: Shared,
    key: String,
    next: u64,
    len: u64,
    ahead: Option<Receiver<io::Result<Vec<u8>>>>,
    part: Vec<u8>,
    at: usize,
}

impl Ranges {
    fn ask(&mut self) -> io::Result<Option<Receiver<io::Result<Vec<u8>>>>> {
        let range = self.next..self.next.saturating_add(STEP).min(self.len);
        if range.is_empty() {
            return Ok(None);
        }
        self.next = range.end;
        let (client, key) = (self.client.clone(), self.key.clone());
        let (send, receive) = sync_channel(1);
        runtime()?.spawn(async move {
            // The reader may be gone.
            let _ = send.send(client.fetch_all(&key, range).await);
        });
        Ok(Some(receive))
    }
}

impl Read for Ranges {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.len() {
            let asked = match self.ahead.take() {
                None => self.ask()?,
                some => some,
            };
            let Some(asked) = asked else { return Ok(0) };
            self.ahead = self.ask()?;
            self.part = loop {
                match asked.recv_timeout(LOOK) {
                    Ok(part) => break part?,
                    Err(RecvTimeoutError::Timeout) => go_on()?,
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(told(io::ErrorKind::Other, "a request ended without an answer"));
                    }
                }
            };
            self.at = 0;
        }
        let rest = self.part.get(self.at..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}
