//! Bits, most significant first, out of a slice.
//!
//! The position is a bit number and the window of bits at it is loaded anew for each use: eight bytes, reversed
//! and shifted, of which at least [`WINDOW`] are valid. That costs a few cycles of latency and no branch, so
//! the way to speed is to take many values out of one window (see [`BitReader::rice`]).
//!
//! Bits beyond the end read as zeros. That is harmless because nothing is decided by it: every loop is bounded
//! by a count of samples or by the end of the slice, and [`BitReader::check`] says whether the end was passed.

#![expect(clippy::cast_possible_truncation, reason = "fields are cut out of wider words")]

use super::error::{DecodeError, DecodeErrorKind};

/// How many bits of a window count at least.
const WINDOW: u32 = 57;

pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits, from the first byte; may pass the end.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Reads `bytes` from byte `offset` on. Positions count from the beginning.
    pub(super) fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, position: offset * 8 }
    }

    /// The byte in which the next bit lies.
    pub(super) fn offset(&self) -> usize {
        self.position / 8
    }

    /// Fails if more bits were read than there are.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        if self.position > self.bytes.len() * 8 { Err(self.truncated()) } else { Ok(()) }
    }

    #[cold]
    fn truncated(&self) -> DecodeError {
        DecodeErrorKind::Truncated.at(self.bytes.len())
    }

    /// A fault at the current place.
    #[cold]
    pub(super) fn fault(&self, kind: DecodeErrorKind) -> DecodeError {
        // A fault that is read out of bits that are not there is none of the bits.
        self.check().err().unwrap_or(kind.at(self.offset()))
    }

    /// The next bits, at least [`WINDOW`], from the top down.
    #[inline(always)]
    fn window(&self) -> u64 {
        let byte = self.position >> 3;
        let word = match self.bytes.get(byte..byte.wrapping_add(8)).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => self.last_word(byte),
        };
        word << (self.position & 7)
    }

    #[cold]
    #[inline(never)]
    fn last_word(&self, byte: usize) -> u64 {
        let rest = self.bytes.get(byte..).unwrap_or_default();
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(rest) {
            *to = *from;
        }
        u64::from_be_bytes(word)
    }

    /// The next `count` bits, at most 32.
    #[inline(always)]
    pub(super) fn read(&mut self, count: u32) -> u32 {
        debug_assert!(count <= 32);
        // In two shifts, because `count` may be 0.
        let value = self.window() >> 1 >> (63 - count);
        self.position += count as usize;
        value as u32
    }

    /// The next `count` bits in two's complement, at most 32; 0 of them are 0.
    #[inline(always)]
    pub(super) fn read_signed(&mut self, count: u32) -> i32 {
        debug_assert!(count <= 32);
        let value = (self.window().cast_signed() >> 32) as i32;
        self.position += count as usize;
        if count == 0 { 0 } else { value >> (32 - count) }
    }

    /// Goes on to the next whole byte; returns the bits before it.
    pub(super) fn skip_to_byte(&mut self) -> u32 {
        self.read((8 - (self.position % 8) as u32) % 8)
    }

    /// The number of zeros before the next one bit.
    pub(super) fn read_unary(&mut self) -> Result<u64, DecodeError> {
        let mut zeros = 0;
        loop {
            let run = self.window().leading_zeros();
            if run < WINDOW {
                self.position += run as usize + 1;
                return Ok(zeros + u64::from(run));
            }
            zeros += u64::from(WINDOW);
            self.position += WINDOW as usize;
            self.check()?;
        }
    }

    /// Fills `residuals` from Rice codes with parameter `k`, at most 30 (RFC 9639, 9.2.7.1).
    #[inline(always)]
    pub(super) fn rice(&mut self, residuals: &mut [i32], k: u32) -> Result<(), DecodeError> {
        // As many per window as fit nearly always: most quotients are below 2.
        match k {
            0..=3 => self.rice_by::<8>(residuals, k),
            4..=6 => self.rice_by::<5>(residuals, k),
            7..=9 => self.rice_by::<4>(residuals, k),
            10..=14 => self.rice_by::<3>(residuals, k),
            _ => self.rice_by::<2>(residuals, k),
        }
    }

    #[inline(always)]
    fn rice_by<const GROUP: usize>(&mut self, residuals: &mut [i32], k: u32) -> Result<(), DecodeError> {
        let stop = 1_u32 << k;
        let (groups, rest) = residuals.as_chunks_mut::<GROUP>();
        for group in groups {
            let mut window = self.window();
            let mut used = 0;
            for residual in group.iter_mut() {
                // Decoded without asking whether the window still holds it; that is asked once, below. What
                // is not in the window cannot look shorter than it is.
                let zeros = window.leading_zeros();
                let low = (window.wrapping_shl(zeros) >> (63 - k)) as u32;
                let value = low.wrapping_sub(stop).wrapping_add(zeros.wrapping_shl(k));
                *residual = unfold(value);
                let length = zeros + 1 + k;
                window = window.wrapping_shl(length);
                used += length;
            }
            if used <= WINDOW {
                self.position += used as usize;
            } else {
                self.rice_singly(group, k)?;
            }
        }
        self.rice_singly(rest, k)
    }

    #[inline(never)]
    fn rice_singly(&mut self, residuals: &mut [i32], k: u32) -> Result<(), DecodeError> {
        for residual in residuals {
            let quotient = self.read_unary()?;
            let high = u32::try_from(quotient).ok().filter(|high| *high <= u32::MAX >> k);
            let Some(high) = high else {
                return Err(self.fault(DecodeErrorKind::Forbidden("a residual of more than 32 bits")));
            };
            *residual = unfold(high << k | self.read(k));
        }
        Ok(())
    }
}

