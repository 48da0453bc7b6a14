//! Cutting objects where their content says.
//!
//! An object is three sections: what comes before the samples, the samples, and what comes after them; one that holds
//! no samples is a single section. Each section is cut on its own, so a header that grows moves no boundary in the
//! samples. A boundary depends on the 64 bytes before it and on where its chunk began, never on the position in the file:
//! an edit changes the chunks it touches, and soon after it the old boundaries return. In samples a boundary is moved up to
//! the next whole frame, counted from the first sample, so that every chunk can be coded as audio.
//!
//! The rule is that of `FastCDC` with normalised chunking: up to the average length a boundary must be rare, after it
//! frequent, which keeps lengths close together. Boundaries are a contract, since two stores share chunks only if they
//! cut alike: docs/format/chunking.md says them in full, golden vectors hold them.
//!
//! Fixed-size blocks were no choice (an insertion would change everything after it), nor was the `fastcdc` crate
//! (half the speed, no alignment).

mod gear;
mod parallel;
mod params;

pub use parallel::cut_all;
pub use params::{ChunkParams, Sizes};

use std::ops::Range;

use crate::container::Audio;

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PieceKind {
    /// Anything.
    Bytes,
    /// Whole frames of samples.
    Samples,
}

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// Its length in bytes, never zero.
    pub len: usize,
    /// What it holds.
    pub kind: PieceKind,
}

/// Cuts one object as its bytes come in.
///
/// ```
/// # use stem_audio::{ChunkParams, Chunker};
/// let object = vec![7; 3 << 20];
/// let mut chunker = Chunker::new(&ChunkParams::DEFAULT, None);
/// let (mut rest, mut chunks) = (&object[..], 0);
/// while let Some(piece) = chunker.next(rest, true) {
///     rest = &rest[piece.len..];
///     chunks += 1;
/// }
/// assert!(rest.is_empty() && chunks > 1);
/// ```
#[derive(Clone, Debug)]
pub struct Chunker {
    params: ChunkParams,
    /// The bytes that are samples; empty at `u64::MAX` where there are none.
    samples: Range<u64>,
    frame: usize,
    /// Bytes cut off so far.
    position: u64,
}

impl Chunker {
    /// A chunker at the beginning of an object in which [`probe`](crate::probe) found `audio`.
    pub fn new(params: &ChunkParams, audio: Option<&Audio>) -> Self {
        let samples = audio.map_or(u64::MAX..u64::MAX, |audio| audio.samples.clone());
        let frame = audio.map_or(1, |audio| audio.format.frame_len());
        Self { params: *params, samples, frame, position: 0 }
    }

    /// Bytes that have been cut off.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes [`next`](Self::next) wants to see before it answers.
    pub fn max(&self) -> usize {
        self.params.samples.max().max(self.params.bytes.max())
    }

    /// The next chunk, which `buffer` begins with and which counts as cut off from then on.
    ///
    /// `buffer` is what follows the last chunk; `last` says that the object ends with it. `None` when more bytes are
    /// needed (never if there are at least [`max`](Self::max)), or at the end. The answers do not depend on how much more than
    /// one chunk is shown.
    pub fn next(&mut self, buffer: &[u8], last: bool) -> Option<Piece> {
        let (kind, section) = self.section();
        let sizes = match kind {
            PieceKind::Bytes => self.params.bytes,
            PieceKind::Samples => self.params.samples,
        };
        // A section is shown up to its end, and not more than one chunk of it.
        let left = usize::try_from(section.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let shown = buffer.get(..left.min(sizes.max())).unwrap_or(buffer);
        if shown.len() < left.min(sizes.max()) && !last {
            return None;
        }
        let piece = match kind {
            PieceKind::Bytes => Piece { len: cut(shown, sizes, 1), kind },
            PieceKind::Samples => {
                // Where the object ends early, its last bytes may be less than a frame.
                let whole = shown.get(..shown.len() - shown.len() % self.frame).unwrap_or_default();
                match cut(whole, sizes, self.frame) {
                    0 => Piece { len: shown.len(), kind: PieceKind::Bytes },
                    len => Piece { len, kind },
                }
            }
        };
        self.position += piece.len as u64;
        (piece.len > 0).then_some(piece)
    }

    /// The kind of the section at the current position, and its end.
    fn section(&self) -> (PieceKind, u64) {
        let Range { start, end } = self.samples;
        if self.position < start.min(end) {
            (PieceKind::Bytes, start)
        } else if self.position < end {
            (PieceKind::Samples, end)
        } else {
            (PieceKind::Bytes, u64::MAX)
        }
    }
}

/// The length of the first chunk of `data`, which is a whole number of frames: the rest of its section, or at least as
/// much of that as the longest chunk. Zero only for no data.
fn cut(data: &[u8], sizes: Sizes, frame: usize) -> usize {
    let end = data.len().min(sizes.max());
    let end = end - end % frame;
    if end <= sizes.min() {
        return end;
    }
    let data = data.get(..end).unwrap_or(data);
    let [rare, frequent] = sizes.masks();
    let middle = end.min(sizes.average());
    let before = data.get(..middle).unwrap_or(data);
    let boundary = gear::find(before, sizes.min(), rare)
        .or_else(|| (middle < end).then(|| gear::find(data, middle, frequent)).flatten())
        .unwrap_or(end);
    boundary.next_multiple_of(frame).min(end)
}
