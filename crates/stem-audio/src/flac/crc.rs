//! The two checksums of a frame (RFC 9639, 9.1.8 and 9.3).
//!
//! CRC-8 covers a dozen bytes, so it goes a byte at a time. CRC-16 covers everything, so it goes sixteen: the
//! remainders of sixteen byte positions are looked up independently and joined, which costs about half a
//! cycle per byte. Carry-less multiplication would be faster still, but this is a few per cent of either
//! direction already.

/// x^8 + x^2 + x + 1.
const POLYNOMIAL_8: u8 = 0x07;

/// x^16 + x^15 + x^2 + 1.
const POLYNOMIAL_16: u16 = 0x8005;

/// How many bytes one step of [`crc16`] takes.
const STEP: usize = 16;

static TABLE_8: [u8; 256] = table_8();
static TABLES_16: [[u16; 256]; STEP] = tables_16();

#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const fn table_8() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL_8 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// `tables[n][b]`: the remainder of byte `b` followed by `n` zero bytes.
#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const fn tables_16() -> [[u16; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL_16 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < STEP {
        let mut byte = 0;
        while byte < 256 {
            let crc: u16 = tables[zeros - 1][byte];
            tables[zeros][byte] = (crc << 8) ^ tables[0][(crc >> 8) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// The checksum of a frame's header.
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| TABLE_8[usize::from(crc ^ byte)])
}

/// The checksum of a frame.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let mut crc = 0_u16;
    for step in steps {
        let [high, low] = crc.to_be_bytes();
        let mut joined = TABLES_16[STEP - 1][usize::from(step[0] ^ high)]
            ^ TABLES_16[STEP - 2][usize::from(step[1] ^ low)];
        for place in 2..STEP {
            joined ^= TABLES_16[STEP - 1 - place][usize::from(step[place])];
        }
        crc = joined;
    }
    rest.iter().fold(crc, |crc, byte| {
        let [high, _] = crc.to_be_bytes();
        (crc << 8) ^ TABLES_16[0][usize::from(high ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The division as the RFC defines it, bit by bit.
    fn naive(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
        let mut crc = 0_u32;
        for byte in bytes {
            for bit in (0..8).rev() {
                let top = (crc >> (width - 1)) & 1 ^ u32::from(byte >> bit) & 1;
                crc = (crc << 1) & ((1 << width) - 1);
                if top == 1 {
                    crc ^= polynomial;
                }
            }
        }
        crc
    }

    #[test]
    fn published_check_values() {
        // The catalogue's values of CRC-8/SMBUS and CRC-16/UMTS.
        assert_eq!(crc8(b"123456789"), 0xf4);
        assert_eq!(crc16(b"123456789"), 0xfee8);
    }

    #[test]
    fn every_length_around_the_step() {
        let bytes: Vec<u8> = (0..100_u32).map(|i| (i * i * 31 + i * 7 + 3).to_le_bytes()[0]).collect();
        for len in 0..bytes.len() {
            let bytes = &bytes[..len];
            assert_eq!(u32::from(crc8(bytes)), naive(bytes, 8, 0x07), "{len}");
            assert_eq!(u32::from(crc16(bytes)), naive(bytes, 16, 0x8005), "{len}");
        }
    }
}