/// The signed residual: 0, 1, 2, 3 … stand for 0, -1, 1, -2 ….
#[inline(always)]
fn unfold(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::super::bitwriter::{BitWriter, SLACK};
    use super::*;

    #[test]
    fn reads_what_was_written() {
        let mut out = vec![0; 4096 + SLACK];
        let mut writer = BitWriter::new(&mut out);
        let values: Vec<(i32, u32)> = (0..300_u32)
            .map(|i| {
                let count = i % 32 + 1;
                (i.wrapping_mul(0x9e37_79b9).cast_signed() >> (32 - count), count)
            })
            .collect();
        for (value, count) in &values {
            writer.put_signed(*value, *count);
            writer.put_unary(*count * 3);
        }
        writer.align();
        let bytes = writer.written().unwrap().to_vec();
        let mut reader = BitReader::new(&bytes, 0);
        for (value, count) in values {
            assert_eq!(reader.read_signed(count), value);
            assert_eq!(reader.read_unary(), Ok(u64::from(count) * 3));
        }
        assert!(reader.check().is_ok());
        reader.read(8);
        assert_eq!(reader.check().unwrap_err().kind, DecodeErrorKind::Truncated);
    }

    #[test]
    fn rice_codes_come_back_and_every_truncation_shows() {
        for k in 0..=30_u32 {
            let folded: Vec<u32> = (0..61_u32)
                .map(|i| (i.wrapping_mul(0x9e37_79b9) >> (31 - k)) + if i % 13 == 9 { 70 << k } else { 0 })
                .collect();
            let mut out = vec![0; 4096];
            let mut writer = BitWriter::new(&mut out);
            writer.put(1, 3);
            writer.put_rice(&folded, k);
            writer.align();
            let bytes = writer.written().unwrap().to_vec();
            let mut read = vec![0; folded.len()];
            let mut reader = BitReader::new(&bytes, 0);
            assert_eq!(reader.read(3), 1);
            reader.rice(&mut read, k).unwrap();
            reader.check().unwrap();
            let expected: Vec<i32> = folded.iter().map(|value| unfold(*value)).collect();
            assert_eq!(read, expected, "parameter {k}");
            for len in 0..bytes.len() - 1 {
                let mut reader = BitReader::new(&bytes[..len], 0);
                reader.read(3);
                assert!(reader.rice(&mut read, k).and_then(|()| reader.check()).is_err(), "{len} bytes");
            }
        }
    }

    #[test]
    fn folding() {
        assert_eq!([0, 1, 2, 3, u32::MAX - 1, u32::MAX].map(unfold), [0, -1, 1, -2, i32::MAX, i32::MIN]);
    }

    #[test]
    fn quotients_beyond_32_bits_are_refused() {
        let mut bytes = vec![0; 32];
        bytes.push(0xff);
        let mut read = [0];
        assert!(BitReader::new(&bytes, 0).rice(&mut read, 30).is_err());
        assert!(BitReader::new(&[0; 64], 0).rice(&mut read, 0).is_err());
    }
}
