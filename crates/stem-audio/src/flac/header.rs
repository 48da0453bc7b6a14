//! Frame headers (RFC 9639, 9.1) and the header of a stream (8.1, 8.2).

use super::bitreader::BitReader;
use super::bitwriter::BitWriter;
use super::crc::crc8;
use super::error::{DecodeError, DecodeErrorKind};
use super::{BLOCK, Format};

/// The largest frame number: 31 bits.
pub(super) const MAX_NUMBER: u64 = (1 << 31) - 1;

/// Rates with a code of their own, at the place of the code (table 15).
const RATES: [u32; 12] =
    [0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

/// Sample sizes with a code of their own, at the place of the code (table 17); 3 is reserved.
const SIZES: [u32; 8] = [0, 8, 12, 0, 16, 20, 24, 32];

/// How the two subframes make two channels (table 16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assignment {
    /// Each subframe is a channel.
    Independent,
    /// Left, and left minus right.
    LeftSide,
    /// Left minus right, and right.
    SideRight,
    /// Half the sum, and left minus right.
    MidSide,
}

impl Assignment {
    fn code(self, channels: u32) -> u64 {
        match self {
            Self::Independent => u64::from(channels - 1),
            Self::LeftSide => 8,
            Self::SideRight => 9,
            Self::MidSide => 10,
        }
    }

    /// Whether a subframe has one bit more than the channels.
    pub(super) fn is_side(self, subframe: usize) -> bool {
        match self {
            Self::Independent => false,
            Self::LeftSide | Self::MidSide => subframe == 1,
            Self::SideRight => subframe == 0,
        }
    }
}

/// Writes the header of frame `number` with `samples` samples per channel, 1 to 65,536.
pub(super) fn write(
    writer: &mut BitWriter<'_>,
    format: &Format,
    assignment: Assignment,
    samples: usize,
    number: u64,
) {
    let samples = samples as u64;
    let (size_code, size_bits) = match samples {
        192 => (1, 0),
        576 | 1152 | 2304 | 4608 => (2 + u64::from((samples / 576).ilog2()), 0),
        256 | 512 | 1024 | 2048 | 4096 | 8192 | 16384 | 32768 => (8 + u64::from((samples / 256).ilog2()), 0),
        0..=256 => (6, 8),
        _ => (7, 16),
    };
    let code_of = |table: &[u32], value: u32| {
        let found = table.iter().position(|known| *known == value && value != 0);
        found.unwrap_or_default() as u64
    };
    // Sync code, reserved bit, fixed block size.
    writer.put(0xfff8, 16);
    writer.put(size_code, 4);
    // What has no code is left to the header of the stream.
    writer.put(code_of(&RATES, format.rate), 4);
    writer.put(assignment.code(format.channels), 4);
    writer.put(code_of(&SIZES, format.bits) << 1, 4);
    write_number(writer, number);
    writer.put(if size_bits == 0 { 0 } else { samples - 1 }, size_bits);
    let crc = writer.written().map(crc8).unwrap_or_default();
    writer.put(u64::from(crc), 8);
}

/// The number, as UTF-8 would write a character, extended to 36 bits (9.1.5).
fn write_number(writer: &mut BitWriter<'_>, number: u64) {
    if number < 0x80 {
        writer.put(number, 8);
        return;
    }
    // `more` bytes of six bits follow a first one with 6 - `more` bits.
    let mut more = 1;
    while number >> (6 * more + 6 - more) != 0 {
        more += 1;
    }
    writer.put(0xfe << (6 - more) & 0xff | number >> (6 * more), 8);
    for place in (0..more).rev() {
        writer.put(0x80 | (number >> (6 * place)) & 0x3f, 8);
    }
}

/// What a frame's header says of the samples that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) assignment: Assignment,
    /// Samples per channel, 1 to 65,536.
    pub(super) samples: usize,
}

