//! The way in: from a source that gives what it likes to chunks, hashed on the way.

use std::io::{self, Read};

use parking_lot::Mutex;
use stem_hash::Hasher;
use stem_store::{Error, Result};

use crate::cut::{Cut, Cutter};
use crate::handle::Core;
use crate::put::Job;
use crate::small::SMALL;

/// How much is read at a time.
const STEP: usize = 1 << 20;
/// So much is read before what was not cut off yet moves to the front.
const ROOM: usize = 4 << 20;

/// Bytes on their way from the source to the cutter, hashed as they come.
pub(crate) struct Input<'a> {
    core: &'a Core,
    source: &'a mut dyn Read,
    pub(crate) hasher: Hasher,
    pub(crate) buffer: Vec<u8>,
    /// Where what was not cut off yet begins, and where it ends.
    start: usize,
    end: usize,
    ended: bool,
}

impl<'a> Input<'a> {
    pub(crate) fn new(core: &'a Core, source: &'a mut dyn Read) -> Self {
        // A chunk list keeps the checksum whether it is asked for or not.
        let hasher = Hasher::with_checksum(core.algorithm);
        Self { core, source, hasher, buffer: Vec::new(), start: 0, end: 0, ended: false }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads the first bytes: all of a small object, which then has no more memory than it needs. Says whether that was
    /// all.
    pub(crate) fn begin(&mut self) -> Result<bool> {
        stem_store::with_buffer(|buffer| {
            let room = buffer.len().min(SMALL + 1);
            let mut have = 0;
            while have < room && !self.ended {
                have += self.read(&mut buffer[have..room])?;
            }
            self.buffer = buffer[..have].to_vec();
            self.end = have;
            Ok(self.ended)
        })
    }

    /// Reads once. Nothing is said of an interruption but 0 bytes.
    fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        match self.source.read(room) {
            Ok(0) => self.ended = true,
            // A faulty reader may claim more than it had room for.
            Ok(n) => {
                let n = n.min(room.len());
                self.hasher.update(&room[..n]);
                return Ok(n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::from_source(self.core.name.as_str(), error)),
        }
        Ok(0)
    }

    /// Reads until there are `wanted` bytes. Says whether the source ended.
    pub(crate) fn fill(&mut self, wanted: usize) -> Result<bool> {
        while !self.ended && self.bytes().len() < wanted {
            if self.buffer.len() - self.end < STEP {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                // Little for objects that are short, and not touched again and again for those that are long.
                let long = self.end.max(wanted) + ROOM;
                let room = (2 * self.end).clamp(self.end + STEP, long.max(self.end + STEP));
                if self.buffer.len() < room {
                    self.buffer.resize(room, 0);
                }
            }
            let mut buffer = std::mem::take(&mut self.buffer);
            let read = self.read(&mut buffer[self.end..self.end + STEP]);
            self.buffer = buffer;
            self.end += read?;
        }
        Ok(self.ended)
    }

    /// The next chunk.
    pub(crate) fn piece(&mut self, cutter: &mut Cutter, buffers: &Buffers) -> Result<Option<Job>> {
        self.fill(cutter.max())?;
        let Some(Cut { len, format }) = cutter.next(self.bytes(), self.ended) else { return Ok(None) };
        let mut raw = buffers.take();
        raw.extend_from_slice(self.bytes().get(..len).unwrap_or_default());
        self.start += len;
        Ok(Some(Job { raw, format }))
    }
}

/// Buffers that go round.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut buffer = self.0.lock().pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        self.0.lock().push(buffer);
    }
}
