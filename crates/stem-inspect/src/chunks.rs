//! Anything else: how much of the bytes is the same.
//!
//! Both files are cut where their content says so (the gear hash of `stem-audio`), so that what was inserted does not hide
//! what follows it, and the chunks are compared by their hashes. Rejected: a line-by-line or byte-exact difference, which
//! takes memory that grows with the file and tells nobody anything about bytes that nobody reads.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;
use stem_audio::{Audio, ChunkParams, Chunker, SampleFormat, Sizes};
use twox_hash::XxHash3_128;

use crate::limits::Limits;
use crate::source::{ReadAt, read_full};
use crate::words::bytes;

/// Chunks are short, so that a change hides little.
const AVERAGE: usize = 16 << 10;
/// Where there would be more chunks than this, they are longer.
const MOST: u64 = 1 << 16;
/// Bytes that one thread reads at a time.
const PIECE: u64 = 4 << 20;

/// How much of two files is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
    /// Bytes of the second that are, in chunks cut by content, in the first.
    pub equal: u64,
    /// Whether there is no difference at all.
    #[serde(skip)]
    everything: bool,
    /// Why no more is said, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Share {
    /// The part of the longer file that is the same, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a ratio to be shown")]
    pub fn ratio(&self) -> f64 {
        let longest = self.before.max(self.after);
        if longest == 0 { 1.0 } else { self.equal as f64 / longest as f64 }
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.everything
    }

    /// One short line: `1.5 MiB to 1.6 MiB, 93 % equal`.
    pub fn summary(&self) -> String {
        // Only what is the same altogether is called so.
        let percent = if self.everything { 100.0 } else { (self.ratio() * 100.0).floor().min(99.0) };
        if self.before == self.after {
            format!("{}, {percent:.0} % equal", bytes(self.after))
        } else {
            format!("{} to {}, {percent:.0} % equal", bytes(self.before), bytes(self.after))
        }
    }
}

/// A part of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) hash: u128,
    /// Where it begins, from the beginning of what was cut.
    pub(crate) start: u64,
    pub(crate) len: u32,
    /// Whether every frame in it is the same, as in silence.
    pub(crate) still: bool,
}

/// Compares two files as bytes.
pub(crate) fn share(before: &dyn ReadAt, after: &dyn ReadAt, limits: &Limits) -> io::Result<Share> {
    let longest = before.len().max(after.len());
    let average = average(longest);
    let cut = |source: &dyn ReadAt| cut_to(source, 0..source.len(), None, average, limits);
    let (first, second) = (cut(before)?, cut(after)?);
    let everything = before.len() == after.len()
        && first.len() == second.len()
        && first.iter().zip(&second).all(|(a, b)| a.hash == b.hash && a.len == b.len);
    let mut there: HashMap<u128, u32> = HashMap::with_capacity(first.len());
    for chunk in &first {
        *there.entry(chunk.hash).or_default() += 1;
    }
    let mut equal = 0;
    for chunk in &second {
        if let Some(count) = there.get_mut(&chunk.hash).filter(|count| **count > 0) {
            *count -= 1;
            equal += u64::from(chunk.len);
        }
    }
    Ok(Share { before: before.len(), after: after.len(), equal, everything, note: None })
}

/// How long chunks are on average, so that there are not too many: the same for both files that are compared.
fn average(len: u64) -> usize {
    let mut average = AVERAGE;
    while len / average as u64 > MOST && average < *Sizes::AVERAGES.end() / 64 {
        average *= 2;
    }
    average
}

/// Cuts a range of a file into chunks.
pub(crate) fn cut(
    source: &dyn ReadAt,
    range: Range<u64>,
    format: Option<&SampleFormat>,
    longest: u64,
    limits: &Limits,
) -> io::Result<Vec<Chunk>> {
    cut_to(source, range, format, average(longest), limits)
}

fn cut_to(
    source: &dyn ReadAt,
    range: Range<u64>,
    format: Option<&SampleFormat>,
    average: usize,
    limits: &Limits,
) -> io::Result<Vec<Chunk>> {
    let params = ChunkParams { samples: Sizes::around(average), bytes: Sizes::around(average) };
    let step = format.map_or(1, SampleFormat::frame_len);
    let length = range.end.saturating_sub(range.start);
    // Pieces are cut by themselves: the first and the last chunk of each are not to be found elsewhere, which costs
    // little.
    let piece = PIECE - PIECE % step as u64;
    let cut: Vec<Vec<Chunk>> = (0..length.div_ceil(piece))
        .into_par_iter()
        .map_init(Vec::new, |buffer, number| {
            limits.check()?;
            let start = number * piece;
            let count = usize::try_from((length - start).min(piece)).unwrap_or_default();
            buffer.resize(count, 0);
            let filled = read_full(source, buffer, range.start + start)?;
            let bytes = &buffer[..filled - filled % step];
            let audio = format.map(|&format| Audio { format, samples: 0..bytes.len() as u64 });
            let mut chunker = Chunker::new(&params, audio.as_ref());
            let (mut rest, mut found) = (bytes, Vec::new());
            while let Some(cut) = chunker.next(rest, true) {
                let (chunk, left) = rest.split_at(cut.len);
                let at = bytes.len() - rest.len();
                found.push(Chunk {
                    hash: XxHash3_128::oneshot(chunk),
                    still: chunk.get(step..) == chunk.get(..chunk.len().saturating_sub(step)),
                    start: start + at as u64,
                    len: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
                });
                rest = left;
            }
            Ok(found)
        })
        .collect::<io::Result<_>>()?;
    Ok(cut.into_iter().flatten().collect())
}