/// Reads the header of frame number `frame`, whose first sample is `sample`, and compares what is known.
pub(super) fn read(
    reader: &mut BitReader<'_>,
    bytes: &[u8],
    format: &Format,
    frame: u64,
    sample: u64,
) -> Result<Header, DecodeError> {
    use DecodeErrorKind::{Forbidden, HeaderChecksum, Mismatch, Sync, Unsupported};

    let start = reader.offset();
    let sync = reader.read(16);
    if sync & 0xfffe != 0xfff8 {
        return Err(reader.fault(Sync));
    }
    let size_code = reader.read(4);
    let rate_code = reader.read(4);
    let channels_code = reader.read(4);
    let bits_code = reader.read(3);
    let reserved = reader.read(1);
    let number = read_number(reader)?;
    let samples = match size_code {
        0 => return Err(reader.fault(Forbidden("block size"))),
        1 => 192,
        2..=5 => 576 << (size_code - 2),
        6 => reader.read(8) + 1,
        7 => reader.read(16) + 1,
        _ => 256 << (size_code - 8),
    };
    let rate = match rate_code {
        0 => None,
        12 => Some(reader.read(8) * 1000),
        13 => Some(reader.read(16)),
        14 => Some(reader.read(16) * 10),
        15 => return Err(reader.fault(Forbidden("sample rate"))),
        _ => RATES.get(rate_code as usize).copied(),
    };
    let end = reader.offset();
    let crc = reader.read(8);
    reader.check()?;
    if u32::from(bytes.get(start..end).map(crc8).unwrap_or_default()) != crc {
        return Err(reader.fault(HeaderChecksum));
    }

    // The header is what was written; from here on it is about what that means.
    let fault = |kind: DecodeErrorKind| Err(kind.at(start));
    let assignment = match channels_code {
        0..=7 if channels_code + 1 == format.channels => Assignment::Independent,
        8 if format.channels == 2 => Assignment::LeftSide,
        9 if format.channels == 2 => Assignment::SideRight,
        10 if format.channels == 2 => Assignment::MidSide,
        11..=15 => return fault(Forbidden("channels")),
        _ => return fault(Mismatch("the number of channels")),
    };
    if assignment != Assignment::Independent && format.bits > MAX_DECORRELATED {
        return fault(Unsupported("a difference of channels of more than 30 bits"));
    }
    if bits_code == 3 || reserved != 0 {
        return fault(Forbidden("sample size"));
    }
    if bits_code != 0 && SIZES.get(bits_code as usize) != Some(&format.bits) {
        return fault(Mismatch("the sample size"));
    }
    if rate.is_some_and(|rate| rate != format.rate) {
        return fault(Mismatch("the sample rate"));
    }
    let expected = if sync & 1 == 0 { frame } else { sample };
    if number != expected {
        return fault(Mismatch("the frame number"));
    }
    Ok(Header { assignment, samples: samples as usize })
}

/// The most bits of channels whose difference and sum are taken: all of the arithmetic then fits 32 bits.
pub(super) const MAX_DECORRELATED: u32 = 30;

fn read_number(reader: &mut BitReader<'_>) -> Result<u64, DecodeError> {
    let first = reader.read(8);
    let ones = (first << 24).leading_ones();
    let more = match ones {
        0 => return Ok(u64::from(first)),
        2..=7 => ones - 1,
        _ => return Err(reader.fault(DecodeErrorKind::Forbidden("frame number"))),
    };
    let mut number = u64::from(first & 0x7f >> ones);
    for _ in 0..more {
        let byte = reader.read(8);
        if byte & 0xc0 != 0x80 {
            return Err(reader.fault(DecodeErrorKind::Forbidden("frame number")));
        }
        number = number << 6 | u64::from(byte & 0x3f);
    }
    Ok(number)
}

