//! A lane: one file on its way through SHA-256, a piece at a time.
//!
//! A lane can stop after any block, so two of them can share a core ([`step_pair`]), be refilled
//! independently, and move to another thread. Whole blocks come straight from the file's window; the rest
//! of the last block and the padding are one more run of blocks, so small files go through both lanes too.

use std::io;

use crate::checksum::ChecksumHasher;
use crate::file::{HashFile, HashOptions};
use crate::hasher::{Digest, PIECE};
use crate::id::ObjectId;
use crate::sha256::{Block, INITIAL, State, compress, compress2, output, padding};
use crate::window::Windows;

pub(crate) struct Lane {
    windows: Windows,
    state: State,
    checksum: Option<ChecksumHasher>,
    /// How many bytes `tick` has heard of.
    reported: u64,
    stage: Stage,
}

enum Stage {
    Data,
    /// The blocks after the data, the next of them, and how many there are.
    Padding([Block; 2], usize, usize),
}

/// What [`Lane::prepare`] found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    /// There are blocks to take, as there were before.
    Blocks,
    /// There are blocks to take, and fetching them took time: system calls, the caller's `tick`.
    Fetched,
    /// The file is done.
    Done,
}

impl Lane {
    /// A lane at the beginning of a file. `buffer` is a used read buffer, or empty.
    pub(crate) fn new(expected: u64, options: &HashOptions, buffer: Vec<u8>) -> Self {
        Self {
            windows: Windows::new(expected, options.mmap, buffer),
            state: INITIAL,
            checksum: options.checksum.then(ChecksumHasher::new),
            reported: 0,
            stage: Stage::Data,
        }
    }

    /// Makes sure that there are blocks to take, or that the file is done.
    ///
    /// `tick` hears of the bytes that were taken since the last call that needed more, and may stop the work.
    pub(crate) fn prepare(
        &mut self,
        file: &impl HashFile,
        tick: &dyn Fn(u64) -> io::Result<()>,
    ) -> io::Result<Ready> {
        let mut blocks = Ready::Blocks;
        loop {
            match self.stage {
                Stage::Padding(_, next, count) => return Ok(if next < count { blocks } else { Ready::Done }),
                Stage::Data if self.windows.rest().len() >= 64 => return Ok(blocks),
                Stage::Data if self.windows.ended() => {
                    let rest = self.windows.rest();
                    if let Some(checksum) = &mut self.checksum {
                        checksum.update(rest);
                    }
                    let len = self.windows.position() + rest.len() as u64;
                    let (blocks, count) = padding(rest, len);
                    self.windows.consume(rest.len());
                    self.stage = Stage::Padding(blocks, 0, count);
                    self.report(tick)?;
                }
                Stage::Data => {
                    blocks = Ready::Fetched;
                    self.report(tick)?;
                    self.windows.advance(file)?;
                }
            }
        }
    }

    fn report(&mut self, tick: &dyn Fn(u64) -> io::Result<()>) -> io::Result<()> {
        let position = self.windows.position();
        let bytes = position - self.reported;
        self.reported = position;
        if bytes > 0 { tick(bytes) } else { Ok(()) }
    }

    /// The next blocks; some exist after [`prepare`](Self::prepare), unless the file is done.
    fn blocks(&self) -> &[Block] {
        match &self.stage {
            Stage::Data => {
                let (blocks, _) = self.windows.rest().as_chunks();
                &blocks[..blocks.len().min(PIECE / 64)]
            }
            Stage::Padding(blocks, next, count) => &blocks[*next..*count],
        }
    }

    /// The checksum of the blocks that the id has just taken and that are still in the cache.
    fn took(&mut self, blocks: usize) {
        match &mut self.stage {
            Stage::Padding(_, next, _) => *next += blocks,
            Stage::Data => {
                let bytes = 64 * blocks;
                if let Some(checksum) = &mut self.checksum {
                    checksum.update(&self.windows.rest()[..bytes]);
                }
                self.windows.consume(bytes);
            }
        }
    }

    /// How many bytes are probably left.
    pub(crate) fn remaining(&self) -> u64 {
        self.windows.remaining()
    }

    /// To be called after time passed in somebody else's code.
    pub(crate) fn recheck(&mut self, file: &impl HashFile) {
        self.windows.recheck(file);
    }

    /// The digest, after [`prepare`](Self::prepare) said done, and the buffer for the next file.
    pub(crate) fn finish(self) -> (Digest, Vec<u8>) {
        let digest = Digest {
            id: ObjectId::from_bytes(output(&self.state)),
            checksum: self.checksum.map(|checksum| checksum.finish()),
            len: self.windows.position(),
        };
        (digest, self.windows.into_buffer())
    }

    /// The buffer of a file that is given up.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.windows.into_buffer()
    }
}

/// Takes the next piece of one prepared lane.
pub(crate) fn step(lane: &mut Lane) {
    let mut state = lane.state;
    let blocks = lane.blocks();
    let count = blocks.len();
    compress(&mut state, blocks);
    lane.state = state;
    lane.took(count);
}

/// Takes pieces of equal length from two prepared lanes.
pub(crate) fn step_pair(a: &mut Lane, b: &mut Lane) {
    let (mut state_a, mut state_b) = (a.state, b.state);
    let count = compress2([&mut state_a, &mut state_b], [a.blocks(), b.blocks()]);
    (a.state, b.state) = (state_a, state_b);
    a.took(count);
    b.took(count);
}
