//! Objects as runs of coded pieces, for whoever carries them in a file of another kind (bundles).
//!
//! The same cutting into large blocks, the same codecs and the same record headers as in packs, without a store around
//! them. What is coded has been decoded and compared; what is decoded is bounded by its header.

use std::io::{self, Read};

use stem_audio::{HEAD_LEN, SampleFormat, probe};

pub use crate::crew::ordered;

use crate::cut::{Cut, Cutter};
use crate::format::{Codec, RecordHeader};
use crate::options::{Chunking, Compression};
use crate::tools::Tools;

/// How much is read at a time.
const STEP: usize = 1 << 20;

/// A piece of an object.
#[derive(Debug)]
pub struct Piece {
    /// Its bytes, at most [`crate::format::MAX_CHUNK`].
    pub raw: Vec<u8>,
    format: Option<SampleFormat>,
}

/// Cuts an object as it is read. The cuts follow from its bytes and its length alone.
pub struct Pieces<'a> {
    source: &'a mut dyn Read,
    cutter: Cutter,
    buffer: Vec<u8>,
    /// Where what was not cut off yet begins.
    start: usize,
    ended: bool,
}

impl std::fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("cutter", &self.cutter).finish_non_exhaustive()
    }
}

impl<'a> Pieces<'a> {
    /// Begins to read an object of `len` bytes.
    ///
    /// # Errors
    ///
    /// The source's.
    pub fn new(source: &'a mut dyn Read, len: u64) -> io::Result<Self> {
        let mut pieces = Self {
            source,
            cutter: Cutter::new(Chunking::Whole, None),
            buffer: Vec::new(),
            start: 0,
            ended: false,
        };
        pieces.fill(usize::try_from(len).unwrap_or(usize::MAX).clamp(1, HEAD_LEN))?;
        pieces.cutter = Cutter::new(Chunking::Whole, probe(pieces.rest(), Some(len)));
        Ok(pieces)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// The source's.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        self.fill(self.cutter.max())?;
        let Some(Cut { len, format }) =
            self.cutter.next(self.buffer.get(self.start..).unwrap_or_default(), self.ended)
        else {
            return Ok(None);
        };
        let raw = self.rest().get(..len).unwrap_or_default().to_vec();
        self.start += len;
        Ok(Some(Piece { raw, format }))
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while !self.ended && self.rest().len() < wanted {
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            let have = self.buffer.len();
            self.buffer.resize(have + STEP.min(wanted - have), 0);
            let read = match self.source.read(self.buffer.get_mut(have..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.buffer.truncate(have);
                    continue;
                }
                other => other,
            };
            let read_len = read.as_ref().copied().unwrap_or(0).min(self.buffer.len() - have);
            self.buffer.truncate(have + read_len);
            self.ended = read? == 0;
        }
        Ok(())
    }
}

/// Codes and decodes; usable from any thread.
#[derive(Debug)]
pub struct Coder {
    tools: Tools,
    compression: Compression,
}

impl Coder {
    /// A coder that makes things smaller in this way. It decodes whatever was made in any.
    pub fn new(compression: Compression) -> Self {
        Self { tools: Tools::default(), compression }
    }

    /// The codec of the piece's payload, and the payload.
    pub fn encode(&self, piece: Piece) -> (Codec, Vec<u8>) {
        let coded =
            self.tools.with(|tool| tool.encode(&piece.raw, piece.format.as_ref(), None, self.compression));
        if coded.codec == Codec::Raw { (Codec::Raw, piece.raw) } else { (coded.codec, coded.payload) }
    }

    /// Decodes a payload without attributes and without a dictionary into `out`, whose length is then the header's raw
    /// length.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn decode(&self, header: &RecordHeader, payload: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        self.tools.with(|tool| tool.decode(header, payload, None, out))
    }
}
