//! Frames written once: readable forever, whatever later encoders choose.
//!
//! The file holds the streams of [`signals`] in order, each after its length in four bytes, little-endian. The samples
//! are made of integers alone, so that they are the same everywhere.

use stem_audio::flac::{Decoder, Encoder, Format, Level};

use crate::signals::Random;

const GOLDEN: &[u8] = include_bytes!("golden-1.bin");

/// FNV-1a, 64 bits, of the file.
const HASH: u64 = 0x95f8_fa1c_4cb3_ee7c;

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A resonance of `bits` bits.
fn tone(bits: u32, len: usize, seed: u64) -> Vec<i32> {
    let mut random = Random::new(seed);
    let (mut last, mut before) = (0_i64, 0_i64);
    let limit = 1_i64 << (bits - 2);
    (0..len)
        .map(|_| {
            let next =
                (last * 961 - before * 496) / 512 + i64::from(random.signed(bits.saturating_sub(9).max(1)));
            (last, before) = (next.clamp(-limit, limit - 1), last);
            last as i32
        })
        .collect()
}

/// One of each kind of subframe, channel mode and way to write residuals.
fn signals() -> Vec<(Level, Format, Vec<Vec<i32>>)> {
    let of = |level, bits, rate, planes: Vec<Vec<i32>>| {
        (level, Format { channels: planes.len() as u32, bits, rate }, planes)
    };
    let map = |plane: &[i32], f: &dyn Fn(usize, i32) -> i32| -> Vec<i32> {
        plane.iter().enumerate().map(|(i, sample)| f(i, *sample)).collect()
    };
    let music = tone(16, 4096 + 100, 1);
    let fine = tone(24, 700, 2);
    let noise = |bits, len| {
        let mut random = Random::new(9);
        (0..len).map(|_| random.signed(bits)).collect::<Vec<i32>>()
    };
    vec![
        of(
            Level::Default,
            16,
            44_100,
            vec![music.clone(), map(&music, &|i, s| s - (s >> 4) + (i % 3) as i32)],
        ),
        of(Level::High, 24, 48_000, vec![fine.clone(), map(&fine, &|i, s| -s / 2 + (i % 7) as i32)]),
        of(Level::Fast, 24, 96_000, vec![map(&fine, &|_, s| s & !0xff)]),
        of(Level::Default, 24, 48_000, vec![map(&fine, &|i, s| if i < 300 { 0 } else { s })]),
        of(Level::Default, 8, 12_345, vec![noise(8, 50), vec![-128; 50]]),
        of(Level::Default, 32, 48_000, vec![noise(32, 40), tone(32, 40, 3)]),
        of(Level::Default, 17, 655_350, vec![(0..200).map(|i| i * 300).collect()]),
        of(Level::Default, 4, 1, vec![vec![7], vec![-8]]),
    ]
}

#[test]
fn golden_frames_are_readable() {
    assert_eq!(fnv(GOLDEN), HASH, "the file is not the one that was written");
    let mut rest = GOLDEN;
    for (_, format, planes) in signals() {
        let (len, after) = rest.split_first_chunk::<4>().unwrap();
        let (stream, after) = after.split_at(u32::from_le_bytes(*len) as usize);
        let mut decoded = vec![Vec::new(); planes.len()];
        Decoder::new().decode(stream, &format, planes[0].len(), &mut decoded).unwrap();
        assert!(decoded == planes, "{format:?}");
        rest = after;
    }
    assert!(rest.is_empty());
}

/// For a next version of the file, beside the old one.
#[test]
#[ignore = "writes a new golden file to the current directory"]
fn write_golden_file() {
    let mut file = Vec::new();
    for (level, format, planes) in signals() {
        let slices: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
        let mut stream = Vec::new();
        Encoder::new(level).encode(&format, &slices, &mut stream).unwrap();
        file.extend_from_slice(&u32::try_from(stream.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&stream);
    }
    std::fs::write("golden-new.bin", &file).unwrap();
    println!("{} bytes, hash {:#x}", file.len(), fnv(&file));
}
