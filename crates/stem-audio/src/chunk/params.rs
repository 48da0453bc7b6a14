//! How long chunks are.

use super::gear::WINDOW;

/// Bits by which a boundary is made rarer before the average and more frequent after it.
///
/// More of it keeps lengths closer together and boundaries apart for longer after an edit: with 2 two runs need two chunks to
/// meet on average and more than five in one case of twenty, with 1 they need 1.3, and 2.8.
const NORMALISATION: u32 = 1;

/// The lengths of chunks in one kind of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sizes {
    min: usize,
    average: usize,
    max: usize,
}

impl Sizes {
    /// The least and the greatest average length that can be asked for.
    pub const AVERAGES: std::ops::RangeInclusive<usize> = 4 << 10..=64 << 20;

    /// Chunks of about `average` bytes: at least a quarter of it, at most four times as much, but for the last one.
    ///
    /// `average` is rounded down to a power of two within [`AVERAGES`](Self::AVERAGES).
    pub const fn around(average: usize) -> Self {
        let (least, most) = (*Self::AVERAGES.start(), *Self::AVERAGES.end());
        let average = if average < least {
            least
        } else if average > most {
            most
        } else {
            average
        };
        let average = 1 << average.ilog2();
        Self { min: average / 4, average, max: average * 4 }
    }

    /// No chunk but the last is shorter.
    pub const fn min(self) -> usize {
        self.min
    }

    /// Where the rule turns from a rare boundary to a frequent one.
    pub const fn average(self) -> usize {
        self.average
    }

    /// No chunk is longer.
    pub const fn max(self) -> usize {
        self.max
    }

    /// The mask for boundaries up to the average, and the one for those after it.
    pub(super) const fn masks(self) -> [u64; 2] {
        let bits = self.average.ilog2();
        [top(bits + NORMALISATION), top(bits - NORMALISATION)]
    }
}

/// The `bits` most significant bits: the ones that depend on most bytes.
const fn top(bits: u32) -> u64 {
    !(u64::MAX >> bits)
}

/// The lengths of chunks; part of what decides where boundaries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkParams {
    /// In samples.
    pub samples: Sizes,
    /// In everything else.
    pub bytes: Sizes,
}

impl ChunkParams {
    /// What a store uses unless told otherwise, see docs/format/chunking.md for how it was chosen.
    pub const DEFAULT: Self = Self { samples: Sizes::around(512 << 10), bytes: Sizes::around(128 << 10) };
}

impl Default for ChunkParams {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const _: () =
    assert!(*Sizes::AVERAGES.start() / 4 >= WINDOW, "a boundary must depend on its own chunk alone");
const _: () = assert!(*Sizes::AVERAGES.start() / 4 >= 256, "the longest frame fits into the shortest chunk");
