//! A file as a sequence of windows: mapped where that is allowed and pays, read elsewhere.
//!
//! Invariants, on which the block hashes rely: a window's length is a multiple of the block size unless it
//! is the last one, and the last one always comes from a read, because only a read tells the true end of a
//! file that somebody may be growing or truncating.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rayon::prelude::*;

use crate::buffer::BUFFER;
use crate::file::HashFile;
use crate::map::{MAP_WINDOW, MapWindow};

/// From how many bytes on a window is mapped rather than read. Below, setting up and tearing down the
/// mapping costs more than the copy, the more so on several threads (measured: at 64 KiB a fifth more on one
/// thread, at 1 MiB a little, at 4 MiB it gains a tenth).
const MAP_FROM: u64 = 2 * 1024 * 1024;

/// How much is read at a time by several threads, and by each of them.
const PARALLEL_BUFFER: usize = 4 * BUFFER;
const PARALLEL_PART: usize = BUFFER / 4;

/// The block size whose multiples the windows are.
const BLOCK: usize = 64;

pub(crate) struct Windows {
    /// Where the current window begins in the file.
    start: u64,
    /// How much of the current window was consumed.
    at: usize,
    current: Current,
    /// The read buffer; empty until the first read.
    buffer: Vec<u8>,
    expected: u64,
    may_map: bool,
    ended: bool,
}

enum Current {
    Map(MapWindow),
    /// So many bytes of the buffer.
    Buffer(usize),
}

impl Windows {
    /// The windows of a file of about `expected` bytes. `buffer` is a used read buffer, or empty.
    pub(crate) fn new(expected: u64, may_map: bool, buffer: Vec<u8>) -> Self {
        Self { start: 0, at: 0, current: Current::Buffer(0), buffer, expected, may_map, ended: false }
    }

    /// What is left of the current window.
    pub(crate) fn rest(&self) -> &[u8] {
        let window: &[u8] = match &self.current {
            Current::Map(map) => map,
            Current::Buffer(filled) => &self.buffer[..*filled],
        };
        &window[self.at..]
    }

    /// Marks bytes of [`rest`](Self::rest) as done.
    pub(crate) fn consume(&mut self, count: usize) {
        self.at += count.min(self.rest().len());
    }

    /// Whether the current window is the last.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// How much of the file is probably left.
    pub(crate) fn remaining(&self) -> u64 {
        self.expected.saturating_sub(self.position())
    }

    /// How much was consumed of the whole file.
    pub(crate) fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    /// The buffer, for the next file.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Forgets the current window and fetches the next from where the last byte was consumed.
    pub(crate) fn advance(&mut self, file: &impl HashFile) -> io::Result<()> {
        self.drop_window();
        if self.ended {
            return Ok(());
        }
        if let Some(map) = self.map(file)? {
            self.current = Current::Map(map);
            return Ok(());
        }
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER];
        }
        self.read_on(file.file(), 0)
    }

    /// The same for a larger window, never mapped, that the threads of the rayon pool read together.
    pub(crate) fn advance_parallel(&mut self, file: &impl HashFile) -> io::Result<()> {
        self.drop_window();
        if self.ended {
            return Ok(());
        }
        if self.buffer.len() < PARALLEL_BUFFER {
            self.buffer = vec![0; PARALLEL_BUFFER];
        }
        let (file, start) = (file.file(), self.start);
        let parts = self.buffer.par_chunks_mut(PARALLEL_PART).enumerate();
        let counts: Vec<usize> = parts
            .map(|(index, part)| {
                // An error leaves a gap, at which `read_on` tries again and reports it.
                file.read_at(part, start + (index * PARALLEL_PART) as u64).unwrap_or_default()
            })
            .collect();
        let whole = counts.iter().take_while(|&&count| count == PARALLEL_PART).count();
        let filled = whole * PARALLEL_PART + counts.get(whole).copied().unwrap_or_default();
        self.read_on(file, filled)
    }

    /// Unmaps before the next window is made, so that never two windows of one file are mapped.
    fn drop_window(&mut self) {
        self.start = self.position();
        self.at = 0;
        self.current = Current::Buffer(0);
    }

    /// Asks again whether the current window may stay mapped, after time passed in somebody else's code.
    pub(crate) fn recheck(&mut self, file: &impl HashFile) {
        if matches!(self.current, Current::Map(_)) && !file.safe_to_map() {
            self.may_map = false;
            self.drop_window();
        }
    }

    fn map(&mut self, file: &impl HashFile) -> io::Result<Option<MapWindow>> {
        if !self.may_map || self.remaining() < MAP_FROM {
            return Ok(None);
        }
        if !file.safe_to_map() {
            self.may_map = false;
            return Ok(None);
        }
        let left = file.file().metadata()?.len().saturating_sub(self.start);
        if left < MAP_FROM {
            return Ok(None);
        }
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(MAP_WINDOW) / BLOCK * BLOCK;
        let map = MapWindow::new(file.file(), self.start, len);
        self.may_map = map.is_some();
        Ok(map)
    }

    /// Fills the buffer, of which `filled` bytes are read already, as far as the file goes.
    fn read_on(&mut self, file: &File, mut filled: usize) -> io::Result<()> {
        while filled < self.buffer.len() {
            let offset = self.start + filled as u64;
            match file.read_at(&mut self.buffer[filled..], offset) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => {
                    filled += count;
                    // A short read that ends where the file was said to end saves asking once more.
                    if filled < self.buffer.len() && offset + count as u64 == self.expected {
                        self.ended = true;
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.current = Current::Buffer(filled);
        Ok(())
    }
}
