//! FLAC: frames of samples come back; frames may be anything, also with checksums that are right.

use stem_audio::flac::{BLOCK, Decoder, Encoder, FRAME_OVERHEAD, Format, Level};

use super::super::feed::{Feed, pick};

/// The most samples of one channel.
const LONGEST: usize = 3 * BLOCK;

/// Samples that are coded and decoded, frames that are only decoded, and frames whose checksums are made right.
///
/// # Panics
///
/// When samples do not come back, frames are longer than promised, or decoded samples do not fit their bits.
pub fn check_flac(data: &[u8]) {
    let mut feed = Feed::new(data);
    let mode = feed.byte();
    let format = Format {
        channels: u32::from(feed.byte() % 2) + 1,
        bits: u32::from(feed.byte() % 29) + 4,
        rate: pick([44_100, 48_000, 0, 12_345, 96_000, 255_000], feed.byte()),
    };
    match mode % 3 {
        0 => check_coding(feed, &format),
        1 => {
            let frames = feed.below(LONGEST) + 1;
            check_decoding(feed.rest(), &format, frames);
        }
        _ => check_sealed(feed, &format),
    }
}

fn check_coding(mut feed: Feed<'_>, format: &Format) {
    let level = pick([Level::Default, Level::Fast, Level::High], feed.byte());
    let planes = planes(&mut feed, format);
    let slices: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
    let frames = planes[0].len();
    let mut bytes = b"before".to_vec();
    if let Err(error) = Encoder::new(level).encode(format, &slices, &mut bytes) {
        panic!("samples that fit are refused: {error}");
    }
    let bits = frames * (format.bits * format.channels) as usize;
    let most = bits.div_ceil(8) + frames.div_ceil(BLOCK) * (FRAME_OVERHEAD + 1);
    assert!(bytes.len() - 6 <= most, "{} bytes for {bits} bits", bytes.len() - 6);
    let mut back = vec![vec![7; 3]; format.channels as usize];
    match Decoder::new().decode(&bytes[6..], format, frames, &mut back) {
        Ok(()) => assert!(back == planes, "other samples come back"),
        Err(error) => panic!("what was coded is refused: {error}"),
    }
}

/// Decodes, and whatever comes out must be samples that can be coded again.
fn check_decoding(bytes: &[u8], format: &Format, frames: usize) {
    let mut planes = vec![Vec::new(); format.channels as usize];
    match Decoder::new().decode(bytes, format, frames, &mut planes) {
        Ok(()) => {
            assert!(planes.iter().all(|plane| plane.len() == frames));
            let slices: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
            let mut again = Vec::new();
            if let Err(error) = Encoder::new(Level::Fast).encode(format, &slices, &mut again) {
                panic!("decoded samples do not fit: {error}");
            }
        }
        Err(error) => {
            assert!(planes.iter().all(Vec::is_empty), "samples after an error");
            assert!(error.offset <= bytes.len());
            super::super::check_shown(&error);
        }
    }
}

/// Frames with right headers and checksums around what the bytes say.
fn check_sealed(mut feed: Feed<'_>, format: &Format) {
    let mut bytes = Vec::new();
    let mut frames = 0;
    for number in 0..=feed.byte() % 3 {
        let begin = bytes.len();
        let samples = feed.u16() % 5000;
        let assignment = match feed.byte() % 4 {
            0 => u8::try_from(format.channels - 1).unwrap_or(0),
            other => 7 + other,
        };
        // Sync code; size in 16 bits, rate as in the stream; channels, sample size as in the stream; number.
        bytes.extend_from_slice(&[0xff, 0xf8, 0x70, assignment << 4, number]);
        bytes.extend_from_slice(&samples.to_be_bytes());
        bytes.push(crc(&bytes[begin..], 8, 0x07).to_be_bytes()[1]);
        let len = usize::from(feed.u16() % 2000);
        bytes.extend_from_slice(feed.bytes(len));
        let check = crc(&bytes[begin..], 16, 0x8005);
        bytes.extend_from_slice(&check.to_be_bytes());
        frames += usize::from(samples) + 1;
    }
    check_decoding(&bytes, format, frames);
    // What stands in the last frame ends where the decoder says; its check then stands too early or too late.
    let mut planes = vec![Vec::new(); format.channels as usize];
    if Decoder::new().decode(&bytes, format, frames, &mut planes).is_err() {
        check_decoding(&bytes, format, frames + 1);
    }
}

/// A checksum of `bits` bits with this polynomial (RFC 9639, 9.1.8 and 9.3).
fn crc(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let top = 1_u16 << (bits - 1);
    let mask = u16::MAX >> (16 - bits);
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << (bits - 8), |crc, _| {
            let next = crc << 1 & mask;
            if crc & top == 0 { next } else { next ^ polynomial & mask }
        })
    })
}

/// Samples that fit: steps, words, a constant, or a wave with steps, the second channel alike or not.
fn planes(feed: &mut Feed<'_>, format: &Format) -> Vec<Vec<i32>> {
    let [how, shift, wasted] = feed.array();
    let frames = feed.below(LONGEST + 1);
    let bytes = feed.clone().rest();
    let bits = format.bits;
    let fit = |value: i64| {
        let most = (1_i64 << (bits - 1)) - 1;
        let value = i32::try_from(value.clamp(-most - 1, most)).unwrap_or(0);
        value >> (u32::from(wasted) % bits) << (u32::from(wasted) % bits)
    };
    let mut bytes = bytes.iter().copied().cycle();
    let mut byte = || i64::from(bytes.next().unwrap_or(0).cast_signed());
    let (mut value, mut slope) = (0_i64, 0_i64);
    let first: Vec<i32> = (0..frames)
        .map(|_| {
            match how % 4 {
                0 => value += byte() << (shift % 24),
                1 => value = byte() << 24 ^ byte() << 16 ^ byte() << 8 ^ byte(),
                2 => {
                    slope += byte() << (shift % 12);
                    value += slope;
                    if value.abs() > 1 << (bits - 1) {
                        slope = -slope / 2;
                    }
                }
                _ => {
                    value = if byte() == i64::from(shift) { i64::from(i32::MIN) } else { i64::from(i32::MAX) }
                }
            }
            value = value.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
            fit(value)
        })
        .collect();
    if format.channels == 1 {
        return vec![first];
    }
    let second = first
        .iter()
        .map(|&sample| match how >> 2 & 3 {
            0 => sample,
            1 => fit(i64::from(sample) + byte()),
            2 => fit(-i64::from(sample)),
            _ => fit(byte() << (shift % 24)),
        })
        .collect();
    vec![first, second]
}
