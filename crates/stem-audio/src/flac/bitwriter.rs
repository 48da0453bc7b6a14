//! Bits, most significant first, into a buffer of fixed size.
//!
//! Every write stores eight bytes, whole ones and the begun one alike, and advances by the whole ones: no branch
//! asks whether a word is full. The begun byte stays in the top of `pending`, so the next store repeats it.
//!
//! The buffer never grows. Whoever writes has counted the bits before; should the count be wrong, the position
//! runs on past the end and [`BitWriter::written`] returns `None`.

#![expect(clippy::cast_possible_truncation, reason = "at most 64 bits are counted")]

/// The bytes that a store may touch beyond what is written.
pub(super) const SLACK: usize = 8;

/// The longest value of one [`BitWriter::put`]: with 7 bits pending it fills less than 64.
pub(super) const MAX_PUT: u32 = 56;

pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    /// Whole bytes written.
    position: usize,
    /// The begun byte, in the top bits, then zeros.
    pending: u64,
    /// How many bits of it: 0 to 7.
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, position: 0, pending: 0, count: 0 }
    }

    /// Writes the low `count` bits of `value`, whose other bits are zero; `count` is at most [`MAX_PUT`].
    #[inline(always)]
    pub(super) fn put(&mut self, value: u64, count: u32) {
        debug_assert!(count <= MAX_PUT && (count == 0 && value == 0 || value >> (count - 1) <= 1));
        let count = count + self.count;
        let word = self.pending | value.wrapping_shl(64_u32.wrapping_sub(count));
        if let Some(slot) = self.out.get_mut(self.position..self.position.wrapping_add(SLACK)) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        self.position += count as usize >> 3;
        self.pending = word << (count & !7);
        self.count = count & 7;
    }

    /// Writes `value` in two's complement.
    #[inline(always)]
    pub(super) fn put_signed(&mut self, value: i32, count: u32) {
        let mask = (1_u64 << count) - 1;
        self.put(i64::from(value).cast_unsigned() & mask, count);
    }

    /// Writes `zeros` zero bits and a one.
    pub(super) fn put_unary(&mut self, mut zeros: u32) {
        while zeros >= MAX_PUT {
            self.put(0, MAX_PUT);
            zeros -= MAX_PUT;
        }
        self.put(1, zeros + 1);
    }

    /// Writes folded residuals as Rice codes (RFC 9639, 9.2.7.1) with parameter `k`, at most 30.
    #[inline(always)]
    pub(super) fn put_rice(&mut self, folded: &[u32], k: u32) {
        // As many per store as fit nearly always.
        if k <= 9 {
            self.put_rice_by::<4>(folded, k);
        } else if k <= 14 {
            self.put_rice_by::<3>(folded, k);
        } else {
            self.put_rice_by::<2>(folded, k);
        }
    }

    #[inline(always)]
    fn put_rice_by<const GROUP: usize>(&mut self, folded: &[u32], k: u32) {
        let stop = 1_u64 << k;
        let low = stop - 1;
        let (groups, rest) = folded.as_chunks::<GROUP>();
        for group in groups {
            let quotients = group.map(|value| u64::from(value >> k));
            let total = quotients.iter().sum::<u64>() + GROUP as u64 * u64::from(k + 1);
            if total <= u64::from(MAX_PUT) {
                let mut code = 0;
                for (value, quotient) in group.iter().zip(quotients) {
                    code = (code << (quotient + u64::from(k) + 1)) | stop | (u64::from(*value) & low);
                }
                self.put(code, total as u32);
            } else {
                self.put_rice_singly(group, k);
            }
        }
        self.put_rice_singly(rest, k);
    }

    #[inline(never)]
    fn put_rice_singly(&mut self, folded: &[u32], k: u32) {
        for value in folded {
            self.put_unary(value >> k);
            self.put(u64::from(*value) & ((1 << k) - 1), k);
        }
    }

    /// Pads to a whole byte.
    pub(super) fn align(&mut self) {
        self.put(0, (8 - self.count) % 8);
    }

    /// The whole bytes so far; `None` if there was no room.
    pub(super) fn written(&self) -> Option<&[u8]> {
        self.out.get(..self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// One character per bit.
    fn text(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn any_sequence_of_widths() {
        let mut out = vec![0xaa; 4096 + SLACK];
        let mut writer = BitWriter::new(&mut out);
        let mut expected = String::new();
        let mut state = 1_u64;
        for _ in 0..400 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let count = (state >> 58) as u32 % (MAX_PUT + 1);
            let value = if count == 0 { 0 } else { state >> (64 - count) };
            writer.put(value, count);
            if count > 0 {
                write!(expected, "{value:0width$b}", width = count as usize).unwrap();
            }
        }
        writer.align();
        expected += &"0".repeat((8 - expected.len() % 8) % 8);
        assert_eq!(text(writer.written().unwrap()), expected);
    }

    #[test]
    fn rice_codes_are_what_they_are_defined_to_be() {
        for k in [0, 1, 4, 9, 10, 14, 15, 22, 30] {
            let folded: Vec<u32> = (0..37_u32)
                .map(|i| (i.wrapping_mul(0x9e37_79b9) >> (31 - k)) + if i == 20 { 90 << k } else { 0 })
                .collect();
            let mut out = vec![0; 2048];
            let mut writer = BitWriter::new(&mut out);
            writer.put(1, 1);
            writer.put_rice(&folded, k);
            writer.align();
            let mut expected = String::from("1");
            for value in folded {
                expected += &"0".repeat((value >> k) as usize);
                expected.push('1');
                if k > 0 {
                    write!(expected, "{:0width$b}", value & ((1 << k) - 1), width = k as usize).unwrap();
                }
            }
            expected += &"0".repeat((8 - expected.len() % 8) % 8);
            assert_eq!(text(writer.written().unwrap()), expected, "parameter {k}");
        }
    }

    #[test]
    fn no_room_is_noticed() {
        let mut out = [0; 16];
        let mut writer = BitWriter::new(&mut out);
        for _ in 0..3 {
            writer.put(7, 56);
        }
        assert!(writer.written().is_none());
    }
}
