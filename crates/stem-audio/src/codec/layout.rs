//! The bytes of docs/format/sample-codecs.md.

use super::DecodeError;
use super::SampleCodec;
use crate::format::{Encoding, SampleFormat};

/// The only version so far.
pub(super) const VERSION: u8 = 1;

/// Length of the header.
pub(super) const HEADER_LEN: usize = 12;
pub(super) const VERSION_AT: usize = 0;
pub(super) const CODEC_AT: usize = 1;
pub(super) const ENCODING_AT: usize = 2;
pub(super) const CONTAINER_AT: usize = 3;
pub(super) const BITS_AT: usize = 4;
pub(super) const CHANNELS_AT: usize = 5;
pub(super) const RESERVED_AT: usize = 6;
pub(super) const RATE_AT: usize = 8;

/// Set in the encoding of big-endian samples.
pub(super) const BIG_ENDIAN: u8 = 0x80;

/// Length of a lane's row.
pub(super) const ROW_LEN: usize = 6;
pub(super) const ROW_FRAMES_AT: usize = 0;
pub(super) const ROW_SHIFT_AT: usize = 4;
pub(super) const ROW_WIDTH_AT: usize = 5;

/// Length of what codec 2 has after the header.
pub(super) const MAPPING_LEN: usize = 12;
pub(super) const MAPPING_AT: usize = 0;
pub(super) const LOW_BITS_AT: usize = 1;
pub(super) const SCALE_AT: usize = 2;
pub(super) const EXCEPTIONS_AT: usize = 4;
pub(super) const LOW_AT: usize = 8;

pub(super) const EXACT: u8 = 0;
pub(super) const SPLIT: u8 = 1;

/// The scales of exact chunks: those at which both the power of two and its inverse are normal floats.
pub(super) const EXACT_SCALES: std::ops::RangeInclusive<i16> = -126..=126;
/// The scales of split chunks: those of the exponents of normal floats.
pub(super) const SPLIT_SCALES: std::ops::RangeInclusive<i16> = -104..=149;
/// The greatest number of low bits: one is always in the integer.
pub(super) const MAX_LOW_BITS: u8 = 23;

fn encoding_id(encoding: Encoding) -> u8 {
    match encoding {
        Encoding::Unsigned => 0,
        Encoding::Signed => 1,
        Encoding::Float => 2,
    }
}

/// Writes the header.
pub(super) fn write_header(codec: SampleCodec, format: &SampleFormat, out: &mut Vec<u8>) {
    let mut header = [0; HEADER_LEN];
    header[VERSION_AT] = VERSION;
    header[CODEC_AT] = codec.id();
    header[ENCODING_AT] = encoding_id(format.encoding()) | if format.big_endian() { BIG_ENDIAN } else { 0 };
    // Each of these is at most 64 by the type.
    header[CONTAINER_AT] = format.container().to_le_bytes()[0];
    header[BITS_AT] = format.bits();
    header[CHANNELS_AT] = format.channels().to_le_bytes()[0];
    header[RATE_AT..].copy_from_slice(&format.rate().to_le_bytes());
    out.extend(header);
}

/// Reads the header of a payload of `codec`, and gives what follows it.
pub(super) fn read_header(codec: SampleCodec, payload: &[u8]) -> Result<(SampleFormat, &[u8]), DecodeError> {
    let (header, rest) = payload.split_first_chunk::<HEADER_LEN>().ok_or(DecodeError::Truncated)?;
    if header[VERSION_AT] != VERSION {
        return Err(DecodeError::Version { found: header[VERSION_AT] });
    }
    if header[CODEC_AT] != codec.id() {
        return Err(DecodeError::Damaged("another codec"));
    }
    let encoding = match header[ENCODING_AT] & !BIG_ENDIAN {
        0 => Encoding::Unsigned,
        1 => Encoding::Signed,
        2 => Encoding::Float,
        _ => return Err(DecodeError::Damaged("encoding of samples")),
    };
    let [.., a, b, c, d] = *header;
    let big_endian = header[ENCODING_AT] & BIG_ENDIAN != 0;
    let format = SampleFormat::new(
        encoding,
        header[BITS_AT],
        header[CONTAINER_AT],
        header[CHANNELS_AT],
        big_endian,
        u32::from_le_bytes([a, b, c, d]),
    )
    .filter(|format| format.big_endian() == big_endian && header[RESERVED_AT..RATE_AT] == [0; 2])
    .ok_or(DecodeError::Damaged("sample format"))?;
    Ok((format, rest))
}

/// A lane's row.
pub(super) struct Row {
    pub(super) frames_len: usize,
    pub(super) shift: u8,
    pub(super) width: u8,
}

/// Shifts and widths that a row may have.
pub(super) const MAX_SHIFT: u8 = 28;
pub(super) const WIDTHS: std::ops::RangeInclusive<u8> = 4..=32;

impl Row {
    pub(super) fn to_bytes(&self) -> Option<[u8; ROW_LEN]> {
        let mut row = [0; ROW_LEN];
        let length = u32::try_from(self.frames_len).ok()?.to_le_bytes();
        row[ROW_FRAMES_AT..ROW_SHIFT_AT].copy_from_slice(&length);
        row[ROW_SHIFT_AT] = self.shift;
        row[ROW_WIDTH_AT] = self.width;
        Some(row)
    }

