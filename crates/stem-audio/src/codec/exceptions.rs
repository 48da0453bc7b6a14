//! Floats for which the mapping to integers has no number.
//!
//! Mostly -0.0, which gates and inverted silence leave behind in long runs: a bit for each zero, compressed, costs next to
//! nothing then, and never more than a thirtieth of the samples.

use super::DecodeError;
use super::scratch::Zstd;

/// Bytes of the bit set over `zeros` samples.
const fn bitmap_len(zeros: usize) -> usize {
    zeros.div_ceil(8)
}

/// Puts the exceptions of a chunk into `out`: the bits of the floats where the integer is zero and the float is not +0.0.
/// `buffer` is for the work between. `None` if zstd cannot get memory.
pub(super) fn encode(
    floats: &[Vec<i32>],
    integers: &[Vec<i32>],
    zstd: &mut Zstd,
    buffer: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let pairs = || floats.iter().flatten().zip(integers.iter().flatten());
    let zeros = || pairs().filter(|&(_, &integer)| integer == 0).map(|(&float, _)| float);
    buffer.clear();
    let (mut byte, mut count) = (0, 0_usize);
    for float in zeros() {
        byte |= u8::from(float != 0) << (count % 8);
        count += 1;
        if count.is_multiple_of(8) {
            buffer.push(std::mem::take(&mut byte));
        }
    }
    if !count.is_multiple_of(8) {
        buffer.push(byte);
    }
    buffer.extend(zeros().filter(|&float| float != 0).flat_map(i32::to_le_bytes));
    zstd.compress(buffer, out)
}

/// The exceptions of a chunk, one zero after the other.
pub(super) struct Exceptions<'a> {
    /// The bit set, and the bits of the floats.
    bitmap: &'a [u8],
    values: std::slice::Iter<'a, [u8; 4]>,
    at: usize,
}

impl<'a> Exceptions<'a> {
    /// Reads the exceptions of a chunk whose integers have `zeros` zeros, by way of `buffer`.
    pub(super) fn read(
        frame: &[u8],
        zeros: usize,
        zstd: &mut Zstd,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Self, DecodeError> {
        buffer.clear();
        if frame.is_empty() {
            return Ok(Self { bitmap: &[], values: [].iter(), at: 0 });
        }
        zstd.decompress(frame, bitmap_len(zeros) + 4 * zeros, buffer)?;
        let wrong = DecodeError::Damaged("number of exceptions");
        let (bitmap, values) = buffer.split_at_checked(bitmap_len(zeros)).ok_or(wrong.clone())?;
        let (values, rest) = values.as_chunks::<4>();
        let marked: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
        // Bits beyond the last zero would be values that are never asked for.
        let filled = zeros.is_multiple_of(8) || bitmap.last().is_none_or(|last| last >> (zeros % 8) == 0);
        if !rest.is_empty() || marked as usize != values.len() || !filled {
            return Err(wrong);
        }
        Ok(Self { bitmap, values: values.iter(), at: 0 })
    }

    /// The bits of the float at the next zero.
    #[inline]
    pub(super) fn next(&mut self) -> i32 {
        let Some(byte) = self.bitmap.get(self.at / 8) else { return 0 };
        let marked = byte >> (self.at % 8) & 1 == 1;
        self.at += 1;
        if marked { self.values.next().map_or(0, |bits| i32::from_le_bytes(*bits)) } else { 0 }
    }
}
