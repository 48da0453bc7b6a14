//! Numbers of a few bits each, one after the other, the lowest bit first.

/// Appends numbers to bytes.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, held: 0, count: 0 }
    }

    /// Appends the `bits` (0 to 32) lowest bits of `value`, in which all others are zero.
    #[inline]
    pub(super) fn put(&mut self, value: u32, bits: u32) {
        self.held |= u64::from(value) << self.count;
        self.count += bits;
        if self.count >= 32 {
            let [a, b, c, d, ..] = self.held.to_le_bytes();
            self.out.extend([a, b, c, d]);
            self.held >>= 32;
            self.count -= 32;
        }
    }

    /// Fills the last byte with zeros.
    pub(super) fn finish(self) {
        let bytes = self.held.to_le_bytes();
        self.out.extend(bytes.iter().take(self.count.div_ceil(8) as usize));
    }
}

/// Reads numbers from bytes. Beyond the end there are zeros, see [`finished`](Self::finished).
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    held: u64,
    count: u32,
    /// Bits that were read beyond the end.
    missing: u64,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, held: 0, count: 0, missing: 0 }
    }

    /// The next `bits` (0 to 32) bits.
    #[inline]
    pub(super) fn get(&mut self, bits: u32) -> u32 {
        if self.count < bits {
            self.refill();
        }
        // The mask leaves at most 32 bits.
        let [a, b, c, d, ..] = (self.held & !(u64::MAX << bits)).to_le_bytes();
        self.held >>= bits;
        self.count -= bits;
        u32::from_le_bytes([a, b, c, d])
    }

    #[inline]
    fn refill(&mut self) {
        if let Some((word, rest)) = self.rest.split_first_chunk() {
            self.held |= u64::from(u32::from_le_bytes(*word)) << self.count;
            self.rest = rest;
        } else {
            let mut word = [0; 4];
            for (byte, value) in word.iter_mut().zip(self.rest) {
                *byte = *value;
            }
            self.missing += 8 * (4 - self.rest.len() as u64);
            self.rest = &[];
            self.held |= u64::from(u32::from_le_bytes(word)) << self.count;
        }
        self.count += 32;
    }

    /// Whether exactly all bytes were read, and what was not read of the last one is zero.
    pub(super) fn finished(&self) -> bool {
        let left = u64::from(self.count) + 8 * self.rest.len() as u64;
        self.held == 0 && left >= self.missing && left - self.missing < 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let numbers: Vec<(u32, u32)> =
            (0..2000_u32).map(|i| (i * 7 % 33, i.wrapping_mul(0x9E37_79B9))).collect();
        let mut bytes = Vec::new();
        let mut writer = BitWriter::new(&mut bytes);
        let masked = |bits: u32, value: u32| if bits == 0 { 0 } else { value >> (32 - bits) };
        for &(bits, value) in &numbers {
            writer.put(masked(bits, value), bits);
        }
        writer.finish();
        let mut reader = BitReader::new(&bytes);
        for &(bits, value) in &numbers {
            assert_eq!(reader.get(bits), masked(bits, value));
        }
        assert!(reader.finished());
        for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat()] {
            let mut reader = BitReader::new(wrong);
            for &(bits, _) in &numbers {
                reader.get(bits);
            }
            assert!(!reader.finished());
        }
    }
}
