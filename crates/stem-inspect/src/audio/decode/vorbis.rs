//! What a set-up header of Vorbis makes a decoder reserve, weighed before the decoder sees it.
//!
//! A codebook of 20 bytes can ask for 16 MiB, and there are up to 256. Those of encoders have some thousand entries. The
//! layout is that of "Vorbis I specification", section 3.2.1; only the codebooks are read.

/// Numbers that the tables of all codebooks may hold together: 16 MiB.
const MOST: u64 = 1 << 22;

/// Whether a set-up header asks for no more than a decoder needs.
pub(super) fn is_modest(setup: &[u8]) -> bool {
    let Some(bytes) = setup.strip_prefix(b"\x05vorbis") else { return false };
    total(&mut Bits { bytes, at: 0 }).is_some_and(|total| total <= MOST)
}

/// The numbers in the tables of all codebooks; `None` where the header is damaged.
fn total(bits: &mut Bits<'_>) -> Option<u64> {
    let mut total = 0_u64;
    for _ in 0..=bits.take(8)? {
        if bits.take(24)? != 0x56_4342 {
            return None;
        }
        let (dimensions, entries) = (bits.take(16)?, bits.take(24)?);
        total += entries * (dimensions + 4);
        // What follows is only read as far as it can be believed.
        if total > MOST {
            return Some(total);
        }
        lengths(bits, entries)?;
        match bits.take(4)? {
            0 => {}
            kind @ (1 | 2) => {
                bits.skip(64)?;
                let width = bits.take(4)? + 1;
                bits.skip(1)?;
                let values = if kind == 1 { roots(entries, dimensions)? } else { entries * dimensions };
                bits.skip(values * width)?;
            }
            _ => return None,
        }
    }
    Some(total)
}

/// Skips the lengths of the codewords.
fn lengths(bits: &mut Bits<'_>, entries: u64) -> Option<()> {
    let ordered = bits.take(1)? == 1;
    if ordered {
        bits.skip(5)?;
        let mut there = 0;
        while there < entries {
            there += bits.take(u64::BITS - (entries - there).leading_zeros())?;
        }
        return (there == entries).then_some(());
    }
    let sparse = bits.take(1)? == 1;
    if !sparse {
        return bits.skip(entries * 5);
    }
    for _ in 0..entries {
        if bits.take(1)? == 1 {
            bits.skip(5)?;
        }
    }
    Some(())
}

/// The largest number whose power of `dimensions` is at most `entries`.
fn roots(entries: u64, dimensions: u64) -> Option<u64> {
    let dimensions = u32::try_from(dimensions).ok().filter(|&dimensions| dimensions > 0)?;
    let mut root: u64 = 0;
    while (root + 1).checked_pow(dimensions).is_some_and(|power| power <= entries) {
        root += 1;
    }
    Some(root)
}

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u64> {
        let mut value = 0;
        for bit in 0..count {
            let byte = *self.bytes.get(usize::try_from(self.at / 8).ok()?)?;
            value |= u64::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(value)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.bytes.len() as u64 * 8).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{is_modest, roots};

    #[test]
    fn a_codebook_that_asks_for_much_is_not_believed() {
        let book = |entries: u32| {
            let mut header = b"\x05vorbis\0BCV".to_vec();
            header.extend_from_slice(&32_u16.to_le_bytes());
            header.extend_from_slice(&entries.to_le_bytes()[..3]);
            // Ordered, all of the first length.
            header.extend_from_slice(&[0xFF; 16]);
            header
        };
        assert!(!is_modest(&book(1 << 17)), "16 MiB in some bytes");
        assert!(!is_modest(b"\x05vorbis"));
        assert!(!is_modest(b""));
    }

    #[test]
    fn roots_are_those_of_the_specification() {
        assert_eq!(roots(131_072, 32), Some(1));
        assert_eq!(roots(81, 4), Some(3));
        assert_eq!(roots(80, 4), Some(2));
        assert_eq!(roots(0, 4), Some(0));
        assert_eq!(roots(9, 0), None);
    }
}
