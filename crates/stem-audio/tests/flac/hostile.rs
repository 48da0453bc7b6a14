//! Bytes that are not what was asked for: an error, whatever they are.

use stem_audio::flac::{DecodeErrorKind, Decoder, Encoder, Format, Level};

use crate::signals::{self, KINDS, Kind, Random, Stereo};

fn encoded(level: Level, format: &Format, planes: &[Vec<i32>]) -> Vec<u8> {
    let slices: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
    let mut bytes = Vec::new();
    Encoder::new(level).encode(format, &slices, &mut bytes).unwrap();
    bytes
}

fn decode(bytes: &[u8], format: &Format, frames: usize) -> Result<Vec<Vec<i32>>, DecodeErrorKind> {
    let mut planes = vec![vec![1; 5]; format.channels as usize];
    let result = Decoder::new().decode(bytes, format, frames, &mut planes);
    match result {
        Ok(()) => Ok(planes),
        Err(error) => {
            assert!(planes.iter().all(Vec::is_empty), "samples after {error}");
            assert!(error.offset <= bytes.len(), "{error}, of {} bytes", bytes.len());
            Err(error.kind)
        }
    }
}

/// Small streams that use every kind of subframe.
fn samples() -> Vec<(Format, Vec<Vec<i32>>, Vec<u8>)> {
    let mut made = Vec::new();
    for (k, kind) in KINDS.into_iter().enumerate() {
        for (stereo, bits) in [(Stereo::Mono, 8), (Stereo::Near, 24), (Stereo::Other(Kind::Walk), 16)] {
            let planes = signals::planes(kind, stereo, bits, 70 + k * 5, 9);
            let format = signals::format(bits, &planes);
            let bytes = encoded(Level::High, &format, &planes);
            made.push((format, planes, bytes));
        }
    }
    let planes = signals::planes(Kind::Silence, Stereo::Same, 16, 3 * 4096 + 7, 9);
    let format = signals::format(16, &planes);
    made.push((format, planes.clone(), encoded(Level::Default, &format, &planes)));
    made
}

#[test]
fn every_flipped_bit_is_found() {
    for (format, planes, mut bytes) in samples() {
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            let decoded = decode(&bytes, &format, planes[0].len());
            assert!(decoded.is_err(), "bit {bit} of {} bytes, {format:?}", bytes.len());
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
        }
    }
}

#[test]
fn every_truncation_is_found() {
    for (format, planes, bytes) in samples() {
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], &format, planes[0].len()).is_err(), "{len} bytes, {format:?}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(decode(&longer, &format, planes[0].len()), Err(DecodeErrorKind::Trailing));
    }
}

#[test]
fn nothing_but_what_was_asked_for() {
    let planes = signals::planes(Kind::Walk, Stereo::Near, 16, 2 * 4096, 1);
    let format = Format { channels: 2, bits: 16, rate: 48_000 };
    let bytes = encoded(Level::Default, &format, &planes);
    let mismatch = |format: &Format, frames| {
        assert!(
            matches!(decode(&bytes, format, frames), Err(DecodeErrorKind::Mismatch(_))),
            "{format:?}, {frames}"
        );
    };
    mismatch(&Format { bits: 17, ..format }, 8192);
    mismatch(&Format { channels: 1, ..format }, 8192);
    mismatch(&Format { rate: 44_100, ..format }, 8192);
    mismatch(&format, 8191);
    mismatch(&format, 100);
    assert_eq!(decode(&bytes, &format, 4096), Err(DecodeErrorKind::Trailing));
    assert_eq!(decode(&bytes, &format, 0), Err(DecodeErrorKind::Trailing));
    assert_eq!(decode(&bytes, &format, 8193), Err(DecodeErrorKind::Truncated));
    assert_eq!(decode(&[], &format, 1), Err(DecodeErrorKind::Truncated));
    assert_eq!(decode(&[], &format, 0), Ok(vec![vec![]; 2]));
    // No memory for a claim that so few bytes cannot fulfil.
    assert_eq!(decode(&bytes, &format, usize::MAX), Err(DecodeErrorKind::Truncated));
    assert_eq!(decode(&bytes, &Format { channels: 3, ..format }, 1), Err(DecodeErrorKind::Format));
    assert_eq!(decode(&bytes, &Format { bits: 33, ..format }, 1), Err(DecodeErrorKind::Format));
    let mut one = [Vec::new()];
    let error = Decoder::new().decode(&bytes, &format, 8192, &mut one).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Planes);
}

#[test]
fn frames_out_of_order_are_found() {
    let format = Format { channels: 1, bits: 16, rate: 48_000 };
    let plane = signals::plane(Kind::Walk, 16, 3 * 4096, 1);
    let bytes = encoded(Level::Default, &format, std::slice::from_ref(&plane));
    let starts: Vec<usize> = (0..3)
        .map(|frames| encoded(Level::Default, &format, &[plane[..frames * 4096].to_vec()]).len())
        .collect();
    let swapped = [&bytes[..starts[1]], &bytes[starts[2]..], &bytes[starts[1]..starts[2]]].concat();
    assert!(decode(&bytes, &format, plane.len()).is_ok());
    assert_eq!(decode(&swapped, &format, plane.len()), Err(DecodeErrorKind::Mismatch("the frame number")));
}

#[test]
fn errors_say_where() {
    let format = Format { channels: 1, bits: 16, rate: 48_000 };
    let plane = signals::plane(Kind::Walk, 16, 2 * 4096, 1);
    let mut bytes = encoded(Level::Default, &format, std::slice::from_ref(&plane));
    let first = encoded(Level::Default, &format, &[plane[..4096].to_vec()]).len();
    bytes[first] = 0;
    let error = Decoder::new().decode(&bytes, &format, plane.len(), &mut [Vec::new()]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Sync);
    assert!((first..first + 3).contains(&error.offset));
    let text = format!("not the expected FLAC frames: no frame begins here, at byte {}", error.offset);
    assert_eq!(error.to_string(), text);
}

#[test]
fn random_damage_is_harmless() {
    let made = samples();
    let mut random = Random::new(1);
    let mut missed = 0;
    for round in 0..60_000 {
        let (format, planes, bytes) = &made[round % made.len()];
        let mut bytes = bytes.clone();
        for _ in 0..=random.next() % 6 {
            let place = (random.next() % bytes.len() as u64) as usize;
            match random.next() % 4 {
                0 => bytes[place] ^= 1 << (random.next() % 8),
                1 => bytes[place] = random.next() as u8,
                2 => drop(bytes.drain(place..(place + 3).min(bytes.len()))),
                _ => bytes.insert(place, [0, 0xff, 0x80, 0x7f][(random.next() % 4) as usize]),
            }
            if bytes.is_empty() {
                break;
            }
        }
        missed += u32::from(decode(&bytes, format, planes[0].len()).is_ok_and(|decoded| decoded != *planes));
    }
    // A checksum of 16 bits lets one in 65,536 through.
    assert!(missed < 6, "{missed} times other samples");
}