/// The beginning of a FLAC file (RFC 9639, 8.1 and 8.2) for `frames` samples per channel: what other decoders need
/// before the frames that [`Encoder::encode`](super::Encoder::encode) makes of that format.
///
/// A rate of 2^20 Hz or more and a length of 2^36 or more do not fit; 0, for unknown, stands for both. The MD5 of the
/// samples is left out, as the format permits.
pub fn stream_header(format: &Format, frames: u64) -> Vec<u8> {
    let mut out = [0; 64];
    let mut writer = BitWriter::new(&mut out);
    writer.put(u64::from(u32::from_be_bytes(*b"fLaC")), 32);
    // The last metadata block, of type STREAMINFO, 34 bytes.
    writer.put(0x80, 8);
    writer.put(34, 24);
    writer.put(BLOCK as u64, 16);
    writer.put(BLOCK as u64, 16);
    // The sizes of the smallest and largest frame: unknown.
    writer.put(0, 48);
    writer.put(if format.rate < 1 << 20 { u64::from(format.rate) } else { 0 }, 20);
    writer.put(u64::from(format.channels.wrapping_sub(1) & 7), 3);
    writer.put(u64::from(format.bits.wrapping_sub(1) & 31), 5);
    writer.put(if frames < 1 << 36 { frames } else { 0 }, 36);
    for _ in 0..4 {
        writer.put(0, 32);
    }
    writer.written().unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CD: Format = Format { channels: 2, bits: 16, rate: 44_100 };

    fn written(format: &Format, assignment: Assignment, samples: usize, number: u64) -> Vec<u8> {
        let mut out = [0; 64];
        let mut writer = BitWriter::new(&mut out);
        write(&mut writer, format, assignment, samples, number);
        writer.written().unwrap().to_vec()
    }

    #[test]
    fn headers_come_back() {
        let sizes = [1, 2, 16, 191, 192, 255, 256, 257, 576, 1152, 4095, 4096, 4608, 32768, 65535, 65536];
        let numbers = [
            0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x1_0000, 0x1f_ffff, 0x20_0000, 0x3ff_ffff, 0x400_0000,
            MAX_NUMBER,
        ];
        for samples in sizes {
            for number in numbers {
                for bits in [4, 8, 12, 16, 17, 20, 24, 30] {
                    for (assignment, channels) in [
                        (Assignment::Independent, 1),
                        (Assignment::Independent, 2),
                        (Assignment::LeftSide, 2),
                        (Assignment::SideRight, 2),
                        (Assignment::MidSide, 2),
                    ] {
                        let format = Format { channels, bits, rate: 44_100 };
                        let bytes = written(&format, assignment, samples, number);
                        assert!(bytes.len() <= 15);
                        let mut reader = BitReader::new(&bytes, 0);
                        let header = read(&mut reader, &bytes, &format, number, 0).unwrap();
                        assert_eq!(header, Header { assignment, samples });
                        assert_eq!(reader.offset(), bytes.len());
                    }
                }
            }
        }
    }

    #[test]
    fn the_example_of_the_specification() {
        // RFC 9639, D.1.2: one frame, stereo, 16 bits, 44.1 kHz, block size 1.
        assert_eq!(written(&CD, Assignment::Independent, 1, 0), [0xff, 0xf8, 0x69, 0x18, 0x00, 0x00, 0xbf]);
    }

    #[test]
    fn numbers_are_written_like_characters() {
        for character in ['\u{7f}', '\u{80}', '\u{7ff}', '\u{800}', '\u{ffff}', '\u{10000}', '\u{10ffff}'] {
            let mut out = [0; 16];
            let mut writer = BitWriter::new(&mut out);
            write_number(&mut writer, u64::from(u32::from(character)));
            assert_eq!(writer.written().unwrap(), character.to_string().as_bytes());
        }
    }

    #[test]
    fn every_flipped_bit_shows() {
        let bytes = written(&CD, Assignment::MidSide, 4095, 77);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&mut BitReader::new(&bytes, 0), &bytes, &CD, 77, 0).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(read(&mut BitReader::new(&bytes[..len], 0), &bytes[..len], &CD, 77, 0).is_err());
        }
    }

    #[test]
    fn other_formats_are_not_ours() {
        let bytes = written(&CD, Assignment::Independent, 4096, 5);
        let is_read =
            |format: &Format, number| read(&mut BitReader::new(&bytes, 0), &bytes, format, number, 0).is_ok();
        assert!(is_read(&CD, 5));
        assert!(!is_read(&CD, 4));
        assert!(!is_read(&Format { channels: 1, ..CD }, 5));
        assert!(!is_read(&Format { bits: 24, ..CD }, 5));
        assert!(!is_read(&Format { rate: 48_000, ..CD }, 5));
    }

    #[test]
    fn stream_header_is_42_bytes() {
        let bytes = stream_header(&CD, 1);
        assert_eq!(bytes.len(), 42);
        assert_eq!(bytes[..12], *b"fLaC\x80\0\0\x22\x10\0\x10\0");
        // As in RFC 9639, D.1.1.
        assert_eq!(bytes[18..26], [0x0a, 0xc4, 0x42, 0xf0, 0, 0, 0, 1]);
    }
}