    pub(super) fn from_bytes(row: &[u8; ROW_LEN]) -> Result<Self, DecodeError> {
        let [a, b, c, d, shift, width] = *row;
        if shift > MAX_SHIFT || !WIDTHS.contains(&width) || shift + width > 32 {
            return Err(DecodeError::Damaged("width of a lane"));
        }
        let frames_len =
            usize::try_from(u32::from_le_bytes([a, b, c, d])).map_err(|_| DecodeError::Truncated)?;
        Ok(Self { frames_len, shift, width })
    }
}

/// What codec 2 has after the header.
pub(super) struct FloatMapping {
    pub(super) split: bool,
    pub(super) low_bits: u32,
    pub(super) scale: i16,
    pub(super) exceptions_len: usize,
    pub(super) low_len: usize,
}

impl FloatMapping {
    pub(super) fn to_bytes(&self) -> Option<[u8; MAPPING_LEN]> {
        let mut bytes = [0; MAPPING_LEN];
        bytes[MAPPING_AT] = if self.split { SPLIT } else { EXACT };
        bytes[LOW_BITS_AT] = u8::try_from(self.low_bits).ok()?;
        bytes[SCALE_AT..EXCEPTIONS_AT].copy_from_slice(&self.scale.to_le_bytes());
        bytes[EXCEPTIONS_AT..LOW_AT].copy_from_slice(&u32::try_from(self.exceptions_len).ok()?.to_le_bytes());
        bytes[LOW_AT..].copy_from_slice(&u32::try_from(self.low_len).ok()?.to_le_bytes());
        Some(bytes)
    }

    pub(super) fn from_bytes(bytes: &[u8; MAPPING_LEN]) -> Result<Self, DecodeError> {
        let [mapping, low_bits, k0, k1, e0, e1, e2, e3, l0, l1, l2, l3] = *bytes;
        let scale = i16::from_le_bytes([k0, k1]);
        let split = match mapping {
            EXACT if low_bits == 0 && EXACT_SCALES.contains(&scale) => false,
            SPLIT if low_bits <= MAX_LOW_BITS && SPLIT_SCALES.contains(&scale) => true,
            _ => return Err(DecodeError::Damaged("mapping of floats")),
        };
        let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| DecodeError::Truncated);
        Ok(Self {
            split,
            low_bits: u32::from(low_bits),
            scale,
            exceptions_len: length([e0, e1, e2, e3])?,
            low_len: length([l0, l1, l2, l3])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/format/sample-codecs.md");

    /// Offset and size of the rows with a fixed place in the first table below a heading.
    fn table(heading: &str) -> Vec<(usize, usize)> {
        let (_, section) = PAGE.split_once(&format!("\n## {heading}")).expect("a heading");
        section
            .lines()
            .skip_while(|line| !line.starts_with("| offset"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map_while(|line| {
                let mut cells = line.split('|').skip(1).map(|cell| cell.trim().parse().ok());
                Some((cells.next()??, cells.next()??))
            })
            .collect()
    }

    #[test]
    fn offsets_are_those_of_the_page() {
        let header =
            [VERSION_AT, CODEC_AT, ENCODING_AT, CONTAINER_AT, BITS_AT, CHANNELS_AT, RESERVED_AT, RATE_AT];
        assert_eq!(table("Header, 12 bytes"), dense(&header, HEADER_LEN));
        assert_eq!(table("Lanes"), dense(&[ROW_FRAMES_AT, ROW_SHIFT_AT, ROW_WIDTH_AT], ROW_LEN));
        assert_eq!(table("Codec 1"), [(0, HEADER_LEN)]);
        let mapping = [MAPPING_AT, LOW_BITS_AT, SCALE_AT, EXCEPTIONS_AT, LOW_AT].map(|at| HEADER_LEN + at);
        let expected = [vec![(0, HEADER_LEN)], dense(&mapping, HEADER_LEN + MAPPING_LEN)].concat();
        assert_eq!(table("Codec 2"), expected);
        assert_eq!(table("Codec 3"), [(0, HEADER_LEN)]);
        assert!(PAGE.contains(&format!("version, `{VERSION}`")));
    }

    /// Fields that leave no gap up to `end`.
    fn dense(offsets: &[usize], end: usize) -> Vec<(usize, usize)> {
        let ends = offsets.iter().skip(1).chain([&end]);
        offsets.iter().zip(ends).map(|(&at, &next)| (at, next - at)).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let row = Row { frames_len: 0x0102_0304, shift: 8, width: 24 };
        let bytes = row.to_bytes().unwrap();
        assert_eq!(bytes, [4, 3, 2, 1, 8, 24]);
        assert_eq!(Row::from_bytes(&bytes).unwrap().frames_len, row.frames_len);
        for wrong in [[0, 0, 0, 0, 29, 4], [0, 0, 0, 0, 0, 3], [0, 0, 0, 0, 0, 33], [0, 0, 0, 0, 1, 32]] {
            assert!(Row::from_bytes(&wrong).is_err());
        }
        let mapping = FloatMapping { split: true, low_bits: 23, scale: -104, exceptions_len: 7, low_len: 9 };
        let bytes = mapping.to_bytes().unwrap();
        assert_eq!(bytes, [1, 23, 0x98, 0xFF, 7, 0, 0, 0, 9, 0, 0, 0]);
        assert_eq!(FloatMapping::from_bytes(&bytes).unwrap().scale, -104);
        for (at, wrong) in [(0, 2), (0, 0), (1, 24), (2, 0x97)] {
            let mut bytes = bytes;
            bytes[at] = wrong;
            assert!(FloatMapping::from_bytes(&bytes).is_err(), "{at} {wrong}");
        }
    }
}
