//! Lossless coding of integer samples: the frames of FLAC (RFC 9639), without the file around them.
//!
//! A chunk of samples becomes a run of frames that say nothing which the caller does not know already: no
//! metadata, no MD5 (the caller keeps a stronger hash), no seek table. [`stream_header`] makes a file of
//! them that any FLAC decoder reads.
//!
//! Why our own: what packs need is a coder as fast as the disk that takes any bytes without panic and
//! without reserving memory that a header asks for. Rejected: libFLAC (needs cmake, half the speed),
//! `flac-codec` and `flacenc` (a tenth of it), `WavPack` and Monkey's Audio (slower at little gain).
//! libFLAC's command line and `claxon` judge our frames in the tests.
//!
//! How it is fast:
//! - whole-block passes that the compiler turns into vectors, with AVX2 where there is some (`dispatch`);
//! - predictions in `f64`: every product and partial sum of up to 32-bit samples and 15-bit coefficients is
//!   an integer below 2^53, so they are exact, and vectors of doubles multiply faster than those of 64-bit
//!   integers (`lpc`);
//! - Rice codes written and read several per 64-bit word (`bitwriter`, `bitreader`);
//! - one prediction per subframe, chosen from estimates, where libFLAC tries several.
//!
//! The same samples give the same bytes on every machine: vectors have a fixed number of lanes in the source,
//! nothing is fused, and no libm is asked.

#![expect(clippy::inline_always, reason = "what a block goes through is compiled once per instruction set")]

mod bitreader;
mod bitwriter;
mod crc;
mod decode;
mod dispatch;
mod encode;
mod error;
mod fixed;
mod header;
mod lpc;
mod predict;
mod rice;
mod subframe;

pub use decode::Decoder;
pub use encode::Encoder;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use header::stream_header;

/// Samples per channel of every frame but the last.
///
/// What the format's "streamable subset" has in common, and libFLAC's choice: at twice the size transients cost
/// more than headers save.
pub const BLOCK: usize = 4096;

/// The most bytes that a frame takes beyond its samples: a frame of `n` samples of `b` bits and `c` channels takes at
/// most `⌈n·b·c / 8⌉ + FRAME_OVERHEAD` bytes.
///
/// The header has at most 4 + 6 (number) + 2 (block size) + 2 (rate) + 1 (CRC) bytes, each subframe one, the footer 2.
/// A full block in a chunk of less than 2,048 of them takes 9 to 11 of these: below 0.1 % of 12 KiB, which is 24 bits
/// in mono, and of all that is larger.
pub const FRAME_OVERHEAD: usize = 19;

/// What the samples are; the frames do not repeat all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// 1 or 2. More are coded in pairs by the caller.
    pub channels: u32,
    /// Bits per sample, sign included: 4 to 32.
    pub bits: u32,
    /// Samples per second and channel: only passed on to other decoders, any value will do.
    pub rate: u32,
}

impl Format {
    /// Whether frames can hold it.
    pub const fn is_valid(&self) -> bool {
        matches!(self.channels, 1 | 2) && self.bits >= 4 && self.bits <= 32
    }
}

/// How much work goes into finding a short code. Decoding is equally fast for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// Fixed predictors only.
    Fast,
    /// Linear prediction up to order 8: the size of libFLAC's level 5 at more than twice the speed of its level 3.
    #[default]
    Default,
    /// Order 12, several windows, all channel modes tried.
    High,
}

/// The highest order of a predictor that the encoder makes.
const MAX_LPC: usize = 12;

/// A residual as Rice codes see it: 0, -1, 1, -2 … become 0, 1, 2, 3 … (RFC 9639, 9.2.7.1).
#[inline(always)]
fn fold(residual: i32) -> u32 {
    (residual << 1 ^ residual >> 31).cast_unsigned()
}

/// Remembers whether all numbers that it saw fit some bits, in a few operations that nothing waits for.
#[derive(Default)]
struct Fit(u64);

impl Fit {
    #[inline(always)]
    fn see(&mut self, value: i64) {
        self.0 |= (value ^ value >> 63).cast_unsigned();
    }

    /// Whether all fit `bits` bits, the sign included.
    fn is_within(&self, bits: u32) -> bool {
        self.0 >> (bits - 1) == 0
    }
}

#[cfg(test)]
mod tests;
